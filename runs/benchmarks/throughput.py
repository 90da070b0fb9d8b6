"""Candidates an hour with one and with two workers: the quick start's search, paired rounds.

Each round searches with one worker and with two, of one seed, so that both train the same
candidates; every second round in the opposite order. Only trained candidates count: no failures,
and nothing twice. An hour is of the whole search with the start of its workers; beside it stand
the later generations alone, as in a search that is long.

    python runs/benchmarks/throughput.py --rounds 5 --generations 8 --out runs/out/throughput.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from candidate_cost import CONFIG, trainings
from rich.console import Console
from rich.table import Table

import evo_snn
from evo_snn.config_file import parse_set
from speed.document import written
from speed.timing import Ratio, ratio

HOUR = 3600.0
WHOLE, LATER = "whole search", "later generations"


def hourly(jobs: int, seed: int, overrides: Mapping[str, Any]) -> dict[str, float]:
    """Trained candidates an hour of one search."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = evo_snn.evolve(CONFIG, Path(folder, "run"), seed=seed, jobs=jobs, overrides=overrides)
        wall = time.perf_counter() - started
        counts, seconds = trainings(run), run.generations()["seconds"]
    _, *later = sorted(counts)
    return {
        WHOLE: HOUR * sum(counts.values()) / wall,
        LATER: HOUR * sum(counts[number] for number in later) / seconds[later].sum(),
    }


def measured(jobs: Sequence[int], rounds: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Candidates an hour by number of workers, and how many times those of the first number."""
    found: dict[int, list[dict[str, float]]] = {one: [] for one in jobs}
    for seed in range(rounds):
        for one in jobs if seed % 2 == 0 else reversed(jobs):
            found[one].append(hourly(one, seed, overrides))
    single = found[jobs[0]]
    return {
        what: {
            str(one): {
                "hourly": [each[what] for each in found[one]],
                "times": asdict(
                    ratio([each[what] for each in found[one]], [each[what] for each in single])
                ),
            }
            for one in jobs
        }
        for what in (WHOLE, LATER)
    }


def table(found: Mapping[str, Any]) -> Table:
    """Medians by number of workers."""
    made = Table("workers", "of", title="Trained candidates an hour, digits", title_justify="left")
    for heading in ("median", "least", "most", "times one worker"):
        made.add_column(heading, justify="right")
    for what, by_jobs in found.items():
        for jobs, one in by_jobs.items():
            figures = (median(one["hourly"]), min(one["hourly"]), max(one["hourly"]))
            times = str(Ratio(**one["times"]))
            made.add_row(jobs, what, *(f"{figure:,.0f}" for figure in figures), times)
    return made


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/out/throughput.json"))
    arguments = parser.parse_args()
    chosen = {"search.generations": arguments.generations}
    chosen |= dict(parse_set(one) for one in arguments.set)
    found = measured(arguments.jobs, arguments.rounds, chosen)
    Console(width=100).print(table(found))
    written(arguments.out, found)


if __name__ == "__main__":
    main()
