"""What must hold of every cost in the clean face, for random workloads and chips."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import Chip, Cost, estimate, lower_bounds, totals
from tests.hardware.neurosim_draws import (
    LARGEST_WINDOW,
    chip_of,
    clean_chips,
    with_layer,
    workloads,
)

FIGURES = ("area_mm2", "energy_uj", "dynamic_energy_uj", "leakage_energy_uj", "latency_ms")
EXACT = 1 + 1e-12

#: Parameters that are an energy, an area, a power, a length or a delay.
UNIT_COSTS = [
    parameter.name
    for parameter in chip_of({}).parameters
    if parameter.unit in {"fJ", "pJ", "nW", "um", "um2", "ns", "fJ/um", "fF/um", "pW/um", "ps/um"}
]


def made(values: dict[str, Any]) -> Chip:
    """The chip, unless its parameters do not go together."""
    try:
        return chip_of(values)
    except RequestError:
        assume(condition=False)
        raise


def figures(cost: Cost) -> list[float]:
    return [
        value
        for field in fields(cost)
        if isinstance(value := getattr(cost, field.name), int | float)
    ]


def same_plan(one: Cost, other: Cost) -> bool:
    """Whether both lie on as many tiles, crossbars and copies, layer by layer."""
    plans = [[(layer.tiles, layer.speed_up) for layer in cost.layers] for cost in (one, other)]
    return plans[0] == plans[1] and one.crossbars == other.crossbars


def without_steps(cost: Cost) -> float:
    """Energy of all but buffers and leakage."""
    parts = cost.energy_components_uj
    return sum(value for name, value in parts.items() if name not in {"buffer", "leakage"})


def rates(rate: float) -> tuple[float, float]:
    """An input rate, and an output rate that pooling leaves below it."""
    return rate, rate / LARGEST_WINDOW


def more_in_every_layer(workload: Workload, field: str, most: int) -> Workload:
    document = workload.to_document()
    for layer in document["layers"]:
        assume(layer[field] < most)
        layer[field] += 1
    return Workload.from_document(document)


@settings(max_examples=200)
@given(workloads(), clean_chips())
def test_every_figure_is_finite_and_adds_up(workload: Workload, values: dict[str, Any]) -> None:
    cost = estimate(workload, made(values))

    assert all(math.isfinite(value) and value >= 0 for value in figures(cost))
    assert 0 <= cost.utilisation <= EXACT
    assert cost.area_mm2 > 0
    assert cost.latency_ms > 0
    assert cost.energy_uj == cost.dynamic_energy_uj + cost.leakage_energy_uj
    for parts, whole in (
        (cost.area_components_mm2.values(), cost.area_mm2),
        (cost.energy_components_uj.values(), cost.energy_uj),
        (cost.latency_components_ms.values(), cost.latency_ms),
        ([layer.energy_uj for layer in cost.layers], cost.energy_uj),
        ([layer.latency_ms for layer in cost.layers], cost.latency_ms),
    ):
        assert all(math.isfinite(part) and part >= 0 for part in parts)
        assert math.fsum(parts) == pytest.approx(whole, rel=1e-12, abs=1e-30)


@settings(max_examples=60)
@given(
    st.lists(workloads(4), min_size=2, max_size=6),
    clean_chips(),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_a_batch_is_its_candidates_bit_for_bit(
    batch: list[Workload], values: dict[str, Any], random: Any, cut: int
) -> None:
    chip = made(values)
    together = estimate(batch, chip)
    order = list(range(len(batch)))
    random.shuffle(order)

    assert together == [estimate(workload, chip) for workload in batch]
    assert estimate([batch[i] for i in order], chip) == [together[i] for i in order]
    assert estimate(batch[:cut], chip) + estimate(batch[cut:], chip) == together


def test_wide_batches_are_their_candidates_bit_for_bit() -> None:
    # hundreds of rows and tens of layers: longer than any vector of a processor
    rng = np.random.default_rng(0)
    batch = []
    for _ in range(300):
        layers = [
            {
                "name": "conv",
                "kind": "conv2d",
                "in_channels": int(rng.integers(1, 300)),
                "out_channels": int(rng.integers(1, 300)),
                "kernel": [3, 3],
                "in_size": [9, 9],
                "out_size": [9, 9],
                "weight_bits": int(rng.integers(1, 9)),
                "input_rate": float(rng.random()),
                "output_rate": float(rng.random()),
            }
            for _ in range(rng.integers(1, 40))
        ]
        batch.append(Workload.model_validate({"timesteps": 4, "layers": layers}))
    together = estimate(batch)

    assert estimate(batch[:7]) + estimate(batch[7:]) == together
    for index in (0, 1, 17, 150, 299):
        assert estimate(batch[index]) == together[index]


@settings(max_examples=60)
@given(st.lists(workloads(4), min_size=1, max_size=4), clean_chips())
def test_totals_and_bounds_agree_with_estimates(
    batch: list[Workload], values: dict[str, Any]
) -> None:
    chip = made(values)
    costs, fast, bounds = estimate(batch, chip), totals(batch, chip), lower_bounds(batch, chip)

    for name, found in fast.items():
        assert found.tolist() == [getattr(cost, name) for cost in costs]
    for name in ("area_mm2", "crossbars", "tiles"):
        assert bounds[name].tolist() == fast[name].tolist()
    for name in ("energy_uj", "latency_ms"):
        assert np.all(bounds[name] <= fast[name] * EXACT)
    if values["spike_format"] == "raster":
        assert bounds["latency_ms"].tolist() == fast["latency_ms"].tolist()


@settings(max_examples=150)
@given(workloads(3), clean_chips(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_energy_grows_with_spikes_and_area_does_not(
    workload: Workload, values: dict[str, Any], one: float, other: float
) -> None:
    # the shorter of two forms is chosen by bits, of which addresses toggle more: not by energy
    assume(values["spike_format"] != "shorter")
    chip, name = made(values), workload.layers[0].name
    low, high = sorted((one, other))
    quiet = estimate(workload.with_rates({name: rates(low)}), chip)
    loud = estimate(workload.with_rates({name: rates(high)}), chip)

    assert quiet.area_mm2 == loud.area_mm2
    assert quiet.dynamic_energy_uj <= loud.dynamic_energy_uj * EXACT
    assert quiet.energy_uj <= loud.energy_uj * EXACT
    assert quiet.latency_ms <= loud.latency_ms * EXACT
    if values["spike_format"] == "raster":
        assert quiet.latency_ms == loud.latency_ms


@given(workloads(3), clean_chips(spike_format="raster"))
def test_more_spikes_cost_energy(workload: Workload, values: dict[str, Any]) -> None:
    chip, name = made(values), workload.layers[0].name
    quiet = estimate(workload.with_rates({name: rates(0.1)}), chip)
    loud = estimate(workload.with_rates({name: rates(0.3)}), chip)

    assert quiet.energy_uj < loud.energy_uj


@given(workloads(4), clean_chips())
def test_energy_and_area_grow_with_steps(workload: Workload, values: dict[str, Any]) -> None:
    chip = made(values)
    steps = workload.timesteps
    before = workload.model_copy(update={"mean_timesteps": None})
    after = before.model_copy(update={"timesteps": steps + 1})
    few, many = estimate(before, chip), estimate(after, chip)

    assert few.area_mm2 <= many.area_mm2 * EXACT
    assert few.energy_uj <= many.energy_uj * EXACT
    if any(not layer.static_input for layer in workload.layers):
        assert few.energy_uj < many.energy_uj
    if values["schedule"] == "steps":  # layer by layer, a larger global buffer has more ports
        assert few.latency_ms <= many.latency_ms * EXACT


@settings(max_examples=150)
@given(workloads(3), clean_chips(spike_format="raster"))
def test_costs_grow_with_bits(workload: Workload, values: dict[str, Any]) -> None:
    # groups that share a crossbar are another floor plan; buffers, registers and boxes grow in
    # steps, and a bit of a buffer may be cheaper beyond a step
    assume(all(layer.group_count == 1 for layer in workload.layers))
    chip = made(values)
    base = estimate(workload, chip)
    for field, most in (("weight_bits", 32), ("input_bits", 16), ("neuron_state_bits", 1024)):
        if any(layer.model_dump()[field] >= most for layer in workload.layers):
            continue
        wider = estimate(more_in_every_layer(workload, field, most), chip)
        if same_plan(base, wider):
            assert without_steps(base) <= without_steps(wider) * EXACT, field
            assert base.energy_uj <= wider.energy_uj * 1.01, field
            assert base.area_mm2 <= wider.area_mm2 * 1.05, field


@settings(max_examples=150)
@given(workloads(3), clean_chips(spike_format="raster"), st.booleans())
def test_energy_grows_with_channels(
    workload: Workload, values: dict[str, Any], of_output: bool
) -> None:
    chip, layer = made(values), workload.layers[0]
    assume(layer.group_count == 1)
    side = "out" if of_output else "in"
    name = f"{side}_features" if layer.kind == "linear" else f"{side}_channels"
    more = with_layer(workload, 0, **{name: getattr(layer, name) + 1})
    base, wider = estimate(workload, chip), estimate(more, chip)

    if same_plan(base, wider):
        assert base.energy_uj <= wider.energy_uj * EXACT
        assert base.area_mm2 <= wider.area_mm2 * EXACT


@settings(max_examples=150)
@given(workloads(), clean_chips(pipelined=True))
def test_a_pipelines_interval_is_below_its_latency(
    workload: Workload, values: dict[str, Any]
) -> None:
    cost = estimate(workload, made(values))

    assert cost.interval_ms <= cost.latency_ms * EXACT


@settings(max_examples=150)
@given(workloads(6), clean_chips(pipelined=True, speed_up_degree=1))
def test_a_pipeline_is_no_slower_than_one_layer_after_another(
    workload: Workload, values: dict[str, Any]
) -> None:
    # a degree of 1 asks for no copies, so the floor plan is the same
    together = estimate(workload, made(values))
    serial = estimate(workload, made(values | {"pipelined": False}))

    assert together.latency_ms <= serial.latency_ms * EXACT
    assert together.interval_ms <= serial.latency_ms * EXACT


@settings(max_examples=200)
@given(workloads(4), clean_chips(), st.sampled_from(UNIT_COSTS), st.floats(1.001, 3))
def test_dearer_parts_never_make_anything_cheaper(
    workload: Workload, values: dict[str, Any], name: str, factor: float
) -> None:
    chip = made(values)
    value = chip.values[name]
    dearer = [each * factor for each in value] if isinstance(value, tuple) else value * factor
    base, other = estimate(workload, chip), estimate(workload, made(values | {name: dearer}))

    for figure in (*FIGURES, "interval_ms"):
        assert getattr(base, figure) <= getattr(other, figure) * EXACT
