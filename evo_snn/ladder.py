"""The ladder: an early stop of training within a generation, by successive halving.

Every candidate of a generation is trained for the few steps of the lowest *rung*; the better part
climbs to the next, where its training goes on, and so forth to the top (Jamieson & Talwalkar,
Non-stochastic best arm identification, AISTATS 2016). Who is better is judged on all objectives:
by non-dominated sorting and crowding (Deb et al., NSGA-II, IEEE TEVC 6, 2002), never on accuracy
alone, and among all that the search holds, each as it was on the same rung: where the new ones are
worse than the old, few climb or none. Whoever stops keeps what was measured on its last rung.

Everything here is a pure function, and none depends on the order of its candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from evo_snn.pareto import nondominated

Matrix = NDArray[np.float64]

_SLACK = 1e-9
"""What rounding may do to a product before it counts: 0.7 x 10 is 7, not more, and not 6."""


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


def climbing(
    keys: Sequence[str],
    objectives: Matrix,
    violations: NDArray[np.float64],
    held: Collection[str],
    keep: float,
) -> list[str]:
    """Who climbs to the next rung: whoever is among the better share of all that were on this one.

    Of the candidates themselves no more than that share climbs, so that a generation that is better
    than all before it costs no more than the first.

    Args:
        keys: of the candidates on a rung, and of the designs that were on it before, all different.
        objectives: (n, objectives) to be minimised, finite.
        violations: (n,) summed violations of constraints, 0 where all are met.
        held: those of the keys that are no candidates, but what the search holds already.
        keep: the share.

    Returns:
        The keys of the candidates that climb, best first; at least one where nothing is held.
    """
    order = [keys[k] for k in ranking(keys, objectives, violations)]
    better = order[: floor(len(order) * keep + _SLACK)] if held else order
    places = max(1, ceil((len(order) - len(held)) * keep - _SLACK))
    return [key for key in better if key not in held][:places]


def ranking(keys: Sequence[str], objectives: Matrix, violations: NDArray[np.float64]) -> list[int]:
    """The rows' indices, best first; arguments as `climbing`.

    First those that meet all constraints, by their front of non-dominated sorting and then by
    crowding, lone designs first; then the others, the least violation first. Ties go by key.
    """
    fronts, distances = np.zeros(len(keys)), np.zeros(len(keys))
    feasible = np.flatnonzero(violations <= 0)
    for number, front in enumerate(sorted_fronts(objectives[feasible])):
        fronts[feasible[front]] = number
        distances[feasible[front]] = crowding(objectives[feasible[front]])
    return sorted(
        range(len(keys)),
        key=lambda k: (max(violations[k], 0.0), fronts[k], -distances[k], keys[k]),
    )


def sorted_fronts(F: Matrix) -> list[NDArray[np.int64]]:
    """Non-dominated sorting: rows of the best front, of the best without it, and so on.

    Args:
        F: (n, objectives), minimised.
    """
    left, fronts = np.arange(len(F)), []
    while left.size:
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
