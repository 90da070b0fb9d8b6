"""Candidates and meta data ↔ rows of a run's database. The caller opens the transactions."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evo_snn.candidate import Candidate, ObjectiveRecord
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
        (name, _json(value)),
    )


def insert_candidate(
    database: sqlite3.Connection, candidate: Candidate, *, has_weights: bool
) -> None:
    """Write a candidate as the next one of the evaluation order."""
    workload = None if candidate.workload is None else _json(candidate.workload)
    number = database.execute(
        "INSERT INTO candidate (key, genome, generation, state, architecture, workload,"
        " training_steps, trained, has_weights) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            candidate.key,
            _json([int(gene) for gene in candidate.genome]),
            candidate.generation,
            candidate.state,
            _json(candidate.architecture),
            workload,
            candidate.training_steps,
            candidate.trained,
            has_weights,
        ),
    ).lastrowid
    parents = [(number, position, key) for position, key in enumerate(candidate.parents)]
    database.executemany("INSERT INTO parent VALUES (?, ?, ?)", parents)
    for table, numbers in _numbers_of(candidate).items():
        rows = [(number, name, float(value)) for name, value in numbers.items()]
        database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)  # noqa: S608 - ours
    if candidate.failure is not None:
        database.execute("INSERT INTO failure VALUES (?, ?)", (number, candidate.failure))


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
    failures: dict[int, str] = {}
    if details:
        query = f"SELECT candidate, traceback FROM failure WHERE candidate IN {chosen}"  # noqa: S608
        failures = dict(database.execute(query, values))
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
            trained=bool(trained),
            failure=failures.get(number),
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


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
