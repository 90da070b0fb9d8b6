"""The digital accelerator by hand: widths, products, memory accesses, cycles."""

from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import ConvLayer, LinearLayer, Workload
from hardware import Cost, estimate, is_lossless, load_chip

NAME = "digital_horowitz_isscc_2014"
PJ, UM2 = 1e-6, 1e-6  # in uJ, in mm2

# 10 inputs of 1 bit, 4 outputs of 8-bit weights, no neurons, 5 steps: sums of 8 + 4 bits.
PLAIN: dict[str, Any] = {
    "name": "out", "kind": "linear", "in_features": 10, "out_features": 4, "weight_bits": 8,
    "neuron_state_bits": 0, "input_rate": 0.25,
}  # fmt: skip
ADD_12 = 0.03 + 0.07 * (12 - 8) / 24  # pJ
REGISTER = 0.002757  # pJ a bit
ACCUMULATE_12 = ADD_12 + 12 * REGISTER
BIT = 10 / 64  # pJ, one of 64 that are read from 8 KB


def cost(layer: dict[str, Any], timesteps: int = 5, **overrides: Any) -> Cost:
    made = (LinearLayer if layer["kind"] == "linear" else ConvLayer).model_validate(layer)
    return estimate(Workload(timesteps=timesteps, layers=(made,)), load_chip(NAME, overrides))


def test_spikes_are_accumulated_where_they_are() -> None:
    parts = cost(PLAIN).energy_components_uj
    # 10 x 4 products in 5 steps, a quarter of them of spikes.
    assert parts["digital"] == pytest.approx(40 * 5 * 0.25 * ACCUMULATE_12 * PJ, rel=1e-12)
    assert parts["weights"] == pytest.approx(40 * 5 * 0.25 * 8 * BIT * PJ, rel=1e-12)
    # each input bit is written once and read once a step: 4 outputs fit into the units.
    assert parts["buffer"] == pytest.approx(2 * 10 * 5 * BIT * PJ, rel=1e-12)
    assert parts["membrane"] == parts["neuron"] == parts["other"] == 0


def test_counted_inputs_cost_as_if_all_were_spikes() -> None:
    parts = cost(PLAIN, silent_inputs="counted").energy_components_uj
    assert parts["digital"] == pytest.approx(40 * 5 * ACCUMULATE_12 * PJ, rel=1e-12)
    assert parts == pytest.approx(
        cost(PLAIN | {"input_rate": 1.0}, silent_inputs="counted").energy_components_uj
    )


def test_wider_inputs_are_multiplied_unless_all_their_bits_are_zero() -> None:
    layer = PLAIN | {"input_bits": 8, "input_rate": 0.5}
    parts = cost(layer).energy_components_uj
    # 8 by 8 bits: 0.2 pJ; sums of 8 + 8 + 4 bits.
    each = 0.2 + 0.03 + 0.07 * 12 / 24 + 20 * REGISTER
    assert parts["digital"] == pytest.approx(200 * (1 - 0.5**8) * each * PJ, rel=1e-12)


@pytest.mark.parametrize(
    ("weight_bits", "input_bits", "picojoules"),
    [
        (4, 2, 0.2 / 8),  # 8 of 64 pairs of bits
        (8, 8, 0.2),
        (16, 16, 0.2 + 2.9 * 192 / 960),
        (32, 16, 0.2 + 2.9 * 448 / 960),
    ],
)
def test_multipliers_grow_with_the_product_of_their_widths(
    weight_bits: int, input_bits: int, picojoules: float
) -> None:
    free = {"adder_energy_pj": [0.0, 0.0], "register_energy_fj": 0.0}
    layer = PLAIN | {"weight_bits": weight_bits, "input_bits": input_bits, "input_rate": 1.0}
    parts = cost(layer, timesteps=1, **free).energy_components_uj
    assert parts["digital"] == pytest.approx(40 * picojoules * PJ, rel=1e-12)


CONV: dict[str, Any] = {
    "name": "conv", "kind": "conv1d", "in_channels": 2, "out_channels": 3, "kernel": [3],
    "in_size": [10], "out_size": [8], "weight_bits": 8, "neuron_state_bits": 12,
    "input_rate": 0.5, "output_rate": 0.1,
}  # fmt: skip


def test_a_weight_is_read_for_several_positions_if_one_of_them_has_a_spike() -> None:
    # 18 weights, 8 positions, 2 steps; two groups of 4 positions share a read.
    parts = cost(CONV, timesteps=2, weight_reuse=4).energy_components_uj
    reads = 18 * 2 * 2 * (1 - 0.5**4)
    assert parts["weights"] == pytest.approx(reads * 8 * BIT * PJ, rel=1e-12)
    # of 100 positions for which it could serve there are 8
    parts = cost(CONV, timesteps=2, weight_reuse=100).energy_components_uj
    assert parts["weights"] == pytest.approx(18 * 2 * (1 - 0.5**8) * 8 * BIT * PJ, rel=1e-12)


def test_neurons_and_their_membranes() -> None:
    parts = cost(CONV, timesteps=2).energy_components_uj
    # 24 neurons, 2 steps, 12 bits: integration, threshold and three adders of the leak.
    assert parts["neuron"] == pytest.approx(48 * 5 * ADD_12 * PJ, rel=1e-12)
    # the state is read and written, threshold and bias are read
    assert parts["membrane"] == pytest.approx(48 * 4 * 12 * BIT * PJ, rel=1e-12)
    once = cost(CONV, timesteps=1).energy_components_uj
    assert once["membrane"] == pytest.approx(24 * 2 * 12 * BIT * PJ, rel=1e-12)


def test_populations_and_further_currents() -> None:
    more = CONV | {"populations": 3, "current_inputs": 2}
    parts = cost(more, timesteps=2).energy_components_uj
    # 24 values, 2 steps, 3 neurons and 2 further additions each
    assert parts["neuron"] == pytest.approx(48 * 5 * 5 * ADD_12 * PJ, rel=1e-12)
    assert parts["membrane"] == pytest.approx(48 * 5 * 4 * 12 * BIT * PJ, rel=1e-12)
    plain = cost(CONV, timesteps=2).energy_components_uj
    assert {parts[name] == plain[name] for name in ("digital", "weights", "buffer")} == {True}
    times = cost(more, timesteps=2, digital_units=5, clock_mhz=100).latency_components_ms
    assert times == pytest.approx({"digital": 2 * 29 * 1e-5, "neuron": 2 * 24 * 1e-5}, rel=1e-12)


def test_inferences_that_end_before_a_layer_do_not_pay_for_it() -> None:
    for layer in (CONV, CONV | {"static_input": True}):
        whole, part = (cost(one, timesteps=4) for one in (layer, layer | {"executed": 0.25}))
        assert part.dynamic_energy_uj == pytest.approx(whole.dynamic_energy_uj / 4, rel=1e-12)
        assert part.latency_ms == pytest.approx(whole.latency_ms / 4, rel=1e-12)
        assert part.area_mm2 == whole.area_mm2


def test_sums_of_a_static_input_are_made_once_and_held() -> None:
    again = cost(CONV, timesteps=4).energy_components_uj
    held = cost(CONV | {"static_input": True}, timesteps=4).energy_components_uj
    assert held["digital"] == pytest.approx(again["digital"] / 4, rel=1e-12)
    # 20 inputs written, 8 x 6 read, once; 24 sums of 8 + 3 bits written once and read 4 times.
    assert held["buffer"] == pytest.approx((68 + 24 * 11 * 5) * BIT * PJ, rel=1e-12)


def test_time_is_products_and_neurons_over_units() -> None:
    # 18 x 8 products and 24 neurons on 5 units, 2 steps, 100 MHz.
    parts = cost(CONV, timesteps=2, digital_units=5, clock_mhz=100).latency_components_ms
    assert parts == pytest.approx({"digital": 2 * 29 * 1e-5, "neuron": 2 * 5 * 1e-5}, rel=1e-12)


def test_area_is_of_the_widest_units_and_of_all_memory() -> None:
    area = cost(CONV | {"input_bits": 8}, timesteps=2, digital_units=2).area_components_mm2
    # sums of 8 + 8 + 3 bits
    unit = 282 + 36 + 101 * 11 / 24 + 19 * 5.906
    assert area["digital"] == pytest.approx(2 * unit * UM2, rel=1e-12)
    assert area["neuron"] == pytest.approx(2 * 5 * (36 + 101 * 4 / 24) * UM2, rel=1e-12)
    assert area["weights"] == pytest.approx(18 * 8 * 0.6657 * UM2, rel=1e-12)
    assert area["membrane"] == pytest.approx((24 * 12 + 2 * 3 * 12) * 0.6657 * UM2, rel=1e-12)
    assert area["buffer"] == pytest.approx(20 * 8 * 0.6657 * UM2, rel=1e-12)


def test_leakage_is_of_units_and_memory() -> None:
    found = cost(PLAIN, timesteps=1, digital_units=1)
    # adder of 12 bits, register; 40 x 8 bits of weights, 10 of inputs, no state
    watts = (2.962 + (11.85 - 2.962) * 4 / 24 + 12 * 0.09614 + 330 * 0.002714) * 1e-9
    assert found.leakage_energy_uj == pytest.approx(watts * found.latency_ms * 1e3, rel=1e-12)


def test_larger_banks_cost_more_by_their_side() -> None:
    small, large, most = (
        cost(PLAIN, memory_bank_kb=size).energy_components_uj["weights"]
        for size in (8.0, 18.0, 1024.0)
    )
    # sides 8^0.5, 18^0.5 and 32^0.5 are 2, 3 and 4 times 2^0.5: half way from 10 to 20 pJ.
    assert large == pytest.approx(1.5 * small, rel=1e-12)
    assert most == pytest.approx(10 * small, rel=1e-12)


def test_other_nodes_scale_the_figures() -> None:
    free = {"register_energy_fj": 0.0, "leak_adders": 0}
    at_45, at_22 = (
        cost(CONV, **free, technology_nm=node).energy_components_uj for node in (45, 22)
    )
    assert at_22["digital"] == pytest.approx(0.2644 * at_45["digital"], rel=1e-12)
    assert at_22["membrane"] == pytest.approx(0.3124 * at_45["membrane"], rel=1e-12)


def test_pooling_and_residual_maps() -> None:
    pooled = CONV | {"pool": [2], "input_rate": 0.0}
    spikes = cost(pooled, timesteps=2).energy_components_uj["other"]
    assert spikes == pytest.approx(48 * 0.03 / 8 * PJ, rel=1e-12)  # one bit a value
    sums = cost(pooled | {"pool_kind": "average"}, timesteps=2).energy_components_uj["other"]
    assert sums == pytest.approx(48 * ACCUMULATE_12 * PJ, rel=1e-12)  # 11 bits and one more
    merged = cost(CONV | {"residual_inputs": 1}, timesteps=2).energy_components_uj["other"]
    assert merged == pytest.approx(48 * 0.03 / 4 * PJ, rel=1e-12)  # two bits a value


def test_figures_may_not_fall_with_width_or_size() -> None:
    for key, values in (
        ("adder_energy_pj", [0.2, 0.1]),
        ("multiplier_area_um2", [300.0, 200.0]),
        ("memory_access_energy_pj", [10.0, 9.0, 100.0]),
    ):
        with pytest.raises(RequestError, match=f"{key}: got .*; allowed: numbers that do not fall"):
            load_chip(NAME, {key: values})


def test_domains_make_no_difference_and_nothing_is_lost() -> None:
    assert cost(PLAIN) == cost(PLAIN | {"domain": "digital"})
    found = cost(PLAIN)
    assert (found.crossbars, found.tiles, found.utilisation) == (0, 1, 1.0)
    assert is_lossless(NAME)


def test_aladdins_figures_stand_as_published() -> None:
    chip = load_chip("digital_aladdin_isca_2014")
    assert chip.numbers("multiplier_energy_pj")[1] == 12.68
    assert chip.numbers("adder_area_um2")[1] == 278.0
    with pytest.raises(RequestError, match="technology_nm: got 45; allowed: 40"):
        load_chip("digital_aladdin_isca_2014", {"technology_nm": 45})
