"""The contract of an objective holds good ones harmless and catches each kind of bad one."""

import itertools
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import evo_snn
from evo_snn.testing import check_objective, example_candidates

_calls = itertools.count()
_seen: dict[str, float] = {}


@evo_snn.objective(unit="µJ", maximise=False, log=True)
def hottest(candidate):
    """Energy of the layer that uses most."""
    return max(layer.energy_uj for layer in candidate.cost.layers)


@evo_snn.objective(maximise=True, needs="network")
def steadiness(candidate):
    """Share of noisy scores that stay, with noise of the candidate's own seed."""
    generator = torch.Generator().manual_seed(candidate.seed)
    x = candidate.validation.x
    noise = torch.rand(x.shape, generator=generator) * 0.1
    with torch.no_grad():
        before, after = candidate.network(x), candidate.network((x + noise).clamp(0, 1))
    return float((before.argmax(1) == after.argmax(1)).float().mean())


@pytest.mark.parametrize("function", [hottest, steadiness])
def test_a_good_objective_passes(function):
    check_objective(function, candidates=4)


def test_the_data_that_it_is_for_can_be_said():
    check_objective(hottest, input_shape=(2, 30), classes=3, candidates=3, chip="spikesim_65nm")


@evo_snn.objective(maximise=True)
def forgetful(candidate):
    """Counts its calls."""
    return float(next(_calls))


@evo_snn.objective(maximise=True)
def lucky(candidate):
    """Draws from the global generator."""
    return random.random()  # noqa: S311 - what it must not do


@evo_snn.objective(maximise=True)
def lucky_array(candidate):
    """Draws from numpy's global generator."""
    return float(np.random.rand())  # noqa: NPY002 - what it must not do


@evo_snn.objective(maximise=True)
def lucky_tensor(candidate):
    """Draws from torch's global generator."""
    return float(torch.rand(()))


@evo_snn.objective(maximise=True)
def hash_of_a_process(candidate):
    """Depends on what differs from process to process."""
    return float(hash(candidate.key) % 1000)


@evo_snn.objective(maximise=True)
def process(candidate):
    """The process."""
    return float(os.getpid())


@evo_snn.objective(maximise=True)
def remembers(candidate):
    """Depends on which candidate it saw first."""
    return _seen.setdefault("first", candidate.cost.energy_uj)


@evo_snn.objective(maximise=True)
def not_a_number(candidate):
    """Gives NaN."""
    return float("nan")


@evo_snn.objective(maximise=True)
def word(candidate):
    """Gives text."""
    return "3"


@evo_snn.objective(maximise=False, log=True)
def nothing(candidate):
    """Gives 0 on a logarithmic scale."""
    return 0.0


@evo_snn.objective(maximise=True)
def crash(candidate):
    """Raises."""
    raise KeyError("energy")


@evo_snn.objective(maximise=True)
def spoils_metrics(candidate):
    """Writes into the metrics."""
    candidate.metrics["accuracy"] = 1.0
    return 1.0


@evo_snn.objective(maximise=True, needs="network")
def spoils_the_network(candidate):
    """Perturbs the weights in place."""
    next(candidate.network.buffers()).add_(1)
    return 1.0


@evo_snn.objective(maximise=True, needs="network")
def spoils_the_data(candidate):
    """Writes into the validation data."""
    candidate.validation.x.zero_()
    return 1.0


@evo_snn.objective(maximise=True)
def spoils_the_process(candidate):
    """Changes torch's settings."""
    torch.set_num_threads(2)
    return 1.0


@evo_snn.objective(maximise=True)
def writes(candidate):
    """Leaves a file in the current folder."""
    if not (Path.cwd() / "pyproject.toml").exists():
        Path("left.txt").write_text("x")
    return 1.0


@evo_snn.objective(maximise=True)
def undescribed(candidate):
    return 1.0


@evo_snn.objective(maximise=True, name="accuracy")
def taken(candidate):
    """Takes a name."""
    return 1.0


@evo_snn.objective(maximise=True, name="generation")
def reserved(candidate):
    """Takes a column."""
    return 1.0


@evo_snn.objective(maximise=True, name="two words")
def spaced(candidate):
    """Has a name that no configuration can give as a bare key."""
    return 1.0


def plain(candidate):
    """Is not decorated."""
    return 1.0


def local():
    @evo_snn.objective(maximise=True)
    def inner(candidate):
        """Cannot be imported."""
        return 1.0

    return inner


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (forgetful, "'forgetful' gives .* twice"),
        (lucky, "'lucky' gives .* generator made of candidate.seed"),
        (lucky_array, "'lucky_array' gives"),
        (lucky_tensor, "'lucky_tensor' gives"),
        (hash_of_a_process, "in another process"),
        (process, "in another process"),
        (remembers, "in another process|in another order"),
        (not_a_number, "finite number"),
        (word, "finite number"),
        (nothing, "log=True"),
        (crash, "KeyError: 'energy'"),
        (spoils_metrics, "does not support item assignment"),
        (spoils_the_network, "changes the network|gives"),
        (spoils_the_data, "changes the validation data"),
        (spoils_the_process, "changes the settings"),
        (writes, "leaves files .*left.txt"),
        (undescribed, "docstring"),
        (taken, "has a metric of that name"),
        (reserved, "column"),
        (spaced, "letters"),
        (plain, "not under"),
        (local(), "top level"),
    ],
)
def test_a_bad_objective_is_told_what_is_wrong(function, says, tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    with pytest.raises(AssertionError) as caught:
        check_objective(function, candidates=3)
    assert re.search(says, str(caught.value)), caught.value
    torch.set_num_threads(threads)


def test_the_test_leaves_global_generators_as_they_were():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    expected = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    check_objective(hottest, candidates=2)
    assert random.getstate() == expected[0]
    assert (np.random.get_state()[1] == expected[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), expected[2])


def test_invented_candidates_are_complete_and_the_same_each_time():
    first, again = example_candidates(3, network=True), example_candidates(3, network=True)
    assert [one.metrics for one in first] == [one.metrics for one in again]
    for one in first:
        assert one.network is not None
        assert one.network(one.validation.x).shape == (len(one.validation), 10)
        assert one.metrics["energy_uj"] == one.cost.energy_uj
        assert set(one.metrics) == set(evo_snn.objectives.BUILT_IN)
    assert len({one.seed for one in first}) == 3
