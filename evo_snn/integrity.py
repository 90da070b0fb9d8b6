"""Whether a run's folder is whole: database, configuration, weights, and nothing left over.

Checking writes nothing, trains nothing and imports no plug-in; it may be done while a run goes on.
"""

import os
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evo_snn.config_file import load_config
from evo_snn.connection import DATABASE, READING_ERRORS, connect_reader
from evo_snn.content import Content, Problem, Row, config_problems, load_content, problems_of
from evo_snn.filesystem import fault_of, lock_holder
from evo_snn.folder import CONFIG, LOCK, WEIGHTS, is_file_name, left_behind, resolved, weights_name
from evo_snn.reader import SHARED_BANK, SHARED_BANK_SHA256
from evo_snn.schema import TABLES
from evo_snn.store import Store
from genomes.errors import RequestError

_SHOWN = 20  # lines of SQLite's own report


@dataclass(frozen=True)
class Report:
    """What was found of a run's folder, and how much was looked at."""

    folder: Path
    problems: tuple[Problem, ...]
    candidates: int = 0
    generations: int = 0
    weights: int = 0

    def to_document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {**asdict(self), "folder": str(self.folder), "ok": not self.problems}


def check(folder: str | Path, *, alone: bool = False) -> Report:
    """Look for everything that can be wrong with a run's folder.

    Damage to a metric's value that leaves it finite cannot be seen; damage to genomes, keys,
    weights and the structure of the database can. Keys are computed anew where the search space is
    evo_snn's own.

    Args:
        folder: The run's folder.
        alone: True for who holds the run's lock itself; otherwise what nothing refers to is looked
            for only while nobody writes, since a writer makes files before their rows.

    Raises:
        RequestError: If there is no run, or another version wrote it.
    """
    folder = resolved(folder, "run folder")
    try:
        Store.open(folder).close()
    except RequestError as error:
        return Report(folder, (_unreadable(folder, error),))
    try:
        with closing(connect_reader(folder)) as database:
            broken = tuple(_database_problems(folder, database))
            content = None if broken else load_content(database)
            dangling = tuple(_dangling(database))
    except (RequestError, *READING_ERRORS) as error:
        return Report(folder, (_unreadable(folder, error),))
    if content is None:
        return Report(folder, broken)
    found = [*dangling, *problems_of(content), *_config_file_problems(folder, content)]
    found += _file_problems(folder, content, alone=alone)
    sizes = (len(content.rows), len(content.generations), len(content.weights))
    return Report(folder, tuple(found), *sizes)


def _unreadable(folder: Path, error: Exception) -> Problem:
    """The problem that a database cannot be opened; other reasons are raised."""
    if isinstance(error, RequestError):
        another_version = error.field == "format_version" and isinstance(error.value, int)
        if another_version or not (folder / DATABASE).is_file():
            raise error
        reason = error.remedy if error.field == "run folder" else str(error)
    else:
        reason = f"{error}."
    return Problem("database", f"{DATABASE} cannot be read: {reason}", file=DATABASE)


# The database


def _database_problems(folder: Path, database: sqlite3.Connection) -> Iterator[Problem]:
    """Damage after which nothing that the database holds can be relied on."""
    missing = _missing_bytes(folder, database)
    if missing > 0:
        yield Problem("database", f"{DATABASE} ends {missing} bytes too early", file=DATABASE)
    for (line,) in database.execute(f"PRAGMA integrity_check({_SHOWN})"):
        if line != "ok":
            text = f"{DATABASE}: {' '.join(str(line).split())}"
            yield Problem("database", text, file=DATABASE)
    if _tables(database) != _expected_tables():
        yield Problem("database", f"{DATABASE} does not have the tables of a run", file=DATABASE)


def _missing_bytes(folder: Path, database: sqlite3.Connection) -> int:
    """How much shorter the file is than it says; SQLite fills the end of a last page with zeros."""
    if list(folder.glob(f"{DATABASE}-*")) or lock_holder(folder / LOCK) is not None:
        return 0  # a log or a journal may hold what the file does not
    (pages,), (size,) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
    )
    return int(pages * size) - (folder / DATABASE).stat().st_size


def _dangling(database: sqlite3.Connection) -> Iterator[Problem]:
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
        where = f"row {row} of {table}" if row is not None else f"a row of {table}"
        text = f"{DATABASE}: {where} refers to a {parent} that is not stored"
        yield Problem("database", text, file=DATABASE)


def _tables(database: sqlite3.Connection) -> set[tuple[str, str]]:
    query = "SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL"
    return set(database.execute(query))


def _expected_tables() -> set[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(TABLES)
        return _tables(database)


# Files


def _config_file_problems(folder: Path, content: Content) -> list[Problem]:
    try:
        config = load_config(folder / CONFIG)
        document = tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [Problem("configuration", f"{CONFIG}: {error}", file=CONFIG)]
    environment = document.get("environment", {})
    if not isinstance(environment, Mapping):
        return [Problem("configuration", f"{CONFIG}: environment is no table", file=CONFIG)]
    return config_problems(content, config, environment)


def _file_problems(folder: Path, content: Content, *, alone: bool) -> list[Problem]:
    weights = folder / WEIGHTS
    if not weights.is_dir():
        there = os.path.lexists(weights)
        text = f"{WEIGHTS}/ {'is no folder' if there else 'is missing'}"
        return [Problem("folder", text, file=WEIGHTS, repairable=not there)]
    found = [
        problem
        for row in content.rows
        if row.weights is not None and (problem := _weights_problem(folder, row)) is not None
    ]
    bank = _bank_name(content)
    found += _bank_problems(folder, bank, content.value(SHARED_BANK_SHA256))
    if found and not alone:
        found = _still_there(folder, found)
    if alone or lock_holder(folder / LOCK) is None:
        wanted = {*_wanted(content), bank}
        found += _leftovers(folder, left_behind(folder, wanted))
    return found


def _wanted(content: Content) -> set[str]:
    """The files of weights that candidates have, relative to the folder."""
    return {weights_name(row.key, len(row.rungs)) for row in content.rows if row.weights}


def _weights_problem(folder: Path, row: Row) -> Problem | None:
    key, name = row.key, weights_name(row.key, len(row.rungs))
    if not is_file_name(key):
        return Problem("candidate", f"candidate {key!r}: its key is no name of a file", key)
    fault = fault_of(folder / name, row.weights)
    if fault is None:
        return None
    return Problem("weights", f"weights of candidate {key}: {fault}", key, name, repairable=True)


def _bank_name(content: Content) -> str | None:
    """The file of the shared weights, relative to the folder; None if there are none."""
    generation = content.value(SHARED_BANK)
    return f"{WEIGHTS}/shared_{generation}.safetensors" if isinstance(generation, int) else None


def _bank_problems(folder: Path, name: str | None, digest: str | None) -> Iterator[Problem]:
    if name is None:
        return
    from safetensors import SafetensorError, safe_open

    path = folder / name
    fault = fault_of(path, digest)
    if fault is None:
        try:
            with safe_open(path, framework="numpy"):
                return
        except (SafetensorError, OSError, ValueError) as error:
            fault = f"{path.name} is no safetensors file: {error}"
    yield Problem("shared bank", f"the shared bank: {fault}", file=name, repairable=True)


def _still_there(folder: Path, found: list[Problem]) -> list[Problem]:
    """The problems that the present state of a run that goes on still has."""
    with closing(connect_reader(folder)) as database:
        content = load_content(database)
    wanted = {*_wanted(content), _bank_name(content), None}
    return [problem for problem in found if problem.file in wanted]


def _leftovers(folder: Path, paths: list[Path]) -> Iterator[Problem]:
    for path in paths:
        name = path.relative_to(folder).as_posix()
        why = "is left of a killed write" if path.suffix == ".tmp" else "is of no candidate"
        is_file = path.is_symlink() or not path.is_dir()
        yield Problem("leftover", f"{name} {why}", file=name, repairable=is_file)
