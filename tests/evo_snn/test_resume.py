"""Runs that stop anywhere and go on: what comes out is what an uninterrupted run gives."""

import itertools
import logging
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evo_snn.integrity import check
from evo_snn.run import Run, open_run
from evo_snn.search import ReplayError, SearchFailedError, resume
from evo_snn.store import Store, StoreWriteError
from genomes.errors import RequestError
from tests.evo_snn.searches import assert_equal_runs, search

STRATEGIES = ("none", "parents", "shared", "nearest")
ALGORITHMS = ("nsga2", "sms-emoa")
# One objective has a front of one design, so that most of the population is not on it.
CROWDED: Mapping[str, Any] = {"objectives__names": ["accuracy"]}


class Stopped(BaseException):
    """What a test stops a search with: no code of ours expects it, as it expects no kill."""


def stop_after(monkeypatch: pytest.MonkeyPatch, calls: int, name: str = "record") -> None:
    """Let a method of the store work so often, and then stop the search."""
    original, count = getattr(Store, name), itertools.count(1)

    def stopping(self: Store, *args: Any, **kwargs: Any) -> Any:
        if next(count) > calls:
            raise Stopped
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Store, name, stopping)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Run]:
    """Uninterrupted runs by algorithm and inheritance."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        (algorithm, strategy): search(
            folder / f"{algorithm}-{strategy}",
            search__algorithm=algorithm,
            inheritance__strategy=strategy,
        )
        for algorithm in ALGORITHMS
        for strategy in STRATEGIES
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_stopped_after_any_candidate_a_run_goes_on_to_the_same_end(
    whole: dict[tuple[str, str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    algorithm: str,
    strategy: str,
) -> None:
    settings = {"search__algorithm": algorithm, "inheritance__strategy": strategy}
    expected = whole[algorithm, strategy]
    folder = tmp_path / "run"
    stops = (0, 3, 6, 8, 10) if (algorithm, strategy) == ("nsga2", "parents") else (4, 9)
    with monkeypatch.context() as patched:
        stop_after(patched, stops[0])
        with pytest.raises(Stopped):
            search(folder, **settings)
    for before, after in itertools.pairwise(stops):
        with monkeypatch.context() as patched:
            stop_after(patched, after - before)
            with pytest.raises(Stopped):
                resume(folder)
        with Store.open(folder) as store:
            assert len(store.candidates()) == after  # nothing finished was evaluated twice
    assert_equal_runs(resume(folder), expected)


@pytest.mark.parametrize("name", ["record_generation", "prune_weights"])
@pytest.mark.parametrize("strategy", ["parents", "shared"])
def test_stopped_between_generations_a_run_goes_on_to_the_same_end(
    whole: dict[tuple[str, str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
    name: str,
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        stop_after(patched, 1, name)
        with pytest.raises(Stopped):
            search(folder, inheritance__strategy=strategy)
    assert_equal_runs(resume(folder), whole["nsga2", strategy])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_generations_extended_to_four_are_four_at_once(
    whole: dict[tuple[str, str], Run], tmp_path: Path, algorithm: str, strategy: str
) -> None:
    settings = {"search__algorithm": algorithm, "inheritance__strategy": strategy}
    short = search(tmp_path / "run", search__generations=2, **settings)
    longer = resume(short.folder, generations=4)
    assert longer.config.search.generations == 4
    assert_equal_runs(longer, whole[algorithm, strategy])


@pytest.mark.parametrize(("backend", "jobs"), [("threading", 3), ("loky", 2)])
def test_a_run_can_go_on_with_other_workers(
    whole: dict[tuple[str, str], Run], tmp_path: Path, backend: str, jobs: int
) -> None:
    search(tmp_path / "run", search__generations=1)
    workers = {"workers.backend": backend, "workers.timeout_seconds": 600.0}
    longer = resume(tmp_path / "run", generations=4, jobs=jobs, overrides=workers)
    assert (longer.config.workers.backend, longer.config.workers.jobs) == (backend, jobs)
    assert_equal_runs(longer, whole["nsga2", "parents"])


def test_a_finished_run_stays_as_it_is(whole: dict[tuple[str, str], Run], tmp_path: Path) -> None:
    run = search(tmp_path / "run")
    assert_equal_runs(resume(run.folder), whole["nsga2", "parents"])
    with Store.open(run.folder) as store:
        assert [session.outcome for session in store.sessions()] == ["finished", "finished"]


def test_fewer_generations_than_are_finished_are_refused(tmp_path: Path) -> None:
    run = search(tmp_path / "run", search__generations=2)
    with pytest.raises(RequestError, match="--generations: got 1; allowed: 2 or more"):
        resume(run.folder, generations=1)


@pytest.mark.parametrize("key", ["training.steps", "search.seed", "objectives.names", "nonsense"])
def test_what_a_result_depends_on_is_fixed(tmp_path: Path, key: str) -> None:
    run = search(tmp_path / "run", search__generations=1)
    before = (run.folder / "config.toml").read_bytes()
    with pytest.raises(RequestError, match=f"--set: got '{key}'; allowed: keys of workers"):
        resume(run.folder, overrides={key: 3})
    assert (run.folder / "config.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("steps = 4", "steps = 9", "training.steps"),
        ("seed = 1", "seed = 2", "search.seed"),
        ('strategy = "parents"', 'strategy = "none"', "inheritance.strategy"),
        ("max_stages = 2", "max_stages = 3", "space.max_stages"),
    ],
)
def test_a_configuration_edited_since_is_refused_by_its_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    run = search(tmp_path / "run", search__generations=1)
    path = run.folder / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(RequestError, match=f"config.toml: {key}: got .* as the run began"):
        resume(run.folder, generations=2)
    assert {problem.kind for problem in check(run.folder).problems} == {"configuration"}
    path.write_text(text.replace("jobs = 1", "jobs = 2"))  # who works on it is free
    assert not check(run.folder).problems
    assert resume(run.folder, generations=2).config.workers.jobs == 2


def test_a_refused_resume_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    run = search(tmp_path / "run", search__generations=2, weights__keep="front", **CROWDED)
    before = (run.folder / "config.toml").read_bytes()
    with pytest.raises(RequestError, match="--generations"):
        resume(run.folder, generations=5)
    assert (run.folder / "config.toml").read_bytes() == before
    with Store.open(run.folder) as store:
        assert [session.outcome for session in store.sessions()] == ["finished"]
    resume(run.folder)


def test_a_stopped_session_has_no_end_and_an_interrupted_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        original = Store.record

        def interrupting(self: Store, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            if self._database.execute("SELECT count(*) FROM candidate").fetchone() == (3,):
                os.kill(os.getpid(), signal.SIGINT)

        patched.setattr(Store, "record", interrupting)
        with pytest.raises(KeyboardInterrupt) as interrupt:
            search(folder)
    assert "evo-snn resume" in interrupt.value.__notes__[0]
    with Store.open(folder) as store:
        assert len(store.candidates()) == 3
        assert [session.outcome for session in store.sessions()] == ["interrupted"]
    resume(folder)
    with Store.open(folder) as store:
        assert [session.outcome for session in store.sessions()] == ["interrupted", "finished"]


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_the_first_interrupt_lets_running_evaluations_finish(
    whole: dict[tuple[str, str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
) -> None:
    folder = tmp_path / "run"

    original = Store.record

    def interrupting(self: Store, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not interrupted.is_set():  # the other job is at work meanwhile
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)

    interrupted = threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(Store, "record", interrupting)
        with pytest.raises(KeyboardInterrupt):
            search(folder, workers__backend=backend, workers__jobs=2, training__steps=4)
    with Store.open(folder) as store:
        assert 1 <= len(store.candidates()) < 18
        assert store.sessions()[-1].outcome == "interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    workers = {"workers.backend": "sequential", "workers.jobs": 1}
    assert_equal_runs(resume(folder, overrides=workers), whole["nsga2", "parents"])


def test_another_environment_is_said_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = search(tmp_path / "run", search__generations=1)
    with Store.open(run.folder) as store:
        environment = {**store.meta("environment"), "torch": "9.9", "cpu_capability": "Z80"}
    monkeypatch.setattr("evo_snn.search.current_environment", lambda _: environment)
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    with caplog.at_level(logging.WARNING, logger="evo_snn"):
        resume(run.folder, generations=2)
    assert "cpu_capability: was" in caplog.text
    with Store.open(run.folder) as store:
        assert {event.kind for event in store.events()} == {"environment"}
        assert any("torch: was" in event.text for event in store.events())
        assert store.sessions()[-1].environment == environment
        assert store.meta("environment")["torch"] != "9.9"  # what the run began with stays


def test_what_cannot_be_repeated_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = search(tmp_path / "run", search__generations=2)
    with Store.open(run.folder, read_only=False) as store:
        one, other, *_ = store.generations()[1].keys
        with store._transaction() as database:
            for key, place in ((one, 90), (other, 0), (one, 1)):
                database.execute(
                    "UPDATE asked SET position = ? WHERE generation = 1 AND key = ?", (place, key)
                )
    with pytest.raises(ReplayError, match="generation 1 .* cannot be repeated"):
        resume(run.folder, generations=3)
    assert open_run(run.folder).generations().shape[0] == 2


def test_failures_of_an_unfinished_generation_are_tried_again(
    whole: dict[tuple[str, str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:

        def failing(*_: Any, **__: Any) -> None:
            raise OSError("the disk of the data is away")

        patched.setattr("evo_snn.evaluation.device_samples", failing)
        with pytest.raises(SearchFailedError, match="all candidates of generation 0 failed, 6 ev"):
            search(folder)
    with Store.open(folder) as store:
        failed = store.candidates()
        assert [one.state for one in failed] == ["failed"] * 6
        attempts = failed[0].circumstances["attempts"]
        assert [one["kind"] for one in attempts] == ["raised", "raised"]
        assert attempts[0]["text"] == "OSError: the disk of the data is away"
        assert attempts[0]["process"] == os.getpid()
        assert store.sessions()[-1].outcome.startswith("failed: SearchFailedError: all cand")
    assert_equal_runs(resume(folder), whole["nsga2", "parents"])


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_damaged_weights_are_found_before_anything_is_done(tmp_path: Path, damage: str) -> None:
    run = search(tmp_path / "run", search__generations=2)
    path = sorted((run.folder / "weights").glob("*.safetensors"))[0]
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        changed = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else changed)
    with pytest.raises(RequestError, match=rf"weights of {path.stem}: .*--repair forgets them"):
        resume(run.folder, generations=3)
    path.write_bytes(content)
    resume(run.folder, generations=3)


def test_weights_that_vanish_in_mid_run_stop_it_and_blame_no_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evo_snn.generation import DamagedRunError

    folder = tmp_path / "run"
    original = Store.prune_weights

    def losing(self: Store, keep: set[str]) -> None:
        original(self, keep)
        for path in (self.folder / "weights").glob("*.safetensors"):
            path.write_bytes(b"torn")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "prune_weights", losing)
        with pytest.raises(DamagedRunError, match="cannot be read: put it back, or let evo-snn"):
            search(folder)
    assert (open_run(folder).candidates()["state"] == "ok").all()


def test_weights_of_the_front_alone_do_not_breed(tmp_path: Path) -> None:
    run = search(tmp_path / "run", search__generations=2, weights__keep="front", **CROWDED)
    with pytest.raises(RequestError, match=r"--generations: got 3; allowed: 2, the finished ones"):
        resume(run.folder, generations=3)
    alone = search(
        tmp_path / "none",
        search__generations=2,
        weights__keep="front",
        inheritance__strategy="none",
    )
    assert len(resume(alone.folder, generations=3).generations()) == 3


def test_a_full_disk_stops_a_run_that_can_go_on(
    whole: dict[tuple[str, str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    original, count = Store.record, itertools.count()

    def filling(self: Store, *args: Any, **kwargs: Any) -> None:
        if next(count) == 7:
            pages = self._database.execute("PRAGMA page_count").fetchone()[0]
            self._database.execute(f"PRAGMA max_page_count = {pages}")
        original(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "record", filling)
        with pytest.raises(StoreWriteError, match=r"full. What was stored before is intact: mend"):
            search(folder)
    assert_equal_runs(resume(folder), whole["nsga2", "parents"])


def test_a_run_that_is_being_written_is_not_resumed(tmp_path: Path) -> None:
    run = search(tmp_path / "run", search__generations=1)
    with (
        Store.open(run.folder, read_only=False),
        pytest.raises(RequestError, match=rf"process {os.getpid()} on .*: wait until it ends"),
    ):
        resume(run.folder)


def test_a_run_holds_its_chip_and_its_plugins_and_finds_data_that_moved(tmp_path: Path) -> None:
    chip, plugin, data = tmp_path / "mine.toml", tmp_path / "mine.py", tmp_path / "images.npz"
    size = "[parameters.crossbar_rows]\nvalue = 32\nsource = 'a test'\n"
    chip.write_text(f'inherits = "rram_32nm"\n{size}')
    plugin.write_text(
        "import evo_snn\n@evo_snn.objective(maximise=False)\ndef tiles_again(candidate):\n"
        "    return candidate.metrics['tiles']\n"
    )
    rng = np.random.default_rng(0)
    images, labels = rng.random((60, 6, 6), dtype=np.float32), np.arange(60) % 3
    np.savez(data, x_train=images, y_train=labels, x_test=images, y_test=labels)
    settings = {
        "hardware__chip": str(chip),
        "objectives": {"names": ["accuracy", "tiles_again"], "plugins": [str(plugin)]},
        "data": {"name": "npz", "path": str(data)},
    }
    expected = search(tmp_path / "whole", search__generations=3, **settings)
    search(tmp_path / "run", search__generations=1, **settings)
    chip.unlink()
    plugin.write_text("raise RuntimeError('edited since')")
    data.rename(tmp_path / "moved.npz")

    with pytest.raises(RequestError, match=r"data.path: got .*images.npz"):
        resume(tmp_path / "run", generations=3)
    moved = {"data.path": str(tmp_path / "moved.npz")}
    assert_equal_runs(resume(tmp_path / "run", generations=3, overrides=moved), expected)

    np.savez(data, x_train=images[::-1], y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(RequestError, match="data: got 'another one than the run began with'"):
        resume(tmp_path / "run", generations=4, overrides={"data.path": str(data)})


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_weights_that_a_stopped_session_did_not_come_to_forget_are_forgotten(
    whole: dict[tuple[str, str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Stopped between a generation, the last one too, and the pruning that follows it."""
    with monkeypatch.context() as patched:
        stop_after(patched, stop - 1, "prune_weights")
        with pytest.raises(Stopped):
            search(tmp_path / "run")
    with Store.open(tmp_path / "run") as store:
        assert len(store.generations()) == stop
    assert_equal_runs(resume(tmp_path / "run"), whole["nsga2", "parents"])
