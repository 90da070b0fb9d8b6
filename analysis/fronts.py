"""Fronts as figures: in two objectives, in all pairs of them, and in all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from analysis.view import RunLike, View, look

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evo_snn.candidate import ObjectiveRecord

__all__ = ["plot_front", "plot_pairs", "plot_parallel"]

_FEWEST_IN_CELL = 2
"""Labels that an axis of a small cell must have; there is room for few more."""


def plot_front(
    data: RunLike | pd.DataFrame | View,
    x: str = "area_mm2",
    y: str = "accuracy",
    ax: Axes | None = None,
    objectives: Sequence[ObjectiveRecord] | None = None,
    legend: bool = True,
) -> Axes:
    """Plot what one metric costs in another.

    For seeing the trade-off that a reader asks about first. Each point is a candidate. The orange
    staircase is the front of these two metrics alone: nothing found lies beyond it. Blue points
    are on the front of *all* objectives: they look beaten here and win in an objective that this
    plot does not show. Grey points are beaten in every respect; crosses break a constraint.

    Args:
        data: a run, or a table as ``run.candidates()`` gives it.
        x: the metric to the right, an objective or any other; costs are on a log scale.
        y: the metric upwards.
        ax: where to draw; new axes without it.
        objectives: what the metrics of a table mean, see :func:`analysis.view.look`.
        legend: whether to explain the marks.

    Raises:
        RequestError: there is no such metric.
    """
    view = look(data, objectives)
    pair = view.record("x", x), view.record("y", y)
    with style.context():
        ax = style.axes(ax)
        points = view.table[[x, y]].to_numpy(dtype=float)
        drawn = np.isfinite(points).all(axis=1)
        ax.set(xlabel=style.label(pair[0]), ylabel=style.label(pair[1]))
        if not drawn.any():
            return style.note(ax, "no candidate has been measured")
        style.scale(ax, "x", pair[0], points[drawn, 0])
        style.scale(ax, "y", pair[1], points[drawn, 1])
        _draw_points(ax, view, points, drawn)
        _draw_staircase(ax, view, points, pair)
        if legend:
            ax.legend(loc="best")
    return ax


def plot_pairs(
    data: RunLike | pd.DataFrame | View,
    figure: Figure | None = None,
    objectives: Sequence[ObjectiveRecord] | None = None,
) -> NDArray[np.object_]:
    """Plot every objective against every other, the front highlighted.

    For seeing which objectives pull together and which conflict: a thin band of points means that
    one follows from the other, a cloud whose blue edge bends means a real choice. Blue is the
    front of all objectives, grey the other ``ok`` candidates; the diagonal shows how often each
    value occurs among both.

    Args:
        data: a run, or a table as ``run.candidates()`` gives it.
        figure: an empty figure to draw in; a new one without it.
        objectives: what the metrics of a table mean, see :func:`analysis.view.look`.

    Returns:
        (M, M) array of Axes, None above the diagonal.
    """
    view = look(data, objectives)
    count = len(view.objectives)
    with style.context():
        size = min(style.PAGE, 1.2 + 1.5 * count)
        if figure is None:
            from matplotlib import pyplot as plt

            figure = plt.figure(figsize=(size, size), layout="constrained")
        grid = np.full((count, count), None, dtype=object)
        for row, column in ((r, c) for r in range(count) for c in range(r + 1)):
            place = row * count + column + 1
            shared = grid[row - 1, column] if row else None
            ax = grid[row, column] = figure.add_subplot(count, count, place, sharex=shared)
            _draw_cell(ax, view, view.objectives[column], view.objectives[row])
            _label_cell(ax, view, row, column)
        _key_of_pairs(figure, view)
        figure.align_labels()
    return grid


def plot_parallel(
    data: RunLike | pd.DataFrame | View,
    ax: Axes | None = None,
    objectives: Sequence[ObjectiveRecord] | None = None,
) -> Axes:
    """Plot the front in all objectives at once, one line a design.

    For choosing a design: each vertical line is an objective, with the front's best value at its
    top and the worst at its bottom (costs on a log scale). Up is always better. Lines that cross
    between two neighbours mean that these two conflict. Colour follows the designs' order in the
    first objective, bright the best, so a design can be traced across the figure.

    Args:
        data: a run, or a table as ``run.candidates()`` gives it.
        ax: where to draw; new axes without it.
        objectives: what the metrics of a table mean, see :func:`analysis.view.look`.
    """
    view = look(data, objectives)
    with style.context():
        from matplotlib import colormaps
        from matplotlib.collections import LineCollection

        ax = style.axes(ax, width=style.PAGE)
        ax.spines[:].set_visible(False)
        ax.set(xlim=(-0.2, len(view.objectives) - 0.8), ylim=(-0.02, 1.02), yticks=[])
        names = [style.label(record, newline=True) for record in view.objectives]
        ax.set_xticks(range(len(names)), names)
        ax.tick_params(axis="x", length=0, pad=14, labelsize=8)
        if not view.front.any():
            return style.note(ax, "no feasible design was found")
        height = _heights(view.oriented(view.objectives)[view.front])
        height = height[np.argsort(height[:, 0], kind="stable")]
        lines = [np.column_stack([np.arange(len(names)), row]) for row in height]
        # The brightest end of viridis is lost on white paper.
        colours = colormaps["viridis"](np.linspace(0, 0.92, len(lines)))
        ax.add_collection(LineCollection(lines, colors=colours, linewidths=0.9, alpha=0.8))
        for position, record in enumerate(view.objectives):
            _draw_scale(ax, position, view.values(record.name)[view.front], record.maximise)
        ax.set_ylabel("better →", color=style.GREY)
    return ax


def _draw_points(
    ax: Axes, view: View, points: NDArray[np.float64], drawn: NDArray[np.bool_]
) -> None:
    """Draw the layers of a front's plot from the least to the most important."""
    x, y, count = points[:, 0], points[:, 1], len(view.objectives)
    wanting = drawn & ~view.ok
    if wanting.any():
        name = "infeasible" if view.front.any() else "infeasible (no feasible design was found)"
        ax.scatter(x[wanting], y[wanting], s=9, c=style.PALE, marker="x", lw=0.6, label=name)
    beaten = drawn & view.ok & ~view.front
    if beaten.any():
        ax.scatter(x[beaten], y[beaten], s=9, c=style.PALE, lw=0, label="dominated")
    best = drawn & view.front
    if best.any() and count > 2:  # noqa: PLR2004  # of two, the staircase is all
        name = f"front of all {count} objectives"
        ax.scatter(x[best], y[best], s=12, c=style.BLUE, lw=0, alpha=0.85, label=name, zorder=3)


def _draw_staircase(
    ax: Axes,
    view: View,
    points: NDArray[np.float64],
    pair: tuple[ObjectiveRecord, ObjectiveRecord],
) -> None:
    """Draw the front of two metrics alone."""
    corners = points[view.nondominated(pair)]
    if not len(corners):
        return
    along = corners[:, 0] if not pair[0].maximise else -corners[:, 0]
    corners = corners[np.argsort(along, kind="stable")]
    ax.step(
        corners[:, 0],
        corners[:, 1],
        where="post",
        color=style.ORANGE,
        marker="o",
        markersize=3.6,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label="front of these two",
        zorder=4,
    )


def _draw_cell(ax: Axes, view: View, across: ObjectiveRecord, up: ObjectiveRecord) -> None:
    """Draw one cell of the pair plot: a histogram on the diagonal, points below it."""
    import seaborn as sns  # slow to import

    x, y = view.values(across.name), view.values(up.name)
    drawn = view.ok & np.isfinite(x) & np.isfinite(y)
    if not drawn.any():
        style.note(ax, "not measured" if view.ok.any() else "no feasible\ndesign found")
        return
    style.scale(ax, "x", across, x[drawn], fewest=_FEWEST_IN_CELL)
    if across is up and np.ptp(x[drawn]) == 0:
        ax.axvline(x[drawn][0], color=style.BLUE, lw=4)
        return
    if across is up:
        sns.histplot(
            x=x[drawn],
            hue=np.where(view.front[drawn], "front", "dominated"),
            hue_order=["front", "dominated"],
            palette=[style.BLUE, style.PALE],
            multiple="stack",
            bins=12,
            linewidth=0.3,
            alpha=1,
            legend=False,
            ax=ax,
        )
        return
    style.scale(ax, "y", up, y[drawn], fewest=_FEWEST_IN_CELL)
    for rows, colour in ((drawn & ~view.front, style.PALE), (drawn & view.front, style.BLUE)):
        sns.scatterplot(x=x[rows], y=y[rows], color=colour, s=9, linewidth=0, ax=ax)


def _label_cell(ax: Axes, view: View, row: int, column: int) -> None:
    """Name the axes at the grid's rim only."""
    last = len(view.objectives) - 1
    ax.set(xlabel="", ylabel="")
    if row == last:
        ax.set_xlabel(style.label(view.objectives[column], newline=True))
    else:
        ax.tick_params(labelbottom=False)
    if row == column:
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    elif column == 0:
        ax.set_ylabel(style.label(view.objectives[row], newline=True))
    else:
        ax.tick_params(labelleft=False)


def _key_of_pairs(figure: Figure, view: View) -> None:
    """Explain the pair plot's colours in its empty corner."""
    from matplotlib.lines import Line2D

    front, ok = int(view.front.sum()), int(view.ok.sum())
    counts = ((style.BLUE, f"front ({front})"), (style.PALE, f"dominated ({ok - front})"))
    handles = [Line2D([], [], ls="", marker="o", ms=4, color=c, label=text) for c, text in counts]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)


def _heights(F: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, M) minimised objectives → height on the axis: 1 the best, 0 the worst, 0.5 if alike.

    A cost of exactly zero, infinitely good on a log scale, is put at the top.
    """
    finite = np.where(np.isfinite(F), F, np.nan)
    low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        height = (high - F) / (high - low)
    return np.where(low == high, 0.5, np.clip(height, 0.0, 1.0))


def _draw_scale(ax: Axes, position: int, values: NDArray[np.float64], maximise: bool) -> None:
    """Draw one axis of the parallel coordinates, with its real values at both ends."""
    ax.plot([position, position], [0, 1], color=style.INK, lw=0.7, zorder=3)
    worst, best = sorted((values.min(), values.max()), reverse=not maximise)
    ends = [(0.5, best)] if worst == best else [(1.0, best), (0.0, worst)]
    for height, value in ends:
        above = height > 0
        ax.annotate(
            style.number(float(value)),
            (position, height),
            xytext=(0, 3 if above else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7,
        )
