"""A network on one chip instance: its weights as conductances that are not ideal.

An *instance* is one drawn chip: every cell's programming error, its faults, what time and wires do
to it. The *fast* path folds all of that into one perturbed weight a layer, and costs what the
deployed network costs; the *exact* path reads row groups, slices and input bits apart, through the
chip's ADCs (``reads.py``). Both are drawn from the same cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, cast

import torch
from torch import Tensor

from evo_snn.snn.layers import DeployedLayer, product
from evo_snn.snn.network import DeployedNetwork, Network
from evo_snn.snn.quantization import by_channel, straight_through
from evo_snn.snn.reads import Converter, ReadLayer
from genomes.architecture import Layer
from hardware.chip import Chip
from hardware.conditions import Conditions
from hardware.conductance import (
    CellTable,
    Encoding,
    Ints,
    cell_table,
    encoding,
    kernel_layers,
    row_blocks,
)
from hardware.nonideal import Instance, Streams, Wiring, draw
from hardware.units import Reading, reading


@torch.no_grad()
def on_chip(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    *,
    seed: int,
    instance: int = 0,
    seconds: float = 0.0,
    path: Literal["fast", "exact"] = "fast",
    calibration: Tensor | None = None,
    rates: Mapping[str, tuple[float, float]] | None = None,
) -> Network:
    """The network as one instance of the chip runs it: a pure function of its arguments.

    With ideal cells and ADCs that tell all sums apart, both paths give the deployed network's
    spikes and scores bit for bit. Layers in the digital domain are the deployed network's.

    Args:
        network: What is to run, on any device.
        chip: Gives cells, crossbars, slices and ADCs.
        conditions: What is not ideal.
        seed: The instance is drawn from it and `instance` alone: equal ones give equal cells, in
            both paths and at all times.
        instance: Number of the instance.
        seconds: Time since programming.
        path: ``fast`` or ``exact``; the ADCs are part of the exact path only.
        calibration: Samples (n, *input_shape) that set the range of each layer's ADCs in the exact
            path, layer by layer; without them the ADCs span every sum of ideal cells.
        rates: Layer name to (input rate, output rate) as ``Activity.rates`` gives them, for which
            wire resistance is worked out; without them ``conditions.wire_rate`` is.

    Raises:
        RequestError: as ``hardware.conditions.check_conditions``.
    """
    table = cell_table(chip, conditions, seconds)
    architecture = network.architecture
    kernels = kernel_layers(architecture.workload, chip)
    layers: list[DeployedLayer] = []
    for layer, work, module, by_kernel in zip(
        architecture.layers,
        architecture.workload.layers,
        network.layers.values(),
        kernels,
        strict=True,
    ):
        deployed = cast(DeployedLayer, module)
        if work.domain == "digital":
            layers.append(deployed)
            continue
        rate = conditions.wire_rate if rates is None else rates[layer.name][0]
        place = _Place.of(layer, chip, by_kernel=by_kernel)
        streams = _streams(seed, instance, layer.name)
        drawn = _drawn(deployed.levels, place, table, conditions, rate, streams)
        if path == "fast":
            layers.append(PerturbedLayer(deployed, drawn.levels(place.encoding)))
        else:
            converter = place.converter(table, conditions)
            layers.append(
                ReadLayer(deployed, drawn, place.encoding, place.groups, converter).to(
                    deployed.levels.device
                )
            )
    result = DeployedNetwork(architecture, layers, network.neurons)
    scale = layers[0].scale
    result.neurons.to(device=scale.device, dtype=scale.dtype)
    if path == "exact" and calibration is not None:
        _calibrate(result, calibration)
    return result


def noisy_levels(
    levels: Tensor,
    layer: Layer,
    chip: Chip,
    conditions: Conditions,
    generator: torch.Generator,
) -> Tensor:
    """Levels as a freshly drawn instance realises them, just after programming.

    The distribution is that of the fast path; the gradient passes to ``levels`` unchanged.

    Args:
        levels: ``layer.weight_shape``, whole numbers, as ``weight_levels`` gives them. A channel
            that deploying would flip (a negative gain) is to be flipped before and after.
        layer: Whose they are, one on crossbars.
        chip: As for `on_chip`.
        conditions: As for `on_chip`.
        generator: On the CPU; it goes on.

    Returns:
        ``layer.weight_shape``: what takes the levels' place in the matrix product.

    Raises:
        RequestError: as ``hardware.conditions.check_conditions``.
    """
    table = cell_table(chip, conditions)
    place = _Place.of(layer, chip, by_kernel=chip.word("mapping") == "kernel")
    with torch.no_grad():
        drawn = _drawn(levels, place, table, conditions, conditions.wire_rate, lambda _: generator)
        effective = drawn.levels(place.encoding).view(levels.shape)
    return straight_through(levels, effective.to(levels))


class PerturbedLayer(DeployedLayer):
    """A deployed layer with the weights that one chip instance has (the fast path).

    Attributes:
        weight: ``layer.weight_shape``: what has become of the levels; not whole numbers.
    """

    weight: Tensor

    def __init__(self, deployed: DeployedLayer, levels: Tensor) -> None:
        super().__init__(deployed.layer, deployed.levels, deployed.scale, deployed.bias)
        self.register_buffer("weight", levels.to(deployed.scale).view(deployed.levels.shape))

    def forward(self, source: Tensor) -> Tensor:
        """(N, *in_shape) → (N, *out_shape)."""
        values = product(self.layer, source, self.weight)
        return values * by_channel(self.scale, values.ndim) + by_channel(self.bias, values.ndim)


@dataclass(frozen=True)
class _Place:
    """Where a layer lies on a chip: its slices, row blocks and row groups."""

    encoding: Encoding
    blocks: tuple[Ints, ...]
    columns: int
    read: Reading

    @classmethod
    def of(cls, layer: Layer, chip: Chip, *, by_kernel: bool) -> _Place:
        channels = layer.in_shape[0] if layer.kernel else prod(layer.in_shape)
        height = int(chip.number("crossbar_rows"))
        blocks = row_blocks(channels, prod(layer.kernel), height, by_kernel=by_kernel)
        columns = int(chip.number("crossbar_columns"))
        return cls(encoding(chip, layer.weight_bits), tuple(blocks), columns, reading(chip))

    @property
    def groups(self) -> list[Ints]:
        """Rows that are read at once."""
        size = self.read.rows
        return [block[k : k + size] for block in self.blocks for k in range(0, len(block), size)]

    def wiring(self, conditions: Conditions, rate: float) -> Wiring:
        """Wires, where a share of the rows that are read at once is active."""
        read_share = min(1.0, self.read.rows / max(map(len, self.blocks)))
        return Wiring(conditions.wire_ohm, rate * read_share, self.blocks, self.columns)

    def converter(self, table: CellTable, conditions: Conditions) -> Converter | None:
        """The ADCs, unless their rounding is left out."""
        if not conditions.adc:
            return None
        most = max(map(len, self.groups))
        return Converter(self.read.levels, most * table.top, conditions.adc_quantile)


def _drawn(
    levels: Tensor,
    place: _Place,
    table: CellTable,
    conditions: Conditions,
    rate: float,
    streams: Streams,
) -> Instance:
    wiring = place.wiring(conditions, rate)
    return draw(levels.flatten(1), place.encoding, table, conditions, streams, wiring)


def _streams(seed: int, instance: int, layer: str) -> Streams:
    """A generator for each cause in each layer of an instance."""

    def generator(cause: str) -> torch.Generator:
        text = repr((seed, instance, layer, cause)).encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)

    return generator


def _calibrate(network: Network, samples: Tensor) -> None:
    """Set the range of all ADCs, each layer's for what the layers before it really send."""
    readers = [layer for layer in network.layers.values() if isinstance(layer, ReadLayer)]
    for layer in readers:
        layer.calibrating = True
    network(samples)
    for layer in readers:
        layer.calibrating = False
