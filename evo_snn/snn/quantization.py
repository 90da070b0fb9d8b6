"""Quantization of weights, of the analog input, of neuron states; with straight-through gradients.

Weights are symmetric about zero, with the levels of ``genomes.quantizers`` and one scale a
channel: its root mean square times the step of the best quantizer of a normal variable with these
levels, of one bit its mean magnitude. So it follows the weights by itself and scales with them:
quantizing a·w gives a times the quantized w for every a > 0, which is what folding BatchNorm needs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from genomes.quantizers import Quantizer, largest_level

NORMAL_STEP = {2: 1.2240, 3: 0.6508, 4: 0.3534, 5: 0.1933, 6: 0.1055, 7: 0.0573, 8: 0.0309}
"""Step that minimises the mean squared error of 2^b - 1 uniform levels on N(0, 1), by bits b.

The quantity of J. Max, "Quantizing for minimum distortion", IRE Trans. Inf. Theory 6 (1960),
table II; tests/evo_snn/snn/test_quantization.py minimises it anew.
"""

POWER_STEP = {3: 0.5181, 4: 0.0655}
"""The same of the levels 0, ±1, ±2, ±4, …; more bits than 4 gain nothing on N(0, 1)."""

LEAK_STEPS = 16
"""A deployed leak is a multiple of 1/16: a multiplication by it is four shifts and adds."""

STATE_RANGE = 16
"""A neuron's state saturates at about ±16 thresholds (``state_step``)."""

SMALLEST_UNIT = 2.0**-64
"""The unit of a product counts as this share of a state step or more: a gain of 0 leaves none."""


class _StraightThrough(torch.autograd.Function):
    """Gives the second argument forward, and its gradient to the first."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, quantized: Tensor) -> Tensor:
        return quantized.view_as(quantized)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def straight_through(value: Tensor, quantized: Tensor) -> Tensor:
    """``quantized``, with the gradient passed to ``value`` unchanged. Equal shapes."""
    return _StraightThrough.apply(value, quantized)


def by_channel(values: Tensor, ndim: int) -> Tensor:
    """Values (channels,) shaped to broadcast over (N, channels, …) of ``ndim`` dimensions."""
    return values.view(1, -1, *[1] * (ndim - 2))


def weight_levels(
    weight: Tensor,
    bits: int,
    *,
    per_channel: bool = True,
    quantizer: Quantizer = "uniform",
    kept: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Integer levels and scales of a weight.

    Args:
        weight: (out, …).
        bits: 1 to 8; 1 to 4 of powers of two, of which 1 and 2 are uniform.
        per_channel: one scale an output channel; otherwise one for the whole tensor.
        quantizer: which levels.
        kept: bool as the weight; what it leaves out has level 0 and no part in a scale.

    Returns:
        The levels as floats, shaped as the weight, and the scales, (out, 1, …) or (1, 1, …), > 0.
    """
    dims = tuple(range(1, weight.ndim)) if per_channel else tuple(range(weight.ndim))
    weight = weight.detach()
    if bits == 1:
        levels, scale = _signs(weight, dims, kept)
    else:
        powers = quantizer == "power_of_two" and bits in POWER_STEP
        step = (POWER_STEP if powers else NORMAL_STEP)[bits]
        rms = _mean(weight.square(), dims, kept).sqrt_()
        scale = rms.mul_(step).clamp_min_(torch.finfo(weight.dtype).tiny)
        largest = largest_level(bits, quantizer)
        if powers:
            levels = _nearest_power(weight / scale, largest)
        else:
            levels = (weight / scale).round_().clamp_(-largest, largest)
    return (levels if kept is None else levels * kept), scale


def _mean(values: Tensor, dims: tuple[int, ...], kept: Tensor | None) -> Tensor:
    """The mean over some dimensions, which stay as 1, of what is kept; 0 where nothing is."""
    if kept is None:
        return values.mean(dim=dims, keepdim=True)
    number = kept.sum(dim=dims, keepdim=True).clamp_min_(1)
    return (values * kept).sum(dim=dims, keepdim=True).div_(number)


def _signs(weight: Tensor, dims: tuple[int, ...], kept: Tensor | None) -> tuple[Tensor, Tensor]:
    """The levels -1 and 1, a zero being 1, and their scale: the mean magnitude.

    Of all scales it has the least squared error, whatever the weights are (Rastegari et al., ECCV
    2016, equation 6).
    """
    scale = _mean(weight.abs(), dims, kept)
    levels = torch.where(weight < 0, -1.0, 1.0).to(weight.dtype)
    return levels, scale.clamp_min_(torch.finfo(weight.dtype).tiny)


def _nearest_power(values: Tensor, largest: int) -> Tensor:
    """The nearest of 0, ±1, ±2, ±4, … ±``largest``; half way, the one farther from zero."""
    powers = 2.0 ** torch.arange(largest.bit_length(), device=values.device, dtype=values.dtype)
    borders = torch.cat([powers[:1] / 2, powers[1:] * 0.75])  # 0.5, then half way from k to 2 k
    table = F.pad(powers, (1, 0))
    return table[torch.bucketize(values.abs(), borders, right=True)].copysign(values)


def quantized_input(x: Tensor, bits: int) -> Tensor:
    """Analog samples in [0, 1] at 2^bits uniform levels; what lies outside saturates."""
    largest = 2**bits - 1
    return (x * largest).round().clamp(0, largest) / largest


def quantized_leak(leak: Tensor) -> Tensor:
    """A leak as the multiple of 1/16 in [1/16, 1] nearest to it, gradient straight through."""
    return straight_through(leak, (leak.detach() * LEAK_STEPS).round().clamp(1, LEAK_STEPS) / 16)


def state_step(threshold: Tensor, bits: int, unit: Tensor) -> Tensor:
    """What the lowest bit of a stored state is worth, by channel.

    A chip adds integer products to an integer state, so the step is a power of two times what one
    unit of the integer product is worth: the sum needs a shift and no multiplication. A channel's
    threshold and bias are simulated unrounded; a chip holds them with some bits of fraction.

    Args:
        threshold: scalar > 0.
        bits: width of the signed number that is stored.
        unit: (channels,) > 0, what one unit of the integer product is worth.

    Returns:
        (channels,): the state saturates at ``STATE_RANGE`` thresholds, within a factor sqrt(2).
    """
    nominal = threshold.detach() * (STATE_RANGE / 2 ** (bits - 1))
    known = torch.maximum(unit.detach(), nominal * SMALLEST_UNIT)
    return known * torch.exp2(torch.log2(nominal / known).round())


def quantized_state(state: Tensor, step: Tensor, bits: int) -> Tensor:
    """A neuron state as the chip stores it between time steps.

    Args:
        state: any shape.
        step: > 0, broadcast over the state: what the lowest bit is worth.
        bits: width of the signed number that is stored.

    Returns:
        The rounded state; the gradient is passed where it did not saturate.
    """
    half = 2 ** (bits - 1)
    levels = (state.detach() / step).round()
    inside = (levels >= -half) & (levels <= half - 1)
    return straight_through(state * inside, levels.clamp(-half, half - 1) * step)
