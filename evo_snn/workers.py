"""Workers: tasks spread over processes or threads by joblib, outcomes in the order of the tasks.

Each worker runs one torch thread and loads the data once. Weights of sources travel by path, those
of outcomes by value; only the driver writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import joblib

from evo_snn.config import WorkersSection
from evo_snn.evaluation import EvaluationSettings, Outcome, Task, evaluate


class Workers:
    """A pool of workers for one run; a context manager."""

    def __init__(self, section: WorkersSection, settings: EvaluationSettings) -> None:
        self._section = section
        self._settings = settings
        self._stack = ExitStack()
        self._parallel: joblib.Parallel | None = None

    def __enter__(self) -> Self:
        """Start the pool; one worker needs none."""
        if self._section.backend != "sequential" and self._section.jobs > 1:
            # arrays are passed as they are: memory maps of large ones have broken reused pools
            self._parallel = self._stack.enter_context(
                joblib.Parallel(
                    n_jobs=self._section.jobs,
                    backend=self._section.backend,
                    return_as="generator",
                    batch_size=1,
                    max_nbytes=None,
                )
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the pool."""
        self._stack.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """The outcomes in the order of the tasks, each as soon as those before it are done."""
        if not tasks:
            return iter(())  # joblib warns of a generator without an item
        if self._parallel is None:
            return (evaluate(task, self._settings) for task in tasks)
        calls = (joblib.delayed(evaluate)(task, self._settings) for task in tasks)
        outcomes: Iterator[Outcome] = self._parallel(calls)
        return outcomes
