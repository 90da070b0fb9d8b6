"""Leakage: power of idle tiles, over the time in which they are idle."""

from __future__ import annotations

import numpy as np

from hardware.arrays import Bools, Floats, total
from hardware.neurosim.area import Built
from hardware.neurosim.design import Design
from hardware.neurosim.elements import Elements
from hardware.neurosim.trees import tree
from hardware.units import PW


def chip_leakage(design: Design, made: Built) -> Floats:
    """Power in W of everything that is built but pooling units, for which there is no figure, (n,).

    The bus between tiles is taken to be as long as the grid of tiles is wide and high.
    """
    kinds, adders = design.kinds, design.parts.adders
    trees = kinds.pes * kinds.pe_trees * made.pe_trees.leakage(adders)
    trees = trees + kinds.trees * made.tile_trees.leakage(adders)
    spare = (made.inputs.cores - 1) * made.inputs.leakage
    spare = spare + (made.outputs.cores - 1) * made.outputs.leakage
    cells = kinds.pes * kinds.side**2 * _cells(design)
    tile = _tile(design, made) + trees + spare + cells
    odd = design.chip.word("odd_words")
    chip_tree = tree(design.chip_words, design.chip_sum_bits, odd).leakage(adders)
    side = np.sqrt(made.tile.max(axis=1, keepdims=True))
    length = side * (design.plan.grid_rows + design.plan.grid_columns)
    shared = made.store.cores * made.store.leakage + design.chip_trees * chip_tree
    shared = shared + length * design.bus_bits * design.parts.wire_leakage
    power: Floats = total(kinds.tiles * tile) + shared[:, 0]
    return power


def stale_leakage(design: Design, made: Built, parts: Elements, times: Floats) -> Floats:
    """Leakage in J of one inference as NeuroSim counts it, (n, L).

    The trees' leakage is that of their most recent evaluation, layers run twice. Layer-serial, the
    tiles of all other layers leak while a layer runs, at that layer's kind's power; pipelined, a
    layer's own tiles leak while they wait for the slowest layer so far.

    Args:
        design: n networks.
        made: What is built for them.
        parts: Their processing elements.
        times: Latency of each layer in s, (n, L).
    """
    floor = design.plan
    power = design.by_layer(_tile(design, made)) + _stale_trees(design, parts)
    if design.chip.values["pipelined"]:
        slowest = np.maximum(np.maximum.accumulate(times, axis=1), 1e-300)
        waiting = (slowest - times) / slowest * times.max(axis=1, keepdims=True)
        idle = floor.tiles * power * waiting
    else:
        idle = (floor.all_tiles - floor.tiles) * power * times
    crossbars = floor.tiles * floor.pes * floor.crossbars_per_side**2
    energy: Floats = (idle + crossbars * _cells(design) * times) * design.present
    return energy


def _cells(design: Design) -> float:
    """Power in W of a crossbar's cells: SRAM's leak."""
    if design.chip.word("memory") != "sram":
        return 0.0
    return design.size**2 * design.chip.number("sram_cell_leakage_pw") * PW


def _tile(design: Design, made: Built) -> Floats:
    """Power in W of one tile without its adder trees, one core a buffer, (n, 2)."""
    kinds, unit = design.kinds, design.parts
    crossbar, gaps = design.crossbar, kinds.side - 1
    rows = design.of_crossbar(crossbar.box_width) * gaps * design.size
    columns = design.of_crossbar(crossbar.box_height) * gaps * kinds.side * design.size
    pe = (
        kinds.side**2 * design.of_crossbar(crossbar.leakage)
        + (kinds.pe_input_bits + kinds.pe_output_bits) * unit.register_leakage
        + (rows + columns) * unit.local_leakage
    )
    return (
        kinds.pes * pe
        + made.inputs.leakage
        + made.outputs.leakage
        + made.wires.idle_length * kinds.bus_bits * unit.wire_leakage
    )


def _stale_trees(design: Design, parts: Elements) -> Floats:
    """Power in W of a tile's adder trees as they were evaluated last, (n, L)."""
    floor, grid, unit = design.plan, design.matrices, design.parts
    odd = design.chip.word("odd_words")
    pe = parts.tree_count * tree(parts.tree_words, grid.sum_bits, odd).leakage(unit.adders)
    size = np.where(floor.on_kernel, floor.kernel_pe, floor.flat_tile)
    down = np.ceil(floor.pe_rows / size)
    last = np.ceil((floor.pe_rows - (down - 1) * size) / floor.flat_pe)
    spread = np.where((last == 1) & (down > 1), floor.side_pes, last)
    flat = np.where(parts.spread, spread, floor.side_pes)
    words = np.where(floor.on_kernel, floor.kernel, flat)
    bits = grid.sum_bits + (design.by_layer(design.kinds.pe_sum_bits) - design.sum_bits)
    tile = design.by_layer(design.kinds.trees) * tree(words, bits, odd).leakage(unit.adders)
    has_tile_tree = floor.on_kernel | (~parts.inner & ~(parts.spread & (words == 1)))
    pes = floor.pes
    result = np.zeros_like(pe)
    for kind in (floor.on_kernel, floor.on_flat):
        last_pe = _latest(pe, parts.tree_used & kind)
        last_tile = _latest(tile, has_tile_tree & kind & grid.present)
        result = np.where(kind, pes * last_pe + last_tile, result)
    return result


def _latest(values: Floats, used: Bools) -> Floats:
    """The value of the most recent layer that used it, going round once, else 0; (n, L)."""
    count = used.shape[1]
    place = np.where(used, np.arange(count), -1)
    again = np.where(used, np.arange(count) + count, -1)
    latest = np.maximum.accumulate(np.concatenate([place, again], axis=1), axis=1)[:, count:]
    taken = np.take_along_axis(values, np.maximum(latest, 0) % count, axis=1)
    return np.where(latest >= 0, taken, 0.0)
