"""Damaged run folders: looked at, checked and gone on with; a right answer or one line.

Looking and checking never write; what is damaged is not made worse.
"""

import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from evo_snn import evolve

CONFIG = {
    "data": {"name": "digits"},
    "search": {"space": "plain", "population": 4, "generations": 2},
    "training": {"steps": 2},
    "inheritance": {"strategy": "parents"},
    "space": {"max_stages": 1, "widths": [4, 8], "time_steps": [2]},
    "workers": {"backend": "sequential", "jobs": 1},
}

LOOKING = (
    ("front", "RUN", "--json"),
    ("candidates", "RUN", "--json"),
    ("show", "RUN", "KEY", "--json"),
    ("status", "RUN", "--json"),
    ("front", "RUN"),
    ("candidates", "RUN"),
    ("show", "RUN", "KEY"),
    ("status", "RUN"),
    ("train", "RUN", "no-such-key"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run, and the key of one of its designs."""
    run = evolve(CONFIG, out=tmp_path_factory.mktemp("whole") / "run")
    return run.folder, run.front()["key"][0]


def digest(folder):
    """What is in a folder, SQLite's own files left out: a reader may make those."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal", "-journal"))
    }


def judge(command, line, folder, key):
    outcome = command(*(word.replace("RUN", str(folder)).replace("KEY", key) for word in line))
    if outcome.status == 0:
        if "--json" in line:
            json.loads(outcome.out, parse_constant=pytest.fail)
    elif "--json" in line:
        outcome.assert_refused()
    else:  # tables may stand there that were printed before the damage was met
        replace(outcome, out="").assert_refused()


def judge_check(command, folder):
    """Problems have a status of their own, and are lines of the result."""
    outcome = command("check", folder, "--json")
    if outcome.status == 2:
        outcome.assert_refused()
        return
    document = json.loads(outcome.out)
    assert outcome.status == (1 if document["problems"] else 0), outcome


def test_bytes_of_a_run(tries, mutate, command, whole, tmp_path):
    for number, rng in enumerate(tries.seeds()):
        folder = tmp_path / str(number)
        shutil.copytree(whole[0], folder)
        path = rng.choice([folder / "run.sqlite"] * 3 + [folder / "config.toml"])
        content = path.read_bytes()
        path.write_bytes(mutate(content, rng) if rng.random() < 0.5 else overwritten(content, rng))
        before = digest(folder)
        judge(command, LOOKING[number % len(LOOKING)], folder, whole[1])
        judge_check(command, folder)
        assert digest(folder) == before
        shutil.rmtree(folder)


def overwritten(content, rng):
    """A page, or a part of one, with other bytes: the size stays, as with a failing disk."""
    start = rng.randrange(len(content))
    length = min(rng.choice([1, 4, 100, 4096]), len(content) - start)
    return content[:start] + rng.randbytes(length) + content[start + length :]


VALUES = [None, "", "x", b"\xff\0", -1, 0, 2**62, 1e308, "[]", "{}", "null", "NaN", '{"a": NaN}',
          "[1e999]", "[" * 3000, "9" * 5000, '"\ud83d"', "../../etc/passwd", "\x1b[2J\n", '["x"]',
          "0", "true", '{"layers": 3}', '{"layers": [{}]}']  # fmt: skip


def test_rows_of_a_run(tries, command, whole, tmp_path):
    for number, rng in enumerate(tries.seeds()):
        folder = tmp_path / str(number)
        shutil.copytree(whole[0], folder)
        damage(folder / "run.sqlite", rng)
        before = digest(folder)
        judge(command, LOOKING[number % len(LOOKING)], folder, whole[1])
        judge_check(command, folder)
        assert digest(folder) == before
        if number % 8 == 0:  # goes on, at most by one generation
            outcome = command("resume", folder, "--generations", "3", "--no-figures")
            if outcome.status != 0:
                assert_refused_after_a_look(outcome)
        shutil.rmtree(folder)


def assert_refused_after_a_look(outcome):
    """As what is refused, but that logged lines may come first: the run had begun to go on."""
    assert outcome.status == 2, outcome
    assert outcome.out == ""
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in outcome.err


def damage(path: Path, rng: random.Random) -> None:
    """Another value in one place, or in a whole column, or no such row or table at all."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        tables = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]  # fmt: skip
        table = rng.choice([*tables, "meta", "candidate", "candidate"])
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        column = rng.choice(columns)
        row = f"(SELECT rowid FROM {table} LIMIT 1 OFFSET {rng.randrange(4)})"  # noqa: S608
        where = rng.choice(["", f" WHERE rowid = {row}", f" WHERE rowid = {row}"])
        kind = rng.random()
        try:
            if kind < 0.85:
                value = rng.choice(VALUES)
                database.execute(f"UPDATE {table} SET {column} = ?{where}", (value,))  # noqa: S608
            elif kind < 0.93:
                database.execute(f"DELETE FROM {table}{where}")  # noqa: S608
            else:
                database.execute(f"DROP TABLE {table}")
        except (sqlite3.Error, UnicodeEncodeError):  # the schema does not let it in
            database.execute(f"DELETE FROM {table}")  # noqa: S608
        database.commit()


OTHERS = {
    "zero bytes": b"",
    "text": b"hello\n" * 2000,
    "a header alone": b"SQLite format 3\0",
    "a header and zeros": b"SQLite format 3\0" + b"\0" * 9000,
}


@pytest.mark.parametrize("line", LOOKING, ids=" ".join)
@pytest.mark.parametrize("content", [*OTHERS, "another schema", "a newer format", "a folder"])
def test_another_database(command, whole, tmp_path, content, line):
    path = tmp_path / "run.sqlite"
    if content in OTHERS:
        path.write_bytes(OTHERS[content])
    elif content == "a folder":
        path.mkdir()
    else:
        shutil.copy(whole[0] / "run.sqlite", path)
        with closing(sqlite3.connect(path)) as database:
            if content == "another schema":
                database.execute("ALTER TABLE candidate RENAME TO canditate")
            database.execute("UPDATE meta SET value = '99' WHERE name = 'format_version'")
            database.commit()
    words = (word.replace("RUN", str(tmp_path)).replace("KEY", whole[1]) for word in line)
    command(*words).assert_refused()
    command("resume", tmp_path).assert_refused()


KEYS = ["", " ", "%", "_", "'", '"; DROP TABLE candidate; --', "\0", "x" * 10**5, "\udcff", "é",
        "../run.sqlite", "*", "\n", "-", "0x", "None", "\x1b[2J"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:20])
def test_keys(command, whole, key):
    before = digest(whole[0])
    for name in ("show", "train"):
        command(name, whole[0], "--", key).assert_refused()
    assert digest(whole[0]) == before


@pytest.mark.parametrize("name", ["config.toml", "run.sqlite", "weights"])
def test_a_part_that_is_missing_or_something_else(command, whole, tmp_path, name):
    for kind in ("missing", "folder", "loop", "zero"):
        folder = tmp_path / kind
        shutil.copytree(whole[0], folder)
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind != "missing":
            path.symlink_to({"loop": name, "zero": "/dev/zero"}[kind])
        for line in LOOKING:
            judge(command, line, folder, whole[1])
        judge_check(command, folder)
