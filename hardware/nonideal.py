"""Drawn chip instances: what the cells of a layer are, once programmed, aged and wired.

The one module of this package that needs torch: what it makes takes the place of torch weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hardware.conditions import Conditions
from hardware.conductance import CellTable, Encoding, Floats, Ints

Streams = Callable[[str], torch.Generator]
"""The random generator, on the CPU, of each cause: ``programming``, ``faults``, ``drift``,
``reading``. With one generator each, no cause changes what another one draws."""


_MOST_ITERATIONS = 200


@dataclass(frozen=True)
class Wiring:
    """The crossbars of a layer, as far as wires need them.

    Attributes:
        wire_ohm: From one cell to the next.
        rate: Share of a crossbar's rows that are active in a read.
        blocks: Rows of each row block.
        columns: Columns of a crossbar.
    """

    wire_ohm: float
    rate: float
    blocks: tuple[Ints, ...]
    columns: int


@dataclass(frozen=True)
class Instance:
    """The cells of a layer on one chip.

    Attributes:
        cells: (out, rows, S) float32, what each cell adds to a column's sum, in levels: its
            conductance above that of a cell that is off.
        gain: What sums are multiplied by, to make up for drift.
        kept: (out, rows), 1 for a weight that has cells and 0 for one in a column that is left
            out; None where all have.
    """

    cells: Tensor
    gain: float
    kept: Tensor | None = None

    def levels(self, encoding: Encoding) -> Tensor:
        """(out, rows): the levels that the weights have become."""
        powers = torch.from_numpy(encoding.powers).to(self.cells.dtype)
        offset = encoding.offset if self.kept is None else encoding.offset * self.kept
        return (self.cells @ powers) * self.gain - offset


@dataclass(frozen=True)
class Stored:
    """What is written to the cells of a layer, and how far each of them may be from it.

    Attributes:
        shape: (out, rows).
        encoding: How the levels are stored.
        table: What becomes of a cell of each level.
        target: (out · rows, S) float32, the cells' levels.
        deviation, drift_mean, drift_deviation, read: The table's figures for each cell, shaped as
            `target`; None where all are zero.
        kept: See `Instance`. A cell that is not there is never formed and conducts nothing.
    """

    shape: tuple[int, int]
    encoding: Encoding
    table: CellTable
    target: Tensor
    deviation: Tensor | None
    drift_mean: Tensor | None
    drift_deviation: Tensor | None
    read: Tensor | None
    kept: Tensor | None = None

    @classmethod
    def of(
        cls, levels: Tensor, encoding: Encoding, table: CellTable, kept: Tensor | None = None
    ) -> Stored:
        """Store levels (out, rows), whole numbers, of which those that are `kept` have cells."""
        codes = (levels.cpu().long() + encoding.largest).flatten()
        cells = encoding.table()

        def by_cell(values: Floats, *, wanted: bool = True) -> Tensor | None:
            if not wanted or not values.any():
                return None
            return torch.from_numpy(values[cells]).float().index_select(0, codes)

        target = torch.from_numpy(cells).float().index_select(0, codes)
        if kept is not None:
            kept = kept.cpu().float()
            target = target * kept.view(-1, 1)
        drifts = table.drift_time > 0
        return cls(
            shape=(levels.shape[0], levels.shape[1]),
            encoding=encoding,
            table=table,
            target=target,
            deviation=by_cell(table.deviation),
            drift_mean=by_cell(table.drift_mean, wanted=drifts),
            drift_deviation=by_cell(table.drift_deviation, wanted=drifts),
            read=by_cell(table.read),
            kept=kept,
        )


def draw(stored: Stored, conditions: Conditions, streams: Streams, wiring: Wiring) -> Instance:
    """Draw the cells of a layer.

    Args:
        stored: What is written to them.
        conditions: Gives faults, wires and drift compensation.
        streams: See `Streams`.
        wiring: See `Wiring`.

    Returns:
        With ideal cells exactly the levels that were stored.
    """
    cells = _programmed(stored, streams)
    cells = _with_faults(cells, stored.table.top, conditions, streams)
    if stored.kept is not None:
        cells = cells * stored.kept.view(-1, 1)
    gain = _compensation(stored.target, cells) if conditions.drift_compensation else 1.0
    cells = cells.view(*stored.shape, -1)
    if wiring.wire_ohm > 0:
        cells = _attenuated(cells, stored.table, wiring, stored.kept)
    return Instance(cells, gain, stored.kept)


def _compensation(target: Tensor, cells: Tensor) -> float:
    """What brings the sum of all cells back to what was stored; 1 where nothing is left of it."""
    stored, left = float(target.double().sum()), float(cells.double().sum())
    return stored / left if stored > 0 and left > 0 else 1.0


def _programmed(stored: Stored, streams: Streams) -> Tensor:
    """Effective levels after programming, drift and read noise; see `CellTable`."""
    table, cells = stored.table, stored.target

    def normal(cause: str, deviation: Tensor) -> Tensor:
        return torch.empty_like(deviation).normal_(generator=streams(cause)).mul_(deviation)

    if stored.deviation is not None:
        cells = normal("programming", stored.deviation).add_(cells)
    if table.shift:
        cells = cells + table.shift
    if cells is not stored.target:
        cells = cells.clamp_min_(-table.floor)  # no conductance is negative
    factor = None
    if stored.drift_mean is not None:
        nu = stored.drift_mean
        if stored.drift_deviation is not None:
            nu = normal("drift", stored.drift_deviation).add_(nu).abs_()
        factor = (nu * -table.drift_time).exp_()
    if stored.read is not None:
        read = normal("reading", stored.read).add_(1).clamp_min_(0)
        factor = read if factor is None else factor.mul_(read)
    if factor is None:
        return cells
    return factor.mul_(cells + table.floor).sub_(table.floor)


def _with_faults(cells: Tensor, top: int, conditions: Conditions, streams: Streams) -> Tensor:
    """Cells stuck at the highest level, and others at the lowest one."""
    on, both = conditions.stuck_on, conditions.stuck_on + conditions.stuck_off
    if both == 0:
        return cells
    chance = torch.empty_like(cells).uniform_(generator=streams("faults"))
    faulty = (chance < both).flatten().nonzero().squeeze(1)
    stuck = (chance.flatten()[faulty] < on) * float(top)
    return cells.flatten().index_put((faulty,), stuck).view_as(cells)


def _attenuated(
    cells: Tensor, table: CellTable, wiring: Wiring, kept: Tensor | None = None
) -> Tensor:
    """Cells (out, rows, S) as wires let them be felt.

    A block that does not fill its crossbar lies next to the drivers and the sense amplifiers.
    """
    out, rows, slices = cells.shape
    columns = out * slices
    width = min(wiring.columns, columns)
    height = max(len(block) for block in wiring.blocks)
    places = np.full((len(wiring.blocks), height), rows)  # one row more, without cells
    for place, block in zip(places, wiring.blocks, strict=True):
        place[height - len(block) :] = block
    where = torch.from_numpy(places)
    conductance = cells.new_zeros(rows + 1, columns + -columns % width)
    floor: Tensor | float = table.floor
    if kept is not None:
        floor = table.floor * kept.T.repeat_interleave(slices, 1)
    conductance[:rows, :columns] = cells.permute(1, 0, 2).flatten(1).add_(floor)
    crossbars = conductance[where].unflatten(2, (-1, width)).transpose(1, 2)
    share = attenuation(crossbars * table.unit_siemens, wiring.wire_ohm, wiring.rate)
    conductance[where] = (crossbars * share).transpose(1, 2).flatten(2)
    felt = conductance[:rows, :columns] - floor
    return felt.view(rows, out, slices).permute(1, 0, 2).contiguous()


def attenuation(
    conductance: Tensor, wire_ohm: float, rate: float, *, tolerance: float = 1e-4
) -> Tensor:
    """The share of 1 V that lies across each cell while its row is active, for average spikes.

    The crossbar is that of `hardware.wires`. The cell's own row carries its full current, every
    column the mean one, `rate` times that of all rows. With i = g A the cells' currents, row drops
    and column drops are sums of sums along the wires, a linear operator K, and

        A = 1 - r K (g A).

    I + r K g is self-adjoint and positive in the inner product weighted with g, so that conjugate
    gradients solve it for every r. It depends on weights and not on spikes: worked out once, a
    column's current is the plain sum over active rows of g A.

    Args:
        conductance: (…, n, m) in siemens, crossbars one after the other.
        wire_ohm: r.
        rate: Share of rows that are active in a read.
        tolerance: Largest residual, relative, in the weighted norm.

    Returns:
        (…, n, m), in [0, 1].
    """
    along_row, along_column = _sums_of_sums(conductance, wire_ohm, rate)

    def drop(current: Tensor) -> Tensor:
        """R K of the cells' currents."""
        return current @ along_row + along_column @ current

    def inner(first: Tensor, second: Tensor) -> Tensor:
        return (first * second).sum((-2, -1), keepdim=True)

    solution = torch.ones_like(conductance)
    residual = -drop(conductance)
    direction = residual
    norm = inner(residual, conductance * residual)
    enough = tolerance**2 * conductance.sum((-2, -1), keepdim=True)
    for _ in range(_MOST_ITERATIONS):
        if (norm <= enough).all():
            break
        current = conductance * direction
        image = direction + drop(current)
        step = _ratio(norm, inner(current, image))
        solution = solution + step * direction
        residual = residual - step * image
        before, norm = norm, inner(residual, conductance * residual)
        direction = residual + _ratio(norm, before) * direction
    return solution.clamp_(0, 1)


def _ratio(first: Tensor, second: Tensor) -> Tensor:
    """Quotient of the two, 0 where a crossbar has no more to change."""
    return torch.where(second > 0, first / second, 0.0)


def _sums_of_sums(conductance: Tensor, wire_ohm: float, rate: float) -> tuple[Tensor, Tensor]:
    """Along a row, (m, m), and along a column, (n, n): ohms that two cells' currents share.

    Cell k's current flows through the wires from the driver to it, of which cell j shares the
    min(j, k) + 1 first; and from it to the sense amplifier.
    """
    n, m = conductance.shape[-2:]
    row, column = torch.arange(m), torch.arange(n)
    along_row = torch.minimum(row[:, None], row) + 1
    along_column = n - torch.maximum(column[:, None], column)
    return (along_row * wire_ohm).to(conductance), (along_column * (wire_ohm * rate)).to(
        conductance
    )
