"""Does inheritance find better fronts sooner? Searches by several arms, judged by full training.

An arm is a strategy of inheritance and a number of steps a candidate; all arms have about the same
number of gradient steps, ancestors' and the bank's included, since every candidate's count. At
eleven points the designs of the search's front are trained from scratch (three seeds, test data,
see ``study_tasks.py``); their hypervolume in the task's fixed box is the quality of the front.

    python runs/benchmarks/inheritance_study.py digits --seeds 10 --jobs 2
    python runs/benchmarks/inheritance_study.py cifar10 --seeds 5 --jobs 2

What is done is in ``searches.jsonl`` and ``trained.jsonl`` of the folder, and is not done again.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
from study_tasks import CHECKPOINTS, OUT, TASKS, Judged, add_row, judge, judged, rows_of

import evo_snn
from evo_snn.candidate import Candidate
from evo_snn.pareto import front_of
from evo_snn.store import Store

JUDGES = (0, 1, 2)
"""Seeds of the full trainings of a design."""


def arms(strategy: str, budgets: Sequence[int], **training: Any) -> dict[str, dict[str, Any]]:
    """Arms of one strategy, one for each number of steps a candidate."""
    settings = {f"training.{key}": value for key, value in training.items()}
    return {
        f"{strategy}, {k}": {"inheritance.strategy": strategy, "training.steps": k, **settings}
        for k in budgets
    }


ARMS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "digits": {
        **arms("none", (5, 10, 20, 40)),
        **arms("nearest", (5, 10), learning_rate=2e-2),
        **arms("parents", (5, 10), learning_rate=2e-2),
        **arms("shared", (5,), learning_rate=2e-2),
    },
    "cifar10": {
        **arms("none", (20, 40, 80)),
        **arms("nearest", (10,), learning_rate=2e-2),
        **arms("parents", (10,), learning_rate=2e-2),
    },
}
"""Task → arm → overrides. The numbers are steps a candidate."""


def search(task: str, arm: str, seed: int) -> dict[str, Any]:
    """One search: the fronts at the checkpoints, and the designs that were ever on one of them."""
    config = TASKS[task].config
    settings = dict(ARMS[task][arm])
    first, later = config["search"]["population"], config["search"]["offspring"]
    candidates = TASKS[task].steps / settings["training.steps"]
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
    task: str, evaluated: Sequence[Candidate], objectives: Sequence[Any]
) -> list[dict[str, Any]]:
    """The front of what the first steps paid for, for each checkpoint and for the end."""
    spent = 0
    paid = []
    for one in evaluated:
        spent += steps_of(one)
        paid.append(spent)
    fronts = []
    for share in CHECKPOINTS:
        seen = [
            one for one, s in zip(evaluated, paid, strict=True) if s <= share * TASKS[task].steps
        ]
        keys = [one.key for one in front_of(seen, objectives)]
        fronts.append({"steps": share * TASKS[task].steps, "candidates": len(seen), "keys": keys})
    return fronts


def steps_of(candidate: Candidate) -> int:
    """Gradient steps that a candidate cost."""
    return candidate.training_steps


def _lineages(evaluated: Sequence[Candidate]) -> tuple[dict[str, int], dict[str, int]]:
    """Key → generations of ancestors, and → steps along the longest line of ancestors and its own.

    A candidate that was trained twice as long counts so; the order is that of evaluation.
    """
    depths: dict[str, int] = {}
    ages: dict[str, int] = {}
    for one in sorted(evaluated, key=lambda candidate: candidate.generation):
        depths[one.key] = 1 + max((depths[key] for key in one.parents), default=-1)
        ages[one.key] = steps_of(one) + max((ages[key] for key in one.parents), default=0)
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
        about = (
            f"{row['candidates']} candidates, {row['seconds']:.0f} s, {len(row['designs'])} designs"
        )
        print(f"{task}, {row['arm']}, seed {row['seed']}: {about}", flush=True)
    return [known[each] for each in wanted]


def designs_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Key → architecture of every design that was on a front."""
    return {key: design["architecture"] for row in rows for key, design in row["designs"].items()}


def main() -> None:
    """Search, judge, and write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--arms", nargs="+", metavar="ARM")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only-look", action="store_true", help="show what is there already")
    arguments = parser.parse_args()
    arms = arguments.arms or list(ARMS[arguments.task])
    found, trained = arguments.out / "searches.jsonl", arguments.out / "trained.jsonl"
    if arguments.only_look:
        rows = [r for r in rows_of(found) if r["task"] == arguments.task and r["arm"] in arms]
        trainings: Judged = judged(arguments.task, trained)
    else:
        rows = searches(arguments.task, arms, range(arguments.seeds), found, arguments.jobs)
        trainings = judge(arguments.task, designs_of(rows), JUDGES, trained, arguments.jobs)
    from inheritance_curves import report

    report(arguments.task, rows, trainings, JUDGES, arguments.out)


if __name__ == "__main__":
    main()
