"""What the metric ``accuracy_on_chip`` costs a search, in plain evaluations of the same candidate.

Random networks of the space ``plain`` for digits, untrained: time does not depend on weights. A
plain evaluation is what a search does at each look: deploy the network, and measure accuracy and
spike rates over the validation part. The metric is eight instances by the fast path, over all of
these samples and over a fixed part of them, with its standard error. Each round times one after the
other; the figure of a network is the median over rounds of their ratio.

    python runs/benchmarks/on_chip_metric.py --networks 12 --rounds 7 --out runs/out/metric.json
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from evo_snn.chip_accuracy import metrics_on_chip
from evo_snn.datasets import load_dataset
from evo_snn.environment import current_environment
from evo_snn.fidelity import OnChip
from evo_snn.snn import build, deploy
from evo_snn.snn.kernels import choose
from evo_snn.training import Samples, measure, on_device
from genomes.spaces import make_space
from hardware import load_chip
from hardware.conditions import Conditions

INSTANCES = 8
PART = 96
CONDITIONS = Conditions(variation=0.1, stuck_on=0.005, stuck_off=0.005)


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def how(samples: int) -> OnChip:
    """Eight instances by the fast path, over so many of the samples; 0 for all."""
    return OnChip(CONDITIONS, "fast", INSTANCES, samples, 64, fresh=True, after={})


def cost(number: int, rounds: int, train: Samples, validation: Samples) -> dict[str, float]:
    """The metric of a random network in plain evaluations, over all samples and over a part."""
    space = make_space("plain", tuple(train.x.shape[1:]), 10, {})
    genome = space.sample(1, np.random.default_rng(number))[0]
    trained = build(space.decode(genome), number)
    chip = load_chip("rram_32nm")
    rates = measure(deploy(trained), validation).rates
    ratios: dict[str, list[float]] = {"all": [], "part": []}
    for _ in range(rounds + 1):  # the first one warms up
        for name, samples in (("all", 0), ("part", PART)):
            plain = seconds(lambda: measure(deploy(trained), validation))

            def metric(samples: int = samples) -> None:
                metrics_on_chip(
                    deploy(trained),
                    chip,
                    how(samples),
                    train=train,
                    validation=validation,
                    rates=rates,
                    seed=number,
                )

            ratios[name].append(seconds(metric) / plain)
    return {name: median(values[1:]) for name, values in ratios.items()}


def main() -> None:
    """Print the ratios over networks, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("runs/out/on_chip_metric.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker
    data = load_dataset("digits")
    train, validation = on_device(data.train, "cpu"), on_device(data.validation, "cpu")
    costs = [cost(k, arguments.rounds, train, validation) for k in range(arguments.networks)]
    for name, count in (("all", len(validation)), ("part", PART)):
        ratios = [each[name] for each in costs]
        figures = f"median {median(ratios):.2f}, mean {mean(ratios):.2f}, largest {max(ratios):.2f}"
        print(f"accuracy_on_chip over {count} of {len(validation)} samples: {figures} evaluations")
    document = {"environment": current_environment(choose("auto", "cpu").name), "ratios": costs}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
