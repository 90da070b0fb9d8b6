"""SpikeSim's figures, exactly, and sensible figures where SpikeSim itself has none.

tests/data/spikesim.json holds figures of SpikeSim ELA (MIT), commit c2627bc: its functions called
with these inputs. Where `peer_note` is set, SpikeSim fails on the case.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from genomes.workload import Workload
from hardware import Cost, estimate

CASES = json.loads((Path(__file__).parents[1] / "data" / "spikesim.json").read_text())["cases"]


def cost_of(case: dict[str, Any]) -> Cost:
    chip = dict(case["chip"])
    return estimate(Workload.from_document(case["workload"]), chip.pop("preset"), chip)


def network(*layers: dict[str, Any], timesteps: int = 1) -> Workload:
    named = [{"name": f"layer{index}"} | layer for index, layer in enumerate(layers)]
    return Workload.model_validate({"timesteps": timesteps, "layers": named})


def conv(inputs: int, outputs: int, size: int, **more: Any) -> dict[str, Any]:
    square = {"kernel": [3, 3], "in_size": [size, size], "out_size": [size, size]}
    channels = {"in_channels": inputs, "out_channels": outputs}
    return {"kind": "conv2d"} | channels | square | more


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_figures_of_spikesim(case: dict[str, Any]) -> None:
    cost, expected = cost_of(case), case["expected"]
    for name in ("area_mm2", "energy_uj", "latency_ms", "tiles"):
        if expected[name] is None:
            assert case["peer_note"] is not None
            assert math.isfinite(getattr(cost, name))
            assert getattr(cost, name) > 0
        else:
            assert getattr(cost, name) == pytest.approx(expected[name], rel=1e-12)
    by_layer = [layer.energy_uj for layer in cost.layers]
    assert by_layer == pytest.approx(expected["energy_per_layer_uj"], rel=1e-12)


def test_half_a_pe_counts_whole_and_layers_share_tiles() -> None:
    # ceil(65/64) * ceil(130/64) = 2 * 3 PEs and ceil(130/64) * 1 = 3: 9 PEs, 8 a tile.
    cost = estimate(network(conv(65, 130, 4), conv(130, 64, 4)), "spikesim_65nm")
    assert cost.tiles == 2
    assert [layer.tiles for layer in cost.layers] == [1, 2]
    assert cost.crossbars == 2 * 8 * 9


def test_only_five_layers_have_membrane_memory() -> None:
    five = estimate(network(*[conv(8, 8, 8)] * 5), "spikesim_65nm")
    six = estimate(network(*[conv(8, 8, 8)] * 6), "spikesim_65nm")
    # 5 layers, 8 x 8 positions, 8 channels, 22-bit words of 0.7391 um2 a bit.
    assert five.area_components_mm2["membrane"] == pytest.approx(5 * 512 * 22 * 0.7391e-6)
    assert six.area_components_mm2["membrane"] == five.area_components_mm2["membrane"]


def test_latency_counts_three_quarters_of_all_but_the_last_layer() -> None:
    # int(0.75 * 2 * 9) + 5 * 9 outputs, 4 steps, 26 cycles of 4 ns.
    cost = estimate(network(conv(1, 2, 3), conv(2, 5, 3), timesteps=4), "spikesim_65nm")
    assert cost.latency_ms == pytest.approx((13 + 45) * 4 * 26 * 4e-6, rel=1e-12)


def test_mixed_kernels_count_by_layer_in_energy_and_at_most_in_area() -> None:
    small, large = {"kernel": [1, 1]}, {"kernel": [5, 5]}
    mixed = estimate(network(conv(8, 8, 8, **small), conv(8, 8, 8, **large)), "spikesim_65nm")
    all_large = estimate(network(conv(8, 8, 8, **large), conv(8, 8, 8, **large)), "spikesim_65nm")
    # 64-bit words: 8 ADCs; a crossbar read of 1.76423 pJ for each kernel position and ADC.
    saved = 64 * 8 * (25 - 1) * 1.76423e-6
    assert all_large.energy_uj - mixed.energy_uj == pytest.approx(saved, rel=1e-9)
    assert all_large.area_mm2 == mixed.area_mm2


@pytest.mark.parametrize(
    "layer",
    [
        {"kind": "linear", "in_features": 700, "out_features": 10},
        conv(6, 12, 5, groups=3),
        conv(3, 5, 9, in_size=[9, 2], out_size=[4, 1], stride=[2, 2]),
        {
            "kind": "conv1d",
            "in_channels": 2,
            "out_channels": 3,
            "kernel": [7],
            "in_size": [99],
            "out_size": [99],
        },
        {
            "kind": "conv3d",
            "in_channels": 2,
            "out_channels": 3,
            "kernel": [2, 2, 2],
            "in_size": [4, 4, 4],
            "out_size": [3, 3, 3],
        },
    ],
)
def test_layers_that_spikesim_does_not_know_have_finite_costs(layer: dict[str, Any]) -> None:
    for workload in (network(layer), network(conv(200, 100, 8), layer, conv(3, 3, 3))):
        cost = estimate(workload, "spikesim_65nm")
        figures = (cost.area_mm2, cost.energy_uj, cost.latency_ms, cost.interval_ms)
        assert all(math.isfinite(figure) and figure > 0 for figure in figures)


def test_rates_bits_and_domain_have_no_effect() -> None:
    plain = estimate(network(conv(8, 8, 8)), "spikesim_65nm")
    other = conv(8, 8, 8, input_rate=0.9, weight_bits=2, input_bits=8, domain="digital")
    assert estimate(network(other), "spikesim_65nm").energy_uj == plain.energy_uj
