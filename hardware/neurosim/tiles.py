"""Tiles: the adder trees, buffers and H-tree between a tile's PEs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats
from hardware.neurosim.area import Built
from hardware.neurosim.design import Design
from hardware.neurosim.elements import Elements
from hardware.neurosim.trees import tree


@dataclass(frozen=True)
class Tiles:
    """A layer's tiles, for one time step in which the layer is read; (n, L).

    Attributes:
        tree_energy, buffer_energy, wire_energy: In J.
        tree_cycles, buffer_cycles, wire_cycles: Of the tile that takes longest.
    """

    tree_energy: Floats
    buffer_energy: Floats
    wire_energy: Floats
    tree_cycles: Floats
    buffer_cycles: Floats
    wire_cycles: Floats


def tiles(design: Design, parts: Elements, made: Built) -> Tiles:
    """Cost the tiles of all layers."""
    floor, grid, unit, kinds = design.plan, design.matrices, design.parts, design.kinds
    size = np.where(floor.on_kernel, floor.kernel_pe, floor.flat_tile)
    down, across = np.ceil(floor.pe_rows / size), np.ceil(grid.columns / size)
    repeated = np.where(floor.on_kernel, np.sqrt(floor.kernel), 1.0)  # inputs of neighbours overlap
    own = np.maximum(1.0, grid.bundles / across)
    inputs = floor.pe_rows * repeated * own * grid.vectors
    width = grid.sum_bits + (design.by_layer(kinds.tile_sum_bits) - design.sum_bits)
    used = grid.used_columns / grid.columns
    whole = design.weights(size)
    rest = design.weights(grid.columns - (across - 1) * size)
    outputs = down * ((across - 1) * whole + rest) * used * width * grid.positions
    first_inputs = np.minimum(floor.pe_rows, size) * repeated * own * grid.vectors
    first_outputs = np.where(across > 1, whole, rest) * used * width * grid.positions
    taken, given, wires = made.inputs, made.outputs, made.wires
    tree_energy, tree_cycles = _trees(design, parts, down, across, size)
    bus = design.by_layer(kinds.bus_bits)
    moved = inputs * across * design.in_toggle + outputs * unit.output_toggle
    return Tiles(
        tree_energy=tree_energy,
        buffer_energy=inputs * across * design.by_layer(taken.read_energy + taken.write_energy) / 2
        + outputs * design.by_layer(given.read_energy + given.write_energy) / 2,
        wire_energy=moved * design.by_layer(wires.energy_length) * unit.wire_energy,
        tree_cycles=tree_cycles,
        buffer_cycles=first_inputs * design.by_layer(taken.cycles(1.0, kinds.bus_bits))
        + first_outputs * design.by_layer(given.cycles(1.0, kinds.bus_bits)),
        wire_cycles=design.by_layer(unit.cycles(wires.delay))
        * (first_inputs + first_outputs)
        / bus,
    )


def _trees(
    design: Design, parts: Elements, down: Floats, across: Floats, size: Floats
) -> tuple[Floats, Floats]:
    """Energy and cycles of the tiles' adder trees, (n, L)."""
    floor, grid, unit = design.plan, design.matrices, design.parts
    odd = design.chip.word("odd_words")
    bits = grid.sum_bits + (design.by_layer(design.kinds.pe_sum_bits) - design.sum_bits)
    last_rows = floor.pe_rows - (down - 1) * size
    needed = np.stack([floor.side_pes + 0 * down, np.ceil(last_rows / floor.flat_pe)])
    flat = needed if design.mapped else np.where(parts.spread, needed, floor.side_pes)
    words = np.where(floor.on_kernel, floor.kernel, np.where(parts.inner, 1.0, flat))
    sums = tree(words, bits, odd)
    energies = sums.energy(unit.adders)
    energy = (down - 1) * energies[0] + energies[1]
    up = np.ceil(design.sharing / grid.slices)
    down_rounded = np.floor(design.sharing / grid.slices)
    rounds = np.where(floor.on_flat | (design.chip.word("adder_rounds") == "up"), up, down_rounded)
    if design.mapped:
        energy = energy * grid.outputs * grid.positions
    else:
        count = design.by_layer(design.kinds.trees)
        energy = energy * across * count * rounds * grid.positions
    delays = sums.delay(unit.adders)
    delay = np.where(down > 1, delays[0], delays[1])
    first_words = np.where(down > 1, words[0], words[1])
    idle = floor.on_flat & (parts.inner | (first_words == 1) & (parts.spread | design.mapped))
    cycles = ~idle * unit.cycles(delay) * rounds * grid.positions
    return energy * grid.present, cycles
