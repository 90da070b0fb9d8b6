"""Repairing a run's folder: damaged weights are forgotten, leftovers deleted, and all of it said.

Nothing is invented: metrics, genomes and generations stay as they are stored. Each repair is kept
as an event of the run.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evo_snn.content import Problem
from evo_snn.integrity import Report, check
from evo_snn.reader import SHARED_BANK
from evo_snn.store import Store

EVENT = "repair"


@dataclass(frozen=True)
class Repair:
    """What was repaired, and how the folder is afterwards."""

    done: tuple[Problem, ...]
    after: Report

    @property
    def lost_weights(self) -> bool:
        """Whether a search that goes on has less to inherit than the uninterrupted one had."""
        return any(problem.kind in ("weights", "shared bank") for problem in self.done)


def repair(folder: str | Path) -> Repair:
    """Forget weights that are damaged or missing, and delete what is left over.

    A folder without anything to repair is not touched, and neither is one whose database is
    damaged, since it says which files are wanted.

    Raises:
        RequestError: If there is no run, another process writes it, or it cannot be written.
        StoreWriteError: If the disk does not take it.
    """
    before = check(folder)
    damaged = any(problem.kind == "database" for problem in before.problems)
    if damaged or not any(problem.repairable for problem in before.problems):
        return Repair((), before)
    with Store.open(folder, read_only=False) as store:  # which tidies up
        done = _tidied(store, before.problems)
        done += _made(store, before.problems)
        done += _forgotten(store)
        for problem in done:
            store.record_event(EVENT, problem.text, problem.key)
    return Repair(tuple(done), check(folder))


def _tidied(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """The leftovers of before that are gone."""
    leftovers = [problem for problem in problems if problem.kind == "leftover"]
    return [one for one in leftovers if not os.path.lexists(_path(store, one))]


def _made(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """A missing folder of weights is made anew; what it held is found missing next."""
    missing = [one for one in problems if one.kind == "folder" and one.repairable]
    for problem in missing:
        _path(store, problem).mkdir(exist_ok=True)
    return missing


def _forgotten(store: Store) -> list[Problem]:
    """Say that damaged weights are none, then delete their files; in this order, as ever."""
    done = []
    for problem in check(store.folder, alone=True).problems:
        if problem.kind == "weights" and problem.key is not None:
            store.forget_weights([problem.key])
        elif problem.kind == "shared bank":
            store.set_meta(SHARED_BANK, None)
        else:
            continue
        done.append(problem)
    for problem in done:
        path = _path(store, problem)
        if path.is_file() or path.is_symlink():
            path.unlink()
    return done


def _path(store: Store, problem: Problem) -> Path:
    assert problem.file is not None  # noqa: S101 - weights and leftovers are files
    return store.folder / problem.file
