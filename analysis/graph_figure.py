"""An architecture with nodes as a picture: who reads whose spikes, and adds whose currents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import style
from genomes.architecture import INPUT, Link, Node

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genomes.architecture import Architecture, Element

_STEP, _BOX, _WIDTH = 0.36, 0.27, 2.35  # inches from one row to the next; height, width of a box
_LANE, _MARGIN = 0.09, 0.12  # between two lines that pass a box; beside the outermost one
_HEAD, _KEY = 0.02, 0.3  # from an arrow's middle to the box; height of the key below
_COLOURS = {"conv2d": "#fbe5bd", "linear": "#efdbe7"}
_OTHER, _NODE = "#cfe4f2", "#ffffff"
_READS = "reads spikes"
_ADDS = "adds a current"
_MEANS = "adds the mean of 3 × 3"
_SPIKES = "adds spikes"
_LATER = "the same, a time step later"
_STYLES: dict[str, tuple[str, Any]] = {
    _READS: (style.INK, "-"),
    _ADDS: (style.BLUE, "-"),
    _MEANS: (style.BLUE, (0, (4, 1.5))),
    _SPIKES: (style.INK, (0, (1, 1))),
}

_LEAVES = {_READS: 0.3, _ADDS: 0.1, _MEANS: 0.4, _SPIKES: 0.4}
"""How far below the middle of a box lines leave it, so that they can be told apart."""


@dataclass(frozen=True)
class _Line:
    """A line from one row to another.

    Attributes:
        start, end: the rows.
        what: a key of ``_STYLES``.
        delayed: whether it is feedback, drawn on the left.
    """

    start: int
    end: int
    what: str
    delayed: bool = False

    @property
    def span(self) -> tuple[int, int]:
        return min(self.start, self.end), max(self.start, self.end)


def figure_of_graph(architecture: Architecture, title: str = "") -> Figure:
    """Draw an architecture with nodes, row by row in the order in which it is computed.

    A coloured box is a layer, a white one a node: a sum of currents, with the threshold of its
    neurons where it has any. Lines on the right lead downwards to what reads or adds; lines on the
    left lead back up, to the next time step. The key below tells lines apart.

    Args:
        architecture: what a genome decodes to.
        title: what it is.
    """
    rows: list[Element | None] = [None, *architecture.order]
    place = {INPUT: 0} | {one.name: k for k, one in enumerate(rows) if one}
    lines = _lines(architecture, place)
    lanes = {side: _lanes([x for x in lines if x.delayed == side]) for side in (False, True)}
    left, right = (
        _MARGIN + _LANE * (1 + max(lanes[side].values(), default=-1)) for side in (True, False)
    )
    height = _STEP * len(rows) + _KEY + (0.25 if title else 0.05)
    with style.context():
        figure = style.figure(left + _WIDTH + right, height)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set_xlim(-left, _WIDTH + right)
        ax.set_ylim(_STEP * len(rows) - _STEP / 2 + _KEY, -_BOX)
        for row, one in enumerate(rows):
            text = _text(one) if one else _sample(architecture)
            _box(ax, row, text, _colour(one))
        for side in (False, True):
            for line, lane in lanes[side].items():
                _draw(ax, line, lane)
        _key(ax, lines, _STEP * len(rows) - _STEP / 2)
    return figure


def _lines(architecture: Architecture, place: dict[str, int]) -> list[_Line]:
    lines = [_Line(place[layer.source], place[layer.name], _READS) for layer in architecture.layers]
    for node in architecture.nodes:
        for link in node.links:
            line = _Line(place[link.source], place[node.name], _what(link), link.delayed)
            lines.append(line)
    return lines


def _what(link: Link) -> str:
    if link.spikes:
        return _SPIKES
    return _MEANS if link.window > 1 else _ADDS


def _lanes(lines: Sequence[_Line]) -> dict[_Line, int]:
    """Line → its lane, from the boxes outwards, so that no two lie upon each other."""
    taken: list[list[tuple[int, int]]] = []
    found: dict[_Line, int] = {}
    for line in sorted(lines, key=lambda one: (one.span[1] - one.span[0], one.span)):
        first, last = line.span
        free = (k for k, lane in enumerate(taken) if all(last < a or first > b for a, b in lane))
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(line.span)
        found[line] = lane
    return found


def _draw(ax: Axes, line: _Line, lane: int) -> None:
    """Out of the lower half of a box, along a lane, into the upper half of another."""
    edge, way = (0.0, -1) if line.delayed else (_WIDTH, 1)
    x = edge + way * _LANE * (lane + 1)
    start = line.start * _STEP + _LEAVES[line.what] * _BOX
    end = line.end * _STEP - _BOX / 4
    colour, dashes = _STYLES[line.what]
    ax.plot(
        [edge, x, x, edge + way * _HEAD],
        [start, start, end, end],
        color=style.ORANGE if line.delayed else colour,
        linestyle=dashes,
        linewidth=0.7,
        marker=">" if line.delayed else "<",
        markevery=[3],
        markersize=2.5,
    )


def _box(ax: Axes, row: int, text: str, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    if row:
        box = FancyBboxPatch(
            (0, row * _STEP - _BOX / 2),
            _WIDTH,
            _BOX,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=colour,
            edgecolor=style.INK,
            linewidth=0.6,
        )
        ax.add_patch(box)
    ax.text(
        _WIDTH / 2,
        row * _STEP,
        text,
        ha="center",
        va="center",
        fontsize=6,
        linespacing=1.1,
        parse_math=False,
    )


def _colour(one: Element | None) -> str:
    if isinstance(one, Node):
        return _NODE
    return _COLOURS.get(one.kind, _OTHER) if one else _NODE


def _sample(architecture: Architecture) -> str:
    sizes = " × ".join(map(str, architecture.read_shape))
    return f"sample of {sizes}, {architecture.time_steps} time steps"


def _text(one: Element) -> str:
    if isinstance(one, Node):
        count = len(one.links)
        words = [f"{one.name}: {f'sum of {count} currents' if count > 1 else 'one current'}"]
        words.append(f"neurons of threshold {one.neuron.threshold:g}" if one.neuron else "")
        return "\n".join(words if one.neuron else words[:1])
    times = " × "
    kind = f"convolution of {times.join(map(str, one.kernel))}" if one.kernel else "read-out"
    if max(one.stride, default=1) > 1:
        kind += f" in strides of {times.join(map(str, one.stride))}"
    sizes = times.join(map(str, one.stored_shape))
    given = f"{one.out_channels} classes" if one.is_readout else sizes
    parts = [given, f"{one.weight_bits}-bit weights"]
    if max(one.pool, default=1) > 1:
        parts.append(f"{one.pool_kind} of {times.join(map(str, one.pool))}")
    return f"{one.name}: {kind}\n{', '.join(parts)}"


def _key(ax: Axes, lines: Sequence[_Line], top: float) -> None:
    """What the lines mean: those that there are."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=0.8, label=what)
        for what, (colour, dashes) in _STYLES.items()
        if any(line.what == what and not line.delayed for line in lines)
    ]
    if any(line.delayed for line in lines):
        entries.append(Line2D([], [], color=style.ORANGE, linewidth=0.8, label=_LATER))
    ax.legend(
        handles=entries,
        loc="upper center",
        bbox_to_anchor=(_WIDTH / 2, top),
        bbox_transform=ax.transData,
        ncols=2,
        fontsize=6,
        frameon=False,
        borderpad=0,
        handlelength=2,
        columnspacing=1.2,
    )


__all__ = ["figure_of_graph"]
