import json
import logging
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evo_snn import connection
from evo_snn.candidate import Candidate, ObjectiveRecord, Rung
from evo_snn.connection import connect_writer
from evo_snn.filesystem import (
    WriterLock,
    filesystem_type,
    is_local,
    lock_holder,
    write_atomically,
)
from evo_snn.integrity import check
from evo_snn.schema import FORMAT_VERSION
from evo_snn.sessions import Event
from evo_snn.store import DATABASE, GenerationRecord, Store, StoreWriteError
from genomes.errors import RequestError

OBJECTIVES = [
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
]
DESCRIPTION = {
    "config_toml": '[data]\nname = "digits"\n',
    "environment": {"torch": "2.0", "python": "3.11"},
    "space": {"name": "plain", "version": 1, "genes": []},
    "objectives": OBJECTIVES,
    "constraints": {"area_mm2": 3.0},
}


def make(folder, **changes):
    return Store.create(folder, **{**DESCRIPTION, **changes})


def candidate(key, **changes):
    fields = {
        "key": key,
        "genome": (1, 0, 2),
        "parents": (),
        "generation": 0,
        "state": "ok",
        "metrics": {"accuracy": 0.5, "area_mm2": 2.0},
    } | changes
    return Candidate(**fields)


def test_what_was_recorded_comes_back(tmp_path):
    first = candidate("aa", seconds={"training": 1.25}, trained=True, training_steps=60)
    second = candidate(
        "bb",
        genome=(0, 3, 1),
        parents=("aa", "aa"),
        generation=1,
        state="infeasible",
        violations={"area_mm2": 0.5},
        architecture={"layers": [{"kernel": [3, 3]}], "name": "µ"},
        workload={"timesteps": 4},
    )
    third = candidate("cc", state="failed", metrics={}, failure="Traceback …\nValueError: no")
    with make(tmp_path / "run") as store:
        for each in (first, second, third):
            store.record(each)
        store.record_generation(0, ["aa", "cc", "aa"], 0.25, 1.5)
        store.record_generation(1, ["bb"], None, 2.0)
        store.set_meta("hypervolume_box", {"accuracy": [1.0, 0.0]})

    with Store.open(tmp_path / "run") as store:
        assert store.candidates() == [first, second, third]
        assert store.candidate("b") == second
        light = store.candidates(details=False)[1]
        assert (light.architecture, light.workload) == ({}, None)
        assert (light.metrics, light.parents) == (second.metrics, second.parents)
        assert store.objectives() == OBJECTIVES
        assert store.generations() == [
            GenerationRecord(0, ("aa", "cc", "aa"), 0.25, 1.5),
            GenerationRecord(1, ("bb",), None, 2.0),
        ]
        assert store.meta("hypervolume_box") == {"accuracy": [1.0, 0.0]}
        assert store.meta("space") == DESCRIPTION["space"]
        assert store.meta("constraints") == {"area_mm2": 3.0}
        assert store.meta("nothing", 7) == 7


def test_the_configuration_is_kept_with_the_environment(tmp_path):
    make(tmp_path).close()

    document = tomllib.loads((tmp_path / "config.toml").read_text())

    assert document == {"data": {"name": "digits"}, "environment": DESCRIPTION["environment"]}


keys = st.text("0123456789abcdef", min_size=4, max_size=16)
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.dictionaries(st.text(max_size=8), finite, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.text(), values, max_size=3)


@st.composite
def lineages(draw):
    """Candidates whose parents come before them."""
    found = []
    for key in draw(st.lists(keys, min_size=1, max_size=6, unique=True)):
        known = [each.key for each in found]
        parents = draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
        state = draw(st.sampled_from(["ok", "infeasible", "failed"]))
        found.append(
            Candidate(
                key=key,
                genome=tuple(draw(st.lists(st.integers(0, 10**6), max_size=5))),
                parents=tuple(parents),
                generation=draw(st.integers(0, 99)),
                state=state,
                metrics=draw(numbers),
                violations=draw(numbers),
                architecture=draw(documents),
                workload=draw(st.none() | documents),
                training_steps=draw(st.integers(0, 10**9)),
                rungs=tuple(draw(st.lists(st.builds(Rung, st.integers(1, 10**9), numbers)))),
                trained=draw(st.booleans()),
                failure=draw(st.none() | st.text()),
                seconds=draw(numbers),
            )
        )
    return found


@settings(max_examples=30)  # each writes a folder to the disk
@given(lineages())
def test_any_candidate_comes_back_bit_for_bit(found):
    with tempfile.TemporaryDirectory() as folder:
        with make(Path(folder) / "run") as store:
            for each in found:
                store.record(each, None if each.trained else each.key.encode())
        with Store.open(Path(folder) / "run") as store:
            assert store.candidates() == found
            for each in found:
                path = store.weights_path(each.key)
                assert (path is None) == each.trained
                assert path is None or path.read_bytes() == each.key.encode()


def test_a_closed_run_is_one_database_file(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"), b"weights")

    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert names == ["config.toml", "run.sqlite", "weights", "weights/aa.safetensors"]
    with Store.open(tmp_path, read_only=False) as store:
        store.record(candidate("bb"))
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "run.sqlite", "weights"}


def test_a_run_is_readable_while_it_goes_on(tmp_path):
    with make(tmp_path) as writer:
        writer.record(candidate("aa"))
        with Store.open(tmp_path) as reader:
            assert [each.key for each in reader.candidates()] == ["aa"]
            writer.record(candidate("bb"))
            assert [each.key for each in reader.candidates()] == ["aa", "bb"]


def test_a_reader_that_stays_does_not_keep_the_writer_from_closing(tmp_path):
    with make(tmp_path) as writer:
        writer.record(candidate("aa"))
        reader = Store.open(tmp_path)
        assert len(reader.candidates()) == 1
    assert len(reader.candidates()) == 1
    reader.close()
    with Store.open(tmp_path, read_only=False) as writer:
        writer.record(candidate("bb"))
    assert not list(tmp_path.glob("run.sqlite-*"))


@pytest.fixture
def slow_reader(tmp_path, monkeypatch):
    """A run on a file system without a write-ahead log, and somebody who reads and does not end."""
    monkeypatch.setattr(connection, "is_local", lambda _: False)
    monkeypatch.setattr(connection, "_SLICE_SECONDS", 0.05)
    make(tmp_path / "run").close()
    address = (tmp_path / "run" / DATABASE).as_uri()
    reader = sqlite3.connect(
        f"{address}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM meta").fetchall()
    yield reader
    reader.close()


class Warned(logging.Handler):
    """Does something at the warning, and counts them."""

    def __init__(self, do):
        super().__init__()
        self.do, self.texts = do, []

    def emit(self, record):
        self.texts.append(record.getMessage())
        self.do()


@pytest.fixture
def at_the_warning():
    logger = logging.getLogger("evo_snn")
    handlers = []

    def add(do):
        handlers.append(Warned(do))
        logger.addHandler(handlers[-1])
        return handlers[-1].texts

    yield add
    for handler in handlers:
        logger.removeHandler(handler)


def test_a_writer_waits_for_a_slow_reader(tmp_path, slow_reader, at_the_warning):
    def end_soon():  # later than one slice
        threading.Timer(0.2, slow_reader.execute, ["COMMIT"]).start()

    texts = at_the_warning(end_soon)
    with Store.open(tmp_path / "run", read_only=False) as store:
        store.record(candidate("aa"))
        assert [each.key for each in store.candidates()] == ["aa"]
    assert texts == ["run.sqlite is in use by another process: waiting for it"]


def test_waiting_for_a_reader_can_be_interrupted(tmp_path, slow_reader, at_the_warning):
    at_the_warning(lambda: signal.raise_signal(signal.SIGINT))
    with Store.open(tmp_path / "run", read_only=False) as store:
        with pytest.raises(KeyboardInterrupt):
            store.record(candidate("aa"))
        slow_reader.execute("COMMIT")
        assert store.candidates() == []
        store.record(candidate("bb"))


def test_readers_cannot_write(tmp_path):
    make(tmp_path).close()
    with Store.open(tmp_path) as store, pytest.raises(ValueError, match="reading only"):
        store.record(candidate("aa"))


def test_one_writer_at_a_time(tmp_path):
    with make(tmp_path), pytest.raises(RequestError, match="no other process is writing"):
        Store.open(tmp_path, read_only=False)
    Store.open(tmp_path, read_only=False).close()


def test_a_lock_is_taken_over_from_a_dead_process_and_a_dying_holder(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    first = WriterLock(path)
    with pytest.raises(BlockingIOError):
        WriterLock(path)
    first.release()
    first.release()
    assert not path.exists()
    WriterLock(path).release()


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(RequestError, match="a folder without a run"):
        make(tmp_path, config_toml="")

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("foreign", "text"),
    [
        ("config.toml", "mine = 1"),
        ("notes.txt", "mine"),
        (".hidden", ""),
        ("weights/mine.safetensors", "mine"),
        ("weights", "no folder"),
        ("run.sqlite-wal", "mine"),
    ],
)
def test_a_folder_of_somebody_else_is_left_alone(tmp_path, foreign, text):
    path = tmp_path / foreign
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    with pytest.raises(RequestError, match=f"a new or empty folder. It holds {foreign[:7]}"):
        make(tmp_path)

    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]
    assert path.read_text() == text


def test_what_comes_while_a_run_is_made_is_seen_once_the_lock_is_held(tmp_path, monkeypatch):
    class Late(WriterLock):
        def __init__(self, path):
            super().__init__(path)
            (tmp_path / "late.txt").touch()

    monkeypatch.setattr("evo_snn.folder.WriterLock", Late)
    with pytest.raises(RequestError, match=r"It holds late\.txt"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["late.txt"]


def test_an_empty_name_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="out: got ''; allowed: a folder"):
        make("")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="a folder"):
        make(tmp_path / "file")
    with pytest.raises(RequestError, match="a folder to write in"):
        make(tmp_path / "file" / "below")


def test_a_creation_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(
            Path, "replace", lambda path, target: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path)
    assert not (tmp_path / DATABASE).exists()

    with make(tmp_path) as store:
        assert store.candidates() == []


def test_where_there_is_no_run_it_says_so(tmp_path):
    with pytest.raises(RequestError, match=r"run folder: .*allowed: a folder with run.sqlite"):
        Store.open(tmp_path)
    (tmp_path / DATABASE).write_text("this is no database, but long enough to look at" * 99)
    with pytest.raises(RequestError, match="readable run.sqlite"):
        Store.open(tmp_path)
    with pytest.raises(RequestError, match="readable run.sqlite"):
        Store.open(tmp_path, read_only=False)
    assert not (tmp_path / "run.lock").exists()


def test_a_newer_format_is_refused(tmp_path):
    with make(tmp_path) as store:
        store.set_meta("format_version", FORMAT_VERSION + 1)
    expected = f"format_version: got {FORMAT_VERSION + 1}; allowed: {FORMAT_VERSION}. .* newer"
    for read_only in (True, False):
        with pytest.raises(RequestError, match=expected):
            Store.open(tmp_path, read_only=read_only)


def test_candidates_come_back_in_the_order_of_asking(tmp_path):
    with make(tmp_path) as store:
        for number, key in ((3, "cc"), (1, "aa"), (2, "bb")):
            store.record(candidate(key), number=number)
        assert [each.key for each in store.candidates()] == ["aa", "bb", "cc"]


def test_failures_of_an_unfinished_generation_can_be_forgotten(tmp_path):
    failed = {"state": "failed", "metrics": {}, "failure": "Oops", "circumstances": {"tries": 2}}
    with make(tmp_path) as store:
        store.record(candidate("aa", **failed))
        store.record(candidate("bb", generation=1))
        store.record(candidate("cc", generation=1, parents=("bb",), **failed))
        assert store.candidate("cc").circumstances == {"tries": 2}

        assert store.forget_failures(1) == ["cc"]

        assert [each.key for each in store.candidates()] == ["aa", "bb"]
        store.record(candidate("cc", generation=1), number=3)


def test_weights_without_a_row_are_tidied_away_by_the_next_writer(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"), b"weights")
        store.record_generation(0, ["aa"], None, 0.0, b"bank")
    folder = tmp_path / "weights"
    key = "0123456789abcdef"
    for orphan in (f"{key}.safetensors", "shared_1.safetensors", f".{key}.safetensors.tmp"):
        (folder / orphan).write_bytes(b"of a killed process")
    (tmp_path / ".config.toml.tmp").write_bytes(b"of a killed process")

    Store.open(tmp_path, read_only=False).close()

    assert {path.name for path in folder.iterdir()} == {"aa.safetensors", "shared_0.safetensors"}
    assert not (tmp_path / ".config.toml.tmp").exists()


OF_A_USER = (
    ".notes.tmp",
    "weights/best_so_far.safetensors",
    "weights/shared_best.safetensors",
    "weights/.mine.tmp",
    "weights/0123456789abcdef.safetensors.bak",
)


def test_files_of_a_user_are_left_alone_and_are_no_damage(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"), b"weights")
        store.record_generation(0, ["aa"], None, 0.0, b"bank")
    for name in OF_A_USER:
        (tmp_path / name).write_text("mine")

    with Store.open(tmp_path, read_only=False) as store:
        store.record_generation(1, ["aa"], None, 0.0, b"another bank")
        store.prune_weights(())

    assert [name for name in OF_A_USER if not (tmp_path / name).exists()] == []
    assert not (tmp_path / "weights" / "shared_0.safetensors").exists()
    assert [one for one in check(tmp_path, alone=True).problems if one.kind == "leftover"] == []


@pytest.mark.parametrize("name", ["weights", "config.toml", "run.sqlite", "run.lock"])
def test_a_run_that_is_partly_elsewhere_is_not_written(tmp_path, name):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    with make(run) as store:
        store.record(candidate("aa"), b"weights")
    if (run / name).exists():
        (run / name).rename(elsewhere)
    else:
        elsewhere.write_text("a private file")
    (run / name).symlink_to(elsewhere)
    if elsewhere.is_dir():
        (elsewhere / "mine.safetensors").write_text("a private file")
    before = [path.read_bytes() for path in [elsewhere, *elsewhere.glob("*")] if path.is_file()]

    with pytest.raises(RequestError, match=rf"{name}'; allowed: no symbolic link"):
        Store.open(run, read_only=False)

    assert [p.read_bytes() for p in [elsewhere, *elsewhere.glob("*")] if p.is_file()] == before


def test_sessions_and_events_are_kept(tmp_path):
    with make(tmp_path) as store:
        store.start_session(4, {"jobs": 2}, {"torch": "2"})
        store.record_event("failure", "a worker died", "aa")
        store.end_session("interrupted")
        store.start_session(8, {"jobs": 1}, {"torch": "3"})
    with Store.open(tmp_path) as store:
        first, second = store.sessions()
        assert store.events() == [Event(1, "failure", "aa", "a worker died")]
    assert (first.outcome, first.generations, first.workers) == ("interrupted", 4, {"jobs": 2})
    assert first.ended is not None
    assert (second.number, second.process, second.ended) == (2, os.getpid(), None)
    assert second.environment == {"torch": "3"}


def test_one_can_ask_who_is_writing(tmp_path):
    with make(tmp_path):
        assert lock_holder(tmp_path / "run.lock").startswith(f"process {os.getpid()} on ")
    assert lock_holder(tmp_path / "run.lock") is None


def test_a_full_database_loses_nothing_and_says_what_to_do(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"))
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreWriteError, match=r"is full. .* is intact.* evo-snn resume"):
            store.record(candidate("bb", architecture={"text": "x" * 100_000}))
        assert [each.key for each in store.candidates()] == ["aa"]
    with Store.open(tmp_path) as store:
        assert [each.key for each in store.candidates()] == ["aa"]


def test_a_key_is_stored_once_and_parents_first(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"), b"first")
        with pytest.raises(ValueError, match="aa is stored already"):
            store.record(candidate("aa"), b"second")
        with pytest.raises(ValueError, match=r"parents that are not stored: \['zz'\]"):
            store.record(candidate("bb", parents=("aa", "zz")), b"weights")
        with pytest.raises(ValueError, match="letters, digits"):
            store.record(candidate("../bb"), b"weights")
        assert store.weights_path("aa").read_bytes() == b"first"
        assert len(store.candidates()) == 1
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["aa.safetensors"]


@pytest.mark.parametrize("field", ["metrics", "violations", "seconds"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path, field, value):
    with make(tmp_path) as store:
        with pytest.raises(ValueError, match="aa: area_mm2 is .*finite"):
            store.record(candidate("aa", **{field: {"area_mm2": value}}), b"weights")
        assert store.candidates() == []
        assert store.weights_path("aa") is None


def test_generations_refer_to_what_is_stored(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa"))
        store.record_generation(0, ["aa"], None, 1.0)
        with pytest.raises(ValueError, match="generation 0 is stored already"):
            store.record_generation(0, ["aa"], None, 1.0)
        with pytest.raises(ValueError, match="asks for a key that is not"):
            store.record_generation(1, ["aa", "bb"], None, 1.0)
        with pytest.raises(ValueError, match="hypervolume is nan"):
            store.record_generation(1, ["aa"], float("nan"), 1.0)
        assert [each.number for each in store.generations()] == [0]


def test_keys_are_found_by_their_beginning(tmp_path):
    with make(tmp_path) as store:
        for key in ("abc1", "abc2", "abc", "x_y"):
            store.record(candidate(key))
        assert store.resolve("x") == "x_y"
        assert store.resolve("abc1") == "abc1"
        assert store.resolve("abc") == "abc"
        with pytest.raises(RequestError, match="the beginning of one key. It begins abc, abc1"):
            store.resolve("ab")
        with pytest.raises(RequestError, match="a key of this run .* The nearest is abc1"):
            store.resolve("abd1")
        with pytest.raises(RequestError, match="key: got ''"):
            store.resolve("")


def test_pruned_weights_are_gone_from_the_disk_and_from_the_books(tmp_path):
    with make(tmp_path) as store:
        for key in ("aa", "bb", "cc"):
            store.record(candidate(key), key.encode())
        store.record_generation(3, [], None, 0.0, b"bank")

        store.prune_weights({"bb", "not stored"})

        assert store.weights_path("aa") is None
        assert store.weights_path("bb").read_bytes() == b"bb"
        names = sorted(path.name for path in (tmp_path / "weights").iterdir())
        assert names == ["bb.safetensors", "shared_3.safetensors"]


def test_only_the_latest_shared_bank_is_kept(tmp_path):
    with make(tmp_path) as store:
        assert store.shared_bank_path() is None
        assert store.shared_bank_generation() is None
        store.record_generation(0, [], None, 0.0, b"old")
        store.record_generation(1, [], None, 0.0, b"new")
        store.record_generation(2, [], None, 0.0)
        assert store.shared_bank_path().read_bytes() == b"new"
        assert store.shared_bank_generation() == 1
        assert [path.name for path in (tmp_path / "weights").iterdir()] == ["shared_1.safetensors"]


def test_a_candidate_that_climbed_takes_its_own_place(tmp_path):
    low, high = Rung(15, {"accuracy": 0.5}), Rung(30, {"accuracy": 1 / 3})
    below = candidate("bb" * 8, rungs=(low,), training_steps=15, trained=True)
    above = candidate(
        below.key, rungs=(low, high), training_steps=30, trained=True, metrics={"accuracy": 1 / 3}
    )
    with make(tmp_path / "run") as store:
        store.record(candidate("aa" * 8), number=1)
        store.record(below, b"low", number=2)
        store.record(candidate("cc" * 8), number=3)
        assert store.weights_path(below.key).name == f"{below.key}.safetensors"
        store.record(above, b"high", climbed=True)
        assert store.candidates()[1] == above
        path = store.weights_path(below.key)
        assert path.read_bytes() == b"high"
        assert [one.name for one in path.parent.iterdir()] == [f"{below.key}.2.safetensors"]
        assert not store.damaged_weights()
        failed = candidate(below.key, state="failed", failure="no", rungs=(low, high))
        store.record(failed, climbed=True)
        assert not list(path.parent.iterdir())
        with pytest.raises(ValueError, match="dd is not stored"):
            store.record(candidate("dd"), climbed=True)


def test_what_a_candidate_was_stays_until_it_has_climbed(tmp_path, monkeypatch):
    """Killed after the new weights are written and before the database says so."""
    below = candidate("bb" * 8, rungs=(Rung(15, {"accuracy": 0.5}),), training_steps=15)
    above = candidate(below.key, rungs=(*below.rungs, Rung(30, {"accuracy": 0.6})))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with make(tmp_path / "run") as store:
        store.record(below, b"low")
        with monkeypatch.context() as patched:
            patched.setattr("evo_snn.store.insert_candidate", killed)
            with pytest.raises(KeyboardInterrupt):
                store.record(above, b"high", climbed=True)
    with Store.open(tmp_path / "run", read_only=False) as store:
        assert store.candidates() == [below]
        assert not store.damaged_weights()
        weights = store.weights_path(below.key)
        assert weights.read_bytes() == b"low"
        assert list(weights.parent.iterdir()) == [weights]


def test_files_are_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / ".file.tmp").write_bytes(b"of a killed process")
    write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"new"


def test_no_file_is_written_through_a_strangers_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("a private file")
    for name in (".file.tmp", "file"):
        (tmp_path / name).symlink_to(elsewhere)

    write_atomically(tmp_path / "file", b"new")

    assert elsewhere.read_text() == "a private file"
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


KILLED_WRITER = """
    import itertools, sys
    from tests_store import candidate, make
    with make(sys.argv[1]) as store:
        print("ready", flush=True)
        for number in itertools.count():
            store.record(candidate(f"{number:016d}"), b"x" * 100_000)
"""


def test_a_killed_writer_leaves_whole_candidates(tmp_path):
    script = textwrap.dedent(KILLED_WRITER)
    (tmp_path / "tests_store.py").write_text(Path(__file__).read_text())
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *map(str, sys.path)])},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        with Store.open(tmp_path / "run") as reader:
            while len(reader.candidates(details=False)) < 5:
                assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    with Store.open(tmp_path / "run") as reader:
        seen = [each.key for each in reader.candidates()]
    with Store.open(tmp_path / "run", read_only=False) as store:
        assert [each.key for each in store.candidates()] == seen
        assert seen == [f"{number:016d}" for number in range(len(seen))]
        assert {store.weights_path(key).stat().st_size for key in seen} == {100_000}
        store.record(candidate("next"))
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob("run.sqlite-*"))


def _look_as_nobody(folder, results):
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        with Store.open(folder) as store:
            results.put([each.key for each in store.candidates()])
    except RequestError as error:
        results.put(str(error))


def _seen_without_permission(folder):
    """What a process that may not write in ``folder`` reads there."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=_look_as_nobody, args=(folder, results))
    process.start()
    process.join()
    assert process.exitcode == 0
    return results.get()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("write_ahead", [False, True])
def test_a_read_only_folder_is_readable(write_ahead):
    # Not below tmp_path, whose parents another user may not enter.
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "run"
        with make(folder) as store:
            store.record(candidate("aa"))
        if write_ahead:  # as the file is when its last writer could not change the mode
            database = sqlite3.connect(folder / DATABASE)
            database.execute("PRAGMA journal_mode = WAL")
            database.close()
        Path(base).chmod(0o755)
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IROTH | stat.S_IXOTH)
        try:
            assert _seen_without_permission(folder) == ["aa"]
        finally:
            folder.chmod(0o755)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_what_a_killed_run_left_in_a_read_only_folder_is_read_or_explained():
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "run"
        make(folder).close()
        database = connect_writer(folder)
        database.execute("INSERT INTO meta VALUES ('name', '1')")
        # As after a kill: the log has what the database has not, and no shared memory.
        log = (folder / f"{DATABASE}-wal").read_bytes()
        content = (folder / DATABASE).read_bytes()
        database.close()
        (folder / DATABASE).write_bytes(content)
        (folder / f"{DATABASE}-wal").write_bytes(log)
        Path(base).chmod(0o755)
        folder.chmod(0o555)
        try:
            seen = _seen_without_permission(folder)
        finally:
            folder.chmod(0o755)
        assert seen == [] or "copy it and try there" in seen
        with Store.open(folder, read_only=False) as store:
            assert store.meta("name") == 1


def test_the_write_ahead_log_is_for_local_file_systems_alone(tmp_path, monkeypatch):
    make(tmp_path).close()
    for local, mode in ((True, "wal"), (False, "delete")):
        monkeypatch.setattr("evo_snn.connection.is_local", lambda _, local=local: local)
        database = connect_writer(tmp_path)
        assert database.execute("PRAGMA journal_mode").fetchone() == (mode,)
        database.close()


def test_file_systems_are_told_apart_by_the_longest_mount_point(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\n"
        "/dev/b /home/my\\040disk xfs rw 0 0\nover / overlay rw 0 0\n"
    )
    assert filesystem_type(Path("/home/me/run"), mounts) == "nfs4"
    assert filesystem_type(Path("/home/my disk/run"), mounts) == "xfs"
    assert filesystem_type(Path("/homes"), mounts) == "overlay"
    assert filesystem_type(Path("/"), tmp_path / "absent") == ""
    assert is_local(Path("/proc")) is False


def test_nothing_in_the_folder_is_a_pickle(tmp_path):
    with make(tmp_path) as store:
        store.record(candidate("aa", architecture={"layers": [1]}))
    database = sqlite3.connect(tmp_path / DATABASE)
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
    declared = [
        row[2]
        for table in tables
        for row in database.execute(f"PRAGMA table_info({table})").fetchall()
    ]
    assert "BLOB" not in declared
    assert set(declared) == {"TEXT", "INTEGER", "REAL"}
    text = database.execute("SELECT architecture FROM candidate").fetchone()[0]
    database.close()
    assert json.loads(text) == {"layers": [1]}
