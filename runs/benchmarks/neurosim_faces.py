"""What each switch between NeuroSim's face and the clean one does to ranks and to figures.

Random spiking networks (images of 32 x 32, digits of 8 x 8, signals of 128 samples) are costed on
the compatible chip, with one switch at a time as the clean face has it, and with all of them. The
tables give Kendall's and Spearman's rank agreement with the compatible chip and the median ratio to
it, for energy, area and latency.

    python runs/benchmarks/neurosim_faces.py --networks 300
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from genomes.workload import Workload
from hardware import Chip, load_chip, totals

FIGURES = ("energy_uj", "area_mm2", "latency_ms")
COMPATIBLE, CLEAN = "neurosim_compat", "rram_neurosim_22nm"

#: Why the clean face differs, in a few words; docs/neurosim.md has the whole list.
REASONS = {
    "output_size": "padded maps keep their size, and pooling theirs",
    "toggling": "wires toggle with spikes, not 18 % and half of the time",
    "tile_ports": "buffers of flat tiles as wide as the elements that they serve",
    "pe_sum_growth": "a sum of n words grows by log2 n bits",
    "pipelined_sums": "a sum is as wide as its own layer asks for: pipelined chips only",
    "h_tree_energy": "bits are driven as far as they are waited for",
    "short_buses": "no energy back from a bus of negative length: chips of one tile only",
    "odd_words": "odd words are added",
    "adder_rounds": "a weight of more columns than an ADC serves is added, and parts round up",
    "adder_columns": "adders work for mapped columns only",
    "empty_positions": "positions without an element take no energy",
    "leakage": "all that is built leaks, own tiles and global buffer too",
    "mux_decoder": "sized above 22 nm, where it is most of the clock",
    "copies": "one position is not read faster by two copies",
    "cut_weights": "weights cut by an element's edge leave it all the same",
    "adc_dips": "no conversion takes less energy for a further active row: 8-level flash ADCs",
    "h_tree_share": "a layer has the whole bus of an H-tree (none of these chips has one)",
    "global_buffer": "it holds what is written to it as well",
    "bus_limit": "a bus is as wide as allowed, not half of it",
    "smallest_tiles": "small layers lie on small tiles",
    "activation": "membranes and neurons in place of registers",
    "static_inputs": "a static input is read once",
}


@dataclass(frozen=True)
class Setting:
    """One chip's physical parameters, and what networks are like on it."""

    title: str
    chip: Mapping[str, Any]
    timesteps: int
    weight_bits: tuple[int, ...]
    direct: bool


SETTINGS = (
    Setting(
        "22 nm, 128 x 128, 8-bit weights in 1-bit cells, flash ADCs of 32 levels, one time step",
        {},
        1,
        (8,),
        direct=False,
    ),
    Setting(
        "22 nm, 64 x 64, weights of 2 to 8 bits by layer, lossless SAR ADCs, four time steps, "
        "8-bit static inputs",
        {"crossbar_rows": 64, "crossbar_columns": 64, "adc_kind": "sar", "adc_levels": 128},
        4,
        (2, 3, 4, 6, 8),
        direct=True,
    ),
    Setting(
        "32 nm, 32 x 32, weights of 3, 5 and 7 bits, flash ADCs of 8 levels for 4 columns each, "
        "four time steps",
        {
            "technology_nm": 32,
            "crossbar_rows": 32,
            "crossbar_columns": 32,
            "adc_levels": 8,
            "columns_per_adc": 4,
        },
        4,
        (3, 5, 7),
        direct=False,
    ),
)


def networks(count: int, setting: Setting, seed: int = 0) -> list[Workload]:
    """Random networks of 4 to 12 layers, 200 to 2 million weights a layer."""
    rng = np.random.default_rng(seed)
    return [_network(rng, setting) for _ in range(count)]


def _network(rng: np.random.Generator, setting: Setting) -> Workload:
    """Padded convolutions whose channels grow as maps shrink, then one or two linear layers."""
    channels, size = ((3, [32, 32]), (1, [8, 8]), (2, [128]))[rng.integers(3)]
    kernel = int(rng.choice([3, 3, 3, 5]))
    depth, width = int(rng.integers(3, 11)), int(rng.choice([8, 16, 32, 64]))
    pools = set(rng.choice(depth, size=min(depth, int(rng.integers(1, 4))), replace=False))
    layers: list[dict[str, Any]] = []
    rate = 0.5
    for index in range(depth):
        outputs = min(512, width + int(rng.integers(0, width)))
        window = 2 if index in pools and min(size) >= 4 else 1  # noqa: PLR2004 - stays above 1
        side = 1 if index and rng.random() < 0.15 else kernel  # noqa: PLR2004
        strided = window == 1 and min(size) >= 8 and rng.random() < 0.1  # noqa: PLR2004
        stride = 2 if strided else 1
        out = [-(-extent // stride) for extent in size]
        spiking = float(rng.uniform(0.02, 0.3))
        layers.append(
            {
                "kind": f"conv{len(size)}d",
                "in_channels": channels,
                "out_channels": outputs,
                "kernel": [side] * len(size),
                "stride": [stride] * len(size),
                "padding": [side // 2] * len(size),
                "in_size": size,
                "out_size": out,
                "pool": [window] * len(size),
                "input_rate": rate,
                "output_rate": spiking,
            }
        )
        size = [extent // window for extent in out]
        width = min(256, width * 2) if window > 1 or stride > 1 else width
        channels, rate = outputs, 1 - (1 - spiking) ** (window ** len(size))
    features = channels * int(np.prod(size))
    for outputs in (int(rng.choice([64, 128, 256])), 10)[int(rng.integers(0, 2)) :]:
        layers.append({"kind": "linear", "in_features": features, "out_features": outputs})
        layers[-1] |= {"input_rate": rate, "output_rate": float(rng.uniform(0.02, 0.3))}
        features, rate = outputs, layers[-1]["output_rate"]
    for index, layer in enumerate(layers):
        layer |= {"name": f"layer{index}", "weight_bits": int(rng.choice(setting.weight_bits))}
    if setting.direct:
        layers[0] |= {"input_bits": 8, "static_input": True}
    return Workload.model_validate({"timesteps": setting.timesteps, "layers": layers})


def switches() -> dict[str, Any]:
    """The parameters that part the faces, as the clean one has them."""
    compatible, clean = load_chip(COMPATIBLE).values, load_chip(CLEAN).values
    return {name: clean[name] for name in REASONS if compatible[name] != clean[name]}


def chips(setting: Setting) -> dict[str, Chip]:
    """The compatible chip, with one switch each, and with all; by what is switched."""
    found = {"none": load_chip(COMPATIBLE, setting.chip)}
    for name, value in switches().items():
        found[name] = load_chip(COMPATIBLE, {**setting.chip, name: value})
    return found | {"all": load_chip(COMPATIBLE, {**setting.chip, **switches()})}


def compare(setting: Setting, count: int) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Kendall's tau, Spearman's rho and the median ratio by what is switched, by figure."""
    workloads = networks(count, setting)
    costs = {name: totals(workloads, chip) for name, chip in chips(setting).items()}
    base = costs.pop("none")
    return {
        name: {
            figure: (
                float(kendalltau(base[figure], found[figure]).statistic),
                float(spearmanr(base[figure], found[figure]).statistic),
                float(np.median(found[figure] / base[figure])),
            )
            for figure in FIGURES
        }
        for name, found in costs.items()
    }


def table(found: dict[str, dict[str, tuple[float, float, float]]]) -> str:
    """Markdown, the switches that move ranks most first."""
    order = sorted(found, key=lambda name: (name != "all", sum(v[0] for v in found[name].values())))
    lines = [
        "| switched | energy: tau, rho, ratio | area | latency | why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in order:
        cells = [
            "=" if values == (1.0, 1.0, 1.0) else "{:.3f}, {:.3f}, {:.2f}".format(*values)
            for values in (tuple(round(v, 4) for v in found[name][f]) for f in FIGURES)
        ]
        shown = "**all: the clean face**" if name == "all" else f"`{name}`"
        lines.append(f"| {shown} | {' | '.join(cells)} | {REASONS.get(name, 'all of these')} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=300)
    arguments = parser.parse_args()
    for setting in SETTINGS:
        print(f"{setting.title} ({arguments.networks} networks)\n")
        print(table(compare(setting, arguments.networks)), end="\n\n")


if __name__ == "__main__":
    main()
