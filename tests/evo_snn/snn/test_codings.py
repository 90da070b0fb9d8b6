"""Input codings against trains written by hand, and what holds for all samples."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.snn.codings import encoded, regrouped, step_weights
from genomes.architecture import PHASES

CODES = ("rate", "radix", "phase", "burst", "first_spike")


def train(x, coding, steps):
    """The train of one value, as a list."""
    return encoded(torch.tensor([[x]]), coding, steps, None)[:, 0, 0].int().tolist()


@pytest.mark.parametrize(
    ("coding", "x", "expected"),
    [
        ("radix", 0.0, [0, 0, 0, 0]),
        ("radix", 1.0, [1, 1, 1, 1]),
        ("radix", 10 / 15, [1, 0, 1, 0]),
        ("radix", 5.4 / 15, [0, 1, 0, 1]),  # rounded to 5
        ("phase", 10 / 15, [1, 0, 1, 0, 1, 0]),  # 4 bits over and over
        ("phase", 1 / 15, [0, 0, 0, 1, 0, 0]),
        ("burst", 1.0, [1, 1, 1, 1]),  # 4 spikes, one step apart
        ("burst", 0.5, [1, 0, 0, 1]),  # 2 spikes, ceil(4 - 1.5) = 3 apart
        ("burst", 0.25, [1, 0, 0, 0]),
        ("burst", 0.0, [0, 0, 0, 0]),
        ("first_spike", 1.0, [1, 0, 0, 0]),
        ("first_spike", 0.75, [0, 1, 0, 0]),
        ("first_spike", 0.74, [0, 0, 1, 0]),
        ("first_spike", 0.25, [0, 0, 0, 1]),
        ("first_spike", 0.24, [0, 0, 0, 0]),  # below the last threshold, 1 / T
        ("rate", 0.0, [0, 0, 0, 0]),
        ("rate", 1.0, [1, 1, 1, 1]),
    ],
)
def test_trains_by_hand(coding, x, expected):
    assert train(x, coding, len(expected)) == expected


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        ("direct", (1, 1, 1, 1, 1, 1)),
        ("rate", (1, 1, 1, 1, 1, 1)),
        ("radix", (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)),
        ("phase", (1, 1 / 2, 1 / 4, 1 / 8, 1, 1 / 2)),
    ],
)
def test_what_a_spike_is_worth(coding, expected):
    assert step_weights(coding, 6) == expected


@given(x=st.floats(0, 1), steps=st.integers(1, 12), coding=st.sampled_from(CODES))
def test_trains_are_spikes(x, steps, coding):
    spikes = train(x, coding, steps)

    assert len(spikes) == steps
    assert set(spikes) <= {0, 1}
    if coding == "first_spike":
        assert sum(spikes) <= 1


@given(x=st.floats(0, 1), y=st.floats(0, 1), steps=st.integers(1, 10))
@pytest.mark.parametrize("coding", ["radix", "rate"])
def test_what_is_larger_sends_no_less(coding, x, y, steps):
    def sent(value):
        spikes, weights = train(value, coding, steps), step_weights(coding, steps)
        return sum(spike * weight for spike, weight in zip(spikes, weights, strict=True))

    low, high = sorted((x, y))
    assert sent(low) <= sent(high)


@given(steps=st.integers(1, 12), level=st.integers(0, 4095))
def test_a_radix_train_is_the_number(steps, level):
    top = 2**steps - 1
    number = min(level, top)

    spikes = train(number / top, "radix", steps)

    assert int("".join(map(str, spikes)), 2) == number


def test_a_period_of_phases_is_the_number():
    for number in range(16):
        assert int("".join(map(str, train(number / 15, "phase", PHASES))), 2) == number


def test_random_spikes_come_from_the_generator_alone():
    x = torch.full((500, 20), 0.3)
    torch.manual_seed(1)
    state = torch.get_rng_state()

    one = encoded(x, "rate", 8, torch.Generator().manual_seed(5))
    again = encoded(x, "rate", 8, torch.Generator().manual_seed(5))
    other = encoded(x, "rate", 8, torch.Generator().manual_seed(6))

    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.mean().item() == pytest.approx(0.3, abs=0.01)  # 80,000 draws: 6 deviations
    assert not torch.equal(one[:, 0], one[:, 1])  # each sample its own


def test_a_deployed_network_draws_the_same_for_every_sample():
    x = torch.full((3, 50), 0.5)

    spikes = encoded(x, "rate", 6, None)

    assert torch.equal(spikes[:, 0], spikes[:, 1])
    assert torch.equal(spikes, encoded(x, "rate", 6, None))


@pytest.mark.parametrize(
    ("frames", "steps", "expected"),
    [
        (4, 4, [0, 1, 2, 3]),
        (4, 2, [0.5, 2.5]),
        (5, 2, [0.5, 3.0]),  # 0 1 | 2 3 4
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
        (3, 1, [1.0]),
    ],
)
def test_frames_of_each_step(frames, steps, expected):
    x = torch.arange(float(frames)).view(1, frames, 1)

    assert regrouped(x, steps).flatten().tolist() == expected


@pytest.mark.parametrize("steps", [24, 25, 63, 128, 1024])
def test_a_radix_train_of_many_steps_is_the_number(steps):
    weights = step_weights("radix", steps)
    for x in (1.0, 0.5, 3 / 255):
        spikes = train(x, "radix", steps)

        assert sum(s * w for s, w in zip(spikes, weights, strict=True)) == pytest.approx(2 * x)


@given(x=st.floats(0, 1))
def test_one_period_of_phases_is_a_radix_train(x):
    assert train(x, "phase", PHASES) == train(x, "radix", PHASES)
    assert step_weights("phase", PHASES) == step_weights("radix", PHASES)
