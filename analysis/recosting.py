"""A run's candidates on other chips: whether they keep their order, and the front its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from analysis.view import assumed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evo_snn.recost import Agreement, CandidatesOnChip, Recosting

__all__ = ["figure_of_recosting"]

_MOST_METRICS = 4


def figure_of_recosting(found: Recosting) -> Figure:
    """Draw each cost on every other chip over the same cost on the run's own.

    For seeing whether a choice made on one chip holds on another: dots on a rising line keep their
    order, and Kendall's tau says how nearly they do. Orange designs are on the front of both chips,
    blue ones on that of the run's chip alone, green ones on that of the other alone.

    Args:
        found: a run on other chips, see `evo_snn.recost.recost`.
    """
    own, *others = found.chips
    metrics = list(dict.fromkeys(each.metric for each in found.agreements))[:_MOST_METRICS]
    agreement = {(each.metric, each.second): each for each in found.agreements[::-1]}
    agreement |= {
        (each.metric, each.second): each for each in found.agreements if each.first == own.label
    }
    with style.context():
        figure = style.figure(style.PAGE, 0.5 + 2.1 * len(others))
        grid = figure.subplots(len(others), len(metrics), squeeze=False)
        for row, other in zip(grid, others, strict=True):
            for ax, metric in zip(row, metrics, strict=True):
                _draw(ax, own, other, metric, agreement[metric, other.label])
        for ax, metric in zip(grid[-1], metrics, strict=True):
            ax.set_xlabel(f"{style.label(assumed(metric))}\non {style.plain(own.label, 30)}")
        for row, other in zip(grid, others, strict=True):
            row[0].set_ylabel(f"on {style.plain(other.label, 30)}", parse_math=False)
        for ax in grid.flat:
            ax.xaxis.label.set_parse_math(False)
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def _draw(
    ax: Axes, own: CandidatesOnChip, other: CandidatesOnChip, metric: str, agreement: Agreement
) -> None:
    values = np.array(
        [
            (a.metrics.get(metric, np.nan), b.metrics.get(metric, np.nan))
            for a, b in zip(own.candidates, other.candidates, strict=True)
        ]
    )
    mine, theirs = (
        np.isin([each.key for each in own.candidates], each.front) for each in (own, other)
    )
    groups = (
        ("on neither front", style.PALE, ~mine & ~theirs),
        ("on the run's front alone", style.BLUE, mine & ~theirs),
        ("on the other chip's alone", style.OKABE_ITO[2], theirs & ~mine),
        ("on both fronts", style.ORANGE, mine & theirs),
    )
    for name, colour, chosen in groups:
        x, y = values[chosen].T
        ax.scatter(x, y, s=7, color=colour, lw=0, label=name)
    record = assumed(metric)
    style.scale(ax, "x", record, values[:, 0])
    style.scale(ax, "y", record, values[:, 1])
    if agreement.kendall is not None:
        ax.set_title(f"τ = {agreement.kendall:.2f}", loc="left", fontsize=7)
