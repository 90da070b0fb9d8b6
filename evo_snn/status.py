"""How a run stands: what a person in another terminal wants to know of it, and no more.

Nothing here trains, writes, or imports a plug-in. Durations come from what the search measured with
a monotonic clock, never from differences between times of day, which may jump back.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.filesystem import lock_holder
from evo_snn.folder import LOCK
from evo_snn.pareto import front_of
from evo_snn.reader import GenerationRecord
from evo_snn.sessions import SessionRecord
from evo_snn.store import Store
from genomes.errors import RequestError

RunState = Literal["running", "finished", "interrupted", "stopped", "failed"]

_FAILED = "failed"  # how the outcome of a failed session begins


@dataclass(frozen=True)
class Best:
    """The best value of one objective on the front; None where there is no front yet."""

    name: str
    unit: str
    maximise: bool
    value: float | None


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes:
        folder: The run's folder.
        state: ``running``; ``finished``; ``interrupted`` by its user; ``stopped``, as a killed run
            is: nobody works on it, and its last session has no end; ``failed``.
        writer: Who works on it, "process N on HOST"; None if nobody does.
        reason: Why it failed; "" where it did not.
        finished: How many generations are finished.
        generations: How many it is to have; None before its first session.
        begun: Candidates of the next generation that are evaluated already.
        evaluated: Candidates stored.
        trained: How many of them were trained.
        infeasible: How many violate a constraint.
        failed: How many failed.
        events: Kind → how many such events were stored: "failure" for each attempt at a candidate
            that failed, also where a later one did not, "environment", "repair".
        front: Designs on the front.
        best: The best value of each objective, in the configuration's order.
        hypervolume: After the last finished generation.
        generation_seconds: Median of the finished generations; None before the first.
        seconds_left: An estimate of what is left; None where there is nothing to go by.
        disk_bytes: What the folder holds.
        sessions: Each time that a process worked on it, with its environment.
        leaky: Why its accuracies flatter; "" where they do not.
    """

    folder: Path
    state: RunState
    writer: str | None
    reason: str
    finished: int
    generations: int | None
    begun: int
    evaluated: int
    trained: int
    infeasible: int
    failed: int
    events: Mapping[str, int]
    front: int
    best: tuple[Best, ...]
    hypervolume: float | None
    generation_seconds: float | None
    seconds_left: float | None
    disk_bytes: int
    sessions: tuple[SessionRecord, ...]
    leaky: str = ""

    def to_document(self) -> dict[str, Any]:
        """The status as JSON."""
        return {**asdict(self), "folder": str(self.folder)}


def read_status(folder: str | Path) -> Status:
    """How the run in ``folder`` stands, also while it is written.

    Raises:
        RequestError: If there is no run, or it cannot be read.
    """
    with Store.open(folder) as store:
        try:
            return status_of(store)
        except (sqlite3.Error, ValueError, TypeError) as error:  # a damaged page, or other JSON
            remedy = f"evo-snn check {store.folder} says what is wrong."
            raise RequestError("run folder", str(folder), "a run without damage", remedy) from error


def status_of(store: Store) -> Status:
    """How the run of an open store stands."""
    lock = store.folder / LOCK
    # Before and after, for a run that starts or ends just now.
    writer = lock_holder(lock)
    sessions = store.sessions()
    writer = lock_holder(lock) or writer
    # In this order: while a run goes on, there may be more candidates than generations know of.
    generations = store.generations()
    candidates = store.candidates(details=False)
    state, reason = run_state(sessions, writer)
    planned = sessions[-1].generations if sessions else None
    front = front_of(candidates, store.objectives())
    return Status(
        folder=store.folder,
        state=state,
        writer=writer,
        reason=reason,
        finished=len(generations),
        generations=planned,
        begun=sum(one.generation >= len(generations) for one in candidates),
        evaluated=len(candidates),
        trained=sum(one.trained for one in candidates),
        infeasible=sum(one.state == "infeasible" for one in candidates),
        failed=sum(one.state == "failed" for one in candidates),
        events=dict(Counter(event.kind for event in store.events())),
        front=len(front),
        best=tuple(_best(one, front) for one in store.objectives()),
        hypervolume=generations[-1].hypervolume if generations else None,
        generation_seconds=median(one.seconds for one in generations) if generations else None,
        seconds_left=None
        if state == "finished"
        else seconds_left(generations, candidates, planned),
        disk_bytes=disk_bytes(store.folder),
        sessions=tuple(sessions),
        leaky=str(store.meta("leaky", "")),
    )


def run_state(sessions: Sequence[SessionRecord], writer: str | None) -> tuple[RunState, str]:
    """The state of a run with these sessions, and why it failed if it did.

    Args:
        sessions: In order.
        writer: Who holds the run's lock, if anybody does.
    """
    outcome = sessions[-1].outcome if sessions else None
    if writer is not None:
        return "running", ""
    if outcome is None:
        return "stopped", ""
    if outcome.startswith(_FAILED):
        return "failed", outcome.removeprefix(_FAILED).removeprefix(": ")
    return ("finished" if outcome == "finished" else "interrupted"), ""


def seconds_left(
    generations: Sequence[GenerationRecord],
    candidates: Sequence[Candidate],
    planned: int | None,
) -> float | None:
    """An estimate: the median generation for each that is missing, less what is done of the next.

    Args:
        generations: The finished ones.
        candidates: All that are stored.
        planned: How many generations the run is to have.
    """
    if planned is None or not generations:
        return None
    born = Counter(one.generation for one in candidates)
    usual = median(born[one.number] for one in generations)
    begun = sum(born[number] for number in born if number >= len(generations))
    done = min(1.0, begun / usual) if usual else 0.0
    missing = planned - len(generations)
    return median(one.seconds for one in generations) * max(0.0, missing - done)


def disk_bytes(folder: Path) -> int:
    """The size of all files below a folder; those that vanish meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - as walk has it
    return total


def _best(objective: ObjectiveRecord, front: Sequence[Candidate]) -> Best:
    values = [one.metrics[objective.name] for one in front]
    best = max if objective.maximise else min
    value = best(values) if values else None
    return Best(objective.name, objective.unit, objective.maximise, value)
