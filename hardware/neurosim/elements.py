"""Processing elements (PEs): crossbars with their ADCs, adder trees, registers and buses.

A matrix is cut into PEs of equal size but for the last row and the last column of them, so a layer
has four shapes of PEs at most. Arrays are by shape: (2, n, L) over whole and last rows or columns
of PEs, (2, 2, n, L) over both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Bools, Floats
from hardware.inventory import doublings
from hardware.neurosim.design import Design
from hardware.neurosim.trees import tree


@dataclass(frozen=True)
class Elements:
    """A layer's PEs, for one time step in which the layer is read; (n, L).

    Attributes:
        inner: Layers whose copies fill whole PEs, which are evaluated as one.
        spread: Other layers with copies.
        conversion, accumulation, other, buffer, wire: Energy in J.
        adc_cycles, tree_cycles, buffer_cycles: Of the PE that takes longest, all copies at work.
        tree_words, tree_count: Words of the adder tree evaluated last, and how many trees; what a
            leakage of stale trees refers to.
        tree_used: Whether an adder tree of a PE was evaluated.
    """

    inner: Bools
    spread: Bools
    conversion: Floats
    accumulation: Floats
    other: Floats
    buffer: Floats
    wire: Floats
    adc_cycles: Floats
    tree_cycles: Floats
    buffer_cycles: Floats
    tree_words: Floats
    tree_count: Floats
    tree_used: Bools


@dataclass(frozen=True)
class _Shapes:
    """Sizes of PEs in cells, and how many there are of each shape.

    Attributes:
        rows, columns: (2, n, L).
        row_blocks, column_blocks: Crossbars along them, (2, n, L).
        counts: (2, 2, n, L).
        many_rows, many_columns: Whether there is a whole PE, (n, L).
    """

    rows: Floats
    columns: Floats
    row_blocks: Floats
    column_blocks: Floats
    counts: Floats
    many_rows: Bools
    many_columns: Bools

    def summed(self, by_row: Floats, by_column: Floats) -> Floats:
        """Sum over all PEs of a product of a factor by row and one by column, (n, L)."""
        counts = self.counts
        by_first: Floats = counts[0, 0] * by_column[0] + counts[0, 1] * by_column[1]
        by_last: Floats = counts[1, 0] * by_column[0] + counts[1, 1] * by_column[1]
        summed: Floats = by_row[0] * by_first + by_row[1] * by_last
        return summed

    def summed_rows(self, by_row: Floats) -> Floats:
        """Sum over all PEs of a figure by row, (n, L)."""
        counts = self.counts
        first = by_row[0] * (counts[0, 0] + counts[0, 1])
        summed: Floats = first + by_row[1] * (counts[1, 0] + counts[1, 1])
        return summed

    def summed_columns(self, by_column: Floats) -> Floats:
        """Sum over all PEs of a figure by column, (n, L)."""
        counts = self.counts
        first = by_column[0] * (counts[0, 0] + counts[1, 0])
        summed: Floats = first + by_column[1] * (counts[0, 1] + counts[1, 1])
        return summed

    def first_row(self, values: Floats) -> Floats:
        """Values (2, n, L) of the first PE along the rows, which is the largest."""
        first: Floats = np.where(self.many_rows, values[0], values[1])
        return first

    def first_column(self, values: Floats) -> Floats:
        """Values (2, n, L) of the first PE along the columns."""
        first: Floats = np.where(self.many_columns, values[0], values[1])
        return first


def elements(design: Design) -> Elements:
    """Cost the PEs of all layers."""
    floor, grid, unit = design.plan, design.matrices, design.parts
    inner, spread = _branches(design)
    pe_size = np.where(inner, floor.flat_tile, floor.pe)
    shapes = _shapes(design, pe_size, skipped=inner | spread)
    side = design.by_layer(design.kinds.side)
    row_arrays = np.where(inner, np.ceil(floor.row_copies / floor.side_pes), 1.0)
    column_arrays = np.where(inner, np.ceil(floor.column_copies / floor.side_pes), 1.0)
    arrays = row_arrays * column_arrays
    has_tree = (arrays == 1) | (row_arrays < side) | (column_arrays < side)
    kernel = np.where(floor.on_kernel, floor.kernel, 1.0)
    trees = tree(shapes.row_blocks, grid.sum_bits, design.chip.word("odd_words"))
    rounds = _rounds(design)
    count = np.ceil(side * design.size / design.sharing)
    # groups leave some columns empty
    outputs = design.weights(shapes.columns) * (grid.used_columns / grid.columns)
    sent_bits = grid.sum_bits + doublings(side)
    input_width = design.by_layer(design.kinds.pe_input_bits)
    output_width = design.by_layer(design.kinds.pe_output_bits)
    # groups that share no crossbar have inputs of their own
    inputs = shapes.rows * np.maximum(1.0, grid.bundles / np.ceil(grid.columns / pe_size))
    loads = np.floor(inputs * grid.vectors / input_width)
    stores = np.floor(outputs * grid.sum_bits * grid.positions / output_width)
    height = design.of_crossbar(design.crossbar.box_height) * (side - 1)
    width = design.of_crossbar(design.crossbar.box_width) * (side - 1)
    taken = shapes.summed_rows(inputs * grid.vectors)
    given = shapes.summed_columns(outputs * (sent_bits * grid.positions))
    wire = taken * (width * design.in_toggle) + given * (height * unit.output_toggle)
    if design.mapped:
        tree_energy = shapes.summed(trees.energy(unit.adders), outputs) * grid.positions
    else:
        blocks = shapes.row_blocks[:, None] * shapes.column_blocks[None]
        uses = np.where(arrays == 1, 1.0, np.where(has_tree, blocks, 0.0)) * shapes.counts
        tree_energy = (uses * trees.energy(unit.adders)[:, None]).sum(axis=(0, 1))
        tree_energy = tree_energy * (count * rounds * grid.positions)
    conversion, shift_add, other = _crossbar_energies(design, shapes)
    speed = np.where(
        floor.on_kernel | spread, floor.copies, np.where(inner, floor.side_pes**2, 1.0)
    )
    at_once = _at_once(design, arrays * speed)
    tall = np.minimum(shapes.first_row(shapes.rows), design.size).astype(np.intp)
    reads = design.crossbar.reads[tall]
    delay = unit.cycles(shapes.first_row(trees.delay(unit.adders)))
    adds = has_tree & ~(design.mapped & (shapes.first_row(shapes.row_blocks) == 1))
    return Elements(
        inner=inner,
        spread=spread,
        conversion=conversion * kernel,
        accumulation=(shift_add + tree_energy) * kernel,
        other=other * kernel,
        buffer=(
            shapes.summed_rows(loads * input_width) + shapes.summed_columns(stores * output_width)
        )
        * (unit.register_energy * kernel),
        wire=wire * (unit.local_energy * kernel),
        adc_cycles=design.sharing * grid.vectors * reads / at_once,
        tree_cycles=adds * delay * rounds * grid.positions / at_once,
        buffer_cycles=(shapes.first_row(loads) + shapes.first_column(stores))
        / _at_once(design, speed),
        tree_words=shapes.row_blocks[1],
        tree_count=count,
        tree_used=has_tree & grid.present,
    )


def _branches(design: Design) -> tuple[Bools, Bools]:
    """Layers on flat tiles whose copies fill whole PEs, and those with other copies."""
    floor = design.plan
    copied = floor.on_flat & (floor.copies > 1)
    inner = copied & (floor.row_copies >= floor.side_pes) & (floor.column_copies >= floor.side_pes)
    return inner, copied & ~inner


def _at_once(design: Design, copies: Floats) -> Floats:
    """By how much copies shorten a layer's time: positions are not cut, but shared out whole."""
    if design.chip.word("copies") == "evenly":
        return copies
    positions = design.matrices.positions
    shortened: Floats = positions / np.ceil(positions / copies)
    return shortened


def _rounds(design: Design) -> Floats:
    """Sums that each adder tree adds for a position, one after the other, (n, L)."""
    rounds = design.sharing / design.matrices.slices
    return np.ceil(rounds) if design.chip.word("adder_rounds") == "up" else np.floor(rounds)


def _shapes(design: Design, size: Floats, skipped: Bools) -> _Shapes:
    """Cut matrices into PEs of `size` cells; `skipped` layers have no positions left over."""
    floor, grid = design.plan, design.matrices
    down, across = np.ceil(floor.pe_rows / size), np.ceil(grid.columns / size)
    rows = np.stack([np.broadcast_to(size, down.shape), floor.pe_rows - (down - 1) * size])
    columns = np.stack([np.broadcast_to(size, across.shape), grid.columns - (across - 1) * size])
    counts = np.stack(
        [
            np.stack([(down - 1) * (across - 1), down - 1]),
            np.stack([across - 1, np.ones_like(down)]),
        ]
    )
    if design.chip.word("empty_positions") == "counted":
        counts = counts + _left_over(design, down, across) * (floor.on_flat & ~skipped)
    return _Shapes(
        rows=rows,
        columns=columns,
        row_blocks=np.ceil(rows / design.size),
        column_blocks=np.ceil(columns / design.size),
        counts=counts * grid.present,
        many_rows=down > 1,
        many_columns=across > 1,
    )


def _left_over(design: Design, down: Floats, across: Floats) -> Floats:
    """Positions of flat tiles outside a matrix, by the shape of the PE evaluated before them.

    Tiles are gone through row by row; a position without a PE repeats the last PE's energy.
    """
    floor, side = design.plan, design.plan.side_pes
    tiles_across = np.ceil(design.matrices.columns / floor.flat_tile)
    tiles_down = np.ceil(floor.pe_rows / floor.flat_tile)
    beside = side - (across - (tiles_across - 1) * side)  # in each row of the last tile
    below = (side - (down - (tiles_down - 1) * side)) * side  # of each tile in the last row
    none = np.zeros_like(down)
    return np.stack(
        [
            np.stack([none, (down - 1) * beside]),
            np.stack([(tiles_across - 1) * below, beside + below]),
        ]
    )


def _crossbar_energies(design: Design, shapes: _Shapes) -> tuple[Floats, Floats, Floats]:
    """Conversions with word lines, shift-adders, and what else a crossbar takes, in J, (n, L)."""
    grid, crossbar, size = design.matrices, design.crossbar, design.size
    full = crossbar.converted(np.full_like(grid.rate, size), grid.rate)
    last_rows = shapes.rows[1] - (shapes.row_blocks[1] - 1) * size
    last = crossbar.converted(np.clip(last_rows, 0, size), grid.rate)
    converted = np.stack([shapes.row_blocks[0] * full, (shapes.row_blocks[1] - 1) * full + last])
    share = shapes.columns * (grid.used_columns / grid.columns / size)
    active = shapes.rows * grid.rate
    active_blocks = shapes.summed(active, shapes.column_blocks)
    conversion = shapes.summed(converted, share) + active_blocks * crossbar.word_line_energy
    reads = np.stack(
        [
            shapes.row_blocks[0] * crossbar.reads[-1],
            (shapes.row_blocks[1] - 1) * crossbar.reads[-1]
            + crossbar.reads[np.clip(last_rows, 0, size).astype(np.intp)],
        ]
    )
    if design.mapped:
        shift_add = shapes.summed(reads, shapes.columns) * _shift_add_energy(design)
    else:
        table = crossbar.accumulation_energy[grid.shifted.astype(np.intp)]
        shift_add = shapes.summed(reads, shapes.column_blocks) * table
    blocks = shapes.summed(reads, shapes.column_blocks)
    other = blocks * crossbar.other_energy + active_blocks * crossbar.other_row_energy
    return conversion * grid.vectors, shift_add * grid.vectors, other * grid.vectors


def _shift_add_energy(design: Design) -> Floats:
    """Energy in J of putting slices together, for each mapped column and read, (n, L).

    One shift-and-add is an adder of a bits and a + S registers; the grid's figures are this to
    their last digit. Columns in pairs are subtracted as well; input bits and groups of rows are
    added in registers as wide as what leaves a crossbar.
    """
    grid, unit = design.matrices, design.parts
    bits = design.adc_bits
    one = unit.adders.energy(np.asarray(bits)) + (bits + grid.shifted) * (unit.register_energy / 2)
    wide = unit.adders.energy(grid.sum_bits) + grid.sum_bits * (unit.register_energy / 2)
    pairs = grid.slices > grid.shifted
    added = (grid.shifted - 1) * (1 + pairs) * one + (
        pairs + (grid.passes > 1) + (design.crossbar.reads[-1] > 1)
    ) * wide
    energy: Floats = added / grid.slices * (grid.used_columns / grid.columns)
    return energy
