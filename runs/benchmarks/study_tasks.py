"""The two tasks that inheritance and brief training are judged on, and full training of designs.

A design's *full training* is the judge of everything here: from scratch, a fixed number of steps, a
learning rate that falls to zero, the weights of the last step (so that nothing is chosen by
validation), accuracy on the test part, which no search sees. It is kept in a file by
(task, key, seed), one JSON document a line, so that all arms, seeds and studies share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from evo_snn import pareto
from evo_snn.config_file import load_config
from evo_snn.plan import Plan, make_plan
from evo_snn.seeds import derived_seed
from evo_snn.snn import build, deploy
from evo_snn.training import dataset, fit, make_reproducible, measure, on_device
from genomes.architecture import Architecture
from hardware import estimate

RUNS = Path(__file__).resolve().parent.parent
OUT = RUNS / "out" / "inheritance"
CHECKPOINTS = (1 / 24, 1 / 12, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of a search's steps at which its front is looked at."""


@dataclass(frozen=True)
class Task:
    """What is searched, and how its designs are judged.

    Attributes:
        name: of the task.
        config: the configuration of a search, but for what an arm says.
        steps: gradient steps of a whole search, all candidates together.
        full_steps: of one full training: where accuracy has stopped rising. Mean test accuracy of
            14 designs of digits after 150, 300, 600 and 1,200 steps: 0.935, 0.939, 0.944, 0.946; of
            6 designs of the small CIFAR-10 after 200, 400 and 800: 0.344, 0.343, 0.332.
        full_rate: its peak learning rate.
    """

    name: str
    config: Mapping[str, Any]
    steps: int
    full_steps: int
    full_rate: float = 4e-2


OBJECTIVES = {"names": ["accuracy", "energy_uj"]}
TASKS = {
    "digits": Task(
        "digits",
        {
            "data": {"name": "digits"},
            "search": {"space": "plain", "population": 24, "offspring": 12},
            "space": {"widths": [4, 8, 12, 16, 24], "kernels": [1, 3], "time_steps": [2, 3, 4]},
            "objectives": OBJECTIVES,
        },
        steps=4_800,
        full_steps=600,
    ),
    "cifar10": Task(
        "cifar10",
        {
            "data": {"name": "npz", "path": RUNS / "out" / "small_cifar10.npz"},
            "search": {"space": "plain", "population": 16, "offspring": 8},
            "space": {
                "widths": [4, 8, 12, 16, 24, 32],
                "kernels": [1, 3],
                "pools": ["average", "max"],
                "time_steps": [2, 3, 4],
            },
            "objectives": OBJECTIVES,
        },
        steps=2_400,
        full_steps=200,
    ),
}


@lru_cache(maxsize=2)
def plan_of(name: str) -> Plan:
    """The plan of a task's search: its space, chip and hypervolume box."""
    return make_plan(load_config(TASKS[name].config))


@lru_cache(maxsize=2)
def samples_of(name: str) -> tuple[Any, Any, Any]:
    """The training, validation and test part of a task, as tensors."""
    data = dataset(plan_of(name).config.data)
    return (
        on_device(data.train, "cpu"),
        on_device(data.validation, "cpu"),
        on_device(data.test, "cpu"),
    )


def fully_trained(name: str, key: str, description: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """One full training of a design: accuracies, and the energy at its own spike rates."""
    make_reproducible("cpu")
    task, plan = TASKS[name], plan_of(name)
    train, validation, test = samples_of(name)
    architecture = Architecture.from_description(description)
    own_seed = derived_seed(1_000 + seed, key)  # no search has it
    network = build(architecture, own_seed)
    fitted = fit(
        network,
        train,
        validation,
        steps=task.full_steps,
        batch_size=plan.config.training.batch_size,
        learning_rate=task.full_rate,
        warm_up=plan.config.training.warm_up,
        weight_decay=plan.config.training.weight_decay,
        looks=1,
        seed=own_seed,
    )
    workload = architecture.workload.with_rates(fitted.rates)
    return {
        "task": name,
        "key": key,
        "seed": seed,
        "test": measure(deploy(network), test).accuracy,
        "validation": fitted.accuracy,
        "energy_uj": estimate(workload, plan.space.chips.base).energy_uj,
    }


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a file with one a line; what an interruption tore is passed over."""
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a document to a file with one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


Judged = dict[tuple[str, int], dict[str, Any]]
"""(key, seed) → what full training gave."""


def judged(name: str, path: Path) -> Judged:
    """The full trainings of a task that a file holds."""
    return {(row["key"], row["seed"]): row for row in rows_of(path) if row["task"] == name}


def judge(
    name: str,
    designs: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    path: Path,
    jobs: int,
) -> Judged:
    """Train fully what a file does not hold yet, and add it there.

    Args:
        name: of the task.
        designs: key → description of an architecture.
        seeds: of the trainings.
        path: of the file.
        jobs: processes.
    """
    known = judged(name, path)
    missing = [(key, seed) for key in designs for seed in seeds if (key, seed) not in known]
    work = (joblib.delayed(fully_trained)(name, k, designs[k], s) for k, s in missing)
    done = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work)
    for number, row in enumerate(done, start=1):
        add_row(path, row)
        known[row["key"], row["seed"]] = row
        if number % 100 == 0 or number == len(missing):
            print(f"{name}: {number} of {len(missing)} full trainings", flush=True)
    return known


def hypervolume(name: str, keys: Sequence[str], trainings: Judged, seeds: Sequence[int]) -> float:
    """The share of the task's box that designs dominate when they are fully trained.

    A design counts with the mean over seeds of its test accuracy and of its energy's logarithm.
    """
    columns = {"accuracy": "test", "energy_uj": "energy_uj"}
    box = [plan_of(name).box[objective] for objective in columns]
    maximise, log = [True, False], [False, True]
    best, worst = pareto.oriented(np.array(box).T, maximise, log)
    values = np.array(
        [[[trainings[key, s][c] for c in columns.values()] for s in seeds] for key in keys]
    )
    F = [pareto.oriented(values[:, s], maximise, log) for s in range(len(seeds))]
    return pareto.hypervolume(pareto.normalised(np.mean(F, axis=0), best, worst))
