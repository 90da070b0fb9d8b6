"""What removed columns save on crossbars, by hand; where they save nothing; what old files cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.spaces import make_space
from genomes.workload import Workload
from hardware import estimate, load_chip, totals
from hardware.arrays import pack
from hardware.mapping import map_layers
from hardware.merit import figures_of_merit
from tests.counts import count
from tests.hardware.test_crossbar_by_hand import (
    CHIP_UM,
    ENERGY_FJ,
    LATENCY_NS,
    LAYER,
    OFFSET_FJ,
    SHIFT_ADD_FJ,
    TILE_UM,
    conv,
    network,
)

#: 200 rows, 64 outputs of 2 bits: 128 columns of cells in row blocks of 128 and 72 rows, on
#: crossbars of 64 x 64: 4 row blocks and 2 column blocks.
WIDE = {
    "name": "wide",
    "kind": "linear",
    "in_features": 200,
    "out_features": 64,
    "weight_bits": 2,
}
MODELS = ["rram_32nm", "rram_neurosim_22nm", "neurosim_compat", "spikesim_65nm"]


def mapped(layer, **overrides):
    return map_layers(pack([network(layer)]), load_chip("rram_32nm", overrides), 64)


def test_half_of_the_columns_of_a_small_layer_by_hand():
    # 2 of 4 outputs are left: 4 columns of cells. The table has 2 places of 2 bits.
    cost = estimate(network(LAYER | {"column_share": 0.5}), "rram_32nm")
    energy = {name: value * 1e9 for name, value in cost.energy_components_uj.items()}

    assert energy["adc"] == pytest.approx(2 * 4 * 134.6, rel=1e-12)
    assert energy["array"] == pytest.approx(2 * 4 * 2 * 0.354 * 8, rel=1e-12)
    sums = 4 * SHIFT_ADD_FJ + 2 * OFFSET_FJ + 10 * 2.021
    assert energy["accumulation"] == pytest.approx(2 * (sums + 4 * 0.2686), rel=1e-12)
    for name in ("neuron", "membrane", "buffer", "driver"):
        assert energy[name] == pytest.approx(ENERGY_FJ[name], rel=1e-12)
    area = cost.area_components_mm2["accumulation"] * 1e6
    adders = 8 * (8 * 2.942 + 9 * 2.8 + 9 * 2.942 + 9 * 2.8) + 10 * 2.942
    assert area == pytest.approx(adders + 4 * 0.3366, rel=1e-12)
    assert cost.utilisation == 40 / (4 * 4096)
    # 20 weights of 2 bits, the table, 4 neurons of 12 bits
    assert cost.memory_kb == (40 + 4 + 48) / 8192
    assert cost.latency_components_ms["adc"] * 1e6 == pytest.approx(LATENCY_NS["adc"])
    in_tile = 2 * (10 * 0.32 + 2 * 9 * 0.5) * TILE_UM
    table = 4 * 0.3366
    chip_um = np.sqrt(CHIP_UM**2 + table)
    wires = 110.1 * (2 / 3) * (in_tile + 2 * 4 * 0.18 * chip_um) * 1e-3
    assert energy["interconnect"] == pytest.approx(wires, rel=1e-9)


def test_crossbars_and_reads_by_hand():
    full, half = mapped(WIDE), mapped(WIDE | {"column_share": 0.5})

    assert (full.crossbars[0, 0], full.columns[0, 0], full.steps[0, 0]) == (8, 128, 8)
    assert (half.crossbars[0, 0], half.columns[0, 0], half.steps[0, 0]) == (4, 64, 8)
    quarter = mapped(WIDE | {"column_share": 0.25})
    # 32 columns for 8 ADCs: 4 multiplexer steps
    assert (quarter.crossbars[0, 0], quarter.columns[0, 0], quarter.steps[0, 0]) == (4, 32, 4)


@pytest.mark.parametrize(
    ("more", "overrides", "saves"),
    [
        ({"column_rows": 128}, {}, True),
        ({"column_rows": 64}, {}, True),
        ({"column_rows": 96}, {}, False),  # a crossbar would hold rows of two blocks
        ({"column_rows": 32}, {}, False),
        ({"column_rows": 128}, {"crossbar_rows": 256}, False),
        ({"column_rows": 200}, {"crossbar_rows": 256}, True),  # whole outputs: any chip can
        ({"column_rows": 4096}, {}, True),
    ],
)
def test_columns_are_saved_where_crossbars_fit_their_blocks(more, overrides, saves):
    removed = mapped(WIDE | {"column_share": 0.5} | more, **overrides)
    assert removed.columns[0, 0] == (64 if saves else 128)


@pytest.mark.parametrize(("column_rows", "saves"), [(128, False), (180, True)])
def test_kernel_positions_apart_keep_the_order_of_rows_only_in_one_block(column_rows, saves):
    layer = conv(20, 16, weight_bits=2, column_share=0.5, column_rows=column_rows)  # 180 rows
    assert mapped(layer, mapping="kernel").columns[0, 0] == (16 if saves else 32)
    assert mapped(layer).columns[0, 0] == (16 if column_rows == 128 or saves else 32)


@pytest.mark.parametrize("chip", MODELS)
def test_a_share_of_one_costs_what_no_share_does(chip):
    given_share = WIDE | {"column_share": 1.0, "column_rows": 64}
    assert estimate(network(given_share), chip) == estimate(network(WIDE), chip)


@pytest.mark.parametrize("chip", ["rram_32nm", "rram_neurosim_22nm"])
def test_chips_that_know_it_get_smaller_and_better(chip):
    layers = [WIDE | {"out_features": 512, "column_share": share} for share in (1.0, 0.5, 0.25)]
    costs = [estimate(network(layer), chip) for layer in layers]
    for name in ("area_mm2", "energy_uj", "crossbars", "memory_kb"):
        values = [getattr(cost, name) for cost in costs]
        assert values == sorted(values, reverse=True), name
    assert costs[0].area_mm2 > costs[2].area_mm2
    assert costs[0].energy_uj > costs[2].energy_uj
    assert costs[2].latency_ms <= costs[0].latency_ms


@pytest.mark.parametrize("chip", ["spikesim_65nm", "digital_horowitz_isscc_2014"])
def test_chips_that_do_not_know_it_cost_the_whole_layer(chip):
    removed = estimate(network(WIDE | {"column_share": 0.5}), chip)
    assert removed == estimate(network(WIDE), chip)


@given(
    st.integers(1, 400),
    st.integers(1, 80),
    st.integers(1, 8),
    st.integers(0, 79),
    st.sampled_from([32, 64, 128, 512]),
)
@settings(max_examples=100)
def test_fewer_columns_are_never_more_crossbars_or_conversions(rows, outputs, bits, removed, high):
    kept = outputs - min(removed, outputs - 1)
    layer = WIDE | {"in_features": rows, "out_features": outputs, "weight_bits": bits}
    some = layer | {"column_share": kept / outputs, "column_rows": high}
    full, less = mapped(layer), mapped(some)

    assert less.columns[0, 0] in (kept * bits, outputs * bits)
    assert less.crossbars[0, 0] <= full.crossbars[0, 0]
    assert less.steps[0, 0] <= full.steps[0, 0]


def test_files_say_it_only_where_it_is_so():
    plain = network(WIDE).to_document()["layers"][0]
    assert not {"column_share", "column_rows"} & set(plain)
    removed = network(WIDE | {"column_share": 0.5, "column_rows": 64})
    document = removed.to_document()
    assert (document["layers"][0]["column_share"], document["layers"][0]["column_rows"]) == (
        0.5,
        64,
    )
    assert Workload.from_document(document) == removed
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(RequestError, match="column_share"):
            Workload.from_document(
                network(WIDE).to_document() | {"layers": [WIDE | {"column_share": wrong}]}
            )


@pytest.mark.parametrize("name", ["plain", "hyperspectral", "cell"])
def test_networks_with_every_decision_of_weights_can_be_costed(name):
    shape = (1, 9, 5, 5) if name == "hyperspectral" else (2, 8, 8)
    options = {
        "weight_bits": [1, 3, 4, 8],
        "quantizers": ["uniform", "power_of_two"],
        "bit_groups": 3,
        "removed_columns": [0.0, 0.25, 0.5, 0.75],
        "column_rows": 64,
    }
    space = make_space(name, shape, 4, options)
    genomes = space.sample(count(100, 2000), np.random.default_rng(0))
    workloads = [space.decode(genome).workload for genome in genomes]
    assert any(layer.column_share < 1 for one in workloads for layer in one.layers)
    for chip in (*MODELS, "digital_horowitz_isscc_2014"):
        found = totals(workloads, chip)
        for metric in ("area_mm2", "energy_uj", "latency_ms"):
            assert np.isfinite(found[metric]).all()
            assert (found[metric] > 0).all()


def test_operations_are_those_of_the_columns_that_exist():
    workload = network(WIDE | {"column_share": 0.25})
    merit = figures_of_merit(workload, estimate(workload))
    # 200 x 64 weights in two steps, a quarter of them
    assert merit.dense_synaptic_operations == 200 * 64 * 2 / 4
