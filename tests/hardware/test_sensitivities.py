"""What each parameter does to a cost."""

import math
from pathlib import Path

import pytest

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate, load_chip, sensitivity
from hardware.sensitivities import COSTS, Sensitivity, Step

VGG9 = Workload.from_json(Path(__file__).parents[1] / "data" / "vgg9_workload.json")


@pytest.fixture(scope="module")
def found() -> dict[str, Sensitivity]:
    return {each.name: each for each in sensitivity(VGG9, "rram_32nm")}


def test_the_largest_effect_comes_first(found: dict[str, Sensitivity]) -> None:
    effects = [each.effect for each in found.values()]
    assert effects == sorted(effects, reverse=True)
    assert effects[0] > 0 == effects[-1]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("clock_mhz", 450.0, 550.0),
        ("bus_bits", 58, 70),
        ("columns_per_adc", 7, 9),
        ("cell_bits", None, 2),  # a whole number steps by 1 at least, and its range is from 1
        ("layout_density", 0.9, None),
        ("technology_nm", 22, 45),
        ("adc_levels", None, 8),
        ("adc_kind", None, "flash"),
        ("crossbar_size", 58, 70),
    ],
)
def test_steps_of_a_tenth_or_to_the_neighbours(
    found: dict[str, Sensitivity], name: str, low: object, high: object
) -> None:
    steps = found[name].low, found[name].high
    assert tuple(None if step is None else step.value for step in steps) == (low, high)


def test_lists_step_all_at_once_and_zeros_not_at_all(found: dict[str, Sensitivity]) -> None:
    table = found["adc_sar_energy_fj"]
    assert table.low is not None
    assert isinstance(table.value, tuple)
    assert table.low.value == pytest.approx(tuple(0.9 * item for item in table.value))
    assert {"rows_per_read", "adc_sar_leakage_nw"}.isdisjoint(found)


def test_changes_are_those_of_an_estimate(found: dict[str, Sensitivity]) -> None:
    base = estimate(VGG9, "rram_32nm")
    for name, value in (("clock_mhz", 550.0), ("technology_nm", 45)):
        step = found[name].high
        assert step is not None
        cost = estimate(VGG9, "rram_32nm", {name: value})
        for metric in COSTS:
            assert step.costs[metric] == pytest.approx(getattr(cost, metric))
            change = getattr(cost, metric) / getattr(base, metric) - 1
            assert step.changes[metric] == pytest.approx(change)


def test_coarse_steps_are_told_apart(found: dict[str, Sensitivity]) -> None:
    assert {name for name in ("adc_kind", "cell_bits", "clock_mhz") if found[name].is_coarse} == {
        "adc_kind",
        "cell_bits",
    }


def test_a_loaded_chip_has_one_node_and_the_same_effects(found: dict[str, Sensitivity]) -> None:
    loaded = {each.name: each for each in sensitivity(VGG9, load_chip("rram_32nm"))}
    assert set(found) - set(loaded) == {"technology_nm"}
    assert loaded["clock_mhz"] == found["clock_mhz"]


def test_information_that_is_lost_is_told_and_refusals_too() -> None:
    overrides = {"adc_levels": 64, "rows_per_read": 63}
    found = {each.name: each for each in sensitivity(VGG9, "rram_32nm", overrides)}
    levels = found["adc_levels"]
    assert levels.low is not None
    assert levels.high is not None
    assert (levels.low.lossless, levels.high.lossless) == (False, True)
    rows = found["crossbar_rows"]  # 58 rows are fewer than are read at once
    assert rows.low is None
    assert "crossbar_rows 58" in rows.refused


def test_an_effect_is_a_factor_either_way() -> None:
    def step(change: float) -> Step:
        return Step(1, {}, {"area_mm2": change, "energy_uj": 0.0}, True)

    assert Sensitivity("a", 1, "", step(-0.5), step(0.5)).effect == pytest.approx(math.log(2))
    assert Sensitivity("a", 1, "", None, step(1.0)).effect == pytest.approx(math.log(2))
    assert Sensitivity("a", 1, "", None, None).effect == 0


@pytest.mark.parametrize("step", [0.0, 1.0, -0.1, float("nan")])
def test_a_step_is_between_nothing_and_all(step: float) -> None:
    with pytest.raises(RequestError, match="step"):
        sensitivity(VGG9, "rram_32nm", step=step)
