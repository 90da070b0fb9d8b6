"""The store: everything that a run did, in one folder, readable while it goes on.

``run.sqlite`` holds candidates, generations and what they mean, one transaction an evaluation;
``config.toml`` the whole configuration and the environment; ``weights/`` tensors as safetensors,
each whole before the row that refers to it. One process writes; any number may read.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tomli_w

from evo_snn import sessions
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.connection import (
    DATABASE,
    READING_ERRORS,
    connect,
    connect_reader,
    connect_writer,
    execute_patiently,
    is_of_writing,
    leave_one_file,
    unreadable,
)
from evo_snn.filesystem import (
    StoreWriteError,
    WriterLock,
    sync_folder,
    write_atomically,
)
from evo_snn.folder import (
    CONFIG,
    WEIGHTS,
    left_behind,
    refuse_links,
    refuse_occupied,
    require_database,
    resolved,
    take_lock,
)
from evo_snn.reader import SHARED_BANK, SHARED_BANK_SHA256, GenerationRecord, Reader
from evo_snn.rows import (
    build,
    check_finite,
    delete_candidate,
    delete_candidates,
    insert_candidate,
    set_meta_row,
)
from evo_snn.schema import FORMAT_VERSION
from evo_snn.sessions import Event
from genomes.errors import RequestError

__all__ = ["CONFIG", "DATABASE", "WEIGHTS", "GenerationRecord", "Store", "StoreWriteError"]


class Store(Reader):
    """The folder of one run; make one with `create` or `open`, and close it (or use ``with``)."""

    def __init__(self, folder: Path, database: sqlite3.Connection, lock: WriterLock | None) -> None:
        """Internal: use `create` or `open`."""
        super().__init__(folder, database)
        self._lock = lock
        self._session: int | None = None

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
        meta: Mapping[str, Any] | None = None,
    ) -> "Store":
        """Start a run's folder and open it for writing.

        Args:
            folder: A new or empty folder; what a creation that was killed left there may stay.
            config_toml: The whole resolved configuration; kept in the database, and as
                ``config.toml``, followed by the environment as a table.
            environment: Versions and platform, as `evo_snn.environment.current_environment` says.
            space: The search space's name, version and genes, as JSON values.
            objectives: What the objectives mean, in the configuration's order.
            constraints: Metric → bound, as JSON values.
            meta: Further JSON values to keep by name.

        Raises:
            RequestError: If the folder holds anything else, is not named, or cannot be written.
                There is no run in it then.
            StoreWriteError: If it holds the run by then, and the disk takes no more.
        """
        if not str(folder):
            raise RequestError("out", "", "a folder", "A dot is the current one.")
        folder = resolved(folder, "out")
        config = _with_environment(config_toml, environment)
        everything = {
            **(meta or {}),
            "format_version": FORMAT_VERSION,
            "config": config_toml,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": dict(environment),
            "space": dict(space),
            "constraints": dict(constraints),
        }
        refuse_occupied(folder, config)
        lock = take_lock(folder, make=True)
        try:
            refuse_occupied(folder, config)
            return cls._created(folder, lock, config, everything, objectives)
        except BaseException as error:
            lock.release()
            if isinstance(error, StoreWriteError):
                raise
            if isinstance(error, OSError | sqlite3.Error):
                raise RequestError(
                    "out", str(folder), "a folder to write in", f"{_reason(error)}."
                ) from error
            raise

    @classmethod
    def _created(
        cls,
        folder: Path,
        lock: WriterLock,
        config: str,
        meta: Mapping[str, Any],
        objectives: Sequence[ObjectiveRecord],
    ) -> "Store":
        fresh = folder / f".{DATABASE}.tmp"
        fresh.unlink(missing_ok=True)
        with closing(connect(fresh, "rwc")) as database:
            database.execute("PRAGMA journal_mode = MEMORY")  # no second file to leave behind
            build(database, meta, objectives)
        (folder / WEIGHTS).mkdir(exist_ok=True)
        write_atomically(folder / CONFIG, config.encode())
        fresh.replace(folder / DATABASE)  # from here on the folder holds a run
        try:
            sync_folder(folder)
        except OSError as error:
            raise StoreWriteError(folder, _reason(error)) from error
        return cls(folder, connect_writer(folder), lock)

    @classmethod
    def open(cls, folder: str | Path, read_only: bool = True) -> "Store":
        """Open a run's folder, for reading also while another process writes, or to go on.

        Raises:
            RequestError: If there is no run, it was written by a newer version, or (for writing)
                another process is writing it.
            StoreWriteError: If (for writing) the disk takes nothing.
        """
        folder = resolved(folder, "run folder")
        require_database(folder)
        if not read_only:
            refuse_links(folder)
        lock = None if read_only else take_lock(folder, make=False)
        try:
            database = connect_reader(folder) if read_only else connect_writer(folder)
            store = cls(folder, database, lock)
            store._check_format()
            if not read_only:
                store.tidy()
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, READING_ERRORS):
                raise unreadable(folder, error) from error
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
        """Close it."""
        self.close()

    # Writing

    def record(
        self,
        candidate: Candidate,
        weights: bytes | None = None,
        *,
        number: int | None = None,
        climbed: bool = False,
    ) -> None:
        """Store an evaluated candidate and its weights (safetensors).

        The weights are on the disk before the row that says so, and the rows are one transaction:
        a killed process leaves the whole candidate or nothing of it.

        Args:
            candidate: What to store.
            weights: The content of its file of weights.
            number: Its place in the order of asking, from 1; the next one by default.
            climbed: True for one that is stored already, as it was on a lower rung of the ladder,
                and that nothing refers to yet; it takes its place, and its number.

        Raises:
            ValueError: If the key is stored already (or not, if it climbed) or is no file name, a
                parent is not stored, or a number is not finite.
            StoreWriteError: If the disk does not take it.
        """
        key = candidate.key
        path = self._weights_file(key, len(candidate.rungs))
        check_finite(key, candidate.metrics, candidate.violations, candidate.seconds)
        stored = self._stored_keys([key, *candidate.parents])
        if (key in stored) != climbed:
            raise ValueError(f"candidate {key} is {'not stored' if climbed else 'stored already'}")
        if not stored.issuperset(candidate.parents):
            missing = sorted({*candidate.parents} - stored)
            raise ValueError(f"candidate {key} has parents that are not stored: {missing}")
        digest = None
        if weights is not None:
            digest = hashlib.sha256(weights).hexdigest()
            self._write(path, weights)
        before = self.weights_path(key) if climbed else None
        with self._transaction() as database:
            if climbed:
                number = delete_candidate(database, key)
            insert_candidate(database, candidate, number=number, weights=digest)
        if before is not None and (digest is None or before != path):
            self._remove([before])

    def record_generation(
        self,
        number: int,
        keys: Sequence[str],
        hypervolume: float | None,
        seconds: float,
        shared_bank: bytes | None = None,
    ) -> None:
        """Store a finished generation: what it asked for, in order, cache hits included.

        Args:
            number: Counted from 0.
            keys: What was asked for.
            hypervolume: Of everything evaluated so far.
            seconds: Wall-clock time.
            shared_bank: The shared weights after it, in place of the last ones; None keeps those.

        Raises:
            ValueError: If the generation is stored already, or a key is not.
            StoreWriteError: If the disk does not take it.
        """
        measured = {} if hypervolume is None else {"hypervolume": hypervolume}
        check_finite(f"generation {number}", {**measured, "seconds": seconds})
        if shared_bank is not None:
            self._write(self._bank_file(number), shared_bank)
        try:
            with self._transaction() as database:
                database.execute(
                    "INSERT INTO generation VALUES (?, ?, ?)", (number, hypervolume, seconds)
                )
                if shared_bank is not None:
                    set_meta_row(database, SHARED_BANK, number)
                    digest = hashlib.sha256(shared_bank).hexdigest()
                    set_meta_row(database, SHARED_BANK_SHA256, digest)
                database.executemany(
                    "INSERT INTO asked VALUES (?, ?, ?)",
                    [(number, position, key) for position, key in enumerate(keys)],
                )
        except sqlite3.IntegrityError as error:
            message = f"generation {number} is stored already, or asks for a key that is not"
            raise ValueError(message) from error
        if shared_bank is not None:
            self._remove(path for path in self._bank_files() if path != self._bank_file(number))

    def set_meta(self, name: str, value: Any) -> None:
        """Keep a JSON value by name, in place of what it was."""
        with self._transaction() as database:
            set_meta_row(database, name, value)

    def prune_weights(self, keep: Collection[str]) -> None:
        """Delete the weights of all candidates but those of ``keep``; the shared bank stays."""
        files = self._weights_files()
        dropped = [key for key in files if key not in keep]
        self.forget_weights(dropped)
        self._remove(files[key][0] for key in dropped)

    def forget_weights(self, keys: Sequence[str]) -> None:
        """Say that candidates have no weights any more; files are left alone."""
        with self._transaction() as database:
            database.executemany(
                "UPDATE candidate SET weights = NULL WHERE key = ?", [(key,) for key in keys]
            )

    def forget_failures(self, generation: int) -> list[str]:
        """Delete the failed candidates of a generation that is not finished; their keys."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT number, key FROM candidate WHERE state = 'failed' AND generation = ?",
                (generation,),
            ).fetchall()
            delete_candidates(database, [number for number, _ in rows])
        return [key for _, key in rows]

    def replace_config(self, config_toml: str) -> None:
        """Put another configuration in place of ``config.toml``; the environment stays."""
        environment = self.meta("environment", {})
        self._write(self.folder / CONFIG, _with_environment(config_toml, environment).encode())

    def start_session(
        self, generations: int, workers: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """Say that this process works on the run from now on."""
        with self._transaction() as database:
            self._session = sessions.begin(database, generations, workers, environment)

    def end_session(self, outcome: str) -> None:
        """Say how this process's work ended."""
        if self._session is not None:
            with self._transaction() as database:
                sessions.end(database, self._session, outcome)
            self._session = None

    def record_event(self, kind: str, text: str, key: str | None = None) -> None:
        """Keep a line about something that happened; see `evo_snn.sessions.Event`."""
        with self._transaction() as database:
            sessions.insert_event(database, Event(self._session, kind, key, text))

    def tidy(self) -> None:
        """Delete files that a killed writer left: temporary ones, and weights without a row."""
        wanted = [path for path, _ in self._weights_files().values()]
        bank = self.shared_bank_path()
        wanted += [] if bank is None else [bank]
        names = {path.relative_to(self.folder).as_posix() for path in wanted}
        self._remove(left_behind(self.folder, names))

    # Internals

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_atomically(path, content)
        except OSError as error:
            raise StoreWriteError(self.folder, _reason(error)) from error

    def _remove(self, paths: Iterable[Path]) -> None:
        """Delete files that nothing refers to; one that stays is tidied up later."""
        for path in list(paths):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._lock is None:
            raise ValueError(f"{self.folder} is open for reading only, or closed")
        try:
            execute_patiently(self._database, "BEGIN IMMEDIATE")
            yield self._database
            execute_patiently(self._database, "COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # SQLite may have taken it back itself
                self._database.execute("ROLLBACK")
            if isinstance(error, OSError | sqlite3.Error) and is_of_writing(error):
                raise StoreWriteError(self.folder, _reason(error)) from error
            raise


def _with_environment(config_toml: str, environment: Mapping[str, str]) -> str:
    return f"{config_toml.rstrip()}\n\n{tomli_w.dumps({'environment': dict(environment)})}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
