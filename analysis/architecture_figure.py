"""An architecture as a picture: its layers from the sample to the classes, and what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis import style
from genomes.architecture import INPUT, Layer, Node

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genomes.architecture import Architecture, Link

__all__ = ["figure_of_architecture"]

_STEP, _BOX = 0.46, 0.27  # inches from one layer to the next, and of a layer
_LEFT, _ARROW, _RIGHT = 0.27, 0.4, 1.0  # of the width: where boxes begin, arrows are, boxes end
_LINKED = 0.86  # where boxes end if arcs between them need room
_HIGHEST = 0.45  # inches that an arc stands out
_LONG = 14  # letters of a name beyond which it is written smaller
_COLOURS = {
    "conv1d": "#cfe4f2",
    "conv2d": "#fbe5bd",
    "conv3d": "#c8e9de",
    "linear": "#efdbe7",
}
_WORDS = {
    "conv1d": "1-D convolution",
    "conv2d": "2-D convolution",
    "conv3d": "3-D convolution",
    "linear": "read-out",
}


def figure_of_architecture(architecture: Architecture, title: str = "") -> Figure:
    """Draw an architecture: a box a layer, from the sample at the top to the classes at the bottom.

    A box says what the layer computes, with how many channels and bits of a weight, and how it
    pools. Beside an arrow stands what is read: channels and sizes, and bits where it is no spikes.
    An arc on the left is a skip link. Colours tell 1-D, 2-D, 3-D convolutions and the read-out
    apart. A white box is a node, which adds up the currents that reach it: from the box above, or
    by an arc on the right, which also brings a layer the spikes of a box farther up. A dashed arc
    is temporal feedback, a time step later.

    Args:
        architecture: what a genome decodes to.
        title: what it is.
    """
    boxes = architecture.order
    right = _LINKED if architecture.nodes else _RIGHT
    with style.context():
        height = _STEP * (len(boxes) + 1) + (0.25 if title else 0.05)
        figure = style.figure(style.COLUMN, height)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set_xlim(0, 1)
        ax.set_ylim(_STEP * len(boxes) + _STEP / 2, -_BOX)
        places = {INPUT: 0.0} | {one.name: _STEP * (k + 1) for k, one in enumerate(boxes)}
        _sample(ax, architecture)
        for one in boxes:
            _box(ax, one, places[one.name], right)
            if isinstance(one, Node):
                for link in one.links:
                    _link(ax, link, places[link.source], places[one.name], right)
                continue
            _reads(ax, one, places[one.source], places[one.name], right)
            for skip in one.skips:
                _arc(ax, one, places[skip], places[one.name])
    return figure


def _sample(ax: Axes, architecture: Architecture) -> None:
    text = f"sample of {_times(architecture.input_shape)}, {architecture.time_steps} time steps"
    if architecture.window:
        text += f"\nof which {_times(architecture.read_shape)} is read"
    ax.text((_LEFT + _RIGHT) / 2, 0, text, ha="center", va="center", fontsize=7)


def _box(ax: Axes, one: Layer | Node, place: float, right: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (_LEFT, place - _BOX / 2),
        right - _LEFT,
        _BOX,
        boxstyle="round,pad=0,rounding_size=0.02",
        facecolor="white" if isinstance(one, Node) else _COLOURS[one.kind],
        edgecolor=style.INK,
        linewidth=0.6,
    )
    ax.add_patch(box)
    size = 5 if len(one.name) > _LONG else 7
    ax.text(0, place, one.name, va="center", fontsize=size, parse_math=False)
    text = _node_text(one) if isinstance(one, Node) else _box_text(one)
    size = 6.5 if right == _RIGHT else 5.8
    ax.text((_LEFT + right) / 2, place, text, ha="center", va="center", fontsize=size)


def _node_text(node: Node) -> str:
    """What a node adds up, and whether it has neurons."""
    text = f"sum of {len(node.links)} currents" if len(node.links) > 1 else "current"
    words = [f"neurons of threshold {node.neuron.threshold:g}"] if node.neuron else []
    if max(node.pool, default=1) > 1:
        words.append(f"max of {_times(node.pool)}")
    return "\n".join([text, *([", ".join(words)] if words else [])])


def _box_text(layer: Layer) -> str:
    """What a layer computes, on one or two lines."""
    words = [_WORDS[layer.kind]]
    if layer.kernel:
        words.append(_times(layer.kernel))
    if max(layer.stride, default=1) > 1:
        words.append(f"in strides of {_times(layer.stride)}")
    counted = "classes" if layer.is_readout else "channels"
    bits = "/".join(str(part.weight_bits) for part in layer.parts)
    kind = "powers of two" if layer.quantizer == "power_of_two" else "weights"
    parts = [f"{layer.out_channels} {counted}", f"{bits}-bit {kind}"]
    if max(layer.pool, default=1) > 1:
        parts.append(f"{layer.pool_kind} of {_times(layer.pool)}")
    return f"{' '.join(words)}\n{', '.join(parts)}"


def _reads(ax: Axes, layer: Layer, source: float, place: float, right: float) -> None:
    """What a layer reads, with its size."""
    if _is_next(source, place):
        _arrow(ax, source, place)
    else:
        _bow(ax, source, place, right)
    text = _times(layer.in_shape)
    if layer.input_bits > 1:
        text += f", {layer.input_bits} bit"
    if layer.folded:
        text += f" ({layer.folded} bands as channels)"
    middle = place - _STEP / 2
    ax.text(_ARROW + 0.03, middle, text, va="center", fontsize=6, color=style.GREY)


def _link(ax: Axes, link: Link, source: float, place: float, right: float) -> None:
    """A current that a node adds up."""
    if _is_next(source, place) and not link.delayed:
        _arrow(ax, source, place)
    else:
        _bow(ax, source, place, right, delayed=link.delayed)
    if link.window > 1:
        text = f"average of {_times((link.window,) * 2)}"
        middle = place - _STEP / 2
        ax.text(_ARROW + 0.03, middle, text, va="center", fontsize=6, color=style.GREY)


def _is_next(source: float, place: float) -> bool:
    return 0 < place - source < 1.5 * _STEP


def _arrow(ax: Axes, source: float, place: float) -> None:
    """An arrow from a box to the next."""
    ends = (_ARROW, place - _BOX / 2), (_ARROW, source + _BOX / 2)
    ax.annotate("", *ends, arrowprops=_line(style.INK))


def _bow(ax: Axes, source: float, place: float, right: float, *, delayed: bool = False) -> None:
    """An arc on the right, from a box to another; upwards, or back to itself, it is dashed."""
    end = place - _BOX / 4 if delayed else place  # so that none ends where it begins
    length = abs(end - source)
    height = min(_HIGHEST, 0.08 + 0.12 * length)  # longer ones lie outside
    rad = (1 if end < source else -1) * 2 * height / length
    arrow = _line(style.ORANGE if delayed else style.INK) | {
        "connectionstyle": f"arc3,rad={rad}",
        "linestyle": "--" if delayed else "-",
    }
    ax.annotate("", (right, end), (right, source), arrowprops=arrow)


def _line(colour: str) -> dict[str, Any]:
    return {"arrowstyle": "-|>", "linewidth": 0.6, "color": colour, "shrinkA": 0, "shrinkB": 0}


def _arc(ax: Axes, layer: Layer, source: float, place: float) -> None:
    """A skip link, from a layer's spikes to the spikes of another."""
    arrow = _line(style.BLUE) | {"connectionstyle": "arc3,rad=0.5"}
    ax.annotate("", (_LEFT, place), (_LEFT, source), arrowprops=arrow)
    ax.text(
        _LEFT - 0.07,
        (source + place) / 2,
        layer.skip_kind,
        ha="right",
        va="center",
        fontsize=6,
        color=style.BLUE,
    )


def _times(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))
