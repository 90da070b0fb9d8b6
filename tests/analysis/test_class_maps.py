"""Class maps as pictures: what each pixel's colour says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from analysis.class_maps import CLASSES, USES, figure_of_class_map
from evo_snn.class_map import PARTS, ClassMap

TRUTH = np.array([[0, 0, 1], [1, -1, 2]])
PREDICTED = np.array([[0, 1, 1], [2, 2, 2]])
PART = np.array([[3, 3, 1], [2, 0, 0]])  # test, test, train; validation, no label, unused
NAMES = ("a", "$b", "c_d")


def images(**changes):
    drawn = ClassMap(TRUTH, PREDICTED, PART, NAMES, **changes)
    figure = figure_of_class_map(drawn)
    figure.savefig("/dev/null", format="png")
    return figure, [np.asarray(ax.images[0].get_array()) for ax in figure.axes]


def test_the_first_map_is_the_truth_and_the_last_all_that_is_predicted() -> None:
    _, (truth, _, _, predicted) = images()
    for row, column in np.ndindex(TRUTH.shape):
        if TRUTH[row, column] >= 0:
            assert truth[row, column] == pytest.approx(to_rgb(CLASSES[TRUTH[row, column]]))
        assert predicted[row, column] == pytest.approx(to_rgb(CLASSES[PREDICTED[row, column]]))
    assert truth[1, 1].min() > 0.9  # no label


def test_parts_are_told_apart_and_only_the_tests_pixels_have_full_colour() -> None:
    _, (truth, used, labelled, _) = images()
    for row, column in np.ndindex(TRUTH.shape):
        if TRUTH[row, column] < 0:
            assert used[row, column] == pytest.approx(truth[1, 1])
            assert labelled[row, column] == pytest.approx(truth[1, 1])
            continue
        part = PARTS[PART[row, column]]
        assert used[row, column] == pytest.approx(to_rgb(USES[part]))
        full = np.array(to_rgb(CLASSES[PREDICTED[row, column]]))
        if part == "test":
            assert labelled[row, column] == pytest.approx(full)
        else:
            assert (labelled[row, column] > full).any()
            assert (labelled[row, column] >= full).all()


def test_the_figures_are_of_the_test_and_leaks_are_said() -> None:
    figure, _ = images(leaky="patches overlap")
    # class 0: one of two right; no other class has test pixels
    assert figure.axes[2].get_xlabel() == "test: OA 50.0 %, AA 50.0 %, κ 0.000"
    assert "patches overlap" in figure.get_suptitle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "$b", "c d", "no label"]
    assert images()[0].get_suptitle() == ""


def test_a_scene_of_more_classes_than_colours_is_drawn() -> None:
    truth = np.arange(30).reshape(5, 6)
    names = tuple(map(str, range(30)))
    figure = figure_of_class_map(ClassMap(truth, truth, np.full((5, 6), 3), names))
    shown = figure.axes[0].images[0].get_array().reshape(-1, 3)
    assert len(np.unique(shown.round(4), axis=0)) == 30


def test_colours_can_be_told_apart() -> None:
    """Pairs differ by at least 0.1 in OKLab, five times what the eye just notices."""
    colours = [oklab(to_rgb(one)) for one in (*CLASSES, "white")]
    assert min(np.linalg.norm(a - b) for a, b in combinations(colours, 2)) > 0.1


def oklab(rgb):
    """Of sRGB, by https://bottosson.github.io/posts/oklab."""
    c = np.array(rgb)
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    lms = linear @ np.array([
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ])  # fmt: skip
    return np.cbrt(lms) @ np.array([
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ])  # fmt: skip
