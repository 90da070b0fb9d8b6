"""How layers lie on crossbars: slices, row and column blocks, reads. Counts only, no physics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Floats, LayerArrays

if TYPE_CHECKING:
    from hardware.chip import Chip


@dataclass(frozen=True)
class CrossbarMapping:
    """Counts of each layer, (n, L); meaningless where a layer is not on crossbars.

    A group's weight matrix has `rows` rows and `columns` columns of cells, cut into row blocks and
    column blocks of one crossbar each. Groups whose matrices are small share crossbars along the
    diagonal: each has its own rows and columns, and the other cells stay off.

    Attributes:
        column_share: Share of a block's columns that are built, see `column_share`.
        slices: Cells of one weight, side by side.
        shifted_bits: Bits by which slices are shifted against each other, the topmost included.
        rows: Rows of one group's matrix, all row blocks together.
        columns: Columns of cells of one group's matrix, those that are built.
        row_blocks: Crossbars that add up to one output.
        column_blocks: Crossbars over which one group's columns are spread.
        crossbars: Crossbars of one copy of the layer.
        copies: Copies of the layer, which share its positions.
        column_reads: Reads that add up to one column's sum: row groups of all row blocks.
        block_reads: Reads that a crossbar needs one after the other: its row groups.
        steps: Multiplexer steps of one read.
        passes: Times that an inference reads every position: input bits times time steps.
        vectors: Positions times passes: input vectors of one inference.
    """

    column_share: Floats
    slices: Floats
    shifted_bits: Floats
    rows: Floats
    columns: Floats
    row_blocks: Floats
    column_blocks: Floats
    crossbars: Floats
    copies: Floats
    column_reads: Floats
    block_reads: Floats
    steps: Floats
    passes: Floats
    vectors: Floats


def map_layers(layers: LayerArrays, chip: Chip, rows_per_read: int) -> CrossbarMapping:
    """Lay every layer out on the chip's crossbars.

    Args:
        layers: Arrays over (candidate, layer).
        chip: Gives the crossbar's size, cell bits, weight encoding, mapping, and duplication.
        rows_per_read: Rows that are read at once.
    """
    height, width = chip.number("crossbar_rows"), chip.number("crossbar_columns")
    slices, shifted_bits = _slices(layers.weight_bits, chip)
    by_kernel = chip.word("mapping") == "kernel"
    repeats = layers.kernel if by_kernel else np.ones_like(layers.kernel)
    rows = layers.rows / repeats
    share = column_share(layers, chip)
    columns = np.round(layers.out_channels / layers.groups * share) * slices
    blocks, column_blocks = np.ceil(rows / height), np.ceil(columns / width)
    fitting = np.minimum(np.floor(height / rows), np.floor(width / columns))
    packed = np.clip(fitting, 1.0, layers.groups)
    last_rows = rows - (blocks - 1) * height
    full_reads, last_reads = np.ceil(height / rows_per_read), np.ceil(last_rows / rows_per_read)
    adcs = np.ceil(width / chip.number("columns_per_adc"))
    passes = layers.input_bits * layers.runs
    return CrossbarMapping(
        column_share=share,
        slices=slices,
        shifted_bits=shifted_bits,
        rows=rows * repeats,
        columns=columns,
        row_blocks=repeats * blocks,
        column_blocks=column_blocks,
        crossbars=np.ceil(layers.groups / packed) * repeats * blocks * column_blocks,
        copies=np.minimum(chip.number("duplication"), layers.positions),
        column_reads=repeats * ((blocks - 1) * full_reads + last_reads),
        block_reads=np.where(blocks > 1, full_reads, last_reads),
        steps=np.ceil(np.minimum(packed * columns, width) / adcs),
        passes=passes,
        vectors=layers.positions * passes,
    )


def column_share(layers: LayerArrays, chip: Chip) -> Floats:
    """Share of a row block's columns that a chip builds, (n, L).

    Removed columns need no cells where the rows of a crossbar lie in one block of the removal: a
    layer has one such block, or crossbars are as high as it or a fraction of it and hold rows of
    all kernel positions in their order. Elsewhere every column is built, and nothing is saved.
    """
    height = chip.number("crossbar_rows")
    in_order = (chip.word("mapping") != "kernel") | (layers.kernel == 1)
    fits = (layers.column_rows % height == 0) & in_order
    return np.where(fits | (layers.rows <= layers.column_rows), layers.column_share, 1.0)


def _slices(weight_bits: Floats, chip: Chip) -> tuple[Floats, Floats]:
    """Cells of a weight, and the bits that one sign's cells span.

    An offset weight stores all its bits. A differential one stores its magnitude, a bit less, in
    one of two columns.
    """
    cell_bits = chip.number("cell_bits")
    if chip.word("weight_encoding") == "offset":
        slices = np.ceil(weight_bits / cell_bits)
        return slices, slices * cell_bits
    slices = np.ceil(np.maximum(weight_bits - 1, 1) / cell_bits)
    return 2 * slices, slices * cell_bits
