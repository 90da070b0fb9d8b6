"""A layer's matrix product with average pooling, computed the fastest way that is exact.

A convolution with an average behind it runs in one of three ways, all the same function: *apart*,
as it is written; *merged*, as one convolution with the pooled kernel, in strides; *dense*, as one
matrix over all positions of a small map. The two others are taken where they were measured to be
faster on a CPU, and where whole numbers stay exact.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from numpy.typing import NDArray
from torch import Tensor

from evo_snn.snn.matrices import multiplied
from genomes.architecture import INPUT, Layer

_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

MERGED_FROM = 512
"""Input channels times pooled pixels from which a pooled kernel is faster; measured, on a CPU."""

DENSE_UP_TO = 0.6
"""Products of the matrix, its making included, over the convolution's, up to which it is faster.

``runs/benchmarks/small_maps.py`` measures it, on a CPU, as it does the next two limits.
"""

SMALL_UP_TO = 2**20
"""Multiplications with the matrix up to which it is faster in any case: a convolution costs more
than its products then."""

MATRIX_UP_TO = 2**17
"""Entries of the largest matrix: wide layers are convolved as fast, in less memory."""

PLACES_UP_TO = 2**18
"""Values of the largest table of places: 1 MB in single precision, and some tables a worker."""


def product(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The matrix product of a layer: (N, *in_shape) → (N, *out_shape)."""
    return (
        _convolved(layer, source, weight, layer.stride)
        if layer.kernel
        else (channels_last(source).flatten(1) @ channels_last(weight).flatten(1).T)
    )


def membrane_input(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The matrix product where neurons see it: (N, *in_shape) → (N, *neuron_shape)."""
    if source.device.type == "cpu" and _is_dense(layer, len(source)):
        return _dense(layer, source, weight)
    if _is_merged(layer):
        return _merged(layer, source, weight)
    return average_pooled(layer, product(layer, source, weight))


def average_pooled(layer: Layer, values: Tensor) -> Tensor:
    """What neurons see of a product: (N, *out_shape) → (N, *neuron_shape)."""
    if not _averages(layer):
        return values
    return _AVERAGE[len(layer.pool)](values, layer.pool)


def channels_last(x: Tensor) -> Tensor:
    """(N, channels, …) as (N, …, channels), a view."""
    return x.permute(0, *range(2, x.ndim), 1)


def _averages(layer: Layer) -> bool:
    return layer.pool_kind == "average" and max(layer.pool, default=1) > 1


def _convolved(layer: Layer, source: Tensor, weight: Tensor, stride: tuple[int, ...]) -> Tensor:
    if len(layer.kernel) == 1:  # torch keeps channels last in two and three dimensions
        source, weight = source.unsqueeze(2), weight.unsqueeze(2)
        return F.conv2d(source, weight, stride=(1, *stride), padding=(0, *layer.padding)).squeeze(2)
    convolution = F.conv2d if len(layer.kernel) == 2 else F.conv3d  # noqa: PLR2004 - dimensions
    return convolution(source, weight, stride=stride, padding=layer.padding)


def _is_merged(layer: Layer) -> bool:
    if not _averages(layer) or set(layer.pool) != {2} or set(layer.stride) != {1}:
        return False
    # of small maps the gradient with respect to them costs more than is gained; images have none
    values = layer.in_shape[0] * prod(layer.stored_shape[1:])
    return layer.source == INPUT or values >= MERGED_FROM


def _merged(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """Average pooling as part of the convolution.

    For 3x3 and 2x2 that takes 16 instead of 36 products a pooled pixel.
    """
    bordered = F.pad(weight, (1, 1) * len(layer.pool))
    kernel = _AVERAGE[len(layer.pool)](bordered, 2, stride=1)
    return _convolved(layer, source, kernel, layer.pool)


def _is_dense(layer: Layer, rows: int) -> bool:
    if not layer.kernel or prod(layer.kernel) == 1:
        return False
    window = prod(layer.pool) if _averages(layer) else 1
    if window & (window - 1):  # whole numbers divided by it are not exact
        return False
    taps, matrix = prod(layer.kernel), prod(layer.in_shape) * prod(layer.neuron_shape)
    places = prod(layer.in_shape[1:]) * prod(layer.neuron_shape[1:]) * taps
    if matrix > MATRIX_UP_TO or places > PLACES_UP_TO:
        return False
    small = rows * matrix <= SMALL_UP_TO
    return small or (rows + taps) * matrix <= DENSE_UP_TO * rows * layer.operations


def _dense(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The product as one matrix: of all that a sample's map holds with all that its neurons see.

    A map that is hardly larger than the kernel makes that smaller than the convolution, and what
    averages touch is computed once.
    """
    window = layer.pool if _averages(layer) else (1,) * len(layer.kernel)
    table = places(layer.in_shape[1:], layer.kernel, layer.stride, layer.padding, window)
    read, seen, taps = table.shape
    inputs, outputs = layer.in_shape[0], layer.out_channels
    kernel = weight.flatten(2).permute(2, 0, 1).reshape(taps, -1)
    shares = torch.tensor(table, dtype=weight.dtype, device=weight.device)
    spread = (shares.flatten(0, 1) @ kernel).view(read, seen, outputs, inputs)
    matrix = spread.permute(1, 2, 0, 3).reshape(seen * outputs, read * inputs)
    values = multiplied(channels_last(source).flatten(1), matrix)
    shape = layer.neuron_shape[1:]
    return values.view(-1, *shape, outputs).permute(0, len(shape) + 1, *range(1, len(shape) + 1))


@lru_cache(maxsize=64)
def places(
    read: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    window: tuple[int, ...],
) -> NDArray[np.float32]:
    """How much each tap of a kernel adds from each place that is read to each that neurons see.

    Args:
        read: sizes of the map.
        kernel: sizes, like all that follow, one entry a dimension.
        stride: of the convolution.
        padding: of the map, on either side.
        window: that is averaged behind it, 1 for none.

    Returns:
        (prod(read), places that neurons see, prod(kernel)).
    """
    table = np.ones((1, 1, 1), np.float32)
    for size, taps, step, border, averaged in zip(
        read, kernel, stride, padding, window, strict=True
    ):
        convolved = (size + 2 * border - taps) // step + 1
        position = np.arange(convolved)[:, None] * step + np.arange(taps) - border
        hits = (np.arange(size)[:, None, None] == position).astype(np.float32)
        seen = convolved // averaged
        one = hits[:, : seen * averaged].reshape(size, seen, averaged, taps).mean(2)
        shape = [a * b for a, b in zip(table.shape, one.shape, strict=True)]
        table = np.einsum("abc,xyz->axbycz", table, one).reshape(shape)
    table.flags.writeable = False
    return table
