"""What the functions take and refuse: every mistake is one line, no traceback of the inside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hardware
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware.conditions import Conditions

FILE = Path(__file__).parents[1] / "data" / "vgg9_workload.json"
VGG9 = Workload.from_json(FILE)
FORMS = [VGG9, VGG9.to_document(), FILE, str(FILE), FILE.read_text(encoding="utf-8")]
COST = hardware.estimate(VGG9)


@pytest.mark.parametrize("form", FORMS, ids=["workload", "document", "path", "name", "text"])
def test_a_workload_may_be_given_in_any_form(form: Any) -> None:
    assert hardware.estimate(form) == COST
    assert hardware.estimate([form, VGG9]) == [COST, COST]
    assert hardware.totals([form])["area_mm2"].tolist() == [COST.area_mm2]
    assert hardware.totals(form)["area_mm2"].tolist() == [COST.area_mm2]
    assert hardware.lower_bounds([form])["area_mm2"].tolist() == [COST.area_mm2]
    assert len(hardware.details([form])) == 1
    assert hardware.sweep(form)[0].cost == COST


def test_a_sensitivity_too() -> None:
    chip = hardware.load_chip("spikesim_65nm")
    assert hardware.sensitivity(FILE, chip) == hardware.sensitivity(VGG9, chip)


@pytest.mark.parametrize(
    "call",
    [
        hardware.estimate,
        hardware.totals,
        hardware.lower_bounds,
        hardware.details,
        hardware.sweep,
        hardware.sensitivity,
    ],
)
@pytest.mark.parametrize("given", [3, None, [3], [[VGG9]], {"layers": 1}, "nowhere.json"])
def test_what_is_no_workload_is_refused(call: Callable[[Any], object], given: Any) -> None:
    with pytest.raises(RequestError):
        call(given)


def test_a_file_that_is_not_there_is_told_so() -> None:
    with pytest.raises(RequestError, match=r"'nowhere\.json'.* that exists"):
        hardware.estimate("nowhere.json")


@pytest.mark.parametrize("call", [hardware.sweep, hardware.sensitivity])
def test_one_workload_is_not_a_list(call: Callable[[Any], object]) -> None:
    with pytest.raises(RequestError, match="workload: got .* allowed: a Workload, its document"):
        call([VGG9])


@pytest.mark.parametrize("overrides", [[1], "cell_bits=2", 3])
def test_overrides_are_a_mapping(overrides: Any) -> None:
    chip = hardware.load_chip("rram_32nm")
    calls: list[Callable[[], object]] = [
        lambda: hardware.load_chip("rram_32nm", overrides),
        lambda: hardware.estimate(VGG9, "rram_32nm", overrides),
        lambda: hardware.estimate(VGG9, chip, overrides),
        lambda: hardware.sweep(VGG9, chip, {}, overrides),
        lambda: hardware.sensitivity(VGG9, "rram_32nm", overrides),
    ]
    for call in calls:
        with pytest.raises(RequestError, match="^overrides: got"):
            call()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"foo": 1}, "conditions: got 'foo'; allowed: .*variation"),
        ({"variatoin": 1}, "Did you mean 'variation'"),
        ({"variation": 2}, r"conditions\.variation: got 2; allowed: less than or equal to 1"),
        ({"stuck_on": 0.6, "stuck_off": 0.6}, r"conditions\.stuck_off: got 0\.6; allowed: at most"),
    ],
)
def test_conditions_are_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Conditions(**values)


@pytest.mark.parametrize("given", ["maybe", 1, "True"])
def test_yes_or_no_is_asked_for_so(given: Any) -> None:
    with pytest.raises(RequestError) as error:
        hardware.load_chip("rram_neurosim_22nm", {"pipelined": given})
    shown = json.dumps(given).replace('"', "'")
    assert str(error.value) == f"pipelined: got {shown}; allowed: true or false."


@pytest.mark.parametrize("name", ["rram_32nm", "rram_neurosim_22nm"])
def test_a_misspelt_parameter_gets_a_short_answer(name: str) -> None:
    with pytest.raises(RequestError, match="Did you mean 'cell_bits'") as error:
        hardware.load_chip(name, {"cel_bits": 2})
    assert len(str(error.value)) < 300
    assert "evo-snn chips NAME" in str(error.value)


CELLS = {"r_on_ohm": 1e5, "r_off_ohm": 1e5}


@pytest.mark.parametrize("name", ["rram_32nm", "rram_neurosim_22nm", "neurosim_compat"])
def test_cells_conduct_less_when_they_are_off(name: str) -> None:
    with pytest.raises(RequestError, match="r_off_ohm: got 100000.0; allowed: above r_on_ohm"):
        hardware.load_chip(name, CELLS)
    assert hardware.estimate(VGG9, "sram_neurosim_22nm", CELLS).area_mm2 > 0


@pytest.mark.parametrize(
    ("r_on", "is_known"), [(4.7e5, True), (4.8e5, False), (9.2e3, True), (9.0e3, False)]
)
def test_flash_adcs_take_cells_not_far_from_those_with_figures(r_on: float, is_known: bool) -> None:
    # Off cells conduct nothing: means of 1.064, 1.042, 54.3 and 55.6 uS. The devices with figures
    # have 2.104 (240 kOhm and 24 MOhm) to 27.5 uS (20 and 200 kOhm); halved and doubled 1.052, 55.
    cells = {"r_on_ohm": r_on, "r_off_ohm": 1e12, "other_resistances": "scaled"}
    name = "rram_neurosim_22nm"
    assert hardware.load_chip(name, cells).number("r_on_ohm") == r_on
    assert hardware.load_chip(name, cells | {"adc_kind": "flash", "adc_figures": "table"})
    if is_known:
        assert hardware.estimate(VGG9, name, cells | {"adc_kind": "flash"}).energy_uj > 0
        return
    with pytest.raises(RequestError, match=r"1\.05 to 55 uS with flash ADCs. adc_kind = 'sar'"):
        hardware.load_chip(name, cells | {"adc_kind": "flash"})


def test_cells_of_sram_leak_as_the_chip_says() -> None:
    sram = hardware.load_chip("sram_neurosim_22nm")
    leaky = {"sram_cell_leakage_pw": sram.number("sram_cell_leakage_pw") + 10}
    before, after = (
        hardware.estimate(VGG9, "sram_neurosim_22nm", changes) for changes in ({}, leaky)
    )
    # 10 pW x cells x interval, in uJ: 1e-11 W x 1e-3 s / 1e-6 J
    more = 1e-8 * 64 * 64 * before.crossbars * before.interval_ms
    leakage = after.leakage_energy_uj - before.leakage_energy_uj
    assert leakage == pytest.approx(more, rel=1e-9)
    assert hardware.estimate(VGG9, "rram_neurosim_22nm", leaky) == COST
