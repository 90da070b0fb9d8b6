"""Accuracy on chip instances, condition by condition, by the fast and by the exact path.

A few networks of one architecture are trained on digits without noise; each is then measured on
instances of a chip, on the test part, by both paths. The fast path knows no ADCs: what both differ
by is what row groups and conversions do. Accuracies are means over networks and instances; the
worst is the least of all instances.

    python runs/benchmarks/on_chip_paths.py --networks 3 --instances 8 --out runs/out/paths.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from evo_snn.datasets import load_dataset
from evo_snn.snn import DeployedNetwork, build, deploy
from evo_snn.snn.on_chip import PathName, chip_instances
from evo_snn.training import fit, make_reproducible, measure, on_device
from genomes.architecture import Architecture
from genomes.spaces import make_space
from hardware import Chip, load_chip
from hardware.conditions import Conditions

STEPS = 600
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
WAN = {"device": "rram_wan_nature_2022"}
FEW = {"adc_levels": 32, "rows_per_read": 64}
ENOUGH = {"adc_levels": 64, "rows_per_read": 64}
TWO = {"weight_encoding": "differential"}
DAY = 86400.0
PATHS: tuple[PathName, ...] = ("fast", "exact")

#: Name, chip parameters, conditions, seconds, whether the ADCs' range is calibrated.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], float, bool]] = [
    ("nothing off", {}, {}, 0.0, False),
    ("10 % variation", {}, {"variation": 0.1}, 0.0, False),
    ("10 % variation, no rounding", {}, {"variation": 0.1, "adc": False}, 0.0, False),
    ("10 % variation, differential", TWO, {"variation": 0.1}, 0.0, False),
    ("1 % faults", {}, {"stuck_on": 0.005, "stuck_off": 0.005}, 0.0, False),
    ("10 % faults", {}, {"stuck_on": 0.05, "stuck_off": 0.05}, 0.0, False),
    ("10 % faults, differential", TWO, {"stuck_on": 0.05, "stuck_off": 0.05}, 0.0, False),
    ("Wan 2022", {}, WAN, 0.0, False),
    ("Wan 2022, differential", TWO, WAN, 0.0, False),
    ("Wan 2022, differential, a day", TWO, WAN, DAY, False),
    ("wires of 2.5 ohm", {}, {"wire_ohm": 2.5}, 0.0, False),
    ("wires of 10 ohm, differential", TWO, {"wire_ohm": 10.0}, 0.0, False),
    ("ADC of 64 levels for 64 rows", ENOUGH, {}, 0.0, False),
    ("ADC of 32 levels for 64 rows", FEW, {}, 0.0, False),
    ("ADC of 32 levels for 64 rows, calibrated", FEW, {}, 0.0, True),
]


def architecture(shape: tuple[int, ...], classes: int) -> Architecture:
    """The one architecture."""
    space = make_space("plain", shape, classes, FIXED)
    wanted = {"stages": 2, "stage1.blocks": 1, "stage2.blocks": 1}
    genome = [
        gene.choices.index(wanted[gene.name]) if gene.name in wanted else 0 for gene in space.genes
    ]
    return space.decode(genome)


def accuracies(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    path: PathName,
    seconds: float,
    calibration: torch.Tensor | None,
    samples: Any,
    instances: int,
) -> list[float]:
    """Accuracy of each instance."""
    drawn = chip_instances(
        network,
        chip,
        conditions,
        seed=0,
        instances=range(instances),
        seconds=seconds,
        path=path,
        calibration=calibration,
    )
    return [measure(one, samples).accuracy for one in drawn]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    make_reproducible("cpu")
    data = load_dataset("digits")
    train, validation, test = (
        on_device(part, "cpu") for part in (data.train, data.validation, data.test)
    )
    networks = []
    for seed in range(arguments.networks):
        network = build(architecture(data.input_shape, data.classes), seed)
        options = {"steps": arguments.steps, "batch_size": 64, "learning_rate": 0.01}
        fit(network, train, validation, weight_decay=1e-4, looks=4, seed=seed, **options)
        networks.append(deploy(network))
    rows = []
    for name, changes, values, seconds, calibrated in CASES:
        row: dict[str, Any] = {"case": name}
        for path in PATHS:
            found = [
                accuracy
                for network in networks
                for accuracy in accuracies(
                    network,
                    load_chip("rram_32nm", changes),
                    Conditions(**values),
                    path,
                    seconds,
                    train.x[:256] if calibrated else None,
                    test,
                    arguments.instances,
                )
            ]
            row[path], row[f"{path}_worst"] = sum(found) / len(found), min(found)
        figures = ", ".join(f"{key} {row[key]:.3f}" for key in row if key != "case")
        print(f"{name}: {figures}", flush=True)
        rows.append(row)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
