"""Digits that end early: accuracy and cost over confidences, trained with an exit and without.

    python runs/benchmarks/early_exits_on_digits.py FIGURE.png

The same layers three times, six time steps each, trained on digits for as long, with each seed:
without an exit, with one in time, with one in depth. Decisions are those of the test part. The
table and the figure of docs/exits.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from digits_training import network_of, trained
from matplotlib.axes import Axes

from analysis import style
from evo_snn.datasets import Dataset, load_dataset
from evo_snn.early_exits import CONFIDENCES, swept
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import restore
from evo_snn.training import make_reproducible
from genomes.architecture import Architecture, Exit
from hardware import load_chip

CHIP = "rram_neurosim_22nm"
USUAL: Mapping[str, Any] = {
    "max_stages": 3,
    "max_blocks": 1,
    "widths": [16, 32],
    "kernels": [3],
    "pools": ["none", "max"],
    "neurons": ["lif_box"],
    "leaks": [0.5],
    "thresholds": [0.5],
    "weight_bits": [4],
    "time_steps": [6],
}
CHOSEN = {"stages": 3, "stage2.width": 32, "stage2.pool": "max", "stage3.width": 32}

CASES: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "in time": {"time_exits": ["on"]},
    "in depth": {"depth_exits": ["on"]},
}


def architecture(options: Mapping[str, Any]) -> Architecture:
    """The network with some options made otherwise; without an exit it can end in time."""
    return network_of({**USUAL, **options}, CHOSEN)


def measured(one: Architecture, data: Dataset, epochs: int, seed: int) -> pd.DataFrame:
    """Train a network, and let it end on the test part by each confidence."""
    fitted, test = trained(one, data, epochs, seed)
    ending = build(replace(one, exit=one.exit or Exit("time", 1.0)), seed)
    restore(ending, fitted.tensors)
    return pd.DataFrame(swept(deploy(ending), test, load_chip(CHIP), CONFIDENCES))


def results(epochs: int, seeds: int) -> pd.DataFrame:
    """Rows of `evo_snn.early_exits.Exits` by case and seed."""
    data = load_dataset("digits")
    found = [
        measured(architecture(options), data, epochs, seed).assign(exit=name, seed=seed)
        for name, options in CASES.items()
        for seed in range(seeds)
    ]
    return pd.concat(found, ignore_index=True)


def table(rows: pd.DataFrame) -> str:
    """Means over seeds, and the standard error of accuracy, as a table of Markdown."""
    lines = [
        "| trained with an exit | confidence | accuracy | steps | layers | energy | latency |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in CASES:
        own = rows[rows["exit"] == name]
        whole = own[own["confidence"] == 1].mean(numeric_only=True)
        for confidence, group in own.groupby("confidence"):
            mean = group.mean(numeric_only=True)
            error = group["accuracy"].sem() if len(group) > 1 else 0.0
            energy, latency = (mean[cost] / whole[cost] for cost in ("energy_uj", "latency_ms"))
            lines.append(
                f"| {name} | {confidence:g} | {mean['accuracy']:.3f} ± {error:.3f} |"
                f" {mean['mean_time_steps']:.2f} | {mean['mean_layers']:.2f} |"
                f" {100 * energy:.0f} % | {100 * latency:.0f} % |"
            )
    return "\n".join(lines)


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Accuracy over energy and latency, a curve a case, the mean over seeds and its error."""
    with style.context():
        figure = style.figure(style.PAGE, 2.6)
        axes = figure.subplots(1, 2, sharey=True)
        labels = {"energy_uj": "Energy per inference (µJ)", "latency_ms": "Latency (ms)"}
        for ax, (cost, label) in zip(axes, labels.items(), strict=True):
            for name, colour in zip(CASES, style.CATEGORIES, strict=False):
                _curve(ax, rows[rows["exit"] == name], cost, name, colour)
            ax.set_xlabel(label)
            ax.set_xlim(left=0)
        axes[0].set_ylabel("Test accuracy (%)")
        axes[0].legend(title="Trained with an exit")
        figure.savefig(path, dpi=style.DPI)


def _curve(ax: Axes, rows: pd.DataFrame, cost: str, name: str, colour: str) -> None:
    by = rows.groupby("confidence")
    means = by.mean(numeric_only=True)
    ax.errorbar(
        means[cost],
        100 * means["accuracy"],
        yerr=100 * by["accuracy"].sem().fillna(0),
        fmt="o-",
        ms=3,
        elinewidth=0.6,
        color=colour,
        label=name,
    )


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    make_reproducible("cpu")
    torch.set_num_threads(1)
    rows = results(arguments.epochs, arguments.seeds)
    print(table(rows))
    draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
