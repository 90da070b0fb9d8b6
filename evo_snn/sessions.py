"""Sessions of a run: each time that a process worked on it, and what happened meanwhile.

A session that was killed has no end. Times of day are for people; nothing is ordered by them.
"""

import json
import os
import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evo_snn.rows import as_json


@dataclass(frozen=True)
class SessionRecord:
    """One session.

    Attributes:
        number: Counted from 1.
        started: ISO 8601, UTC.
        host: Name of the machine.
        process: Number of the driver's process there.
        generations: How many generations the run was to have.
        workers: The configuration's section ``[workers]``.
        environment: As `evo_snn.environment.current_environment` says.
        ended: ISO 8601, UTC; None while it goes on, and where it was killed.
        outcome: "finished", "interrupted", or "failed: " and why; None as ``ended``.
    """

    number: int
    started: str
    host: str
    process: int
    generations: int
    workers: Mapping[str, Any]
    environment: Mapping[str, str]
    ended: str | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened in a session: a failed attempt, another environment, a repair.

    Attributes:
        session: The session's number; None outside of any.
        kind: "failure" of an attempt at a candidate, "environment", "repair", …
        key: The candidate that it happened to, if any.
        text: One line.
    """

    session: int | None
    kind: str
    key: str | None
    text: str


def begin(
    database: sqlite3.Connection,
    generations: int,
    workers: Mapping[str, Any],
    environment: Mapping[str, str],
) -> int:
    """Write a new session of this process; its number."""
    number = database.execute(
        "INSERT INTO session (started, host, process, generations, workers, environment)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            _now(),
            platform.node(),
            os.getpid(),
            generations,
            as_json(dict(workers)),
            as_json(dict(environment)),
        ),
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT has a row
    return number


def end(database: sqlite3.Connection, number: int, outcome: str) -> None:
    """Write how a session ended."""
    database.execute(
        "UPDATE session SET ended = ?, outcome = ? WHERE number = ?", (_now(), outcome, number)
    )


def load(database: sqlite3.Connection) -> list[SessionRecord]:
    """All sessions in order."""
    rows = database.execute("SELECT * FROM session ORDER BY number")
    return [
        SessionRecord(
            number,
            started,
            host,
            process,
            generations,
            json.loads(workers),
            json.loads(environment),
            ended,
            outcome,
        )
        for (
            number, started, host, process, generations, workers, environment, ended, outcome
        ) in rows
    ]  # fmt: skip


def insert_event(database: sqlite3.Connection, event: Event) -> None:
    """Write an event as the last one."""
    database.execute(
        "INSERT INTO event (session, kind, key, text) VALUES (?, ?, ?, ?)",
        (event.session, event.kind, event.key, event.text),
    )


def load_events(database: sqlite3.Connection) -> list[Event]:
    """All events in order."""
    rows = database.execute("SELECT session, kind, key, text FROM event ORDER BY number")
    return [Event(*row) for row in rows]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
