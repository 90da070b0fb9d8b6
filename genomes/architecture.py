"""Architectures: what a genome decodes to.

An *architecture* is the immutable description of a spiking network: matrix layers in a directed
graph, the neurons behind them, the number of time steps and the bits of everything. It knows its
shapes, parameters and operations, and the *workload* that a chip executes for it. It holds no
weights and needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, Literal

from genomes.quantizers import Quantizer, largest_level, stored_bits
from genomes.workload import ConvLayer, LinearLayer, Workload

NeuronKind = Literal["lif_box", "lif", "iaf"]
PoolKind = Literal["average", "max"]
SkipKind = Literal["or", "add"]

_RARE: Mapping[str, Any] = MappingProxyType({"folded": 0, "quantizer": "uniform"})
"""Fields of a layer that a description leaves out where they are as usual."""

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
    """

    kind: NeuronKind
    leak: float
    threshold: float
    state_bits: int

    @property
    def variables(self) -> int:
        """State variables that one neuron keeps between time steps."""
        return 2 if self.kind == "lif" else 1


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
        weight_bits: width of a weight, symmetric about zero; 1 for -1 and 1.
        input_bits: width of what is read, derived from the values that it can really take.
        pool: one entry a spatial dimension, 1 where nothing is pooled; empty for a linear layer.
        pool_kind: ``average`` pools the membrane input, ``max`` the spikes.
        neuron: None for the read-out, which only accumulates.
        skips: layers whose stored spike maps are merged into this layer's.
        skip_kind: ``or`` keeps spikes, ``add`` makes a multi-bit map.
        peak: the largest value in the stored map, 1 for spikes; 0 for the read-out.
        folded: positions of the source's first spatial dimension that are read as channels: a map
            (C, B, H, W) as (C * B, H, W); 0 where the map is read as it is.
        quantizer: which levels its weights have, see ``genomes.quantizers``.
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
    quantizer: Quantizer = "uniform"

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
    def parameters(self) -> int:
        """Weights, and the scale and bias of each output channel (see docs/decisions.md)."""
        return self.weights + 2 * self.out_channels

    @property
    def operations(self) -> int:
        """Synaptic operations of one time step when every input is active."""
        return self.weights * prod(self.out_shape[1:])


@dataclass(frozen=True)
class Architecture:
    """An immutable spiking network without weights.

    Attributes:
        input_shape: (channels, *spatial) of one sample.
        classes: number of classes.
        time_steps: simulation steps of one inference.
        input_bits: width of the analog input that the first layer reads (direct encoding).
        layers: in an order in which each layer's source and skips come first.
        window: the part of a sample that the network reads; empty for all of it.

    Raises:
        ValueError: a layer reads what does not exist before it, or shapes do not fit.
    """

    input_shape: tuple[int, ...]
    classes: int
    time_steps: int
    input_bits: int
    layers: tuple[Layer, ...]
    window: Window = ()

    def __post_init__(self) -> None:
        if self.window and not _lies_in(self.window, self.input_shape):
            raise ValueError(f"the window {self.window} is no part of {self.input_shape}")
        shapes: dict[str, tuple[int, ...]] = {INPUT: self.read_shape}
        for layer in self.layers:
            given = shapes.get(layer.source)
            if given is None or folded_shape(given, layer.folded) != layer.in_shape:
                folding = f" and folds {layer.folded}" if layer.folded else ""
                raise ValueError(
                    f"layer {layer.name!r} reads {layer.in_shape} from {layer.source!r}, "
                    f"which gives {given}{folding}"
                )
            for skip in layer.skips:
                if shapes.get(skip) != layer.stored_shape:
                    raise ValueError(
                        f"layer {layer.name!r} stores {layer.stored_shape} and cannot merge "
                        f"{skip!r}, which gives {shapes.get(skip)}"
                    )
            shapes[layer.name] = layer.stored_shape

    @property
    def read_shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of what the network reads of a sample."""
        return tuple(stop - start for start, stop in self.window) or self.input_shape

    @cached_property
    def parameters(self) -> int:
        """Weights, and one scale and one bias an output channel."""
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def operations(self) -> int:
        """Synaptic operations of one inference when every input is active, all time steps.

        A layer that reads the static input is computed once and counted once.
        """
        steps = {True: 1, False: self.time_steps}
        return sum(steps[layer.source == INPUT] * layer.operations for layer in self.layers)

    @cached_property
    def workload(self) -> Workload:
        """What a chip executes, with the workload's default spike rates."""
        return Workload(
            timesteps=self.time_steps,
            layers=tuple(_workload_layer(layer, self.time_steps) for layer in self.layers),
        )

    def describe(self) -> dict[str, Any]:
        """The architecture as a JSON document; what few networks have is left out of others'."""
        document = asdict(self)
        if not self.window:
            del document["window"]
        for layer in document["layers"]:
            for field, usual in _RARE.items():
                if layer[field] == usual:
                    del layer[field]
        return document

    @classmethod
    def from_description(cls, document: Mapping[str, Any]) -> Architecture:
        """The architecture that ``describe`` gave."""
        layers = tuple(_layer_from(item) for item in document["layers"])
        shape, window = document["input_shape"], document.get("window", ())
        fields = {
            **document,
            "input_shape": tuple(shape),
            "layers": layers,
            "window": tuple((start, stop) for start, stop in window),
        }
        return cls(**fields)


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


def _lies_in(window: Window, shape: tuple[int, ...]) -> bool:
    return len(window) == len(shape) and all(
        0 <= start < stop <= size for (start, stop), size in zip(window, shape, strict=True)
    )


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


def _workload_layer(layer: Layer, time_steps: int) -> ConvLayer | LinearLayer:
    neuron = layer.neuron
    common: dict[str, Any] = {
        "name": layer.name,
        "weight_bits": stored_bits(layer.weight_bits, layer.quantizer),
        "input_bits": layer.input_bits,
        "static_input": layer.source == INPUT,
        "neuron_state_bits": (
            neuron.variables * neuron.state_bits if neuron else accumulator_bits(layer, time_steps)
        ),
        "residual_inputs": len(layer.skips),
    }
    if not layer.kernel:
        return LinearLayer(
            kind="linear",
            in_features=prod(layer.in_shape),
            out_features=layer.out_channels,
            **common,
        )
    return ConvLayer(
        kind=layer.kind,
        in_channels=layer.in_shape[0],
        out_channels=layer.out_channels,
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        in_size=layer.in_shape[1:],
        out_size=layer.out_shape[1:],
        pool=layer.pool,
        pool_kind=layer.pool_kind,
        **common,
    )


def _layer_from(document: Mapping[str, Any]) -> Layer:
    neuron = document["neuron"]
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in document.items()
    }
    return Layer(**{**fields, "neuron": Neuron(**neuron) if neuron else None})
