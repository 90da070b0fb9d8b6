"""Whole searches of networks and chips: costs on each its own chip, resumed, checked, shown."""

import itertools
import json
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from evo_snn.candidate import Candidate
from evo_snn.inheritance import FromParents
from evo_snn.integrity import check
from evo_snn.run import Run
from evo_snn.search import NothingFeasible, resume
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate, load_chip
from tests.evo_snn.searches import assert_equal_runs, search

GENES = {"crossbar_size": [32, 64], "columns_per_adc": [4, 16], "adc_kind": ["sar", "flash"]}
PLAIN: dict[str, Any] = {"hardware__chip": "rram_32nm", "hardware__genes": GENES}
NOISY: dict[str, Any] = {
    "hardware__chip": "rram_32nm",
    "hardware__genes": {"cell_bits": [1, 2], "adc_levels": [16, 64], "rows_per_read": [8, 16]},
    "on_chip__variation": 0.2,
    "on_chip__instances": 2,
    "on_chip__train_with_noise": True,
    "objectives__names": ["accuracy_on_chip", "energy_uj", "area_mm2"],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search(tmp_path_factory.mktemp("genes") / "run", **PLAIN)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search(tmp_path_factory.mktemp("noisy") / "run", **NOISY)


def test_every_candidate_is_costed_on_its_own_chip(run: Run) -> None:
    table = run.candidates()
    assert set(table["state"]) == {"ok"}
    assert len(set(zip(table["chip.crossbar_size"], table["chip.adc_kind"], strict=True))) > 2
    for row in table.to_dict("records"):
        chosen = {
            "crossbar_rows": row["chip.crossbar_size"],
            "crossbar_columns": row["chip.crossbar_size"],
            "columns_per_adc": row["chip.columns_per_adc"],
            "adc_kind": row["chip.adc_kind"],
        }
        chip = load_chip("rram_32nm", chosen)
        assert run.chip_of(row["key"]).values == chip.values
        workload = Workload.model_validate(run.candidate(row["key"]).workload)
        cost = estimate(workload, chip)
        assert cost.energy_uj == row["energy_uj"]
        assert cost.area_mm2 == row["area_mm2"]
        assert run.cost(row["key"]).to_dict() == cost.to_dict()


def test_networks_share_weights_whatever_their_chips(tmp_path: Path) -> None:
    """The nearer parent is that of the more similar network; chip genes do not count."""

    class Paths:
        def weights_path(self, key: str) -> Path:
            return Path(key)

    def parent(key: str, *genome: int) -> Candidate:
        return Candidate(key, genome, (), 0, "ok", trained=True)

    one, other = parent("one", 1, 2, 0, 0), parent("other", 1, 1, 5, 6)
    strategy = FromParents(Paths())  # type: ignore[arg-type]
    architecture = cast(Architecture, None)  # parents are compared by genes
    sources = strategy.sources(architecture, [1, 1], [one, other])
    assert sources == (Path("other"), Path("one"))


@pytest.mark.parametrize("kind", ["plain", "noisy"])
def test_a_resumed_run_is_the_uninterrupted_one(
    run: Run, noisy: Run, tmp_path: Path, kind: str
) -> None:
    settings, whole = (PLAIN, run) if kind == "plain" else (NOISY, noisy)
    search(tmp_path / "run", search__generations=2, **settings)
    assert_equal_runs(resume(tmp_path / "run", generations=4), whole)


def test_workers_give_the_same(noisy: Run, tmp_path: Path) -> None:
    workers = {"workers__backend": "loky", "workers__jobs": 2}
    assert_equal_runs(search(tmp_path / "run", **NOISY, **workers), noisy)


def test_accuracy_on_chip_is_measured_and_kept(noisy: Run) -> None:
    for row in noisy.candidates().to_dict("records"):
        assert 0 <= row["accuracy_on_chip_worst"] <= row["accuracy_on_chip"] <= 1
        assert row["accuracy_on_chip_std"] >= 0
        assert row["accuracy_on_chip_stderr"] >= 0
        assert row["chip.rows_per_read"] <= 64
    lossy = noisy.candidates().query("`chip.adc_levels` == 16 and `chip.cell_bits` == 2")
    assert not lossy.empty  # 16 levels for 16 rows of two bits: they round, and it is measured
    assert noisy.candidates()["accuracy_on_chip"].nunique() > 5


def test_all_is_well_and_damage_is_seen(run: Run, tmp_path: Path) -> None:
    assert check(run.folder).problems == ()
    copy = search(tmp_path / "run", search__generations=1, **PLAIN)
    with closing(sqlite3.connect(copy.folder / "run.sqlite")) as database, database:
        (number, text), *_ = database.execute("SELECT number, genome FROM candidate")
        genome = json.loads(text)
        genome[-1] = 1 - genome[-1]
        values = (json.dumps(genome), number)
        database.execute("UPDATE candidate SET genome = ? WHERE number = ?", values)
    (problem,) = check(copy.folder).problems
    assert "its key is not that of its genome" in problem.text


def test_the_chip_is_shown(run: Run, command: Any) -> None:
    key = run.front()["key"][0]
    values = run.chip_values(key)
    status, shown, _ = command("show", run.folder, key)
    assert status == 0
    assert "chip: rram_32nm, with" in shown
    assert f"adc_kind         {values['adc_kind']}" in shown
    assert json.loads(command("show", run.folder, key, "--json")[1])["chip"] == values
    for name in ("front", "candidates"):
        assert "chip.crossbar_size" in command(name, run.folder)[1]
        entry = json.loads(command(name, run.folder, "--json")[1])["candidates"][0]
        assert entry["chip"] == run.chip_values(entry["key"])
        assert not [metric for metric in entry["metrics"] if metric.startswith("chip")]


def test_runs_without_chip_genes_show_none(tmp_path: Path, command: Any) -> None:
    plain = search(tmp_path / "run", search__generations=1)
    assert not [name for name in plain.candidates().columns if "chip" in str(name)]
    key = plain.candidates()["key"][0]
    assert plain.chip_values(key) == {}
    assert plain.chip_of(key) == plain.chip
    shown = json.loads(command("show", plain.folder, key, "--json")[1])
    assert "chip" not in shown


def test_a_budget_is_that_of_the_candidates_own_chip(run: Run, tmp_path: Path) -> None:
    bound = float(run.candidates()["area_mm2"].quantile(0.4))
    found = search(tmp_path / "run", **PLAIN, constraints__area_mm2=bound)
    table = found.candidates()
    assert (table.query("state == 'ok'")["area_mm2"] <= bound).all()
    over = table.query("state == 'infeasible'")
    assert (over["area_mm2"] > bound).all()
    assert over["accuracy"].isna().all()  # known before training
    with pytest.raises(RequestError, match=r"constraints\.area_mm2.*the least that was found"):
        search(tmp_path / "none", **PLAIN, constraints__area_mm2=1e-6)


def test_refused_combinations_never_reach_a_search(tmp_path: Path) -> None:
    genes = {"crossbar_rows": [32, 128], "rows_per_read": [8, 100], "cell_bits": [1, 3],
             "adc_levels": [8, 128]}  # fmt: skip
    run = search(
        tmp_path / "run",
        hardware__chip="rram_32nm",
        hardware__genes=genes,
        on_chip__variation=0.1,
        on_chip__instances=1,
        objectives__names=["accuracy_on_chip", "energy_uj"],
        search__generations=2,
    )
    table = run.candidates()
    assert "failed" not in set(table["state"])
    assert (table["chip.rows_per_read"] <= table["chip.crossbar_rows"]).all()


def test_a_search_that_trains_nothing_chooses_chips_too(tmp_path: Path) -> None:
    run = search(tmp_path / "run", **PLAIN, objectives__names=["area_mm2", "latency_ms"])
    table = run.candidates()
    best = table.loc[table["area_mm2"].idxmin()]
    assert best["chip.columns_per_adc"] == 16
    assert "energy_uj" not in table


def test_every_chip_may_be_the_chip_of_a_whole_space(tmp_path: Path) -> None:
    """One network on eight chips: the space is exhausted, and the front is that of its chips."""
    one_network = {
        "space__max_stages": 1, "space__max_blocks": 1, "space__widths": [4],
        "space__kernels": [1], "space__pools": ["none"], "space__skips": ["none"],
        "space__neurons": ["iaf"], "space__thresholds": [0.5], "space__weight_bits": [4],
        "space__time_steps": [2],
    }  # fmt: skip
    run = search(tmp_path / "run", **PLAIN, **one_network, search__generations=4)
    table = run.candidates()
    combinations = set(itertools.product(*GENES.values()))
    found = table[["chip.crossbar_size", "chip.columns_per_adc", "chip.adc_kind"]]
    assert set(found.itertuples(index=False, name=None)) == combinations
    assert table["parameters"].nunique() == 1
    assert np.isfinite(table["area_mm2"]).all()


def test_a_device_of_the_users_own_stays_as_it_was(tmp_path: Path) -> None:
    preset = resources.files("hardware") / "presets/devices/rram_falcone_arxiv_2025.toml"
    device = tmp_path / "mine.toml"
    device.write_text(preset.read_text(encoding="utf-8"), encoding="utf-8")
    run = search(
        tmp_path / "run",
        hardware__chip="rram_32nm",
        on_chip={"device": str(device), "rescale": True, "instances": 1},
        objectives__names=["accuracy_after_60", "energy_uj"],
        search__generations=1,
    )
    assert len(resume(run.folder, generations=2).generations()) == 2
    assert check(run.folder).problems == ()
    device.write_text(device.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"on_chip\.device: got 'another one"):
        resume(run.folder, generations=3)


def test_nothing_feasible_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(NothingFeasible):
        search(
            tmp_path / "run",
            **NOISY,
            constraints__accuracy_on_chip_worst=0.999,
            search__generations=1,
        )
