"""Faults of writes: what a command makes of each, and what going on from there gives."""

import errno
import gc
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evo_snn.commands import main
from evo_snn.integrity import check
from evo_snn.store import DATABASE, Store
from tests.evo_snn.searches import assert_equal_runs
from tests.faults.children import NEVER, Driver, Ended, run_here, use_journal

ERRORS = ("ENOSPC", "EIO")
PHASES = 2 * len(ERRORS)


@dataclass(frozen=True)
class Scenario:
    """What is disturbed: a command, with one kind of journal and one of inheritance."""

    command: str
    journal: str
    strategy: str

    @property
    def name(self) -> str:
        return f"{self.command}-{self.journal}-{self.strategy}"


SCENARIOS = (
    Scenario("evolve", "wal", "parents"),
    Scenario("evolve", "delete", "shared"),
    Scenario("resume", "wal", "shared"),
    Scenario("resume", "delete", "parents"),
)


@dataclass
class Injection:
    """One fault and what came of it.

    Attributes:
        scenario, error, first: which fault; calls are counted from 1.
        lasting: whether every further call failed too.
        call: the first call that failed, with its file.
        status: the command's exit status.
        said: what it wrote on standard error.
        folder: the run's.
        is_run: whether it holds a run then.
        lost: keys whose recording had returned, and which the folder does not hold.
        problems: kind and text of what `evo-snn check` finds then.
        next: the command that went on.
        difference: between the run at the end and the undisturbed one; "" for none.
    """

    scenario: str
    error: str
    first: int
    lasting: bool
    call: str
    status: int
    said: str
    folder: str
    is_run: bool
    lost: list[str]
    problems: list[tuple[str, str]] = field(default_factory=list)
    next: str = ""
    difference: str = ""


class Faults:
    """All faults of one scenario."""

    def __init__(self, driver: Driver, scenario: Scenario) -> None:
        self._driver = driver
        self._scenario = scenario
        use_journal(scenario.journal)
        self._whole = driver.whole(scenario.strategy)
        self._start = driver.stopped(scenario.strategy) if scenario.command == "resume" else None

    def calls(self) -> int:
        """How many calls the undisturbed command makes."""
        ended = self._disturbed(self._new_folder(), 0, NEVER, NEVER)
        assert ended.status == 0, ended.said
        return ended.calls

    def inject(self, error: str, first: int, *, lasting: bool) -> Injection:
        """One fault, and going on from it."""
        folder = self._new_folder()
        last = NEVER if lasting else first
        ended = self._disturbed(folder, getattr(errno, error), first, last)
        found = Injection(
            self._scenario.name,
            error,
            first,
            lasting,
            ended.failed,
            ended.status,
            ended.said,
            str(folder),
            (folder / DATABASE).exists(),
            _lost(folder, set(self._reported.read_text().split())),
        )
        if found.is_run:
            found.problems = [(one.kind, one.text) for one in check(folder).problems]
        self._go_on(found, folder)
        shutil.rmtree(folder)
        return found

    def _new_folder(self) -> Path:
        folder = self._driver.new_folder()
        if self._start is not None:
            shutil.copytree(self._start, folder)
        return folder

    @property
    def _reported(self) -> Path:
        return self._driver.base / "reported"

    def _disturbed(self, folder: Path, error: int, first: int, last: int) -> Ended:
        self._reported.write_text("")

        def act() -> None:
            _report(self._reported)
            self._driver.shim.shim_watch(str(folder).encode(), first, last, error)
            try:
                main(self._arguments(self._scenario.command, folder))
            finally:
                self._driver.shim.shim_unwatch()

        return self._driver.run(act)

    def _arguments(self, command: str, folder: Path) -> list[str]:
        return self._driver.arguments(command, folder, self._scenario.strategy)

    def _go_on(self, found: Injection, folder: Path) -> None:
        """With what the user was told to do, else with the same again."""
        told = found.status == 0 or f"evo-snn resume {folder}" in found.said
        found.next = "resume" if told else self._scenario.command
        try:
            run_here(self._arguments(found.next, folder))
            assert_equal_runs(folder, self._whole)
            problems = check(folder).problems
            assert not problems, problems
            names = [sorted(one.name for one in each.iterdir()) for each in (folder, self._whole)]
            assert names[0] == names[1], names
        except (AssertionError, SystemExit) as error:
            found.difference = f"{type(error).__name__}: {error}"


def _report(path: Path) -> None:
    """From here on, append to ``path`` the key of each candidate whose recording has returned."""
    original = Store.record

    def record(self: Store, candidate: Any, *args: Any, **kwargs: Any) -> None:
        original(self, candidate, *args, **kwargs)
        with path.open("a") as file:
            file.write(f"{candidate.key}\n")

    Store.record = record  # type: ignore[method-assign]


def _lost(folder: Path, reported: set[str]) -> list[str]:
    if not reported:
        return []
    with Store.open(folder) as store:
        kept = {one.key for one in store.candidates() if one.state == "ok"}
        return sorted((reported - kept) | set(store.damaged_weights()))


def spread(count: int, wanted: int, phase: int) -> list[int]:
    """At most ``wanted`` of the numbers 1 to ``count``, evenly spread; phases fill the gaps."""
    step = max(1.0, count / wanted)
    return sorted({min(count, 1 + int((k + phase / PHASES) * step)) for k in range(wanted)})


def all_faults(driver: Driver, once: int, lasting: int) -> Iterator[Injection]:
    """Faults of every scenario.

    Args:
        driver: who injects them.
        once: how many calls of a scenario fail once with each error.
        lasting: from how many calls on every further one fails with each error.
    """
    for scenario in SCENARIOS:
        faults = Faults(driver, scenario)
        count = faults.calls()
        gc.freeze()  # what children share stays shared
        for phase, (error, wanted) in enumerate(itertools.product(ERRORS, (once, lasting))):
            for number in spread(count, wanted, phase):
                yield faults.inject(error, number, lasting=phase % 2 == 1)
