"""The layers' matrices in cells, and how often they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Bools, Floats, LayerArrays
from hardware.mapping import column_share

if TYPE_CHECKING:
    from hardware.chip import Chip
    from hardware.units import Reading


@dataclass(frozen=True)
class Matrices:
    """Matrices of cells, (n, L); padding and digital layers have one cell that is never counted.

    A convolution's matrix is unrolled: a row for each input channel and kernel position. Groups
    whose matrices are small share crossbars along the diagonal, a *bundle* of them each; bundles
    lie side by side, each on crossbars of its own.

    Attributes:
        present: Layers on crossbars.
        slices: Cells of one weight, side by side.
        shifted: Slices that are shifted against each other: half of them where a weight takes
            two columns.
        rows, columns: Of the matrix as it is laid out.
        used_columns: Columns that hold weights.
        column_share: Share of the columns that are built, see `hardware.mapping.column_share`.
        bundles: Bundles of groups; 1 without groups.
        positions: Output positions, `nv0`.
        passes: Reads of every position in one time step: one an input bit.
        vectors: Positions times passes, `nv`.
        times: Time steps in which the layer is read: one where sums of a static input are held.
        sum_bits: Width of what leaves a crossbar, `b_S`.
        rate: Fraction of rows that are active in a read.
    """

    present: Bools
    slices: Floats
    shifted: Floats
    rows: Floats
    columns: Floats
    used_columns: Floats
    column_share: Floats
    bundles: Floats
    positions: Floats
    passes: Floats
    vectors: Floats
    times: Floats
    sum_bits: Floats
    rate: Floats

    @property
    def outputs(self) -> Floats:
        """Weights of one row: sums of one position, (n, L)."""
        return self.used_columns / self.slices


def matrices(layers: LayerArrays, chip: Chip, read: Reading) -> Matrices:
    """Cut weights into slices and count reads.

    Args:
        layers: Arrays over (candidate, layer).
        chip: Gives cell bits, the weights' encoding, the crossbar's size, and what is counted.
        read: How columns are read.
    """
    size, cell_bits = chip.number("crossbar_rows"), chip.number("cell_bits")
    present = layers.memory > 0
    if chip.word("weight_encoding") == "differential":  # the sign chooses the column
        shifted = np.ceil(np.maximum(layers.weight_bits - 1, 1) / cell_bits)
        slices = 2 * shifted
    else:
        shifted = slices = np.ceil(layers.weight_bits / cell_bits)
    group_rows = layers.in_channels / layers.groups * layers.kernel
    share = column_share(layers, chip)
    group_columns = np.round(layers.out_channels / layers.groups * share) * slices
    fitting = np.minimum(np.floor(size / group_rows), np.floor(size / group_columns))
    packed = np.clip(fitting, 1.0, layers.groups)
    bundles = np.ceil(layers.groups / packed)
    aligned = bundles * (size * np.ceil(packed * group_columns / size))
    real = chip.word("output_size") == "real"
    positions = layers.positions if real else layers.unpadded_positions
    held = chip.word("static_inputs") == "held"
    grouped_bits = math.ceil(math.log2(math.ceil(size / read.rows)))
    return Matrices(
        present=present,
        slices=slices,
        shifted=shifted,
        rows=packed * group_rows,
        columns=np.where(bundles > 1, aligned, packed * group_columns),
        used_columns=layers.groups * group_columns,
        column_share=share,
        bundles=bundles,
        positions=positions,
        passes=layers.input_bits,
        vectors=positions * layers.input_bits,
        times=np.where((layers.static > 0) & held, layers.executed, layers.steps),
        sum_bits=read.bits + layers.input_bits + (shifted - 1) * cell_bits + grouped_bits + 1,
        rate=layers.input_rate,
    )
