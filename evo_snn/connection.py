"""Opening a run's database: for the one writer, and for readers wherever the folder lies."""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from evo_snn.filesystem import StoreWriteError, is_local
from genomes.errors import RequestError

DATABASE = "run.sqlite"

# What reading a damaged file raises: Python cannot even decode some of SQLite's messages about it.
READING_ERRORS = (sqlite3.Error, UnicodeDecodeError)

_OF_WRITING = (
    "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY"
)  # fmt: skip
# What SQLite says where a file is shorter than it has to be, or cannot be read.
_OF_READING = frozenset({"SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS"})
_BUSY_SECONDS = 30.0  # how long a reader waits for a writer where they exclude each other
_SLICE_SECONDS = 2.0  # how long the writer waits for a reader at a time: Ctrl-C is seen between

_LOOK = "SELECT count(*) FROM sqlite_master"

LOGGER = logging.getLogger("evo_snn")


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without implicit transactions; ``mode`` as in SQLite's file addresses.

    Raises:
        sqlite3.Error: If the file cannot be opened, or not be made.
    """
    database = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _connect(folder: Path, mode: str) -> sqlite3.Connection:
    try:
        return connect(folder / DATABASE, mode)
    except sqlite3.Error as error:
        raise unreadable(folder, error) from error


def execute_patiently(database: sqlite3.Connection, statement: str) -> None:
    """Execute a statement of the writer, waiting for readers as long as they take.

    Without a write-ahead log, who reads keeps the writer from writing. That somebody looks at a run
    must not end its search; a KeyboardInterrupt ends the wait.
    """
    warned = False
    while True:
        try:
            database.execute(statement)
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise
            if not warned:
                LOGGER.warning("%s is in use by another process: waiting for it", DATABASE)
            warned = True
        else:
            return


def connect_writer(folder: Path) -> sqlite3.Connection:
    """The connection of the one writer, which holds the run's lock.

    Raises:
        RequestError: If the database cannot be opened.
        StoreWriteError: If the disk does not take what SQLite writes beside it.
    """
    database = _connect(folder, "rw")
    try:
        # The write-ahead log lets readers look while a run goes on, but needs shared memory, which
        # network file systems do not have.
        database.execute(f"PRAGMA busy_timeout = {_SLICE_SECONDS * 1000:.0f}")
        journal = "WAL" if is_local(folder) else "DELETE"
        execute_patiently(database, f"PRAGMA journal_mode = {journal}")
        database.execute("PRAGMA synchronous = FULL")
        execute_patiently(database, _LOOK)  # makes the log and its memory, where they are absent
    except READING_ERRORS as error:
        database.close()
        if is_of_writing(error):
            raise StoreWriteError(folder, error) from error
        raise unreadable(folder, error) from error
    return database


def connect_reader(folder: Path) -> sqlite3.Connection:
    """A connection for reading, also while a writer writes, also in a read-only folder.

    Raises:
        RequestError: If the database cannot be read.
    """
    database = _connect(folder, "ro")
    try:
        _look_or_take_back(folder, database)
    except READING_ERRORS as error:
        database.close()
        if not _is_at_rest(folder):
            raise unreadable(folder, error) from error
        database = _connect(folder, "ro&immutable=1")
    return database


def _look_or_take_back(folder: Path, database: sqlite3.Connection) -> None:
    """Look; where a writer was killed in a transaction, let SQLite take that back first.

    With a rollback journal, only a connection that may write can do so.
    """
    try:
        _look(database)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_READONLY_ROLLBACK":
            raise
        with closing(_connect(folder, "rw")) as writable:
            _look(writable)
        _look(database)


def _look(database: sqlite3.Connection) -> None:
    database.execute(_LOOK).fetchone()


def _is_at_rest(folder: Path) -> bool:
    """True where nobody can write and nothing is pending: the database file is all there is."""
    log = folder / f"{DATABASE}-wal"
    return not os.access(folder, os.W_OK) and not (log.exists() and log.stat().st_size)


def is_of_writing(error: Exception) -> bool:
    """Whether something could not be written: a full disk, a broken one, one that is busy."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return isinstance(error, OSError) or (name.startswith(_OF_WRITING) and name not in _OF_READING)


def unreadable(folder: Path, error: Exception) -> RequestError:
    """The error for a database that SQLite refuses."""
    remedy = f"SQLite says: {error}."
    if not os.access(folder, os.W_OK):
        remedy += " The folder is read-only and its run did not end cleanly: copy it and try there."
    return RequestError("run folder", str(folder), f"a readable {DATABASE}", remedy)


def leave_one_file(database: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the database, so that the closed run is one file."""
    try:
        database.execute("PRAGMA busy_timeout = 1000")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error:
        pass  # a reader is looking, or the disk is full; nothing is lost, the next writer tidies up
