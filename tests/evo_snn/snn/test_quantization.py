"""Quantization: levels, steps, ranges and straight-through gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from evo_snn.snn.quantization import (
    NORMAL_STEP,
    POWER_STEP,
    quantized_input,
    quantized_leak,
    quantized_state,
    state_step,
    straight_through,
    weight_levels,
)
from genomes.quantizers import POWER_BITS
from tests.evo_snn.snn.alphabets import levels_of

BITS = st.integers(2, 8)
QUANTIZERS = st.one_of(
    st.tuples(st.integers(1, 8), st.just("uniform")),
    st.tuples(st.sampled_from(POWER_BITS), st.just("power_of_two")),
)
"""Bits and quantizer."""


def quantized_weight(weight, bits, *, per_channel=True, quantizer="uniform"):
    """What a layer's product has in place of a weight."""
    levels, scale = weight_levels(weight, bits, per_channel=per_channel, quantizer=quantizer)
    return straight_through(weight, levels * scale)


def mean_squared_error(step, levels):
    """Of a standard normal variable and its nearest level, in closed form."""
    levels = np.array(levels) * step
    inner = (levels[1:] + levels[:-1]) / 2
    low, high = np.append(-np.inf, inner), np.append(inner, np.inf)
    probability = norm.cdf(high) - norm.cdf(low)
    first = norm.pdf(low) - norm.pdf(high)
    edge_low = np.append(0.0, inner) * norm.pdf(low)
    edge_high = np.append(inner, 0.0) * norm.pdf(high)
    second = probability + edge_low - edge_high
    return float(np.sum(second - 2 * levels * first + levels**2 * probability))


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_steps_are_the_best_for_a_normal_variable(bits):
    best = minimize_scalar(
        mean_squared_error,
        bounds=(2 / 2**bits, 16 / 2**bits),
        args=(levels_of(bits, "uniform"),),
        method="bounded",
        options={"xatol": 1e-9},
    )

    assert best.success
    assert NORMAL_STEP[bits] == pytest.approx(best.x, abs=1e-4)


def best_of_powers(exponents):
    """The best step of 0, ±1, … ±2^exponents, and its error: the least of some, then refined."""
    magnitudes = [2**k for k in range(exponents + 1)]
    levels = [-m for m in reversed(magnitudes)] + [0] + magnitudes
    some = np.geomspace(0.5, 8, 200) / magnitudes[-1]
    near = int(np.argmin([mean_squared_error(step, levels) for step in some]))
    return minimize_scalar(
        mean_squared_error,
        bounds=(some[near - 2], some[near + 2]),
        args=(levels,),
        method="bounded",
        options={"xatol": 1e-9},
    )


@pytest.mark.parametrize(("bits", "exponents"), [(3, 2), (4, 6)])
def test_the_steps_of_powers_are_the_best_for_a_normal_variable(bits, exponents):
    assert POWER_STEP[bits] == pytest.approx(best_of_powers(exponents).x, abs=1e-4)


def test_more_than_four_bits_of_powers_gain_nothing_on_a_normal_variable():
    three, four, five = (best_of_powers(exponents).fun for exponents in (2, 6, 14))

    assert three == pytest.approx(0.04756, abs=1e-5)
    assert four == pytest.approx(0.03774, abs=1e-5)
    assert five > 0.999 * four


def test_there_is_a_step_for_every_width():
    assert sorted(NORMAL_STEP) == [2, 3, 4, 5, 6, 7, 8]
    assert sorted(POWER_STEP) == sorted(POWER_BITS)


def test_signs_by_hand():
    # mean magnitudes 2.4 and 0.5; a zero counts as positive
    levels, scale = weight_levels(torch.tensor([[3.0, -4.0, 0.2], [0.0, -0.5, -1.0]]), 1)

    assert levels.tolist() == [[1, -1, 1], [1, -1, -1]]
    assert scale.flatten().tolist() == pytest.approx([2.4, 0.5])


@given(st.integers(0, 10**6), st.floats(0.5, 2))
def test_no_other_scale_of_signs_is_better(seed, factor):
    weight = torch.randn(1, 20, generator=torch.Generator().manual_seed(seed)).double()
    levels, scale = weight_levels(weight, 1)

    def error(scale):
        return float((weight - levels * scale).square().sum())

    assert error(scale) <= error(scale * factor) + 1e-12


def test_powers_by_hand():
    # seven weights of rms sqrt((400 + 16 + 9 + 4 + 1 + 0.25 + 0.0004) / 7) = 7.8404; a step is
    # 0.5181 of it, 4.0621: 4.92, 0.985, 0.739, 0.492, 0.246, 0.123, 0.005 steps
    weight = torch.tensor([[20.0, -4.0, 3.0, 2.0, -1.0, 0.5, 0.02]])
    levels, scale = weight_levels(weight, 3, quantizer="power_of_two")

    assert scale.item() == pytest.approx(4.0621, rel=1e-4)
    assert levels.tolist() == [[4, -1, 1, 0, 0, 0, 0]]
    # at 4 bits 0.0655 of it, 0.51355: 38.9, 7.79, 5.84, 3.89, 1.95, 0.97, 0.039 steps; half way
    # from 32 to 64 is 48, from 4 to 8 is 6
    levels, _ = weight_levels(weight, 4, quantizer="power_of_two")
    assert levels.tolist() == [[32, -8, 4, 4, -2, 1, 0]]


@given(QUANTIZERS, st.integers(0, 10**6), st.booleans())
@settings(max_examples=50)
def test_every_weight_has_the_nearest_level(which, seed, per_channel):
    bits, quantizer = which
    weight = torch.randn(3, 40, generator=torch.Generator().manual_seed(seed)).double()
    levels, scale = weight_levels(weight, bits, per_channel=per_channel, quantizer=quantizer)
    known = torch.tensor(levels_of(bits, quantizer)).double()
    distance = (weight.unsqueeze(-1) - known * scale.unsqueeze(-1)).abs()

    assert set(levels.flatten().tolist()) <= set(known.tolist())
    assert torch.allclose((weight - levels * scale).abs(), distance.amin(-1), rtol=1e-12)


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_levels_of_normal_weights_use_the_width(bits):
    weight = torch.randn(4, 4000, generator=torch.Generator().manual_seed(bits))
    levels, scale = weight_levels(weight, bits)
    largest = 2 ** (bits - 1) - 1

    assert int(levels.abs().max()) == largest
    assert len(levels.unique()) > 2 ** (bits - 1)  # more than the next narrower width has
    assert scale.shape == (4, 1)
    error = (levels * scale - weight).square().mean()
    expected = mean_squared_error(NORMAL_STEP[bits], levels_of(bits, "uniform"))
    assert float(error) == pytest.approx(expected, rel=0.1)


def test_levels_by_hand():
    # rms of (3, -4) is sqrt(12.5) = 3.5355; at 3 bits a step is 0.6508 of it: 2.3009
    levels, scale = weight_levels(torch.tensor([[3.0, -4.0], [0.3, -0.4]]), 3)

    assert levels.tolist() == [[1, -2], [1, -2]]
    assert scale.flatten().tolist() == pytest.approx([2.3009, 0.23009], rel=1e-4)


def test_one_scale_for_a_whole_tensor():
    weight = torch.tensor([[3.0, -4.0], [0.3, -0.4]])
    levels, scale = weight_levels(weight, 3, per_channel=False)

    # rms sqrt((9 + 16 + 0.09 + 0.16) / 4) = 2.5125, step 1.6351
    assert scale.tolist() == [[pytest.approx(1.6351, rel=1e-4)]]
    assert levels.tolist() == [[2, -2], [0, 0]]


def test_levels_saturate_symmetrically():
    weight = torch.zeros(2, 100)
    weight[0, 0], weight[1, 0] = 1.0, -1.0
    levels, _ = weight_levels(weight, 8)

    # one weight of rms 0.1: 10 of them is 323 steps
    assert levels[:, 0].tolist() == [127, -127]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_silent_channel_has_levels_of_zero(dtype):
    levels, scale = weight_levels(torch.zeros(2, 3, dtype=dtype), 8)

    assert torch.equal(levels, torch.zeros(2, 3, dtype=dtype))
    assert (scale >= torch.finfo(dtype).tiny).all()  # no denormal, which a device may flush to 0


@given(QUANTIZERS, st.integers(0, 10**6), st.integers(-20, 20))
@settings(max_examples=50)
def test_quantization_commutes_with_powers_of_two_exactly(which, seed, exponent):
    bits, quantizer = which
    weight = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(seed))
    factor = 2.0 ** torch.tensor([[[exponent]], [[0]], [[-exponent]]])
    once = quantized_weight(weight, bits, quantizer=quantizer) * factor

    assert torch.equal(quantized_weight(weight * factor, bits, quantizer=quantizer), once)


@given(BITS, st.integers(0, 10**6), st.floats(1e-3, 1e3))
@settings(max_examples=50)
def test_quantization_commutes_with_any_positive_scale(bits, seed, factor):
    weight = torch.randn(3, 40, generator=torch.Generator().manual_seed(seed)).double()
    once = quantized_weight(weight, bits) * factor

    assert torch.allclose(quantized_weight(weight * factor, bits), once, rtol=1e-12, atol=0)


@given(QUANTIZERS, st.integers(0, 10**6), st.booleans())
@settings(max_examples=50)
def test_a_weight_takes_its_own_bits(which, seed, per_channel):
    bits, quantizer = which
    weight = torch.randn(3, 400, generator=torch.Generator().manual_seed(seed))
    how = {"per_channel": per_channel, "quantizer": quantizer}
    quantized = quantized_weight(weight, bits, **how)

    assert all(len(channel.unique()) <= max(2, 2**bits - 1) for channel in quantized)
    assert torch.equal(quantized_weight(-weight, bits, **how), -quantized)


def test_the_gradient_passes_a_weight_unchanged():
    weight = torch.randn(3, 4, requires_grad=True)
    gradient = torch.randn(3, 4)
    quantized_weight(weight, 2).backward(gradient)

    assert torch.equal(weight.grad, gradient)


def test_straight_through_gives_one_and_feels_the_other():
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    result = straight_through(value, torch.tensor([5.0, 6.0]))
    (result * torch.tensor([3.0, 4.0])).sum().backward()

    assert result.tolist() == [5, 6]
    assert value.grad.tolist() == [3, 4]


def test_the_analog_input_by_hand():
    x = torch.tensor([-0.5, 0.0, 0.1, 0.17, 0.5, 0.84, 1.0, 7.0])

    # two bits: 0, 1/3, 2/3, 1
    assert (quantized_input(x, 2) * 3).tolist() == pytest.approx([0, 0, 0, 1, 2, 3, 3, 3])
    assert quantized_input(x, 1).tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


@given(st.integers(1, 16), st.lists(st.floats(-1, 2, width=32), min_size=1, max_size=50))
@example(12, [0.5])
@settings(max_examples=50)
def test_the_analog_input_takes_its_codes_alone(bits, values):
    x = torch.tensor(values)
    codes = quantized_input(x, bits) * (2**bits - 1)

    assert torch.allclose(codes, codes.round(), atol=2e-2 if bits > 12 else 1e-3, rtol=0)
    # half a step, and what float32 rounds between 0.5 and 1
    half = 0.5 / (2**bits - 1) + torch.finfo(torch.float32).eps
    assert (quantized_input(x, bits) - x.clamp(0, 1)).abs().max() <= half
    assert torch.equal(quantized_input(quantized_input(x, bits), bits), quantized_input(x, bits))


def test_leaks_by_hand():
    leaks = torch.tensor([-1.0, 0.0, 0.06, 0.25, 0.28, 0.3, 0.99, 3.0])

    assert (quantized_leak(leaks) * 16).tolist() == [1, 1, 1, 4, 4, 5, 16, 16]


def test_a_state_by_hand():
    # 4 bits: -8 … 7 steps of 0.5
    state = torch.tensor([-10.0, -4.0, -3.7, -0.2, 0.3, 1.2, 3.5, 3.7, 4.5], requires_grad=True)
    stored = quantized_state(state, torch.tensor(0.5), 4)
    stored.sum().backward()

    assert stored.tolist() == [-4, -4, -3.5, 0, 0.5, 1, 3.5, 3.5, 3.5]
    assert state.grad.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 0]


def test_state_steps_by_hand():
    # 16 thresholds of 0.5 over 2^7 steps: 1/16, as a power of two times each channel's unit
    units = torch.tensor([1.0, 0.25, 0.0625, 3.0, 0.1])
    steps = state_step(torch.tensor(0.5), 8, units)

    # 3 / 32 is nearer to 1/16 than 3 / 64 on the scale of factors; so is 0.1 / 2 than 0.1
    assert steps.tolist() == pytest.approx([1 / 16, 1 / 16, 1 / 16, 3 / 64, 0.05])


@given(
    st.integers(4, 32),
    st.floats(0.05, 10),
    st.one_of(st.just(0.0), st.floats(2.0**-60, 2.0**20, width=32)),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=50)
def test_a_state_step_is_a_shift_of_the_unit(bits, threshold, unit, dtype):
    units = torch.tensor([unit], dtype=dtype)
    step = state_step(torch.tensor(threshold, dtype=dtype), bits, units)
    reach = float(step) * 2 ** (bits - 1) / threshold

    assert 16 / 2**0.5 * 0.999 <= reach <= 16 * 2**0.5 * 1.001
    if unit:
        mantissa, _ = math.frexp(float(step))
        assert mantissa == math.frexp(float(units))[0]


@given(st.integers(4, 12), st.floats(0.05, 4), st.integers(0, 10**6))
@settings(max_examples=50)
def test_a_state_has_its_width(bits, step, seed):
    reach = 2 ** (bits - 1) * step
    state = 2 * reach * torch.randn(5000, generator=torch.Generator().manual_seed(seed))
    stored = quantized_state(state, torch.tensor(step), bits)

    assert len(stored.unique()) <= 2**bits
    assert float(stored.min()) == pytest.approx(-reach)
    assert float(stored.max()) == pytest.approx(reach - step)


def test_the_threshold_feels_nothing_of_the_width():
    threshold, unit = (torch.tensor([0.5], requires_grad=True) for _ in range(2))
    state = torch.randn(5, requires_grad=True)
    quantized_state(state, state_step(threshold, 6, unit), 6).sum().backward()

    assert threshold.grad is None
    assert unit.grad is None
    assert state.grad.tolist() == [1] * 5
