"""Early exits: accuracy and cost as the confidence moves that ends an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import style
from genomes.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figure_of_exits"]

_COSTS = {"energy_uj": "Energy", "latency_ms": "Latency"}
_LEAST_SPAN = 4.0  # points of accuracy that the axis shows, so that noise looks like noise
_APART = 0.07  # of the axis, between points whose confidence is written


def figure_of_exits(
    rows: pd.DataFrame, kind: str, own: float | None = None, title: str = ""
) -> Figure:
    """Draw accuracy over the mean length of an inference, and what that length saves.

    Args:
        rows: of `evo_snn.early_exits.Exits`.
        kind: ``time`` or ``depth``.
        own: the confidence that the design was searched with, which is marked.
        title: what was measured.

    Raises:
        RequestError: there are no rows.
    """
    if rows.empty:
        raise RequestError("exits", "no rows", "one or more confidences to draw")
    rows = rows.sort_values("confidence")
    length = "mean_time_steps" if kind == "time" else "mean_layers"
    with style.context():
        figure = style.figure(style.PAGE, 2.4)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        left, right = figure.subplots(1, 2)
        accuracy = 100 * rows["accuracy"]
        left.plot(rows[length], accuracy, "o-", ms=3, color=style.BLUE)
        _label(left, rows[length], accuracy, rows["confidence"])
        left.set_ylim(min(accuracy.min(), accuracy.max() - _LEAST_SPAN) - 0.5, accuracy.max() + 1)
        whole = rows.iloc[-1]
        for (name, label), colour in zip(_COSTS.items(), style.CATEGORIES[1:], strict=False):
            share = 100 * rows[name] / whole[name]
            right.plot(rows["confidence"], share, "o-", ms=3, color=colour, label=label)
        if own is not None:
            right.axvline(own, color=style.CATEGORIES[-1], lw=1, ls=":", label="As searched")
        right.set_ylim(bottom=0)
        right.legend()
        left.set_xlabel("Mean time steps" if kind == "time" else "Mean layers")
        left.set_ylabel("Validation accuracy (%)")
        right.set_xlabel("Confidence that ends an inference")
        right.set_ylabel(f"Cost (% of confidence {whole['confidence']:g})")
    return figure


def _label(ax: Axes, x: pd.Series, y: pd.Series, confidences: pd.Series) -> None:
    """Write the confidence beside each point that is far enough from the last one written."""
    apart = _APART * max(float(x.max() - x.min()), 1e-9)
    last: float | None = None
    for place, height, confidence in zip(x, y, confidences, strict=True):
        if last is not None and place - last < apart:
            continue
        last = place
        ax.annotate(
            f"{confidence:g}",
            (place, height),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=6,
        )
