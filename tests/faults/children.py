"""One process that has imported everything, and forked children that run commands in it.

Evaluations are remembered by all that they depend on, inherited weights included, so that a search
costs little more than its writes.
"""

import ctypes
import hashlib
import itertools
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evo_snn import connection, search, workers
from evo_snn.commands import main
from evo_snn.config import Config
from evo_snn.config_file import load_config, to_toml
from evo_snn.evaluation import EvaluationSettings, Outcome, Task
from evo_snn.plan import Plan
from tests.evo_snn.searches import TINY

NEVER = 2**62  # a number of a call that no search comes to
KILLED = 9
UNEXPECTED = 70  # exit status of a child that ended otherwise than by a command's own status
LAST_EVALUATION = 6
SETTINGS = {
    "search.population": 4,
    "search.offspring": 2,
    "search.generations": 2,
    "training.steps": 1,
    "training.evaluations": 1,
}


class RememberedEvaluations:
    """Evaluations are pure functions: each is done once, in the undisturbed searches.

    Attributes:
        complete: whether what is not remembered is an error.
        before: called before each.
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[Any, ...], Outcome] = {}
        self.evaluate = workers.evaluate
        self.complete = False
        self.before: Callable[[], None] = lambda: None

    def forget(self) -> None:
        """From here on, evaluate everything."""
        self._outcomes = {}
        self.complete = False

    def __call__(self, task: Task, settings: EvaluationSettings) -> Outcome:
        self.before()
        sources = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in task.sources)
        what = (task.key, task.seed, sources)
        if what not in self._outcomes:
            assert not self.complete, "an evaluation that no undisturbed search does"
            self._outcomes[what] = self.evaluate(task, settings)
        return self._outcomes[what]


class RememberedPlans:
    """What a configuration names is looked up once."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._make_plan = search.make_plan

    def __call__(self, config: Config, **given: Any) -> Plan:
        what = config.model_dump_json()
        if what not in self._plans:
            self._plans[what] = self._make_plan(config, **given)
        return self._plans[what]


@dataclass
class Ended:
    """How a child ended.

    Attributes:
        process: its number.
        status: its exit status.
        said: what it wrote on standard error.
        printed: what it wrote on standard output.
        calls: how many calls concerned the folder that was watched.
        failed: the first call that failed, with its file.
    """

    process: int
    status: int
    said: str
    printed: str
    calls: int = 0
    failed: str = ""


@dataclass
class Driver:
    """The process that everything is forked from.

    Attributes:
        shim: the library that `shim.c` is compiled to, preloaded.
        base: a folder for everything.
    """

    shim: ctypes.CDLL
    base: Path
    evaluations: RememberedEvaluations = field(default_factory=RememberedEvaluations)

    def __post_init__(self) -> None:
        self.shim.shim_watch.argtypes = [ctypes.c_char_p, *[ctypes.c_long] * 2, ctypes.c_int]
        self.shim.shim_shift_clock.argtypes = [ctypes.c_long] * 2
        self.shim.shim_calls.restype = ctypes.c_long
        self.shim.shim_failed.restype = ctypes.c_char_p
        workers.evaluate = self.evaluations
        search.make_plan = RememberedPlans()
        self._numbers = itertools.count()

    def new_folder(self) -> Path:
        return self.base / f"run-{next(self._numbers)}"

    def arguments(self, command: str, folder: Path, strategy: str) -> list[str]:
        """A command's line."""
        if command == "resume":
            return ["resume", str(folder), "--no-figures"]
        config = self.base / f"{strategy}.toml"
        if not config.exists():
            overrides = {**SETTINGS, "inheritance.strategy": strategy}
            config.write_text(to_toml(load_config(TINY, overrides)))
        return ["evolve", str(config), "--out", str(folder), "--no-figures"]

    def whole(self, strategy: str) -> Path:
        """A new undisturbed run, whose evaluations are remembered."""
        folder = self.new_folder()
        self.evaluations.complete = False
        run_here(self.arguments("evolve", folder, strategy))
        self.evaluations.complete = True
        return folder

    def stopped(self, strategy: str) -> Path:
        """A new run that was killed in its second generation."""
        folder, count = self.new_folder(), itertools.count(1)

        def kill() -> None:
            if next(count) == LAST_EVALUATION:
                os._exit(KILLED)

        def act() -> None:
            self.evaluations.before = kill
            main(self.arguments("evolve", folder, strategy))

        ended = self.run(act)
        assert ended.status == KILLED, ended.said
        return folder

    def run(self, act: Callable[[], object]) -> Ended:
        """Fork a child that calls ``act``, and wait until it ends."""
        return self.ended(self.child(act))

    def child(self, act: Callable[[], object]) -> int:
        """Fork a child that calls ``act``; its number."""
        number = os.fork()
        if number:
            return number
        place = self._place(os.getpid())
        place.mkdir()
        status = UNEXPECTED
        try:
            for descriptor, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT), descriptor)
            # made before the child may become somebody who can make nothing
            notes = os.open(place / "notes", os.O_WRONLY | os.O_CREAT)
            status = _status(act)
            calls, failed = self.shim.shim_calls(), self.shim.shim_failed().decode()
            os.write(notes, json.dumps({"calls": calls, "failed": failed}).encode())
        finally:
            os._exit(status)

    def ended(self, number: int) -> Ended:
        """Wait until a child ends."""
        _, status = os.waitpid(number, 0)
        return self.gathered(number, status)

    def gathered(self, number: int, status: int) -> Ended:
        """What a child left that was waited for."""
        place = self._place(number)
        notes = (place / "notes").read_text()
        ended = Ended(
            number,
            os.waitstatus_to_exitcode(status),
            (place / "stderr").read_text(),
            (place / "stdout").read_text(),
            **(json.loads(notes) if notes else {}),
        )
        shutil.rmtree(place)
        return ended

    def _place(self, number: int) -> Path:
        return self.base / f"child-{number}"


def _status(act: Callable[[], object]) -> int:
    try:
        act()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else UNEXPECTED
    except BaseException:  # noqa: BLE001 - a test reads it
        traceback.print_exc()
        return UNEXPECTED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def run_here(arguments: list[str]) -> None:
    """A command that must end well."""
    try:
        main(arguments)
    except SystemExit as end:
        if end.code != 0:
            raise


def use_journal(kind: str) -> None:
    """Let the store take a folder for one of this machine ("wal") or of a network ("delete")."""
    connection.is_local = lambda _: kind == "wal"
