"""The ladder: an early stop of training within a generation, by successive halving.

Every candidate of a generation is trained for the few steps of the lowest *rung*; the better part
climbs to the next, where its training goes on, and so forth to the top (Jamieson & Talwalkar,
Non-stochastic best arm identification, AISTATS 2016). Who is better is judged on all objectives:
by non-dominated sorting and crowding (Deb et al., NSGA-II, IEEE TEVC 6, 2002) among the candidates
of the rung and the designs that the search holds already, never on accuracy alone. Whoever stops
keeps what was measured on its last rung.

Everything here is a pure function, and none depends on the order of its candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from evo_snn.pareto import nondominated

Matrix = NDArray[np.float64]

_SLACK = 1e-9
"""What rounding may add to a product before it counts as more: 0.7 x 10 is 7 candidates."""


def rung_steps(steps: int, rungs: int, keep: float) -> tuple[int, ...]:
    """Training steps that a candidate has had, in all, at the end of each rung.

    Each rung is ``keep`` times as long as the one above, so that every rung costs about as much.

    Args:
        steps: of a candidate that climbs to the top.
        rungs: 1 or more; 1 is no ladder.
        keep: share of the candidates that climbs from a rung to the next, in (0, 1).

    Returns:
        (rungs,) rising numbers, the last one ``steps``.

    Raises:
        ValueError: the steps are too few for so many different rungs.
    """
    taken = tuple(ceil(steps * keep**below - _SLACK) for below in reversed(range(rungs)))
    if any(low >= high for low, high in pairwise(taken)):
        raise ValueError(f"{steps} steps are too few for {rungs} rungs: {taken}")
    return taken


def places(candidates: int, keep: float) -> int:
    """How many of a rung's candidates climb: the share ``keep``, rounded up, and at least one."""
    return min(candidates, max(1, ceil(candidates * keep - _SLACK)))


def climbing(
    keys: Sequence[str],
    objectives: Matrix,
    violations: NDArray[np.float64],
    held: Matrix,
    keep: float,
) -> list[str]:
    """Who climbs to the next rung.

    Args:
        keys: of the candidates on a rung, all different.
        objectives: (n, objectives) to be minimised, finite.
        violations: (n,) summed violations of constraints, 0 where all are met.
        held: (m, objectives) of designs that the search holds already and that meet all
            constraints; m may be 0. They are no candidates, but who they dominate ranks lower.
        keep: the share that climbs.

    Returns:
        The keys of those that climb, best first.
    """
    order = ranking(keys, objectives, violations, held)
    return [keys[k] for k in order[: places(len(keys), keep)]]


def ranking(
    keys: Sequence[str], objectives: Matrix, violations: NDArray[np.float64], held: Matrix
) -> list[int]:
    """The candidates' indices, best first; arguments as `climbing`.

    First those that meet all constraints, by their front of non-dominated sorting and then by
    crowding, lone designs first; then the others, the least violation first. Ties go by key.
    """
    fronts, distances = np.zeros(len(keys)), np.zeros(len(keys))
    feasible = np.flatnonzero(violations <= 0)
    together = np.vstack([objectives[feasible], held.reshape(-1, objectives.shape[1])])
    own = len(feasible)
    for number, front in enumerate(sorted_fronts(together, own)):
        mine = front[front < own]
        fronts[feasible[mine]] = number
        distances[feasible[mine]] = crowding(together[front])[front < own]
    return sorted(
        range(len(keys)),
        key=lambda k: (max(violations[k], 0.0), fronts[k], -distances[k], keys[k]),
    )


def sorted_fronts(F: Matrix, wanted: int) -> list[NDArray[np.int64]]:
    """Non-dominated sorting: rows of the best front, of the best without it, and so on.

    Args:
        F: (n, objectives), minimised.
        wanted: it ends when the first so many rows are all on a front.
    """
    left, fronts = np.arange(len(F)), []
    while (left < wanted).any():
        best = nondominated(F[left])
        fronts.append(left[best])
        left = left[~best]
    return fronts


def crowding(F: Matrix) -> NDArray[np.float64]:
    """How lonely each design of a front is: the summed distances of its neighbours, (n,).

    In each objective, as a share of the front's extent; a design at an end of an objective has
    infinity. Equal values share their neighbours, so that the order of rows means nothing.
    """
    distances = np.zeros(len(F))
    for column in F.T:
        values, place = np.unique(column, return_inverse=True)
        gaps = np.full(len(values), np.inf)
        if len(values) > 1:
            gaps[1:-1] = (values[2:] - values[:-2]) / (values[-1] - values[0])
            distances += gaps[place]
    return distances
