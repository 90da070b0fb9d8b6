"""An architecture as a picture: its layers from the sample to the classes, and what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import style
from analysis.graph_figure import figure_of_graph
from genomes.architecture import INPUT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genomes.architecture import Architecture, Layer

__all__ = ["figure_of_architecture"]

_STEP, _BOX = 0.46, 0.27  # inches from one layer to the next, and of a layer
_LEFT, _ARROW, _RIGHT = 0.27, 0.4, 1.0  # of the width: where boxes begin, arrows are, boxes end
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
    apart. A network whose layers share sums is drawn with its nodes (``graph_figure``).

    Args:
        architecture: what a genome decodes to.
        title: what it is.
    """
    if architecture.nodes:
        return figure_of_graph(architecture, title)
    layers = architecture.layers
    with style.context():
        height = _STEP * (len(layers) + 1) + (0.25 if title else 0.05)
        figure = style.figure(style.COLUMN, height)
        if title:
            figure.suptitle(style.plain(title, 100), fontsize=8, parse_math=False)
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set_xlim(0, 1)
        ax.set_ylim(_STEP * len(layers) + _STEP / 2, -_BOX)
        places = {INPUT: 0.0} | {one.name: _STEP * (k + 1) for k, one in enumerate(layers)}
        _sample(ax, architecture)
        for layer in layers:
            _box(ax, layer, places[layer.name])
            _arrow(ax, layer, places[layer.source], places[layer.name])
            for skip in layer.skips:
                _arc(ax, layer, places[skip], places[layer.name])
    return figure


def _sample(ax: Axes, architecture: Architecture) -> None:
    text = f"sample of {_times(architecture.input_shape)}, {architecture.time_steps} time steps"
    if architecture.window:
        text += f"\nof which {_times(architecture.read_shape)} is read"
    ax.text((_LEFT + _RIGHT) / 2, 0, text, ha="center", va="center", fontsize=7)


def _box(ax: Axes, layer: Layer, place: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (_LEFT, place - _BOX / 2),
        _RIGHT - _LEFT,
        _BOX,
        boxstyle="round,pad=0,rounding_size=0.02",
        facecolor=_COLOURS[layer.kind],
        edgecolor=style.INK,
        linewidth=0.6,
    )
    ax.add_patch(box)
    ax.text(0, place, layer.name, va="center", fontsize=7, parse_math=False)
    ax.text((_LEFT + _RIGHT) / 2, place, _box_text(layer), ha="center", va="center", fontsize=6.5)


def _box_text(layer: Layer) -> str:
    """What a layer computes, on one or two lines."""
    words = [_WORDS[layer.kind]]
    if layer.kernel:
        words.append(_times(layer.kernel))
    if max(layer.stride, default=1) > 1:
        words.append(f"in strides of {_times(layer.stride)}")
    counted = "channels" if layer.neuron else "classes"
    bits = "/".join(str(part.weight_bits) for part in layer.parts)
    kind = "powers of two" if layer.quantizer == "power_of_two" else "weights"
    parts = [f"{layer.out_channels} {counted}", f"{bits}-bit {kind}"]
    if max(layer.pool, default=1) > 1:
        parts.append(f"{layer.pool_kind} of {_times(layer.pool)}")
    return f"{' '.join(words)}\n{', '.join(parts)}"


def _arrow(ax: Axes, layer: Layer, source: float, place: float) -> None:
    """An arrow from what is read, with its size."""
    start, end = source + _BOX / 2, place - _BOX / 2
    arrow = {"arrowstyle": "-|>", "linewidth": 0.6, "color": style.INK, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (_ARROW, end), (_ARROW, start), arrowprops=arrow)
    text = _times(layer.in_shape)
    if layer.input_bits > 1:
        text += f", {layer.input_bits} bit"
    if layer.folded:
        text += f" ({layer.folded} bands as channels)"
    ax.text(_ARROW + 0.03, (start + end) / 2, text, va="center", fontsize=6, color=style.GREY)


def _arc(ax: Axes, layer: Layer, source: float, place: float) -> None:
    """A skip link, from a layer's spikes to the spikes of another."""
    arrow = {
        "arrowstyle": "-|>",
        "connectionstyle": "arc3,rad=0.5",
        "linewidth": 0.6,
        "color": style.BLUE,
        "shrinkA": 0,
        "shrinkB": 0,
    }
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
