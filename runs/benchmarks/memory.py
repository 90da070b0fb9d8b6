"""Memory of a worker: its peak on images of 32 x 32, and whether it grows with candidates.

The peak is that of a worker process that trains the candidates of a search of `cifar10.toml`, with
few steps each, since steps take no memory. Growth is that of a process that trains the same designs
of the digits again and again, so that nothing but a leak can make it grow.

    python runs/benchmarks/memory.py --data ../shared/data/cifar10_10k2k.npz
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import evo_snn
from evo_snn.config_file import load_config, parse_set
from evo_snn.evaluation import Task, evaluate
from evo_snn.plan import make_plan
from speed.document import written

RUNS = Path(__file__).resolve().parent.parent
MEGA = 1e6
DESIGNS = 30
PEAK = "worker_peak_mb"
PLUGIN = f'''
import resource
import evo_snn

@evo_snn.objective(unit="MB", maximise=False)
def {PEAK}(candidate):
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
'''


def present_mb() -> float:
    """The memory that this process has now, in 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGA


def peak_of_a_worker(data: Path, overrides: Mapping[str, Any]) -> dict[str, float]:
    """The peak of a worker process over a search, and the size of the data in it."""
    with tempfile.TemporaryDirectory() as name:
        plugin = Path(name, "peak.py")
        plugin.write_text(PLUGIN, encoding="utf-8")
        chosen = {
            "data.path": str(data.resolve()),
            "objectives.plugins": [str(plugin)],
            f"constraints.{PEAK}": 1e6,  # measured, and never broken
            "workers.jobs": 1,
            "workers.backend": "loky",
            **overrides,
        }
        table = evo_snn.evolve(
            RUNS / "cifar10.toml", Path(name, "run"), overrides=chosen
        ).candidates()
    return {
        "candidates": int(table[PEAK].notna().sum()),
        "peak_mb": float(table[PEAK].max()),
        "largest_parameters": float(table["parameters"].max()),
        "largest_operations": float(table["operations"].max()),
    }


def growth(candidates: int, designs: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Memory of a process of its own after each pass over the same designs of the digits."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_growth, candidates, designs, overrides).result()


def _growth(candidates: int, designs: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    plan = make_plan(load_config(RUNS / "digits.toml", dict(overrides)))
    genomes = plan.space.sample(designs, np.random.default_rng(0))
    after: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(candidates):
            if number and number % designs == 0:
                after.append(present_mb())
            genome = genomes[number % designs]
            key = plan.space.key(genome)
            weights = Path(name, f"{key}.safetensors")
            task = Task(
                key=key,
                genome=tuple(genome.tolist()),
                architecture=plan.space.decode(genome),
                chip=plan.space.chip(genome),
                sources=(weights,) if weights.exists() else (),
                seed=number,
            )
            outcome = evaluate(task, plan.settings)
            if outcome.weights is None:
                raise RuntimeError(outcome.failure)
            weights.write_bytes(outcome.weights)
    after.append(present_mb())
    return {"candidates": candidates, "designs": designs, "mb_after_each_pass": after}


def main() -> None:
    """Measure, print, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="an .npz file of 32 x 32 images")
    parser.add_argument("--candidates", type=int, default=300)
    parser.add_argument("--designs", type=int, default=DESIGNS)
    parser.add_argument("--generations", type=int, default=3, help="of the search for the peak")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/out/memory.json"))
    arguments = parser.parse_args()
    given = dict(parse_set(one) for one in arguments.set)
    few = {"training.steps": 6, "training.evaluations": 1, **given}
    found: dict[str, Any] = {"growth": growth(arguments.candidates, arguments.designs, few)}
    print(json.dumps(found["growth"], indent=1), flush=True)
    if arguments.data is None:
        print("the peak on images is left out: --data names a file with them")
    else:
        generations = {"search.generations": arguments.generations}
        found["peak"] = peak_of_a_worker(arguments.data, {**generations, **few})
        print(json.dumps(found["peak"], indent=1))
    written(arguments.out, found)


if __name__ == "__main__":
    main()
