"""What accuracy on a chip costs: instances drawn and evaluated, in plain evaluations.

Random networks of the space ``plain`` for digits, untrained: time does not depend on weights. Each
round times, one after the other, a plain evaluation of the validation part and the drawing and
evaluation of eight instances; the figure of a network is the median over rounds of their ratio.

    python runs/benchmarks/on_chip_cost.py --networks 12 --rounds 5 --out runs/out/on_chip_cost.json
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

from evo_snn.datasets import load_dataset
from evo_snn.snn import Network, build, deploy
from evo_snn.snn.on_chip import PathName, chip_instances
from genomes.spaces import make_space
from hardware import load_chip
from hardware.conditions import Conditions

INSTANCES = 8
FAULTS = {"variation": 0.1, "stuck_on": 0.005, "stuck_off": 0.005}
WIRES = {"variation": 0.1, "wire_ohm": 2.5}
CASES: dict[str, tuple[dict[str, Any], PathName]] = {
    "variation and faults": (FAULTS, "fast"),
    "device": ({"device": "rram_wan_nature_2022"}, "fast"),
    "variation and wires": (WIRES, "fast"),
    "variation and faults, exact path": (FAULTS, "exact"),
}


def seconds(call: Callable[[], Any]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def evaluate(network: Network, x: torch.Tensor, y: torch.Tensor) -> float:
    """Accuracy over samples."""
    with torch.no_grad():
        return float((network(x).argmax(1) == y).double().mean())


def cost(number: int, rounds: int, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Eight instances of a random network, in plain evaluations, by condition."""
    space = make_space("plain", tuple(x.shape[1:]), 10, {})
    genome = space.sample(1, np.random.default_rng(number))[0]
    network = deploy(build(space.decode(genome), number))
    chip = load_chip("rram_32nm")
    ratios: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds + 1):  # the first one warms up
        for name, (values, path) in CASES.items():
            conditions, keys = Conditions(**values), {"path": path}

            def instances(conditions: Conditions = conditions, keys: Any = keys) -> None:
                numbers = range(INSTANCES)
                for one in chip_instances(
                    network, chip, conditions, seed=0, instances=numbers, **keys
                ):
                    evaluate(one, x, y)

            plain = seconds(lambda: evaluate(network, x, y))
            ratios[name].append(seconds(instances) / plain)
    return {name: median(values[1:]) for name, values in ratios.items()}


def main() -> None:
    """Print mean and largest ratio by condition."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset("digits").validation
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    costs = [cost(number, arguments.rounds, x, y) for number in range(arguments.networks)]
    for name in CASES:
        ratios = [each[name] for each in costs]
        figures = f"mean {mean(ratios):.2f}, median {median(ratios):.2f}, largest {max(ratios):.2f}"
        print(f"{INSTANCES} instances, {name}: {figures} plain evaluations of {len(y)} samples")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(costs, indent=1))


if __name__ == "__main__":
    main()
