"""Curves over evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import plot_best, plot_hypervolume
from analysis.convergence import hypervolume_of
from analysis.view import look


@pytest.fixture
def small(examples):
    """Four candidates of two generations, in a box where everything can be worked out."""
    table = examples.make_table(4).assign(
        state=["ok", "failed", "ok", "ok"],
        generation=[0, 0, 1, 1],
        accuracy=[0.5, np.nan, 0.75, 0.6],
        area_mm2=[10.0, np.nan, 10.0, 1.0],
    )
    return examples.FakeRun(
        table,
        objectives=(examples.ACCURACY, examples.AREA),
        hypervolume_box={"accuracy": (1.0, 0.0), "area_mm2": (1.0, 100.0)},
    )


class TestHypervolume:
    def test_hand_computed(self, small) -> None:
        # Area 10 is half way down two decades: 0.5 x 0.5, the same, 0.75 x 0.5, and then the
        # smallest design adds 0.6 x 0.5 where the costs are better.
        np.testing.assert_allclose(hypervolume_of(look(small)), [0.25, 0.25, 0.375, 0.675])

    def test_the_curve_is_the_history(self, small, ax) -> None:
        plot_hypervolume(small, ax)
        x, y = ax.lines[0].get_data()
        np.testing.assert_array_equal(x, [1, 2, 3, 4])
        np.testing.assert_allclose(y, [0.25, 0.25, 0.375, 0.675])
        assert ax.get_ylabel() == "Hypervolume"
        assert ax.get_xlabel() == "Candidates evaluated"

    def test_generations_are_marked_and_numbered(self, small, ax) -> None:
        plot_hypervolume(small, ax)
        assert [line.get_xdata()[0] for line in ax.lines[1:]] == [2.5]
        (top,) = ax.child_axes
        assert top.get_xlabel() == "Generation"
        assert [text.get_text() for text in top.get_xticklabels()] == ["0", "1"]

    def test_many_generations_are_thinned_out(self, examples, ax) -> None:
        plot_hypervolume(examples.make_table(200, generations=100), ax)
        (top,) = ax.child_axes
        assert len(top.get_xticks()) <= 12
        assert len(ax.lines) <= 13

    def test_a_table_uses_the_range_of_its_own_candidates(self, small, examples) -> None:
        view = look(small.candidates(), [examples.ACCURACY, examples.AREA])
        # Accuracy 0.5..0.75 and area 1..10 span the box; only the last point is inside it.
        np.testing.assert_allclose(hypervolume_of(view), [0.0, 0.0, 0.0, 0.4])

    def test_a_run_of_one_design_and_of_none(self, examples, ax) -> None:
        one = examples.make_table(1).assign(state="ok")
        np.testing.assert_array_equal(hypervolume_of(look(one)), [1.0])
        assert hypervolume_of(look(examples.make_table(0))) is None
        plot_hypervolume(examples.make_table(5).assign(state="infeasible"), ax)
        assert [text.get_text() for text in ax.texts] == ["no feasible design was found"]


class TestBest:
    def test_best_so_far_and_every_measured_candidate(self, small, ax) -> None:
        plot_best(small, ax=ax)
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.5, 0.5, 0.75, 0.75])
        dots = np.asarray(ax.collections[0].get_offsets())
        np.testing.assert_array_equal(dots, [[1, 0.5], [3, 0.75], [4, 0.6]])
        assert ax.get_ylabel() == "Validation accuracy"

    def test_a_cost_goes_down_on_a_log_scale(self, small, ax) -> None:
        plot_best(small, "area_mm2", ax)
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), [10, 10, 10, 1])
        assert ax.get_yscale() == "log"

    def test_what_breaks_a_constraint_is_never_the_best(self, small, ax) -> None:
        table = small.candidates().assign(state=["ok", "failed", "infeasible", "ok"])
        plot_best(table, ax=ax)
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.5, 0.5, 0.5, 0.6])
