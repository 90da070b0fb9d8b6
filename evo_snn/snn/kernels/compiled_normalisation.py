"""Batch normalisation's small sums by channel, compiled: what follows from the maps' moments.

Numba's cache knows the changes of a file in what that file compiles alone, so this one calls
nothing of ``compiled.py``, where the loops over maps are.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[Any]

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def gain_and_offset(
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
def gradients(
    moments: Floats, found: Floats, totals: Floats, number: int, factors: Floats, of_affine: Floats
) -> None:  # pragma: no cover
    """Gradients of scale and shift, and the factors of `compiled.through_normalisation`.

    Ioffe & Szegedy, "Batch normalization", ICML 2015, section 3.

    Args:
        moments: As for `gain_and_offset`.
        found: What it gave.
        totals: (2, channels): sums of the normalised maps' gradient, and of it times the maps.
        number: Of values a channel.
        factors: (3, channels); is written.
        of_affine: (2, channels); is written.
    """
    for c in range(moments.shape[1]):
        mean, inverse, gain = moments[0, c], found[0, c], found[1, c]
        of_shift = totals[0, c]
        of_scale = (totals[1, c] - mean * of_shift) * inverse
        by_maps = -gain * inverse * of_scale / number
        of_affine[0, c], of_affine[1, c] = of_scale, of_shift
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
