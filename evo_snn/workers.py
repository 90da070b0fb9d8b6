"""Workers: tasks spread over processes or threads, outcomes as they finish.

Each worker runs one torch thread and loads the data once. Weights of sources travel by path, those
of outcomes by value; only the driver writes. A task that fails, or is in the hands of a process
that dies, is tried again, alone, after the others.

The processes are those of joblib's own backend, loky, asked directly: ``joblib.Parallel`` looks
ahead, and does not tell which tasks a dead worker had.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

import torch
from joblib.externals.loky import ProcessPoolExecutor, wait
from joblib.externals.loky.process_executor import ShutdownExecutorError

from evo_snn.config import WorkersSection
from evo_snn.evaluation import EvaluationSettings, Failure, Outcome, Task, evaluate, failure_of
from evo_snn.interrupts import Interrupts, withheld
from evo_snn.limits import ended_after, prepare_process
from evo_snn.threads import Threads
from genomes.errors import RequestError

_P = ParamSpec("_P")
_T = TypeVar("_T")

DIED = "worker died"
_DEATHS = (BrokenExecutor, ShutdownExecutorError)
_GIGABYTE = 10**9
_EXIT_CODES = re.compile(r"(?<=exit codes of the workers are )\{.*?\}")


def check_backend(section: WorkersSection) -> None:
    """Refuse processes where none can be started.

    Raises:
        RequestError: this process is one of ``multiprocessing.Pool`` or the like.
    """
    if section.backend == "loky" and multiprocessing.current_process().daemon:
        raise RequestError(
            "workers.backend",
            section.backend,
            "threading or sequential in a daemonic process",
            "Processes of multiprocessing.Pool may start none of their own.",
        )


class Workers:
    """A pool of workers for one run; a context manager."""

    def __init__(
        self,
        section: WorkersSection,
        settings: EvaluationSettings,
        interrupts: Interrupts | None = None,
    ) -> None:
        self._section = section
        self._settings = settings
        self._interrupts = interrupts or Interrupts()
        self._stack = ExitStack()
        self._executor: Executor | Threads | None = None
        self._diaries = Path()
        self._lifeline = ""

    def __enter__(self) -> Self:
        """Begin; processes start with the first task."""
        # evaluations in this process run on one thread; what the user had comes back at the end
        self._stack.callback(torch.set_num_threads, torch.get_num_threads())
        if self._section.backend == "loky":
            folder = tempfile.TemporaryDirectory(prefix="evo-snn-", ignore_cleanup_errors=True)
            self._diaries = Path(self._stack.enter_context(folder))
            # it breaks when this process is gone, however it goes; no other has it open
            for end in (pipe := os.pipe()):
                self._stack.callback(os.close, end)
            self._lifeline = f"/proc/{os.getpid()}/fd/{pipe[0]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the pool."""
        self._end_pool()
        self._stack.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """The outcome of each task, in the order in which they finish.

        After the first Ctrl-C no further task is begun, and what has not been begun has no outcome.
        """
        again: dict[str, Outcome] = {}
        for outcome in self._tried(tasks):
            if outcome.failure is None or outcome.damaged is not None:
                yield outcome
            else:
                again[outcome.key] = outcome
        for task in tasks:
            if task.key in again:
                yield from self._alone(task, again[task.key])

    def ask(self, function: Callable[_P, _T], /, *args: _P.args, **keywords: _P.kwargs) -> _T:
        """What a function returns in a worker that starts as all of this pool do."""
        if self._section.backend == "sequential":
            return function(*args, **keywords)
        with withheld():
            future = self._pool().submit(function, *args, **keywords)
        return future.result()

    def _alone(self, task: Task, last: Outcome) -> Iterator[Outcome]:
        """Further attempts at a task that has failed; nothing after an interrupt.

        A process that died with others at work may have died of another's fault, or of nobody's:
        that death does not count.
        """
        for _ in range(2 if last.failures[-1].kind == DIED else 1):
            for outcome in self._tried([task]):
                last = replace(outcome, failures=(*last.failures, *outcome.failures))
            if self._interrupts.wanted or last.failure is None:
                break
        if last.failure is None or not self._interrupts.wanted:
            yield last

    def _tried(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """One attempt at each task."""
        if self._section.backend == "sequential":
            for task in tasks:
                if not self._interrupts.wanted:
                    yield evaluate(task, self._settings)
            return
        waiting, running = list(reversed(tasks)), dict[Future[Outcome], Task]()
        while waiting or running:
            self._begin(waiting, running)
            if not running:
                return  # interrupted
            # a timeout, so that the main thread hears signals wherever it waits
            done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), _DEATHS) for future in done):
                self._end_pool()  # one worker is dead, and loky gives up all that were running
                done, _ = wait(running)
            outcomes = [self._outcome(future, running.pop(future)) for future in done]
            self._begin(waiting, running)  # workers go on while the caller stores what came
            yield from outcomes

    def _begin(self, waiting: list[Task], running: dict[Future[Outcome], Task]) -> None:
        """Give every free worker a task."""
        while waiting and len(running) < self._section.jobs and not self._interrupts.wanted:
            try:
                running[self._submitted(waiting[-1])] = waiting[-1]
            except _DEATHS:
                if running:
                    return  # a worker has died just now: what is running will say so
                self._end_pool()  # one died idle, and harmed nobody
            else:
                waiting.pop()

    def _submitted(self, task: Task) -> Future[Outcome]:
        pool = self._pool()
        if self._section.backend == "threading":
            return pool.submit(evaluate, task, self._settings)
        diary = self._diaries / task.key
        with suppress(OSError):
            diary.unlink()
        limit = self._section.timeout_seconds
        with withheld():  # it may start processes
            return pool.submit(evaluate_within, task, self._settings, limit, diary)

    def _outcome(self, future: Future[Outcome], task: Task) -> Outcome:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, _DEATHS):
            return self._of_the_dead(task, error)
        # what went wrong on the way here or back: e.g. no memory left to send an outcome with
        text = "".join(traceback.format_exception(error))
        return Outcome(task.key, failure=text, failures=(failure_of(error),))

    def _of_the_dead(self, task: Task, error: Exception) -> Outcome:
        """What can be said of a task whose worker died; its diary knows more than loky."""
        try:
            diary = (self._diaries / task.key).read_text(encoding="utf-8", errors="replace")
        except OSError:
            diary = ""
        if diary.startswith("Timeout"):
            kind = "timed out"
            text = f"longer than workers.timeout_seconds = {self._section.timeout_seconds:g}"
        else:
            codes = _EXIT_CODES.search(str(error))
            kind = DIED
            ends = codes[0] if codes else str(error)
            text = f"its process, or another at work beside it, ended: {ends}"
        failure = "\n".join(part for part in (f"{kind}: {text}", diary.strip()) if part)
        return Outcome(task.key, failure=failure, failures=(Failure(kind, text),))

    def _pool(self) -> Executor | Threads:
        if self._executor is None and self._section.backend == "threading":
            self._executor = Threads()
        elif self._executor is None:
            resource_tracker.ensure_running()  # it would let Ctrl-C through to what starts next
            limits = (os.getpid(), self._lifeline, self._memory_limit())
            pool = ProcessPoolExecutor(
                self._section.jobs, initializer=prepare_process, initargs=limits, timeout=None
            )
            self._executor = cast(Executor, pool)
        return self._executor

    def _memory_limit(self) -> int | None:
        on_cpu = self._settings.training.device == "cpu"  # CUDA maps far more than it uses
        limit = self._section.memory_gb
        return int(limit * _GIGABYTE) if on_cpu and limit is not None else None

    def _end_pool(self) -> None:
        pool, self._executor = self._executor, None
        if isinstance(pool, ProcessPoolExecutor):
            pool.shutdown(wait=True, kill_workers=True)
        elif isinstance(pool, Threads):
            pool.end()


def evaluate_within(
    task: Task, settings: EvaluationSettings, seconds: float, diary: Path
) -> Outcome:
    """Evaluate in a worker process, which ends if that takes longer; ``diary`` says where."""
    with ended_after(seconds, diary):
        return evaluate(task, settings)
