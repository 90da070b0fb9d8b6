"""What an architecture is made of: neurons, matrix layers, nodes that add up currents, exits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from math import prod
from typing import Any, Literal

from genomes.quantizers import (
    COLUMN_ROWS,
    Part,
    Quantizer,
    largest_level,
    parts_of,
    removed_columns,
)

NeuronKind = Literal["lif_box", "lif", "iaf"]
PoolKind = Literal["average", "max"]
SkipKind = Literal["or", "add"]
Domain = Literal["memory", "digital"]
Coding = Literal["direct", "rate", "radix", "phase", "burst", "first_spike"]
PHASES = 4
"""Bits of a period of the phase coding; in so many time steps, or in one, it is radix coding."""

Reset = Literal["hard", "subtract"]
Surrogate = Literal["super", "triangle", "tanh", "circ", "heavi_erfc"]

INPUT = "input"
"""The name of the network's input as the source of a layer."""

Window = tuple[tuple[int, int], ...]
"""A part of a sample: first position and the one after the last, of channels and each dimension."""


@dataclass(frozen=True)
class Neuron:
    """The spiking neuron behind a layer.

    Attributes:
        kind: ``lif_box`` (Norse ``LIFBoxCell``: one state), ``lif`` (Norse ``LIFCell``: membrane
            and synaptic current), ``iaf`` (Norse ``IAFCell``: no leak).
        leak: initial dt/tau of the membrane, the share that leaks away in a time step, in (0, 1].
            Norse multiplies the input by it too.
        threshold: initial firing threshold, > 0, in units of the input current.
        state_bits: width of each state variable as the chip stores it between time steps.
        reset: what a spike leaves of the membrane: nothing (``hard``), or what is above the
            threshold (``subtract``), which Norse has for ``lif_box`` alone.
        surrogate: Norse's name of the surrogate gradient; training alone feels it.
        once: whether a neuron fires once an inference at most, and is silent from then on.

    Raises:
        ValueError: there is no such reset of neurons of that kind.
    """

    kind: NeuronKind
    leak: float
    threshold: float
    state_bits: int
    reset: Reset = "hard"
    surrogate: Surrogate = "super"
    once: bool = False

    def __post_init__(self) -> None:
        if self.reset == "subtract" and self.kind != "lif_box":
            raise ValueError(f"a neuron {self.kind!r} has no reset by subtraction")

    @property
    def variables(self) -> int:
        """State variables that one neuron keeps between time steps."""
        return 2 if self.kind == "lif" else 1

    @property
    def stored_bits(self) -> int:
        """Bits that one neuron keeps between time steps: variables, and whether it has fired."""
        return self.variables * self.state_bits + self.once

    def describe(self) -> dict[str, Any]:
        """The neuron as a JSON document; what most neurons are is left out."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


@dataclass(frozen=True)
class Layer:
    """One matrix layer with what follows it: pooling, neuron, skip links.

    The order is matrix product, batch normalisation, average pooling, neuron, maximum (OR) pooling
    of the spikes, then the skip links are merged into the stored spike map.

    Attributes:
        name: the slot of the layer, such as ``stage1.block2``; equal slots inherit weights.
        source: the layer whose stored spike map is read, or ``input``.
        in_shape: (channels, *spatial) of what is read.
        out_channels: channels, or features of a linear layer.
        kernel, stride, padding: one entry a spatial dimension; empty for a linear layer.
        weight_bits: width of a weight, symmetric about zero; 1 for -1 and 1. The widest one where
            groups of output channels differ.
        input_bits: width of what is read, derived from the values that it can really take.
        pool: one entry a spatial dimension, 1 where nothing is pooled; empty for a linear layer.
        pool_kind: ``average`` pools the membrane input, ``max`` the spikes.
        neuron: None for the read-out, which only accumulates.
        domain: whether it is computed on crossbars or in digital logic.
        joins: whether its current goes to nodes, which have the neurons; ``neuron`` is None then.
        skips: layers whose stored spike maps are merged into this layer's.
        skip_kind: ``or`` keeps spikes, ``add`` makes a multi-bit map.
        peak: the largest value in the stored map, 1 for spikes; 0 for the read-out.
        folded: positions of the source's first spatial dimension that are read as channels: a map
            (C, B, H, W) as (C * B, H, W); 0 where the map is read as it is.
        quantizer: which levels its weights have, see ``genomes.quantizers``.
        group_bits: width of the weights of each group of output channels, which lie one behind the
            other and differ by one channel at most; empty where all are equal, and of a read-out,
            whose classes have one scale.
        removed: share of the columns that a chip leaves out, in each part and in each block of
            rows; a column is an output channel in a block. Zero of a read-out.
        column_rows: rows of a block, which are input channels times kernel positions.

    Raises:
        ValueError: more groups than channels, or groups or removed columns of a read-out.
    """

    name: str
    source: str
    in_shape: tuple[int, ...]
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    weight_bits: int
    input_bits: int
    pool: tuple[int, ...]
    pool_kind: PoolKind
    neuron: Neuron | None
    skips: tuple[str, ...] = ()
    skip_kind: SkipKind = "or"
    peak: int = 1
    folded: int = 0
    joins: bool = False
    domain: Domain = "memory"
    quantizer: Quantizer = "uniform"
    group_bits: tuple[int, ...] = ()
    removed: float = 0.0
    column_rows: int = COLUMN_ROWS

    def __post_init__(self) -> None:
        if not 0 <= self.removed < 1 or (self.removed and self.is_readout):
            raise ValueError(f"layer {self.name!r} cannot lose {self.removed} of its columns")
        if len(self.group_bits) > self.out_channels or (self.group_bits and self.is_readout):
            raise ValueError(f"layer {self.name!r} cannot have the group bits {self.group_bits}")

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Output channels by the bits of their weights; of all channels where these are equal."""
        return parts_of(self.name, self.out_channels, self.group_bits or (self.weight_bits,))

    @property
    def is_readout(self) -> bool:
        """Whether it accumulates class scores over time."""
        return self.neuron is None and not self.joins

    @property
    def kind(self) -> str:
        """``linear``, ``conv1d``, ``conv2d`` or ``conv3d``."""
        return f"conv{len(self.kernel)}d" if self.kernel else "linear"

    @cached_property
    def out_shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of the matrix product, before pooling."""
        sizes = zip(self.in_shape[1:], self.kernel, self.stride, self.padding, strict=False)
        return (self.out_channels, *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes))

    @cached_property
    def stored_shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of the spike map that the next layer reads."""
        sizes = zip(self.out_shape[1:], self.pool, strict=True)
        return (self.out_channels, *(n // p for n, p in sizes))

    @property
    def neuron_shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of the neurons: pooled where the membrane input is."""
        return self.stored_shape if self.pool_kind == "average" else self.out_shape

    @cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights.

        A convolution's are (out, in, *kernel), a linear layer's (out, *in_shape), so that its
        input channels and positions can be inherited apart.
        """
        inputs = (self.in_shape[0], *self.kernel) if self.kernel else self.in_shape
        return (self.out_channels, *inputs)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return prod(self.weight_shape)

    @property
    def stored_weights(self) -> int:
        """Number of weights that are not in removed columns."""
        removed = sum(removed_columns(part.channels, self.removed) for part in self.parts)
        return self.weights // self.out_channels * (self.out_channels - removed)

    @property
    def parameters(self) -> int:
        """Weights, and the scale and bias of each output channel (see docs/decisions.md)."""
        return self.stored_weights + 2 * self.out_channels

    @property
    def operations(self) -> int:
        """Synaptic operations of one time step when every input is active."""
        return self.stored_weights * prod(self.out_shape[1:])


@dataclass(frozen=True)
class Link:
    """A current that a node adds up.

    Attributes:
        source: a layer, whose normalised current it is, or a node, whose sum it is.
        window: side of the window that is averaged about each position, odd; 1 for none. What lies
            beyond the border counts as zero.
        delayed: whether it is the current of the time step before: temporal feedback. In the first
            time step it is zero.
        spikes: whether it is not the source's current, but the map that layers read of it, each
            spike a current of 1. It cannot be delayed.
    """

    source: str
    window: int = 1
    delayed: bool = False
    spikes: bool = False


@dataclass(frozen=True)
class Node:
    """A sum of currents, and the neurons that it drives.

    Attributes:
        name: as a layer's; layers read its spikes under it.
        links: what is added up, at least one.
        neuron: None where no layer reads its spikes.
        pool: window of the maximum (OR) of its spikes that layers read, one entry a spatial
            dimension; empty for none. The layer that carries it has the same ``pool``.
    """

    name: str
    links: tuple[Link, ...]
    neuron: Neuron | None
    pool: tuple[int, ...] = ()

    def stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(channels, *spatial) of the map that layers read of a current of some shape."""
        if not self.pool:
            return shape
        return (shape[0], *(n // p for n, p in zip(shape[1:], self.pool, strict=True)))


Element = Layer | Node


@dataclass(frozen=True)
class Exit:
    """An early end of an inference, at the first decision that is confident enough.

    Attributes:
        kind: ``time`` decides after every time step by the scores so far (DT-SNN, Li et al.,
            DAC 2023); ``depth`` at every read-out, each after all time steps (MS-RANAS).
        confidence: least softmax probability of the best class.
    """

    kind: Literal["time", "depth"]
    confidence: float


def folded_shape(shape: tuple[int, ...], folded: int) -> tuple[int, ...] | None:
    """The shape of a map whose first spatial dimension is read as channels.

    Args:
        shape: (C, B, *rest) of the map.
        folded: B; 0 for a map that is read as it is.

    Returns:
        (C * B, *rest); None where the map has no such dimension of that size.
    """
    if not folded:
        return shape
    return (shape[0] * folded, *shape[2:]) if shape[1:2] == (folded,) else None


def bits_of(peak: int) -> int:
    """Width of an unsigned number that reaches ``peak``."""
    return int(peak).bit_length()


def accumulator_bits(layer: Layer, time_steps: int) -> int:
    """Width that holds a read-out's sum over all inputs and time steps exactly.

    The largest magnitude is fan-in x largest level x (2^input_bits - 1) x time steps; one bit more
    for the sign.
    """
    fan_in = layer.weights // layer.out_channels
    level = largest_level(layer.weight_bits, layer.quantizer)
    largest = fan_in * level * (2**layer.input_bits - 1) * time_steps
    return 1 + int(largest).bit_length()
