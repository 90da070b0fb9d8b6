"""NSGA-II against random search, SNASNet's and NeuroNAS's, on one configuration and equal budgets.

    python runs/benchmarks/compare_baselines.py mine.toml --seeds 5 --out runs/out/baselines.json

The configuration is that of the search to be compared: it says the data, the space, the bounds and
how many candidates NSGA-II trains. Random search trains as many. SNASNet and NeuroNAS score as many
designs as the same work allows, and train one. Of each run the feasible design of the best
validation accuracy is trained fully, with the same number of epochs, and measured on test data.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import evo_snn
from evo_snn.config import Config
from evo_snn.config_file import load_config, parse_set
from evo_snn.search import NothingFeasible

PASSES = 3
"""A gradient step's work in forward passes: a backward pass has twice the products of a forward."""

ARMS = ("nsga2", "random", "snasnet", "neuronas")
COSTS = ("parameters", "area_mm2", "latency_ms", "energy_uj")


def scored_instead(config: Config) -> int:
    """How many designs can be scored, and one trained, for the work of the configured search."""
    search, training, scoring = config.search, config.training, config.scoring
    trained = search.population + (search.generations - 1) * search.children
    samples = (trained - 1) * training.steps * training.batch_size * PASSES
    return max(2, samples // (scoring.samples * scoring.batches))


def overrides_of(arm: str, config: Config) -> dict[str, Any]:
    """What makes the configuration that of an arm."""
    chosen: dict[str, Any] = {"search.algorithm": arm}
    if arm in ("snasnet", "neuronas"):
        plain = {"ladder.rungs": 1, "inheritance.strategy": "none"}
        chosen |= {**plain, "search.population": scored_instead(config), "search.generations": 1}
    return chosen


def measured(
    path: Path, arm: str, seed: int, epochs: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """One search in a folder of its own, and what its best design comes to."""
    chosen = {**settings, **overrides_of(arm, load_config(path, settings))}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = evo_snn.evolve(path, Path(folder) / "run", seed=seed, overrides=chosen)
        except NothingFeasible as nothing:
            run = nothing.run
        seconds = time.perf_counter() - started
        table, front = run.candidates(), run.front()
        row: dict[str, Any] = {
            "arm": arm,
            "seed": seed,
            "seconds": seconds,
            "candidates": len(table),
            "trained": int((table["training_steps"] > 0).sum()),
        }
        if front.empty:  # the baseline's design is over a bound
            return row
        best = front.sort_values("accuracy", ascending=False, kind="stable").iloc[0]
        fully = evo_snn.train(run, [best["key"]], epochs=epochs).iloc[0]
        row |= {name: float(best[name]) for name in ("accuracy", *COSTS)}
        return row | {"test_accuracy": float(fully["test_accuracy"])}


def main() -> None:
    """Run all arms, print a table, write everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30, help="of the chosen designs")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--out", type=Path, default=Path("runs/out/compare_baselines.json"))
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    settings = dict(parse_set(text) for text in arguments.settings)
    rows = [
        measured(arguments.config, arm, seed, arguments.epochs, settings)
        for seed in range(arguments.seeds)
        for arm in arguments.arms
    ]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rows, indent=1))
    columns = ("arm", "seed", "candidates", "trained", "seconds", "accuracy", "test_accuracy")
    print(*(f"{name:>13}" for name in (*columns, *COSTS)))
    for row in rows:
        values = [row.get(name) for name in (*columns, *COSTS)]
        shown = [f"{one:.4g}" if isinstance(one, float) else one or "–" for one in values]
        print(*(f"{one!s:>13}" for one in shown))


if __name__ == "__main__":
    main()
