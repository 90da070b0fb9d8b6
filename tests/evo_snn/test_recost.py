"""A run's candidates on other chips: what is computed anew, what stays, and who stays."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.config_file import load_config, to_toml
from evo_snn.recost import RECOSTED, Agreement, CandidatesOnChip, Recosting, _agreement, recost
from evo_snn.run import Run
from evo_snn.store import Store
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate, load_chip, totals
from tests.evo_snn.searches import search

OWN = "rram_32nm (the run's)"
OBJECTIVES = [
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
    ObjectiveRecord("energy_uj", maximise=False, unit="µJ", log=True),
]


def workload(features: int, rate: float) -> Workload:
    layers = [
        {"name": "a", "kind": "linear", "in_features": 256, "out_features": features},
        {"name": "b", "kind": "linear", "in_features": features, "out_features": 10},
    ]
    document = {"schema": "evo-snn workload 1", "timesteps": 4, "layers": layers}
    return Workload.from_document(document).with_rates({"a": (rate, rate), "b": (rate, 0.0)})


def candidate(number: int, **changes: Any) -> Candidate:
    """One that is larger and more accurate than the one before, with measured rates."""
    given = workload(32 * (number + 1), 0.02 * (number + 1))
    costs = totals([given], "rram_32nm")
    metrics = {name: float(costs[name][0]) for name in ("area_mm2", "energy_uj", "latency_ms")}
    made = Candidate(
        key=f"key{number}",
        genome=(number,),
        parents=(),
        generation=0,
        state="ok",
        metrics={"accuracy": 0.5 + 0.05 * number, "wings": 2.0, **metrics},
        workload=given.to_document(),
        trained=True,
    )
    return replace(made, **changes)


def make_run(
    folder: Path,
    candidates: list[Candidate],
    constraints: dict[str, Any] | None = None,
    objectives: list[ObjectiveRecord] = OBJECTIVES,
) -> Run:
    names = [one.name for one in objectives if one.name != "wings"]
    config = load_config(
        {
            "data": {"name": "digits"},
            "search": {"space": "plain"},
            "hardware": {"chip": "rram_32nm"},
            "objectives": {"names": names},
        }
    )
    with Store.create(
        folder,
        config_toml=to_toml(config),
        environment={},
        space={},
        objectives=objectives,
        constraints=constraints or {},
    ) as store:
        for one in candidates:
            store.record(one)
    return Run(folder)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run", [candidate(number) for number in range(5)])


def test_on_its_own_chip_a_run_is_what_it_was(run: Run) -> None:
    found = run.recost(["rram_32nm"])
    own, same = found.chips
    assert [own.label, same.label] == [OWN, "rram_32nm"]
    assert own.front == same.front == tuple(run.front()["key"])[::-1]
    assert found.staying == own.front
    for before, after in zip(own.candidates, same.candidates, strict=True):
        for name, value in before.metrics.items():
            assert after.metrics[name] == pytest.approx(value, rel=1e-12)
    assert all(each.kendall == pytest.approx(1) for each in found.agreements)


def test_costs_are_those_of_the_stored_workload_and_accuracy_stays(run: Run) -> None:
    (_, other) = run.recost([load_chip("spikesim_65nm")]).chips
    for stored, one in zip(run.candidates()["key"], other.candidates, strict=True):
        document = run.candidate(stored).workload
        cost = estimate(Workload.model_validate(document), "spikesim_65nm")
        assert one.metrics["area_mm2"] == pytest.approx(cost.area_mm2)
        assert one.metrics["energy_uj"] == pytest.approx(cost.energy_uj)
        assert one.metrics["utilisation"] == pytest.approx(cost.utilisation)
        assert one.metrics["energy_delay_area_uj_ms_mm2"] == pytest.approx(
            cost.energy_uj * cost.latency_ms * cost.area_mm2
        )
        assert one.metrics["accuracy"] == run.candidate(stored).metrics["accuracy"]
        assert one.metrics["wings"] == 2.0
        assert set(RECOSTED) <= set(one.metrics)


def test_one_chip_may_be_given_alone(run: Run) -> None:
    for chip in ("spikesim_65nm", load_chip("spikesim_65nm")):
        assert [one.label for one in run.recost(chip).chips] == [OWN, "spikesim_65nm"]


def test_one_key_changes_both_sides_of_a_crossbar(run: Run) -> None:
    sides = {"crossbar_rows": 128, "crossbar_columns": 128}
    for chips in ([], ["rram_32nm"], [load_chip("rram_32nm")]):
        (_, by_size) = run.recost(chips, {"crossbar_size": 128}).chips
        (_, by_sides) = run.recost(chips, sides).chips
        assert by_size == by_sides
        assert by_size.chip is not None
        assert by_size.chip.values["crossbar_columns"] == 128


def test_fronts_follow_from_the_new_costs(tmp_path: Path) -> None:
    # By hand: as accurate as the larger one, the smaller one beats it wherever it costs less.
    # SpikeSim knows no spike rates, so there the silent one has nothing on the busy one.
    silent = candidate(0, workload=workload(64, 0.0).to_document(), key="silent")
    busy = candidate(0, workload=workload(64, 0.9).to_document(), key="busy")
    costs = totals([workload(64, 0.0), workload(64, 0.9)], "rram_32nm")
    pair = [
        replace(one, metrics={"accuracy": 0.5, "area_mm2": float(costs["area_mm2"][row]),
                              "energy_uj": float(costs["energy_uj"][row])})
        for row, one in enumerate((silent, busy))
    ]  # fmt: skip
    found = make_run(tmp_path / "run", pair).recost(["spikesim_65nm"])
    assert found.on(OWN).front == ("silent",)
    assert found.on("spikesim_65nm").front == ("silent", "busy")
    assert found.staying == ("silent",)
    with pytest.raises(RequestError, match="rram_32nm"):
        found.on("nowhere")


def test_bounds_are_judged_by_the_new_costs(tmp_path: Path) -> None:
    several = [candidate(number) for number in range(4)]
    areas = [one.metrics["area_mm2"] for one in several]
    bound = (areas[1] + areas[2]) / 2
    stored = [
        one if one.metrics["area_mm2"] <= bound
        else replace(one, state="infeasible", violations={"area_mm2": 0.5, "wings": 0.1})
        for one in several
    ]  # fmt: skip
    stored[0] = replace(stored[0], state="infeasible", violations={"wings": 0.1})
    run = make_run(tmp_path / "run", stored, {"area_mm2": bound, "wings": 1.0})
    small = run.recost(["rram_32nm"], {"technology_nm": 22}).chips[1]
    # What wings broke stays broken; what only area broke is judged anew.
    assert [one.state for one in small.candidates] == ["infeasible", "ok", *["infeasible"] * 2]
    assert small.candidates[2].violations == {"wings": 0.1}
    large = run.recost(["rram_adcsurvey_32nm"]).chips[1]
    assert large.ok == 0
    assert large.front == ()
    area = large.candidates[1].metrics["area_mm2"]
    assert large.candidates[1].violations == {"area_mm2": pytest.approx((area - bound) / bound)}
    both = run.recost(["rram_adcsurvey_32nm"], ignore_bounds=True)
    assert [one.ok for one in both.chips] == [1, 1]
    assert both.staying == ("key1",)


def test_a_bound_may_have_two_ends(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [candidate(1)], {"utilisation": 2.0, "tiles": {"min": 1e6}})
    (one,) = run.recost(["rram_32nm"]).chips[1].candidates
    assert set(one.violations) == {"utilisation", "tiles"}


def test_what_was_never_measured_is_left_out(tmp_path: Path) -> None:
    untrained = candidate(1, trained=False, state="infeasible", violations={"area_mm2": 1.0})
    failed = candidate(2, state="failed", workload=None, metrics={}, trained=False, failure="no")
    run = make_run(tmp_path / "run", [candidate(0), untrained, failed])
    found = run.recost(["spikesim_65nm"])
    assert found.left_out == 2
    assert [one.key for one in found.chips[1].candidates] == ["key0"]
    alone = make_run(tmp_path / "alone", [untrained])
    with pytest.raises(RequestError, match="candidates that were costed"):
        alone.recost(["spikesim_65nm"])
    with pytest.raises(RequestError, match="candidates that were costed"):
        make_run(tmp_path / "empty", []).recost(["spikesim_65nm"])


def test_a_search_that_trains_nothing_can_be_costed_too(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [candidate(0, trained=False)], objectives=OBJECTIVES[1:])
    assert run.recost(["spikesim_65nm"]).left_out == 0


def test_a_users_metric_is_kept_and_named(tmp_path: Path) -> None:
    objectives = [*OBJECTIVES, ObjectiveRecord("wings", maximise=False)]
    several = [candidate(number) for number in range(2)]
    run = make_run(tmp_path / "run", several, {"accuracy_on_chip": 0.1}, objectives)
    found = run.recost(["spikesim_65nm"])
    assert found.kept == ("accuracy_on_chip", "wings")
    assert run.recost(["rram_32nm"]).chips[1].candidates[0].metrics["wings"] == 2.0


def test_chips_are_told_apart(run: Run) -> None:
    small = load_chip("rram_32nm", {"crossbar_rows": 32})
    found = run.recost(["rram_32nm", small], {"cell_bits": 2})
    assert [one.label for one in found.chips] == [OWN, "rram_32nm", "rram_32nm (2)"]
    assert [one.chip.values["cell_bits"] for one in found.chips[1:] if one.chip] == [2, 2]
    assert found.chips[2].chip is not None
    assert found.chips[2].chip.values["crossbar_rows"] == 32
    own = run.recost(overrides={"cell_bits": 2})
    assert own.chips[1].candidates == found.chips[1].candidates


def test_a_chip_that_reads_with_loss_is_told(run: Run) -> None:
    overrides = {"rows_per_read": 64, "adc_levels": 8}
    assert [one.lossless for one in run.recost(["rram_32nm"], overrides).chips] == [True, False]


@pytest.mark.parametrize(
    ("chips", "overrides"),
    [((), {}), (("nix",), {}), (("rram_32nm",) * 2, {}), (("rram_32nm",), {"nix": 1}),
     (("spikesim_65nm",), {"cell_bits": 1}), (("absent.toml",), {})],
)  # fmt: skip
def test_mistakes_are_request_errors(
    run: Run, chips: tuple[str, ...], overrides: dict[str, Any]
) -> None:
    with pytest.raises(RequestError):
        run.recost(chips, overrides)


def on(label: str, values: list[float]) -> CandidatesOnChip:
    several = tuple(
        Candidate(str(row), (), (), 0, "ok", {"area_mm2": value})
        for row, value in enumerate(values)
    )
    return CandidatesOnChip(label, None, several, ())


def test_rank_agreement_by_hand() -> None:
    # One of six pairs is in the other order: (5 - 1) / 6; ranks differ by 1 twice: 1 - 6*2/(4*15).
    found = _agreement("area_mm2", on("a", [1, 2, 3, 4]), on("b", [10, 30, 20, 40]))
    assert found == Agreement("area_mm2", "a", "b", pytest.approx(2 / 3), pytest.approx(0.8), 4)
    reverse = _agreement("area_mm2", on("a", [1, 2, 3]), on("b", [3, 2, 1]))
    assert (reverse.kendall, reverse.spearman) == (pytest.approx(-1), pytest.approx(-1))
    for values in ([5.0, 5.0, 5.0], [5.0]):
        same = _agreement("area_mm2", on("a", values), on("b", list(range(len(values)))))
        assert (same.kendall, same.spearman) == (None, None)
    nothing = _agreement("tiles", on("a", [1, 2]), on("b", [1, 2]))
    assert (nothing.kendall, nothing.designs) == (None, 0)


def test_every_pair_of_chips_is_compared_in_every_cost(run: Run) -> None:
    found = run.recost(["rram_adcsurvey_32nm", "spikesim_65nm"])
    pairs = [(each.metric, each.first, each.second) for each in found.agreements]
    assert len(pairs) == len(set(pairs)) == 3 * 3
    assert {metric for metric, *_ in pairs} == {"area_mm2", "energy_uj", "latency_ms"}
    assert all(each.designs == 5 for each in found.agreements)


def test_the_table_has_a_row_a_candidate_and_chip(run: Run) -> None:
    found = run.recost(["spikesim_65nm"])
    table = found.table()
    assert list(table.columns[:7]) == [
        "key", "chip", "state", "front", "accuracy", "area_mm2", "energy_uj"
    ]  # fmt: skip
    assert len(table) == 10
    fronts = table[table["front"]].groupby("chip")["key"].apply(set)
    assert {label: set(keys) for label, keys in fronts.items()} == {
        one.label: set(one.front) for one in found.chips
    }
    none = Recosting(tuple(OBJECTIVES), (on("a", []),), (), 0, False)
    assert list(none.table().columns) == list(table.columns[:7])


def test_nothing_of_the_run_is_written_and_a_read_only_folder_will_do(
    tmp_path: Path, run: Run
) -> None:
    before = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    os.chmod(run.folder, 0o500)  # noqa: PTH101
    try:
        assert run.recost(["spikesim_65nm"]).staying
    finally:
        os.chmod(run.folder, 0o700)  # noqa: PTH101
    after = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    assert after == before


def test_a_run_in_progress_can_be_costed(run: Run) -> None:
    with Store.open(run.folder, read_only=False) as store:
        store.record(candidate(7))
        found = recost(run, ["spikesim_65nm"])
        assert len(found.chips[1].candidates) == 6


def test_a_plug_in_is_never_run(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import evo_snn\n"
        "@evo_snn.objective(maximise=False, needs='cost')\n"
        "def wings(candidate):\n"
        "    return float(len(candidate.workload.layers))\n"
    )
    run = search(
        tmp_path / "run",
        objectives__names=["area_mm2", "wings"],
        objectives__plugins=[str(plugin)],
        search__generations=1,
    )
    plugin.write_text("raise SystemExit('it was run')")
    found = Run(run.folder).recost(["spikesim_65nm"])
    assert found.kept == ("wings",)
    assert found.chips[1].ok == len(run.candidates())


def test_chip_genes_are_replaced_altogether(tmp_path: Path) -> None:
    run = search(
        tmp_path / "run",
        hardware__chip="rram_32nm",
        hardware__genes={"crossbar_size": [32, 64]},
        objectives__names=["area_mm2", "energy_uj", "utilisation"],
        search__generations=1,
    )
    found = run.recost(["rram_32nm"])
    assert found.has_chip_genes
    assert found.chips[0].label == "own chips (the run's)"
    for own, other in zip(found.chips[0].candidates, found.chips[1].candidates, strict=True):
        assert own.metrics["area_mm2"] == pytest.approx(run.cost(own.key).area_mm2)
        document = run.candidate(own.key).workload
        cost = estimate(Workload.model_validate(document), "rram_32nm")
        assert other.metrics["area_mm2"] == pytest.approx(cost.area_mm2)
        same_chip = run.chip_of(own.key).values["crossbar_rows"] == 64
        assert same_chip == (own.metrics["area_mm2"] == pytest.approx(cost.area_mm2))


class TestCommand:
    def test_json(self, command: Any, run: Run) -> None:
        status, out, err = command("recost", run.folder, "--chip", "spikesim_65nm", "--json")
        assert status == 0
        assert "accuracy was not measured anew" in err
        document = json.loads(out)
        found = run.recost(["spikesim_65nm"])
        assert document["stay"] == list(found.staying)
        assert [each["label"] for each in document["chips"]] == [OWN, "spikesim_65nm"]
        assert document["chips"][1]["front"] == list(found.chips[1].front)
        assert document["recosted"] == list(RECOSTED)
        assert document["kept"] == []
        assert document["chip_genes_replaced"] is False
        assert len(document["agreement"]) == 3
        for entry in document["candidates"]:
            assert set(entry["metrics"]) == {OWN, "spikesim_65nm"}
            accuracies = {metrics["accuracy"] for metrics in entry["metrics"].values()}
            assert len(accuracies) == 1
            on_front = [one.label for one in found.chips if entry["key"] in one.front]
            assert entry["front"] == on_front

    def test_text(self, command: Any, run: Run) -> None:
        status, out, _ = command(
            "recost", run.folder, "--chip", "spikesim_65nm", "--chip", "rram_adcsurvey_32nm"
        )
        assert status == 0
        staying = run.recost(["spikesim_65nm", "rram_adcsurvey_32nm"]).staying
        assert f"on the front on every chip: {len(staying)} designs" in out
        for key in staying:
            assert sum(line.startswith(key) for line in out.splitlines()) == 3
        assert "Kendall's tau" in out

    def test_what_does_not_hold_is_said(self, command: Any, tmp_path: Path) -> None:
        objectives = [*OBJECTIVES, ObjectiveRecord("wings", maximise=False)]
        bad = candidate(3, trained=False, state="infeasible")
        several = [candidate(1), candidate(2), bad]
        run = make_run(tmp_path / "run", several, {"area_mm2": 1e9}, objectives)
        lossy = ("--set", "rows_per_read=64", "--set", "adc_levels=8")
        status, out, err = command("recost", run.folder, "--chip", "rram_32nm", *lossy)
        assert status == 0
        assert "warning: rram_32nm reads with loss" in err
        assert "on its own chip: wings" in err
        assert "1 candidates are left out" in err
        run = make_run(tmp_path / "other", several, {"area_mm2": 1e-9}, objectives)
        _, out, err = command("recost", run.folder, "--chip", "spikesim_65nm")
        assert "--ignore-bounds leaves those on costs out" in err
        assert "no design is on the front on every chip" in out

    @pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
    def test_figure(self, command: Any, run: Run, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"figure.{suffix}"
        chips = ("--chip", "spikesim_65nm", "--chip", "rram_adcsurvey_32nm")
        assert command("recost", run.folder, *chips, "--figure", path)[0] == 0
        assert path.stat().st_size > 1000

    @pytest.mark.parametrize(
        "arguments",
        [(), ("--chip", "nix"), ("--chip", "rram_32nm", "--set", "x"),
         ("--chip", "rram_32nm", "--figure", "a.txt"), ("--chip", "rram_32nm", "--chip",
          "rram_32nm")],
    )  # fmt: skip
    def test_a_mistake_is_one_line(
        self, command: Any, run: Run, arguments: tuple[str, ...]
    ) -> None:
        status, out, err = command("recost", run.folder, *arguments)
        assert status == 2
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1

    def test_no_run_is_one_line(self, command: Any, tmp_path: Path, run: Run) -> None:
        assert command("recost", tmp_path, "--chip", "rram_32nm")[0] == 2
        shutil.rmtree(run.folder)
        assert command("recost", run.folder, "--chip", "rram_32nm")[0] == 2
