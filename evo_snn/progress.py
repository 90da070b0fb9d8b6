"""Progress of a search: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from evo_snn.candidate import Candidate

LOGGER = logging.getLogger("evo_snn")


@dataclass(frozen=True)
class Standing:
    """How a search stands."""

    evaluations: int = 0
    trained: int = 0
    infeasible: int = 0
    failures: int = 0
    best_accuracy: float | None = None
    hypervolume: float | None = None

    def with_candidate(self, candidate: Candidate, before: Candidate | None = None) -> Standing:
        """The standing after one more candidate, or after one climbed from what it was before."""
        accuracy = candidate.metrics.get("accuracy") if candidate.state == "ok" else None
        known = [one for one in (self.best_accuracy, accuracy) if one is not None]
        was = None if before is None else before.state
        return replace(
            self,
            evaluations=self.evaluations + (before is None),
            trained=self.trained + candidate.trained - (before is not None and before.trained),
            infeasible=self.infeasible + (candidate.state == "infeasible") - (was == "infeasible"),
            failures=self.failures + (candidate.state == "failed"),
            best_accuracy=max(known) if known else None,
        )

    def __str__(self) -> str:
        """One line."""
        parts = [f"hypervolume {'–' if self.hypervolume is None else f'{self.hypervolume:.3f}'}"]
        if self.best_accuracy is not None:
            parts.append(f"best accuracy {self.best_accuracy:.3f}")
        if self.infeasible:
            parts.append(f"{self.infeasible} infeasible")
        if self.failures:
            parts.append(f"{self.failures} failed")
        return ", ".join(parts)


class Reporter:
    """Follows a search; this one writes a log line a generation.

    Args:
        generations: how many generations the search has.
        population: how many candidates the first generation has.
        offspring: how many each later one has.
    """

    def __init__(self, generations: int, population: int, offspring: int) -> None:
        self.generations = generations
        self.total = population + (generations - 1) * offspring
        self.standing = Standing()
        self._started = time.monotonic()
        self._before = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def resumed(self, candidates: Iterable[Candidate], generations: int) -> None:
        """So much was stored before: candidates, and finished generations."""
        for candidate in candidates:
            self.standing = self.standing.with_candidate(candidate)
        self._before = generations

    def evaluated(self, candidate: Candidate, before: Candidate | None = None) -> None:
        """One more candidate is stored; or one that was stored before, on a lower rung."""
        self.standing = self.standing.with_candidate(candidate, before)

    def generation(self, number: int, hypervolume: float | None) -> None:
        """Generation ``number`` (from 0) is finished."""
        self.standing = replace(self.standing, hypervolume=hypervolume)
        elapsed = time.monotonic() - self._started
        left = elapsed / (number + 1 - self._before) * (self.generations - number - 1)
        LOGGER.info(
            "generation %d of %d: %d evaluations, %s; %.0f s, about %.0f s left",
            number + 1,
            self.generations,
            self.standing.evaluations,
            self.standing,
            elapsed,
            left,
        )


class BarReporter(Reporter):
    """Draws a bar on standard error."""

    def __init__(self, generations: int, population: int, offspring: int) -> None:
        super().__init__(generations, population, offspring)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[standing]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(
            f"generation 1/{generations}", total=self.total, standing="starting workers"
        )

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def resumed(self, candidates: Iterable[Candidate], generations: int) -> None:
        """Begin where the last session stopped."""
        super().resumed(candidates, generations)
        self._bar.update(
            self._task,
            completed=self.standing.evaluations,
            description=f"generation {min(generations + 1, self.generations)}/{self.generations}",
        )

    def evaluated(self, candidate: Candidate, before: Candidate | None = None) -> None:
        """Move the bar."""
        super().evaluated(candidate, before)
        moved = 1 if before is None else 0
        self._bar.update(self._task, advance=moved, standing=str(self.standing))

    def generation(self, number: int, hypervolume: float | None) -> None:
        """Say the generation and the hypervolume."""
        self.standing = replace(self.standing, hypervolume=hypervolume)
        shown = min(number + 2, self.generations)
        self._bar.update(
            self._task,
            description=f"generation {shown}/{self.generations}",
            standing=str(self.standing),
        )


def make_reporter(*, progress: bool, generations: int, population: int, offspring: int) -> Reporter:
    """A bar where one is wanted and standard error is a terminal; log lines otherwise."""
    bar = progress and Console(stderr=True).is_terminal
    return (BarReporter if bar else Reporter)(generations, population, offspring)
