"""The default model's magnitudes against figures of the two reference simulators.

The unit costs are NeuroSim V1.4's, so this checks how they are put together, not silicon.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genomes.workload import Workload
from hardware import Cost, estimate

CROSSBAR_PARTS = ("array", "driver", "adc", "accumulation")
BESIDE = Path(__file__).parents[3] / "shared" / "golden"


def one_crossbar(size: int, rate: float, weight_bits: int = 8, **overrides: Any) -> Cost:
    """A linear layer that fills one crossbar, read once."""
    columns = size // -(-weight_bits // overrides.get("cell_bits", 1))
    layer = {"name": "a", "kind": "linear", "in_features": size, "out_features": columns}
    fields = {"weight_bits": weight_bits, "input_rate": rate}
    workload = Workload.model_validate({"timesteps": 1, "layers": [layer | fields]})
    square = {"crossbar_rows": size, "crossbar_columns": size, "rows_per_read": size}
    return estimate(workload, "rram_32nm", square | {"crossbars_per_tile": 1} | overrides)


@pytest.mark.parametrize(
    ("node", "area_um2", "energy_pj"),
    [(22, 6161.0, 14.12), (32, 13240.0, 19.60), (45, 28730.0, 35.70), (65, 59730.0, 72.01)],
)
def test_a_crossbar_takes_what_neurosim_gives_it(
    node: int, area_um2: float, energy_pj: float
) -> None:
    """Area used by parts, and energy a vector, of a 128 x 128 crossbar with 5-bit flash ADCs.

    8-bit weights in 1-bit cells, 8 columns an ADC, 15 % of the rows active. Ours has the
    adders of partial sums and of the offset as well, which NeuroSim places outside.
    """
    setting = {"technology_nm": node, "adc_kind": "flash", "adc_levels": 32}
    cost = one_crossbar(128, 0.15, **setting)
    area = sum(cost.area_components_mm2[name] for name in CROSSBAR_PARTS)
    energy = sum(cost.energy_components_uj[name] for name in CROSSBAR_PARTS)
    assert area * 1e6 == pytest.approx(area_um2, rel=0.25)
    assert energy * 1e6 == pytest.approx(energy_pj, rel=0.25)


def test_vgg9_takes_tens_of_microjoules() -> None:
    """65 nm, 64 x 64, 4-bit weights in one cell, 4-bit flash ADC, 5 steps.

    NeuroSim V1.4 gives 17.4 uJ and 2.46 ms, SpikeSim 15.9 uJ and 62.8 ms.
    """
    cases = json.loads((Path(__file__).parents[1] / "data" / "spikesim.json").read_text())["cases"]
    document = next(case for case in cases if "_t5_" in case["name"])["workload"]
    for layer in document["layers"]:
        layer["weight_bits"] = 4
    setting = {"technology_nm": 65, "cell_bits": 4, "adc_kind": "flash", "adc_levels": 16}
    cost = estimate(Workload.from_document(document), "rram_32nm", setting | {"rows_per_read": 64})
    assert 17.4 / 2 < cost.energy_uj < 17.4 * 2
    assert 2.46 / 2 < cost.latency_ms < 2.46 * 2


def classifier(widths: tuple[int, ...], size: int = 8) -> Workload:
    layers: list[dict[str, Any]] = []
    channels = 1
    for index, width in enumerate(widths):
        pool = 2 if index == 1 else 1
        layers.append(
            {
                "name": f"conv{index + 1}",
                "kind": "conv2d",
                "in_channels": channels,
                "out_channels": width,
                "kernel": [3, 3],
                "padding": [1, 1],
                "in_size": [size, size],
                "out_size": [size, size],
                "pool": [pool, pool],
            }
        )
        channels, size = width, size // pool
    features = channels * size * size
    layers.append({"name": "out", "kind": "linear", "in_features": features, "out_features": 10})
    return Workload.model_validate({"timesteps": 4, "layers": layers})


def test_small_networks_cost_less_than_large_ones() -> None:
    """On 8 x 8 images, chips grow with the network instead of being all one tile."""
    nets = [(8, 8), (16, 16), (16, 16, 16), (16, 32, 32), (32, 32, 32, 32), (32,) * 6]
    costs = estimate([classifier(net) for net in nets], "rram_32nm")
    areas = [cost.area_mm2 for cost in costs]
    assert areas == sorted(set(areas))
    assert areas[-1] > 5 * areas[0]
    steps = np.diff(np.log(areas))
    assert steps.max() < np.log(2.6)
    assert costs[-1].energy_uj > 3 * costs[0].energy_uj


@pytest.mark.skipif(not BESIDE.exists(), reason="the material beside the checkout is absent")
def test_crossbars_of_many_settings_are_near_neurosim() -> None:
    """Every RRAM crossbar of NeuroSim's that has our kinds of parts: nodes, sizes, ADCs, rates."""
    energies, areas = [], []
    for run in json.loads((BESIDE / "neurosim_subarray.json").read_text())["runs"]:
        given, found = run["inputs"], run["outputs"]
        comparable = given["technode_nm"] < 90 and given["roadmap"] == "LSTP"
        comparable &= given["mem"].startswith("RRAM") and given["input_bits"] == 1
        if not comparable or "voltage" in given["adc"]:
            continue
        cost = one_crossbar(
            given["rows"],
            given["active_row_frac"],
            given["weight_bits"],
            technology_nm=given["technode_nm"],
            adc_kind="sar" if given["adc"] == "SAR" else "flash",
            adc_levels=given["adc_levels"],
            cell_bits=given["cell_bits"],
            columns_per_adc=given["col_mux"],
            r_on_ohm=given["Ron_ohm"],
            r_off_ohm=given["Roff_ohm"],
        )
        energy = sum(cost.energy_components_uj[name] for name in CROSSBAR_PARTS)
        area = sum(cost.area_components_mm2[name] for name in CROSSBAR_PARTS)
        energies.append(energy * 1e6 / found["subarray_energy_pJ"]["total"])
        areas.append(area * 1e6 / found["subarray"]["used_um2"])
    assert len(energies) > 200
    for ratios in (energies, areas):
        assert 0.9 < np.median(ratios) < 1.15
        assert np.mean(np.abs(np.log(ratios)) < np.log(1.25)) > 0.85


def rank_correlation(one: list[float], other: list[float]) -> float:
    """Spearman's; equal values share their mean rank."""
    ranks = []
    for values in (one, other):
        _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[places])
    return float(np.corrcoef(ranks)[0, 1])


@pytest.mark.skipif(not BESIDE.exists(), reason="the material beside the checkout is absent")
def test_networks_of_one_setting_rank_as_documented() -> None:
    """17 cases at 22 nm, 128 x 128: energy as NeuroSim, latency once its copies are undone."""
    document = json.loads((BESIDE / "neurosim.json").read_text())
    base = next(run for run in document["cases"] if run["name"] == "snn5__base")
    runs = [
        run
        for run in document["cases"]
        if run["chip"] == base["chip"] and run["net"] != "vgg8"  # 20 times larger than the others
    ]
    assert len(runs) == 17
    keys = ("technology_nm", "crossbar_rows", "crossbar_columns", "cell_bits", "adc_kind")
    keys += ("adc_levels", "mapping")
    setting = {key: base["chip"][key] for key in keys} | {"rows_per_read": 128}
    networks = [Workload.from_document(run["workload"]) for run in runs]
    costs = estimate(networks, "rram_32nm", setting)
    chips = [run["expected"]["chip"] for run in runs]
    without_copies = [
        sum(
            layer["readLatency_ns"] * copies
            for layer, copies in zip(
                run["expected"]["layers"], run["expected"]["speedup_per_layer"], strict=True
            )
        )
        for run in runs
    ]
    latency = [cost.latency_ms for cost in costs]
    energy = rank_correlation(
        [cost.dynamic_energy_uj for cost in costs], [chip["dynamic_energy_pJ"] for chip in chips]
    )
    area = rank_correlation([cost.area_mm2 for cost in costs], [chip["area_um2"] for chip in chips])
    assert energy == pytest.approx(0.97, abs=0.02)
    assert area == pytest.approx(0.50, abs=0.05)
    assert rank_correlation(latency, [chip["latency_ns"] for chip in chips]) == pytest.approx(
        -0.35, abs=0.05
    )
    assert rank_correlation(latency, without_copies) == pytest.approx(0.82, abs=0.05)
