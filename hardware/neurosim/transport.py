"""Between tiles: the chip's adder tree, its bus, the global buffer, activation and pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats
from hardware.inventory import doublings
from hardware.neurosim.area import Built
from hardware.neurosim.buffers import GLOBAL_LINE
from hardware.neurosim.design import Design
from hardware.neurosim.spikes import Maps
from hardware.neurosim.trees import tree
from hardware.neurosim.wires import h_tree

#: Spikes that one pooling unit takes, and cycles of a unit's delay that pooling needs.
POOL_INPUTS, POOL_STAGES = 4.0, 3.0


@dataclass(frozen=True)
class Transport:
    """What happens between tiles in one time step; (n, L), J and cycles.

    The adder tree and what comes in happen in steps in which a layer is read; what goes out, in
    every step.
    """

    tree_energy: Floats
    tree_cycles: Floats
    buffer_in_energy: Floats
    buffer_out_energy: Floats
    buffer_in_cycles: Floats
    buffer_out_cycles: Floats
    wire_in_energy: Floats
    wire_out_energy: Floats
    wire_in_cycles: Floats
    wire_out_cycles: Floats
    activation_energy: Floats
    activation_cycles: Floats
    pool_energy: Floats
    pool_cycles: Floats


def pool_units(design: Design) -> Floats:
    """Pooling units of the chip, (n, 1)."""
    floor = design.plan
    return np.trunc(np.maximum(floor.flat_tile, floor.kernel_pe) / design.sharing)


def transport(design: Design, maps: Maps, made: Built) -> Transport:
    """Cost what happens between tiles."""
    unit, bits = design.parts, design.bus_bits
    cores, tile_sides = made.store, np.sqrt(made.tile)
    ports = np.maximum(1.0, np.minimum(cores.cores, np.ceil(bits / GLOBAL_LINE)))
    tree_energy, tree_cycles = _tree(design)
    wires = _htree_bus if design.chip.word("bus") == "htree" else _xy_bus
    in_energy, out_energy, in_cycles, out_cycles = wires(design, maps, tile_sides)
    activation_energy, activation_cycles = _activation(design)
    units = np.maximum(1.0, pool_units(design))
    pooled = np.ceil(maps.pooled / POOL_INPUTS / units)
    return Transport(
        tree_energy=tree_energy,
        tree_cycles=tree_cycles,
        buffer_in_energy=maps.sent_in * cores.read_energy,
        buffer_out_energy=maps.sent_out * cores.write_energy,
        buffer_in_cycles=maps.sent_in / GLOBAL_LINE / ports,
        buffer_out_cycles=maps.sent_out / GLOBAL_LINE / ports,
        wire_in_energy=in_energy,
        wire_out_energy=out_energy,
        wire_in_cycles=in_cycles,
        wire_out_cycles=out_cycles,
        activation_energy=activation_energy,
        activation_cycles=activation_cycles,
        pool_energy=pooled * units * unit.pool_energy,
        pool_cycles=pooled * POOL_STAGES * unit.cycles(np.asarray(unit.pool_delay)),
    )


def _tree(design: Design) -> tuple[Floats, Floats]:
    """Adding the sums of tiles that hold one column's rows, where there are several.

    NeuroSim also adds up the copies of a layer that a pipeline asks for.
    """
    floor, grid, unit = design.plan, design.matrices, design.parts
    size = np.where(floor.on_kernel, floor.kernel_pe, floor.flat_tile)
    words = np.ceil(floor.pe_rows / size) if design.mapped else np.maximum(floor.row_tiles, 1.0)
    many = (words > 1) & grid.present
    width = grid.sum_bits + (design.chip_sum_bits - design.sum_bits)
    sums = tree(words, width, design.chip.word("odd_words"))
    rounds = np.ceil(grid.outputs * grid.positions / design.chip_trees)
    cycles = many * rounds * unit.cycles(sums.delay(unit.adders))
    uses = grid.outputs * grid.positions if design.mapped else design.chip_trees * rounds
    return many * sums.energy(unit.adders) * uses, cycles


def _activation(design: Design) -> tuple[Floats, Floats]:
    """NeuroSim's activation: as many flip-flops as input bits; neurons take its place."""
    none = np.zeros_like(design.matrices.rate)
    if design.chip.word("activation") == "neurons":
        return none, none
    units = design.chip_trees
    rounds = np.ceil(design.matrices.positions * design.layers.out_channels / units)
    energy = rounds * units * design.input_bits * design.parts.register_energy
    return energy * design.present, rounds * design.present


def _xy_bus(
    design: Design, maps: Maps, tile_sides: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Inputs go along the chip, outputs up and down, half of it on average."""
    floor, unit = design.plan, design.parts
    side, longest = design.by_layer(tile_sides), tile_sides.max(axis=1, keepdims=True)
    across = side * np.ceil(floor.grid_columns / 2)
    along = side * (floor.grid_rows - np.ceil(floor.grid_rows / 2) - 1)
    if design.chip.word("short_buses") == "clamped":
        along = np.maximum(along, 0.0)
    row_share = floor.grid_rows / np.maximum(floor.row_tiles, 1.0)
    column_share = floor.grid_columns / np.maximum(floor.column_tiles, 1.0)
    in_delay = unit.delay(np.maximum(across, 0.0), of=longest * floor.grid_columns)
    out_delay = unit.delay(np.maximum(along, 0.0), of=longest * floor.grid_rows)
    return (
        maps.in_toggle * maps.sent_in * _driven(design, across),
        maps.out_toggle * maps.sent_out * _driven(design, along),
        unit.cycles(in_delay) * np.ceil(maps.sent_in / design.bus_bits * row_share),
        unit.cycles(out_delay) * np.ceil(maps.sent_out / design.bus_bits * column_share),
    )


def _driven(design: Design, length: Floats) -> Floats:
    """Energy in J of a bit over a wire; one of no length has no repeater and keeps its sign."""
    unit = design.parts
    return length * np.where(length > 0, unit.wire_energy, unit.bare_energy)


def _htree_bus(
    design: Design, maps: Maps, tile_sides: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """An H-tree over the grid of tiles; a layer has all of the bus, or the share of its tiles."""
    floor, unit = design.plan, design.parts
    levels = doublings(np.maximum(floor.grid_rows, floor.grid_columns))
    wires = h_tree(design, levels, tile_sides)
    length, cycles = design.by_layer(wires.energy_length), unit.cycles(wires.delay)
    bits = design.bus_bits
    if design.chip.word("h_tree_share") == "tiles":
        # multiplied before it is divided: a whole number of bits must not round up to the next
        bits = np.ceil(design.bus_bits * floor.tiles / np.maximum(floor.all_tiles, 1.0))
    bits = np.maximum(1.0, np.ceil(bits))
    toggled_in = np.ceil(maps.in_toggle * maps.sent_in / bits) * bits
    toggled_out = np.ceil(maps.out_toggle * maps.sent_out / bits) * bits
    moved = np.ceil((maps.sent_in + maps.sent_out) / bits) * design.by_layer(cycles)
    energy = unit.wire_energy * length
    return energy * toggled_in, energy * toggled_out, moved, np.zeros_like(moved)
