"""Fronts and hypervolume: which candidates nobody beats, and how good they are together.

Design A *dominates* design B when A is at least as good in every objective and better in one.
The *front* of a set holds the designs that no other design of the set dominates.

:func:`front_of` picks the front of candidates. Everything else here is a pure function of arrays
with one row a design and one column an objective. :func:`oriented` turns metrics into objectives
that are all minimised; every other function expects that orientation and calls such a matrix ``F``.
Hypervolume is measured on :func:`normalised` objectives: the box's best corner is 0, its worst 1.

Not-a-number, everywhere in this module: a row with a NaN is a design that was not fully measured.
It is never on a front, dominates nothing, contributes no hypervolume and is never picked.
Infinities are ordinary values, larger or smaller than every number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from evo_snn.candidate import Candidate

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = [
    "Objective",
    "front_of",
    "hypervolume",
    "hypervolume_history",
    "knee",
    "nondominated",
    "normalised",
    "oriented",
    "pick",
    "pseudo_weights",
]


class Objective(Protocol):
    """What a front needs to know of an objective: the records of a run and metrics have it."""

    @property
    def name(self) -> str:
        """The metric's name."""

    @property
    def maximise(self) -> bool:
        """Whether more is better."""


def front_of(candidates: Iterable[Candidate], objectives: Sequence[Objective]) -> list[Candidate]:
    """The ``ok`` candidates that no other one dominates, in the order given.

    Candidates without a value for some objective are never among them.
    """
    names = [one.name for one in objectives]
    designs = [one for one in candidates if one.state == "ok" and set(names) <= set(one.metrics)]
    if not designs or not names:
        return []
    values = [[one.metrics[name] for name in names] for one in designs]
    chosen = nondominated(oriented(values, [one.maximise for one in objectives]))
    return [one for one, on_front in zip(designs, chosen, strict=True) if on_front]


def oriented(values: ArrayLike, maximise: ArrayLike, log: ArrayLike = False) -> Matrix:
    """Turn metrics into objectives that are all minimised.

    Args:
        values: (N, M) metrics in their own units.
        maximise: (M,) or one bool: which columns are better when larger; these are negated.
        log: (M,) or one bool: which columns are put on a log10 scale first. Domination needs no
            log scale (rounding in the logarithm could even tie two different designs); distances
            and hypervolume of costs do.

    Returns:
        (N, M) float64. On a log scale 0 becomes minus infinity and a negative number NaN.

    Raises:
        ValueError: ``values`` is not a matrix, or a flag does not fit its columns.
    """
    matrix = _matrix(values, "values")
    columns = matrix.shape[1]
    negate, scale = _flags(maximise, columns, "maximise"), _flags(log, columns, "log")
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(scale, np.log10(matrix), matrix)
    return np.where(negate, -scaled, scaled)


def nondominated(F: ArrayLike) -> Mask:
    """Tell which rows of ``F`` are on the front.

    Equal rows do not dominate each other: all duplicates of a front's point are kept.
    A row with a NaN is never on the front and keeps no other row off it.

    Args:
        F: (N, M) objectives, minimised.

    Returns:
        (N,) mask, in the order of the rows.
    """
    matrix = _matrix(F, "F")
    front = np.zeros(len(matrix), dtype=bool)
    known = np.flatnonzero(~np.isnan(matrix).any(axis=1))
    # In lexicographic order nothing is dominated by a later row, so the first one left is a
    # front's point: keep it and its duplicates, drop all that it dominates, and repeat.
    left = known[np.lexsort(matrix[known].T[::-1])]
    while left.size:
        point = matrix[left[0]]
        covered = (matrix[left] >= point).all(axis=1)
        front[left[(matrix[left] == point).all(axis=1)]] = True
        left = left[~covered]
    return front


def normalised(F: ArrayLike, best: ArrayLike, worst: ArrayLike) -> Matrix:
    """Scale objectives so that 0 is the box's best corner and 1 its worst; nothing is clipped.

    Args:
        F: (N, M) objectives, minimised.
        best: (M,) or one number, oriented as ``F``: what maps to 0.
        worst: (M,) or one number, oriented as ``F``, larger than ``best``: what maps to 1.

    Returns:
        (N, M): below 0 better than the box, above 1 worse than the box, NaN where ``F`` is NaN.

    Raises:
        ValueError: the box is not finite or has no extent in some objective.
    """
    matrix = _matrix(F, "F")
    low = np.broadcast_to(np.asarray(best, dtype=float), matrix.shape[1:])
    high = np.broadcast_to(np.asarray(worst, dtype=float), matrix.shape[1:])
    if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
        raise ValueError(
            "Expected a finite best below a finite worst in every objective (minimised) "
            f"but best was {low.tolist()} and worst was {high.tolist()}."
        )
    scaled: Matrix = (matrix - low) / (high - low)
    return scaled


def hypervolume(F: ArrayLike, reference: float = 1.0) -> float:
    """Measure the share of the box that a set of designs dominates.

    Points that are not better than ``reference`` in every objective contribute nothing. A point
    that is better than the box's best (below 0) counts as the best, so the value stays within
    the box. Rows with a NaN contribute nothing.

    Args:
        F: (N, M) normalised objectives, see :func:`normalised`.
        reference: the worst corner, one number for all objectives.

    Returns:
        The volume between the designs and the worst corner: in [0, 1] for ``reference=1``,
        in [0, reference**M] otherwise; 0 for an empty set. Computed exactly, by moocore.
    """
    return _volume(_inside(_matrix(F, "F"), reference), reference)


def hypervolume_history(
    F: ArrayLike, order: ArrayLike | None = None, reference: float = 1.0
) -> NDArray[np.float64]:
    """Follow the hypervolume while designs come in one after another.

    Args:
        F: (N, M) normalised objectives, see :func:`normalised`.
        order: (K,) row indices in the order of evaluation; all rows as they stand without it.
        reference: as in :func:`hypervolume`; the rules for outside points and NaN are the same.

    Returns:
        (K,): the hypervolume of the first one, two, … designs; never decreasing.
    """
    matrix = _matrix(F, "F")
    rows = np.arange(len(matrix)) if order is None else np.asarray(order, dtype=int)
    history = np.zeros(len(rows))
    front, total = matrix[:0], 0.0
    for position, row in enumerate(rows):
        point = _inside(matrix[row : row + 1], reference)
        if len(point) and not (front <= point).all(axis=1).any():
            # What the point adds: its own box, less the part that the front covers in it.
            covered = _volume(np.maximum(front, point), reference)
            total += max(0.0, float(np.prod(reference - point)) - covered)
            front = np.vstack([front[~(front >= point).all(axis=1)], point])
        history[position] = total
    return history


def pseudo_weights(F: ArrayLike) -> Matrix:
    """Say, for each design of a front, how much of its merit lies in which objective.

    The weight of an objective is how far the design is from the front's worst value of it, as a
    share of the front's range; each row is then scaled to sum to 1 (Deb, Multi-Objective
    Optimization using Evolutionary Algorithms, 2001, section 8.6). An objective in which the
    whole front agrees counts as fully achieved by all.

    Args:
        F: (N, M) objectives of a front, minimised and finite; equal weights result for a front
            of one design.

    Returns:
        (N, M), rows summing to 1; NaN for rows with a NaN or an infinity, which are ignored when
        the range is taken.
    """
    gains = 1.0 - _scaled(F)
    total = gains.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        weights: Matrix = np.where(total == 0, 1.0 / gains.shape[1], gains / total)
    return weights


def pick(F: ArrayLike, weights: ArrayLike | None = None) -> int:
    """Choose the design of a front whose pseudo-weights are nearest to the wanted ones.

    Args:
        F: (N, M) objectives of a front, minimised; rows that are not finite are never chosen.
        weights: (M,) how much each objective matters, of any scale, not negative; equal
            weights without it.

    Returns:
        The row's index; the first of several equally near ones.

    Raises:
        ValueError: there is no finite row, or the weights do not fit or are all zero.
    """
    own = pseudo_weights(F)
    return _nearest(np.linalg.norm(own - _shares(weights, own.shape[1]), axis=1))


def knee(F: ArrayLike, weights: ArrayLike | None = None) -> int:
    """Choose the knee of a front: the design that gives up least in all objectives together.

    It is the design with the least weighted sum of objectives scaled to the front's range: with
    equal weights the one farthest in front of the plane through the extremes (Das, Structural
    Optimization 18, 1999). Where :func:`pick` asks for merit in given proportions, a knee asks
    for the most merit.

    Args:
        F: (N, M) objectives of a front, minimised, costs on a log scale; rows that are not
            finite are never chosen.
        weights: as in :func:`pick`.

    Returns:
        The row's index; the first of several equally good ones.

    Raises:
        ValueError: there is no finite row, or the weights do not fit or are all zero.
    """
    scaled = _scaled(F)
    return _nearest(scaled @ _shares(weights, scaled.shape[1]))


def _matrix(values: ArrayLike, name: str) -> Matrix:
    """Return ``values`` as an (N, M) float64 matrix with at least one column."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] == 0:  # noqa: PLR2004
        raise ValueError(
            f"Expected {name} to be a matrix (designs, objectives) with at least one objective "
            f"but it had shape {matrix.shape}."
        )
    return matrix


def _flags(flags: ArrayLike, columns: int, name: str) -> Mask:
    """Return ``flags`` as one bool a column."""
    array = np.asarray(flags, dtype=bool)
    if array.shape not in {(), (columns,)}:
        raise ValueError(
            f"Expected {name} to be one bool or to have shape ({columns},) (i.e. shape "
            f"(objectives,)) but it had shape {array.shape}."
        )
    return np.broadcast_to(array, (columns,))


def _shares(weights: ArrayLike | None, columns: int) -> NDArray[np.float64]:
    """Return one weight a column, summing to 1."""
    wanted = np.ones(columns) if weights is None else np.asarray(weights, dtype=float)
    if wanted.shape != (columns,) or not (wanted >= 0).all() or not 0 < wanted.sum() < np.inf:
        raise ValueError(
            f"Expected weights of shape ({columns},) (i.e. shape (objectives,)), not negative "
            f"and not all zero, but they were {wanted.tolist()}."
        )
    shares: NDArray[np.float64] = wanted / wanted.sum()
    return shares


def _inside(F: Matrix, reference: float) -> Matrix:
    """Return the points better than the reference, moved to the box's best where beyond it."""
    return np.maximum(F[(reference > F).all(axis=1)], 0.0)


def _volume(inside: Matrix, reference: float) -> float:
    """Return the volume between points inside the box and its worst corner."""
    if not len(inside):
        return 0.0
    import moocore  # only hypervolume needs it

    return float(moocore.hypervolume(inside, ref=np.full(inside.shape[1], reference)))


def _scaled(F: ArrayLike) -> Matrix:
    """Scale to the set's own range, 0 the best; rows that are not finite become NaN."""
    matrix = _matrix(F, "F")
    finite = np.isfinite(matrix).all(axis=1)
    scaled = np.full(matrix.shape, np.nan)
    if finite.any():
        low, high = matrix[finite].min(axis=0), matrix[finite].max(axis=0)
        extent = np.where(high > low, high - low, 1.0)
        scaled[finite] = (matrix[finite] - low) / extent
    return scaled


def _nearest(distances: NDArray[np.float64]) -> int:
    """Return the index of the least distance, NaN never."""
    if np.isnan(distances).all():
        raise ValueError("Expected at least one design with finite objectives but there was none.")
    return int(np.nanargmin(distances))
