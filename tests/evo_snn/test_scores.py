"""Scores: the front of a growing run, its box, and what an algorithm is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.candidate import Candidate
from evo_snn.constraints import Constraint
from evo_snn.objectives import Metric
from evo_snn.pareto import hypervolume, nondominated, normalised, oriented
from evo_snn.scores import FAILED, Scores

METRICS = (Metric("good", maximise=True, log=False), Metric("cost_mm2", "mm2"))
BOX = {"good": (1.0, 0.0), "cost_mm2": (0.01, 100.0)}


def candidate(key: str, state: str = "ok", **metrics: float) -> Candidate:
    return Candidate(key, (0,), (), 0, state, metrics=metrics)


values = st.tuples(st.integers(0, 10), st.integers(1, 10), st.sampled_from(["ok", "infeasible"]))


@given(st.lists(st.lists(values, max_size=6), max_size=6))
def test_the_front_and_its_volume_are_those_of_everything_at_once(
    generations: list[list[tuple[int, int, str]]],
) -> None:
    scores = Scores(METRICS, (), BOX)
    everything: list[Candidate] = []
    for number, generation in enumerate(generations):
        new = [
            candidate(f"{number}-{k}", state, good=good / 10, cost_mm2=float(cost))
            for k, (good, cost, state) in enumerate(generation)
        ]
        scores.add(new)
        everything += new
    feasible = [one for one in everything if one.state == "ok"]
    if not feasible:
        assert scores.front_keys == set()
        assert scores.hypervolume() == 0.0
        return
    points = oriented(
        np.array([[one.metrics["good"], one.metrics["cost_mm2"]] for one in feasible]),
        [True, False],
        [False, True],
    )
    chosen = nondominated(points)
    assert scores.front_keys == {one.key for one, on in zip(feasible, chosen, strict=True) if on}
    ends = oriented(np.array([[1.0, 0.01], [0.0, 100.0]]), [True, False], [False, True])
    expected = hypervolume(normalised(points, *ends))
    assert scores.hypervolume() == pytest.approx(expected, abs=1e-12)


def test_a_box_is_completed_once_by_the_first_that_have_every_metric() -> None:
    scores = Scores(METRICS, (), {"good": (1.0, 0.0)})
    scores.add([candidate("a", "failed"), candidate("b", "infeasible", good=0.5)])
    assert scores.hypervolume() is None
    scores.add([candidate("c", good=0.5, cost_mm2=4.0), candidate("d", good=0.4, cost_mm2=2.0)])
    assert scores.box == {"good": (1.0, 0.0), "cost_mm2": (1.0, 8.0)}
    scores.add([candidate("e", good=0.9, cost_mm2=0.1)])
    assert scores.box["cost_mm2"] == (1.0, 8.0)


def test_what_is_told_is_finite_whatever_is_missing() -> None:
    scores = Scores(METRICS, [Constraint("cost_mm2", maximum=1.0)], BOX)
    over = Candidate(
        "b", (0,), (), 0, "infeasible", metrics={"cost_mm2": 10.0}, violations={"cost_mm2": 9.0}
    )
    told = [candidate("a", good=0.5, cost_mm2=1.0), over, candidate("c", "failed")]
    assert scores.objectives(told).tolist() == [[-0.5, 0.0], [0.0, 1.0], [0.0, 2.0]]
    assert scores.violations(told).tolist() == [[0.0, 0.0], [0.0, 9.0], [FAILED, 0.0]]
