"""The default model against arithmetic done by hand, part by part, from the preset's figures."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import pytest

import hardware
from genomes.workload import Workload
from hardware import Chip, Cost, load_chip
from hardware.units import reading

# A linear layer of 10 inputs and 4 outputs, 2-bit weights, 2 time steps, on the default chip:
# 64 x 64 cells of 1 bit, 8 columns an ADC, offset weights.
#   2 slices a weight, so 8 columns of 10 rows; 1 crossbar; 8 ADCs, so 1 multiplexer step.
#   64 rows of 1-bit cells have 65 sums: 128 levels, 7 bits, 134.6 fJ, 342.1 um2, 8 ns.
LAYER = {
    "name": "out",
    "kind": "linear",
    "in_features": 10,
    "out_features": 4,
    "weight_bits": 2,
    "input_rate": 0.2,
    "output_rate": 0.1,
}
# Tile of 4 crossbars: cells, row drivers, column drivers, decoder, ADCs, in um2.
CROSSBAR_UM2 = 4096 * 0.04915 + 64 * 26.64 + 64 * 50.03 + 16.93 + 8 * 342.1
TILE_UM = sqrt(4 * CROSSBAR_UM2)
# A 7-bit sum of each of 2 slices: 9 bits. Shift-add: adder of 8 bits, register of 9. One more
# adder and register of 9 bits each takes the offset out.
SHIFT_ADD_FJ = 8 * 2.021 + 9 * 1.361
OFFSET_FJ = 9 * 2.021 + 9 * 1.361
AREA_UM2 = {
    "array": 4096 * 0.04915,
    "driver": 64 * 26.64 + 64 * 50.03 + 16.93,
    "adc": 8 * 342.1,
    # 8 ADCs with both accumulators; 10 rows with a full adder for the count of the inputs.
    "accumulation": 8 * (8 * 2.942 + 9 * 2.8 + 9 * 2.942 + 9 * 2.8) + 10 * 2.942,
    # One unit serves the 4 outputs; 12 bits.
    "neuron": 12 * (9.225 + 3 * 2.942),
    # 4 neurons of 12 bits; threshold and bias of 4 channels, 12 bits each.
    "membrane": (48 + 96) * 0.3366,
    # 10 input bits.
    "buffer": 10 * 0.3366,
    "digital": 0.0,
    "other": 0.0,
    "idle": 3 * CROSSBAR_UM2,
}
WITHOUT_CHIP_BUS_UM2 = sum(AREA_UM2.values()) + 2 * TILE_UM * 64 * 0.112
CHIP_UM = sqrt(WITHOUT_CHIP_BUS_UM2)
ENERGY_FJ = {
    # 2 vectors, 8 columns of 2 active rows, 0.354 uW for 8 ns.
    "array": 2 * 8 * 2 * 0.354 * 8,
    # 2 active rows: 64 cells of word line and a driver; 64 row registers; 4096 cells of mux.
    "driver": 2 * (2 * (64 * 0.09129 + 5.941) + 64 * 2.722 + 4096 * 0.02296),
    "adc": 2 * 8 * 134.6,
    "accumulation": 2 * (8 * SHIFT_ADD_FJ + 4 * OFFSET_FJ + 10 * 2.021),
    # 4 neurons in 2 steps, 12 bits.
    "neuron": 8 * 12 * (4.041 + 3 * 2.021),
    # State read and written; threshold and bias read.
    "membrane": 8 * 12 * (0.2686 + 2.646 + 2 * 0.2686),
    "buffer": 2 * 10 * (2.646 + 0.2686),
    # Inputs toggle with chance 2 * 0.2 * 0.8, sums' bits with 0.5, outputs with 2 * 0.1 * 0.9.
    "interconnect": 110.1
    * (2 / 3)
    * (2 * (10 * 0.32 + 4 * 9 * 0.5) * TILE_UM + 2 * 4 * 0.18 * CHIP_UM)
    * 1e-3,
    "digital": 0.0,
    "other": 0.0,
}
LATENCY_NS = {
    "array": 2 * 1.4 * 0.1709,
    "adc": 2 * 1.4 * 8,
    "accumulation": 2 * 2.0,
    "neuron": 2 * 4 * 2.0,
    "buffer": 2 * 2.0,
    "interconnect": 2 * (2.0 + 2 / 3 * CHIP_UM * 1e-3 * 0.2194),
    "digital": 0.0,
}
LEAKAGE_NW = (
    # 4 crossbars with 64 + 64 drivers and a decoder each.
    4 * (128 * 0.05767 + 1.099)
    + (48 + 96 + 10) * 0.001735
    + 12 * (0.5565 + 3 * 0.2231)
    + 8 * ((8 + 9) * 0.2231 + (9 + 9) * 0.05767)
    + 10 * 0.2231
    + 64 * 1.719 * (2 * TILE_UM + 2 * CHIP_UM) * 1e-3
)


def estimate(
    workload: Workload,
    chip: Chip | str = "rram_32nm",
    overrides: Mapping[str, Any] | None = None,
) -> Cost:
    return hardware.estimate(workload, chip, overrides)


def network(*layers: dict[str, Any], timesteps: int = 2) -> Workload:
    return Workload.model_validate({"timesteps": timesteps, "layers": layers})


@pytest.fixture(scope="module")
def cost() -> Cost:
    return estimate(network(LAYER))


def test_area(cost: Cost) -> None:
    buses = (2 * TILE_UM + 2 * CHIP_UM) * 64 * 0.112
    expected = AREA_UM2 | {"interconnect": buses}
    assert {name: area * 1e6 for name, area in cost.area_components_mm2.items()} == pytest.approx(
        expected, rel=1e-12
    )


def test_dynamic_energy(cost: Cost) -> None:
    found = {name: energy * 1e9 for name, energy in cost.energy_components_uj.items()}
    del found["leakage"]
    assert found == pytest.approx(ENERGY_FJ, rel=1e-12)


def test_latency_and_interval(cost: Cost) -> None:
    found = {name: time * 1e6 for name, time in cost.latency_components_ms.items()}
    assert found == pytest.approx(LATENCY_NS, rel=1e-12)
    assert cost.interval_ms == pytest.approx(cost.latency_ms, rel=1e-12)


def test_leakage_flows_for_the_latency(cost: Cost) -> None:
    expected = LEAKAGE_NW * 1e-9 * sum(LATENCY_NS.values()) * 1e-9 * 1e6
    assert cost.leakage_energy_uj == pytest.approx(expected, rel=1e-12)


def test_counts(cost: Cost) -> None:
    assert (cost.crossbars, cost.tiles) == (4, 1)
    assert cost.utilisation == 80 / (4 * 4096)
    # 40 weights of 2 bits, 4 neurons of 12 bits.
    assert cost.memory_kb == (80 + 48) / 8192
    assert cost.layers[0].area_mm2 == pytest.approx(
        (sum(AREA_UM2.values()) + 2 * TILE_UM * 64 * 0.112) * 1e-6, rel=1e-12
    )


def conv(inputs: int, outputs: int, **more: Any) -> dict[str, Any]:
    sizes = {"kernel": [3, 3], "in_size": [8, 8], "out_size": [6, 6]}
    channels = {"in_channels": inputs, "out_channels": outputs}
    return {"name": "conv", "kind": "conv2d"} | channels | sizes | more


@pytest.mark.parametrize(
    ("layer", "overrides", "crossbars"),
    [
        # 144 rows: 3 blocks; 32 * 8 columns: 4 blocks.
        (conv(16, 32), {}, 12),
        # Each of 9 kernel positions has 16 rows.
        (conv(16, 32), {"mapping": "kernel"}, 9 * 4),
        # 7 magnitude bits, two columns each: 448 columns.
        (conv(16, 32), {"weight_encoding": "differential"}, 3 * 7),
        (conv(16, 32), {"cell_bits": 2}, 3 * 2),
        # 3 cells of 3 bits hold 8 bits: 96 columns.
        (conv(16, 32), {"cell_bits": 3}, 3 * 2),
        (conv(16, 32), {"crossbar_rows": 128, "crossbar_columns": 32}, 2 * 8),
        (conv(16, 32, weight_bits=1), {}, 3 * 1),
        # Depthwise: 9 rows and 8 columns a channel; 7 of them on one diagonal.
        (conv(16, 16, groups=16), {}, 3),
        # 2 groups of 72 rows do not fit one crossbar: 2 * 2 row blocks.
        (conv(16, 16, groups=2), {}, 4),
        (conv(16, 32), {"duplication": 4}, 48),
        # A linear layer has one position, so more copies are of no use.
        (LAYER, {"duplication": 4}, 1),
        (conv(16, 32, domain="digital"), {}, 0),
        (
            conv(16, 32, kind="conv1d", kernel=[9], in_size=[8], out_size=[8]),
            {},
            12,
        ),
        (conv(2, 8, kind="conv3d", kernel=[3] * 3, in_size=[4] * 3, out_size=[2] * 3), {}, 1),
    ],
)
def test_crossbars_of_a_layer(
    layer: dict[str, Any], overrides: dict[str, Any], crossbars: int
) -> None:
    cost = estimate(network(layer), "rram_32nm", {"crossbars_per_tile": 1} | overrides)
    assert cost.crossbars == cost.tiles == crossbars


@pytest.mark.parametrize(
    ("overrides", "levels", "rows", "lossless"),
    [
        ({}, 128, 64, True),  # 65 sums
        ({"crossbar_rows": 32}, 64, 32, True),  # 33 sums
        ({"cell_bits": 2}, 256, 64, True),  # 64 * 3 + 1 = 193 sums
        ({"cell_bits": 4}, 256, 17, True),  # floor(255 / 15) rows
        ({"crossbar_rows": 512}, 256, 255, True),
        ({"adc_levels": 16}, 16, 15, True),
        ({"rows_per_read": 8}, 16, 8, True),  # 9 sums
        ({"adc_levels": 32, "rows_per_read": 64}, 32, 64, False),
    ],
)
def test_reading_loses_nothing_unless_told_to(
    overrides: dict[str, Any], levels: int, rows: int, lossless: bool
) -> None:
    read = reading(load_chip("rram_32nm", overrides))
    assert (read.levels, read.rows, read.lossless) == (levels, rows, lossless)


def test_reading_rows_in_groups_takes_more_conversions() -> None:
    # 10 rows, 4 at once: 3 groups, each with its conversions (16 levels: 67.18 fJ, 5 ns).
    cost = estimate(network(LAYER), "rram_32nm", {"rows_per_read": 4, "adc_levels": 16})
    assert cost.energy_components_uj["adc"] == pytest.approx(2 * 8 * 3 * 67.18e-9, rel=1e-12)
    assert cost.latency_components_ms["adc"] == pytest.approx(2 * 3 * 1.4 * 5e-6, rel=1e-12)


def test_wide_inputs_are_read_bit_by_bit() -> None:
    spikes = estimate(network(LAYER))
    wide = estimate(network(LAYER | {"input_bits": 4}))
    assert wide.energy_components_uj["adc"] == 4 * spikes.energy_components_uj["adc"]
    assert wide.latency_components_ms["adc"] == 4 * spikes.latency_components_ms["adc"]
    assert wide.energy_components_uj["neuron"] == spikes.energy_components_uj["neuron"]


def test_a_static_input_is_read_once_and_its_sums_are_held() -> None:
    moving = estimate(network(LAYER, timesteps=10))
    static = estimate(network(LAYER | {"static_input": True}, timesteps=10))
    assert moving.energy_components_uj["adc"] == pytest.approx(
        10 * static.energy_components_uj["adc"], rel=1e-12
    )
    assert static.energy_components_uj["neuron"] == moving.energy_components_uj["neuron"]
    # 4 sums of 9 bits.
    held = static.area_components_mm2["buffer"] - moving.area_components_mm2["buffer"]
    assert held == pytest.approx(36 * 0.3366e-6, rel=1e-9)


def test_a_digital_layer_is_multiplied_and_accumulated() -> None:
    cost = estimate(network(LAYER | {"domain": "digital"}))
    # Sums of 10 products of 2-bit weights and spikes: 2 + 4 bits. 40 operations in 2 steps; 64
    # units do them in one cycle; 2 weight bits are read for each.
    assert cost.latency_components_ms["digital"] == pytest.approx(2 * 2e-6, rel=1e-12)
    expected = 80 * (2 * 0.2686 + 0.2 * 6 * (2.021 + 1.361)) * 1e-9
    assert cost.energy_components_uj["digital"] == pytest.approx(expected, rel=1e-12)
    units = 64 * 6 * (2.942 + 2.8) + 80 * 0.3366
    assert cost.area_components_mm2["digital"] == pytest.approx(units * 1e-6, rel=1e-12)
    assert cost.energy_components_uj["adc"] == 0


def test_membrane_memory_is_that_of_all_layers_and_none_for_one_step() -> None:
    # Constants of 8 + 4 channels; state of 8 * 36 and 4 neurons, 12 bits each.
    layers = (conv(1, 8), LAYER)
    constants, state = 2 * 12 * 12, (8 * 36 + 4) * 12
    one = estimate(network(*layers, timesteps=1))
    two = estimate(network(*layers))
    assert one.area_components_mm2["membrane"] == pytest.approx(constants * 0.3366e-6, rel=1e-12)
    assert two.area_components_mm2["membrane"] == pytest.approx(
        (constants + state) * 0.3366e-6, rel=1e-12
    )


def test_copies_share_positions() -> None:
    one = estimate(network(conv(16, 32)))
    four = estimate(network(conv(16, 32)), "rram_32nm", {"duplication": 4})
    assert four.layers[0].speed_up == 4
    assert one.latency_components_ms["adc"] == 4 * four.latency_components_ms["adc"]
    assert one.energy_components_uj["adc"] == four.energy_components_uj["adc"]


def test_a_static_input_is_held_for_further_steps_alone() -> None:
    # In one step, there is nothing to hold.
    assert estimate(network(LAYER | {"static_input": True}, timesteps=1)) == estimate(
        network(LAYER, timesteps=1)
    )


#: 8 channels of 6 x 6 sums, of which 2 x 2 are averaged before 8 x 9 neurons. A sum of 9 rows in
#: 8 slices has 7 + 8 bits, the sum of 4 such sums 17.
AVERAGED = conv(1, 8, pool=[2, 2], pool_kind="average")


def test_sums_of_a_static_input_are_pooled_once_and_held_afterwards() -> None:
    moving = estimate(network(AVERAGED, timesteps=3))
    static = estimate(network(AVERAGED | {"static_input": True}, timesteps=3))
    held = static.area_components_mm2["buffer"] - moving.area_components_mm2["buffer"]
    assert held == pytest.approx(72 * 17 * 0.3366e-6, rel=1e-9)
    # 64 inputs are written and 9 of them read for each of 36 positions; sums are read thrice.
    buffer = 64 * 2.646 + 36 * 9 * 0.2686 + 72 * 17 * (2.646 + 3 * 0.2686)
    assert static.energy_components_uj["buffer"] == pytest.approx(buffer * 1e-9, rel=1e-12)
    once = 8 * 36 * 17 * (2.021 + 1.361) * 1e-9
    assert static.energy_components_uj["other"] == pytest.approx(once, rel=1e-12)
    assert moving.energy_components_uj["other"] == pytest.approx(3 * once, rel=1e-12)


def test_what_pools_sums_leaks() -> None:
    silent = ("driver", "decoder", "sram", "neuron", "register")
    overrides: dict[str, Any] = {f"{part}_leakage_nw": 0 for part in silent}
    overrides |= {"wire_leakage_nw_per_mm": 0, "leak_adders": 0, "crossbars_per_tile": 1}
    cost = estimate(network(AVERAGED), "rram_32nm", overrides)
    # Adders: 8 ADCs with 8 bits of shift-add and 15 of the sum, 9 row counters, 17 of the pool.
    expected = (8 * (8 + 15) + 9 + 17) * 0.2231e-9 * cost.latency_ms * 1e-3 * 1e6
    assert cost.leakage_energy_uj == pytest.approx(expected, rel=1e-12)


def test_pooling_costs_something() -> None:
    # 8 channels of 3 x 3 pooled positions, 2 steps, one unit of 4 spikes each: 1.824 fJ.
    pooled = estimate(network(conv(1, 8, pool=[2, 2])))
    assert pooled.energy_components_uj["other"] == pytest.approx(8 * 9 * 2 * 1.824e-9, rel=1e-12)


@pytest.mark.parametrize(
    ("maps", "bits"),
    # Up to 1 + maps spikes are added: 3, 4, 5 and 9 values.
    [(1, 2), (2, 2), (3, 3), (7, 4)],
)
def test_residual_maps_are_as_wide_as_their_sum(maps: int, bits: int) -> None:
    plain, residual = (estimate(network(conv(1, 8, residual_inputs=n))) for n in (0, maps))
    # 8 * 36 values of each map in 2 steps: added, written and read.
    values = maps * 8 * 36 * bits
    added = residual.energy_components_uj["other"]
    assert added == pytest.approx(2 * values * 2.021e-9, rel=1e-12)
    more = residual.area_components_mm2["buffer"] - plain.area_components_mm2["buffer"]
    assert more == pytest.approx(values * 0.3366e-6, rel=1e-9)
    kept = residual.energy_components_uj["buffer"] - plain.energy_components_uj["buffer"]
    assert kept == pytest.approx(2 * values * (2.646 + 0.2686) * 1e-9, rel=1e-9)


def test_further_currents_are_updates_and_populations_are_neurons(cost: Cost) -> None:
    """4 neurons in 2 steps, of 12 bits: of 3 populations, with 2 currents more added."""
    found = estimate(network(LAYER | {"populations": 3, "current_inputs": 2}))
    updates = 2 * 4 * (3 + 2) * 12
    assert found.energy_components_uj["neuron"] == pytest.approx(
        updates * (4.041 + 3 * 2.021) * 1e-9, rel=1e-12
    )
    assert found.energy_components_uj["membrane"] == pytest.approx(
        updates * (0.2686 + 2.646 + 2 * 0.2686) * 1e-9, rel=1e-12
    )
    # states of 3 x 4 neurons; threshold and bias of 3 x 4 channels
    assert found.area_components_mm2["membrane"] == pytest.approx(
        3 * (48 + 96) * 0.3366e-6, rel=1e-12
    )
    assert found.area_components_mm2["neuron"] == cost.area_components_mm2["neuron"]
    assert found.memory_kb == (80 + 3 * 48) / 8192
    assert found.latency_components_ms["neuron"] == pytest.approx(2 * 4 * 5 * 2.0e-6, rel=1e-12)
    for part in ("array", "adc", "accumulation", "buffer"):
        assert found.energy_components_uj[part] == cost.energy_components_uj[part]


def test_sums_of_a_static_input_are_held_once_for_all_populations() -> None:
    one, three = (
        estimate(network(LAYER | {"static_input": True, "populations": n})) for n in (1, 3)
    )
    assert three.area_components_mm2["buffer"] == one.area_components_mm2["buffer"]
    assert three.energy_components_uj["buffer"] == one.energy_components_uj["buffer"]


def test_a_layer_that_half_of_the_inferences_come_to_costs_half_of_its_energy(cost: Cost) -> None:
    half = estimate(network(LAYER | {"executed": 0.5}))
    assert half.dynamic_energy_uj == pytest.approx(cost.dynamic_energy_uj / 2, rel=1e-12)
    assert half.latency_ms == pytest.approx(cost.latency_ms / 2, rel=1e-12)
    assert half.area_mm2 == cost.area_mm2
    held = LAYER | {"static_input": True}
    whole, part = (estimate(network(one)) for one in (held, held | {"executed": 0.25}))
    assert part.dynamic_energy_uj == pytest.approx(whole.dynamic_energy_uj / 4, rel=1e-12)


def chip_side_mm(cost: Cost) -> float:
    """Side of the square s x s that is a chip without its own bus, 2 s of 64 wires of 0.112 um."""
    bus = 64 * 0.112e-3
    return sqrt(cost.area_mm2 + bus**2) - bus


@pytest.mark.parametrize(
    ("layer", "positions", "bits", "toggles"),
    [
        # A spike in a tenth of the outputs: a bit differs from the last with 2 * 0.1 * 0.9.
        (conv(1, 32), 36, 32, 0.18),
        # OR of 4 spikes: 1 - 0.9^4 = 0.3439.
        (conv(1, 32, pool=[2, 2]), 9, 32, 2 * 0.3439 * 0.6561),
        # OR of 3: 1 - 0.9^3 = 0.271.
        (conv(1, 32, pool=[1, 3]), 12, 32, 2 * 0.271 * 0.729),
        # The neuron comes after average pooling, so its rate is the map's.
        (conv(1, 32, pool=[2, 2], pool_kind="average"), 9, 32, 0.18),
        # Two maps of 2 bits each.
        (conv(1, 32, residual_inputs=1), 36, 128, 0.18),
        # The spikes of four populations.
        (conv(1, 32, populations=4), 36, 128, 0.18),
    ],
)
def test_stored_maps_cross_the_chip(
    layer: dict[str, Any], positions: int, bits: int, toggles: float
) -> None:
    # Neither inputs nor sums toggle within tiles.
    rates = {"input_rate": 0.0, "output_rate": 0.1}
    cost = estimate(network(layer | rates), "rram_32nm", {"sum_toggle": 0})
    way = 2 / 3 * chip_side_mm(cost)
    energy = 2 * positions * bits * toggles * way * 110.1e-9
    assert cost.energy_components_uj["interconnect"] == pytest.approx(energy, rel=1e-9)
    # 64 bits a cycle of 2 ns, then the wire.
    time = 2 * positions * (max(bits / 64, 1) * 2.0 + way * 0.2194) * 1e-6
    assert cost.latency_components_ms["interconnect"] == pytest.approx(time, rel=1e-9)


def test_shared_tiles_have_no_area_of_one_layer() -> None:
    # 12 crossbars fill 3 tiles; 1 + 1 share the fourth.
    cost = estimate(network(conv(16, 32), LAYER, LAYER))
    assert [layer.tiles for layer in cost.layers] == [3, 1, 1]
    assert [layer.area_mm2 is None for layer in cost.layers] == [False, True, True]


def test_cell_current_follows_the_conductance() -> None:
    base = estimate(network(LAYER))
    halved: Chip = load_chip("rram_32nm", {"r_on_ohm": 2.0e5, "r_off_ohm": 3.4e6})
    assert estimate(network(LAYER), halved).energy_components_uj["array"] == pytest.approx(
        base.energy_components_uj["array"] / 2, rel=1e-12
    )
