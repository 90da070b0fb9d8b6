"""Does inheritance find better fronts sooner? Searches by several arms, judged by full training.

An arm is a strategy of inheritance, a number of steps a candidate and a peak learning rate; all
arms have about the same number of gradient steps, ancestors' included, since every candidate's
count. At eight points the designs of the search's front are trained from scratch (three seeds, test
data, see ``study_tasks.py``); their hypervolume in the task's fixed box is the front's quality.

First every strategy is tuned over one grid of steps and rates, on seeds that are not reported; then
what was chosen is searched anew on the seeds 0, 1, …, beside the package's default configuration:

    python runs/benchmarks/inheritance_study.py digits tune --seeds 3
    python runs/benchmarks/inheritance_study.py digits report --seeds 10
    python runs/benchmarks/inheritance_study.py cifar10 tune --seeds 2
    python runs/benchmarks/inheritance_study.py cifar10 report --seeds 5

What is done is in ``searches.jsonl`` and ``trained.jsonl`` of the folder, and is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
from inheritance_curves import chosen_arms, curves, report
from study_tasks import CHECKPOINTS, OUT, TASKS, add_row, judge, rows_of

import evo_snn
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.config import TrainingSection
from evo_snn.pareto import front_of
from evo_snn.store import Store

JUDGES = {"tune": (0,), "report": (0, 1, 2)}
"""Stage → seeds of the full trainings of a design."""

FIRST_SEED = {"tune": 1_000, "report": 0}
STRATEGIES = ("none", "parents", "nearest", "shared")
BUDGETS = (5, 10, 20, 40)
RATES = (2e-2, 4e-2)
DEFAULT = "default"

Settings = Mapping[str, Any]


def grid() -> dict[str, Settings]:
    """Arm → overrides: every strategy with every number of steps and every rate."""
    return {
        f"{strategy}, {steps}, {rate:g}": {
            "inheritance.strategy": strategy,
            "training.steps": steps,
            "training.learning_rate": rate,
            "training.evaluations": 1,  # a look costs as much as a step or two
        }
        for strategy in STRATEGIES
        for steps in BUDGETS
        for rate in RATES
    }


ARMS: Mapping[str, Settings] = {**grid(), DEFAULT: {}}


def search(task: str, arm: str, seed: int) -> dict[str, Any]:
    """One search: the fronts at the checkpoints, and the designs that were ever on one of them."""
    config, settings = TASKS[task].config, ARMS[arm]
    first, later = config["search"]["population"], config["search"]["offspring"]
    candidates = TASKS[task].steps / settings.get("training.steps", TrainingSection().steps)
    alone = {"workers.jobs": 1, "workers.backend": "sequential"}
    generations = {"search.generations": 1 + max(0, math.ceil((candidates - first) / later))}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = evo_snn.evolve(
            config, Path(folder) / "run", seed=seed, overrides={**generations, **alone, **settings}
        )
        with Store.open(run.folder) as store:
            evaluated = store.candidates()
            objectives = store.objectives()
    seconds = time.perf_counter() - started
    fronts = _fronts(task, evaluated, objectives)
    on_fronts = {key for front in fronts for key in front["keys"]}
    depths, ages = _lineages(evaluated)
    designs = {
        one.key: {
            "architecture": dict(one.architecture),
            "metrics": dict(one.metrics),
            "depth": depths[one.key],
            "age": ages[one.key],
        }
        for one in evaluated
        if one.key in on_fronts
    }
    about = {"task": task, "arm": arm, "seed": seed, "seconds": seconds}
    return {**about, "candidates": len(evaluated), "fronts": fronts, "designs": designs}


def _fronts(
    task: str, evaluated: Sequence[Candidate], objectives: Sequence[ObjectiveRecord]
) -> list[dict[str, Any]]:
    """The front of what the first steps paid for, for each checkpoint."""
    spent = 0
    paid = []
    for one in evaluated:
        spent += one.training_steps
        paid.append(spent)
    fronts = []
    for share in CHECKPOINTS:
        steps = share * TASKS[task].steps
        seen = [one for one, s in zip(evaluated, paid, strict=True) if s <= steps]
        keys = [one.key for one in front_of(seen, objectives)]
        fronts.append({"steps": steps, "candidates": len(seen), "keys": keys})
    return fronts


def _lineages(evaluated: Sequence[Candidate]) -> tuple[dict[str, int], dict[str, int]]:
    """Key → generations of ancestors, and → steps along the longest line of ancestors and its own.

    They say how a candidate was bred, whether weights were inherited or not.
    """
    depths: dict[str, int] = {}
    ages: dict[str, int] = {}
    for one in sorted(evaluated, key=lambda candidate: candidate.generation):
        depths[one.key] = 1 + max((depths[key] for key in one.parents), default=-1)
        before = max((ages[key] for key in one.parents), default=0)
        ages[one.key] = one.training_steps + before
    return depths, ages


def searches(
    task: str, arms: Sequence[str], seeds: Sequence[int], path: Path, jobs: int
) -> list[dict[str, Any]]:
    """All searches that are asked for, done now or before."""
    wanted = [(arm, seed) for seed in seeds for arm in arms]
    known = {(row["arm"], row["seed"]): row for row in rows_of(path) if row["task"] == task}
    work = (joblib.delayed(search)(task, *each) for each in wanted if each not in known)
    for row in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        add_row(path, row)
        known[row["arm"], row["seed"]] = row
        found = f"{row['candidates']} candidates, {row['seconds']:.0f} s"
        print(f"{task}, {row['arm']}, seed {row['seed']}: {found}", flush=True)
    return [known[each] for each in wanted]


def designs_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Key → architecture of every design that was on a front."""
    return {key: each["architecture"] for row in rows for key, each in row["designs"].items()}


def main() -> None:
    """Search, judge, and write what was chosen, or tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("stage", choices=list(JUDGES))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    task, stage, out = arguments.task, arguments.stage, arguments.out
    choice = out / f"{task}_chosen.json"
    if stage == "tune":
        arms = arguments.arms or list(grid())
    else:
        chosen = json.loads(choice.read_text())
        arms = arguments.arms or list(dict.fromkeys([*chosen.values(), DEFAULT]))
    seeds = range(FIRST_SEED[stage], FIRST_SEED[stage] + arguments.seeds)
    rows = searches(task, arms, seeds, out / "searches.jsonl", arguments.jobs)
    judges = JUDGES[stage]
    trainings = judge(task, designs_of(rows), judges, out / "trained.jsonl", arguments.jobs)
    table = curves(task, rows, trainings, judges)
    if stage == "tune":
        chosen = chosen_arms(table)
        table.to_csv(out / f"{task}_tuning.csv", index=False)
        choice.write_text(json.dumps(chosen, indent=1))
        print(table.pivot_table("hypervolume", "arm", "steps", sort=False).round(4).to_string())
        print(json.dumps(chosen, indent=1))
    else:
        report(task, table, rows, trainings, judges, chosen, out)


if __name__ == "__main__":
    main()
