"""The sparsity-aware Hamming kernel and its log-determinant, by hand and by what must hold."""

from math import inf, log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.sahd import Patterns, log_determinant, patterns_of, similarity
from evo_snn.snn import build
from evo_snn.snn.activity import Activity
from genomes.spaces import make_space


def patterns(rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_two_samples_of_three_neurons_by_hand():
    # shares 1/3 and 2/3: chance differs in 1/3 * 1/3 + 2/3 * 2/3 = 5/9 of them; they differ in all
    kernel = similarity(patterns([[1, 0, 0], [0, 1, 1]]))
    apart = 3 - 0.5 / (5 / 9 + 0.001) * 3
    assert apart == pytest.approx(0.3048512677)
    assert kernel == pytest.approx(np.array([[3, apart], [apart, 3]]), abs=1e-12)
    assert log_determinant(kernel) == pytest.approx(log(9 - apart**2), abs=1e-12)


def test_sparse_patterns_are_told_apart_as_well_as_dense_ones():
    """One spike among a hundred neurons each, and fifty each: about N / 2 apart in both cases."""
    sparse, dense = torch.zeros(2, 100), torch.zeros(2, 100)
    sparse[0, 3] = sparse[1, 7] = 1
    dense[0, :50] = 1
    dense[1, 25:75] = 1
    plain = [float((one[0] != one[1]).sum()) for one in (sparse, dense)]
    assert plain == [2, 50]
    assert similarity(dense)[0, 1] == pytest.approx(50, abs=0.2)
    assert similarity(sparse)[0, 1] == pytest.approx(50, abs=4)


@pytest.mark.parametrize("rows", [[[1, 0, 1], [1, 0, 1], [0, 1, 1]], [[0, 0], [0, 0]], [[1], [1]]])
def test_equal_patterns_make_a_singular_kernel(rows):
    assert log_determinant(similarity(patterns(rows))) == -inf


def test_no_scale_over_or_underflows():
    kernel = np.array([[2.0, 0.5], [0.5, 2.0]])
    for scale in (1e-300, 1.0, 1e300):
        expected = log(3.75) + 2 * log(scale)
        assert log_determinant(kernel * scale) == pytest.approx(expected, rel=1e-12)


def test_many_samples_of_many_neurons_stay_finite():
    """The determinant itself, about (10^5)^256, is beyond floats."""
    drawn = np.random.default_rng(0).random((256, 100_000)) < 0.1
    score = log_determinant(similarity(torch.from_numpy(drawn.astype(np.float32))))
    assert 256 * log(40_000) < score < 256 * log(100_000)


@st.composite
def random_patterns(draw):
    rows, columns = draw(st.integers(2, 8)), draw(st.integers(1, 40))
    bits = st.lists(st.integers(0, 1), min_size=columns, max_size=columns)
    return patterns(draw(st.lists(bits, min_size=rows, max_size=rows)))


@given(random_patterns(), st.randoms(use_true_random=False))
def test_the_order_of_samples_and_of_neurons_means_nothing(found, random):
    rows, columns = (random.sample(range(n), n) for n in found.shape)
    one, other = similarity(found), similarity(found[rows][:, columns])
    assert np.allclose(one[np.ix_(rows, rows)], other, rtol=1e-12)
    scores = log_determinant(one), log_determinant(other)
    if min(scores) > -20:  # where rounding cannot turn it
        assert scores[0] == pytest.approx(scores[1], rel=1e-6, abs=1e-6)


@given(random_patterns())
def test_nothing_is_more_alike_than_a_sample_and_itself(found):
    kernel = similarity(found)
    assert (kernel.diagonal() == found.shape[1]).all()
    assert (kernel <= found.shape[1]).all()
    assert np.array_equal(kernel, kernel.T)


@pytest.mark.parametrize("name", ["plain", "cell"])
def test_a_network_is_the_mean_over_its_layers_and_time_steps(name):
    """By another way: every spike of every step, gathered and compared pair by pair."""
    space = make_space(name, (1, 8, 8), 10, {"time_steps": [3], "widths": [4]})
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for genome in space.sample(5, np.random.default_rng(1)):
        architecture = space.decode(genome)
        steps = []

        def gather(layer, source, spikes, steps=steps):
            if spikes is not None:
                steps.extend(spikes.flatten(1).split(6))

        network = build(architecture, 0)
        network.train()
        with torch.no_grad():
            network(x, gather)
        found = patterns_of(build(architecture, 0), x, Activity(architecture.carriers))
        firing = [one for one in (*architecture.layers, *architecture.nodes) if one.neuron]
        assert found.seen == len(steps) == 3 * len(firing)
        expected = np.zeros((6, 6))
        for step in steps:
            for i, one in enumerate(step.numpy() > 0):
                for j, other in enumerate(step.numpy() > 0):
                    s, t = one.mean(), other.mean()
                    chance = s * (1 - t) + (1 - s) * t
                    expected[i, j] += one.size - 0.5 / (chance + 1e-3) * (one != other).sum()
        assert found.total == pytest.approx(expected, rel=1e-9)
        if found.score() > -inf:
            _, expected_score = np.linalg.slogdet(expected / len(steps))
            assert found.score() == pytest.approx(expected_score, rel=1e-6)


def test_nothing_seen_has_no_score():
    assert Patterns(4, Activity()).score() == -inf
