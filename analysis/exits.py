"""Early exits: accuracy and cost as the confidence moves that ends an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import style
from genomes.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["figure_of_exits"]

_COSTS = {"energy_uj": "Energy", "latency_ms": "Latency"}


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
        left.plot(rows[length], 100 * rows["accuracy"], "o-", ms=3, color=style.BLUE)
        for _, row in rows.iterrows():
            left.annotate(
                f"{row['confidence']:g}",
                (row[length], 100 * row["accuracy"]),
                xytext=(3, -8),
                textcoords="offset points",
                fontsize=6,
            )
        whole = rows.iloc[-1]
        for name, label in _COSTS.items():
            right.plot(rows["confidence"], 100 * rows[name] / whole[name], "o-", ms=3, label=label)
        if own is not None:
            right.axvline(own, color=style.ORANGE, lw=1, label="of the search")
        right.set_ylim(bottom=0)
        right.legend()
        left.set_xlabel("Mean time steps" if kind == "time" else "Mean layers")
        left.set_ylabel("Validation accuracy (%)")
        right.set_xlabel("Confidence that ends an inference")
        right.set_ylabel("% of the largest confidence's")
    return figure
