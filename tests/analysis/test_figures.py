"""The files that a run leaves."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.image import imread

import analysis
from analysis import figures
from analysis.view import look
from genomes.errors import RequestError

NAMES = ["front.png", "pairs.png", "parallel.png", "convergence.png", "costs.png"]


def cases(examples):
    """Every kind of run that the figures must survive."""
    table, FakeRun = examples.make_table(60, 3), examples.FakeRun
    five = (*examples.FOUR, examples.SPIKES)
    shared = table.assign(area_mm2=5.0, accuracy=0.9)
    return {
        "four objectives": FakeRun(table),
        "five objectives": FakeRun(table, objectives=five),
        "two objectives": FakeRun(table, objectives=(examples.ACCURACY, examples.ENERGY)),
        "one objective": FakeRun(table, objectives=(examples.ACCURACY,)),
        "cost first": FakeRun(table, objectives=(examples.AREA, examples.SPIKES)),
        "one design": FakeRun(examples.make_table(1).assign(state="ok")),
        "equal designs": FakeRun(shared),
        "nothing feasible": FakeRun(table.assign(state="infeasible")),
        "all failed": FakeRun(table.assign(state="failed", accuracy=np.nan, area_mm2=np.nan)),
        "nothing evaluated": FakeRun(examples.make_table(0)),
        "nothing trained": FakeRun(table.assign(state="infeasible").drop(columns="accuracy")),
        "no box yet": FakeRun(table, hypervolume_box={}),
        "a cost of zero": FakeRun(
            table.assign(energy_uj=table["energy_uj"].where(table.index > 9, 0))
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "four objectives",
        "five objectives",
        "two objectives",
        "one objective",
        "cost first",
        "one design",
        "equal designs",
        "nothing feasible",
        "all failed",
        "nothing evaluated",
        "nothing trained",
        "no box yet",
        "a cost of zero",
    ],
)
def test_every_run_leaves_all_figures(case, examples, tmp_path) -> None:
    run = replace(cases(examples)[case], folder=tmp_path)
    paths = analysis.save_figures(run)
    assert [path.name for path in paths] == NAMES
    assert {path.parent for path in paths} == {tmp_path / "figures"}
    for path in paths:
        pixels = imread(path)
        assert 600 < pixels.shape[1] <= 2148  # at most the width of a page at 300 dpi
        assert pixels[..., :3].min() < 0.6  # something is drawn
    assert plt.get_fignums() == []


def test_every_panel_of_the_front_names_its_cost(run, examples) -> None:
    objectives = (*examples.FOUR, examples.SPIKES)
    figure = figures._front(look(run.candidates(), objectives))
    names = [ax.get_xlabel() for ax in figure.axes]
    assert names[:2] == ["Area (mm²)", "Energy per inference (µJ)"]
    assert names[2:] == ["Latency (ms)", "Spikes per inference"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["Validation accuracy", ""] * 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "infeasible", "dominated", "front of all 5 objectives", "front of these two"]  # fmt: skip


def test_components_keep_their_colour_across_panels(run) -> None:
    figure = figures._costs(run, look(run))
    above, below = figure.subfigs
    colours = {}
    for ax in above.axes:
        for bars in ax.containers:
            colours.setdefault(bars.get_label(), set()).add(bars[0].get_facecolor())
    assert all(len(used) == 1 for used in colours.values())
    texts = [text.get_text() for text in above.legends[0].get_texts()]
    assert sorted(texts) == sorted(colours)
    assert texts[-1] == "other"
    assert below.axes[0].get_title().endswith("(knee)")


def test_another_folder_can_be_named(run, tmp_path) -> None:
    paths = analysis.save_figures(run, tmp_path / "paper" / "figures")
    assert {path.parent for path in paths} == {tmp_path / "paper" / "figures"}


def test_no_figure_is_written_through_a_strangers_link(run, tmp_path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    (elsewhere / "front.png").write_text("mine")
    folder.mkdir()
    (folder / "figures").symlink_to(elsewhere)
    with pytest.raises(RequestError, match="no symbolic link"):
        analysis.save_figures(replace(run, folder=folder))

    (folder / "figures").unlink()
    (folder / "figures").mkdir()
    (folder / "figures" / "front.png").symlink_to(elsewhere / "front.png")
    analysis.save_figures(replace(run, folder=folder))

    assert [path.name for path in elsewhere.iterdir()] == ["front.png"]
    assert (elsewhere / "front.png").read_text() == "mine"


def test_the_same_run_gives_the_same_files(run, tmp_path) -> None:
    first, second = (analysis.save_figures(run, tmp_path / name) for name in "ab")
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True)] == [
        True
    ] * 5


def test_importing_analysis_loads_no_plotting_library() -> None:
    code = (
        "import sys, analysis; assert set(analysis.__all__) <= set(dir(analysis)); "
        "loaded = {'matplotlib', 'seaborn', 'pandas', 'torch'} & set(sys.modules); "
        "assert not loaded, loaded; "
        "import analysis.figures; assert 'torch' not in sys.modules; "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_that_is_promised_is_there() -> None:
    assert all(callable(getattr(analysis, name)) for name in analysis.__all__)
    with pytest.raises(AttributeError, match="plot_everything"):
        _ = analysis.plot_everything
