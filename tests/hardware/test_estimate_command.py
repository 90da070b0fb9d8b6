"""The commands `estimate` and `chips`, as a user calls them."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from evo_snn.commands.chips import chips
from evo_snn.commands.estimate import estimate
from genomes.errors import RequestError

LAYER = {"name": "out", "kind": "linear", "in_features": 100, "out_features": 10}
WORKLOAD = {"schema": "evo-snn workload 1", "timesteps": 2, "layers": [LAYER, LAYER]}
TOTALS = {
    "area_mm2",
    "energy_uj",
    "dynamic_energy_uj",
    "leakage_energy_uj",
    "latency_ms",
    "interval_ms",
    "crossbars",
    "tiles",
    "utilisation",
}
CHIP = ("--chip", "rram_32nm")
TABLES = {"layers", "area_components_mm2", "energy_components_uj", "latency_components_ms"}


@pytest.fixture
def workload(tmp_path: Path) -> str:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(WORKLOAD))
    return str(path)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(estimate)
    app.command()(chips)
    return CliRunner().invoke(app, list(arguments))


def documents(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    parsed: list[dict[str, Any]] = json.loads(result.stdout)
    return parsed


def test_json_has_exactly_the_documented_keys(workload: str) -> None:
    for chip in ("rram_32nm", "spikesim_65nm"):
        (cost,) = documents(run("estimate", workload, "--chip", chip, "--json"))
        assert set(cost) == TOTALS | TABLES | {"merit"}
        keys = {"name", "area_mm2", "energy_uj", "latency_ms", "tiles", "speed_up"}
        keys |= {"energy_components_uj", "latency_components_ms"}
        assert [set(layer) for layer in cost["layers"]] == [keys, keys]


def test_a_list_gives_one_entry_each(tmp_path: Path) -> None:
    path = tmp_path / "nets.json"
    path.write_text(json.dumps([WORKLOAD, WORKLOAD | {"timesteps": 4}]))
    first, second = documents(run("estimate", str(path), "--json"))
    assert second["latency_ms"] == pytest.approx(2 * first["latency_ms"])


def test_set_overrides_the_chip(workload: str) -> None:
    plain, small = (
        documents(run("estimate", workload, *CHIP, "--json", *more))[0]
        for more in ([], ["--set", "crossbar_rows=32", "--set", "adc_kind=flash"])
    )
    assert small["crossbars"] > plain["crossbars"]


def test_tables_name_layers_and_components(workload: str) -> None:
    result = run("estimate", workload)
    assert result.exit_code == 0
    for word in ("area", "energy", "latency", "out", "adc", "leakage", "interconnect"):
        assert word in result.stdout


def test_mistakes_are_request_errors(workload: str) -> None:
    for arguments in (
        ("estimate", "absent.json"),
        ("estimate", workload, "--chip", "none"),
        ("estimate", workload, *CHIP, "--set", "crossbar_rows"),
        ("estimate", workload, *CHIP, "--set", "crossbar_row=3"),
        ("estimate", workload, *CHIP, "--set", "crossbar_rows=1"),
        ("estimate", workload, *CHIP, "--sweep", "crossbar_rows"),
        ("estimate", workload, *CHIP, "--sweep", "crossbar_rows="),
        ("estimate", workload, *CHIP, "--sweep", "crossbar_rows=32,,64"),
        ("estimate", workload, *CHIP, "--sweep", "crossbar_rows=32,1"),
        ("estimate", workload, *CHIP, "--sweep", "cell_bits=1", "--sweep", "cell_bits=2"),
        ("estimate", workload, *CHIP, "--sweep", "cell_bits=1", "--sensitivity"),
        ("estimate", workload, *CHIP, "--sweep", "a=1", "--sweep", "b=1", "--sweep", "c=1"),
        ("estimate", workload, *CHIP, "--sweep", "input_rate=2"),
        ("estimate", workload, *CHIP, "--sweep", "weight_bits=33"),
        ("chips", "none"),
    ):
        assert isinstance(run(*arguments).exception, RequestError), arguments


def test_json_has_figures_of_merit_and_layers_by_component(workload: str) -> None:
    (cost,) = documents(run("estimate", workload, *CHIP, "--json"))
    assert cost["merit"]["energy_delay_uj_ms"] == cost["energy_uj"] * cost["latency_ms"]
    assert cost["merit"]["dense_synaptic_operations"] == 2 * 2 * 1000
    for layer in cost["layers"]:
        for quantity in ("energy_uj", "latency_ms"):
            name, _, unit = quantity.partition("_")
            parts = layer[f"{name}_components_{unit}"].values()
            assert sum(parts) == pytest.approx(layer[quantity])


def test_shares_and_totals_are_told(workload: str) -> None:
    lines = run("estimate", workload, *CHIP).stdout.splitlines()
    rows = [line.split() for line in lines]
    totals = [row for row in rows if row[:1] == ["total"]]
    assert len(totals) == 2  # by layer, by component
    assert all(row.count("100") >= 2 for row in totals)
    layers = [row for row in rows if row[:1] == ["out"]]
    assert sum(float(row[3]) for row in layers) == pytest.approx(100, abs=0.2)
    assert any(line.startswith("energy-delay-area product") for line in lines)
    assert any(line.startswith("TOPS/W") for line in lines)


def test_a_sweep_is_a_list_with_what_was_swept(workload: str) -> None:
    entries = documents(
        run("estimate", workload, *CHIP, "--json", "--sweep", "adc_kind=sar,flash", "--sweep",
            "input_rate=0.1,.5")
    )  # fmt: skip
    assert [each["sweep"] for each in entries] == [
        {"adc_kind": kind, "input_rate": rate} for kind in ("sar", "flash") for rate in (0.1, 0.5)
    ]
    for entry in entries:
        assert TOTALS | TABLES | {"merit", "workload", "refused"} <= set(entry)
        assert entry["refused"] is None
        assert entry["workload"] == 0
    assert entries[0]["energy_uj"] < entries[1]["energy_uj"]


def test_a_sweep_shows_each_point_against_the_design(workload: str) -> None:
    result = run("estimate", workload, *CHIP, "--sweep", "rows_per_read=16,64", "--sweep",
                 "crossbar_rows=32,64")  # fmt: skip
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["64", "32", "-", "-", "-", "-", "-", "-", "-"] in rows
    (whole,) = [row for row in rows if row[:2] == ["64", "64"]]
    assert whole[3] == whole[5] == whole[7] == "1"
    assert "does not take rows_per_read=64, crossbar_rows=32" in result.stderr


def test_sensitivity_ranks_parameters(workload: str) -> None:
    (entry,) = documents(run("estimate", workload, *CHIP, "--json", "--sensitivity"))
    by_name = {each["name"]: each for each in entry["parameters"]}
    assert by_name["clock_mhz"]["low"]["value"] == 450
    assert by_name["clock_mhz"]["high"]["changes"]["area_mm2"] == 0
    assert by_name["adc_kind"]["low"] is None
    shown = run("estimate", workload, *CHIP, "--sensitivity").stdout.splitlines()
    names = [line.split()[0] for line in shown[4:] if line.strip()]
    felt = [name for name in by_name if name in names]
    assert names[: len(felt)] == felt
    assert "adc_flash_area_um2" in shown[-1]
    assert shown[-1].startswith("without effect: ")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("more", [[], ["--sensitivity"], ["--sweep", "timesteps=1,2,4"]])
def test_figures_are_written(workload: str, tmp_path: Path, suffix: str, more: list[str]) -> None:
    path = tmp_path / f"figure{suffix}"
    result = run("estimate", workload, *CHIP, "--figure", str(path), "--json", *more)
    assert documents(result)
    heads = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert path.read_bytes().startswith(heads[suffix])


def test_a_figure_of_many_workloads_compares_them(tmp_path: Path) -> None:
    path = tmp_path / "nets.json"
    path.write_text(json.dumps([WORKLOAD, WORKLOAD | {"timesteps": 4}]))
    figure = tmp_path / "figure.svg"
    assert run("estimate", str(path), "--figure", str(figure)).exit_code == 0
    assert figure.stat().st_size > 1000
    result = run("estimate", str(path), "--figure", str(figure), "--sensitivity")
    assert isinstance(result.exception, RequestError)


def test_a_figure_that_cannot_be_is_known_before_anything_is_told(
    workload: str, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.png"
    taken.mkdir()
    for name in ("a.txt", "a", str(tmp_path / "nowhere" / "a.png"), str(taken)):
        result = run("estimate", workload, *CHIP, "--figure", name)
        assert isinstance(result.exception, RequestError), name
        assert result.stdout == ""


def test_a_chip_that_loses_information_is_told(workload: str) -> None:
    lossy = ("--set", "rows_per_read=64", "--set", "adc_levels=8")
    assert "accuracy on it is another one" in run("estimate", workload, *CHIP, *lossy).stderr
    assert run("estimate", workload, *CHIP).stderr == ""


def test_two_chips_are_compared_by_what_differs() -> None:
    (document,) = [
        json.loads(run("chips", "rram_adcsurvey_32nm", "--against", "rram_32nm", "--json").stdout)
    ]
    assert [each["name"] for each in document["chips"]] == ["rram_adcsurvey_32nm", "rram_32nm"]
    names = {each["name"] for each in document["parameters"]}
    assert names == {"adc_sar_area_um2", "adc_sar_energy_fj", "adc_sar_delay_ns"}
    shown = run("chips", "rram_adcsurvey_32nm", "--against", "rram_32nm").stdout
    assert all(name in shown for name in names)
    assert "adc_flash" not in shown
    other = run("chips", "spikesim_65nm", "--against", "rram_32nm").stdout
    assert "only spikesim_65nm has: pes_per_tile" in other
    assert "only rram_32nm has: technology_nm" in other
    same = run("chips", "rram_32nm", "--against", "rram_32nm").stdout
    assert "0 parameters differ" in same
    assert isinstance(run("chips", "--against", "rram_32nm").exception, RequestError)


def test_chips_lists_presets_and_all_parameters_of_one() -> None:
    listed = run("chips")
    assert listed.exit_code == 0
    assert "rram_32nm" in listed.stdout
    assert "spikesim_65nm" in listed.stdout
    (chip,) = documents(run("chips", "spikesim_65nm", "--json"))
    by_name = {each["name"]: each for each in chip["parameters"]}
    assert by_name["clock_mhz"]["value"] == 250
    assert by_name["clock_mhz"]["unit"] == "MHz"
    assert by_name["clock_mhz"]["range"] == [1.0, 5000.0]
    assert "SpikeSim" in by_name["clock_mhz"]["source"]
    shown = run("chips", "spikesim_65nm").stdout
    assert all(name in shown for name in by_name)
