"""Runs and tables look the same to a plot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.view import assumed, look
from genomes.errors import RequestError


def test_run_and_table_agree(run) -> None:
    of_run, of_table = look(run), look(run.candidates())
    assert of_run.objectives == of_table.objectives
    np.testing.assert_array_equal(of_run.front, of_table.front)
    assert of_run.box is not None
    assert of_table.box is None


def test_the_front_is_what_no_ok_candidate_beats(run) -> None:
    view = look(run)
    ok = view.table[view.table["state"] == "ok"]
    metrics = ok[["accuracy", "area_mm2", "energy_uj", "latency_ms"]].to_numpy()
    metrics = metrics * [-1, 1, 1, 1]
    beaten = [((metrics <= row).all(1) & (metrics < row).any(1)).any() for row in metrics]
    expected = ok.index[~np.array(beaten) & ~np.isnan(metrics).any(1)]
    assert view.table.index[view.front].tolist() == expected.tolist()
    assert 10 < view.front.sum() < 100


def test_infeasible_and_failed_candidates_are_never_on_the_front(examples) -> None:
    table = examples.make_table(40)
    best = {"accuracy": 1.0, "area_mm2": 1e-3, "energy_uj": 1e-3, "latency_ms": 1e-5}
    table.loc[3, list(best)] = list(best.values())
    for state, on_front in (("ok", True), ("infeasible", False), ("failed", False)):
        table.loc[3, "state"] = state
        assert look(table).front[3] == on_front


def test_a_table_keeps_its_rows_whatever_its_index(examples) -> None:
    table = examples.make_table(30)
    shuffled = table.set_index(pd.Index(range(100, 130)))
    np.testing.assert_array_equal(look(table).front, look(shuffled).front)


def test_an_objective_that_nothing_has_yet_is_nan(examples) -> None:
    view = look(examples.make_table(5).drop(columns="accuracy"), examples.FOUR)
    assert np.isnan(view.values("accuracy")).all()
    assert not view.front.any()


def test_unknown_names_are_explained(run) -> None:
    with pytest.raises(RequestError, match=r"x: got 'aera_mm2'.*'area_mm2'"):
        look(run).record("x", "aera_mm2")
    with pytest.raises(RequestError, match="generation"):
        look(run).record("x", "generation")
    with pytest.raises(RequestError, match=r"objectives: .* say what is optimised"):
        look(pd.DataFrame({"size": [1.0]}))


def test_meaning_is_read_off_a_name() -> None:
    energy, accuracy = assumed("leakage_energy_uj"), assumed("test_accuracy")
    assert (energy.maximise, energy.unit, energy.log) == (False, "uJ", True)
    assert (accuracy.maximise, accuracy.unit, accuracy.log) == (True, "", False)
