"""Reading a run's database: candidates, generations, sessions, and which weights are kept."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evo_snn import sessions
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.connection import unreadable
from evo_snn.filesystem import fault_of
from evo_snn.folder import WEIGHTS, require_file_name, weights_name
from evo_snn.rows import load_candidates
from evo_snn.schema import FORMAT_VERSION
from evo_snn.sessions import Event, SessionRecord
from genomes.errors import RequestError, nearest

SHARED_BANK = "shared_bank"  # the name in `meta` of the generation whose bank is kept
SHARED_BANK_SHA256 = "shared_bank_sha256"  # and of the SHA-256 of its file


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


class Reader:
    """What a run's database and folder hold. `evo_snn.store.Store` opens, writes and closes them.

    Attributes:
        folder: The run's folder, absolute.
    """

    def __init__(self, folder: Path, database: sqlite3.Connection) -> None:
        self.folder = folder
        self._database = database

    def meta(self, name: str, default: Any = None) -> Any:
        """The JSON value kept by ``name``, such as ``space`` or ``environment``; or ``default``."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        try:
            return default if row is None else json.loads(row[0])
        except RecursionError:
            raise ValueError(f"{name} is nested too deeply") from None

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

    def finished_generations(self) -> int:
        """How many generations are finished."""
        (count,) = self._database.execute("SELECT count(*) FROM generation").fetchone()
        return int(count)

    def weights_path(self, key: str) -> Path | None:
        """The file of a candidate's trained weights; None if it has none or they were pruned."""
        path, _ = self._weights_files("AND key = ?", (key,)).get(key, (None, ""))
        return path

    def weights_digests(self) -> dict[str, str]:
        """Key → SHA-256 of the file of weights, of all candidates that have one."""
        return {key: digest for key, (_, digest) in self._weights_files().items()}

    def sessions(self) -> list[SessionRecord]:
        """Each time that a process worked on the run, in order."""
        return sessions.load(self._database)

    def damaged_weights(self) -> dict[str, str]:
        """Key → what is wrong with its file of weights: missing, or not what was stored.

        The shared bank is among them under its own name.
        """
        damaged = {}
        files = self._weights_files()
        bank, digest = self.shared_bank_path(), self.meta(SHARED_BANK_SHA256)
        if bank is not None and digest is not None:
            files["the shared bank"] = bank, digest
        for key, (path, digest) in files.items():
            fault = fault_of(path, digest)
            if fault is not None:
                damaged[key] = fault
        return damaged

    def events(self) -> list[Event]:
        """What happened beside evaluations, in order."""
        return sessions.load_events(self._database)

    def shared_bank_generation(self) -> int | None:
        """The generation after which the kept shared weights were written; None if none were."""
        generation = self.meta(SHARED_BANK)
        return None if generation is None else int(generation)

    def shared_bank_path(self) -> Path | None:
        """The file of the shared weights; None if there are none."""
        generation = self.shared_bank_generation()
        return None if generation is None else self._bank_file(generation)

    def _weights_files(
        self, condition: str = "", values: tuple[Any, ...] = ()
    ) -> dict[str, tuple[Path, str]]:
        """Key → file of weights and its SHA-256, of all that have one and meet a condition."""
        counted = "SELECT count(*) FROM rung WHERE rung.candidate = candidate.number"
        rows = self._database.execute(
            f"SELECT key, weights, ({counted}) FROM candidate"  # noqa: S608 - values are bound
            f" WHERE weights IS NOT NULL {condition} ORDER BY number",
            values,
        )
        return {key: (self._weights_file(key, rungs), digest) for key, digest, rungs in rows}

    def _weights_file(self, key: str, rungs: int) -> Path:
        require_file_name(key)
        return self.folder / weights_name(key, rungs)

    def _bank_file(self, generation: int) -> Path:
        return self.folder / WEIGHTS / f"shared_{generation}.safetensors"

    def _bank_files(self) -> Iterator[Path]:
        found = (self.folder / WEIGHTS).glob("shared_*.safetensors")
        return (path for path in found if path.stem.removeprefix("shared_").isdecimal())

    def _stored_keys(self, keys: Sequence[str]) -> set[str]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key FROM candidate WHERE key IN ({marks})"  # noqa: S608 - only marks
        return {key for (key,) in self._database.execute(query, list(keys))}

    def _check_format(self) -> None:
        try:
            version = self.meta("format_version")
        except (sqlite3.Error, ValueError, TypeError) as error:  # damaged pages, or no JSON
            self._database.close()
            raise unreadable(self.folder, error) from error
        if version != FORMAT_VERSION:
            self._database.close()
            newer = isinstance(version, int) and version > FORMAT_VERSION
            remedy = f"Read it with the {'newer ' if newer else ''}evo_snn that wrote it."
            raise RequestError("format_version", version, str(FORMAT_VERSION), remedy)

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
