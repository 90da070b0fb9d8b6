"""Digits with every choice of the switchable decisions: test accuracy, and spikes.

    python runs/benchmarks/decisions_on_digits.py

One network of two 3x3 convolutions (16 channels, then 32 behind spikes pooled by two) with 4-bit
weights and ``lif_box`` neurons, each time with one decision made otherwise. The best of 20 looks at
the validation part is measured on the test part, as deployed. The table of docs/spaces.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, get_args

import digits_training
import torch
from digits_training import network_of
from torch import Tensor

from evo_snn.datasets import Dataset, load_dataset
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import restore
from evo_snn.training import make_reproducible, measure
from genomes.architecture import Architecture, Surrogate

USUAL: Mapping[str, Any] = {
    "max_stages": 2,
    "max_blocks": 1,
    "widths": [16, 32],
    "kernels": [3],
    "pools": ["none", "max"],
    "neurons": ["lif_box"],
    "leaks": [0.5],
    "thresholds": [0.5],
    "weight_bits": [4],
    "time_steps": [4],
}
CHOSEN = {"stages": 2, "stage2.width": 32, "stage2.pool": "max"}

CASES: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "`lif`": {"neurons": ["lif"]},
    "`iaf`": {"neurons": ["iaf"], "thresholds": [1.0]},
    "reset by subtraction": {"resets": ["subtract"]},
    **{f"surrogate `{name}`": {"surrogates": [name]} for name in get_args(Surrogate)[1:]},
    "one spike at most": {"hidden_codes": ["once"]},
    "one spike at most, 8 steps": {"hidden_codes": ["once"], "time_steps": [8]},
    "one spike at most, `lif`": {"hidden_codes": ["once"], "neurons": ["lif"]},
    "one spike at most, `iaf`": {"hidden_codes": ["once"], "neurons": ["iaf"]},
    "states of 6 bits": {"state_bits": [6]},
    "input of 3 bits": {"input_bits": [3]},
    "input code `rate`": {"codings": ["rate"]},
    "input code `rate`, 16 steps": {"codings": ["rate"], "time_steps": [16]},
    "input code `radix`": {"codings": ["radix"]},
    "input code `phase`, 8 steps": {"codings": ["phase"], "time_steps": [8]},
    "input code `burst`": {"codings": ["burst"]},
    "input code `first_spike`": {"codings": ["first_spike"]},
    "input code `first_spike`, 8 steps": {"codings": ["first_spike"], "time_steps": [8]},
    "input code `first_spike`, one spike at most": {
        "codings": ["first_spike"],
        "hidden_codes": ["once"],
    },
    "binary weights": {"weight_bits": [1]},
    "powers of two": {"quantizers": ["power_of_two"]},
    "an exit in time": {"time_exits": ["on"]},
}


def architecture(options: Mapping[str, Any]) -> Architecture:
    """The network with some options made otherwise."""
    return network_of({**USUAL, **options}, CHOSEN)


def trained(network: Architecture, data: Dataset, epochs: int, seed: int) -> tuple[float, float]:
    """Test accuracy, and spikes a neuron and inference."""
    fitted, test = digits_training.trained(network, data, epochs, seed)
    model = build(network, seed)
    restore(model, fitted.tensors)
    spikes: list[Tensor | None] = []
    with torch.no_grad():
        deployed = deploy(model.eval())
        measured = measure(deployed, test)
        deployed(test.x, observe=lambda _layer, _read, fired: spikes.append(fired))
    fired = [one for one in spikes if one is not None]
    neurons = sum(one[0].numel() for one in fired) * len(test)
    return measured.accuracy, sum(one.sum().item() for one in fired) / neurons


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make_reproducible("cpu")
    torch.set_num_threads(1)
    data = load_dataset("digits")
    print("| decision | test accuracy | spikes a neuron |\n| --- | --- | --- |", flush=True)
    for name, options in CASES.items():
        found = trained(architecture(options), data, arguments.epochs, arguments.seed)
        print(f"| {name} | {found[0]:.3f} | {found[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
