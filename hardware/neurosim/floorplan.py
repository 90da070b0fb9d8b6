"""The floor plan: tiles, processing elements and crossbars, and the copies that fill them.

Layers lie on tiles of one of two kinds and share none. A *kernel tile* holds one processing element
(PE) a kernel position; a *flat tile* holds K x K of them. The sizes are those that fill tiles best
over the whole network. Rules: NeuroSim V1.4 (commit ac828e6; user manual V1.4, sections 5.1-5.2),
as this project's docs/neurosim.md derives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Bools, Floats, LayerArrays, total
from hardware.neurosim.matrices import Matrices

if TYPE_CHECKING:
    from hardware.chip import Chip


@dataclass(frozen=True)
class FloorPlan:
    """Sizes in rows (or columns) of cells; (n, 1) of a network, (n, L) of its layers.

    Attributes:
        on_kernel: Which layers lie on kernel tiles, (n, L).
        on_flat: Which layers lie on flat tiles, (n, L).
        kernel: Kernel positions of a kernel tile, (n, 1).
        kernel_pe: Side of a PE of kernel tiles, (n, 1).
        flat_tile: Side of a flat tile, (n, 1).
        flat_pe: Side of a PE of flat tiles, (n, 1).
        side_pes: K, PEs along a side of a flat tile, (n, 1).
        pe: Side of a layer's PEs, (n, L).
        pe_rows: Rows of a layer's matrix that are cut into PEs: those of one kernel position on
            kernel tiles, (n, L).
        crossbars_per_side: Crossbars along a PE's side, (n, L).
        pes: PEs of a layer's tile, (n, L).
        row_tiles, column_tiles: Tiles along a matrix, (n, L).
        tiles: Tiles of a layer, (n, L).
        row_copies, column_copies: Copies of a layer that share its positions, (n, L).
        utilisation: Fraction of a layer's cells that hold weights, those of copies too, (n, L).
        kernel_tiles, flat_tiles: Tiles of each kind, (n, 1).
        grid_rows, grid_columns: Of the chip's tiles, (n, 1).
    """

    on_kernel: Bools
    on_flat: Bools
    kernel: Floats
    kernel_pe: Floats
    flat_tile: Floats
    flat_pe: Floats
    side_pes: Floats
    pe: Floats
    pe_rows: Floats
    crossbars_per_side: Floats
    pes: Floats
    row_tiles: Floats
    column_tiles: Floats
    tiles: Floats
    row_copies: Floats
    column_copies: Floats
    utilisation: Floats
    kernel_tiles: Floats
    flat_tiles: Floats
    grid_rows: Floats
    grid_columns: Floats

    @property
    def copies(self) -> Floats:
        """Copies of each layer, (n, L)."""
        return self.row_copies * self.column_copies

    @property
    def all_tiles(self) -> Floats:
        """Tiles of the chip, (n, 1)."""
        return self.kernel_tiles + self.flat_tiles


def plan(layers: LayerArrays, matrices: Matrices, chip: Chip) -> FloorPlan:
    """Lay n networks out.

    Args:
        layers: Arrays over (candidate, layer).
        matrices: The layers' matrices in cells.
        chip: Gives the crossbar's size, the mapping, and what a pipeline asks for.
    """
    size = chip.number("crossbar_rows")
    smallest = size if chip.word("smallest_tiles") == "crossbars" else 2 * size
    on_kernel, kernel = _kernel_layers(layers, matrices, size, chip)
    on_flat = matrices.present & ~on_kernel
    rows, columns = matrices.rows, matrices.columns
    channel_rows = matrices.rows / layers.kernel
    kernel_pe = _best_size(
        start=np.maximum(smallest, _largest(_power_of_two(columns), on_kernel)),
        smallest=smallest,
        tried_last=smallest == size,
        rows=channel_rows,
        columns=columns,
        chosen=on_kernel,
    )
    flat_tile = _best_size(
        start=np.maximum(2 * smallest, _largest(_power_of_two(columns), on_flat)),
        smallest=2 * smallest,
        tried_last=smallest == size,
        rows=rows,
        columns=columns,
        chosen=on_flat,
    )
    # NeuroSim looks for the PEs that copies fill best, from half a tile down, and never finds
    # better: a tile is larger than the least one only where every layer reaches into its second
    # half, both ways, so that there is no room for a copy.
    flat_pe = flat_tile / 2
    side_pes = flat_tile / flat_pe
    row_pes, column_pes = _pe_copies(rows, columns, on_flat, flat_tile, flat_pe)
    pe = np.where(on_kernel, kernel_pe, flat_pe)
    pe_rows = np.where(on_kernel, channel_rows, rows)
    in_rows, in_columns = _crossbar_copies(pe_rows, columns, pe, size)
    need = _pipeline_need(layers, matrices.present, chip)
    copies = row_pes * column_pes * in_rows * in_columns
    more = np.ceil(need / copies) if chip.values["pipelined"] else np.ones_like(copies)
    tile = np.where(on_kernel, kernel_pe, flat_tile)
    row_tiles = np.ceil(pe_rows / tile) * more * matrices.present
    column_tiles = np.ceil(columns / tile) * matrices.present
    tiles = row_tiles * column_tiles
    kernel_tiles = total(tiles * on_kernel)[:, None]
    flat_tiles = total(tiles * on_flat)[:, None]
    grid_rows = np.ceil(np.sqrt(kernel_tiles + flat_tiles))
    weights = layers.weights * matrices.slices * matrices.present
    cells = np.maximum(tiles, 1.0) * tile**2 * np.where(on_kernel, kernel, 1.0)
    return FloorPlan(
        on_kernel=on_kernel,
        on_flat=on_flat,
        kernel=kernel,
        kernel_pe=kernel_pe,
        flat_tile=flat_tile,
        flat_pe=flat_pe,
        side_pes=side_pes,
        pe=pe,
        pe_rows=pe_rows,
        crossbars_per_side=np.ceil(pe / size),
        pes=np.where(on_kernel, kernel, side_pes**2),
        row_tiles=row_tiles,
        column_tiles=column_tiles,
        tiles=tiles,
        row_copies=row_pes * in_rows * more,
        column_copies=column_pes * in_columns,
        utilisation=np.maximum(need, copies) * weights / cells,
        kernel_tiles=kernel_tiles,
        flat_tiles=flat_tiles,
        grid_rows=grid_rows,
        grid_columns=np.ceil((kernel_tiles + flat_tiles) / np.maximum(grid_rows, 1.0)),
    )


def _kernel_layers(
    layers: LayerArrays, matrices: Matrices, size: float, chip: Chip
) -> tuple[Bools, Floats]:
    """Which layers lie on kernel tiles, and the number of kernel positions of these.

    It is the number above 1 that most layers have, the first such one where several are.
    """
    if chip.word("mapping") == "flat":
        return np.zeros(matrices.present.shape, dtype=bool), np.ones((len(layers.kernel), 1))
    alone = matrices.present & (layers.groups == 1)
    candidates = alone & (layers.kernel > 1)
    same = (layers.kernel[:, :, None] == layers.kernel[:, None, :]) & candidates[:, None, :]
    votes = np.where(candidates, same.sum(axis=2), 0)
    winner = votes.argmax(axis=1)[:, None]
    any_votes = np.take_along_axis(votes, winner, axis=1) > 0
    kernel = np.where(any_votes, np.take_along_axis(layers.kernel, winner, axis=1), 1.0)
    tall = matrices.rows >= size
    return alone & (layers.kernel == kernel) & tall, kernel


def _best_size(
    *,
    start: Floats,
    smallest: float,
    tried_last: bool,
    rows: Floats,
    columns: Floats,
    chosen: Bools,
) -> Floats:
    """Halve a size from `start` and take the first that is used best, (n, 1).

    No size is used better than its half, and as well only if every matrix reaches into the second
    half of its last tile, both ways. So the same size is found by doubling the least one while it
    is used as well.

    Args:
        start: First size, (n, 1).
        smallest: Where halving ends.
        tried_last: Whether the smallest size is tried as well.
        rows: Of the matrices, (n, L).
        columns: Of the matrices, (n, L).
        chosen: The layers that lie on such tiles, (n, L).
    """
    best = np.minimum(start, smallest if tried_last else 2 * smallest)
    while True:
        double = 2 * best
        fills = np.ceil(rows / best) == 2 * np.ceil(rows / double)
        fills &= np.ceil(columns / best) == 2 * np.ceil(columns / double)
        grows = (double <= start) & (fills | ~chosen).all(axis=1, keepdims=True)
        if not grows.any():
            return best
        best = np.where(grows, double, best)


def _pe_copies(
    rows: Floats, columns: Floats, on_flat: Bools, tile: Floats, pe: Floats
) -> tuple[Floats, Floats]:
    """Copies of a layer over the PEs of a flat tile, along its rows and columns, (n, L)."""
    small = on_flat & ((rows <= tile) | (columns <= tile))
    side = tile / pe
    along_rows = np.where(small, np.maximum(1.0, np.floor(side / np.ceil(rows / pe))), 1.0)
    along_columns = np.where(small, np.maximum(1.0, np.floor(side / np.ceil(columns / pe))), 1.0)
    return along_rows, along_columns


def _crossbar_copies(
    rows: Floats, columns: Floats, pe: Floats, size: float
) -> tuple[Floats, Floats]:
    """Copies of a layer over the crossbars of a PE, along its rows and columns, (n, L)."""
    small = (rows <= pe) | (columns <= pe)
    side = np.ceil(pe / size)
    along_rows = np.where(small, np.maximum(1.0, np.floor(side / np.ceil(rows / size))), 1.0)
    along_columns = np.where(small, np.maximum(1.0, np.floor(side / np.ceil(columns / size))), 1.0)
    return along_rows, along_columns


def _pipeline_need(layers: LayerArrays, present: Bools, chip: Chip) -> Floats:
    """Copies that a pipeline asks of each layer, so that large maps do not hold it up, (n, L).

    In the clean face a degree of d asks for d^2 at most, and 1 for none.
    """
    if not chip.values["pipelined"]:
        return np.ones_like(layers.height)
    largest = _largest(layers.height, present)
    # NeuroSim goes by the first layer, so that larger maps after it are copied without bound
    first = largest if chip.word("copies") == "whole" else _first(layers.height, present)
    spatial = present & (layers.kernel_height > 1)
    least = np.where(spatial, layers.height, np.inf).min(axis=1, keepdims=True)
    shrinking = np.where(np.isfinite(least), np.floor(first / np.maximum(least, 1.0)), 1.0)
    degree = np.maximum(1.0, np.minimum(chip.number("speed_up_degree"), shrinking))
    bound = np.maximum(1.0, np.ceil(first / degree))
    need = np.ceil((layers.height / bound) ** 2)
    return np.where(spatial.any(axis=1, keepdims=True), need, 1.0)


def _first(values: Floats, present: Bools) -> Floats:
    """Value of the first layer that is there, (n, 1)."""
    return np.take_along_axis(values, present.argmax(axis=1)[:, None], axis=1)


def _largest(values: Floats, chosen: Bools) -> Floats:
    """Largest value over the chosen layers, 0 if there are none, (n, 1)."""
    largest: Floats = np.where(chosen, values, 0.0).max(axis=1, keepdims=True)
    return largest


def _power_of_two(values: Floats) -> Floats:
    """Next power of two, exactly."""
    power: Floats = np.exp2(np.frexp(np.maximum(values, 1.0) - 0.5)[1])
    return power
