"""All figures of a run, as files that can go into a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analysis import style
from analysis.convergence import plot_best, plot_hypervolume
from analysis.costs import (
    OTHER,
    QUANTITIES,
    chosen,
    colours_of,
    knee_of,
    plot_components,
    plot_layers,
)
from analysis.fronts import plot_front, plot_pairs, plot_parallel
from analysis.view import RunLike, View, look
from genomes.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save_figures"]

_MOST_COLUMNS = 3


def save_figures(run: RunLike, folder: str | Path | None = None) -> list[Path]:
    """Write the figures of a run as PNG at 300 dpi.

    ``front.png``: the first objective against each of the others. ``pairs.png``: every objective
    against every other. ``parallel.png``: the front in all objectives. ``convergence.png``:
    hypervolume and the best first objective over evaluations. ``costs.png``: what components and
    layers contribute. A run without a feasible design gives the same files, which say so. No
    setting of matplotlib is changed and no figure stays open.

    Args:
        run: a run, finished or not.
        folder: where to write; the folder ``figures`` in the run's folder without it.

    Returns:
        The files written, in the order above.

    Raises:
        RequestError: ``figures`` in the run's folder is a link, as a stranger's may be.
    """
    target = Path(folder) if folder is not None else run.folder / "figures"
    if folder is None and target.is_symlink():
        remedy = "Name another folder, or put the folder itself in its place."
        raise RequestError("run folder", str(target), "no symbolic link", remedy)
    target.mkdir(parents=True, exist_ok=True)
    view = look(run)
    paths = []
    with style.context():
        for name, figure in (
            ("front", _front(view)),
            ("pairs", _pairs(view)),
            ("parallel", _parallel(view)),
            ("convergence", _convergence(view)),
            ("costs", _costs(run, view)),
        ):
            if view.leaky and name != "costs":  # which shows no accuracy
                text = style.plain(f"Accuracies flatter: {view.leaky}", 90)
                figure.supxlabel(text, fontsize=6.5, color=style.ORANGE, parse_math=False)
            path = target / f"{name}.png"
            path.unlink(missing_ok=True)  # a link to elsewhere, where it is one
            figure.savefig(path, dpi=style.DPI)
            paths.append(path)
    return paths


def _front(view: View) -> Figure:
    """Draw the first objective against each of the others."""
    first, *others = view.objectives
    rows = max(1, -(-len(others) // _MOST_COLUMNS))
    columns = max(1, -(-len(others) // rows))
    width = style.PAGE if columns > 1 else style.COLUMN
    figure = style.figure(width, 0.45 + 2.2 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for ax, other in zip(grid, others, strict=False):
        plot_front(view, x=other.name, y=first.name, ax=ax, legend=False)
        if not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
    for ax in grid[len(others) :]:
        ax.set_axis_off()
    if not others:
        style.note(grid[0], "one objective: there is no front to draw")
    entries = _legend_of(grid)
    if entries:
        figure.legend(
            entries.values(), entries.keys(), loc="outside upper center", ncols=len(entries)
        )
    return figure


def _pairs(view: View) -> Figure:
    """Draw every objective against every other."""
    size = min(style.PAGE, 1.2 + 1.5 * len(view.objectives))
    figure = style.figure(size, size)
    plot_pairs(view, figure)
    return figure


def _parallel(view: View) -> Figure:
    """Draw the front in all objectives."""
    figure = style.figure(style.PAGE, 2.8)
    plot_parallel(view, figure.subplots())
    return figure


def _convergence(view: View) -> Figure:
    """Draw hypervolume above the best first objective, over the same evaluations."""
    figure = style.figure(style.COLUMN, 3.8)
    above, below = figure.subplots(2, 1, sharex=True)
    plot_hypervolume(view, above)
    plot_best(view, ax=below)
    above.set_xlabel("")
    figure.align_ylabels()
    return figure


def _costs(run: RunLike, view: View) -> Figure:
    """Draw the breakdowns of the chosen designs, and of the knee's layers."""
    roles = chosen(view)
    costs = {key: run.cost(key) for key in roles}
    knee = knee_of(roles)
    layers = len(costs[knee].layers) if knee else 2
    heights = 1.1 + 0.4 * max(2, len(roles)), 0.8 + 0.32 * layers
    figure = style.figure(style.PAGE, sum(heights))
    (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
    palette = colours_of(list(costs.values()))
    grid = above.subplots(1, len(QUANTITIES), sharey=True)
    for ax, quantity in zip(grid, QUANTITIES, strict=True):
        plot_components(run, quantity, roles, ax, palette, legend=False)
        ax.label_outer(remove_inner_ticks=False)
    named = _legend_of(grid)
    order = [text for text in map(style.words, [*palette, OTHER]) if text in named]
    if order:
        handles = [named[text] for text in order]
        above.legend(handles, order, loc="outside upper center", ncols=min(5, len(order)))
    plot_layers(run, knee, below.subplots())
    return figure


def _legend_of(grid: Iterable[Axes]) -> dict[str, Artist]:
    """Return text → mark of all that several axes would explain, each once."""
    return {
        text: mark
        for ax in grid
        for mark, text in zip(*ax.get_legend_handles_labels(), strict=True)
    }
