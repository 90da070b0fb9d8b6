"""Candidates and meta data ↔ rows of a run's database. The caller opens the transactions."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evo_snn.candidate import Candidate, ObjectiveRecord, Rung
from evo_snn.schema import TABLES


def build(
    database: sqlite3.Connection, meta: Mapping[str, Any], objectives: Sequence[ObjectiveRecord]
) -> None:
    """Make the tables of a new database and fill in what is known before the search."""
    # executescript commits what is open, so the transaction is part of the script.
    database.executescript(f"BEGIN;{TABLES}")
    for name, value in meta.items():
        set_meta_row(database, name, value)
    rows = [
        (position, *asdict(objective).values()) for position, objective in enumerate(objectives)
    ]
    database.executemany("INSERT INTO objective VALUES (?, ?, ?, ?, ?)", rows)
    database.execute("COMMIT")


def set_meta_row(database: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a JSON value by name, in place of what it was."""
    database.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, as_json(value)),
    )


def insert_candidate(
    database: sqlite3.Connection, candidate: Candidate, *, number: int | None, weights: str | None
) -> None:
    """Write a candidate.

    Args:
        database: Where; a transaction is open.
        candidate: What to write.
        number: Its place in the order of asking; None for the next.
        weights: The SHA-256 of its file of weights.
    """
    workload = None if candidate.workload is None else as_json(candidate.workload)
    number = database.execute(
        "INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            candidate.key,
            as_json([int(gene) for gene in candidate.genome]),
            candidate.generation,
            candidate.state,
            as_json(candidate.architecture),
            workload,
            candidate.training_steps,
            candidate.trained,
            weights,
        ),
    ).lastrowid
    parents = [(number, position, key) for position, key in enumerate(candidate.parents)]
    database.executemany("INSERT INTO parent VALUES (?, ?, ?)", parents)
    rungs = [
        (number, position, rung.steps, as_json(dict(rung.metrics)))
        for position, rung in enumerate(candidate.rungs)
    ]
    database.executemany("INSERT INTO rung VALUES (?, ?, ?, ?)", rungs)
    for table, numbers in _numbers_of(candidate).items():
        rows = [(number, name, float(value)) for name, value in numbers.items()]
        database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)  # noqa: S608 - ours
    if candidate.failure is not None:
        circumstances = as_json(candidate.circumstances)
        database.execute(
            "INSERT INTO failure VALUES (?, ?, ?)", (number, candidate.failure, circumstances)
        )


def delete_candidates(database: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete candidates that nothing refers to."""
    for table in ("parent", "metric", "violation", "timing", "rung", "failure"):
        database.executemany(
            f"DELETE FROM {table} WHERE candidate = ?",  # noqa: S608 - ours
            [(number,) for number in numbers],
        )
    database.executemany(
        "DELETE FROM candidate WHERE number = ?", [(number,) for number in numbers]
    )


def delete_candidate(database: sqlite3.Connection, key: str) -> int:
    """Delete a candidate that nothing refers to; the number that it had."""
    query = "SELECT number FROM candidate WHERE key = ?"
    number: int = database.execute(query, (key,)).fetchone()[0]
    delete_candidates(database, [number])
    return number


def _numbers_of(candidate: Candidate) -> dict[str, Mapping[str, float]]:
    """The tables of named numbers, and what a candidate has for each."""
    return {
        "metric": candidate.metrics,
        "violation": candidate.violations,
        "timing": candidate.seconds,
    }


def load_candidates(
    database: sqlite3.Connection, where: str, values: tuple[Any, ...], *, details: bool
) -> list[Candidate]:
    """The candidates that a WHERE clause chooses, in the order of evaluation.

    Without details, architectures, workloads and tracebacks are left out.
    """
    chosen = f"(SELECT number FROM candidate {where})"  # noqa: S608 - values are bound
    wide = "architecture, workload" if details else "'{}', NULL"
    columns = f"number, key, genome, generation, state, {wide}, training_steps, trained"
    query = f"SELECT {columns} FROM candidate {where} ORDER BY number"  # noqa: S608 - ours
    rows = database.execute(query, values).fetchall()
    named = {
        table: _grouped(database, f"SELECT * FROM {table} WHERE candidate IN {chosen}", values)  # noqa: S608
        for table in ("metric", "violation", "timing")
    }
    parents = _grouped(
        database,
        f"SELECT * FROM parent WHERE candidate IN {chosen} ORDER BY position",  # noqa: S608 - ours
        values,
    )
    rungs: dict[int, list[Rung]] = {}
    query = f"SELECT candidate, steps, metrics FROM rung WHERE candidate IN {chosen}"  # noqa: S608
    for number, steps, metrics in database.execute(f"{query} ORDER BY position", values):
        rungs.setdefault(number, []).append(Rung(steps, json.loads(metrics)))
    failures: dict[int, list[str]] = {}
    if details:
        query = f"SELECT * FROM failure WHERE candidate IN {chosen}"  # noqa: S608 - ours
        failures = {number: rest for number, *rest in database.execute(query, values)}
    return [
        Candidate(
            key=key,
            genome=tuple(json.loads(genome)),
            parents=tuple(parents.get(number, {}).values()),
            generation=generation,
            state=state,
            metrics=named["metric"].get(number, {}),
            violations=named["violation"].get(number, {}),
            architecture=json.loads(architecture),
            workload=None if workload is None else json.loads(workload),
            training_steps=training_steps,
            rungs=tuple(rungs.get(number, ())),
            trained=bool(trained),
            failure=failures[number][0] if number in failures else None,
            circumstances=json.loads(failures[number][1]) if number in failures else {},
            seconds=named["timing"].get(number, {}),
        )
        for (
            number, key, genome, generation, state, architecture, workload, training_steps, trained
        ) in rows
    ]  # fmt: skip


def _grouped(
    database: sqlite3.Connection, query: str, values: tuple[Any, ...]
) -> dict[int, dict[Any, Any]]:
    groups: dict[int, dict[Any, Any]] = {}
    for number, name, value in database.execute(query, values):
        groups.setdefault(number, {})[name] = value
    return groups


def check_finite(what: str, *tables: Mapping[str, float]) -> None:
    """Refuse numbers that are NaN or infinite; ``what`` names their owner.

    Raises:
        ValueError: Naming the first such number.
    """
    for numbers in tables:
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise ValueError(f"{what}: {name} is {value}; allowed: finite numbers")


def as_json(value: Any) -> str:
    """Compact JSON text; a number that is not finite is an error."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
