"""What a candidate of the quick start costs beside its gradient steps, part by part.

A search in this process, with watches on the functions that a candidate passes through; a part's
time is its own, without that of parts within it. Then the same search on one worker process: what
its generations take beyond their evaluations is time in which the worker waits, for what the driver
does and for the way between them. Much of the driver's work is done while the worker trains. The
first generation is left out there, since the worker starts in it.

    python runs/benchmarks/candidate_cost.py --out runs/out/candidate_cost.json
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import evo_snn
from evo_snn.config_file import parse_set
from evo_snn.run import Run
from evo_snn.store import Store
from speed.document import written

CONFIG = Path(__file__).resolve().parent.parent / "digits.toml"

STEPS = "gradient steps"
WAITING = "a worker waits for the next"
WORKER_PARTS: Mapping[str, Sequence[str]] = {
    "build": ["evo_snn.evaluation:build"],
    "inherit": ["evo_snn.evaluation:inherit", "evo_snn.evaluation:read_tensors"],
    "make the optimizer": ["torch.optim:AdamW.__init__"],
    STEPS: ["evo_snn.evaluation:fit"],
    "look: check, deploy, keep": [
        "evo_snn.training:_check_finite",
        "evo_snn.training:deploy",
        "evo_snn.training:named_tensors",
    ],
    "look: measure": ["evo_snn.training:measure"],
    "cost": ["evo_snn.evaluation:estimate", "evo_snn.evaluation:measured_metrics"],
    "weights to bytes": ["evo_snn.evaluation:to_bytes"],
    "rest of the evaluation": ["evo_snn.workers:evaluate"],
}
"""Part → the functions whose own time it is; what happens in a worker."""

DRIVER_PARTS: Mapping[str, Sequence[str]] = {
    "breed": ["evo_snn.algorithms:PymooAlgorithm.ask"],
    "decode": ["evo_snn.design_space:DesignSpace.designs", "evo_snn.design_space:DesignSpace.key"],
    "known costs, drafts": [
        "evo_snn.generation:known_metrics",
        "evo_snn.generation:Generation._evaluate_on",
    ],
    "make the task": ["evo_snn.generation:Generation._task"],
    "store": ["evo_snn.generation:Generation._keep", "evo_snn.generation:Generation._judged"],
    "end of a generation": ["evo_snn.loop:Loop._finish", "evo_snn.loop:Loop._tell"],
}


class Watch:
    """Seconds by part, each part's own."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = tuple(parts)
        self.seconds = dict.fromkeys(self.parts, 0.0)
        self._within: list[float] = []

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        @wraps(function)
        def timed(*args: Any, **keywords: Any) -> Any:
            self._within.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **keywords)
            finally:
                total = time.perf_counter() - started
                self.seconds[part] += total - self._within.pop()
                if self._within:
                    self._within[-1] += total

        return timed


@contextmanager
def watched(parts: Mapping[str, Sequence[str]]) -> Iterator[Watch]:
    """Watches on functions named ``module:qualified.name``, for a block."""
    watch, before = Watch(parts), []
    for part, names in parts.items():
        for name in names:
            module, _, path = name.partition(":")
            *owners, attribute = path.split(".")
            owner = importlib.import_module(module)
            for each in owners:
                owner = getattr(owner, each)
            function = getattr(owner, attribute)
            before.append((owner, attribute, function))
            setattr(owner, attribute, watch.around(part, function))
    try:
        yield watch
    finally:
        for owner, attribute, function in reversed(before):
            setattr(owner, attribute, function)


def searched(folder: Path, overrides: Mapping[str, Any], backend: str) -> Run:
    """The quick start's search on one worker."""
    workers = {"workers.jobs": 1, "workers.backend": backend}
    return evo_snn.evolve(CONFIG, folder, overrides={**overrides, **workers})


def measured(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds a candidate, by part, in this process and with a worker process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        searched(folder / "warm", {**overrides, "search.generations": 1}, "sequential")
        with watched({**WORKER_PARTS, **DRIVER_PARTS}) as watch:
            here = searched(folder / "here", overrides, "sequential")
        trained = sum(trainings(here).values())
        spent = {part: 1e3 * watch.seconds[part] / trained for part in watch.parts}
        waiting, start = beyond_evaluations(searched(folder / "away", overrides, "loky"))
    return {
        "candidates": trained,
        "worker_milliseconds": {part: spent[part] for part in WORKER_PARTS} | {WAITING: waiting},
        "driver_milliseconds": {part: spent[part] for part in DRIVER_PARTS},
        "start_of_a_worker_seconds": start,
    }


def trainings(run: Run) -> dict[int, int]:
    """Trained candidates by generation."""
    table = run.candidates()
    table = table[table["accuracy"].notna() & (table["state"] != "failed")]
    return table["generation"].value_counts().sort_index().to_dict()


def beyond_evaluations(run: Run) -> tuple[float, float]:
    """Milliseconds a candidate that a run's later generations took beyond their evaluations.

    And seconds that the first took beyond that, in which the worker starts.
    """
    with Store.open(run.folder) as store:
        evaluations = dict.fromkeys(range(len(store.generations())), 0.0)
        for one in store.candidates(details=False):
            evaluations[one.generation] += one.seconds.get("total", 0.0)
        rest = {one.number: one.seconds - evaluations[one.number] for one in store.generations()}
    first, *later = sorted(rest)
    counts = trainings(run)
    mean = sum(rest[number] for number in later) / sum(counts.get(number, 0) for number in later)
    return 1e3 * mean, rest[first] - mean * counts[first]


def fixed_cost(found: Mapping[str, Any]) -> tuple[float, float]:
    """Milliseconds of a worker beside a candidate's gradient steps, and if the driver had no help.

    The second is the sum of all parts, as if nothing of the driver's were done while workers train.
    """
    worker, driver = found["worker_milliseconds"], found["driver_milliseconds"]
    own = sum(worker.values()) - worker[STEPS] - worker[WAITING]
    return own + worker[WAITING], own + max(worker[WAITING], sum(driver.values()))


def rows(found: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Part, milliseconds, share of the gradient steps: a worker's, both sums, the driver's."""
    worker, driver = found["worker_milliseconds"], found["driver_milliseconds"]
    waited, alone = fixed_cost(found)
    parts = [
        *sorted(worker.items(), key=lambda one: -one[1]),
        ("all but the gradient steps", waited),
        *((f"driver: {part}", time_) for part, time_ in driver.items()),
        ("the same, if the driver worked while no worker trains", alone),
    ]
    return [(part, time_, time_ / worker[STEPS]) for part, time_ in parts]


def table(found: Mapping[str, Any]) -> Table:
    """The parts on a terminal."""
    title = f"A candidate of digits, mean of {found['candidates']}"
    made = Table("part", title=title, title_justify="left")
    made.add_column("ms", justify="right")
    made.add_column("of its gradient steps", justify="right")
    for part, time_, share in rows(found):
        made.add_row(part, f"{time_:.2f}", f"{share:.1%}")
    start = found["start_of_a_worker_seconds"]
    made.caption = f"a worker starts in {start:.1f} s, data included: once a search"
    return made


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/out/candidate_cost.json"))
    arguments = parser.parse_args()
    given = dict(parse_set(one) for one in arguments.set)
    found = measured({"search.generations": arguments.generations, **given})
    Console(width=100).print(table(found))
    written(arguments.out, found)


if __name__ == "__main__":
    main()
