"""The store: everything that a run did, in one folder, readable while it goes on.

``run.sqlite`` holds candidates, generations and what they mean, one transaction an evaluation;
``config.toml`` the whole configuration and the environment; ``weights/`` tensors as safetensors,
each whole before the row that refers to it. One process writes; any number may read.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tomli_w

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.connection import (
    DATABASE,
    connect,
    connect_reader,
    connect_writer,
    leave_one_file,
    unreadable,
)
from evo_snn.filesystem import WriterLock, remove_leftovers, sync_folder, write_atomically
from evo_snn.folder import CONFIG, WEIGHTS, refuse_occupied, take_lock
from evo_snn.rows import build, check_finite, insert_candidate, load_candidates, set_meta_row
from evo_snn.schema import FORMAT_VERSION
from genomes.errors import RequestError, nearest

__all__ = ["CONFIG", "DATABASE", "WEIGHTS", "GenerationRecord", "Store"]

_SHARED_BANK = "shared_bank"  # the name in `meta` of the generation whose bank is kept
_SAFE_KEY = re.compile(r"[0-9A-Za-z_-]+")


@dataclass(frozen=True)
class GenerationRecord:
    """One finished generation.

    Attributes:
        number: Counted from 0.
        keys: What was asked for, in order, candidates evaluated earlier included.
        hypervolume: Of everything evaluated so far, in the run's box; None if it has none.
        seconds: Wall-clock time.
    """

    number: int
    keys: tuple[str, ...]
    hypervolume: float | None
    seconds: float


class Store:
    """The folder of one run; make one with `create` or `open`, and close it (or use ``with``)."""

    def __init__(self, folder: Path, database: sqlite3.Connection, lock: WriterLock | None) -> None:
        """Internal: use `create` or `open`."""
        self.folder = folder
        self._database = database
        self._lock = lock

    # Life of the folder

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        config_toml: str,
        environment: Mapping[str, str],
        space: Mapping[str, Any],
        objectives: Sequence[ObjectiveRecord],
        constraints: Mapping[str, Any],
    ) -> "Store":
        """Start a run's folder and open it for writing.

        Args:
            folder: A new or empty folder; what a creation that was killed left there may stay.
            config_toml: The whole resolved configuration; kept as ``config.toml``, followed by the
                environment as a table.
            environment: Versions and platform, as `evo_snn.environment.current_environment` says.
            space: The search space's name, version and genes, as JSON values.
            objectives: What the objectives mean, in the configuration's order.
            constraints: Metric → bound, as JSON values.

        Raises:
            RequestError: If the folder holds anything else, is not named, or cannot be written.
                Nothing in it was touched then.
        """
        if not str(folder):
            raise RequestError("out", "", "a folder", "A dot is the current one.")
        folder = Path(folder).resolve()
        config = f"{config_toml.rstrip()}\n\n{tomli_w.dumps({'environment': dict(environment)})}"
        refuse_occupied(folder, config)
        lock = take_lock(folder, make=True)
        try:
            refuse_occupied(folder, config)
            fresh = folder / f".{DATABASE}.tmp"
            fresh.unlink(missing_ok=True)
            with closing(connect(fresh, "rwc")) as database:
                database.execute("PRAGMA journal_mode = MEMORY")  # no second file to leave behind
                meta = {
                    "format_version": FORMAT_VERSION,
                    "created": datetime.now(UTC).isoformat(timespec="seconds"),
                    "environment": dict(environment),
                    "space": dict(space),
                    "constraints": dict(constraints),
                }
                build(database, meta, objectives)
            (folder / WEIGHTS).mkdir(exist_ok=True)
            write_atomically(folder / CONFIG, config.encode())
            fresh.replace(folder / DATABASE)  # from here on the folder holds a run
            sync_folder(folder)
            return cls(folder, connect_writer(folder), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, folder: str | Path, read_only: bool = True) -> "Store":
        """Open a run's folder, for reading also while another process writes, or to go on.

        Raises:
            RequestError: If there is no run, it was written by a newer version, or (for writing)
                another process is writing it.
        """
        folder = Path(folder).resolve()
        if not (folder / DATABASE).is_file():
            raise RequestError("run folder", str(folder), f"a folder with {DATABASE}")
        lock = None if read_only else take_lock(folder, make=False)
        try:
            database = connect_reader(folder) if read_only else connect_writer(folder)
            store = cls(folder, database, lock)
            store._check_format()
            if not read_only:
                remove_leftovers(folder)
                remove_leftovers(folder / WEIGHTS)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return store

    def close(self) -> None:
        """Close the database, for a writer down to its one file. Closing twice is harmless."""
        if self._lock is not None:
            leave_one_file(self._database)
        self._database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        """Use it in a ``with`` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; an interrupted writer notes on the interruption what is left."""
        if isinstance(error, KeyboardInterrupt) and self._lock is not None:
            error.add_note(f"the run in {self.folder} is intact up to its last stored candidate")
        self.close()

    # Writing

    def record(self, candidate: Candidate, weights: bytes | None = None) -> None:
        """Store an evaluated candidate and its weights (safetensors).

        The weights are on the disk before the row that says so, and the rows are one transaction:
        a killed process leaves the whole candidate or nothing of it.

        Raises:
            ValueError: If the key is stored already or no file name, a parent is not stored, or a
                number is not finite.
        """
        key = candidate.key
        if not _SAFE_KEY.fullmatch(key):
            raise ValueError(f"key: got {key!r}; allowed: letters, digits, '_' and '-'")
        check_finite(key, candidate.metrics, candidate.violations, candidate.seconds)
        stored = self._stored_keys([key, *candidate.parents])
        if key in stored:
            raise ValueError(f"candidate {key} is stored already")
        if not stored.issuperset(candidate.parents):
            missing = sorted({*candidate.parents} - stored)
            raise ValueError(f"candidate {key} has parents that are not stored: {missing}")
        if weights is not None:
            write_atomically(self._weights_file(key), weights)
        with self._transaction() as database:
            insert_candidate(database, candidate, has_weights=weights is not None)

    def record_generation(
        self, number: int, keys: Sequence[str], hypervolume: float | None, seconds: float
    ) -> None:
        """Store a finished generation: what it asked for, in order, cache hits included.

        Raises:
            ValueError: If the generation is stored already, or a key is not.
        """
        measured = {} if hypervolume is None else {"hypervolume": hypervolume}
        check_finite(f"generation {number}", {**measured, "seconds": seconds})
        try:
            with self._transaction() as database:
                database.execute(
                    "INSERT INTO generation VALUES (?, ?, ?)", (number, hypervolume, seconds)
                )
                database.executemany(
                    "INSERT INTO asked VALUES (?, ?, ?)",
                    [(number, position, key) for position, key in enumerate(keys)],
                )
        except sqlite3.IntegrityError as error:
            message = f"generation {number} is stored already, or asks for a key that is not"
            raise ValueError(message) from error

    def set_meta(self, name: str, value: Any) -> None:
        """Keep a JSON value by name, in place of what it was."""
        with self._transaction() as database:
            set_meta_row(database, name, value)

    def prune_weights(self, keep: set[str]) -> None:
        """Delete the weights of all candidates but those of ``keep``; the shared bank stays."""
        with self._transaction() as database:
            rows = database.execute("SELECT key FROM candidate WHERE has_weights").fetchall()
            dropped = [(key,) for (key,) in rows if key not in keep]
            database.executemany("UPDATE candidate SET has_weights = 0 WHERE key = ?", dropped)
        for path in (self.folder / WEIGHTS).glob("*.safetensors"):
            if path.stem not in keep and not path.stem.startswith("shared_"):
                path.unlink()

    def record_shared_bank(self, generation: int, content: bytes) -> None:
        """Keep the shared weights as they are after ``generation``, in place of the last ones."""
        current = self._bank_file(generation)
        write_atomically(current, content)
        self.set_meta(_SHARED_BANK, generation)
        for path in current.parent.glob("shared_*.safetensors"):
            if path != current:
                path.unlink()

    # Reading

    def meta(self, name: str, default: Any = None) -> Any:
        """The JSON value kept by ``name``, such as ``space`` or ``environment``; or ``default``."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def objectives(self) -> list[ObjectiveRecord]:
        """What the run's objectives mean, in the configuration's order."""
        rows = self._database.execute(
            "SELECT name, maximise, unit, log FROM objective ORDER BY position"
        )
        return [ObjectiveRecord(name, bool(up), unit, bool(log)) for name, up, unit, log in rows]

    def candidates(self, details: bool = True) -> list[Candidate]:
        """All candidates in the order of their evaluation.

        Args:
            details: False leaves architectures, workloads and tracebacks out, which is quicker.
        """
        return self._load("", (), details=details)

    def candidate(self, key: str) -> Candidate:
        """One candidate by its key or the beginning of it.

        Raises:
            RequestError: If no key, or more than one, begins so; it names the nearest.
        """
        return self._load("WHERE key = ?", (self.resolve(key),), details=True)[0]

    def resolve(self, prefix: str) -> str:
        """The whole key that begins with ``prefix``.

        Raises:
            RequestError: If no key, or more than one, begins so; it names the nearest.
        """
        known = [key for (key,) in self._database.execute("SELECT key FROM candidate")]
        matches = [key for key in known if prefix and key.startswith(prefix)]
        if prefix in matches or len(matches) == 1:
            return prefix if prefix in matches else matches[0]
        if matches:
            shown = ", ".join(sorted(matches)[:5])
            raise RequestError("key", prefix, "the beginning of one key", f"It begins {shown}.")
        close = nearest(prefix, known)
        remedy = f"The nearest is {close}." if close else "evo-snn candidates lists the keys."
        raise RequestError("key", prefix, f"a key of this run ({len(known)} candidates)", remedy)

    def generations(self) -> list[GenerationRecord]:
        """The finished generations in order."""
        with self._snapshot() as database:
            keys: dict[int, list[str]] = {}
            for number, key in database.execute(
                "SELECT generation, key FROM asked ORDER BY generation, position"
            ):
                keys.setdefault(number, []).append(key)
            rows = database.execute(
                "SELECT number, hypervolume, seconds FROM generation ORDER BY number"
            ).fetchall()
        return [
            GenerationRecord(number, tuple(keys.get(number, ())), hypervolume, seconds)
            for number, hypervolume, seconds in rows
        ]

    def weights_path(self, key: str) -> Path | None:
        """The file of a candidate's trained weights; None if it has none or they were pruned."""
        row = self._database.execute(
            "SELECT 1 FROM candidate WHERE key = ? AND has_weights", (key,)
        ).fetchone()
        return None if row is None else self._weights_file(key)

    def shared_bank_generation(self) -> int | None:
        """The generation after which the kept shared weights were written; None if none were."""
        generation = self.meta(_SHARED_BANK)
        return None if generation is None else int(generation)

    def shared_bank_path(self) -> Path | None:
        """The file of the shared weights; None if there are none."""
        generation = self.shared_bank_generation()
        return None if generation is None else self._bank_file(generation)

    # Internals

    def _check_format(self) -> None:
        try:
            version = self.meta("format_version")
        except sqlite3.Error as error:
            self._database.close()
            raise unreadable(self.folder, error) from error
        if not isinstance(version, int) or version > FORMAT_VERSION:
            self._database.close()
            remedy = "Read it with the newer version of evo_snn that wrote it."
            raise RequestError("format_version", version, f"at most {FORMAT_VERSION}", remedy)

    def _weights_file(self, key: str) -> Path:
        return self.folder / WEIGHTS / f"{key}.safetensors"

    def _bank_file(self, generation: int) -> Path:
        return self.folder / WEIGHTS / f"shared_{generation}.safetensors"

    def _stored_keys(self, keys: Sequence[str]) -> set[str]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key FROM candidate WHERE key IN ({marks})"  # noqa: S608 - only marks
        return {key for (key,) in self._database.execute(query, list(keys))}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._lock is None:
            raise ValueError(f"{self.folder} is open for reading only, or closed")
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state, while another process may write."""
        self._database.execute("BEGIN")
        try:
            yield self._database
        finally:
            self._database.execute("COMMIT")

    def _load(self, where: str, values: tuple[Any, ...], *, details: bool) -> list[Candidate]:
        with self._snapshot() as database:
            return load_candidates(database, where, values, details=details)
