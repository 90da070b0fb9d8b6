"""The figure of an ablation's effects, against the numbers that it draws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from analysis import style
from analysis.effects import figure_of_effects, save_effects
from genomes.errors import RequestError

ROWS = [
    ("stage.pool", "", "average", "none", "accuracy", "points", 12, -2.0, -3.0, -1.0, "harms"),
    ("stage.pool", "", "average", "none", "energy_uj", "%", 12, -50.0, -60.0, -30.0, "helps"),
    ("stage.pool", "", "max", "none", "accuracy", "points", 12, 0.1, -0.4, 0.5, "same"),
    ("stage.pool", "", "max", "none", "energy_uj", "%", 12, 100.0, -20.0, 300.0, "unclear"),
    ("stage.pool", "stage1.pool", "max", "none", "accuracy", "points", 5, 9.0, 8.0, 10.0, "helps"),
    ("bits", "", 3, "2", "accuracy", "points", 3, 1.0, np.nan, np.nan, "unclear"),
    ("bits", "", 3, "2", "energy_uj", "%", 3, 5.0, np.nan, np.nan, "unclear"),
]
COLUMNS = (
    *("role", "gene", "choice", "against", "objective", "unit"),
    *("pairs", "effect", "low", "high", "outcome"),
)
EFFECTS = pd.DataFrame(ROWS, columns=list(COLUMNS))


def drawn():
    figure = figure_of_effects(EFFECTS, "digits")
    figure.savefig("/dev/null", format="png")
    return figure, figure.axes


def dots(ax):
    """(x, y, edge, inside) of each effect."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], to_hex(line.get_color()), line.get_mfc())
        for line in ax.lines
        if line.get_marker() == "o" and len(line.get_xdata())
    ]


def test_each_panel_shows_the_pooled_effects_of_one_objective():
    _, (accuracy, energy) = drawn()
    assert accuracy.get_title() == "Accuracy"
    assert energy.get_title() == "Energy"
    assert accuracy.get_xlabel() == "Change (points)"
    assert energy.get_xlabel() == "Change (%)"
    assert [x for x, *_ in dots(accuracy)] == [-2.0, 0.1, 1.0]
    assert [x for x, *_ in dots(energy)] == [-50.0, 100.0, 5.0]
    ends = [tuple(line.get_xdata()) for line in energy.lines if line.get_linestyle() == "-"]
    assert {(-60.0, -30.0), (-20.0, 300.0)} <= set(ends)
    assert [y for _, y, *_ in dots(accuracy)] == [y for _, y, *_ in dots(energy)]


def test_colours_say_what_an_interval_shows():
    _, (accuracy, energy) = drawn()
    colours = [style.ORANGE, style.INK, style.GREY]
    assert [edge for *_, edge, _ in dots(accuracy)] == [each.lower() for each in colours]
    assert dots(energy)[0][2] == style.BLUE.lower()
    assert dots(accuracy)[2][3] == "white"  # too few pairs
    assert dots(accuracy)[0][3] != "white"


def test_rows_are_named_by_role_choice_and_reference():
    figure, (accuracy, _) = drawn()
    names = [text.get_text() for text in accuracy.get_yticklabels()]
    assert names == ["stage.pool", "average vs none", "max vs none", "bits", "3 vs 2"]
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 4


def test_per_cents_are_drawn_by_their_ratio():
    _, (_, energy) = drawn()
    half, twice = energy.transData.transform([(-50.0, 0.0), (100.0, 0.0)])[:, 0]
    zero = energy.transData.transform((0.0, 0.0))[0]
    assert zero - half == pytest.approx(twice - zero)
    texts = [text.get_text() for text in energy.get_xticklabels()]
    assert "0" in texts
    assert any(text.startswith("+") for text in texts)


def test_it_is_saved_in_the_runs_folder(tmp_path):
    path = save_effects(EFFECTS, SimpleNamespace(folder=tmp_path))
    assert path == tmp_path / "figures" / "effects.png"
    assert path.stat().st_size > 10_000


def test_a_linked_folder_is_not_written_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RequestError, match="symbolic link"):
        save_effects(EFFECTS, SimpleNamespace(folder=tmp_path))


def test_without_effects_there_is_nothing_to_draw():
    with pytest.raises(RequestError, match="effects"):
        figure_of_effects(EFFECTS.iloc[:0])
