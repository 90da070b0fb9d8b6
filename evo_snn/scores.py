"""Scores: candidates as the numbers that an algorithm is told, and how far a search has come.

Everything that grows with a run is updated, never computed anew: the front is that of the last one
and of what is new, since what was dominated once stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evo_snn.candidate import Candidate
from evo_snn.constraints import Constraint
from evo_snn.objectives import Metric
from evo_snn.pareto import front_of, hypervolume, normalised, oriented
from evo_snn.plan import Box, completed_box

FAILED = 1e6
"""How far a failed candidate breaks the constraint of its own, beyond all others."""


class Scores:
    """The values of a run's candidates on its objectives and constraints.

    Args:
        objectives: the metrics to optimise.
        constraints: bounds on metrics.
        box: the hypervolume box, as far as it is known.
    """

    def __init__(
        self, objectives: Sequence[Metric], constraints: Sequence[Constraint], box: Box
    ) -> None:
        self._metrics = tuple(objectives)
        self._constraints = tuple(constraint.metric for constraint in constraints)
        self.box = box
        self._front: list[Candidate] = []

    @property
    def front_keys(self) -> set[str]:
        """The non-dominated ``ok`` candidates of all that were added."""
        return {candidate.key for candidate in self._front}

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Learn of new candidates, and complete the box from the first that have every metric."""
        new = [candidate for candidate in candidates if candidate.state != "failed"]
        if len(self.box) < len(self._metrics):
            names = [metric.name for metric in self._metrics]
            rows = [one.metrics for one in new if all(name in one.metrics for name in names)]
            self.box = completed_box(self.box, self._metrics, rows)
        self._front = front_of([*self._front, *new], [metric.record for metric in self._metrics])

    def objectives(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """(n, objectives) to be minimised, costs on a log scale; the box's worst for no value."""
        worst = [self.box.get(metric.name, (1.0, 1.0))[1] for metric in self._metrics]
        rows = [
            [
                candidate.metrics.get(metric.name, bad)
                for metric, bad in zip(self._metrics, worst, strict=True)
            ]
            for candidate in candidates
        ]
        return self._oriented(np.array(rows).reshape(-1, len(self._metrics)))

    def violations(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """(n, 1 + constraints): a failure breaks a constraint of its own."""
        return np.array(
            [
                [
                    FAILED * (one.state == "failed"),
                    *(one.violations.get(name, 0.0) for name in self._constraints),
                ]
                for one in candidates
            ]
        ).reshape(-1, 1 + len(self._constraints))

    def hypervolume(self) -> float | None:
        """Share of the box that the front dominates; None while the box is not complete."""
        if len(self.box) < len(self._metrics):
            return None
        if not self._front:
            return 0.0
        ends = np.array([self.box[metric.name] for metric in self._metrics]).T
        best, worst = self._oriented(ends)
        return hypervolume(normalised(self.objectives(self._front), best, worst))

    def _oriented(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return oriented(
            values,
            [metric.maximise for metric in self._metrics],
            [metric.log for metric in self._metrics],
        )
