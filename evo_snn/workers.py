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
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from evo_snn.config import WorkersSection
from evo_snn.evaluation import EvaluationSettings, Outcome, Task, evaluate


class WorkerDiedError(RuntimeError):
    """A worker process ended in the middle of an evaluation."""


class Workers:
    """A pool of workers for one run; a context manager."""

    def __init__(self, section: WorkersSection, settings: EvaluationSettings) -> None:
        self._section = section
        self._settings = settings
        self._stack = ExitStack()
        self._parallel: joblib.Parallel | None = None

    def __enter__(self) -> Self:
        """Start the pool; one worker needs none."""
        # evaluations in this process run on one thread; what the user had comes back at the end
        self._stack.callback(torch.set_num_threads, torch.get_num_threads())
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
        return self._gathered(self._parallel(calls))

    def _gathered(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        try:
            yield from outcomes
        except TerminatedWorkerError as error:
            raise WorkerDiedError(
                "a worker process died (killed, or out of memory); what was stored is intact"
            ) from error
