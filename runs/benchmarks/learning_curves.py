"""How soon does a search with a ladder find a good design? Simulated on tabulated learning curves.

The table holds the learning curves of 15,625 spiking networks (SpikeNAS-Bench, CIFAR-10). A search
pays for the epochs that it trains, in GPU-hours, and reads a curve as far as it has paid for it. It
would take the design with the least validation error that it has seen; only then is the test
accuracy looked up. What is missing of that design's full training is paid for as well.

    python runs/benchmarks/learning_curves.py reproduce     # the published successive halving
    python runs/benchmarks/learning_curves.py tune          # on seeds of its own

``learning_curves_report.py`` measures what was tuned on other seeds, and draws it.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from evo_snn.algorithms import make_algorithm
from evo_snn.ladder import climbing, rung_steps
from evo_snn.pareto import hypervolume, nondominated, normalised
from genomes.architecture import Architecture
from genomes.genes import Gene
from genomes.space import SearchSpace

TABLE = Path(__file__).resolve().parents[3] / "shared" / "tables" / "spikenas_cost.npz"
TARGET = 88.57
HOPELESS = 88.42
"""Mean accuracy after 12, 16 and 20 hours below which a ladder is tried on no further seeds."""
EPOCHS = 100
TUNED_ON = range(10_000, 10_200)

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Learning curves of every network of a space.

    Attributes:
        errors: (N, 100) least validation error, in percent, of the first 1, 2, … epochs.
        hours: (N,) GPU-hours an epoch.
        accuracy: (N,) test accuracy after all epochs, in percent; no search reads it.
        objectives, scored: (N, 3) what a search sees after all epochs, and what it is judged on.
        box: (2, 3) ends for hypervolume.
        most: hypervolume of the whole table.
    """

    errors: Numbers
    hours: Numbers
    accuracy: Numbers
    objectives: Numbers
    scored: Numbers
    box: Numbers
    most: float


def load_table(path: Path) -> Table:
    """The table of a file."""
    with np.load(path) as file:
        curves = file["curve_validation_error"].astype(float)
        return Table(
            errors=np.minimum.accumulate(curves, axis=1),
            hours=file["seconds_per_epoch"].astype(float) / 3600,
            accuracy=100 - file["scored"][:, 0].astype(float),
            objectives=file["objectives"].astype(float),
            scored=file["scored"].astype(float),
            box=np.array([file["box_lower"], file["box_upper"]], dtype=float),
            most=float(file["exhaustive_hypervolume"]),
        )


class NoOptions(BaseModel):
    """The table's space has none."""


class TableSpace(SearchSpace):
    """Cells of six edges with five operations; row = sum of gene k times 5^k."""

    name, version, Options = "spikenas", 1, NoOptions
    genes = tuple(Gene(f"edge{k}", (0, 1, 2, 3, 4), "categorical") for k in range(6))

    def __init__(self) -> None:
        super().__init__((3, 32, 32), 10, NoOptions())

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """All."""
        return np.ones(np.shape(genome), dtype=bool)

    def decode(self, genome: ArrayLike) -> Architecture:
        """Nothing here needs the networks themselves."""
        raise NotImplementedError

    @staticmethod
    def row(genome: Sequence[int]) -> int:
        """The genome's row of the table."""
        return int(np.dot(genome, 5 ** np.arange(6)))


@dataclass(frozen=True)
class Choice:
    """What a search would take if it ended now: at what price, and how it is then judged."""

    hours: float
    accuracy: float


class Search:
    """The account of one search: epochs paid for, and what it would take."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.epochs: dict[int, int] = {}  # row → paid for
        self.hours = 0.0
        self.choices: list[Choice] = []
        self.finished: list[tuple[float, int]] = []  # hours, row: trained to the end
        self._least = np.inf

    def train(self, row: int, epochs: int) -> float:
        """Go on to so many epochs in all; the least validation error until then."""
        paid = self.epochs.get(row, 0)
        self.hours += self._table.hours[row] * (epochs - paid)
        self.epochs[row] = epochs
        if epochs == EPOCHS:
            self.finished.append((self.hours, row))
        error = self.error(row, epochs)
        if error < self._least:
            self._least = error
            finish = self._table.hours[row] * (EPOCHS - epochs)
            self.choices.append(Choice(self.hours + finish, self._table.accuracy[row]))
        return error

    def error(self, row: int, epochs: int) -> float:
        """The least validation error of the first epochs, which have to be paid for."""
        if epochs > self.epochs[row]:
            raise ValueError(f"{epochs} epochs of {row} are not paid for")
        return float(self._table.errors[row, epochs - 1])


@dataclass(frozen=True)
class Ladder:
    """A search with a ladder in its generations; ``many`` for all three objectives."""

    population: int
    offspring: int
    rungs: int
    keep: float
    algorithm: str = "nsga2"
    many: bool = False


def laddered(table: Table, ladder: Ladder, seed: int, hours: float) -> Search:
    """The package's own search until it has used up the hours."""
    search, known = Search(table), table.objectives[:, 1:]
    space = TableSpace()
    algorithm = make_algorithm(
        ladder.algorithm,
        space,
        population=ladder.population,
        offspring=ladder.offspring,
        objectives=3 if ladder.many else 1,
        constraints=1,
        seed=seed,
        affordable=lambda genomes: np.ones(len(genomes), dtype=bool),
    )
    ends = rung_steps(EPOCHS, ladder.rungs, ladder.keep)

    def values(rows: Sequence[int], epochs: Sequence[int]) -> Numbers:
        errors = np.array([[search.error(*each)] for each in zip(rows, epochs, strict=True)])
        return np.hstack([errors, known[list(rows)]]) if ladder.many else errors

    held: list[int] = []
    while search.hours < hours and (asked := algorithm.ask()):
        rows = [space.row(one.genome) for one in asked]
        climbers = rows
        for rung, epochs in enumerate(ends):
            for row in climbers:
                search.train(row, epochs)
            there = climbers + [row for row in held if search.epochs[row] >= epochs]
            if rung + 1 < len(ends) and climbers:
                keys = [f"{row:05d}" for row in there]
                fixed = set(keys[len(climbers) :])
                errors = values(there, [epochs] * len(there))
                up = climbing(keys, errors, np.zeros(len(there)), fixed, ladder.keep)
                climbers = [int(key) for key in up]
        algorithm.tell(values(rows, [search.epochs[row] for row in rows]), np.zeros((len(rows), 1)))
        held = [space.row(genome) for genome in algorithm.population()]
    return search


def halving(table: Table, starts: int, first: int, seed: int, eta: int = 3) -> Search:
    """Random search and successive halving: the best third goes on to three times the epochs."""
    search = Search(table)
    rows = np.random.default_rng(seed).choice(len(table.hours), starts, replace=False)
    epochs = first
    while True:
        epochs = min(epochs, EPOCHS)
        errors = np.array([search.train(int(row), epochs) for row in rows])
        if epochs == EPOCHS:
            return search
        rows = rows[np.argsort(errors, kind="stable")][: max(1, len(rows) // eta)]
        epochs *= eta


# Judging


def followed(searches: Iterable[Search], grid: Numbers) -> Numbers:
    """(searches, grid): test accuracy of what each would take within so many hours; 10 at first."""
    followed = []
    for search in searches:
        accuracy = np.full(len(grid), 10.0)
        for choice in search.choices:  # the later has the less error
            accuracy[grid >= choice.hours] = choice.accuracy
        followed.append(accuracy)
    return np.array(followed)


def reached(mean: Numbers, grid: Numbers, target: float) -> float:
    """The hours after which a mean stays at the target, or above it; infinite if it does not."""
    below = np.flatnonzero(mean < target)
    first = below[-1] + 1 if below.size else 0
    return float(grid[first]) if first < len(grid) else np.inf


def interval(
    accuracies: Numbers, statistic: Callable[[Numbers], float], draws: int = 2000
) -> tuple[float, float]:
    """95 % bootstrap interval over seeds of a statistic of their mean curve."""
    rng = np.random.default_rng(0)
    n = len(accuracies)
    found = [statistic(accuracies[rng.integers(0, n, n)].mean(0)) for _ in range(draws)]
    low, high = np.quantile(found, (0.025, 0.975), method="nearest")
    return float(low), float(high)


def hypervolumes(table: Table, search: Search, hours: Sequence[float]) -> list[float]:
    """Hypervolume of what is trained to the end within so many hours, by the tables' protocol.

    The front is chosen by validation error, parameters and spiking cost, and judged on test error.
    """
    found = []
    for end in hours:
        rows = np.array([row for at, row in search.finished if at <= end], dtype=int)
        front = rows[nondominated(table.objectives[rows])] if rows.size else rows
        scored = normalised(table.scored[front], *table.box)
        found.append(hypervolume(scored) / table.most if rows.size else 0.0)
    return found


GRID = np.arange(0.25, 60.0, 0.25)


def summary(accuracies: Numbers) -> dict[str, Any]:
    """Hours to the target with an interval, and the mean accuracy after some hours."""
    mean = accuracies.mean(0)
    return {
        "seeds": len(accuracies),
        "hours_to_target": reached(mean, GRID, TARGET),
        "interval": interval(accuracies, lambda mean: reached(mean, GRID, TARGET)),
        "accuracy": {
            str(hours): round(float(mean[np.searchsorted(GRID, hours)]), 3)
            for hours in (8, 12, 16, 20, 25, 30, 35)
        },
    }


def reproduce(table: Table, seeds: int) -> None:
    """Published: 12.4, 24.4, 35.8 hours to 88.42, 88.52, 88.57 % for 64, 128, 256 starts."""
    for starts, first in ((64, 3), (128, 3), (256, 2), (256, 1), (128, 1)):
        found = [halving(table, starts, first, seed) for seed in range(seeds)]
        accuracy = np.array([search.choices[-1].accuracy for search in found])
        hours = np.mean([search.hours for search in found])
        error = accuracy.std(ddof=1) / len(found) ** 0.5
        print(
            f"{starts} starts of {first} epochs: {hours:.1f} h, {accuracy.mean():.3f}±{error:.3f} %"
        )


def tuned(table: Table, ladders: Iterable[Ladder], out: Path, hours: float) -> None:
    """Mean accuracies of ladders on the seeds for tuning, one JSON line each."""
    for ladder in ladders:
        found: list[Search] = []
        for part in np.array_split(np.array(TUNED_ON), 4):
            found += [laddered(table, ladder, int(seed), hours) for seed in part]
            accuracies = followed(found, GRID)
            if accuracies.mean(0)[np.searchsorted(GRID, (12, 16, 20))].mean() < HOPELESS:
                break
        line = {"ladder": asdict(ladder), **summary(accuracies)}
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")


def candidates_for_tuning() -> list[Ladder]:
    """Ladders to try, in an order of chance."""
    grid = [
        Ladder(population, offspring, rungs, keep)
        for population in (32, 64, 96, 128, 192)
        for offspring in (4, 8, 16)
        for rungs, keep in ((4, 1 / 4), (5, 1 / 4), (4, 1 / 5), (4, 1 / 3), (5, 1 / 3))
    ]
    return [grid[k] for k in np.random.default_rng(0).permutation(len(grid))]


def main() -> None:
    """What the command line says."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["reproduce", "tune"])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/out/learning_curves_tuned.jsonl"))
    arguments = parser.parse_args()
    table = load_table(arguments.table)
    if arguments.what == "reproduce":
        reproduce(table, arguments.seeds)
    else:
        tuned(table, candidates_for_tuning(), arguments.out, 30.0)


if __name__ == "__main__":
    main()
