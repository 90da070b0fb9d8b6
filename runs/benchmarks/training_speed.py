"""How fast networks train: this package beside Norse, SpikingJelly and snnTorch, one thread.

All programs run the same layers in the same order on the same batch, one at a time, every one in
every round, other people's in a process of their own. Tables give milliseconds a step and medians
of paired ratios with an interval of 95 %; the JSON file holds every time.

    python runs/benchmarks/training_speed.py --rounds 9 --out runs/out/training_speed.json
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its threads

import torch
from rich.console import Console

from evo_snn.allocator import keep_freed_memory
from speed.document import written
from speed.elsewhere import Elsewhere
from speed.growth import growth
from speed.ours import Variant, operations_done, package_network
from speed.peak import MOST_VALUES, SMALL_MAPS, convolution_peak
from speed.peers import missing
from speed.plans import ORDERS, PLANS, Plan, small
from speed.programs import (
    OBVIOUS,
    REUSING,
    SHARES,
    inference_subjects,
    training_subjects,
)
from speed.report import growth_tables, peak_table, tables
from speed.timing import interleaved, ratio

TABLES = ("peak", "training", "inference", "growth")


def measured(
    plan: Plan, elsewhere: Elsewhere, wanted: Sequence[str], *, rounds: int, block: float
) -> dict[str, Any]:
    """Times and ratios of a plan, of training or inference or both."""
    found: dict[str, Any] = {
        "plan": asdict(plan),
        "operations": plan.operations,
        "operations_done": operations_done(package_network(plan, Variant()), plan),
    }
    if "training" in wanted:
        times = interleaved(training_subjects(plan, elsewhere), rounds=rounds, block=block)
        found["training"] = compared(times)
        found["shares"] = {
            name: asdict(ratio(times[a], times[b]))
            for name, (a, b) in SHARES.items()
            if {a, b} <= times.keys()
        }
    if "inference" in wanted:
        times = interleaved(inference_subjects(plan, elsewhere), rounds=rounds, block=block)
        found["inference"] = compared(times)
    return found


def compared(times: dict[str, list[float]]) -> dict[str, Any]:
    """For each subject its times, and how much faster it is than what ratios are taken to."""
    references = [name for name in (OBVIOUS, REUSING) if name in times]
    return {
        name: {
            "seconds": found,
            "faster_than": {other: asdict(ratio(times[other], found)) for other in references},
        }
        for name, found in times.items()
    }


def everything(arguments: argparse.Namespace) -> dict[str, Any]:
    """All that the JSON file holds, printed as it is measured."""
    console, shrink = Console(width=140), small if arguments.small else _same
    if missing():
        console.print(
            f"left out: {', '.join(missing())}; pip install -e '.[bench]' brings them",
            markup=False,
        )
    started, rounds, block = time.perf_counter(), arguments.rounds, arguments.block
    document: dict[str, Any] = {"results": []}
    if "peak" in arguments.tables:
        maps = SMALL_MAPS if arguments.small else MOST_VALUES
        document["peak"] = convolution_peak(rounds, maps)
        console.print(peak_table(document["peak"]))
    with Elsewhere() as elsewhere:
        for order in arguments.orders:
            for plan in PLANS.values():
                chosen = shrink(replace(plan, order=order))
                found = measured(chosen, elsewhere, arguments.tables, rounds=rounds, block=block)
                console.print(*tables(found, document.get("peak")))
                document["results"].append(found)
        if "growth" in arguments.tables:
            plans = [shrink(plan) for plan in PLANS.values()]
            document["growth"] = growth(plans, elsewhere, rounds=ceil(rounds / 2), block=block)
            console.print(*growth_tables(document["growth"]))
    return {**document, "seconds": time.perf_counter() - started}


def _same(plan: Plan) -> Plan:
    return plan


def main() -> None:
    """Measure, print tables, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a subject in a round")
    parser.add_argument("--orders", nargs="+", choices=list(ORDERS), default=list(ORDERS))
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--small", action="store_true", help="tiny networks: does it run?")
    parser.add_argument("--out", type=Path, default=Path("runs/out/training_speed.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker
    keep_freed_memory()  # the same
    document = everything(arguments)
    written(arguments.out, document)


if __name__ == "__main__":
    main()
