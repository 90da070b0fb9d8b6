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
        documents(run("estimate", workload, "--json", *more))[0]
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
        ("estimate", workload, "--set", "crossbar_rows"),
        ("estimate", workload, "--set", "crossbar_row=3"),
        ("chips", "none"),
    ):
        assert isinstance(run(*arguments).exception, RequestError), arguments


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
