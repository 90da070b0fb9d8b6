"""What a run's database must hold to be a run: rules over its rows, as pure functions.

Each rule yields the problems that it finds. SQLite has checked the types of columns and that keys
refer to rows; what is checked here is what the rows mean.
"""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evo_snn.chip_genes import chip_genes, stored_chip
from evo_snn.config import Config
from evo_snn.config_file import load_config
from evo_snn.design_space import DesignSpace
from evo_snn.meta import DAMAGED, decoded, meta_faults, plugin_faults
from evo_snn.metrics import INITIAL
from genomes.documents import parse_toml
from genomes.space import SearchSpace
from genomes.spaces import OWN_SPACES, make_space

Kind = Literal[
    "database",
    "configuration",
    "space",
    "plug-in",
    "candidate",
    "generation",
    "weights",
    "shared bank",
    "folder",
    "leftover",
]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a run's folder.

    Attributes:
        kind: What is damaged.
        text: One line.
        key: The candidate that it concerns, if any.
        file: The file that it concerns, relative to the folder, if any.
        repairable: Whether `evo_snn.repair.repair` has a way to leave the run usable.
    """

    kind: Kind
    text: str
    key: str | None = None
    file: str | None = None
    repairable: bool = False


@dataclass(frozen=True)
class Row:
    """One candidate as the database has it, its numbers by name."""

    number: int
    key: str
    genome: str
    generation: int
    state: str
    architecture: str
    workload: str | None
    weights: str | None
    metrics: Mapping[str, float]
    violations: Mapping[str, float]
    seconds: Mapping[str, float]
    circumstances: str | None  # of a failure
    training_steps: int
    rungs: Sequence[tuple[int, int, str]]  # position, steps, metrics


@dataclass(frozen=True)
class Content:
    """All that the rules read, of one state of the database."""

    meta: Mapping[str, str]
    objectives: tuple[str, ...]
    rows: tuple[Row, ...]
    generations: tuple[tuple[int, float | None, float], ...]
    asked: Mapping[int, Sequence[tuple[int, str]]]
    sessions: tuple[tuple[int, str, str], ...]

    @property
    def weights(self) -> dict[str, str]:
        """Key → SHA-256 of the file of weights."""
        return {row.key: row.weights for row in self.rows if row.weights is not None}

    def value(self, name: str) -> Any:
        """A JSON value of the meta data; None where there is none, or no JSON."""
        value = decoded(self.meta.get(name, "null"))
        return None if value is DAMAGED else value


def load_content(database: sqlite3.Connection) -> Content:
    """Read everything in one transaction, while another process may write."""
    database.execute("BEGIN")
    try:
        numbers = {
            table: _numbers(database.execute(f"SELECT * FROM {table}"))  # noqa: S608 - ours
            for table in ("metric", "violation", "timing")
        }
        query = "SELECT candidate, circumstances FROM failure"
        failures = dict(database.execute(query).fetchall())
        rungs: dict[int, list[tuple[int, int, str]]] = {}
        for number, *rung in database.execute("SELECT * FROM rung ORDER BY candidate, position"):
            rungs.setdefault(number, []).append((rung[0], rung[1], rung[2]))
        query = (
            "SELECT number, key, genome, generation, state, architecture, workload, weights,"
            " training_steps FROM candidate ORDER BY number"
        )
        rows = tuple(
            Row(
                number=row[0],
                key=row[1],
                genome=row[2],
                generation=row[3],
                state=row[4],
                architecture=row[5],
                workload=row[6],
                weights=row[7],
                metrics=numbers["metric"].get(row[0], {}),
                violations=numbers["violation"].get(row[0], {}),
                seconds=numbers["timing"].get(row[0], {}),
                circumstances=failures.get(row[0]),
                training_steps=row[8],
                rungs=rungs.get(row[0], ()),
            )
            for row in database.execute(query)
        )
        asked: dict[int, list[tuple[int, str]]] = {}
        query = "SELECT generation, position, key FROM asked ORDER BY generation, position"
        for generation, position, key in database.execute(query):
            asked.setdefault(generation, []).append((position, key))
        query = "SELECT number, hypervolume, seconds FROM generation ORDER BY number"
        generations = tuple(database.execute(query).fetchall())
        meta = dict(database.execute("SELECT name, value FROM meta").fetchall())
        query = "SELECT number, workers, environment FROM session ORDER BY number"
        sessions = tuple(database.execute(query).fetchall())
        query = "SELECT name FROM objective ORDER BY position"
        objectives = tuple(name for (name,) in database.execute(query))
    finally:
        database.execute("ROLLBACK")
    return Content(meta, objectives, rows, generations, asked, sessions)


def _numbers(rows: sqlite3.Cursor) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for number, name, value in rows:
        found.setdefault(number, {})[name] = value
    return found


def problems_of(content: Content) -> Iterator[Problem]:
    """Everything that is wrong with what a database holds."""
    for text in meta_faults(content.meta):
        yield Problem("database", text)
    for number, *tables in content.sessions:
        if not all(isinstance(decoded(text), dict) for text in tables):
            text = f"session {number}: its workers or its environment are no JSON object"
            yield Problem("database", text)
    yield from _generation_problems(content)
    for row in content.rows:
        yield from _row_problems(row, content.objectives)
    yield from _genome_problems(content)
    for text in plugin_faults(content.value("plugins")):
        yield Problem("plug-in", text)


def config_problems(
    content: Content, config: Config, environment: Mapping[str, Any]
) -> list[Problem]:
    """Where the configuration of a run and its database differ.

    Args:
        content: Of the database.
        config: As ``config.toml`` has it.
        environment: The table ``[environment]`` there.
    """
    return [*_named_problems(content, config, environment)] or [*_edited(content, config)]


def _named_problems(
    content: Content, config: Config, environment: Mapping[str, Any]
) -> Iterator[Problem]:
    """Differences from what the database has in tables of its own."""
    space = _document(content, "space")
    options = space.get("options")
    own = OWN_SPACES.get(config.search.space)
    pairs: dict[str, tuple[Any, Any]] = {
        "objectives.names": (list(config.objectives.names), list(content.objectives)),
        "constraints": (
            config.model_dump(mode="json")["constraints"],
            _document(content, "constraints"),
        ),
        "search.space": (config.search.space, space.get("name")),
        "environment": (dict(environment), _document(content, "environment")),
    }
    if own is not None and own.name == space.get("name"):
        try:
            checked, stored = (
                own.Options.model_validate(given).model_dump(mode="json")
                for given in (config.space, options)
            )
        except ValueError as error:
            reason = " ".join(str(error).split())
            yield Problem("configuration", f"config.toml: space: {reason}", file="config.toml")
        else:
            pairs["space"] = (json.loads(json.dumps(checked)), json.loads(json.dumps(stored)))
    for name, (here, there) in pairs.items():
        if here != there:
            text = f"config.toml: {name} is {here!r}, but the database has {there!r}"
            yield Problem("configuration", text, file="config.toml")


def _edited(content: Content, config: Config) -> Iterator[Problem]:
    """The first key that differs from the configuration as the run began with it."""
    try:
        difference = _began_with(content).first_difference(config)
    except ValueError as error:
        yield Problem("configuration", f"the database's own configuration: {error}")
        return
    if difference is not None:
        key, there, here = difference
        text = f"config.toml: {key} is {here!r}, but the run began with {there!r}"
        yield Problem("configuration", text, file="config.toml")


def _began_with(content: Content) -> Config:
    """The configuration as the run began with it; ValueError where that is none."""
    stored = content.value("config")
    return load_config(parse_toml(stored if isinstance(stored, str) else ""))


# Generations


def _generation_problems(content: Content) -> Iterator[Problem]:
    numbers = [number for number, _, _ in content.generations]
    if numbers != list(range(len(numbers))):
        text = f"finished generations are {numbers}, not 0 to {len(numbers) - 1} without a gap"
        yield Problem("generation", text)
    born = {row.key: row.generation for row in content.rows}
    for number, volume, seconds in content.generations:
        keys = content.asked.get(number, ())
        if [position for position, _ in keys] != list(range(len(keys))) or not keys:
            text = f"generation {number}: {len(keys)} stored keys are not all that it asked for"
            yield Problem("generation", text)
        if not math.isfinite(seconds) or not math.isfinite(volume or 0.0):
            text = f"generation {number}: hypervolume {volume} in {seconds} seconds is not finite"
            yield Problem("generation", text)
        for key in (key for _, key in keys if born.get(key, math.inf) > number):
            text = f"generation {number} asked for {key}, which is not stored by then"
            yield Problem("generation", text, key)
    yield from _order_problems(content)


def _order_problems(content: Content) -> Iterator[Problem]:
    """Whether candidates are numbered and asked for as their generations say."""
    finished = len(content.generations)
    asked = {number: {key: k for k, key in keys} for number, keys in content.asked.items()}
    last = (-1, -1)
    for row in content.rows:  # in the order of their numbers
        position = asked.get(row.generation, {}).get(row.key)
        if row.generation > finished:
            yield _of(row, f"it is of generation {row.generation}, but {finished} is the next one")
        elif row.generation < finished and position is None:
            yield _of(row, f"generation {row.generation} did not ask for it")
        elif position is not None:
            if (row.generation, position) < last:
                yield _of(row, "its number is not its place in the order of asking")
            last = (row.generation, position)


# Candidates


def _row_problems(row: Row, objectives: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with one candidate, beside its genome."""
    for name in ("architecture", "workload", "circumstances"):
        text = getattr(row, name)
        if text is not None and not isinstance(decoded(text), dict):
            yield _of(row, f"its {name} is no JSON object")
    for name in ("metrics", "violations", "seconds"):
        wrong = [key for key, value in getattr(row, name).items() if not math.isfinite(value)]
        if wrong:
            yield _of(row, f"its {name} are not finite: {', '.join(sorted(wrong))}")
    if (row.state == "failed") != (row.circumstances is not None):
        has = "a" if row.state != "failed" else "no"
        yield _of(row, f"it is {row.state}, and has {has} failure")
    if (row.state == "infeasible") != bool(row.violations):
        has = "violates a" if row.violations else "violates no"
        yield _of(row, f"it is {row.state}, and {has} constraint")
    if any(value <= 0 for value in row.violations.values()):
        yield _of(row, "it has a violation that is not positive")
    yield from _rung_problems(row)
    scored_alone = bool(row.rungs) and not row.training_steps
    missing = [name for name in objectives if name not in {*row.metrics, *INITIAL}]
    if row.state == "ok" and missing and not scored_alone:
        yield _of(row, f"it is ok, and has no {', '.join(missing)}")


def _rung_problems(row: Row) -> Iterator[Problem]:
    """What is wrong with what a candidate came to on the rungs of a ladder."""
    if not row.rungs:
        return
    positions, steps, metrics = zip(*row.rungs, strict=True)
    if positions != tuple(range(len(positions))) or list(steps) != sorted({*steps}):
        yield _of(row, f"its rungs are {positions}, of {steps} steps")
    if steps[-1] != row.training_steps:
        yield _of(row, f"its last rung ends after {steps[-1]} steps, not {row.training_steps}")
    if not all(isinstance(decoded(text), dict) for text in metrics):
        yield _of(row, "its metrics on a rung are no JSON object")


def _of(row: Row, text: str) -> Problem:
    return Problem("candidate", f"candidate {row.key}: {text}", row.key)


# Genomes and keys


def _genome_problems(content: Content) -> Iterator[Problem]:
    description = _document(content, "space")
    choices = _choices(description)
    if choices is None:
        yield Problem("space", "the description of the search space has no genes with choices")
        return
    space, reason = _own_space(content)
    if reason:
        yield Problem("space", reason)
    counts = Counter(row.genome for row in content.rows)
    for row in content.rows:
        genome = decoded(row.genome)
        if not _fits(genome, choices):
            yield _of(row, "its genome is not one choice of each gene of the stored space")
        elif counts[row.genome] > 1:
            yield _of(row, "another candidate has the same genome")
        elif space is not None and space.canonical(genome).tolist() != genome:
            yield _of(row, "its genome is not canonical")
        elif space is not None and space.key(genome) != row.key:
            yield _of(row, f"its key is not that of its genome, {space.key(genome)}")


def _choices(description: Mapping[str, Any]) -> list[int] | None:
    """How many choices each gene has."""
    genes = description.get("genes")
    if not isinstance(genes, list):
        return None
    found = [one.get("choices") if isinstance(one, dict) else None for one in genes]
    counts = [len(one) for one in found if isinstance(one, list)]
    return counts if len(counts) == len(found) else None


def _fits(genome: Any, choices: Sequence[int]) -> bool:
    return (
        isinstance(genome, list)
        and len(genome) == len(choices)
        and all(type(gene) is int for gene in genome)
        and all(0 <= gene < count for gene, count in zip(genome, choices, strict=True))
    )


def _own_space(content: Content) -> tuple[SearchSpace | None, str]:
    """The space of the package's own that a run has, or what is wrong with its description.

    Neither for a space of another package, which is never imported to look at a run, and for
    another version, whose keys only its own code knows.
    """
    description = _document(content, "space")
    known = OWN_SPACES.get(str(description.get("name")))
    if known is None or description.get("version") != known.version:
        return None, ""
    try:
        network = make_space(
            known.name,
            description["input_shape"],
            description["classes"],
            description["options"],
            description.get("frames", 0),
        )
        genes = _began_with(content).hardware
        space = DesignSpace(network, chip_genes(genes, stored_chip(content.value)))
        made = json.loads(json.dumps(space.description()))
        # options of which it was made; those that came later are at their defaults
        same = made == {**description, "options": made["options"]}
    except (ValueError, TypeError, KeyError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return None, f"the description of the search space makes no space: {reason}"
    if not same:
        return None, f"the description is not that of the space {known.name!r}"
    return space, ""


def _document(content: Content, name: str) -> dict[str, Any]:
    """A JSON object among the meta data; an empty one where there is none."""
    value = content.value(name)
    return value if isinstance(value, dict) else {}
