import numpy as np
import pandas as pd
import pytest

import evo_snn
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.run import open_run
from evo_snn.store import Store
from genomes.errors import RequestError


def dominates(one, other):
    """More accurate or as accurate, no larger, no hungrier, and better in one."""
    gains = (
        one["accuracy"] - other["accuracy"],
        other["area_mm2"] - one["area_mm2"],
        other["energy_uj"] - one["energy_uj"],
    )
    return min(gains) >= 0 and max(gains) > 0


def test_candidates_are_a_table_in_the_order_of_evaluation(finished_run):
    table = finished_run.candidates()

    assert list(table.columns) == [
        "key",
        "genome",
        "state",
        "generation",
        "parents",
        "training_steps",
        "accuracy",
        "area_mm2",
        "energy_uj",
        "tiles",
    ]
    assert list(table["generation"]) == [0] * 4 + [1] * 4 + [2] * 3
    assert list(table["state"]) == ["ok"] * 4 + ["infeasible", "ok", "ok", "failed"] + ["ok"] * 3
    assert table["parents"][9] == (table["key"][0], table["key"][5])
    assert table["genome"][0] == finished_run.candidate(table["key"][0]).genome
    assert table["accuracy"][10] == finished_run.candidate(table["key"][10]).metrics["accuracy"]
    assert np.isnan(table["accuracy"][4])
    assert table["area_mm2"][4] == 9.0
    assert table.loc[7, ["accuracy", "area_mm2", "tiles"]].isna().all()


def test_the_front_is_what_nothing_dominates_best_first(finished_run):
    table = finished_run.candidates()
    ok = table[table["state"] == "ok"].to_dict("records")
    expected = [each for each in ok if not any(dominates(other, each) for other in ok)]

    front = finished_run.front()

    assert list(front.columns) == list(table.columns)
    assert set(front["key"]) == {each["key"] for each in expected}
    assert 1 < len(front) < len(ok)
    assert list(front["accuracy"]) == sorted(front["accuracy"], reverse=True)
    assert list(front.index) == list(range(len(front)))


def test_generations_count_what_was_evaluated_so_far(finished_run):
    table = finished_run.generations()

    assert list(table.columns) == ["generation", "hypervolume", "evaluations", "seconds"]
    assert list(table["generation"]) == [0, 1, 2]
    assert list(table["evaluations"]) == [4, 8, 11]
    np.testing.assert_allclose(table["hypervolume"], [0, 0.1, 0.2])
    np.testing.assert_allclose(table["seconds"], [1, 2, 3])


def test_a_candidate_and_its_cost(finished_run):
    table = finished_run.candidates()
    key = table["key"][2]

    assert finished_run.candidate(key[:10]).key == key
    cost = finished_run.cost(key[:10])
    # The stored totals came from the same workload and the same chip.
    assert cost.area_mm2 == pytest.approx(table["area_mm2"][2], rel=1e-12)
    assert cost.energy_uj == pytest.approx(table["energy_uj"][2], rel=1e-12)
    with pytest.raises(RequestError, match="a candidate with a workload"):
        finished_run.cost(table["key"][7])
    with pytest.raises(RequestError, match="key: got 'none such'"):
        finished_run.cost("none such")


def test_cost_is_that_of_the_runs_own_chip(finished_run):
    key = finished_run.candidates()["key"][2]
    before = finished_run.cost(key)
    path = finished_run.folder / "config.toml"
    text = path.read_text().replace('chip = "rram_32nm"', 'chip = "spikesim_65nm"')
    path.write_text(text)

    assert open_run(finished_run.folder).cost(key).area_mm2 != before.area_mm2


def test_the_rest_of_a_run(finished_run):
    assert finished_run.config.search.space == "plain"
    assert [each.name for each in finished_run.objectives] == ["accuracy", "area_mm2", "energy_uj"]
    assert finished_run.hypervolume_box == {"accuracy": (1.0, 0.0), "area_mm2": (0.1, 10.0)}
    first, second = finished_run.candidates()["key"][:2]
    assert finished_run.weights_path(first[:9]).read_bytes() == b"weights"
    assert finished_run.weights_path(second) is None
    assert repr(finished_run) == f"Run('{finished_run.folder}')"
    assert evo_snn.open_run(str(finished_run.folder)).folder == finished_run.folder


def test_there_must_be_a_run(tmp_path):
    with pytest.raises(RequestError, match="a folder with run.sqlite"):
        open_run(tmp_path)


def start(folder, objectives):
    return Store.create(
        folder,
        config_toml='[data]\nname = "digits"\n[search]\nspace = "plain"\n',
        environment={},
        space={},
        objectives=objectives,
        constraints={},
    )


def test_a_run_is_followed_from_its_first_moment(tmp_path):
    with start(tmp_path / "run", [ObjectiveRecord("accuracy", maximise=True)]) as store:
        run = open_run(tmp_path / "run")
        assert run.candidates().empty
        assert run.front().empty
        assert run.generations().empty
        assert run.hypervolume_box == {}
        assert "accuracy" in run.front().columns

        store.record(Candidate("aa", (1,), (), 0, "ok", {"accuracy": 0.5}))
        assert list(run.front()["key"]) == ["aa"]
        store.record(Candidate("bb", (2,), ("aa",), 0, "ok", {"accuracy": 0.75}))
        assert list(run.front()["key"]) == ["bb"]


def test_equal_designs_are_all_on_the_front_in_the_order_of_evaluation(tmp_path):
    objectives = [ObjectiveRecord("a", maximise=False), ObjectiveRecord("b", maximise=True)]
    with start(tmp_path / "run", objectives) as store:
        for key, a, b in (("x", 2, 5), ("y", 1, 4), ("z", 2, 5), ("w", 3, 5)):
            store.record(Candidate(key, (0,), (), 0, "ok", {"a": a, "b": b}))

    front = open_run(tmp_path / "run").front()

    assert list(front["key"]) == ["y", "x", "z"]
    pd.testing.assert_series_equal(front["a"], pd.Series([1.0, 2.0, 2.0], name="a"))


def test_the_front_of_thousands_is_that_of_the_definition(tmp_path):
    values = np.random.default_rng(0).random((3000, 4))
    names = ("accuracy", "area_mm2", "energy_uj", "latency_ms")
    objectives = [ObjectiveRecord(name, maximise=name == "accuracy") for name in names]
    with start(tmp_path / "run", objectives) as store:
        store._database.execute("PRAGMA synchronous = OFF")
        for number in range(3000):
            metrics = {**dict(zip(names, values[number], strict=True)), "extra": 1.0}
            store.record(
                Candidate(
                    f"{number:016x}",
                    tuple(range(30)),
                    (),
                    number // 50,
                    "ok",
                    metrics,
                    architecture={"layers": [{"a": 1}] * 20},
                    workload={"layers": [{"a": 1}] * 20},
                )
            )
    front = open_run(tmp_path / "run").front()

    costs = values * [-1, 1, 1, 1]
    beaten = [((costs <= row).all(1) & (costs < row).any(1)).any() for row in costs]
    assert set(front["key"]) == {f"{number:016x}" for number in np.flatnonzero(~np.array(beaten))}


def infeasible(key, violations, **metrics):
    return Candidate(key, (0,), (), 0, "infeasible", metrics, violations)


def test_the_least_infeasible_come_first_with_what_they_violate(tmp_path):
    with start(tmp_path / "run", [ObjectiveRecord("accuracy", maximise=True)]) as store:
        store.record(infeasible("far", {"area_mm2": 2.0}, area_mm2=9.0, accuracy=0.9))
        both = {"area_mm2": 0.25, "accuracy": 0.25}
        store.record(infeasible("both", both, area_mm2=3.75, accuracy=0.6))
        store.record(infeasible("untrained", {"energy_uj": 0.5}, area_mm2=1.0))
        store.record(infeasible("near", {"accuracy": 0.125}, area_mm2=1.0, accuracy=0.7))
        store.record(Candidate("no", (0,), (), 0, "failed", failure="Oops"))
        store.record(Candidate("yes", (0,), (), 0, "ok", {"accuracy": 1.0}))

    run = open_run(tmp_path / "run")
    table = run.least_infeasible()

    assert list(table["key"]) == ["near", "both", "untrained", "far"]
    assert list(table["violation"]) == [0.125, 0.5, 0.5, 2.0]
    assert list(table.columns[2:]) == ["accuracy", "area_mm2", "energy_uj"]
    np.testing.assert_equal(list(table["accuracy"]), [0.7, 0.6, np.nan, np.nan])
    np.testing.assert_equal(list(table["area_mm2"]), [np.nan, 3.75, np.nan, 9.0])
    assert table["energy_uj"].isna().all()
    assert list(run.least_infeasible(2)["key"]) == ["near", "both"]


def test_without_an_infeasible_candidate_the_least_is_an_empty_table(tmp_path):
    with start(tmp_path / "run", [ObjectiveRecord("accuracy", maximise=True)]) as store:
        store.record(Candidate("no", (0,), (), 0, "failed", failure="Oops"))

    table = open_run(tmp_path / "run").least_infeasible()

    assert table.empty
    assert list(table.columns) == ["key", "violation"]
