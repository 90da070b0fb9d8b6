"""Tiles: the adder trees, buffers and H-tree between a tile's PEs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats
from hardware.inventory import doublings
from hardware.neurosim.design import Design
from hardware.neurosim.elements import Elements
from hardware.neurosim.trees import tree

#: A tile's buffers are made of cores of so many bits, with lines of so many.
CORE_BITS, CORE_LINE = 1024.0, 32.0

#: By so much an H-tree's buses are folded.
TILE_FOLD, CHIP_FOLD = 16.0, 4.0


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


@dataclass(frozen=True)
class Buffer:
    """A register file of one or many cores; any shape.

    Attributes:
        area: In m2.
        leakage: Of one core, in W.
        read_energy, write_energy: In J a bit.
        cores: Cores that work side by side.
        line: Bits of one access of one core.
    """

    area: Floats
    leakage: Floats
    read_energy: Floats
    write_energy: Floats
    cores: Floats
    line: Floats

    def cycles(self, bits: Floats, bus_bits: Floats) -> Floats:
        """Cycles in which `bits` go over a bus: a line a core and cycle."""
        return bits / self.line / np.minimum(self.cores, np.ceil(bus_bits / self.line))


def buffer(design: Design, bits: Floats, line: Floats) -> Buffer:
    """A buffer of `bits` bits: one core with lines of `line` bits, or many of 1024 bits."""
    is_small = bits < CORE_BITS
    cores = np.where(is_small, 1.0, np.ceil(bits / CORE_BITS))
    core_bits = np.where(is_small, bits, CORE_BITS)
    core_line = np.where(is_small, line, CORE_LINE)
    return register_file(design, cores, core_bits, core_line)


def register_file(design: Design, cores: Floats, bits: Floats, line: Floats) -> Buffer:
    """Cores of `bits` bits each, in lines of `line` bits, with a decoder each."""
    unit = design.parts
    rows = doublings(np.ceil(bits / line))
    decoder = unit.decoder
    write = decoder.at(decoder.write_energy, rows)
    half = unit.register_energy / 2
    return Buffer(
        area=cores * (bits * unit.register_area + decoder.at(decoder.area, rows)),
        leakage=bits * unit.register_leakage + decoder.at(decoder.leakage, rows),
        read_energy=half + write * decoder.READ / bits,
        write_energy=half + write / bits,
        cores=cores,
        line=line,
    )


@dataclass(frozen=True)
class HTree:
    """An H-tree over units of some side.

    Attributes:
        delay: In s, root to leaf.
        energy_length: In m, over which a bit is driven.
        idle_length: In m of wires that leak.
    """

    delay: Floats
    energy_length: Floats
    idle_length: Floats


def h_tree(design: Design, levels: Floats, side: Floats) -> HTree:
    """An H-tree of `levels` levels over units of `side`, in m.

    Stage i goes side 2^levels / 2^i down and as far across; a main bus joins the halves. NeuroSim
    drives half of these lengths in its energy ("half").
    """
    unit = design.parts
    whole = side * np.exp2(levels)
    main = np.where(levels > 0, np.exp2(levels - 1), 0.0) * side
    delay, driven, idle = np.zeros_like(whole), np.zeros_like(whole), np.zeros_like(whole)
    last = whole
    for stage in range(1, int(levels.max(initial=0)) + 1):
        on = stage <= levels
        length = whole / 2.0**stage
        delay += on * 2 * unit.delay(length)
        driven += on * length
        idle += (stage < levels) * length
        last = np.where(on, length, last)
    factor = 1.0 if design.chip.word("h_tree_energy") == "half" else 2.0
    return HTree(
        delay=delay + unit.delay(main, of=last),
        energy_length=factor * driven + main,
        idle_length=idle + main,
    )


def h_tree_area(
    design: Design, levels: Floats, side: Floats, bus_bits: Floats, fold: float
) -> Floats:
    """Area in m2 of an H-tree's repeaters; its buses widen from stage to stage."""
    unit = design.parts
    bits = bus_bits / fold
    area = np.zeros_like(levels * side)
    for stage in range(1, int(levels.max(initial=0))):
        length = side * np.exp2(levels) / 2 / 2.0**stage
        pitch = (unit.repeater_width + unit.repeater_height) / 2
        area += (stage < levels) * stage * bits * pitch * length
    main = np.where(levels > 0, np.exp2(levels - 1), 0.0)
    return area + bits * unit.repeater_height * main * side


def tile_levels(design: Design) -> Floats:
    """Levels of the tiles' H-trees, (n, 2)."""
    floor = design.plan
    kernel_side = np.ceil(np.sqrt(floor.kernel))
    return doublings(np.concatenate([kernel_side, floor.side_pes], axis=1))


def tiles(design: Design, parts: Elements, pe_side: Floats) -> Tiles:
    """Cost the tiles of all layers; `pe_side` is that of the PEs in m, (n, 2)."""
    floor, grid, unit, kinds = design.plan, design.matrices, design.parts, design.kinds
    size = np.where(floor.on_kernel, floor.kernel_pe, floor.flat_tile)
    down, across = np.ceil(floor.pe_rows / size), np.ceil(grid.columns / size)
    repeated = np.where(floor.on_kernel, np.sqrt(floor.kernel), 1.0)  # inputs of neighbours overlap
    own = np.maximum(1.0, grid.bundles / across)
    inputs = floor.pe_rows * repeated * own * grid.vectors
    width = grid.sum_bits + (design.by_layer(kinds.tile_sum_bits) - design.sum_bits)
    used = grid.used_columns / grid.columns
    whole = np.floor(size / grid.slices)
    rest = np.floor((grid.columns - (across - 1) * size) / grid.slices)
    outputs = down * ((across - 1) * whole + rest) * used * width * grid.positions
    first_inputs = np.minimum(floor.pe_rows, size) * repeated * own * grid.vectors
    first_outputs = np.where(across > 1, whole, rest) * used * width * grid.positions
    taken = buffer(design, kinds.input_bits, kinds.ports * kinds.port_rows)
    given = buffer(design, kinds.output_bits, kinds.tile_sum_bits * kinds.ports)
    tree_energy, tree_cycles = _trees(design, parts, down, across, size)
    wires = h_tree(design, tile_levels(design), pe_side)
    bus = design.by_layer(kinds.bus_bits)
    moved = inputs * across * design.in_toggle + outputs * unit.output_toggle
    return Tiles(
        tree_energy=tree_energy,
        buffer_energy=inputs
        * across
        * design.by_layer(taken.read_energy + taken.write_energy)
        / 2
        + outputs * design.by_layer(given.read_energy + given.write_energy) / 2,
        wire_energy=moved * design.by_layer(wires.energy_length) * unit.wire_energy,
        tree_cycles=tree_cycles,
        buffer_cycles=first_inputs * design.by_layer(taken.cycles(np.ones(1), kinds.bus_bits))
        + first_outputs * design.by_layer(given.cycles(np.ones(1), kinds.bus_bits)),
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
    energy = (down - 1) * sums.energy(unit.adders)[0] + sums.energy(unit.adders)[1]
    up = np.ceil(design.sharing / grid.slices)
    rounds = np.where(floor.on_flat, up, up if _rounds_up(design) else np.floor(design.sharing / grid.slices))
    if design.mapped:
        energy = energy * grid.outputs * grid.positions
    else:
        count = design.by_layer(design.kinds.trees)
        energy = energy * across * count * rounds * grid.positions
    first = np.where(down > 1, 0, 1)
    delay = np.where(first == 0, sums.delay(unit.adders)[0], sums.delay(unit.adders)[1])
    first_words = np.where(down > 1, words[0], words[1])
    idle = floor.on_flat & (parts.inner | (first_words == 1) & (parts.spread | design.mapped))
    cycles = ~idle * unit.cycles(delay) * rounds * grid.positions
    return energy * grid.present, cycles


def _rounds_up(design: Design) -> bool:
    return design.chip.word("adder_rounds") == "up"
