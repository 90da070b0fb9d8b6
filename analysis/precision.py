"""A design over time steps and weight bits as maps of accuracy and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import style
from genomes.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figure_of_precision"]

_MAPS = {
    "accuracy": "Accuracy, post-training",
    "tuned_accuracy": "Accuracy, tuned",
    "energy_uj": "Energy per inference",
    "latency_ms": "Latency",
}
_UNITS = {"energy_uj": ("µJ", "nJ", "pJ"), "latency_ms": ("ms", "µs", "ns")}
_MOST_WRITTEN = 12  # time steps of a map whose values are written


def figure_of_precision(
    cells: pd.DataFrame, own: tuple[int, int] | None = None, title: str = ""
) -> Figure:
    """Draw how accuracy and cost change with both precisions, for seeing how few bits do.

    One map each of accuracy and cost: columns are time steps, rows bits, the widest on top. Bright
    is good: high accuracy, low cost. Maps of accuracy share their colours.

    Args:
        cells: of `evo_snn.precision.Precision`.
        own: time steps and bits of the design as it is, which get a frame.
        title: what was measured.

    Raises:
        RequestError: there are no cells.
    """
    if cells.empty:
        raise RequestError("precision", "no cells", "one or more cells to draw")
    drawn = [name for name in _MAPS if name in cells]
    with style.context():
        rows = cells["weight_bits"].nunique()
        figure = style.figure(style.PAGE, 1.1 + 0.28 * rows)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        grid = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
        for ax, name in zip(grid, drawn, strict=True):
            _map(ax, cells, name, own)
        grid[0].set_ylabel("Bits of a weight")
    return figure


def _map(ax: Axes, cells: pd.DataFrame, name: str, own: tuple[int, int] | None) -> None:
    import seaborn as sns  # slow to import

    table = cells.pivot_table(index="weight_bits", columns="time_steps", values=name)
    table = table.sort_index(ascending=False)
    accuracy = name.endswith("accuracy")
    table, unit = (100 * table, "%") if accuracy else _readable(table, _UNITS[name])
    every = (
        cells[[one for one in _MAPS if one.endswith("accuracy") and one in cells]].to_numpy() * 100
    )
    written = len(table.columns) <= _MOST_WRITTEN
    shown = (lambda value: f"{value:.0f}") if accuracy else style.number
    sns.heatmap(
        table,
        ax=ax,
        vmin=float(every.min()) if accuracy else None,
        vmax=float(every.max()) if accuracy else None,
        annot=table.map(shown) if written else False,
        fmt="",
        annot_kws={"fontsize": 6},
        cmap="viridis" if accuracy else "viridis_r",
        cbar=not written,
        linewidths=0.3,
    )
    ax.set_title(f"{_MAPS[name]} ({unit})")
    ax.set_xlabel("Time steps")
    ax.set_ylabel("")
    ax.tick_params(length=0, rotation=0)
    if own is not None and own[1] in table.index and own[0] in table.columns:
        from matplotlib.patches import Rectangle

        corner = ([*table.columns].index(own[0]), [*table.index].index(own[1]))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=style.ORANGE, lw=1.2, clip_on=False))


def _readable(table: pd.DataFrame, units: tuple[str, ...]) -> tuple[pd.DataFrame, str]:
    """A table in the largest unit, each a thousandth of the one before, in which it reaches 1."""
    for power, unit in enumerate(units):
        if float(table.to_numpy().max()) * 1000**power >= 1 or unit == units[-1]:
            break
    return table * 1000**power, unit
