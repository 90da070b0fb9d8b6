"""Figures that follow from confusion counts, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from evo_snn.measured import Measured


def test_figures_by_hand():
    found = Measured(np.array([[40, 10], [5, 45]]))

    assert found.samples == 100
    assert found.recalls == (0.8, 0.9)
    # chance: (45 x 50 + 55 x 50) / 100² = 0.5
    assert found.figures == pytest.approx(
        {"accuracy": 0.85, "balanced_accuracy": 0.85, "kappa": 0.7}
    )


def test_classes_that_are_rare_weigh_as_much_as_others_in_balanced_accuracy():
    found = Measured(np.array([[98, 0], [2, 0]]))

    assert found.accuracy == 0.98
    assert found.balanced_accuracy == 0.5
    assert found.kappa == 0


def test_a_class_without_samples_counts_in_no_mean():
    found = Measured(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]]))

    assert found.recalls == (0.75, None, 1.0)
    assert found.balanced_accuracy == 0.875


def test_one_class_that_is_always_right_agrees_no_more_than_by_chance():
    assert Measured(np.array([[7, 0], [0, 0]])).kappa == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_figures_are_those_of_scikit_learn(pairs):
    true, given_class = np.array(pairs).T
    confusion = np.zeros((4, 4), np.int64)
    np.add.at(confusion, (true, given_class), 1)
    found = Measured(confusion)

    assert found.accuracy == pytest.approx(accuracy_score(true, given_class))
    one_class = len({*true, *given_class}) == 1  # scikit-learn gives NaN
    if not one_class:
        kappa = cohen_kappa_score(true, given_class, labels=range(4))
        assert found.kappa == pytest.approx(kappa, abs=1e-12)
    present = [np.mean(given_class[true == one] == one) for one in np.unique(true)]
    assert found.balanced_accuracy == pytest.approx(np.mean(present))
    if set(given_class) <= set(true) and not one_class:  # otherwise scikit-learn warns
        assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, given_class))
