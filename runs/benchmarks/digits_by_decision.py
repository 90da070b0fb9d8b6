"""Whether a network of each decision learns: digits, full training, test accuracy.

One network, two convolutions of 16 and 32 channels, is trained from scratch for every input coding,
neuron, reset, surrogate, hidden code and weight quantizer, all else equal. It shows that each can be
trained, not which is best: nothing is tuned for any of them.

    python runs/benchmarks/digits_by_decision.py [--epochs 60] [--only codings,neurons]
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from evo_snn.datasets import Dataset, load_dataset
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import restore
from evo_snn.training import Samples, fit, make_reproducible, measure, on_device
from genomes.spaces import make_space

USUAL: dict[str, Any] = {
    "neurons": ["lif_box"],
    "leaks": [0.5],
    "thresholds": [0.5],
    "max_stages": 2,
    "max_blocks": 1,
    "widths": [16, 32],
    "kernels": [3],
    "pools": ["average"],
    "weight_bits": [4],
    "time_steps": [4],
}

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "neurons": {
        "lif_box": {},
        "lif": {"neurons": ["lif"]},
        "iaf": {"neurons": ["iaf"], "thresholds": [1.0]},
        "lif_box, subtract": {"resets": ["subtract"]},
    },
    "surrogates": {
        name: {"surrogates": [name]} for name in ("triangle", "tanh", "circ", "heavi_erfc")
    },
    "codings": {
        "direct": {},
        "rate, 4 steps": {"codings": ["rate"]},
        "rate, 16 steps": {"codings": ["rate"], "time_steps": [16]},
        "radix": {"codings": ["radix"]},
        "phase": {"codings": ["phase"]},
        "burst": {"codings": ["burst"]},
        "first_spike": {"codings": ["first_spike"]},
        "first_spike, 8 steps": {"codings": ["first_spike"], "time_steps": [8]},
    },
    "hidden codes": {
        "once": {"hidden_codes": ["once"]},
        "first_spike, once": {"codings": ["first_spike"], "hidden_codes": ["once"]},
        "first_spike, once, 8 steps": {
            "codings": ["first_spike"],
            "hidden_codes": ["once"],
            "time_steps": [8],
        },
    },
    "weights": {
        "binary": {"weight_bits": [1]},
        "power of two": {"quantizers": ["power_of_two"]},
    },
    "exits": {
        "time": {"time_exits": ["on"]},
        "depth": {"depth_exits": ["on"]},
    },
    "first layer": {"digital": {"first_layers": ["digital"]}},
}


def main() -> None:
    """Train each and print its test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=60, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--only", default=",".join(VARIANTS), metavar="GROUP,…")
    asked = parser.parse_args()
    make_reproducible("cpu")
    data = load_dataset("digits")
    print(f"{asked.epochs} epochs, seed {asked.seed}, {len(data.train.y)} training samples")
    for group in asked.only.split(","):
        for name, changes in VARIANTS[group].items():
            accuracy, steps = trained(data, changes, asked.epochs, asked.seed)
            print(f"{group:13} {name:28} {accuracy:.4f}   {steps:.2f} time steps", flush=True)


def trained(data: Dataset, changes: dict[str, Any], epochs: int, seed: int) -> tuple[float, float]:
    """Test accuracy, and the mean time steps of an inference."""
    space = make_space("plain", data.input_shape, data.classes, {**USUAL, **changes})
    largest = [len(gene) - 1 if gene.name.endswith(("s", "width")) else 0 for gene in space.genes]
    architecture = space.decode(largest)
    parts: list[Samples] = [
        on_device(part, "cpu") for part in (data.train, data.validation, data.test)
    ]
    network = build(architecture, seed)
    fitted = fit(
        network,
        *parts[:2],
        steps=epochs * len(parts[0]) // 64,
        batch_size=64,
        learning_rate=0.02,
        weight_decay=0.0,
        looks=10,
        seed=seed,
        warm_up=0.1,
    )
    restore(network, fitted.tensors)
    with torch.no_grad():
        measured = measure(deploy(network), parts[2])
    return measured.accuracy, architecture.ended(
        architecture.workload, measured.ends
    ).steps if measured.ends else float(architecture.time_steps)


if __name__ == "__main__":
    main()
