"""Does brief training rank designs as full training does? Kendall's tau on candidates of searches.

Candidates are drawn from searches with inheritance, a search a seed. Three numbers rank them:
accuracy after brief training with inherited weights (the fitness as the search stored it), after
equally many steps from scratch, and their parameters, which cost nothing. The judge is the test
accuracy of full training (``study_tasks.py``), the mean of two seeds; the ceiling is what a third
full training agrees with them. All over all candidates and over the half that full training calls
better, with 95 % bootstrap intervals over candidates.

    python runs/benchmarks/fitness_rank.py digits
    python runs/benchmarks/fitness_rank.py cifar10 --searches 1 --candidates 30
    python runs/benchmarks/fitness_rank.py digits --set training.steps=20 --out runs/out/rank20

A folder is for one setting of the searches.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from study_tasks import OUT, TASKS, add_row, judge, plan_of, rows_of, samples_of

import evo_snn
from evo_snn.evaluation import EvaluationSettings, Task, evaluate
from evo_snn.seeds import derived_seed
from evo_snn.store import Store
from genomes.architecture import Architecture

JUDGES, THIRD = (0, 1), 2
JUDGE, CEILING = "judge", "a third full training"
RESAMPLES = 2_000


def drawn(task: str, seed: int, n: int, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Candidates of a search, at random, each with its fitness with inheritance and without."""
    alone = {"workers.jobs": 1, "workers.backend": "sequential", "search.generations": 19}
    with tempfile.TemporaryDirectory() as folder:
        run = evo_snn.evolve(
            TASKS[task].config, Path(folder) / "run", seed=seed, overrides={**alone, **settings}
        )
        with Store.open(run.folder) as store:
            evaluated = [one for one in store.candidates() if one.trained]
        training = run.config.training
    chosen = np.random.default_rng(seed).choice(len(evaluated), min(n, len(evaluated)), False)
    plan = plan_of(task)
    fresh = EvaluationSettings(plan.config.data, plan.settings.data_digest, training)
    samples_of(task)
    rows = []
    for k in sorted(chosen.tolist()):
        one = evaluated[k]
        architecture = Architecture.from_description(one.architecture)
        own_seed = derived_seed(seed, one.key)
        chip = plan.space.chips.base
        outcome = evaluate(Task(one.key, one.genome, architecture, chip, (), own_seed), fresh)
        rows.append(
            {
                "task": task,
                "seed": seed,
                "key": one.key,
                "generation": one.generation,
                "architecture": dict(one.architecture),
                "inherited": one.metrics["accuracy"],
                "scratch": outcome.metrics["accuracy"],
                "parameters": one.metrics["parameters"],
            }
        )
    return rows


def agreement(table: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Kendall's tau of each ranking with the judge: a row a ranking and a set of candidates.

    Candidates of several searches are one set, in which each design is once.
    """
    rows = []
    better = table[JUDGE] >= table[JUDGE].median()
    sets = {"all": table, "better half": table[better]}
    for of, chosen in sets.items():
        target = chosen[JUDGE].to_numpy()
        for name in names:
            own = chosen[name].to_numpy()
            low, high = _interval(own, target)
            tau = stats.kendalltau(own, target).statistic
            row = {"ranking": name, "of": of, "n": len(own), "tau": tau}
            rows.append({**row, "low": low, "high": high})
    return pd.DataFrame(rows)


def _interval(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    draws = rng.integers(len(a), size=(RESAMPLES, len(a)))
    taus = [stats.kendalltau(a[chosen], b[chosen]).statistic for chosen in draws]
    return float(np.nanquantile(taus, 0.025)), float(np.nanquantile(taus, 0.975))


def main() -> None:
    """Search, draw, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--searches", type=int, default=2)
    parser.add_argument("--candidates", type=int, default=60, help="of each search")
    parser.add_argument("--strategy", default="parents", help="of the searches")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    arguments = parser.parse_args()
    from evo_snn.config_file import parse_set

    settings = {
        "inheritance.strategy": arguments.strategy,
        **dict(parse_set(text) for text in arguments.settings),
    }
    path = arguments.out / "ranked.jsonl"
    known = [row for row in rows_of(path) if row["task"] == arguments.task]
    missing = [s for s in range(arguments.searches) if s not in {row["seed"] for row in known}]
    work = (
        joblib.delayed(drawn)(arguments.task, seed, arguments.candidates, settings)
        for seed in missing
    )
    for rows in joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")(work):
        for row in rows:
            add_row(path, row)
            known.append(row)
    designs = {row["key"]: row["architecture"] for row in known}
    trained = arguments.out / "trained.jsonl"
    done = judge(arguments.task, designs, (*JUDGES, THIRD), trained, arguments.jobs)
    table = pd.DataFrame(known).drop(columns="architecture").drop_duplicates("key")
    table[JUDGE] = [np.mean([done[k, seed]["test"] for seed in JUDGES]) for k in table["key"]]
    table[CEILING] = [done[k, THIRD]["test"] for k in table["key"]]
    table.to_csv(arguments.out / f"{arguments.task}_ranked.csv", index=False)
    taus = agreement(table, ("inherited", "scratch", "parameters", CEILING))
    taus.to_csv(arguments.out / f"{arguments.task}_tau.csv", index=False)
    print(taus.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
