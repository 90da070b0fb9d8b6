"""Architectures: what a genome decodes to.

An *architecture* is the immutable description of a spiking network: matrix layers in a directed
graph, the neurons behind them, the number of time steps and the bits of everything. It knows its
shapes, parameters and operations, and the *workload* that a chip executes for it. It holds no
weights and needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from typing import Any

from genomes.carriers import carriers, workload_of
from genomes.layers import (
    INPUT,
    PHASES,
    Coding,
    Domain,
    Element,
    Exit,
    Layer,
    Link,
    Neuron,
    NeuronKind,
    Node,
    PoolKind,
    Reset,
    SkipKind,
    Surrogate,
    Window,
    accumulator_bits,
    bits_of,
    folded_shape,
)
from genomes.quantizers import Part
from genomes.workload import Workload

__all__ = [
    "INPUT",
    "PHASES",
    "Architecture",
    "Coding",
    "Domain",
    "Element",
    "Exit",
    "Layer",
    "Link",
    "Neuron",
    "NeuronKind",
    "Node",
    "PoolKind",
    "Reset",
    "SkipKind",
    "Surrogate",
    "Window",
    "accumulator_bits",
    "bits_of",
    "folded_shape",
]


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
        return carriers(self)

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
        return workload_of(self)

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


def _lies_in(window: Window, shape: tuple[int, ...]) -> bool:
    return len(window) == len(shape) and all(
        0 <= start < stop <= size for (start, stop), size in zip(window, shape, strict=True)
    )


def _layer_from(document: Mapping[str, Any]) -> Layer:
    neuron = document["neuron"]
    parts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Layer(**{**parts, "neuron": Neuron(**neuron) if neuron else None})


def _node_from(document: Mapping[str, Any]) -> Node:
    neuron = document["neuron"]
    links = tuple(Link(**link) for link in document["links"])
    pool = tuple(document.get("pool", ()))
    return Node(document["name"], links, Neuron(**neuron) if neuron else None, pool)
