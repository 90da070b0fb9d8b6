"""Fronts and hypervolume against hand-computed values, definitions and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evo_snn import pareto
from evo_snn.candidate import Candidate, ObjectiveRecord

NAN, INF = np.nan, np.inf
# Few distinct values, so that ties, duplicates, domination and NaN all happen often.
GRID = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, -0.25, NAN, INF])


def matrices(elements: st.SearchStrategy[float] = GRID) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(0, 12), st.integers(1, 4))
    return shapes.flatmap(lambda shape: arrays(float, shape, elements=elements))


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


class TestOriented:
    def test_hand_computed(self) -> None:
        values = [[0.9, 100.0, 3.0], [0.5, 0.1, -2.0]]
        got = pareto.oriented(values, maximise=[True, False, False], log=[False, True, False])
        np.testing.assert_allclose(got, [[-0.9, 2.0, 3.0], [-0.5, -1.0, -2.0]])

    def test_log_of_a_maximised_metric_is_taken_before_the_sign(self) -> None:
        assert pareto.oriented([[1000.0]], maximise=True, log=True) == [[-3.0]]

    def test_log_edges_are_as_documented(self) -> None:
        got = pareto.oriented([[0.0], [-1.0], [NAN]], maximise=False, log=True)
        np.testing.assert_array_equal(got, [[-INF], [NAN], [NAN]])

    def test_no_log_leaves_numbers_untouched(self) -> None:
        values = np.random.default_rng(0).random((5, 2))
        np.testing.assert_array_equal(pareto.oriented(values, maximise=False), values)

    def test_wrong_shapes_are_named(self) -> None:
        with pytest.raises(ValueError, match=r"maximise .* shape \(2,\).* had shape \(3,\)"):
            pareto.oriented([[1.0, 2.0]], maximise=[True, False, True])
        with pytest.raises(ValueError, match=r"values .* had shape \(2,\)"):
            pareto.oriented([1.0, 2.0], maximise=False)


class TestNondominated:
    def test_hand_computed(self) -> None:
        F = [[1, 5], [2, 3], [2, 4], [4, 1], [4, 1], [5, 5], [NAN, 0], [0, NAN]]
        expected = [True, True, False, True, True, False, False, False]
        assert pareto.nondominated(F).tolist() == expected

    def test_nothing_known_means_an_empty_front(self) -> None:
        assert not pareto.nondominated([[NAN, 0.0], [0.0, NAN]]).any()
        assert pareto.nondominated(np.empty((0, 3))).shape == (0,)

    def test_infinities_are_ordinary_values(self) -> None:
        F = [[-INF, INF], [0.0, 0.0], [0.0, INF]]
        assert pareto.nondominated(F).tolist() == [True, True, False]

    @given(matrices())
    def test_agrees_with_the_definition(self, F: np.ndarray) -> None:
        known = ~np.isnan(F).any(axis=1)
        expected = [
            bool(known[i]) and not any(dominates(F[j], F[i]) for j in np.flatnonzero(known))
            for i in range(len(F))
        ]
        assert pareto.nondominated(F).tolist() == expected

    @given(matrices(), st.randoms(use_true_random=False))
    def test_order_of_rows_and_of_objectives_does_not_matter(self, F, random) -> None:
        rows, columns = list(range(F.shape[0])), list(range(F.shape[1]))
        random.shuffle(rows)
        random.shuffle(columns)
        shuffled = pareto.nondominated(F[rows][:, columns])
        np.testing.assert_array_equal(shuffled, pareto.nondominated(F)[rows])

    def test_many_designs_are_quick_and_right(self) -> None:
        F = np.random.default_rng(1).random((2000, 4))
        front = F[pareto.nondominated(F)]
        assert not any(dominates(a, b) for a in front for b in front)
        beaten = (front[None] <= F[:, None]).all(axis=2).any(axis=1)
        assert beaten.all()


class TestNormalised:
    def test_hand_computed(self) -> None:
        got = pareto.normalised([[-0.9, 2.0], [-1.2, NAN]], best=[-1.0, 0.0], worst=[-0.5, 4.0])
        np.testing.assert_allclose(got, [[0.2, 0.5], [-0.4, NAN]])

    @pytest.mark.parametrize(("best", "worst"), [(1.0, 1.0), (2.0, 1.0), (NAN, 1.0), (0.0, INF)])
    def test_a_box_without_extent_is_refused(self, best: float, worst: float) -> None:
        with pytest.raises(ValueError, match="best below a finite worst"):
            pareto.normalised([[0.5]], best, worst)


class TestHypervolume:
    def test_hand_computed(self) -> None:
        assert pareto.hypervolume([[0.5, 0.5]]) == pytest.approx(0.25)
        # 0.8 x 0.4, and what the second point adds below it: 0.3 x (1 - 0.4 - 0.2).
        assert pareto.hypervolume([[0.2, 0.6], [0.7, 0.2]]) == pytest.approx(0.32 + 0.12)
        assert pareto.hypervolume([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]) == pytest.approx(0.125)
        assert pareto.hypervolume([[0.25]]) == pytest.approx(0.75)

    def test_edges_are_as_documented(self) -> None:
        assert pareto.hypervolume(np.empty((0, 2))) == 0.0
        assert pareto.hypervolume([[0.0, 1.0], [0.2, 1.7], [NAN, 0.0], [INF, 0.0]]) == 0.0
        assert pareto.hypervolume([[-3.0, 0.5], [-INF, 0.75]]) == pytest.approx(0.5)
        assert pareto.hypervolume([[-1.0, -1.0]]) == 1.0

    def test_reference_moves_the_worst_corner(self) -> None:
        assert pareto.hypervolume([[1.0, 1.0]], reference=1.5) == pytest.approx(0.25)

    @given(matrices(), st.data())
    def test_a_further_point_never_lowers_it(self, F: np.ndarray, data: st.DataObject) -> None:
        point = data.draw(arrays(float, (1, F.shape[1]), elements=GRID))
        before, after = pareto.hypervolume(F), pareto.hypervolume(np.vstack([F, point]))
        assert 0.0 <= before <= after + 1e-12 <= 1.0 + 2e-12

    @given(matrices())
    def test_only_the_front_matters(self, F: np.ndarray) -> None:
        front = F[pareto.nondominated(F)]
        assert pareto.hypervolume(front) == pytest.approx(pareto.hypervolume(F), abs=1e-12)

    @given(matrices(st.floats(-0.2, 1.2)), st.randoms(use_true_random=False))
    def test_order_of_designs_does_not_matter(self, F: np.ndarray, random) -> None:
        rows = list(range(len(F)))
        random.shuffle(rows)
        assert pareto.hypervolume(F[rows]) == pytest.approx(pareto.hypervolume(F), abs=1e-12)

    def test_agrees_with_counting_random_points(self) -> None:
        rng = np.random.default_rng(2)
        F, points = rng.random((6, 3)), rng.random((40_000, 3))
        share = (F[None] <= points[:, None]).all(axis=2).any(axis=1).mean()
        assert pareto.hypervolume(F) == pytest.approx(share, abs=0.01)


class TestHypervolumeHistory:
    def test_hand_computed(self) -> None:
        F = [[NAN, 0.0], [0.7, 0.2], [0.8, 0.8], [0.2, 0.6], [0.1, 1.0]]
        got = pareto.hypervolume_history(F)
        np.testing.assert_allclose(got, [0.0, 0.24, 0.24, 0.44, 0.44])

    def test_order_is_the_order_of_evaluation(self) -> None:
        F = [[0.7, 0.2], [0.2, 0.6]]
        np.testing.assert_allclose(pareto.hypervolume_history(F, [1, 0]), [0.32, 0.44])
        np.testing.assert_allclose(pareto.hypervolume_history(F, [1]), [0.32])

    def test_nothing_evaluated(self) -> None:
        assert pareto.hypervolume_history(np.empty((0, 3))).shape == (0,)

    @given(matrices(st.one_of(GRID, st.floats(-0.2, 1.2))))
    def test_never_decreases_and_ends_at_the_total(self, F: np.ndarray) -> None:
        history = pareto.hypervolume_history(F)
        assert (np.diff(history) >= 0).all()
        each = [pareto.hypervolume(F[: i + 1]) for i in range(len(F))]
        np.testing.assert_allclose(history, each, atol=1e-12)


class TestPicking:
    FRONT = np.array([[0.0, 10.0], [1.0, 2.0], [4.0, 1.0], [5.0, 0.0]])

    def test_pseudo_weights_hand_computed(self) -> None:
        expected = [[1.0, 0.0], [0.5, 0.5], [0.2 / 1.1, 0.9 / 1.1], [0.0, 1.0]]
        np.testing.assert_allclose(pareto.pseudo_weights(self.FRONT), expected)

    def test_one_design_and_a_shared_value_have_weights(self) -> None:
        np.testing.assert_allclose(pareto.pseudo_weights([[3.0, 7.0]]), [[0.5, 0.5]])
        shared = pareto.pseudo_weights([[0.0, 7.0], [1.0, 7.0]])
        np.testing.assert_allclose(shared, [[0.5, 0.5], [0.0, 1.0]])

    def test_a_design_that_is_worst_in_all_has_equal_weights(self) -> None:
        np.testing.assert_allclose(pareto.pseudo_weights([[0.0, 0.0], [1.0, 1.0]])[1], [0.5, 0.5])

    def test_unmeasured_rows_are_ignored(self) -> None:
        rows = np.vstack([[NAN, 0.0], self.FRONT, [-INF, 0.0]])
        got = pareto.pseudo_weights(rows)
        np.testing.assert_allclose(got[1:-1], pareto.pseudo_weights(self.FRONT))
        assert np.isnan(got[[0, -1]]).all()
        assert pareto.pick(rows) == 2
        assert pareto.knee(rows) == 2

    def test_pick_follows_the_weights(self) -> None:
        assert pareto.pick(self.FRONT) == 1
        assert pareto.pick(self.FRONT, [1, 0]) == 0
        assert pareto.pick(self.FRONT, [10, 40]) == 2
        assert pareto.pick(self.FRONT, [0, 3]) == 3

    def test_knee_is_the_least_sum_of_scaled_objectives(self) -> None:
        assert pareto.knee(self.FRONT) == 1
        front = [[0.0, 1.0], [0.4, 0.4], [1.0, 0.0], [0.62, 0.2]]
        assert pareto.knee(front) == 1
        assert pareto.knee(front, [2, 3]) == 3
        assert pareto.knee(front, [9, 1]) == 0

    def test_impossible_requests_say_why(self) -> None:
        with pytest.raises(ValueError, match="there was none"):
            pareto.pick([[NAN, 1.0]])
        with pytest.raises(ValueError, match="there was none"):
            pareto.knee(np.empty((0, 2)))
        for weights in ([1.0], [0.0, 0.0], [-1.0, 2.0], [NAN, 1.0]):
            with pytest.raises(ValueError, match="not negative and not all zero"):
                pareto.pick(self.FRONT, weights)
            with pytest.raises(ValueError, match="not negative and not all zero"):
                pareto.knee(self.FRONT, weights)

    @given(matrices(st.floats(0, 1)))
    def test_rows_sum_to_one(self, F: np.ndarray) -> None:
        np.testing.assert_allclose(pareto.pseudo_weights(F).sum(axis=1), np.ones(len(F)))


class TestFrontOf:
    OBJECTIVES = (ObjectiveRecord("accuracy", maximise=True), ObjectiveRecord("cost", False))

    @staticmethod
    def candidate(key: str, state: str = "ok", **metrics: float) -> Candidate:
        return Candidate(key, (0,), (), 0, state, metrics)

    def test_by_hand(self) -> None:
        found = [
            self.candidate("dear", accuracy=0.9, cost=3.0),
            self.candidate("worse", accuracy=0.8, cost=3.0),
            self.candidate("cheap", accuracy=0.5, cost=1.0, other=7.0),
            self.candidate("twin", accuracy=0.9, cost=3.0),
            self.candidate("infeasible", "infeasible", accuracy=1.0, cost=0.5),
            self.candidate("failed", "failed"),
            self.candidate("without a cost", accuracy=1.0),
        ]
        front = pareto.front_of(found, self.OBJECTIVES)
        assert [one.key for one in front] == ["dear", "cheap", "twin"]

    def test_of_nothing(self) -> None:
        assert pareto.front_of([], self.OBJECTIVES) == []
        assert pareto.front_of([self.candidate("a", accuracy=1.0)], self.OBJECTIVES) == []
        assert pareto.front_of([self.candidate("a", accuracy=1.0)], ()) == []
