"""Sweeps: every point is the estimate of its own workload on its own chip."""

from pathlib import Path
from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate, load_chip, sweep

VGG9 = Workload.from_json(Path(__file__).parents[1] / "data" / "vgg9_workload.json")


def test_points_are_estimates_in_the_grids_order() -> None:
    grid = {"crossbar_size": [32, 64], "timesteps": [1, 5]}
    points = sweep(VGG9, "rram_32nm", grid, {"adc_kind": "flash"})
    assert [tuple(point.values.values()) for point in points] == [
        (32, 1), (32, 5), (64, 1), (64, 5)
    ]  # fmt: skip
    for point in points:
        size, steps = point.values.values()
        sides = {"crossbar_rows": size, "crossbar_columns": size, "adc_kind": "flash"}
        workload = VGG9.model_copy(update={"timesteps": steps})
        assert point.cost == estimate(workload, "rram_32nm", sides)


def test_nothing_swept_is_the_design_itself() -> None:
    (point,) = sweep(VGG9)
    assert point.cost == estimate(VGG9)
    assert point.values == {}


def test_energy_grows_with_the_spike_rate_and_nothing_else_does() -> None:
    rates = [0.0, 0.02, 0.05, 0.15, 0.3, 0.5]
    costs = [point.cost for point in sweep(VGG9, load_chip("rram_32nm"), {"input_rate": rates})]
    energies = [cost.energy_uj for cost in costs if cost is not None]
    assert len(energies) == len(rates)
    assert energies == sorted(energies)
    assert energies[0] > 0.5 * energies[-1]  # most of it is no spike's
    assert len({cost.area_mm2 for cost in costs if cost is not None}) == 1
    assert len({cost.latency_ms for cost in costs if cost is not None}) == 1


def test_what_a_model_refuses_together_is_told_at_its_point() -> None:
    points = sweep(VGG9, "rram_32nm", {"rows_per_read": [16, 64], "crossbar_rows": [32, 64]})
    refused = [dict(point.values) for point in points if point.cost is None]
    assert refused == [{"rows_per_read": 64, "crossbar_rows": 32}]
    texts = [point.refused for point in points]
    assert [bool(text) for text in texts] == [False, False, True, False]
    assert "crossbar_rows 32" in texts[2]


@pytest.mark.parametrize(
    ("grid", "field"),
    [
        ({"crossbar_row": [1]}, "sweep"),
        (["crossbar_rows"], "grid"),
        ({"crossbar_rows": [64, 1]}, "crossbar_rows"),
        ({"adc_kind": ["sar", "foo"]}, "adc_kind"),
        ({"input_rate": [0.1, 2]}, "input_rate"),
        ({"crossbar_size": [32], "crossbar_rows": [32]}, "sweep"),
        ({"crossbar_rows": []}, "sweep of crossbar_rows"),
        ({"rows_per_read": [128]}, "sweep"),
        ({"timesteps": range(1, 201), "weight_bits": [8] * 51}, "sweep"),
    ],
)
def test_mistakes_are_request_errors(grid: Any, field: str) -> None:
    with pytest.raises(RequestError) as error:
        sweep(VGG9, "rram_32nm", grid)
    assert error.value.field == field


def test_a_single_value_is_a_grid_of_one() -> None:
    grid = {"input_rate": 0.5, "adc_kind": "flash"}
    (point,) = sweep(VGG9, "rram_32nm", grid)
    assert dict(point.values) == grid
    assert [point] == sweep(VGG9, "rram_32nm", {key: [value] for key, value in grid.items()})


def test_both_models_have_the_size_of_a_crossbar() -> None:
    assert len(sweep(VGG9, "spikesim_65nm", {"crossbar_size": [32, 64]})) == 2
