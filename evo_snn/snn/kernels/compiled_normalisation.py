"""Batch normalisation as compiled loops: what goes before and behind the neurons' loops.

Moments and what follows from them are float64, whatever the maps are.
"""

import numpy as np

from evo_snn.snn.kernels.compiled import FLUSH, Floats, _compiled, _flushed, _tiled


@_compiled
def applied(
    moments: Floats, floor: float, scale: Floats, shift: Floats, affine: Floats
) -> Floats:  # pragma: no cover
    """Gain and offset by channel of maps with such moments.

    Args:
        moments: (2, channels), mean and variance.
        floor: Added to a variance.
        scale: (channels,), of the normalised maps.
        shift: As ``scale``.
        affine: (2, channels) in the maps' type; is written.

    Returns:
        (2, channels): one over the standard deviation, and the gain.
    """
    found = np.empty(moments.shape)
    for c in range(len(scale)):
        found[0, c] = 1 / np.sqrt(moments[1, c] + floor)
        found[1, c] = scale[c] * found[0, c]
        affine[0, c] = found[1, c]
        affine[1, c] = shift[c] - found[1, c] * moments[0, c]
    return found


@_compiled
def back(
    moments: Floats, found: Floats, totals: Floats, number: int, factors: Floats, gradients: Floats
) -> None:  # pragma: no cover
    """Gradients of scale and shift, and the factors of `through_normalisation`.

    Ioffe & Szegedy, "Batch normalization", ICML 2015, section 3.

    Args:
        moments: As for `applied`.
        found: What it gave.
        totals: (2, channels): sums of the normalised maps' gradient, and of it times the maps.
        number: Of values a channel.
        factors: (3, channels); is written.
        gradients: (2, channels); is written.
    """
    for c in range(moments.shape[1]):
        mean, inverse, gain = moments[0, c], found[0, c], found[1, c]
        of_shift = totals[0, c]
        of_scale = (totals[1, c] - mean * of_shift) * inverse
        by_maps = -gain * inverse * of_scale / number
        gradients[0, c], gradients[1, c] = of_scale, of_shift
        factors[0, c], factors[2, c] = gain, by_maps
        factors[1, c] = -gain * of_shift / number - by_maps * mean


@_compiled
def follow(
    mean: Floats, variance: Floats, moments: Floats, number: int, momentum: float
) -> None:  # pragma: no cover
    """Let running statistics, (channels,), follow a batch with such moments.

    A running variance is of the unbiased ones, as torch has it.
    """
    unbiased = number / max(1, number - 1)
    for c in range(len(mean)):
        mean[c] += momentum * (moments[0, c] - mean[c])
        variance[c] += momentum * (moments[1, c] * unbiased - variance[c])


@_compiled
def through_normalisation(
    maps: Floats, factors: Floats, group: int, gradient: Floats
) -> None:  # pragma: no cover
    """Make gradient := factors[0] · gradient + factors[1] + factors[2] · maps, by channel.

    Args:
        maps: Flat, channels last.
        factors: (3, channels).
        group: Values at a time, a multiple of the channels.
        gradient: As ``maps``; of the normalised maps, becomes that of the maps.
    """
    f, g, h = _tiled(factors[0], group), _tiled(factors[1], group), _tiled(factors[2], group)
    for at in range(0, len(maps), group):
        x, out = maps[at : at + group], gradient[at : at + group]
        for j in range(len(x)):
            out[j] = f[j] * out[j] + (g[j] + h[j] * x[j])


@_compiled
def _sums(
    x: Floats, group: int, power: int, origin: Floats, totals: Floats
) -> None:  # pragma: no cover
    """Add powers of differences to an origin, by channel, to totals."""
    zero, sums = _tiled(origin, group), np.zeros(group, x.dtype)
    for number, at in enumerate(range(0, len(x), group)):
        part = x[at : at + group]
        if power == 1:
            for j in range(len(part)):
                sums[j] += part[j] - zero[j]
        else:
            for j in range(len(part)):
                sums[j] += (part[j] - zero[j]) * (part[j] - zero[j])
        if number % FLUSH == FLUSH - 1:
            _flushed(sums, totals)
    _flushed(sums, totals)


@_compiled
def moments(maps: Floats, group: int, out: Floats) -> None:  # pragma: no cover
    """Mean and variance by channel, the variance divided by the number.

    In two passes, so that nothing cancels where a mean is far from 0.

    Args:
        maps: Flat, channels last.
        group: Values at a time, a multiple of the channels.
        out: float64 (2, channels), zeros; is written.
    """
    channels = out.shape[1]
    pixels = len(maps) // channels
    origin = np.zeros(channels, maps.dtype)
    _sums(maps, group, 1, origin, out[0])
    for c in range(channels):
        out[0, c] /= pixels
        origin[c] = out[0, c]
    _sums(maps, group, 2, origin, out[1])
    for c in range(channels):
        out[1, c] /= pixels
