"""Area: crossbars in PEs in tiles on a chip, each level's box a square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats, total
from hardware.breakdown import added
from hardware.inventory import doublings
from hardware.neurosim.buffers import (
    GLOBAL_CORE,
    GLOBAL_LINE,
    Buffer,
    buffer,
    register_file,
)
from hardware.neurosim.design import Design
from hardware.neurosim.spikes import Maps
from hardware.neurosim.trees import Tree, tree
from hardware.neurosim.wires import CHIP_FOLD, TILE_FOLD, HTree, h_tree, h_tree_area, tile_levels


@dataclass(frozen=True)
class Built:
    """What is built of each kind of tile, (n, 2), and of what they share, (n, 1).

    Attributes:
        pe, tile: Area in m2 of a PE and of a tile with everything in it.
        pe_trees, tile_trees: Adder trees of one PE, and those of one tile between its PEs.
        registers: Area in m2 of a tile's registers and buffers.
        wires: H-tree of a tile.
        wire_area: Its area in m2.
        inputs, outputs: Buffers of a tile.
        store: The chip's global buffer.
    """

    pe: Floats
    tile: Floats
    pe_trees: Tree
    tile_trees: Tree
    registers: Floats
    wires: HTree
    wire_area: Floats
    inputs: Buffer
    outputs: Buffer
    store: Buffer

    @property
    def pe_side(self) -> Floats:
        """Side of a PE in m, (n, 2)."""
        return np.sqrt(self.pe)


def built(design: Design, maps: Maps) -> Built:
    """Size the PEs and tiles of both kinds, and the global buffer."""
    kinds, unit = design.kinds, design.parts
    odd = design.chip.word("odd_words")
    pe_trees = tree(kinds.side, design.sum_bits, odd)
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
    crossbars = kinds.side**2 * design.of_crossbar(design.crossbar.box_area)
    pe = crossbars + kinds.pe_trees * pe_trees.area(unit.adders) + registers
    tile_trees = tree(kinds.ports, kinds.pe_sum_bits, odd)
    inputs = buffer(design, kinds.input_bits, kinds.ports * kinds.port_rows)
    outputs = buffer(design, kinds.output_bits, kinds.tile_sum_bits * kinds.ports)
    levels, pe_side = tile_levels(design), np.sqrt(pe)
    wire_area = h_tree_area(design, levels, pe_side, kinds.bus_bits, TILE_FOLD)
    tile = (
        kinds.pes * pe
        + kinds.trees * tile_trees.area(unit.adders)
        + inputs.area
        + outputs.area
        + wire_area
    )
    return Built(
        pe=pe,
        tile=tile,
        pe_trees=pe_trees,
        tile_trees=tile_trees,
        registers=kinds.pes * registers + inputs.area + outputs.area,
        wires=h_tree(design, levels, pe_side),
        wire_area=wire_area,
        inputs=inputs,
        outputs=outputs,
        store=register_file(design, np.ceil(maps.capacity / GLOBAL_CORE), GLOBAL_CORE, GLOBAL_LINE),
    )


def _packed(length: Floats, bits: Floats, along: float, across: float) -> Floats:
    """Area of registers laid along a side of a PE, in as many lines as they need."""
    a_line = np.minimum(np.maximum(np.trunc(length / along), 1.0), np.maximum(bits, 1.0))
    area: Floats = length * across * np.ceil(bits / a_line)
    return area


def areas(design: Design, made: Built, units: Floats) -> dict[str, Floats]:
    """Area in m2 by component, (n,); "layout" is what boxes have beyond the parts in them.

    Args:
        design: n networks.
        made: What is built for them.
        units: Pooling units, (n, 1).
    """
    kinds, crossbar, unit = design.kinds, design.crossbar, design.parts
    tiles, adders = kinds.tiles, unit.adders
    crossbars = total(tiles * kinds.pes * kinds.side**2)
    on_chip = (design.plan.all_tiles > 0)[:, 0]
    odd = design.chip.word("odd_words")
    chip_tree = tree(design.chip_words, design.chip_sum_bits, odd).area(adders)
    chip_tree = (design.chip_trees * chip_tree)[:, 0] * on_chip
    shared = made.store.area + units * unit.pool_area
    if design.chip.word("activation") == "relu":
        shared = shared + design.chip_trees * design.input_bits * unit.register_area
    shared_area = shared[:, 0] * (total(design.layers.present) > 0)
    bus = _bus_area(design, made) * on_chip
    trees = kinds.pes * kinds.pe_trees * made.pe_trees.area(adders)
    trees = trees + kinds.trees * made.tile_trees.area(adders)
    shift_adders = crossbars * design.of_crossbar(crossbar.accumulation_area)[:, 0]
    parts = {
        "array": crossbars * crossbar.array_area,
        "adc": crossbars * crossbar.adc_area,
        "accumulation": shift_adders + total(tiles * trees) + chip_tree,
        "interconnect": total(tiles * made.wire_area) + bus,
        "other": crossbars * crossbar.other_area + total(tiles * made.registers) + shared_area,
    }
    whole = total(tiles * made.tile) + bus + shared_area + chip_tree
    return parts | {"layout": np.maximum(whole - added(parts), 0.0)}


def _bus_area(design: Design, made: Built) -> Floats:
    """Area of the chip's bus, (n,)."""
    floor, unit = design.plan, design.parts
    side = np.sqrt(made.tile.max(axis=1, keepdims=True))
    if design.chip.word("bus") == "htree":
        levels = doublings(np.maximum(floor.grid_rows, floor.grid_columns))
        return h_tree_area(design, levels, side, design.bus_bits, CHIP_FOLD)[:, 0]
    pitch = unit.repeater_width * floor.grid_rows + unit.repeater_height * floor.grid_columns
    area: Floats = design.bus_bits / CHIP_FOLD * side * pitch
    return area[:, 0]
