"""Architectures: what a genome decodes to.

An *architecture* is the immutable description of a spiking network: matrix layers in a directed
graph, the neurons behind them, the number of time steps and the bits of everything. It knows its
shapes, parameters and operations, and the *workload* that a chip executes for it. It holds no
weights and needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
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
    stored_bits,
)
from genomes.workload import ConvLayer, LinearLayer, Workload

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
        nodes: sums of currents, which layers read by name.
        frames: how many there are of an event stream, each of ``input_shape``; 0 for a static
            sample.
        coding: how a static sample becomes the input: ``direct``, the same analog values in every
            time step, or one of the trains of spikes of `evo_snn.snn.codings`.
        exit: None where every inference takes all time steps and layers.

    Raises:
        ValueError: a layer reads what does not exist before it, or shapes do not fit.
    """

    input_shape: tuple[int, ...]
    classes: int
    time_steps: int
    input_bits: int
    layers: tuple[Layer, ...]
    window: Window = ()
    nodes: tuple[Node, ...] = ()
    frames: int = 0
    coding: Coding = "direct"
    exit: Exit | None = None

    def __post_init__(self) -> None:
        if self.window and not _lies_in(self.window, self.input_shape):
            raise ValueError(f"the window {self.window} is no part of {self.input_shape}")
        if self.frames and self.coding != "direct":
            raise ValueError(f"the coding {self.coding!r} is for static samples, not for frames")
        shapes: dict[str, tuple[int, ...]] = {INPUT: self.read_shape}
        currents: dict[str, tuple[int, ...]] = {}
        for layer in self.order:
            if isinstance(layer, Node):
                currents[layer.name] = _summed_shape(layer, currents, shapes)
                shapes[layer.name] = layer.stored_shape(currents[layer.name])
                continue
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
            currents[layer.name] = layer.neuron_shape
            if not layer.joins:
                shapes[layer.name] = layer.stored_shape
        self._check_delays(currents)

    def _check_delays(self, currents: Mapping[str, tuple[int, ...]]) -> None:
        for node in self.nodes:
            for link in node.links:
                if link.delayed and link.spikes:
                    raise ValueError(f"node {node.name!r} cannot add earlier spikes")
                if link.delayed and currents.get(link.source) != currents[node.name]:
                    raise ValueError(
                        f"node {node.name!r} of {currents[node.name]} cannot add {link.source!r}, "
                        f"which gives {currents.get(link.source)}"
                    )

    @cached_property
    def order(self) -> tuple[Element, ...]:
        """Layers and nodes as they are computed within a time step: nodes as early as they can be.

        Raises:
            ValueError: a node's currents never come to be.
        """
        order: list[Element] = []
        there: set[str] = set()
        waiting = list(self.nodes)

        def add_nodes() -> None:
            ready = True
            while ready:
                ready = False
                for node in list(waiting):
                    if all(link.delayed or link.source in there for link in node.links):
                        order.append(node)
                        there.add(node.name)
                        waiting.remove(node)
                        ready = True

        add_nodes()
        for layer in self.layers:
            order.append(layer)
            there.add(layer.name)
            add_nodes()
        if waiting:
            raise ValueError(f"node {waiting[0].name!r} adds what no layer gives")
        return tuple(order)

    @cached_property
    def blocks(self) -> tuple[tuple[tuple[Element, ...], bool], ...]:
        """Parts of the order, each with whether it runs time step by time step.

        What lies between a delayed link's node and its source must; all else may run all time
        steps of one layer before the next.
        """
        place = {one.name: k for k, one in enumerate(self.order)}
        loops = sorted(
            (place[node.name], place[link.source])
            for node in self.nodes
            for link in node.links
            if link.delayed
        )
        blocks: list[tuple[tuple[Element, ...], bool]] = []
        done = 0
        for first, last in _joined([one for one in loops if one[0] <= one[1]]):
            if first > done:
                blocks.append((self.order[done:first], False))
            blocks.append((self.order[first : last + 1], True))
            done = last + 1
        if done < len(self.order):
            blocks.append((self.order[done:], False))
        return tuple(blocks)

    @cached_property
    def current_shapes(self) -> dict[str, tuple[int, ...]]:
        """(channels, *spatial) of the current of each layer and node."""
        shapes: dict[str, tuple[int, ...]] = {}
        stored: dict[str, tuple[int, ...]] = {}
        for one in self.order:
            if isinstance(one, Node):
                shapes[one.name] = _summed_shape(one, shapes, stored)
                stored[one.name] = one.stored_shape(shapes[one.name])
            else:
                shapes[one.name], stored[one.name] = one.neuron_shape, one.stored_shape
        return shapes

    @cached_property
    def drivers(self) -> dict[str, tuple[str, ...]]:
        """Node → the layers whose currents reach it, by way of other nodes too."""
        links = {
            node.name: [link.source for link in node.links if not link.spikes]
            for node in self.nodes
        }

        def reached(name: str, seen: set[str]) -> set[str]:
            for source in links.get(name, ()):
                if source not in seen:
                    seen.add(source)
                    reached(source, seen)
            return seen

        return {
            name: tuple(one.name for one in self.layers if one.name in reached(name, set()))
            for name in links
        }

    @property
    def static(self) -> bool:
        """Whether the input is the same in every time step."""
        return not self.frames and self.coding == "direct"

    @property
    def by_step(self) -> bool:
        """Whether a time step must end before the next begins: feedback, or an exit in time."""
        left = self.exit is not None and self.exit.kind == "time"
        return left or any(stepwise for _, stepwise in self.blocks)

    @property
    def readouts(self) -> tuple[Layer, ...]:
        """The layers that give class scores, the last one those of a whole inference."""
        return tuple(layer for layer in self.layers if layer.is_readout)

    @cached_property
    def carriers(self) -> dict[str, str]:
        """Node → the layer in whose place a workload counts its neurons: one that drives it."""
        return _carriers(self)

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
        held = {INPUT} if self.static else set()
        steps = {True: 1, False: self.time_steps}
        return sum(steps[layer.source in held] * layer.operations for layer in self.layers)

    @cached_property
    def workload(self) -> Workload:
        """What a chip executes, with the workload's default spike rates."""
        return Workload(
            timesteps=self.time_steps,
            layers=tuple(
                part
                for layer, neurons in zip(self.layers, _neuron_loads(self), strict=True)
                for part in _by_part(layer, _workload_layer(layer, self, neurons))
            ),
        )

    @cached_property
    def parts(self) -> tuple[tuple[Layer, Part], ...]:
        """What the workload's layers are, in its order: each a layer's part."""
        return tuple((layer, part) for layer in self.layers for part in layer.parts)

    def ended(self, workload: Workload, shares: Sequence[float]) -> Workload:
        """The workload of inferences that end early.

        Args:
            workload: as `workload`, with whatever rates.
            shares: of the inferences that end at each decision, adding up to 1: one share a time
                step with an exit in time, one a read-out with an exit in depth.
        """
        if self.exit is None:
            return workload
        if self.exit.kind == "time":
            mean = sum(share * step for step, share in enumerate(shares, start=1))
            bounded = min(max(mean, 1.0), float(self.time_steps))  # whatever rounding did
            return workload.model_copy(update={"mean_timesteps": bounded})
        left = 1.0
        ends = dict(zip((one.name for one in self.readouts), shares, strict=True))
        executed: dict[str, float] = {}
        for layer in self.layers:
            executed[layer.name] = left
            left = max(0.0, left - ends.get(layer.name, 0.0))
        layers = tuple(
            work.model_copy(update={"executed": executed[layer.name]})
            for (layer, _), work in zip(self.parts, workload.layers, strict=True)
        )
        return workload.model_copy(update={"layers": layers})

    @property
    def decisions(self) -> int:
        """Points at which an inference can end, its end included."""
        if self.exit is None:
            return 1
        return self.time_steps if self.exit.kind == "time" else len(self.readouts)

    def describe(self) -> dict[str, Any]:
        """The architecture as a JSON document; what few networks have is left out of others'."""
        document = _without_defaults(asdict(self), type(self))
        document["layers"] = [_without_defaults(one, Layer, _RARE) for one in document["layers"]]
        described = [*document["layers"], *document.get("nodes", ())]
        elements: tuple[Element, ...] = (*self.layers, *self.nodes)
        for one, item in zip(elements, described, strict=True):
            if one.neuron:
                item["neuron"] = one.neuron.describe()
        return document

    @classmethod
    def from_description(cls, document: Mapping[str, Any]) -> Architecture:
        """The architecture that ``describe`` gave."""
        nodes = tuple(_node_from(item) for item in document.get("nodes", ()))
        left = document.get("exit")
        parts = {
            **document,
            "input_shape": tuple(document["input_shape"]),
            "layers": tuple(_layer_from(item) for item in document["layers"]),
            "window": tuple((start, stop) for start, stop in document.get("window", ())),
            "nodes": nodes,
            "exit": Exit(**left) if left else None,
        }
        return cls(**parts)


_RARE = (*("folded", "joins", "domain", "quantizer", "group_bits", "removed", "column_rows"),)
"""Fields of a layer that its description leaves out at their defaults."""


def _without_defaults(
    document: dict[str, Any], model: type, names: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """A document without those of its fields that are at their defaults: all, or the named."""
    defaults = {
        one.name: one.default
        for one in fields(model)
        if one.default is not MISSING and (names is None or one.name in names)
    }
    return {k: v for k, v in document.items() if k not in defaults or v != defaults[k]}


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans of places, first and last, those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _summed_shape(
    node: Node, currents: Mapping[str, tuple[int, ...]], maps: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """The shape of a node's sum: that of all currents of the same time step."""
    shapes = {
        (maps if link.spikes else currents)[link.source] for link in node.links if not link.delayed
    }
    if len(shapes) != 1:
        raise ValueError(f"node {node.name!r} adds {sorted(shapes)}, which are no single shape")
    return shapes.pop()


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


@dataclass
class _NeuronLoad:
    """What a layer's place in a workload carries of neurons, its own or those of nodes."""

    state_bits: int = 0
    populations: int = 0
    currents: int = 0

    def add(self, neuron: Neuron, currents: int = 0) -> None:
        self.state_bits = max(self.state_bits, neuron.stored_bits)
        self.populations += 1
        self.currents += currents


def _carriers(architecture: Architecture) -> dict[str, str]:
    layers = {layer.name for layer in architecture.layers}
    carriers: dict[str, str] = {}
    for node in (one for one in architecture.order if isinstance(one, Node)):
        now = [link.source for link in node.links if not (link.delayed or link.spikes)]
        own = next((one for one in now if one in layers and one not in carriers.values()), now[0])
        carriers[node.name] = carriers.get(own, own)
    return carriers


def _neuron_loads(architecture: Architecture) -> list[_NeuronLoad]:
    """By layer: its neurons, and those of the nodes that it carries with what they add up."""
    loads = {layer.name: _NeuronLoad() for layer in architecture.layers}
    for layer in architecture.layers:
        if layer.neuron:
            loads[layer.name].add(layer.neuron)
        elif layer.is_readout:
            bits = accumulator_bits(layer, architecture.time_steps)
            loads[layer.name] = _NeuronLoad(bits, 1)
    for node in architecture.nodes:
        load = loads[architecture.carriers[_adder(architecture, node).name]]
        added = len(node.links) - 1 + sum(_window_sums(architecture, link) for link in node.links)
        if node.neuron:
            load.add(node.neuron, added)
        else:
            load.currents += added
    return list(loads.values())


def _adder(architecture: Architecture, node: Node) -> Node:
    """The node whose neurons' adders make a node's sum: its own, or the next ones that get it."""
    while node.neuron is None:
        following = (
            one
            for one in architecture.nodes
            for link in one.links
            if link.source == node.name and not link.delayed
        )
        after = next(following, None)
        if after is None:
            break
        node = after
    return node


def _window_sums(architecture: Architecture, link: Link) -> int:
    """Additions a value that averaging takes: window - 1 along each dimension."""
    dimensions = len(architecture.read_shape) - 1
    return dimensions * (link.window - 1)


def _workload_layer(
    layer: Layer, architecture: Architecture, neurons: _NeuronLoad
) -> ConvLayer | LinearLayer:
    common: dict[str, Any] = {
        "name": layer.name,
        "weight_bits": stored_bits(layer.weight_bits, layer.quantizer),
        "input_bits": layer.input_bits,
        "static_input": layer.source == INPUT and architecture.static,
        "domain": layer.domain,
        "neuron_state_bits": neurons.state_bits,
        "populations": max(1, neurons.populations),
        "current_inputs": neurons.currents,
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


def _by_part(layer: Layer, work: ConvLayer | LinearLayer) -> Iterator[ConvLayer | LinearLayer]:
    """The matrices of a layer: one for each of its parts, with the neurons of its channels."""
    if len(layer.parts) == 1 and not layer.removed:
        yield work
        return
    outputs = "out_channels" if layer.kernel else "out_features"
    for part in layer.parts:
        kept = part.channels - removed_columns(part.channels, layer.removed)
        changes = {
            "name": part.name,
            outputs: part.channels,
            "weight_bits": stored_bits(part.weight_bits, layer.quantizer),
            "column_share": kept / part.channels,
            "column_rows": layer.column_rows,
        }
        yield work.model_copy(update=changes)


def _layer_from(document: Mapping[str, Any]) -> Layer:
    neuron = document["neuron"]
    parts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Layer(**{**parts, "neuron": Neuron(**neuron) if neuron else None})


def _node_from(document: Mapping[str, Any]) -> Node:
    neuron = document["neuron"]
    links = tuple(Link(**link) for link in document["links"])
    pool = tuple(document.get("pool", ()))
    return Node(document["name"], links, Neuron(**neuron) if neuron else None, pool)
