"""What choices contribute: the effects of an ablation with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import ticker

from analysis import style
from genomes.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.view import RunLike

__all__ = ["figure_of_effects", "save_effects"]

_COLOURS = {
    "helps": style.BLUE,
    "harms": style.ORANGE,
    "same": style.INK,
    "unclear": style.GREY,
}
_EXPLAINED = {
    "helps": "helps",
    "harms": "harms",
    "same": "no difference worth having",
    "unclear": "unclear",
}
_ROW = 0.135  # inches
_GAP = 0.7  # rows between two roles
_PER_CENT = (-90, -80, -50, -30, -20, -10, -5, 0, 5, 10, 20, 50, 100, 200, 400, 900)
_MOST_TICKS = 5


def figure_of_effects(effects: pd.DataFrame, title: str = "") -> Figure:
    """Draw the effects of an ablation, one panel an objective, for choosing what a space needs.

    A dot is the mean effect of a choice, its line the interval; blue where all of it is on the
    better side of zero, orange on the worse one, black within the margin that is not worth having,
    grey where nothing is known. A hollow dot has too few pairs for an interval. Rows are choices,
    grouped by role, each with what it is compared with. Per cents have a logarithmic scale, on
    which +100 % and -50 % are alike.

    Args:
        effects: as `evo_snn.ablate` gives them; what is pooled by role is drawn.
        title: of what it is.

    Raises:
        RequestError: there are no effects.
    """
    pooled = effects[effects["gene"] == ""]
    if pooled.empty:
        raise RequestError("effects", "none", "effects of a role to draw")
    rows, heads = _places(pooled)
    panels = list(pooled["objective"].drop_duplicates())
    height = 1.0 + _ROW * (max(rows.values()) + 1)
    with style.context():
        figure = style.figure(style.PAGE, height)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for ax, name in zip(grid, panels, strict=True):
            _panel(ax, pooled[pooled["objective"] == name], rows)
        _name_rows(grid[0], rows, heads)
        handles = [
            grid[0].plot([], [], "o-", ms=3, lw=1, color=_COLOURS[each], label=text)[0]
            for each, text in _EXPLAINED.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def save_effects(effects: pd.DataFrame, run: RunLike) -> Path:
    """Write the figure of an ablation's effects into its run folder, as PNG at 300 dpi.

    Returns:
        The file, ``figures/effects.png``.

    Raises:
        RequestError: there are no effects, or ``figures`` is a link, as a stranger's may be.
    """
    folder = run.folder / "figures"
    if folder.is_symlink():
        remedy = "Put the folder itself in its place."
        raise RequestError("run folder", str(folder), "no symbolic link", remedy)
    figure = figure_of_effects(effects)
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / "effects.png"
    path.unlink(missing_ok=True)  # a link to elsewhere, where it is one
    with style.context():
        figure.savefig(path, dpi=style.DPI)
    return path


Row = tuple[str, str, str]


def _places(pooled: pd.DataFrame) -> tuple[dict[Row, float], dict[str, float]]:
    """Row of a role's choice → its place from above; role → the place of its head."""
    rows: dict[Row, float] = {}
    heads: dict[str, float] = {}
    place = -_GAP
    for role, choice, against in pooled[["role", "choice", "against"]].itertuples(index=False):
        row = (role, str(choice), against)
        if row in rows:
            continue
        if role not in heads:
            heads[role] = place + _GAP
            place += _GAP + 1
        rows[row] = place
        place += 1
    return rows, heads


def _panel(ax: Axes, effects: pd.DataFrame, rows: dict[Row, float]) -> None:
    """One objective."""
    unit = str(effects["unit"].iloc[0])
    ax.axvline(0, color=style.INK, lw=0.6, zorder=1)
    for one in effects.to_dict("records"):
        y = rows[one["role"], str(one["choice"]), one["against"]]
        colour = _COLOURS[one["outcome"]]
        ends = [one["low"], one["high"]]
        if np.isfinite(ends).all():
            ax.plot(ends, [y, y], "-", lw=1, color=colour, solid_capstyle="butt", zorder=2)
        inside = colour if np.isfinite(ends).all() else "white"
        ax.plot([one["effect"]], [y], "o", ms=2.8, mew=0.7, color=colour, mfc=inside, zorder=3)
    name = str(effects["objective"].iloc[0])
    text = style.title(name).removesuffix(" per inference").removeprefix("Validation ")
    ax.set_title(style.plain(text[:1].upper() + text[1:], 28), parse_math=False)
    ax.set_xlabel(f"Change ({unit})" if unit else "Change")
    if unit == "%":
        _per_cent(ax)
    ax.margins(x=0.06)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", lw=0.3, color=style.PALE)


def _per_cent(ax: Axes) -> None:
    """Put an axis of per cents on the scale of their ratios."""

    def ratio(per_cent: Any) -> Any:
        return np.log1p(np.maximum(np.asarray(per_cent, dtype=float), -99.99) / 100)

    def back(logarithm: Any) -> Any:
        return 100 * np.expm1(np.asarray(logarithm, dtype=float))

    ax.set_xscale("function", functions=(ratio, back))
    low, high = ax.get_xlim()
    ticks = [each for each in _PER_CENT if low <= each <= high]
    apart = (ratio(high) - ratio(low)) / _MOST_TICKS
    kept = _spaced(sorted(each for each in ticks if each >= 0), ratio, apart)
    kept += _spaced(sorted((each for each in ticks if each <= 0), reverse=True), ratio, apart)
    if len(set(kept)) < len(("zero", "another", "a third")):
        ax.xaxis.set_major_locator(ticker.MaxNLocator(_MOST_TICKS - 1))
    else:
        ax.xaxis.set_major_locator(ticker.FixedLocator(sorted(set(kept))))
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(_signed))


def _spaced(ticks: Sequence[float], ratio: Callable[[Any], Any], apart: float) -> list[float]:
    """Those of ticks, from the first on, that are far enough from the one before."""
    kept: list[float] = []
    for each in ticks:
        if not kept or abs(ratio(each) - ratio(kept[-1])) >= apart:
            kept.append(each)
    return kept


def _signed(value: float, _: object) -> str:
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _name_rows(ax: Axes, rows: dict[Row, float], heads: dict[str, float]) -> None:
    """Name roles and choices on the left."""
    labels = {place: f"{choice} vs {against}" for (_, choice, against), place in rows.items()}
    labels |= {place: role for role, place in heads.items()}
    places = sorted(labels)
    ax.set_yticks(places, [style.plain(labels[each], 34) for each in places], parse_math=False)
    ax.set_ylim(max(places) + 0.8, min(places) - 0.6)
    for place, text in zip(places, ax.get_yticklabels(), strict=True):
        text.set_fontsize(6)
        if place in heads.values():
            text.set_fontweight("bold")
