"""Spike activity by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from genomes.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["plot_activity"]

_LONGEST = 24  # characters of a layer's name


def plot_activity(rates: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw what each layer reads and fires, for seeing where energy goes and what is silent.

    Layers stand from the first, on top, to the last. Blue is the share of its input's bit lines
    that are 1, orange the spikes of a neuron in a time step; a read-out fires none.

    Args:
        rates: layer name → (input rate, spike rate), both from 0 to 1.
        ax: where to draw.

    Raises:
        RequestError: there are no layers.
    """
    if not rates:
        raise RequestError("rates", dict(rates), "one or more layers to draw")
    with style.context():
        ax = style.axes(ax, height=0.8 + 0.24 * len(rates))
        place = np.arange(len(rates))
        for offset, colour, index, label in (
            (-0.19, style.BLUE, 0, "Inputs that are 1"),
            (0.19, style.ORANGE, 1, "Spikes a neuron"),
        ):
            values = [pair[index] for pair in rates.values()]
            ax.barh(place + offset, values, height=0.36, color=colour, label=label)
            for position, value in zip(place + offset, values, strict=True):
                if value > 0:
                    ax.text(value, position, f" {style.number(value)}", va="center", fontsize=6)
        names = [style.plain(name, _LONGEST) for name in rates]
        ax.set_yticks(place, names, parse_math=False)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(left=0)
        ax.margins(x=0.12)
        ax.set_xlabel("Mean share by time step")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
