"""How a search came along: hypervolume and the best value of a metric over evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from analysis.view import RunLike, View, look
from evo_snn import pareto

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evo_snn.candidate import ObjectiveRecord

__all__ = ["plot_best", "plot_hypervolume"]

_MOST_LABELS = 12


def plot_hypervolume(
    data: RunLike | pd.DataFrame | View,
    ax: Axes | None = None,
    objectives: Sequence[ObjectiveRecord] | None = None,
) -> Axes:
    """Plot the hypervolume over the evaluations.

    For judging whether a search still gains: a curve that is flat over the last generations has
    converged, or is stuck. The value is the share of the run's box that the designs found so far
    dominate, costs on a log scale; compare it only between runs of one box. Faint lines end the
    generations.

    Args:
        data: a run, or a table as ``run.candidates()`` gives it. A table has no box: the range of
            its own ``ok`` candidates is taken, which no other table shares.
        ax: where to draw; new axes without it.
        objectives: what the metrics of a table mean, see :func:`analysis.view.look`.
    """
    view = look(data, objectives)
    with style.context():
        ax = style.axes(ax)
        ax.set(xlabel="Candidates evaluated", ylabel="Hypervolume")
        history = hypervolume_of(view)
        if history is None:
            return style.note(ax, "no feasible design was found")
        _draw_curve(ax, history)
        _mark_generations(ax, view, labels=True)
        ax.set_ylim(0, 1.05 * history[-1] or 1.0)
    return ax


def plot_best(
    data: RunLike | pd.DataFrame | View,
    metric: str | None = None,
    ax: Axes | None = None,
    objectives: Sequence[ObjectiveRecord] | None = None,
) -> Axes:
    """Plot the best value of a metric so far over the evaluations.

    For seeing what single candidates did: each grey dot is one that was measured, the line is the
    best of those that meet the constraints. Dots that rise with the generations mean that the
    whole population learns, not only its best member. Faint lines end the generations.

    Args:
        data: a run, or a table as ``run.candidates()`` gives it.
        metric: what to follow; the first objective without it.
        ax: where to draw; new axes without it.
        objectives: what the metrics of a table mean, see :func:`analysis.view.look`.

    Raises:
        RequestError: there is no such metric.
    """
    view = look(data, objectives)
    record = view.record("metric", metric or view.objectives[0].name)
    values = view.values(record.name)
    with style.context():
        ax = style.axes(ax)
        ax.set(xlabel="Candidates evaluated", ylabel=style.label(record))
        measured = np.isfinite(values)
        if not measured.any():
            return style.note(ax, "no candidate has been measured")
        style.scale(ax, "y", record, values[measured])
        number = np.arange(1, len(values) + 1)
        ax.scatter(number[measured], values[measured], s=5, c=style.PALE, lw=0)
        _draw_curve(ax, _best_so_far(np.where(view.ok, values, np.nan), record.maximise))
        _mark_generations(ax, view)
    return ax


def hypervolume_of(view: View) -> NDArray[np.float64] | None:
    """Return the hypervolume after each candidate of a view.

    Returns:
        (N,), never decreasing, or None where no ``ok`` candidate has all objectives. An objective
        without extent in a box that is made of the candidates is left out.
    """
    records = view.objectives
    F = view.oriented(records)
    F[~view.ok] = np.nan
    if not np.isfinite(F).all(axis=1).any():
        return None
    if view.box is not None:
        box = np.array([view.box[record.name] for record in records], dtype=float).T
        best, worst = pareto.oriented(
            box, [record.maximise for record in records], [record.log for record in records]
        )
    else:
        usable = F[np.isfinite(F).all(axis=1)]
        best, worst = usable.min(axis=0), usable.max(axis=0)
        varied = best < worst
        if not varied.any():
            return np.isfinite(F).all(axis=1).cumsum().clip(0, 1).astype(float)
        F, best, worst = F[:, varied], best[varied], worst[varied]
    return pareto.hypervolume_history(pareto.normalised(F, best, worst))


def _best_so_far(values: NDArray[np.float64], maximise: bool) -> NDArray[np.float64]:
    """(N,) running best; NaN before the first measured value."""
    return np.fmax.accumulate(values) if maximise else np.fmin.accumulate(values)


def _draw_curve(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw a value that holds from one evaluation to the next."""
    number = np.arange(1, len(values) + 1)
    marker = "o" if len(values) == 1 else None
    ax.step(number, values, where="post", color=style.BLUE, marker=marker, ms=4)
    ax.set_xlim(0, len(values) + max(1, 0.01 * len(values)))


def _mark_generations(ax: Axes, view: View, labels: bool = False) -> None:
    """Draw a faint line at the end of each generation, and number the generations above."""
    if "generation" not in view.table or view.table.empty:
        return
    generation = view.table["generation"].to_numpy()
    last = {int(number): end for end, number in enumerate(generation, start=1)}
    ends = np.array(sorted(last.values()))
    step = -(-len(ends) // _MOST_LABELS)
    for end in ends[step - 1 : -1 : step]:
        ax.axvline(end + 0.5, color=style.PALE, lw=0.4, zorder=0)
    if not labels:
        return
    middles = (np.concatenate([[0], ends[:-1]]) + ends + 1) / 2
    top = ax.secondary_xaxis("top")
    top.set_xticks(middles[::step], [str(number) for number in sorted(last)[::step]])
    top.tick_params(length=0, pad=1, labelsize=7)
    top.spines[:].set_visible(False)
    top.set_xlabel("Generation", fontsize=8)
