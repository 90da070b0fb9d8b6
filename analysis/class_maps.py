"""Class maps of scenes: the ground truth, which pixels are for what, and what a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from analysis import style
from evo_snn.class_map import PARTS, ClassMap
from evo_snn.measured import Measured

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

CLASSES = (
    *style.OKABE_ITO, "#6D0086", "#CE00FF", "#862400", "#0000CE", "#B60C6D", "#24FF9E", "#006155",
    "#79C279", "#9E86FF", "#FF3D6D", "#553149", "#796131", "#6D5586",
)  # fmt: skip
"""Okabe and Ito's colours, then each the farthest from all before it and from white and grey: in
OKLab (Ottosson 2020), for usual and for colour-blind eyes (Machado et al., IEEE TVCG 15, 2009)."""

USES = dict(zip(PARTS, ("#D0D0D0", "#000000", "#777777", "#D62728"), strict=True))
"""What labelled pixels are for. The one colour is no class's."""

_ELSEWHERE = "#F1F1F1"  # no label
_FADED = 0.72  # how far towards white
_LEGEND_COLUMNS = 4
_MARK: dict[str, Any] = {"handlelength": 1.0, "handleheight": 1.0, "columnspacing": 1.2}


def save_class_map(source: Path, path: Path) -> Path:
    """Draw the class map of a file as PNG at 300 dpi, and give the picture's path."""
    drawn = ClassMap.read(source)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)  # a link to elsewhere, where it is one
    with style.context():
        figure_of_class_map(drawn).savefig(path, dpi=style.DPI)
    return path


def figure_of_class_map(drawn: ClassMap) -> Figure:
    """Draw four maps of a scene, and what their colours mean.

    The ground truth; which labelled pixels are for training, validation and the test; what the
    network says of labelled pixels, those that are not for the test faded; what it says of all.
    Only the test's pixels speak for the network: those are the ones to compare with the truth.
    """
    rows, columns = drawn.truth.shape
    colours = _colours(len(drawn.names))
    panels = {
        "Ground truth": _painted(drawn.truth, colours),
        "Use of labelled pixels": _used(drawn),
        "Predicted, test in full colour": _tested(drawn, colours),
        "Predicted, all pixels": _painted(drawn.predicted, colours),
    }
    across = 2 if columns > 1.5 * rows else len(panels)  # a wide scene
    down = len(panels) // across
    height = style.PAGE / across * rows / columns * down
    lines = -(-(len(drawn.names) + 1) // _LEGEND_COLUMNS)
    figure = style.figure(style.PAGE, height + 0.5 * down + 0.2 + 0.15 * lines)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for ax, (title, image) in zip(grid, panels.items(), strict=True):
        _show(ax, title, image)
    unused, *used = (Patch(facecolor=colour, label=name) for name, colour in USES.items())
    grid[1].legend(
        handles=[*used, unused],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        **_MARK,
    )
    grid[2].set_xlabel(_figures(drawn), fontsize=7)
    _explain(figure, drawn, colours)
    return figure


def _figures(drawn: ClassMap) -> str:
    """Overall and average accuracy and kappa of the test's pixels."""
    tested = drawn.tested
    confusion = np.zeros((len(drawn.names),) * 2, np.int64)
    np.add.at(confusion, (drawn.truth[tested], drawn.predicted[tested]), 1)
    found = Measured(confusion)
    if not found.samples:
        return "no test pixels"
    overall, average = f"{found.accuracy:.1%}", f"{found.balanced_accuracy:.1%}"
    return f"test: OA {overall}, AA {average}, κ {found.kappa:.3f}".replace("%", " %")


def _show(ax: Axes, title: str, image: NDArray[np.float64]) -> None:
    ax.imshow(image, interpolation="nearest")
    ax.set_title(title, fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, linewidth=0.4, color=style.GREY)


def _explain(figure: Figure, drawn: ClassMap, colours: NDArray[np.float64]) -> None:
    marks = [
        Patch(facecolor=tuple(colour), label=style.plain(name.replace("_", " "), 28))
        for name, colour in zip(drawn.names, colours, strict=True)
    ]
    none = Patch(facecolor=_ELSEWHERE, edgecolor=style.GREY, linewidth=0.3, label="no label")
    legend = figure.legend(
        handles=[*marks, none], loc="outside lower center", ncols=_LEGEND_COLUMNS, **_MARK
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    if drawn.leaky:
        why = style.plain(f"Accuracies flatter: {drawn.leaky}", 90)
        figure.suptitle(why, fontsize=7, color=style.ORANGE, parse_math=False)


def _colours(classes: int) -> NDArray[np.float64]:
    """A colour a class, (classes, 3)."""
    if classes <= len(CLASSES):
        return np.array([to_rgb(one) for one in CLASSES[:classes]])
    import seaborn as sns

    return np.array(sns.color_palette("husl", classes))


def _painted(classes: NDArray[np.int64], colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Class indices (rows, columns) as colours (rows, columns, 3)."""
    return np.where(classes[..., np.newaxis] >= 0, colours[classes], to_rgb(_ELSEWHERE))


def _used(drawn: ClassMap) -> NDArray[np.float64]:
    """What labelled pixels are for."""
    image = np.full((*drawn.truth.shape, 3), to_rgb(_ELSEWHERE))
    for place, (_, colour) in enumerate(USES.items()):
        image[(drawn.part == place) & (drawn.truth >= 0)] = to_rgb(colour)
    return image


def _tested(drawn: ClassMap, colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the network says of labelled pixels; pixels that are not for the test fade."""
    image = _painted(np.where(drawn.truth >= 0, drawn.predicted, -1), colours)
    others = (drawn.truth >= 0) & ~drawn.tested
    image[others] += _FADED * (1 - image[others])
    return image
