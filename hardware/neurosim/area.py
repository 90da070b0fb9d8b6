"""Area: crossbars in PEs in tiles on a chip, each level's box a square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats, total
from hardware.inventory import doublings
from hardware.neurosim.design import Design
from hardware.neurosim.spikes import Maps
from hardware.neurosim.tiles import (
    CHIP_FOLD,
    TILE_FOLD,
    buffer,
    h_tree_area,
    register_file,
    tile_levels,
)
from hardware.neurosim.transport import GLOBAL_CORE, GLOBAL_LINE, global_cores, pool_units
from hardware.neurosim.trees import tree


@dataclass(frozen=True)
class Boxes:
    """Areas in m2 of one PE and one tile of each kind, and of their parts, (n, 2).

    Attributes:
        pe, tile: With everything in them.
        trees: Adder trees of a tile and of its PEs.
        registers: PE registers and buffers of a tile.
        wires: H-tree of a tile.
    """

    pe: Floats
    tile: Floats
    trees: Floats
    registers: Floats
    wires: Floats


def boxes(design: Design) -> Boxes:
    """Size the PEs and tiles of both kinds."""
    kinds, unit = design.kinds, design.parts
    odd = design.chip.word("odd_words")
    in_pe = np.ceil(kinds.side * design.size / design.sharing)
    pe_trees = in_pe * tree(kinds.side, design.sum_bits, odd).area(unit.adders)
    registers = _packed(
        design.of_crossbar(design.crossbar.box_height) * kinds.side,
        kinds.pe_input_bits,
        unit.register_height,
        unit.register_width,
    ) + _packed(
        design.of_crossbar(design.crossbar.box_width) * kinds.side,
        kinds.pe_output_bits,
        unit.register_width,
        unit.register_height,
    )
    pe = kinds.side**2 * design.of_crossbar(design.crossbar.box_area) + pe_trees + registers
    tile_trees = kinds.trees * tree(kinds.tree_words, kinds.pe_sum_bits, odd).area(unit.adders)
    buffers = (
        buffer(design, kinds.input_bits, kinds.ports * kinds.port_rows).area
        + buffer(design, kinds.output_bits, kinds.tile_sum_bits * kinds.ports).area
    )
    wires = h_tree_area(design, tile_levels(design), np.sqrt(pe), kinds.bus_bits, TILE_FOLD)
    return Boxes(
        pe=pe,
        tile=kinds.pes * pe + tile_trees + buffers + wires,
        trees=kinds.pes * pe_trees + tile_trees,
        registers=kinds.pes * registers + buffers,
        wires=wires,
    )


def _packed(length: Floats, bits: Floats, along: float, across: float) -> Floats:
    """Area of registers laid along a side of a PE, in as many lines as they need."""
    a_line = np.clip(np.trunc(length / along), 1.0, np.maximum(bits, 1.0))
    return length * across * np.ceil(bits / a_line)


def areas(design: Design, sized: Boxes, maps: Maps) -> dict[str, Floats]:
    """Area in m2 by component, (n,); "layout" is what boxes have beyond the parts in them."""
    kinds, crossbar, unit = design.kinds, design.crossbar, design.parts
    crossbars = total(kinds.tiles * kinds.pes * kinds.side**2)
    cores = register_file(
        design,
        global_cores(design, maps),
        np.full((1, 1), GLOBAL_CORE),
        np.full((1, 1), GLOBAL_LINE),
    ).area
    chip_tree = design.chip_trees * tree(
        design.chip_words, design.chip_sum_bits, design.chip.word("odd_words")
    ).area(unit.adders)
    pools = pool_units(design) * unit.pool_area
    activation = np.zeros_like(pools)
    if design.chip.word("activation") == "relu":
        activation = design.chip_trees * design.input_bits * unit.register_area
    on_chip = (design.plan.all_tiles > 0)[:, 0]
    bus = _bus_area(design, sized) * on_chip
    shared = (cores + pools + activation)[:, 0] * on_chip
    of_tiles = total(kinds.tiles * sized.tile)
    parts = {
        "array": crossbars * crossbar.array_area,
        "adc": crossbars * crossbar.adc_area,
        "accumulation": crossbars * design.of_crossbar(crossbar.accumulation_area)[:, 0]
        + total(kinds.tiles * sized.trees)
        + chip_tree[:, 0] * on_chip,
        "interconnect": total(kinds.tiles * sized.wires) + bus,
        "other": crossbars * crossbar.other_area + total(kinds.tiles * sized.registers) + shared,
    }
    whole = of_tiles + bus + shared + chip_tree[:, 0] * on_chip
    used = sum(parts.values(), start=np.zeros_like(whole))
    return parts | {"layout": np.maximum(whole - used, 0.0)}


def _bus_area(design: Design, sized: Boxes) -> Floats:
    """Area of the chip's bus, (n,)."""
    floor, unit = design.plan, design.parts
    side = np.sqrt(sized.tile.max(axis=1, keepdims=True))
    if design.chip.word("bus") == "htree":
        levels = doublings(np.maximum(floor.grid_rows, floor.grid_columns))
        return h_tree_area(design, levels, side, design.bus_bits, CHIP_FOLD)[:, 0]
    pitch = unit.repeater_width * floor.grid_rows + unit.repeater_height * floor.grid_columns
    return (design.bus_bits / CHIP_FOLD * side * pitch)[:, 0]


