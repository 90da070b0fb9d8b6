"""What must hold of every cost of the models crossbar, digital and spikesim, on random workloads.

Those of the model neurosim are in test_neurosim_properties.py.
"""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import Cost, estimate, load_chip, lower_bounds, totals

SETTINGS = [
    ("rram_32nm", {}),
    ("rram_32nm", {"mapping": "kernel", "weight_encoding": "differential", "duplication": 3}),
    ("rram_32nm", {"technology_nm": 65, "cell_bits": 4, "adc_levels": 16, "crossbar_rows": 128}),
    ("rram_32nm", {"adc_kind": "flash", "crossbars_per_tile": 1, "columns_per_adc": 64}),
    ("digital_horowitz_isscc_2014", {}),
    ("digital_aladdin_isca_2014", {"silent_inputs": "counted", "digital_units": 7}),
    ("spikesim_65nm", {}),
]
CHIPS = [load_chip(name, overrides) for name, overrides in SETTINGS]
chips = st.sampled_from(range(7))  # indices, since Hypothesis prints all of a chip
growing_chips = st.sampled_from(range(6))
spiking_chips = st.sampled_from(range(5))
crossbar_chips = st.sampled_from(range(4))


def optional_fields(top_rate: float = 1.0) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "weight_bits": st.integers(1, 16),
        "input_bits": st.integers(1, 8),
        "input_rate": st.floats(0, top_rate),
        "output_rate": st.floats(0, top_rate),
        "static_input": st.booleans(),
        "domain": st.sampled_from(["memory", "memory", "digital"]),
        "neuron_state_bits": st.integers(0, 40),
        "residual_inputs": st.integers(0, 2),
        "current_inputs": st.integers(0, 3),
        "populations": st.integers(1, 3),
        "executed": st.floats(0.01, 1),
    }


@st.composite
def conv_layers(draw: st.DrawFn) -> dict[str, Any]:
    dimensions, groups = draw(st.integers(1, 3)), draw(st.integers(1, 6))

    def sizes(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=dimensions, max_size=dimensions))

    out_size = sizes(1, 9)
    return draw(st.fixed_dictionaries(optional_fields())) | {
        "name": "conv",
        "kind": f"conv{dimensions}d",
        "in_channels": groups * draw(st.integers(1, 40)),
        "out_channels": groups * draw(st.integers(1, 40)),
        "groups": groups,
        "kernel": sizes(1, 5),
        "in_size": sizes(1, 12),
        "out_size": out_size,
        "pool": [min(window, size) for window, size in zip(sizes(1, 3), out_size, strict=True)],
        "pool_kind": draw(st.sampled_from(["max", "average"])),
    }


linear_layers = st.fixed_dictionaries(
    optional_fields()
    | {
        "name": st.just("out"),
        "kind": st.just("linear"),
        "in_features": st.integers(1, 900),
        "out_features": st.integers(1, 90),
    }
)
workloads = st.builds(
    lambda layers, steps: Workload.model_validate({"timesteps": steps, "layers": layers}),
    st.lists(st.one_of(conv_layers(), linear_layers), min_size=1, max_size=9),
    st.integers(1, 12),
)


#: Of the layers above: 3 a dimension.
LARGEST_WINDOW = 27


def rates(rate: float) -> tuple[float, float]:
    """An input rate, and an output rate that is no higher after OR-pooling.

    Above one half, a line toggles less often the more spikes there are.
    """
    return rate, rate / LARGEST_WINDOW


def figures(cost: Cost) -> list[float]:
    return [
        value
        for field in fields(cost)
        if isinstance(value := getattr(cost, field.name), int | float)
    ]


@given(workloads, chips)
def test_every_figure_is_finite_and_adds_up(workload: Workload, chip: int) -> None:
    cost = estimate(workload, CHIPS[chip])
    assert all(math.isfinite(value) and value >= 0 for value in figures(cost))
    assert 0 <= cost.utilisation <= 1
    assert cost.area_mm2 > 0
    assert cost.latency_ms > 0
    assert cost.interval_ms <= cost.latency_ms * (1 + 1e-12)
    assert cost.energy_uj == cost.dynamic_energy_uj + cost.leakage_energy_uj
    for parts, whole in (
        (cost.area_components_mm2.values(), cost.area_mm2),
        (cost.energy_components_uj.values(), cost.energy_uj),
        (cost.latency_components_ms.values(), cost.latency_ms),
        ([layer.energy_uj for layer in cost.layers], cost.energy_uj),
        ([layer.latency_ms for layer in cost.layers], cost.latency_ms),
    ):
        assert all(part >= 0 for part in parts)
        assert math.fsum(parts) == pytest.approx(whole, rel=1e-12, abs=1e-30)


@settings(max_examples=50)
@given(st.lists(workloads, min_size=1, max_size=6), chips, st.randoms(use_true_random=False))
def test_alone_as_in_a_batch_bit_for_bit(batch: list[Workload], chip: int, random: Any) -> None:
    together = estimate(batch, CHIPS[chip])
    assert together == [estimate(workload, CHIPS[chip]) for workload in batch]
    order = list(range(len(batch)))
    random.shuffle(order)
    assert estimate([batch[i] for i in order], CHIPS[chip]) == [together[i] for i in order]


@given(st.lists(workloads, min_size=1, max_size=4), chips)
def test_totals_and_bounds_agree_with_estimates(batch: list[Workload], chip: int) -> None:
    costs, fast, bounds = (
        estimate(batch, CHIPS[chip]),
        totals(batch, CHIPS[chip]),
        lower_bounds(batch, CHIPS[chip]),
    )
    for name, values in fast.items():
        assert values.tolist() == [getattr(cost, name) for cost in costs]
    for name in ("area_mm2", "latency_ms", "crossbars", "tiles"):
        assert bounds[name].tolist() == fast[name].tolist()
    assert np.all(bounds["energy_uj"] <= fast["energy_uj"] * (1 + 1e-15))


def with_first(workload: Workload, **changes: Any) -> Workload:
    """The workload with other fields in its first layer."""
    document = workload.to_document()
    document["layers"][0] |= changes
    return Workload.from_document(document)


@given(workloads, growing_chips, st.floats(0, 0.5), st.floats(0, 0.5))
def test_energy_grows_with_rates_and_nothing_else_does(
    workload: Workload, chip: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    name = workload.layers[0].name
    quiet = estimate(workload.with_rates({name: rates(low)}), CHIPS[chip])
    loud = estimate(workload.with_rates({name: rates(high)}), CHIPS[chip])
    assert quiet.energy_uj <= loud.energy_uj * (1 + 1e-12)
    assert (quiet.area_mm2, quiet.latency_ms) == (loud.area_mm2, loud.latency_ms)
    assert quiet.leakage_energy_uj == loud.leakage_energy_uj


@given(workloads, spiking_chips)
def test_more_spikes_cost_energy(workload: Workload, chip: int) -> None:
    name = workload.layers[0].name
    quiet = estimate(workload.with_rates({name: rates(0.1)}), CHIPS[chip])
    loud = estimate(workload.with_rates({name: rates(0.3)}), CHIPS[chip])
    assert quiet.energy_uj < loud.energy_uj


@given(workloads, growing_chips)
def test_energy_and_latency_grow_with_time_steps(workload: Workload, chip: int) -> None:
    longer = workload.model_copy(update={"timesteps": workload.timesteps + 1})
    before, after = estimate(workload, CHIPS[chip]), estimate(longer, CHIPS[chip])
    assert before.energy_uj < after.energy_uj
    assert before.latency_ms < after.latency_ms
    assert before.area_mm2 <= after.area_mm2


@given(workloads, growing_chips)
def test_costs_grow_with_bits_and_channels(workload: Workload, chip: int) -> None:
    first = workload.layers[0]
    bits = with_first(workload, weight_bits=min(first.weight_bits + 4, 32))
    base = estimate(workload, CHIPS[chip])
    for larger in (bits, with_first(workload, neuron_state_bits=first.neuron_state_bits + 8)):
        cost = estimate(larger, CHIPS[chip])
        assert base.energy_uj < cost.energy_uj
        assert base.area_mm2 < cost.area_mm2
    wide = with_first(workload, input_bits=first.input_bits + 1)
    assert base.energy_uj < estimate(wide, CHIPS[chip]).energy_uj
    longer = estimate(wide, CHIPS[chip]).latency_ms
    assert base.latency_ms < longer or (
        CHIPS[chip].model == "digital" and base.latency_ms == longer
    )


@given(workloads, growing_chips)
def test_costs_grow_with_output_channels(workload: Workload, chip: int) -> None:
    field = "out_features" if workload.layers[0].kind == "linear" else "out_channels"
    single = with_first(workload, **({} if field == "out_features" else {"groups": 1}))
    wider = with_first(single, **{field: single.layers[0].channels[1] + 8})
    before, after = estimate(single, CHIPS[chip]), estimate(wider, CHIPS[chip])
    assert before.energy_uj < after.energy_uj
    assert before.area_mm2 <= after.area_mm2  # they may fit the same crossbar
    assert before.latency_ms <= after.latency_ms


def test_nothing_to_cost_is_an_empty_list() -> None:
    assert estimate([]) == []
    assert totals([])["area_mm2"].shape == (0,)


def test_a_loaded_chip_takes_no_overrides() -> None:
    layer = {"name": "a", "kind": "linear", "in_features": 2, "out_features": 2}
    workload = Workload.model_validate({"timesteps": 1, "layers": [layer]})
    with pytest.raises(RequestError, match="overrides: got"):
        estimate(workload, load_chip("rram_32nm"), {"cell_bits": 2})
