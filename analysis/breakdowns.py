"""The cost of workloads as figures: by component of the chip, and by layer and component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from analysis.costs import OTHER, QUANTITIES, colours_of, draw_stacks
from analysis.view import assumed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

    from hardware import Cost, Detail

__all__ = ["explain", "figure_of_cost", "figure_of_costs", "name_rows", "row_height"]

_ROW, _MOST_ROWS, _LABEL = 0.2, 7.0, 0.13  # inches
_SHOWN = 0.05  # of a share, that is written at its bar


def figure_of_cost(cost: Cost, detail: Detail, title: str = "") -> Figure:
    """Draw the cost of one workload, for seeing what to improve on chip and network.

    Above, what each component of the chip takes of area, energy and latency, with its share.
    Below, the same by layer, from the input at the top to the read-out at the bottom, in the
    components' colours: a layer's leakage is that of the whole chip while it runs. Where a layer
    shares tiles with others it has no area of its own, and area by layer knows no components.

    Args:
        cost: The cost.
        detail: Its product of layers and components, see `hardware.details`.
        title: What was costed on what.
    """
    palette = colours_of([cost])
    names = _components(cost, palette)
    layers = len(detail.layers)
    heights = 0.5 + _ROW * len(names), 0.5 + row_height(layers) * layers
    with style.context():
        figure = style.figure(style.PAGE, sum(heights) + (0.25 if title else 0.0))
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        _draw_components(above, cost, names, palette)
        _draw_layers(below, cost, detail, palette)
    return figure


def figure_of_costs(costs: Mapping[str, Cost], title: str = "") -> Figure:
    """Draw the costs of several workloads, for comparing them: a bar each, by component.

    Args:
        costs: What to call each → its cost.
        title: What was costed on what.
    """
    palette = colours_of(list(costs.values()))
    count = len(costs)
    with style.context():
        figure = style.figure(style.PAGE, 1.0 + row_height(count) * count)
        grid = figure.subplots(1, len(QUANTITIES), sharey=True)
        for ax, (quantity, breakdown) in zip(grid, QUANTITIES.items(), strict=True):
            parts = [getattr(cost, breakdown) for cost in costs.values()]
            draw_stacks(ax, parts, np.ones(count), palette)
            ax.set_xlabel(style.label(assumed(quantity)))
            ax.margins(x=0.02)
        name_rows(grid, list(costs))
        explain(figure, grid, palette, title)
    return figure


def row_height(count: int) -> float:
    """Height in inches of one of `count` rows: less where there are very many."""
    return min(_ROW, _MOST_ROWS / max(1, count))


def name_rows(grid: Sequence[Axes], names: Sequence[str], longest: int = 24) -> None:
    """Name the rows that axes share, from top to bottom; every few where there are very many."""
    ax = grid[0]
    step = int(np.ceil(_LABEL / row_height(len(names))))
    shown = range(0, len(names), step)
    ax.set_yticks(
        list(shown), [style.plain(names[row], longest) for row in shown], parse_math=False
    )
    ax.set_ylim(len(names) - 0.5, -0.5)
    for each in grid:
        each.tick_params(axis="y", length=0)


def _components(cost: Cost, palette: Mapping[str, str]) -> list[str]:
    """Components that take anything, those with a colour first, "other" last."""
    tables = [getattr(cost, breakdown) for breakdown in QUANTITIES.values()]
    taking = [name for table in tables for name, part in table.items() if part > 0]
    ordered = [name for name in [*palette, *taking] if name in taking and name != OTHER]
    return list(dict.fromkeys([*ordered, *(name for name in taking if name == OTHER)]))


def _draw_components(
    figure: Figure | SubFigure, cost: Cost, names: Sequence[str], palette: Mapping[str, str]
) -> None:
    grid = figure.subplots(1, len(QUANTITIES), sharey=True)
    colours = [palette.get(name, style.PALE) for name in names]
    for ax, (quantity, breakdown) in zip(grid, QUANTITIES.items(), strict=True):
        table = getattr(cost, breakdown)
        parts = np.array([table.get(name, 0.0) for name in names])
        ax.barh(range(len(names)), parts, height=0.75, color=colours)
        total = getattr(cost, quantity)
        record = assumed(quantity)
        text = f"{style.title(quantity)}: {style.number(total)} {style.unit(record)}"
        ax.set_title(text, loc="left")
        _write_shares(ax, parts, total)
    name_rows(grid, [style.words(name) for name in names])


def _write_shares(ax: Axes, parts: NDArray[np.float64], total: float) -> None:
    """Write shares at the bars' ends, and leave room for them."""
    for row, part in enumerate(parts):
        if part > 0:
            share = 100 * part / total
            text = f" {share:.0f} %" if share >= 1 else " < 1 %"
            ax.text(part, row, text, va="center", ha="left", fontsize=7)
    ax.set_xlim(0, 1.25 * float(parts.max()) or 1.0)


def _draw_layers(
    figure: Figure | SubFigure, cost: Cost, detail: Detail, palette: Mapping[str, str]
) -> None:
    grid = figure.subplots(1, len(QUANTITIES), sharey=True)
    areas = [layer.area_mm2 for layer in cost.layers]
    if any(area is not None for area in areas):
        own = [np.nan if area is None else area for area in areas]
        grid[0].barh(range(len(own)), own, height=0.75, color=style.GREY)
        for row, area in enumerate(areas):
            if area is None:
                grid[0].text(0, row, " shares tiles", va="center", fontsize=6, color=style.GREY)
        grid[0].set_xlim(0, 1.05 * float(np.nanmax(own)) or 1.0)
    else:
        grid[0].set_xticks([])
        text = "no area of their own:\nlayers share tiles"
        place = {"transform": grid[0].transAxes, "ha": "center", "va": "center"}
        grid[0].text(0.5, 0.5, text, color=style.GREY, **place)
    for ax, table in ((grid[1], detail.energy_uj), (grid[2], detail.latency_ms)):
        rows = [
            {name: parts[row] for name, parts in table.items()} for row in range(len(detail.layers))
        ]
        draw_stacks(ax, rows, np.ones(len(rows)), palette)
        ax.set_xlim(left=0)
    for ax, quantity in zip(grid, QUANTITIES, strict=True):
        name = style.title(quantity).partition(" ")[0]
        ax.set_xlabel(f"{name} by layer ({style.unit(assumed(quantity))})")
    name_rows(grid, detail.layers)


def explain(
    figure: Figure, grid: Sequence[Axes], palette: Mapping[str, str], title: str = ""
) -> None:
    """Name the components above, in the palette's order, under what is drawn."""
    marks = {
        text: mark
        for ax in grid
        for mark, text in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    order = [text for text in map(style.words, [*palette, OTHER]) if text in marks]
    if order:
        handles = [marks[text] for text in order]
        made = figure.legend(handles, order, loc="outside upper center", ncols=min(5, len(order)))
        if title:
            made.set_title(style.plain(title, 100))
            made.get_title().set(fontsize=8, parse_math=False)
