"""What a chip's parameters and a workload's facts do to a cost: sweeps and sensitivities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import style
from analysis.breakdowns import explain, name_rows, row_height
from analysis.costs import OTHER, QUANTITIES, colours_of
from analysis.view import assumed
from genomes.errors import RequestError
from hardware.variants import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from hardware import Point, Sensitivity

__all__ = ["figure_of_sensitivity", "figure_of_sweep"]

_LEAST_OF_A_CURVE = 3
_LOG_SPAN = 8  # of whole numbers, above which they are drawn on a scale of powers of two
_MOST_WRITTEN = 150  # cells of a map whose values are written
_MOST_PARAMETERS = 12
_KEYS = 2
_LABELS = {
    "input_rate": "Spikes per neuron and step",
    "rate_scale": "Factor on spike rates",
    "timesteps": "Time steps",
    "mean_timesteps": "Mean time steps",
    "weight_bits": "Bits of a weight",
    "neuron_state_bits": "Bits of a neuron's state",
}


def figure_of_sweep(points: Sequence[Point], title: str = "") -> Figure:
    """Draw a sweep of one workload, for seeing what a parameter buys.

    One key: area, energy and latency over its values, from zero up, in the components' colours;
    numbers as surfaces that are straight between the points, which dots mark, else as bars. Two
    keys: a map of each cost, bright where it is low.

    Args:
        points: of one grid with one or two keys, see `hardware.sweep`; what the chip's model
            refused is left out.
        title: What was swept of what.

    Raises:
        RequestError: there are no points, or the grid has more keys.
    """
    keys = list(points[0].values) if points else []
    if not 1 <= len(keys) <= _KEYS:
        raise RequestError("sweep", keys, "one or two keys to draw")
    with style.context():
        if len(keys) == 1:
            return _curves(points, keys[0], title)
        return _maps(points, keys, title)


def figure_of_sensitivity(found: Sequence[Sensitivity], title: str = "") -> Figure:
    """Draw what the parameters that matter most do, for seeing what to know well or to change.

    Above, numbers that step by little; below, choices and small whole numbers, from one to the
    next, on a scale of their own. A bar is the change of a cost in percent.

    Args:
        found: as `hardware.sensitivity` gives it, the largest effect first.
        title: What was costed on what.
    """
    felt = [each for each in found if each.effect > 0]
    groups = [
        ("A small step down (blue) or up (orange)", [each for each in felt if not each.is_coarse]),
        (
            "The choice or whole number before (blue) or after (orange)",
            [each for each in felt if each.is_coarse],
        ),
    ]
    drawn = [(name, rows[:_MOST_PARAMETERS]) for name, rows in groups if rows]
    with style.context():
        heights = [0.75 + row_height(len(rows)) * len(rows) for _, rows in drawn] or [1.0]
        figure = style.figure(style.PAGE, sum(heights) + 0.25)
        _entitle(figure, title)
        if not drawn:
            style.note(figure.subplots(), "no parameter has an effect")
            return figure
        rows_of_figures = figure.subfigures(len(drawn), 1, squeeze=False, height_ratios=heights)
        for (part,), (name, rows) in zip(rows_of_figures, drawn, strict=True):
            _tornado(part, name, rows)
    return figure


def _entitle(figure: Figure, title: str) -> None:
    if title:
        figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)


def _curves(points: Sequence[Point], key: str, title: str) -> Figure:
    """Draw the costs of a sweep over one key."""
    taken = [point for point in points if point.cost is not None]
    costs = [point.cost for point in taken if point.cost is not None]
    values = [point.values[key] for point in taken]
    palette = colours_of(costs)
    figure = style.figure(style.PAGE, 2.8)
    grid = figure.subplots(1, len(QUANTITIES))
    for ax, (quantity, breakdown) in zip(grid, QUANTITIES.items(), strict=True):
        parts = _parts([getattr(cost, breakdown) for cost in costs], palette)
        totals = np.array([getattr(cost, quantity) for cost in costs])
        if _is_curve(values):
            _draw_surfaces(ax, values, parts, totals, palette, log=key not in FACTS)
        else:
            _draw_columns(ax, values, parts, totals, palette)
        ax.set_ylim(0, 1.08 * float(totals.max()) or 1.0)
        ax.set_ylabel(style.label(assumed(quantity)))
        ax.set_xlabel(_key_label(key), parse_math=False)
    explain(figure, grid, palette, title)
    return figure


def _parts(
    tables: Sequence[Mapping[str, float]], palette: Mapping[str, str]
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Component → its part at every point; those without a colour as "other", zeros left out."""
    parts = {name: np.array([table.get(name, 0.0) for table in tables]) for name in palette}
    rest = [sum(part for name, part in table.items() if name not in palette) for table in tables]
    parts[OTHER] = np.array(rest)
    return {name: values for name, values in parts.items() if values.any()}


def _is_curve(values: Sequence[Any]) -> bool:
    """Whether values are enough different numbers to draw a curve over."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return numbers and len(set(values)) >= _LEAST_OF_A_CURVE


def _key_label(key: str) -> str:
    return _LABELS.get(key, style.plain(style.words(key), 40))


def _draw_surfaces(
    ax: Axes,
    values: Sequence[Any],
    parts: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]],
    totals: np.ndarray[Any, np.dtype[np.float64]],
    palette: Mapping[str, str],
    *,
    log: bool,
) -> None:
    order = np.argsort(values, kind="stable")
    x = np.array(values, dtype=float)[order]
    ax.stackplot(
        x,
        [part[order] for part in parts.values()],
        labels=[style.words(name) for name in parts],
        colors=[palette.get(name, style.PALE) for name in parts],
        edgecolor="white",
        linewidth=0.3,
    )
    ax.plot(x, totals[order], "o-", ms=3, lw=0.8, color=style.INK, clip_on=False, zorder=3)
    if log and x[0] > 0 and x[-1] / x[0] >= _LOG_SPAN:
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{each:g}" for each in x])
        ax.minorticks_off()
    ax.set_xlim(x[0], x[-1])


def _draw_columns(
    ax: Axes,
    values: Sequence[Any],
    parts: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]],
    totals: np.ndarray[Any, np.dtype[np.float64]],
    palette: Mapping[str, str],
) -> None:
    place = np.arange(len(values))
    base = np.zeros(len(values))
    for name, part in parts.items():
        colour, label = palette.get(name, style.PALE), style.words(name)
        ax.bar(place, part, 0.7, bottom=base, color=colour, label=label, edgecolor="white", lw=0.3)
        base += part
    for position, total in enumerate(totals):
        ax.text(position, total, style.number(float(total)), ha="center", va="bottom", fontsize=7)
    ax.set_xticks(place, [style.plain(value, 16) for value in values], parse_math=False)


def _maps(points: Sequence[Point], keys: Sequence[str], title: str) -> Figure:
    """Draw the costs of a sweep over two keys: rows the first, columns the second."""
    import seaborn as sns  # slow to import

    across = list(dict.fromkeys(style.plain(point.values[keys[1]], 12) for point in points))
    down = list(dict.fromkeys(style.plain(point.values[keys[0]], 12) for point in points))
    figure = style.figure(style.PAGE, min(7.0, 1.1 + 0.24 * len(down)))
    _entitle(figure, title)
    grid = figure.subplots(1, len(QUANTITIES), sharey=True)
    for ax, quantity in zip(grid, QUANTITIES, strict=True):
        frame = pd.DataFrame(np.nan, index=down, columns=across)
        for point in points:
            if point.cost is not None:
                row, column = (style.plain(point.values[key], 12) for key in keys)
                frame.loc[row, column] = getattr(point.cost, quantity)
        written = frame.size <= _MOST_WRITTEN and len(across) <= len(QUANTITIES) * 2
        sns.heatmap(
            frame,
            ax=ax,
            annot=frame.map(style.number) if written else False,
            fmt="",
            annot_kws={"fontsize": 6},
            cmap="viridis_r",
            cbar=not written,
            linewidths=0.3,
            mask=frame.isna(),
        )
        ax.set_title(style.label(assumed(quantity)))
        ax.set_xlabel(_key_label(keys[1]), parse_math=False)
        ax.set_ylabel("")
        ax.tick_params(length=0, rotation=0)
    grid[0].set_ylabel(_key_label(keys[0]), parse_math=False)
    return figure


def _tornado(figure: Figure | SubFigure, name: str, rows: Sequence[Sensitivity]) -> None:
    grid = figure.subplots(1, len(QUANTITIES), sharey=True)
    position = np.arange(len(rows))
    for ax, quantity in zip(grid, QUANTITIES, strict=True):
        for offset, colour, which in ((-0.19, style.BLUE, "low"), (0.19, style.ORANGE, "high")):
            steps = [getattr(row, which) for row in rows]
            changes = [0.0 if step is None else 100 * step.changes[quantity] for step in steps]
            ax.barh(position + offset, changes, height=0.36, color=colour)
        ax.axvline(0, color=style.INK, lw=0.6)
        ax.spines["left"].set_visible(False)
        ax.margins(x=0.08)
        ax.set_xlabel(f"{style.title(quantity).partition(' ')[0]} (% change)")
    grid[0].set_title(name, loc="left")
    name_rows(grid, [_row_name(row) for row in rows], longest=40)


def _row_name(row: Sensitivity) -> str:
    """A parameter's key, and where it steps far also from where to where."""
    if not row.is_coarse:
        return row.name
    steps = [None if each is None else each.value for each in (row.low, row.high)]
    places = (steps[0], f"[{row.value}]", steps[1])
    return f"{row.name}: {' '.join(str(place) for place in places if place is not None)}"
