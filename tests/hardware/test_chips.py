"""Chips as data: presets, overrides, users' files, and what a mistake says."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import LinearLayer, Workload
from hardware import DEFAULT_CHIP, chip_names, estimate, is_lossless, load_chip

LAYER = LinearLayer(name="out", kind="linear", in_features=10, out_features=4)
WORKLOAD = Workload(timesteps=1, layers=(LAYER,))


def test_presets_are_listed_and_the_default_is_one() -> None:
    assert chip_names() == sorted(chip_names())
    assert {DEFAULT_CHIP, "spikesim_65nm"} <= set(chip_names())


@pytest.mark.parametrize("name", chip_names())
def test_every_number_of_a_preset_has_source_unit_and_range(name: str) -> None:
    chip = load_chip(name)
    assert chip.name == name
    assert chip.summary
    for parameter in chip.parameters:
        assert parameter.source, parameter.name
        assert parameter.description, parameter.name
        if parameter.choices is None:
            assert parameter.range is not None, parameter.name
        assert parameter.unit or isinstance(parameter.value, str | float | bool), parameter.name
        assert parameter.checked(parameter.value) == parameter.value


def test_overrides_replace_values_and_are_marked() -> None:
    chip = load_chip("spikesim_65nm", {"crossbar_rows": 128, "clock_mhz": 500, "memory": "sram"})
    assert chip.number("crossbar_rows") == 128
    assert chip.number("clock_mhz") == 500.0
    assert chip.word("memory") == "sram"
    marked = {parameter.name for parameter in chip.parameters if parameter.overridden}
    assert marked == {"crossbar_rows", "clock_mhz", "memory"}


def test_the_node_chooses_the_tables() -> None:
    # NeuroSim V1.4: 5-bit SAR ADC, 124.2 / 262.8 / 519.7 / 1084 um2.
    areas = [
        load_chip("rram_32nm", {"technology_nm": node}).numbers("adc_sar_area_um2")[2]
        for node in (22, 32, 45, 65)
    ]
    assert areas == [124.2, 262.8, 519.7, 1084.0]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("crossbar_row", 64, r"got 'crossbar_row'; .* Did you mean 'crossbar_rows'\?"),
        ("crossbar_rows", 4, "crossbar_rows: got 4; allowed: a whole number from 8 to 1024 rows"),
        ("crossbar_rows", 64.0, "crossbar_rows: got 64.0; allowed: a whole number"),
        ("crossbar_rows", "64", r"got '64'; allowed: a whole number .*\. It is text: give"),
        ("cell_bits", True, "cell_bits: got True; allowed: a whole number"),
        ("clock_mhz", float("inf"), "clock_mhz: got inf; allowed: a number from 1 to 5000 MHz"),
        ("adc_kind", "sra", r"adc_kind: got 'sra'; allowed: flash, sar\. Did you mean 'sar'\?"),
        ("technology_nm", 28, "technology_nm: got 28; allowed: 22, 32, 45, 65"),
        ("adc_levels", 100, "adc_levels: got 100; allowed: 0, 8, 16, 32, 64, 128, 256"),
        ("adc_sar_area_um2", [1.0, 2.0], r"got .*; allowed: a list of 6 numbers"),
        ("adc_sar_area_um2", 3.0, r"adc_sar_area_um2: got 3.0; allowed: a list of 6 numbers"),
        ("technology_nm", "32", r"got '32'; allowed: 22, 32, 45, 65\. It is text: give a number"),
        ("rows_per_read", 65, "rows_per_read: got 65; allowed: 0 to crossbar_rows 64"),
    ],
)
def test_a_wrong_override_is_named(key: str, value: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        load_chip("rram_32nm", {key: value})


def test_only_reading_too_many_rows_at_once_loses_something() -> None:
    assert is_lossless("rram_32nm")
    assert is_lossless("spikesim_65nm")
    assert is_lossless(load_chip("rram_32nm", {"adc_levels": 8}))
    assert not is_lossless(load_chip("rram_32nm", {"adc_levels": 8, "rows_per_read": 64}))


def test_too_few_levels_for_one_row_are_refused() -> None:
    # A 4-bit cell has 16 values: 8 levels cannot tell them apart.
    with pytest.raises(RequestError, match="adc_levels: got 8; allowed: at least 16"):
        load_chip("rram_32nm", {"cell_bits": 4, "adc_levels": 8})


def test_an_unknown_chip_names_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"chip: got 'spikesim'; .* Did you mean 'spikesim_65nm"):
        load_chip("spikesim")


def test_a_users_file_inherits_what_it_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'inherits = "rram_32nm"\nsummary = "My chip"\n'
        "[parameters]\ncrossbar_rows = 128\nadder_energy_fj = 2.5\n"
        '[parameters.adc_sar_delay_ns]\nvalue = [1, 2, 3, 4, 5, 6]\nsource = "my ADC"\n'
    )
    chip = load_chip(path)
    assert (chip.name, chip.model, chip.summary) == ("mine", "crossbar", "My chip")
    assert chip.number("crossbar_rows") == 128
    assert chip.number("adder_energy_fj") == 2.5
    assert chip.numbers("adc_sar_delay_ns") == (1, 2, 3, 4, 5, 6)
    assert chip.number("crossbar_columns") == 64
    sources = {parameter.name: parameter.source for parameter in chip.parameters}
    assert sources["adc_sar_delay_ns"] == "my ADC"
    assert sources["crossbar_rows"] == str(path)


def test_a_value_without_a_source_has_the_file_as_its_source(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEIR + "clock_mhz = {value = 400, conditions = 'at 0.9 V'}")
    (clock,) = (each for each in load_chip(path).parameters if each.name == "clock_mhz")
    assert (clock.value, clock.source, clock.conditions) == (400.0, str(path), "at 0.9 V")
    assert isinstance(clock.value, float)


HEIR = "inherits = 'rram_32nm'\n[parameters]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inherits = 'rram_33nm'", "chip: got 'rram_33nm'"),
        ("inherits = 'rram_32nm'\n[parameters]\nclock = 3", "Did you mean 'clock_mhz'"),
        ("inherits = 'rram_32nm'\n[parameters]\ncrossbar_rows = 3", "crossbar_rows: got 3"),
        ("inherits = 'rram_32nm'\ncolour = 3", r"chip: got 'colour'"),
        ("inherits = 'rram_32nm'\nmodel = 'crossbars'", r"model: .* Did you mean 'crossbar'\?"),
        ("model = 'crossbar'", "technology_nm: got nothing; .* inherits = PRESET"),
        ("not toml", r"allowed: TOML \("),
        ("parameters = 3", "chip.parameters: got 3"),
        (HEIR + "cell_bits = 1.5", "cell_bits: got 1.5; allowed: a whole number from 1 to 4 bit"),
        (HEIR + "crossbar_rows = 70.5", "crossbar_rows: got 70.5; allowed: a whole number"),
        (HEIR + "crossbar_rows = true", "crossbar_rows: got True; allowed: a whole number"),
        (HEIR + "crossbar_rows = '64'", "crossbar_rows: got '64'; allowed: a whole number"),
        (HEIR + "technology_nm = '32'", r"got '32'; allowed: 22, 32, 45, 65\. It is text: give a"),
        (HEIR + "mapping = 3", "mapping: got 3; allowed: flat, kernel"),
        (HEIR + "adc_sar_area_um2 = 3.0", "adc_sar_area_um2: got 3.0; allowed: a list of 6 numb"),
        (HEIR + "adc_sar_area_um2 = [3.0]", r"adc_sar_area_um2: got \[3.0\]; allowed: a list of"),
        (HEIR + "cell_area_um2 = [3.0]", r"cell_area_um2: got .*; allowed: a number from 0.0001"),
        (HEIR + "clock_mhz = {by_technology_nm = {65 = -1}}", "clock_mhz: got -1.0; allowed: a nu"),
        (HEIR + "cell_bits = {range = [1, 9]}", r"cell_bits.range: got .*; allowed: \(1.0, 4.0\)"),
        (HEIR + "cell_bits = {value = 2, unit = 'B'}", "cell_bits.unit: got 'B'; allowed: 'bit'"),
        (HEIR + "technology_nm = {choices = [28]}", r"technology_nm.choices: got \(28,\); allowed"),
        (HEIR + "clock_mhz = {description = 'x'}", "clock_mhz.description: got 'x'"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=message):
        load_chip(path)


def test_files_may_inherit_files_but_not_in_a_circle(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text("inherits = 'rram_32nm'\n[parameters]\ncell_bits = 2")
    second.write_text("inherits = 'first.toml'\n[parameters]\ncrossbar_rows = 32")
    chip = load_chip(second)
    assert (chip.name, chip.number("cell_bits"), chip.number("crossbar_rows")) == ("second", 2, 32)
    first.write_text("inherits = 'second.toml'")
    with pytest.raises(RequestError, match="inherits: got .*second.toml'"):
        load_chip(second)


def test_a_survey_of_adcs_is_another_preset() -> None:
    ours, survey = (estimate(WORKLOAD, name) for name in ("rram_32nm", "rram_adcsurvey_32nm"))
    # 7 bits at 32 nm: 1049.7 against 134.6 fJ, 3636.6 against 342.1 um2.
    energies = [cost.energy_components_uj["adc"] for cost in (survey, ours)]
    assert energies[0] / energies[1] == pytest.approx(1049.7 / 134.6)
    areas = [cost.area_components_mm2["adc"] for cost in (survey, ours)]
    assert areas[0] / areas[1] == pytest.approx(3636.6 / 342.1)


def test_only_nodes_that_have_values_are_offered() -> None:
    chip = load_chip("rram_adcsurvey_32nm")
    assert chip.parameters[0].name == "technology_nm"
    assert chip.parameters[0].choices == (22, 32, 65)
    for node in chip.parameters[0].choices:
        load_chip("rram_adcsurvey_32nm", {"technology_nm": node})
    with pytest.raises(RequestError, match="technology_nm: got 45; allowed: 22, 32, 65"):
        load_chip("rram_adcsurvey_32nm", {"technology_nm": 45})
    # Whoever gives the values themselves may have any node.
    own = {f"adc_sar_{name}": [1.0] * 6 for name in ("area_um2", "energy_fj")}
    assert load_chip("rram_adcsurvey_32nm", own | {"technology_nm": 45}).number("technology_nm")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a chip's TOML file that exists"):
        load_chip(tmp_path / "absent.toml")


def test_chips_that_inherit_each_other_by_ever_new_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "a.toml"
    path.write_text('inherits = "sub/../a.toml"')
    with pytest.raises(RequestError, match="a chip that does not inherit this one"):
        load_chip(path)


def test_a_whole_number_beyond_all_floats_is_out_of_range() -> None:
    with pytest.raises(RequestError, match="cell_bits: got 1000.*a whole number from 1 to 4"):
        load_chip("rram_32nm", {"cell_bits": 10**400})
    with pytest.raises(RequestError, match="too large to show"):
        load_chip("rram_32nm", {"cell_bits": 1 << 20_000})


def test_a_chip_travels_to_other_processes() -> None:
    chip = load_chip("rram_32nm", {"cell_bits": 2})
    assert pickle.loads(pickle.dumps(chip)) == chip  # noqa: S301 - made here
    assert hash(chip) == hash(load_chip("rram_32nm", {"cell_bits": 2}))
