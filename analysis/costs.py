"""Where the cost of a design arises: by component of the chip, and by layer of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from analysis import style
from analysis.view import RunLike, View, assumed, look
from evo_snn import pareto
from genomes.errors import unknown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evo_snn.candidate import ObjectiveRecord
    from hardware import Cost

__all__ = ["chosen", "colours_of", "draw_stacks", "plot_components", "plot_layers"]

QUANTITIES: Mapping[str, str] = {
    "area_mm2": "area_components_mm2",
    "energy_uj": "energy_components_uj",
    "latency_ms": "latency_components_ms",
}
"""Each total of a cost and its breakdown by component."""
_KEY_SHOWN, _ROLE_WIDTH = 8, 18
OTHER = "other"


def chosen(view: View) -> dict[str, str]:
    """Choose the designs of a front that a reader asks about.

    Returns:
        Key → what it is chosen for: the best in each objective, then the knee
        (:func:`evo_snn.pareto.knee`, where the first objective weighs as much as all others
        together). A design that is best in several is named for all of them. Empty for an empty
        front.
    """
    rows = np.flatnonzero(view.front)
    if not len(rows):
        return {}
    F = view.oriented(view.objectives)[rows]
    best = np.where(np.isnan(F), np.inf, F).argmin(axis=0)
    picks = [
        (f"{'best' if record.maximise else 'least'} {_short(record)}", int(index))
        for record, index in zip(view.objectives, best, strict=True)
    ]
    if np.isfinite(F).all(axis=1).any():
        picks.append(("knee", pareto.knee(F, [max(1, F.shape[1] - 1), *[1] * (F.shape[1] - 1)])))
    roles: dict[str, list[str]] = {}
    for role, index in picks:
        roles.setdefault(str(view.table["key"].iloc[rows[index]]), []).append(role)
    if len(roles) == 1 and len(picks) > 1:
        return dict.fromkeys(roles, "best in everything")
    return {key: ", ".join(several) for key, several in roles.items()}


def knee_of(roles: Mapping[str, str]) -> str | None:
    """Return the knee's key among :func:`chosen` designs, or None if none was chosen."""
    return next((k for k, role in roles.items() if role.endswith(("knee", "everything"))), None)


def plot_components(
    run: RunLike,
    quantity: str = "energy_uj",
    keys: Sequence[str] | Mapping[str, str] | None = None,
    ax: Axes | None = None,
    colours: Mapping[str, str] | None = None,
    share: bool = True,
    legend: bool = True,
) -> Axes:
    """Plot what the parts of the chip contribute to the cost of some designs.

    For seeing what to improve on the chip, and whether designs spend differently: a bar is a
    design, its pieces the components, with the total written at its end. Bars show shares of the
    total, as designs of one front differ by large factors. A component has one colour in all of
    the figure; those that matter least are taken together as "other".

    Args:
        run: the run that the designs are of.
        quantity: ``area_mm2``, ``energy_uj`` or ``latency_ms``.
        keys: which designs, or key → what to call it; without it the best in each objective and
            the knee of the front.
        ax: where to draw; new axes without it.
        colours: component → colour, to share between plots; see :func:`colours_of`.
        share: shares of the total in percent; otherwise the quantity itself.
        legend: whether to name the components.

    Raises:
        RequestError: there is no such quantity.
    """
    if quantity not in QUANTITIES:
        raise unknown_name("quantity", quantity, QUANTITIES)
    names = _names(run, keys)
    costs = [run.cost(key) for key in names]
    record = assumed(quantity)
    with style.context():
        ax = style.axes(ax, height=0.9 + 0.36 * max(1, len(names)))
        ax.set_xlabel(f"{style.title(quantity)} (%)" if share else style.label(record))
        if not costs:
            ax.set(xticks=[], yticks=[])
            return style.note(ax, "no feasible design was found")
        totals = np.array([getattr(cost, quantity) for cost in costs])
        parts = [getattr(cost, QUANTITIES[quantity]) for cost in costs]
        scales = 100 / np.where(totals > 0, totals, 1.0) if share else np.ones(len(costs))
        draw_stacks(ax, parts, scales, colours or colours_of(costs))
        write_totals(ax, totals, totals * scales, style.unit(record) if share else "")
        labels = [f"{fill(role, _ROLE_WIDTH)}\n{key[:_KEY_SHOWN]}" for key, role in names.items()]
        ax.set_yticks(range(len(names)), labels)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        if legend and ax.containers:
            ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def plot_layers(run: RunLike, key: str | None = None, ax: Axes | None = None) -> Axes:
    """Plot what each layer of one design contributes to its area, energy and latency.

    For seeing which layer to make smaller: layers go from the input at the top to the read-out
    at the bottom, bars are shares of the design's totals. Where layers share tiles they have no
    area of their own and no bar for it, and what belongs to no layer is in no bar, so the bars of
    one quantity may add up to less than 100 %.

    Args:
        run: the run that the design is of.
        key: which design; the knee of the front without it.
        ax: where to draw; new axes without it.
    """
    roles = chosen(look(run))
    key = key or knee_of(roles)
    with style.context():
        if key is None:
            return style.note(style.axes(ax), "no feasible design was found")
        cost = run.cost(key)
        ax = style.axes(ax, height=0.8 + 0.32 * len(cost.layers))
        position = np.arange(len(cost.layers))
        shares = _layer_shares(cost)
        height = 0.8 / len(shares)
        for index, (name, share) in enumerate(shares.items()):
            offset = height * (index - (len(shares) - 1) / 2)
            colour = (style.INK, style.GREY, style.PALE)[index]
            ax.barh(position + offset, share, height=0.9 * height, color=colour, label=name)
        ax.set_yticks(position, [layer.name for layer in cost.layers])
        why = f" ({roles[key]})" if key in roles else ""
        ax.set(xlabel="Share of the design's total (%)", title=f"Design {key[:_KEY_SHOWN]}{why}")
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.legend(loc="best")
    return ax


def colours_of(costs: Sequence[Cost]) -> dict[str, str]:
    """Give each component a colour, the same in area, energy and latency.

    Components are ordered by the largest share that they have in any total of any design. There
    are nine colours; the components beyond them, and what the chip itself calls "other", are
    grey and drawn as "other".
    """
    share: dict[str, float] = {}
    for cost in costs:
        for quantity, breakdown in QUANTITIES.items():
            total = getattr(cost, quantity) or 1.0
            for name, part in getattr(cost, breakdown).items():
                share[name] = max(share.get(name, 0.0), part / total)
    share.pop(OTHER, None)
    ordered = sorted((name for name in share if share[name] > 0), key=lambda name: -share[name])
    return dict(zip(ordered, style.CATEGORIES, strict=False))


def _layer_shares(cost: Cost) -> dict[str, NDArray[np.float64]]:
    """Return what to call a quantity → (L,) percent of its total, NaN where a layer has none.

    A quantity that no layer has (area, where all of them share tiles) is left out.
    """
    shares = {}
    for quantity in QUANTITIES:
        parts = [getattr(layer, quantity) for layer in cost.layers]
        if any(part is not None for part in parts):
            known = np.array([np.nan if part is None else part for part in parts], dtype=float)
            name = style.title(quantity).partition(" ")[0]
            shares[name] = 100 * known / (getattr(cost, quantity) or 1.0)
    return shares


def draw_stacks(
    ax: Axes,
    breakdowns: Sequence[Mapping[str, float]],
    scales: NDArray[np.float64],
    palette: Mapping[str, str],
) -> None:
    """Draw one bar a design, component after component, each design on its own scale."""
    left = np.zeros(len(breakdowns))
    position = np.arange(len(breakdowns))
    for name in [*palette, OTHER]:
        parts = scales * [_part(breakdown, name, palette) for breakdown in breakdowns]
        if not parts.any():
            continue
        ax.barh(
            position,
            parts,
            left=left,
            height=0.7,
            color=palette.get(name, style.PALE),
            edgecolor="white",
            linewidth=0.3,
            label=style.words(name),
        )
        left += parts


def write_totals(
    ax: Axes, totals: NDArray[np.float64], ends: NDArray[np.float64], unit: str
) -> None:
    """Write each bar's total at its end, and leave room for it."""
    for position, (total, end) in enumerate(zip(totals, ends, strict=True)):
        text = f" {style.number(total)} {unit}"
        ax.text(end, position, text, va="center", ha="left", fontsize=7)
    room = 1.45 if unit else 1.22
    ax.set_xlim(0, room * float(ends.max()) or 1.0)
    ax.xaxis.label.set_x(0.5 / room)
    if unit:
        ax.set_xticks([0, 25, 50, 75, 100])
        ax.spines["bottom"].set_bounds(0, 100)


def _part(breakdown: Mapping[str, float], name: str, palette: Mapping[str, str]) -> float:
    """Return a component's part, or the sum of all that have no colour."""
    if name == OTHER:
        return sum(part for other, part in breakdown.items() if other not in palette)
    return breakdown.get(name, 0.0)


def _names(run: RunLike, keys: Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Return key → what to call the design."""
    if keys is None:
        return chosen(look(run))
    return dict(keys) if isinstance(keys, Mapping) else dict.fromkeys(keys, "design")


def _short(record: ObjectiveRecord) -> str:
    """Return a metric's name in the fewest words: ``energy_uj`` → ``energy``."""
    title = style.title(record.name, record.unit).lower()
    return {"validation accuracy": "accuracy", "energy per inference": "energy"}.get(title, title)
