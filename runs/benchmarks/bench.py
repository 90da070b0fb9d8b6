"""Speeds on this machine: candidates costed a second, training steps a second.

Each round times every subject once, beside a fixed calibration (a numpy matrix product), so that
noise of the machine meets all alike. The table gives the median speed, and the median over rounds
of a subject's time in units of the calibration's: that ratio compares between machines and days.

    python runs/benchmarks/bench.py --rounds 9 --out runs/out/bench.json
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from evo_snn.datasets import load_dataset
from evo_snn.environment import current_environment
from evo_snn.snn.kernels import choose
from evo_snn.snn.network import build
from evo_snn.training import fit, on_device
from genomes.architecture import Architecture
from genomes.spaces import make_space
from genomes.workload import Workload
from hardware import DEFAULT_CHIP, estimate, load_chip, totals
from hardware.arrays import pack
from hardware.cost import summary
from hardware.models import MODELS

BATCH = 1000
LAYERS = 12
ALONE = 50
STEPS = 30
#: NeuroSim V1.4's own time for one network, measured: random ones of 5 to 8 layers, and VGG8.
NEUROSIM_SECONDS = (0.4, 35.0)
# One network, whatever the defaults of the space become.
FIXED = {
    "max_stages": 2,
    "max_blocks": 1,
    "widths": [16],
    "kernels": [3],
    "pools": ["average"],
    "skips": ["none"],
    "neurons": ["lif_box"],
    "leaks": [0.5],
    "thresholds": [0.5],
    "weight_bits": [4],
    "time_steps": [4],
}


@dataclass(frozen=True)
class Subject:
    """Something to time: what it does, how often a call does it, and the call."""

    name: str
    unit: str
    amount: int
    call: Callable[[], Any]


def calibration() -> Callable[[], Any]:
    """A fixed amount of arithmetic: twenty products of 384 x 384 matrices."""
    matrix = np.random.default_rng(0).random((384, 384))
    return lambda: [matrix @ matrix for _ in range(20)]


def costing() -> Subject:
    """Totals of a batch of different designs on the default chip."""
    space = make_space("plain", (1, 8, 8), 10)
    genomes = space.sample(BATCH, np.random.default_rng(0))
    workloads = [space.decode(genome).workload for genome in genomes]
    return Subject(
        f"hardware.totals, batches of {BATCH}",
        "candidates/s",
        BATCH,
        lambda: totals(workloads, DEFAULT_CHIP),
    )


def deep_networks(count: int) -> list[Workload]:
    """Networks of `LAYERS` layers for 32 x 32 images, widths, bits and spike rates at random."""
    rng = np.random.default_rng(0)
    return [_deep_network(rng) for _ in range(count)]


def _deep_network(rng: np.random.Generator) -> Workload:
    layers: list[dict[str, Any]] = []
    channels, size = 3, 32
    for index in range(LAYERS - 1):
        outputs, window = int(rng.integers(8, 257)), 2 if index in {2, 5, 8} else 1
        layers.append(
            {
                "kind": "conv2d",
                "in_channels": channels,
                "out_channels": outputs,
                "kernel": [3, 3],
                "padding": [1, 1],
                "in_size": [size, size],
                "out_size": [size, size],
                "pool": [window, window],
            }
        )
        channels, size = outputs, size // window
    layers.append({"kind": "linear", "in_features": channels * size**2, "out_features": 10})
    for index, layer in enumerate(layers):
        layer |= {"name": f"layer{index}", "weight_bits": int(rng.integers(2, 9))}
        layer |= {"input_rate": float(rng.random()), "output_rate": float(rng.random())}
    return Workload.model_validate({"timesteps": 4, "layers": layers})


def costing_deep() -> list[Subject]:
    """Networks of 12 layers on the default chip: totals, breakdowns, one alone."""
    workloads, chip = deep_networks(BATCH), load_chip(DEFAULT_CHIP)
    arrays, breakdown = pack(workloads), MODELS[chip.model].breakdown

    def some_alone() -> None:
        for workload in workloads[:ALONE]:
            estimate(workload, chip)

    of = f"{LAYERS} layers"
    return [
        Subject(f"totals, {of}", "candidates/s", BATCH, lambda: totals(workloads, chip)),
        Subject(
            f"totals, {of}, from arrays",
            "candidates/s",
            BATCH,
            lambda: summary(breakdown(arrays, chip)),
        ),
        Subject(f"breakdowns, {of}", "candidates/s", BATCH, lambda: estimate(workloads, chip)),
        Subject(f"breakdown, {of}, one by one", "candidates/s", ALONE, some_alone),
    ]


def fixed_architecture() -> Architecture:
    """Two stages of one block of 16 channels, four time steps, for the digits."""
    space = make_space("plain", (1, 8, 8), 10, FIXED)
    return space.decode([len(gene) - 1 for gene in space.genes])


def training() -> Subject:
    """Brief training of the fixed architecture on the digits, with one look at validation."""
    data = load_dataset("digits")
    train, validation = on_device(data.train, "cpu"), on_device(data.validation, "cpu")
    architecture = fixed_architecture()

    def call() -> None:
        fit(
            build(architecture, seed=0),
            train,
            validation,
            steps=STEPS,
            batch_size=64,
            learning_rate=5e-3,
            weight_decay=0.0,
            looks=1,
            seed=0,
        )

    return Subject(f"training, {STEPS} steps of batches of 64", "steps/s", STEPS, call)


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(subjects: list[Subject], rounds: int) -> list[dict[str, Any]]:
    """Median speeds and paired ratios; one round before them warms up and is dropped."""
    yardstick = calibration()
    times = [
        (seconds(yardstick), [seconds(subject.call) for subject in subjects])
        for _ in range(rounds + 1)
    ][1:]
    return [
        {
            "name": subject.name,
            "unit": subject.unit,
            "median": subject.amount / median(each[index] for _, each in times),
            "calibrations": median(each[index] / unit for unit, each in times),
            "seconds": [each[index] for _, each in times],
        }
        for index, subject in enumerate(subjects)
    ]


def main() -> None:
    """Measure, print a table, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("runs/out/bench.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker
    results = measure([costing(), *costing_deep(), training()], arguments.rounds)
    for each in results:
        speed = f"{each['median']:>12,.0f} {each['unit']:<14}"
        print(f"{each['name']:<40}{speed}{each['calibrations']:>10.2f} calibrations a call")
    slow, fast = (1 / seconds_ for seconds_ in reversed(NEUROSIM_SECONDS))
    print(f"{'NeuroSim V1.4, a process a network':<40}{slow:>12.2f} to {fast:.1f} candidates/s")
    document = {"environment": current_environment(choose("auto", "cpu").name), "results": results}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1))
    print(arguments.out)


if __name__ == "__main__":
    main()
