"""Opening a run's database: for the one writer, and for readers wherever the folder lies."""

import os
import sqlite3
from pathlib import Path

from evo_snn.filesystem import is_local
from genomes.errors import RequestError

DATABASE = "run.sqlite"

_BUSY_SECONDS = 30.0  # how long a reader waits for a writer where they exclude each other


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without implicit transactions; ``mode`` as in SQLite's file addresses."""
    database = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    database.execute("PRAGMA foreign_keys = ON")
    return database


def connect_writer(folder: Path) -> sqlite3.Connection:
    """The connection of the one writer, which holds the run's lock.

    Raises:
        RequestError: If the database cannot be opened.
    """
    try:
        database = connect(folder / DATABASE, "rw")
        # The write-ahead log lets readers look while a run goes on, but needs shared memory, which
        # network file systems do not have.
        database.execute(f"PRAGMA journal_mode = {'WAL' if is_local(folder) else 'DELETE'}")
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise unreadable(folder, error) from error
    return database


def connect_reader(folder: Path) -> sqlite3.Connection:
    """A connection for reading, also while a writer writes, also in a read-only folder.

    Raises:
        RequestError: If the database cannot be read.
    """
    path = folder / DATABASE
    try:
        database = connect(path, "ro")
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            database.close()
            log = folder / f"{DATABASE}-wal"
            if os.access(folder, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            # Nobody can write here and nothing is pending: the file is all there is.
            database = connect(path, "ro&immutable=1")
    except sqlite3.Error as error:
        raise unreadable(folder, error) from error
    return database


def unreadable(folder: Path, error: sqlite3.Error) -> RequestError:
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
    except sqlite3.OperationalError:
        pass  # a reader is looking at it; nothing is lost, and the next writer tidies up
