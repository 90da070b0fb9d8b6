"""Workers that fail, die, hang or take all memory: the search goes on, and says what happened."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evo_snn.config import DataSection, TrainingSection, WorkersSection
from evo_snn.evaluation import EvaluationSettings, Task
from evo_snn.run import Run
from evo_snn.search import resume
from evo_snn.store import Store
from evo_snn.training import data_digest, dataset
from evo_snn.workers import Workers
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import load_chip
from tests.evo_snn.searches import assert_equal_runs, search

ROOT = Path(__file__).parents[2]
LOKY = {"workers__backend": "loky", "workers__jobs": 2}
COSTS = ("area_mm2", "energy_uj")


def plugin(folder: Path, body: str) -> str:
    """A file with the objective ``odd``, which misbehaves for candidates with an even key.

    ``first`` is true once for each candidate, whatever process asks.
    """
    path = folder / "odd.py"
    path.write_text(
        textwrap.dedent("""
            import os, signal, time
            from pathlib import Path
            import numpy as np
            import evo_snn

            HERE = Path(__file__).parent

            @evo_snn.objective(maximise=False, unit="one")
            def odd(candidate):
                mark = HERE / f"{candidate.key}.{candidate.metrics['tiles']}"
                first = not mark.exists()
                mark.touch()
                chosen = int(candidate.key, 16) % 2 == 0
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\n    return 1.0\n"
    )
    return str(path)


def faulty(tmp_path: Path, body: str, **settings: Any) -> Run:
    """A search with an objective that misbehaves."""
    return search(
        tmp_path / "run",
        objectives__names=["accuracy", *COSTS, "odd"],
        objectives__plugins=[plugin(tmp_path, body)],
        **{**LOKY, "search__generations": 2, **settings},
    )


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The search with the objective, when nothing happens."""
    return faulty(tmp_path_factory.mktemp("calm"), "pass", workers__backend="sequential")


def outcomes(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Candidates that were to fail, and the others."""
    with Store.open(run.folder) as store:
        found = {one.key: one for one in store.candidates()}
    chosen = {key: one for key, one in found.items() if int(key, 16) % 2 == 0}
    assert 0 < len(chosen) < len(found)
    return chosen, {key: one for key, one in found.items() if key not in chosen}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("if chosen: raise KeyError('gone')", "KeyError: 'gone'"),
        ("if chosen: raise SystemExit(3)", "SystemExit: 3"),
        ("if chosen: raise type('Odd', (BaseException,), {})()", "Odd:"),
        ("if chosen: return float('nan')", "returned nan; allowed: a finite number"),
        ("if chosen: return float('inf')", "returned inf; allowed: a finite number"),
        ("if chosen: return 'much'", "returned 'much'; allowed: a finite number"),
        ("if chosen: return '1.0'", "returned '1.0'; allowed: a finite number"),
        ("if chosen: return None", "returned None; allowed: a finite number"),
        ("if chosen: return np.ones(3)", "returned array([1., 1., 1.]); allowed: a finite"),
        ("if chosen: return 10 ** 400", "allowed: a finite number"),
    ],
)
def test_what_raises_twice_is_failed_and_the_search_goes_on(
    tmp_path: Path, body: str, text: str
) -> None:
    run = faulty(tmp_path, body, workers__backend="sequential")
    bad, good = outcomes(run)
    assert {one.state for one in good.values()} == {"ok"}
    for candidate in bad.values():
        assert candidate.state == "failed"
        assert "odd.py" in candidate.failure or "evaluation.py" in candidate.failure
        attempts = candidate.circumstances["attempts"]
        assert [one["kind"] for one in attempts] == ["raised", "raised"]
        assert all(text in one["text"] for one in attempts)
    assert not set(bad) & set(run.front()["key"])
    with Store.open(run.folder) as store:
        failures = [event.key for event in store.events() if event.kind == "failure"]
        assert all(failures.count(key) == 2 for key in bad)


UNSENDABLE = """
    import evo_snn.evaluation
    def unsendable(self, protocol, key=candidate.key):
        if self.key == key:
            raise MemoryError("none left to send it with")
        return object.__reduce_ex__(self, protocol)
    evo_snn.evaluation.Outcome.__reduce_ex__ = unsendable
"""
FAULTS = {
    # what a candidate does: (kind and part of the line of each attempt)
    "os.kill(os.getpid(), signal.SIGKILL if first else signal.SIGABRT)": [
        ("worker died", "SIGKILL"),
        ("worker died", "SIGABRT"),
        ("worker died", "SIGABRT"),
    ],
    "[bytearray(10 ** 9) for _ in range(10 ** 6)]": [("out of memory", "MemoryError")] * 2,
    "raise KeyboardInterrupt('nobody pressed it')": [("raised", "nobody pressed it")] * 2,
    UNSENDABLE: [("out of memory", "none left to send it with")] * 2,
    "if first: time.sleep(10 ** 6)": [
        ("timed out", "longer than workers.timeout_seconds = 30"),
    ],
}


def test_what_kills_its_worker_hangs_or_takes_all_memory_is_failed(
    calm: Run, tmp_path: Path
) -> None:
    founders = calm.candidates().query("generation == 0")["key"].tolist()
    faults = dict(zip(founders[1:], FAULTS, strict=False))
    assert len(faults) == len(FAULTS)
    branches = "\n".join(
        f"if candidate.key == {key!r}:\n{textwrap.indent(textwrap.dedent(fault), '    ')}"
        for key, fault in faults.items()
    )
    run = faulty(
        tmp_path,
        branches,
        search__generations=1,
        workers__jobs=1,  # so that it is known what each attempt ended with
        workers__timeout_seconds=30.0,  # far more than an evaluation takes
        workers__memory_gb=4.0,
    )
    with Store.open(run.folder) as store:
        found = {one.key: one for one in store.candidates()}
        events = store.events()
    assert sorted(found) == sorted(founders)
    for key, candidate in found.items():
        attempts = FAULTS[faults[key]] if key in faults else []
        told = [event.text for event in events if event.kind == "failure" and event.key == key]
        assert len(told) == len(attempts)
        assert all(f": {kind}: " in line and text in line
                   for (kind, text), line in zip(attempts, told, strict=True))  # fmt: skip
        if len(attempts) < 2:  # once is never
            assert candidate.state == "ok"
            assert candidate.metrics == calm.candidate(key).metrics
            continue
        assert candidate.state == "failed"
        kept = [one["kind"] for one in candidate.circumstances["attempts"]]
        assert kept == [kind for kind, _ in attempts]
        assert "odd.py" in candidate.failure  # also where it crashed


@pytest.mark.parametrize(
    ("fault", "backend"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "loky"),
        ("raise OSError('away for a moment')", "sequential"),
    ],
)
def test_what_fails_once_is_as_if_it_had_not(
    calm: Run, tmp_path: Path, fault: str, backend: str
) -> None:
    keys = set(calm.candidates()["key"].iloc[[1, 7]])  # one of either generation
    body = f"if candidate.key in {keys} and first: {fault}"
    run = faulty(tmp_path, body, workers__backend=backend)
    assert_equal_runs(run, calm)
    with Store.open(run.folder) as store:
        assert {event.key for event in store.events()} >= keys


@pytest.mark.parametrize("error", ["KeyError('gone')", "KeyboardInterrupt"])
def test_threads_bear_what_raises(tmp_path: Path, error: str) -> None:
    run = faulty(tmp_path, f"if chosen: raise {error}", workers__backend="threading")
    bad, good = outcomes(run)
    assert {one.state for one in bad.values()} == {"failed"}
    assert {one.state for one in good.values()} == {"ok"}


def test_one_process_is_a_process_of_its_own(tmp_path: Path) -> None:
    run = faulty(tmp_path, f"if chosen and os.getpid() == {os.getpid()}: os._exit(9)",
                 workers__jobs=1)  # fmt: skip
    assert set(run.candidates()["state"]) == {"ok"}


DRIVER = """
import sys
from pathlib import Path
from tests.evo_snn.test_workers import faulty
faulty(Path(sys.argv[1]), sys.argv[3], workers__backend=sys.argv[2], search__generations=500)
"""
ONE_HOLDS_THE_INTERPRETER = """
try:
    (HERE / "held").mkdir()
except FileExistsError:
    pass
else:
    sum(range(10 ** 12))
"""
ALL_GO_ON_FOR_EVER = """
(HERE / "held").mkdir(exist_ok=True)
while True:
    time.sleep(0.01)
"""


def drive(folder: Path, backend: str, body: str) -> subprocess.Popen[str]:
    """A search in a process of its own, which has a candidate that is held up."""
    command = [sys.executable, "-c", DRIVER, str(folder), backend, body]
    driver = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (folder / "held").exists():
        assert driver.poll() is None
        time.sleep(0.05)
    return driver


def children(process: int) -> set[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return {int(each) for each in path.read_text().split()}


def workers_of(process: int) -> set[int]:
    """Those of its children that evaluate; the others are loky's and the standard library's."""
    lines = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in children(process)}
    return {one for one, line in lines.items() if b"popen_loky" in line}


def blocked_signals(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(dict(line.split(":\t") for line in lines)["SigBlk"], 16)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_no_worker_outlives_a_killed_driver(tmp_path: Path) -> None:
    driver = drive(tmp_path, "loky", ONE_HOLDS_THE_INTERPRETER)
    folder = tmp_path / "run"
    while Run(folder).candidates().empty:
        assert driver.poll() is None
        time.sleep(0.05)
    started = children(driver.pid)
    blocked = [blocked_signals(one) for one in workers_of(driver.pid)]
    driver.kill()
    driver.wait()
    assert driver.stderr is not None
    driver.stderr.close()
    # Ctrl-C was kept from them before they could say anything of it
    assert [mask >> signal.SIGINT - 1 & 1 for mask in blocked] == [1, 1]
    deadline = time.monotonic() + 60
    while any(map(is_alive, started)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, started))
    short = {"workers.backend": "sequential"}
    run = resume(folder, generations=len(Run(folder).generations()) + 1, overrides=short)
    assert run.candidates()["key"].is_unique


def test_a_second_interrupt_ends_threads_at_once(tmp_path: Path) -> None:
    driver = drive(tmp_path, "threading", ALL_GO_ON_FOR_EVER)
    assert driver.stderr is not None
    driver.send_signal(signal.SIGINT)
    while "stopping when" not in driver.stderr.readline():
        assert driver.poll() is None
    driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=300)
    assert "everything that was evaluated is stored" in errors
    assert errors.count("Traceback") == 1  # the driver's own
    assert "terminate" not in errors
    assert driver.returncode == -signal.SIGINT


def test_processes_that_may_start_none_are_refused_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(RequestError, match=r"workers\.backend: got 'loky'; allowed: threading or"):
        search(tmp_path / "run", **LOKY)
    assert not (tmp_path / "run").exists()
    assert len(search(tmp_path / "run", search__generations=1).candidates()) == 6


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_neither_a_worker_that_dies_idle_nor_tidied_temporary_files_harm_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = EvaluationSettings(
        data=DataSection(name="digits"),
        data_digest=data_digest(dataset(DataSection(name="digits"))),
        training=TrainingSection(steps=1, batch_size=8, evaluations=1),
    )
    space = make_space("plain", (1, 8, 8), 10, {"max_stages": 1, "widths": [4]})
    tasks = [
        Task(space.key(one), tuple(one.tolist()), space.decode(one), load_chip("rram_32nm"), (), 1)
        for one in space.sample(3, np.random.default_rng(0))
    ]
    with Workers(WorkersSection(backend="loky", jobs=1), settings) as workers:
        found = list(workers.run(tasks[:1]))
        for folder in tmp_path.glob("evo-snn-*"):
            shutil.rmtree(folder)
        assert not list(tmp_path.iterdir())
        found += workers.run(tasks[1:2])
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)
        found += workers.run(tasks[2:])
    assert [one.failure for one in found] == [None] * 3
    assert [one.failures for one in found[:2]] == [()] * 2  # the last may have met the dead one
