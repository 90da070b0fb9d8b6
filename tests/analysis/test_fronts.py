"""What the plots of a front draw."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis import plot_front, plot_pairs, plot_parallel, style
from genomes.errors import RequestError


def points_of(ax) -> dict[str, np.ndarray]:
    """Label → (N, 2) of each layer of points."""
    found = {c.get_label(): c.get_offsets() for c in ax.collections if type(c) is PathCollection}
    return {label: np.asarray(offsets) for label, offsets in found.items()}


class TestFront:
    def test_every_measured_candidate_is_drawn_once_in_its_layer(self, run, ax) -> None:
        assert plot_front(run, ax=ax) is ax
        table = run.candidates()
        measured = table["accuracy"].notna() & table["area_mm2"].notna()
        layers = points_of(ax)
        assert set(layers) == {"infeasible", "dominated", "front of all 4 objectives"}
        assert sum(map(len, layers.values())) == measured.sum()
        assert len(layers["infeasible"]) == (measured & (table["state"] == "infeasible")).sum()
        drawn = np.vstack(list(layers.values()))
        expected = table.loc[measured, ["area_mm2", "accuracy"]].to_numpy()
        np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(expected, axis=0))

    def test_dominated_is_grey_and_the_front_is_not(self, run, ax) -> None:
        plot_front(run, ax=ax)
        colour = {c.get_label(): to_hex(c.get_facecolor()[0]) for c in ax.collections}
        assert colour["dominated"] == style.PALE
        assert colour["front of all 4 objectives"] == style.BLUE.lower()

    def test_staircase_climbs_and_nothing_feasible_lies_beyond_it(self, run, ax) -> None:
        plot_front(run, x="energy_uj", ax=ax)
        (line,) = [one for one in ax.lines if one.get_label() == "front of these two"]
        x, y = line.get_data()
        assert len(x) > 3
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) > 0).all()
        assert line.get_drawstyle() == "steps-post"
        ok = run.candidates().query("state == 'ok'").dropna()
        for energy, accuracy in ok[["energy_uj", "accuracy"]].to_numpy():
            assert ((x <= energy) & (y >= accuracy)).any()

    def test_staircase_of_a_maximised_metric_to_the_right(self, run, ax) -> None:
        plot_front(run, x="accuracy", y="area_mm2", ax=ax)
        (line,) = ax.lines
        x, y = line.get_data()
        assert (np.diff(x) < 0).all()
        assert (np.diff(y) < 0).all()

    def test_axes_say_what_and_in_which_unit(self, run, ax) -> None:
        plot_front(run, ax=ax)
        assert ax.get_xlabel() == "Area (mm²)"
        assert ax.get_ylabel() == "Validation accuracy"
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")

    def test_a_custom_objective_without_log_is_linear(self, run, ax, examples) -> None:
        plot_front(
            run.candidates(),
            x="spikes_per_inference",
            ax=ax,
            objectives=[examples.ACCURACY, examples.SPIKES],
        )
        assert ax.get_xscale() == "linear"
        assert ax.get_xlabel() == "Spikes per inference"

    def test_two_objectives_have_one_front(self, run, ax, examples) -> None:
        plot_front(run.candidates(), ax=ax, objectives=[examples.ACCURACY, examples.AREA])
        assert set(points_of(ax)) == {"infeasible", "dominated"}

    def test_nothing_measured_says_so(self, ax, examples) -> None:
        plot_front(examples.make_table(0), ax=ax)
        assert "no candidate has been measured" in [text.get_text() for text in ax.texts]

    def test_nothing_feasible_says_so_and_shows_what_there_is(self, ax, examples) -> None:
        table = examples.make_table(20).assign(state="infeasible")
        plot_front(table, ax=ax)
        ((label, points),) = points_of(ax).items()
        assert label == "infeasible (no feasible design was found)"
        assert len(points) == table[["area_mm2", "accuracy"]].notna().all(axis=1).sum()
        assert not ax.lines

    def test_unknown_metric_names_the_nearest(self, run, ax) -> None:
        with pytest.raises(RequestError, match=r"y: got 'acuracy'.*'accuracy'"):
            plot_front(run, y="acuracy", ax=ax)

    def test_without_axes_it_makes_a_figure_that_notebooks_show(self, run) -> None:
        from matplotlib import pyplot as plt

        made = plot_front(run)
        assert plt.get_fignums() == [made.figure.number]
        plt.close(made.figure)


class TestPairs:
    def test_every_pair_once_with_the_front_highlighted(self, run) -> None:
        figure = Figure(layout="constrained")
        grid = plot_pairs(run, figure)
        assert grid.shape == (4, 4)
        assert [grid[r, c] is None for r in range(4) for c in range(r + 1, 4)] == [True] * 6
        names = ("accuracy", "area_mm2", "energy_uj", "latency_ms")
        ok = run.candidates().query("state == 'ok'")
        for row in range(1, 4):
            for column in range(row):
                grey, blue = grid[row, column].collections
                drawn = len(grey.get_offsets()) + len(blue.get_offsets())
                assert drawn == ok[[names[row], names[column]]].dropna().shape[0]
                assert to_hex(blue.get_facecolor()[0]) == style.BLUE.lower()
                assert to_hex(grey.get_facecolor()[0]) == style.PALE

    def test_rim_is_labelled_and_costs_are_logarithmic(self, run) -> None:
        grid = plot_pairs(run, Figure(layout="constrained"))
        assert [ax.get_xlabel() for ax in grid[3]] == [
            "Validation accuracy",
            "Area\n(mm²)",
            "Energy per inference\n(µJ)",
            "Latency\n(ms)",
        ]
        assert [ax.get_ylabel() for ax in grid[1:, 0]] == [
            "Area\n(mm²)",
            "Energy per inference\n(µJ)",
            "Latency\n(ms)",
        ]
        assert grid[3, 1].get_xscale() == grid[3, 1].get_yscale() == "log"
        assert grid[3, 0].get_xscale() == "linear"

    def test_counts_are_told(self, run) -> None:
        figure = Figure(layout="constrained")
        plot_pairs(run, figure)
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        ok = (run.candidates()["state"] == "ok").sum()
        front = int(texts[0].removeprefix("front (").removesuffix(")"))
        assert texts[1] == f"dominated ({ok - front})"


class TestParallel:
    def lines(self, ax) -> np.ndarray:
        (collection,) = [c for c in ax.collections if isinstance(c, LineCollection)]
        return np.array(collection.get_segments())

    def test_one_line_a_design_and_up_is_better(self, ax, examples) -> None:
        table = examples.make_table(3).assign(
            state="ok",
            accuracy=[0.9, 0.8, 0.5],
            area_mm2=[100.0, 10.0, 1.0],
            energy_uj=[4.0, 2.0, 1.0],
            latency_ms=[1.0, 1.0, 1.0],
        )
        plot_parallel(table, ax)
        expected = [  # from the least accurate to the most accurate; costs by their logarithm
            [0.0, 1.0, 1.0, 0.5],
            [0.75, 0.5, 0.5, 0.5],
            [1.0, 0.0, 0.0, 0.5],
        ]
        np.testing.assert_allclose(self.lines(ax)[:, :, 1], expected, atol=1e-12)
        np.testing.assert_array_equal(self.lines(ax)[0, :, 0], [0, 1, 2, 3])

    def test_ends_of_the_axes_have_real_values(self, ax, examples) -> None:
        table = examples.make_table(2).assign(
            state="ok", accuracy=[0.9, 0.5], area_mm2=[100.0, 1.0], energy_uj=2.0, latency_ms=3.0
        )
        plot_parallel(table, ax)
        ends = {(text.xy[0], text.xy[1]): text.get_text() for text in ax.texts}
        assert ends == {
            (0, 1.0): "0.9",
            (0, 0.0): "0.5",
            (1, 1.0): "1",
            (1, 0.0): "100",
            (2, 0.5): "2",
            (3, 0.5): "3",
        }
        assert [text.get_text() for text in ax.get_xticklabels()] == [
            "Validation accuracy",
            "Area\n(mm²)",
            "Energy per inference\n(µJ)",
            "Latency\n(ms)",
        ]

    def test_only_the_front_is_drawn_in_the_order_of_the_first_objective(self, run, ax) -> None:
        plot_parallel(run, ax)
        height = self.lines(ax)[:, :, 1]
        assert len(height) > 10
        assert (np.diff(height[:, 0]) >= 0).all()
        np.testing.assert_allclose(height.max(axis=0), 1.0)
        np.testing.assert_allclose(height.min(axis=0), 0.0)

    def test_an_empty_front_says_so(self, ax, examples) -> None:
        plot_parallel(examples.make_table(5).assign(state="failed"), ax)
        assert [text.get_text() for text in ax.texts] == ["no feasible design was found"]
