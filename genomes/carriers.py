"""Which layers of a workload an architecture's are, and who carries the neurons of its nodes.

A workload knows matrix layers alone. The neurons of a node are counted in the place of a layer that
drives it, its *carrier*, with the additions of what else meets there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from genomes.layers import INPUT, Layer, Link, Neuron, Node, accumulator_bits
from genomes.quantizers import removed_columns, stored_bits
from genomes.workload import ConvLayer, LinearLayer, Workload

if TYPE_CHECKING:
    from genomes.architecture import Architecture


def workload_of(architecture: Architecture) -> Workload:
    """What a chip executes of a network, with the workload's default spike rates."""
    loads = zip(architecture.layers, _neuron_loads(architecture), strict=True)
    return Workload(
        timesteps=architecture.time_steps,
        layers=tuple(
            part
            for layer, neurons in loads
            for part in _by_part(layer, _workload_layer(layer, architecture, neurons))
        ),
    )


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


def carriers(architecture: Architecture) -> dict[str, str]:
    """Node → the layer in whose place a workload counts its neurons: one that drives it."""
    layers = {layer.name for layer in architecture.layers}
    found: dict[str, str] = {}
    for node in (one for one in architecture.order if isinstance(one, Node)):
        now = [link.source for link in node.links if not (link.delayed or link.spikes)]
        own = next((one for one in now if one in layers and one not in found.values()), now[0])
        found[node.name] = found.get(own, own)
    return found


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
