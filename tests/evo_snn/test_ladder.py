"""The ladder's arithmetic: hand-computed cases, and what holds for any generation."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evo_snn.ladder import climbing, crowding, ranking, rung_steps, sorted_fronts
from evo_snn.pareto import nondominated

# Few distinct values, so that ties, duplicates and domination all happen often.
GRID = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
VIOLATION = st.sampled_from([0.0, 0.0, 0.0, 0.5, 2.0])
KEEP = st.floats(0.05, 0.95)


@st.composite
def generations(draw: st.DrawFn):
    """Keys, objectives and violations of what is on one rung, and which of it is held."""
    n, columns = draw(st.integers(1, 16)), draw(st.integers(1, 4))
    keys = draw(st.lists(st.text("abc", min_size=4, max_size=6), min_size=n, max_size=n,
                         unique=True))  # fmt: skip
    objectives = draw(arrays(float, (n, columns), elements=GRID))
    held = set(draw(st.lists(st.sampled_from(keys), unique=True)))
    return keys, objectives, draw(arrays(float, n, elements=VIOLATION)), held


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


class TestRungs:
    @pytest.mark.parametrize(
        ("steps", "rungs", "keep", "expected"),
        [
            (60, 1, 0.5, (60,)),
            (60, 3, 0.5, (15, 30, 60)),
            (60, 2, 0.3, (18, 60)),
            (81, 5, 1 / 3, (1, 3, 9, 27, 81)),
            (10, 2, 0.7, (7, 10)),  # 10 x 0.7 is a little more than 7 to a computer
            (7, 3, 0.5, (2, 4, 7)),
        ],
    )
    def test_hand_computed(self, steps, rungs, keep, expected) -> None:
        assert rung_steps(steps, rungs, keep) == expected

    @given(st.integers(1, 10_000), st.integers(1, 8), KEEP)
    def test_they_rise_to_all_steps_or_are_refused(self, steps, rungs, keep) -> None:
        try:
            taken = rung_steps(steps, rungs, keep)
        except ValueError:
            # two rungs in a row differ by less than a step
            assert steps * keep ** (rungs - 2) * (1 - keep) < 1
        else:
            assert len(taken) == rungs
            assert taken[-1] == steps
            assert taken[0] >= 1
            for low, high in pairwise(taken):
                assert low < high
                assert keep * (high - 1) - 1e-6 <= low < keep * high + 1

    def test_too_few_steps_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"2 steps are too few for 3 rungs: \(1, 1, 2\)"):
            rung_steps(2, 3, 0.5)


class TestRanking:
    def test_a_hand_computed_generation(self) -> None:
        #   error, energy
        objectives = np.array([
            [0.10, 9.0],  # a: most accurate
            [0.50, 1.0],  # b: cheapest
            [0.30, 5.0],  # c: on the front, between
            [0.31, 5.5],  # d: dominated by c alone
            [0.90, 9.5],  # e: dominated by all
            [0.05, 0.5],  # f: best of all, and over a budget
        ])  # fmt: skip
        violations = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
        order = ranking("abcdef", objectives, violations)
        assert "".join("abcdef"[k] for k in order) == "abcdef"
        assert climbing("abcdef", objectives, violations, (), 0.5) == ["a", "b", "c"]

    def test_a_lone_design_comes_before_crowded_ones(self) -> None:
        objectives = np.array([[0.0, 1.0], [0.10, 0.90], [0.12, 0.88], [0.6, 0.4], [1.0, 0.0]])
        order = ranking("abcde", objectives, np.zeros(5))
        assert [order.index(k) for k in (0, 4)] == [0, 1]  # the ends, by key
        assert order[2] == 3

    def test_crowding_hand_computed(self) -> None:
        F = np.array([[0.0, 10.0], [1.0, 4.0], [2.0, 2.0], [4.0, 0.0]])
        np.testing.assert_allclose(crowding(F), [np.inf, 2 / 4 + 8 / 10, 3 / 4 + 4 / 10, np.inf])
        np.testing.assert_array_equal(crowding(np.ones((3, 2))), [0, 0, 0])

    @given(generations())
    def test_nobody_stands_before_a_better_one(self, generation) -> None:
        keys, objectives, violations, _ = generation
        place = np.argsort(ranking(keys, objectives, violations))
        assert sorted(place) == list(range(len(keys)))
        for a, b in permutations(range(len(keys)), 2):
            feasible = violations[a] == violations[b] == 0
            better = feasible and dominates(objectives[a], objectives[b])
            if better or violations[a] < violations[b]:
                assert place[a] < place[b]

    @given(generations(), st.floats(0.1, 10), st.floats(-5, 5))
    def test_units_mean_nothing(self, generation, factor, offset) -> None:
        keys, objectives, violations, _ = generation
        # powers of two and whole numbers, so that no rounding makes or breaks a tie
        factor, offset = 2.0 ** round(factor), float(round(offset))
        moved = ranking(keys, objectives * factor + offset, violations)
        assert moved == ranking(keys, objectives, violations)

    @given(generations())
    def test_fronts_are_peeled_from_the_best(self, generation) -> None:
        _, objectives, _, _ = generation
        fronts = sorted_fronts(objectives)
        assert sorted(np.concatenate(fronts)) == list(range(len(objectives)))
        for number, front in enumerate(fronts):
            left = np.concatenate(fronts[number:])
            assert set(front) == set(left[nondominated(objectives[left])])


class TestClimbing:
    ERRORS = np.array([[0.1], [0.2], [0.3], [0.4], [0.5], [0.6], [0.7], [0.8]])

    @pytest.mark.parametrize(
        ("candidates", "expected"),
        [
            ("abcdefgh", "abcd"),  # nobody is held: the better half
            ("efgh", ""),  # all are worse than what is held
            ("cefgh", "c"),  # one is not
            ("abcd", "ab"),  # all are better: no more than half of them
            ("ach", "ac"),
            ("h", ""),
        ],
    )
    def test_hand_computed(self, candidates, expected) -> None:
        held = set("abcdefgh") - set(candidates)
        got = climbing("abcdefgh", self.ERRORS, np.zeros(8), held, 0.5)
        assert "".join(got) == expected

    @pytest.mark.parametrize(("keep", "expected"), [(0.1, 1), (0.3, 3), (0.7, 6), (0.875, 7)])
    def test_how_many(self, keep, expected) -> None:
        assert len(climbing("abcdefgh", self.ERRORS, np.zeros(8), (), keep)) == expected

    @given(generations(), KEEP)
    def test_no_more_than_the_share_and_none_that_is_worse_than_who_stays(
        self, generation, keep
    ) -> None:
        keys, objectives, violations, held = generation
        chosen = climbing(*generation, keep)
        candidates = [key for key in keys if key not in held]
        order = [keys[k] for k in ranking(keys, objectives, violations)]
        assert set(chosen) <= set(candidates)
        assert chosen == [key for key in order if key in candidates][: len(chosen)]
        assert len(chosen) <= max(1, len(candidates) * keep + 1)
        assert len(chosen) >= (1 if candidates and not held else 0)
        if held and chosen:
            assert order.index(chosen[-1]) < len(order) * keep + 1e-6

    @given(generations(), st.randoms(use_true_random=False), KEEP)
    def test_order_means_nothing(self, generation, random, keep) -> None:
        keys, objectives, violations, held = generation
        order = list(range(len(keys)))
        random.shuffle(order)
        shuffled = [keys[k] for k in order], objectives[order], violations[order]
        assert climbing(*generation, keep) == climbing(*shuffled, sorted(held), keep)

    @given(generations(), KEEP, KEEP)
    def test_who_climbs_where_few_do_climbs_where_more_do(self, generation, keep, other) -> None:
        few, many = sorted((keep, other))
        chosen, more = climbing(*generation, few), climbing(*generation, many)
        assert more[: len(chosen)] == chosen

    @given(generations(), KEEP)
    def test_a_better_holding_lets_no_more_climb(self, generation, keep) -> None:
        keys, objectives, violations, held = generation
        if not held:
            return
        better = np.array([key in held for key in keys])
        improved = np.where(better[:, None], objectives - 2.0, objectives)
        fewer = climbing(keys, improved, np.where(better, 0.0, violations), held, keep)
        assert len(fewer) <= len(climbing(*generation, keep))
