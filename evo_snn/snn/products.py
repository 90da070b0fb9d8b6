"""A layer's matrix product with average pooling, computed the fastest way that is exact.

A convolution with an average behind it runs in one of three ways, all the same function: *apart*,
as it is written; *merged*, as one convolution with the pooled kernel, in strides; *dense*, as one
matrix over all positions of a small map. The two others are taken where they were measured to be
faster on a CPU, and where whole numbers stay exact.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor
from torch.autograd.function import once_differentiable

from genomes.architecture import INPUT, Layer

_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

MERGED_FROM = 512
"""Input channels times pooled pixels from which a pooled kernel is faster; measured, on a CPU."""

DENSE_UP_TO = {"hidden": 0.5, "image": 2.0}
"""Products of the matrix over those of the convolution up to which it is faster; measured.

More for an image, whose few channels convolutions make little of.
"""

PLACES_UP_TO = 2**22
"""Values of the largest table of places and taps that is made for it: 16 MB, once a worker."""

ONEDNN_FROM = 2**21
"""Multiplications from which a product of matrices is left to oneDNN, the convolutions' library.

Torch multiplies float32 matrices by MKL, at half of oneDNN's speed on AMD processors (107 and 217
GFLOP/s a core, 256 x 256 by 256 x 128); small ones do not repay the call.
"""


def product(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The matrix product of a layer: (N, *in_shape) → (N, *out_shape)."""
    return (
        _convolved(layer, source, weight, layer.stride)
        if layer.kernel
        else (channels_last(source).flatten(1) @ channels_last(weight).flatten(1).T)
    )


def membrane_input(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The matrix product where neurons see it: (N, *in_shape) → (N, *neuron_shape)."""
    if _is_dense(layer):
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


def _is_dense(layer: Layer) -> bool:
    if not layer.kernel or prod(layer.kernel) == 1:
        return False
    window = prod(layer.pool) if _averages(layer) else 1
    if window & (window - 1):  # whole numbers divided by it are not exact
        return False
    if prod(layer.in_shape[1:]) * prod(layer.out_shape[1:]) * prod(layer.kernel) > PLACES_UP_TO:
        return False
    matrix = prod(layer.in_shape) * prod(layer.neuron_shape)
    limit = DENSE_UP_TO["image" if layer.source == INPUT else "hidden"]
    return matrix <= limit * layer.operations


def _dense(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    """The product as one matrix: of all that a sample's map holds with all that its neurons see.

    A map that is hardly larger than the kernel makes that smaller than the convolution, and what
    averages touch is computed once.
    """
    places = _places(
        layer.in_shape[1:],
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.pool if _averages(layer) else (),
        source.dtype,
        source.device,
    )
    read, seen, taps = places.shape
    inputs, outputs = layer.in_shape[0], layer.out_channels
    kernel = weight.flatten(2).permute(2, 0, 1).reshape(taps, -1)
    spread = (places.flatten(0, 1) @ kernel).view(read, seen, outputs, inputs)
    matrix = spread.permute(1, 2, 0, 3).reshape(seen * outputs, read * inputs)
    values = _multiplied(channels_last(source).reshape(len(source), -1), matrix)
    shape = layer.neuron_shape[1:]
    return values.view(-1, *shape, outputs).permute(0, len(shape) + 1, *range(1, len(shape) + 1))


@lru_cache(maxsize=64)
def _places(
    read: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    window: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """(read, seen, taps): how much each tap of a kernel adds from each place to each neuron."""
    convolution = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
    places = torch.eye(prod(read), dtype=dtype).view(-1, 1, *read)
    taps = torch.eye(prod(kernel), dtype=dtype).view(-1, 1, *kernel)
    with torch.no_grad():
        found = convolution(places, taps, stride=stride, padding=padding)
        if window:
            found = _AVERAGE[len(window)](found, window)
        return found.flatten(2).transpose(1, 2).contiguous().to(device)


def _multiplied(rows: Tensor, matrix: Tensor) -> Tensor:
    """(N, a) times the transpose of (b, a)."""
    large = len(rows) * matrix.numel() >= ONEDNN_FROM
    if large and rows.device.type == "cpu" and rows.dtype == torch.float32 and _has_onednn():
        found: Tensor = _OneDnnProduct.apply(rows, matrix)
        return found
    return rows @ matrix.T


@lru_cache(maxsize=1)
def _has_onednn() -> bool:
    """Whether this torch has the product that its own compiler (Inductor) makes of a linear layer.

    It is not documented: where it is missing, or takes other arguments, torch's usual one is used.
    """
    try:
        found = _onednn(torch.ones(2, 3), torch.ones(4, 3))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(found, torch.full((2, 4), 3.0))


def _onednn(rows: Tensor, matrix: Tensor) -> Tensor:
    function = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - see _has_onednn
    found: Tensor = function(rows, matrix, None, "none", [], "")
    return found


class _OneDnnProduct(torch.autograd.Function):
    """``rows @ matrix.T``."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(rows, matrix)
        return _onednn(rows, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, matrix = ctx.saved_tensors
        of_rows, of_matrix = ctx.needs_input_grad
        return (
            _onednn(gradients[0], matrix.T) if of_rows else None,
            _onednn(gradients[0].T, rows.T) if of_matrix else None,
        )
