import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.datasets import Parts, Split
from evo_snn.datasets.base import make_dataset
from evo_snn.datasets.groups import split_groups
from genomes.errors import RequestError


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=40, max_size=120),
    st.floats(0.1, 0.5),
    st.integers(0, 9),
    st.integers(1, 2),
)
def test_whole_groups_and_every_class_on_both_sides(pairs, fraction, seed, keep):
    y, groups = np.array(pairs).T
    few = [c for c in np.unique(y) if len(np.unique(groups[y == c])) <= keep]
    if few:
        with pytest.raises(RequestError, match=f"class {few[0]} in {keep} group"):
            split_groups(y, groups, fraction, seed, keep)
        return
    try:
        kept, held = split_groups(y, groups, fraction, seed, keep)
    except RequestError:  # of classes that are in enough groups, but in the same ones
        return
    assert sorted([*kept, *held]) == list(range(len(y)))
    assert not set(groups[kept]) & set(groups[held])
    for label in np.unique(y):
        assert label in y[held]
        assert len(np.unique(groups[kept][y[kept] == label])) >= keep


def test_shares_are_near_what_is_asked_for_and_depend_on_the_seed():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 3, 3000), rng.integers(0, 40, 3000)
    splits = [split_groups(y, groups, 0.25, seed)[1] for seed in (0, 0, 1)]
    for held in splits:
        shares = np.bincount(y[held]) / np.bincount(y)
        assert np.abs(shares - 0.25).max() < 0.03
    assert np.array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])


def test_what_cannot_be_divided_is_one_line():
    # each class is in two groups, but every group holds what another side needs
    y = np.array([0, 0, 1, 1, 2, 2])
    groups = np.array([0, 1, 1, 2, 2, 0])
    with pytest.raises(RequestError, match="3 groups of 3 classes.*every class is on both sides"):
        split_groups(y, groups, 0.5, 0)


def test_a_loader_may_give_groups_or_its_own_validation():
    x = np.linspace(0, 1, 24, dtype=np.float32).reshape(12, 1, 2)
    y = np.tile([0, 1], 6)
    whole, test = Split(x[:10], y[:10]), Split(x[10:], y[10:])
    groups = np.repeat(np.arange(5), 2)

    grouped = make_dataset("a", Parts(whole, test, (0, 1), groups=groups), 0.4, 0)
    own = make_dataset("a", Parts(whole, test, (0, 1), validation=test, leaky="yes"), 0.4, 0)
    plain = make_dataset("a", (whole, test, (0, 1)), 0.4, 0)

    assert len(grouped.validation) == 4
    assert (grouped.validation.y[::2] == 0).all()  # pairs stay together
    assert own.train is whole
    assert own.validation is test
    assert own.leaky == "yes"
    assert (plain.leaky, plain.frames, plain.names, len(plain.validation)) == ("", 0, (), 4)
