"""The one place for how figures look: sizes, colours, labels, scales.

Figures are drawn at the size they have in print (a column of 3.5 inches, a page of 7.16), with
text of 7 to 8 points, so they go into a paper unscaled. Colours are Okabe and Ito's, which
colour-blind readers can tell apart, and viridis for what has an order.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib import ticker

from genomes.errors import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evo_snn.candidate import ObjectiveRecord

COLUMN, PAGE = 3.5, 7.16
"""Widths in inches of one column and of the page of a two-column paper."""
DPI = 300
GREY, PALE, INK = "#8c8c8c", "#c4c4c4", "#222222"
BLUE, ORANGE = "#0072B2", "#D55E00"
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
CATEGORIES = (*OKABE_ITO, "#8B5E34", "#444444")
"""Colours for things without an order: Okabe and Ito's, then brown and black."""

_LEADING_DIGITS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))
_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": 150,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "lines.linewidth": 1.2,
    "savefig.dpi": DPI,
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
_UNITS = {
    "mm2": "mm²",
    "mm^2": "mm²",
    "um2": "µm²",
    "uj": "µJ",
    "mj": "mJ",
    "nj": "nJ",
    "pj": "pJ",
    "us": "µs",
    "ms": "ms",
    "ns": "ns",
    "s": "s",
    "kb": "kB",
    "mb": "MB",
    "uw": "µW",
    "mw": "mW",
}
_WITHOUT_UNIT = frozenset({"", "1", "-", "fraction", "ratio"})
_TITLES = {"accuracy": "Validation accuracy", "energy_uj": "Energy per inference"}
_ACRONYMS = {word.lower(): word for word in ("ADC", "DAC", "LIF", "MUX", "NoC", "PE", "SRAM")}


def context() -> AbstractContextManager[None]:
    """Set the style for a ``with`` block; matplotlib's settings are as before after it."""
    return mpl.rc_context(_RC)  # type: ignore[arg-type]  # keys are literals to mypy


def axes(ax: Axes | None, width: float = COLUMN, height: float = 2.6) -> Axes:
    """Return ``ax``, or new axes in a pyplot figure (which notebooks show) if it is None."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt  # global state, only where asked for

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def figure(width: float, height: float) -> Figure:
    """Return a figure that pyplot does not know of, so nobody has to close it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def title(name: str, unit: str = "") -> str:
    """Return a metric's name in words, without its unit: ``area_mm2`` → ``Area``."""
    if name in _TITLES:
        return _TITLES[name]
    stem, _, suffix = name.rpartition("_")
    while stem and (suffix.lower() in _UNITS or suffix.lower() == unit.lower()):  # of a product
        name = stem
        stem, _, suffix = name.rpartition("_")
    text = words(name)
    return text[:1].upper() + text[1:]


def unit(record: ObjectiveRecord) -> str:
    """Return a metric's unit as it is printed, from its record or its name; "" without one."""
    known = record.unit or record.name.rpartition("_")[2]
    if known.lower() in _UNITS:
        return _UNITS[known.lower()]
    return "" if record.unit.lower() in _WITHOUT_UNIT else record.unit


def label(record: ObjectiveRecord, newline: bool = False) -> str:
    """Return an axis label with the unit: ``Energy per inference (µJ)``."""
    text, printed = title(record.name, record.unit), unit(record)
    if not printed or printed.lower() in text.lower().split():
        return text
    return f"{text}\n({printed})" if newline else f"{text} ({printed})"


def words(name: str) -> str:
    """Return an identifier as words: ``adc_array`` → ``ADC array``."""
    return " ".join(_ACRONYMS.get(word.lower(), word) for word in name.replace("_", " ").split())


def plain(text: object, longest: int = 24) -> str:
    """Return a user's word as a label shows it: on one line, and not too long.

    Draw it with ``parse_math=False``, as dollar signs in it mean nothing.
    """
    return shortened(printable(str(text)), longest)


def number(value: float) -> str:
    """Return a value with three significant digits, without an exponent where that is short."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if not 1e-3 <= size < 1e5:  # noqa: PLR2004
        mantissa, exponent = f"{value:.1e}".split("e")
        power = rf"10^{{{int(exponent)}}}"
        mantissa = mantissa.removesuffix(".0")
        return f"${power}$" if mantissa == "1" else rf"${mantissa}\times{power}$"
    decimals = max(0, 2 - int(np.floor(np.log10(size))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scale(
    ax: Axes,
    which: Literal["x", "y"],
    record: ObjectiveRecord,
    values: Iterable[float],
    fewest: int = 3,
) -> None:
    """Put an axis on a log scale if its metric is a cost whose drawn values are all positive.

    Ticks are plain numbers: powers of ten, or more where these would be fewer than ``fewest``,
    and evenly spaced in a range of less than half a decade or so.
    """
    drawn = np.asarray(list(values), dtype=float)
    drawn = drawn[np.isfinite(drawn)]
    if not (record.log and drawn.size and (drawn > 0).all()):
        return
    ax.set(**{f"{which}scale": "log"})
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_minor_formatter(ticker.NullFormatter())
    low, high = np.log10([drawn.min(), drawn.max()])
    if low == high:
        ax.set(**{f"{which}lim": (drawn[0] / 1.1, drawn[0] * 1.1)})
    for leading in _LEADING_DIGITS:
        first = np.log10(leading)
        if (np.floor(high - first) - np.ceil(low - first) + 1).sum() >= fewest:
            axis.set_major_locator(ticker.LogLocator(subs=leading, numticks=12))
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(value)))
            return
    axis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10], min_n_ticks=fewest))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.6g}"))
    axis.set_minor_locator(ticker.NullLocator())


def note(ax: Axes, text: str) -> Axes:
    """Say in the middle of empty axes why they are empty; they lose their meaningless ticks."""
    ax.tick_params(bottom=False, labelbottom=False, left=False, labelleft=False)
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GREY, wrap=True)
    return ax
