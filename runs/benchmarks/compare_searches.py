"""Does the search win? Hypervolume of searches at equal training steps, paired by seed.

Three arms on one configuration: the search on parents' weights, the same from scratch, and random
search from scratch. All have the same number of trained candidates, the same gradient steps for
each, and the same hypervolume box, which no run's front has any part in.

    python runs/benchmarks/compare_searches.py --seeds 10 --out runs/out/compare.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from scipy import stats

import evo_snn
from evo_snn.store import Store

CONFIG = Path(__file__).resolve().parent.parent / "digits.toml"

ARMS: dict[str, dict[str, Any]] = {
    "parents": {"inheritance.strategy": "parents"},
    "no inheritance": {"inheritance.strategy": "none"},
    "random": {"inheritance.strategy": "none", "search.algorithm": "random"},
}
PAIRS = [("no inheritance", "random"), ("parents", "no inheritance")]


def measured(arm: str, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """One search in a folder of its own: its hypervolume after each generation."""
    alone = {"workers.jobs": 1, "workers.backend": "sequential", "weights.keep": "needed"}
    with tempfile.TemporaryDirectory() as folder:
        run = evo_snn.evolve(
            CONFIG, Path(folder) / "run", seed=seed, overrides={**settings, **ARMS[arm], **alone}
        )
        generations = run.generations()
        with Store.open(run.folder) as store:  # a design may miss a bound only after training
            steps = sum(each.training_steps for each in store.candidates(details=False))
        return {
            "arm": arm,
            "seed": seed,
            "hypervolume": generations["hypervolume"].tolist(),
            "evaluations": generations["evaluations"].tolist(),
            "training_steps": steps,
            "box": run.hypervolume_box,
        }


def compared(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """A paired comparison of final hypervolumes (seeds,): is ``first`` larger?

    ``p`` is of Wilcoxon's signed-rank test, one-sided and exact; ``dz`` is Cohen's effect size of
    paired differences; the interval is a bootstrap of the median difference.
    """
    difference = first - second
    interval = stats.bootstrap(
        (difference,), np.median, n_resamples=10_000, rng=np.random.default_rng(0)
    ).confidence_interval
    return {
        "median_first": float(np.median(first)),
        "median_second": float(np.median(second)),
        "median_difference": float(np.median(difference)),
        "interval_low": float(interval.low),
        "interval_high": float(interval.high),
        "p": float(stats.wilcoxon(first, second, alternative="greater").pvalue),
        "dz": float(difference.mean() / difference.std(ddof=1)),
        "wins": int((difference > 0).sum()),
        "seeds": len(difference),
    }


def main() -> None:
    """Run all arms, print the comparison, write everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/out/compare_searches.json"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    from evo_snn.config_file import parse_set

    settings = dict(parse_set(text) for text in arguments.settings)
    tasks = [(arm, seed) for seed in range(arguments.seeds) for arm in ARMS]
    rows = joblib.Parallel(n_jobs=arguments.jobs, verbose=5)(
        joblib.delayed(measured)(arm, seed, settings) for arm, seed in tasks
    )
    final = {
        arm: np.array([row["hypervolume"][-1] for row in rows if row["arm"] == arm]) for arm in ARMS
    }
    comparisons = {f"{a} against {b}": compared(final[a], final[b]) for a, b in PAIRS}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"runs": rows, "comparisons": comparisons}, indent=1))
    for name, result in comparisons.items():
        print(name, *(f"  {key}: {value:.4g}" for key, value in result.items()), sep="\n")


if __name__ == "__main__":
    main()
