"""Training: looks, learning rate, batches, seeds; full training of a run's designs."""

import json
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from evo_snn import training
from evo_snn.full_training import train
from evo_snn.measured import Measured
from evo_snn.run import Run
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import named_tensors, read_tensors, restore
from evo_snn.store import Store
from evo_snn.training import (
    Samples,
    TrainingDivergedError,
    checked_device,
    data_digest,
    dataset,
    fit,
    measure,
    on_device,
    random_batches,
    scheduled,
)
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.spaces import make_space


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def architecture():
    space = make_space("plain", (1, 4, 4), 2, {"max_stages": 1, "max_blocks": 2})
    return space.decode([0] * len(space.genes))


@pytest.fixture(scope="module")
def samples():
    """Bright above or bright below; 40 to train, 30 to validate."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(70) % 2
    x = 0.3 * torch.rand(70, 1, 4, 4, generator=generator)
    x[y == 1, :, :2] += 0.4
    x[y == 0, :, 2:] += 0.4
    return Samples(x[:40], y[:40]), Samples(x[40:], y[40:])


def fitted(architecture, samples, **changes):
    settings = {
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
        "looks": 3,
        "seed": 5,
    }
    return fit(build(architecture, 1), *samples, **{**settings, **changes})


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_one_seed_one_result_bit_for_bit(architecture, samples):
    torch.manual_seed(1)
    one = fitted(architecture, samples)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = fitted(architecture, samples)
    other = fitted(architecture, samples, seed=6)

    assert torch.equal(torch.get_rng_state(), before)
    assert equal(one.tensors, again.tensors)
    assert (one.accuracy, one.rates, one.steps) == (again.accuracy, again.rates, again.steps)
    assert not equal(one.tensors, other.tensors)


def test_training_learns(architecture, samples):
    result = fitted(architecture, samples, steps=40)

    assert result.accuracy > 0.9
    assert result.steps == 40
    assert set(result.rates) == {layer.name for layer in architecture.layers}


def test_the_result_is_what_the_deployed_network_scores(architecture, samples):
    result = fitted(architecture, samples)
    network = build(architecture, 99)
    restore(network, result.tensors)

    found = measure(deploy(network), samples[1])
    assert found.confusion.tolist() == result.measured.confusion.tolist()
    assert (found.accuracy, found.rates) == (result.accuracy, result.rates)


@pytest.mark.parametrize(
    "setting", [{"weight_decay": 0.5}, {"learning_rate": 0.01}, {"warm_up": 0.5}]
)
def test_settings_are_felt(setting, architecture, samples):
    plain, changed = fitted(architecture, samples), fitted(architecture, samples, **setting)

    assert not equal(plain.tensors, changed.tensors)


def test_training_is_adam_on_cross_entropy(architecture, samples):
    """The loop written out: fresh gradients in every step, each batch once."""
    network = build(architecture, 1).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=0.02, betas=(0.7, 0.999), weight_decay=0.0, fused=True
    )
    batches = random_batches(40, 8, torch.Generator().manual_seed(5))
    for factor in (1.0, 0.75, 0.25):  # (1 + cos(pi k / 3)) / 2
        optimizer.param_groups[0]["lr"] = 0.02 * factor
        chosen = next(batches)
        for parameter in network.parameters():
            parameter.grad = None
        F.cross_entropy(network(samples[0].x[chosen]), samples[0].y[chosen]).backward()
        optimizer.step()
        network.project()
    result = fitted(architecture, samples, steps=3, looks=1)

    for name, tensor in named_tensors(network).items():
        assert torch.allclose(result.tensors[name], tensor, rtol=1e-4, atol=1e-6), name


class Looks:
    """Counts steps, and stands in for what a look measures."""

    def __init__(self, monkeypatch, accuracies):
        self.steps, self.at, self.seen = 0, [], []
        self.accuracies = iter(accuracies)
        monkeypatch.setattr(training, "loss_of_decisions", self.cross_entropy)
        monkeypatch.setattr(training, "measure", self.measure)

    def cross_entropy(self, scores, y, weight):
        self.steps += 1
        return F.cross_entropy(scores[0], y, weight)

    def measure(self, network, samples):
        self.at.append(self.steps)
        self.seen.append({name: t.clone() for name, t in named_tensors(network).items()})
        right = round(100 * next(self.accuracies))
        return Measured(np.array([[right, 100 - right], [0, 0]]), {"at": self.steps})


@pytest.mark.parametrize(
    ("steps", "looks", "expected"),
    [
        (10, 1, [10]),
        (10, 3, [4, 7, 10]),
        (9, 3, [3, 6, 9]),
        (3, 3, [1, 2, 3]),
        (2, 5, [1, 2]),
        (1, 1, [1]),
    ],
)
def test_looks_are_spread_and_the_last_step_is_looked_at(
    steps, looks, expected, architecture, samples, monkeypatch
):
    spy = Looks(monkeypatch, [0.5] * looks)
    result = fitted(architecture, samples, steps=steps, looks=looks)

    assert spy.at == expected
    assert spy.steps == result.steps == steps


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [([0.2, 0.9, 0.7], 1), ([0.2, 0.3, 0.4], 2), ([0.9, 0.3, 0.4], 0), ([0.9, 0.5, 0.9], 2)],
)
def test_the_best_look_is_kept_and_of_equal_ones_the_latest(
    accuracies, best, architecture, samples, monkeypatch
):
    spy = Looks(monkeypatch, accuracies)
    result = fitted(architecture, samples)
    network = build(architecture, 99)
    restore(network, result.tensors)

    assert result.accuracy == accuracies[best]
    assert result.rates == {"at": [4, 8, 12][best]}
    assert equal(named_tensors(deploy(network)), spy.seen[best])
    assert not equal(spy.seen[best], spy.seen[best - 1])


@pytest.mark.parametrize(("best_by", "best"), [("accuracy", 0), ("balanced_accuracy", 1)])
def test_looks_are_compared_by_what_is_asked_for(best_by, best, architecture, samples, monkeypatch):
    # the first look is right more often, the second in the small class too
    looks = iter([np.array([[90, 0], [10, 0]]), np.array([[70, 20], [0, 10]])])
    monkeypatch.setattr(training, "measure", lambda *_: Measured(next(looks)))
    result = fitted(architecture, samples, looks=2, best_by=best_by)

    assert result.accuracy == [0.9, 0.8][best]


def test_weights_of_classes_are_the_inverse_of_their_size(architecture, samples, monkeypatch):
    train = Samples(samples[0].x[:8], torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]))
    seen = []

    def cross_entropy(scores, y, weight):
        seen.append(weight)
        return F.cross_entropy(scores[0], y, weight)

    monkeypatch.setattr(training, "loss_of_decisions", cross_entropy)
    weights = [
        fitted(architecture, (train, samples[1]), steps=1, looks=1, class_weights=kind).tensors
        for kind in ("none", "balanced")
    ]

    # 8 samples of 2 classes: 8 / (2 x 6) and 8 / (2 x 2)
    assert seen[0] is None
    assert seen[1].tolist() == pytest.approx([2 / 3, 2.0])
    assert not equal(*weights)


def test_a_class_without_samples_weighs_nothing():
    found = training._class_weights(torch.tensor([0, 0, 2]), 3, "balanced")

    assert found.tolist() == pytest.approx([3 / 4, 0, 3 / 2])


@pytest.mark.parametrize("better", [True, False])
def test_a_training_that_goes_on_keeps_the_best_of_before_and_after(architecture, samples, better):
    """The other labels are learnt before, or after."""
    train, validation = samples
    misled = Samples(train.x, 1 - train.y)
    first, second = (misled, train) if better else (train, misled)
    start = fitted(architecture, (first, validation), steps=40)
    ends = []
    for goes_on in (False, True):
        network = build(architecture, 1)
        restore(network, start.tensors)
        settings = {"batch_size": 8, "learning_rate": 0.02, "weight_decay": 0.0, "looks": 1}
        end = fit(network, second, validation, steps=40, seed=5, goes_on=goes_on, **settings)
        ends.append(end)
    after, kept = ends
    assert (after.accuracy > start.accuracy) == better
    assert kept.accuracy == max(after.accuracy, start.accuracy)
    assert equal(kept.tensors, (after if better else start).tensors)
    assert kept.rates == (after if better else start).rates


def test_the_learning_rate_falls_along_half_a_cosine(architecture, samples, monkeypatch):
    rates = []

    class Recording(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    monkeypatch.setattr(torch.optim, "AdamW", Recording)
    fitted(architecture, samples, steps=4, learning_rate=0.02)

    # (1 + cos(pi k / 4)) / 2 for k = 0 … 3
    factors = [1.0, 0.8535533905932737, 0.5, 0.14644660940672624]
    assert rates == pytest.approx([0.02 * factor for factor in factors])


@pytest.mark.parametrize(
    ("steps", "warm_up", "expected"),
    [
        (4, 0.0, [1.0, 0.8535533905932737, 0.5, 0.14644660940672624]),
        # two steps up to thirds, then (1 + cos(pi k / 3)) / 2
        (5, 0.4, [1 / 3, 2 / 3, 1.0, 0.75, 0.25]),
        (1, 0.2, [1.0]),
        (1, 0.9, [0.5]),
    ],
)
def test_the_learning_rate_rises_and_falls(steps, warm_up, expected):
    shares = [scheduled(step, steps, warm_up) for step in range(1, steps + 1)]
    assert shares == pytest.approx(expected)


@given(st.integers(1, 500), st.floats(0, 0.99))
def test_the_learning_rate_rises_once_and_never_vanishes(steps, warm_up):
    shares = [scheduled(step, steps, warm_up) for step in range(1, steps + 1)]
    peak = shares.index(max(shares))
    assert shares == sorted(shares[: peak + 1]) + sorted(shares[peak + 1 :], reverse=True)
    assert 0 < min(shares) <= max(shares) <= 1
    assert max(shares) == 1 or round(warm_up * steps) == steps


def test_a_loss_that_is_no_number_ends_the_training(architecture, samples, monkeypatch):
    def cross_entropy(scores, y, weight):
        return F.cross_entropy(scores[0], y, weight) * torch.nan

    monkeypatch.setattr(training, "loss_of_decisions", cross_entropy)
    with pytest.raises(TrainingDivergedError, match="the loss is nan after 4 steps"):
        fitted(architecture, samples)


def test_silent_divergence_ends_the_training_too(architecture, samples):
    """A neuron of a membrane that is NaN does not fire: the scores and the loss stay finite."""
    broken = Samples(torch.full_like(samples[0].x, torch.nan), samples[0].y)

    with pytest.raises(TrainingDivergedError, match=r"stage1\.block1/\w+ is not finite after 4"):
        fitted(architecture, (broken, samples[1]))


def test_leaks_and_thresholds_stay_where_they_make_sense(architecture, samples):
    result = fitted(architecture, samples, learning_rate=3.0, looks=1)
    leaks = [t.item() for name, t in result.tensors.items() if name.endswith("/leak")]
    thresholds = [t.item() for name, t in result.tensors.items() if name.endswith("/threshold")]

    assert all(1 / 16 <= leak <= 1 for leak in leaks)
    assert all(threshold >= 0.0499 for threshold in thresholds)
    assert any(leak in (1 / 16, 1) for leak in leaks)  # such a rate drove one to its bound


def test_the_network_is_trained_in_place(architecture, samples):
    network = build(architecture, 1)
    result = fit(
        network,
        *samples,
        steps=4,
        batch_size=8,
        learning_rate=0.02,
        weight_decay=0.0,
        looks=1,
        seed=5,
    )

    assert network.training
    assert equal(result.tensors, named_tensors(network))
    with torch.no_grad():
        network.trainable_layers()[0].weight.zero_()
    assert result.tensors["stage1.block1/weight"].any()  # a copy


def taken(n, size, passes, seed=0):
    batches = random_batches(n, size, torch.Generator().manual_seed(seed))
    return [next(batches) for _ in range(passes * (n // min(n, size)))]


@pytest.mark.parametrize(("n", "size"), [(12, 4), (12, 12), (12, 1), (5, 8)])
def test_a_pass_takes_every_sample_once(n, size):
    batches = taken(n, size, passes=3)
    per_pass = len(batches) // 3
    passes = [torch.cat(batches[k * per_pass : (k + 1) * per_pass]) for k in range(3)]

    assert all(len(batch) == min(n, size) for batch in batches)
    for one in passes:
        assert sorted(one.tolist()) == list(range(n))
    assert len({tuple(one.tolist()) for one in passes}) == 3  # in a new order each time


def test_batches_are_full_and_a_rest_waits_for_the_next_pass():
    batches = taken(11, 4, passes=50)

    assert all(len(batch) == len(batch.unique()) == 4 for batch in batches)
    assert all(len(torch.cat(batches[k : k + 2]).unique()) == 8 for k in range(0, 100, 2))
    assert set(torch.cat(batches).tolist()) == set(range(11))


def test_batches_follow_their_generator():
    assert all(torch.equal(a, b) for a, b in zip(taken(20, 4, 2), taken(20, 4, 2), strict=True))
    assert not torch.equal(taken(20, 4, 1, seed=1)[0], taken(20, 4, 1)[0])


def test_measuring_counts_over_all_batches():
    sizes = []

    class Counting:
        architecture = SimpleNamespace(carriers={}, exit=None, decisions=1, classes=3)

        def decisions(self, x, observe):
            sizes.append(len(x))
            return F.one_hot(x.long(), 3).float().unsqueeze(0)

    y = torch.arange(600) % 3
    x = y.clone().float()
    x[[0, 300, 599]] = (x[[0, 300, 599]] + 1) % 3  # one mistake in each batch

    found = measure(Counting(), Samples(x, y))

    assert (found.accuracy, found.rates) == (597 / 600, {})
    assert found.confusion.tolist() == [[198, 2, 0], [0, 200, 0], [1, 0, 199]]
    assert sizes == [256, 256, 88]


def test_measuring_does_not_depend_on_how_samples_are_split(architecture, samples, monkeypatch):
    network = deploy(build(architecture, 1))
    whole = measure(network, samples[1])
    monkeypatch.setattr(training, "MEASURED_AT_ONCE", 7)

    found = measure(network, samples[1])
    assert found.confusion.tolist() == whole.confusion.tolist()
    assert found.rates == whole.rates


def test_devices_are_checked_by_name():
    assert checked_device("cpu").type == "cpu"
    for name in ("gpu0", "cuda:99"):
        with pytest.raises(RequestError, match=r"training\.device: got"):
            checked_device(name)


# Full training of a run's designs


@pytest.fixture
def smallest(finished_run):
    """The design of the run with the fewest operations."""
    ok = [one for one in finished_run.candidates().itertuples() if one.state == "ok"]
    candidates = [finished_run.candidate(one.key) for one in ok]
    return min(
        candidates, key=lambda one: Architecture.from_description(one.architecture).operations
    )


def test_full_training_keeps_what_it_measured(finished_run, smallest):
    table = train(finished_run, [smallest.key[:8]], epochs=2)
    row = table.iloc[0].to_dict()
    steps_a_pass = len(dataset(finished_run.config.data).train.y) // 64

    assert len(table) == 1
    assert row["key"] == smallest.key
    assert row["epochs"] == 2
    assert row["steps"] == 2 * steps_a_pass
    assert row["seed"] == 0
    folder = finished_run.folder / "trained"
    assert json.loads((folder / f"{smallest.key}.json").read_text()) == row
    # the file holds the network that was measured, on the test part too
    path = folder / f"{smallest.key}.safetensors"
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["architecture"])
    network = build(Architecture.from_description(description), 0)
    restore(network, read_tensors(path))
    data = dataset(finished_run.config.data)
    deployed = deploy(network)
    assert measure(deployed, on_device(data.test, "cpu")).accuracy == row["test_accuracy"]
    found = measure(deployed, on_device(data.validation, "cpu"))
    assert found.accuracy == row["validation_accuracy"]
    assert row["validation_accuracy"] > 0.15  # ten classes

    again = train(finished_run, [smallest.key], epochs=2).iloc[0].to_dict()
    assert again == row
    other = train(finished_run, [smallest.key], epochs=2, seed=1).iloc[0].to_dict()
    assert other["seed"] == 1
    assert other != {**row, "seed": 1}


def test_full_training_refuses_what_it_cannot_do(finished_run, smallest):
    with pytest.raises(RequestError, match="--epochs: got 0; allowed: 1 or more"):
        train(finished_run, [smallest.key], epochs=0)
    with pytest.raises(RequestError):
        train(finished_run, ["zzzz"], epochs=1)
    assert not (finished_run.folder / "trained").exists()


def test_full_training_writes_nowhere_but_in_the_run(finished_run, smallest):
    elsewhere = finished_run.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (finished_run.folder / "trained").symlink_to(elsewhere)
    with pytest.raises(RequestError, match="trained'; allowed: no symbolic link"):
        train(finished_run, [smallest.key], epochs=1)
    assert list(elsewhere.iterdir()) == []


def test_a_strangers_key_is_no_path_of_full_training(finished_run, smallest):
    with closing(sqlite3.connect(finished_run.folder / "run.sqlite")) as database:
        database.execute("UPDATE candidate SET key = '../../mine' WHERE key = ?", (smallest.key,))
        database.commit()
    with pytest.raises(RequestError, match="key: got '../../mine'; allowed: letters"):
        train(finished_run, ["../../mine"], epochs=1)
    assert not (finished_run.folder / "trained").exists()


def test_full_training_takes_the_runs_own_data_alone(finished_run, smallest):
    with Store.open(finished_run.folder, read_only=False) as store:
        store.set_meta("data_digest", data_digest(dataset(finished_run.config.data)))
    assert len(train(Run(finished_run.folder), [smallest.key], epochs=1)) == 1
    with Store.open(finished_run.folder, read_only=False) as store:
        store.set_meta("data_digest", "of other data")
    with pytest.raises(RequestError, match="data: got 'digits'; allowed: the run's own data set"):
        train(Run(finished_run.folder), [smallest.key], epochs=1)
