"""Spike activity by layer, and the energies of CNNs and spiking network, as commands print them."""

from collections.abc import Mapping, Sequence
from typing import Any

from evo_snn.commands.output import cell, print_lines, print_table, print_values


def print_activity(title: str, rates: Mapping[str, Sequence[float]]) -> None:
    """Rates of what each layer reads, and of its neurons' spikes, by step."""
    rows = [(name, read, fired) for name, (read, fired) in rates.items()]
    print_table(title, ("layer", "input rate", "spike rate"), rows)


def print_energies(title: str, energies: Mapping[str, Any]) -> None:
    """What `evo_snn.cnn_energy.CNNEnergy.to_dict` gave: by layer, in all, and how many times."""
    columns = {
        "name": "layer",
        "cnn_uj": "full-precision CNN",
        "quantized_cnn_uj": "equally quantized CNN",
        "snn_uj": "SNN",
        "in_memory_uj": "SNN, in memory",
    }
    rows = [[layer[name] for name in columns] for layer in energies["layers"]]
    rows.append(["all", *energies["energy_uj"].values()])
    print_table(title, tuple(columns.values()), rows)
    print_values("", {name: f"{cell(ratio)} times" for name, ratio in energies["ratios"].items()})
    print_lines(
        f"  operations alone, on {energies['technology']}; in memory on {energies['memory']}"
    )
