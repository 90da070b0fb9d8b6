"""OR pooling of spikes: autograd over the compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from evo_snn.snn.kernels import compiled_pooling
from evo_snn.snn.kernels.compiled_pooling import Window
from evo_snn.snn.kernels.fused import flat_channels_last

GROUP = 4096
"""Values that are pooled at a time, about: what they need stays in the first cache."""


def or_pooled(spikes: Tensor, window: Sequence[int]) -> Tensor:
    """Whether anything fired in each window; windows do not overlap, and are whole.

    The same as torch's maximum pooling with that window, for spikes alone. The gradient goes to
    the first spike of a window in row-major order, where nothing fired to its first place.

    Args:
        spikes: (N, channels, *spatial), 0 or 1 (anything else gives nonsense), of one to three
            spatial dimensions, on the CPU.
        window: one size a spatial dimension.

    Returns:
        (N, channels, *pooled), 0 or 1, channels innermost in memory.

    Raises:
        ValueError: the window is larger than the map.
    """
    pooled: Tensor = _OrPooled.apply(spikes, _Call(spikes, tuple(window)))
    return pooled


class _Call:
    """One call's sizes, as the loops want them."""

    def __init__(self, spikes: Tensor, window: tuple[int, ...]) -> None:
        samples, channels, *spatial = spikes.shape
        pooled = [size // width for size, width in zip(spatial, window, strict=True)]
        if 0 in pooled:
            raise ValueError(f"a window of {window} in a map of {tuple(spatial)}")
        self.window, self.shape = _three(window), _three(pooled)
        depth, height, width = _three(spatial)
        self.rows = samples, depth, height, width * channels
        self.spatial, self.channels = spatial, channels
        self.pooled = samples, *pooled, channels
        self.group = max(1, GROUP // self.rows[-1])

    def forward(self, spikes: Tensor) -> tuple[Tensor, NDArray[Any]]:
        """Pooled spikes, and the keys that `backward` needs."""
        maps = flat_channels_last(spikes)
        size = prod(self.window)
        self.numbers = np.arange(size + 1, dtype=maps.dtype)
        out = np.empty(prod(self.pooled), maps.dtype)
        kept = np.empty(len(out), np.min_scalar_type(size))
        compiled_pooling.pool(
            maps.reshape(self.rows),
            self.window,
            self.shape,
            self.channels,
            self.numbers,
            self.group,
            out,
            kept,
        )
        return torch.from_numpy(out).view(self.pooled).movedim(-1, 1), kept

    def backward(self, gradient: Tensor, kept: NDArray[Any]) -> Tensor:
        """The gradient of the spikes."""
        out = np.empty(self.rows, self.numbers.dtype)
        compiled_pooling.unpool(
            flat_channels_last(gradient),
            kept,
            self.window,
            self.shape,
            self.channels,
            self.numbers,
            self.group,
            out,
        )
        shape = self.rows[0], *self.spatial, self.channels
        return torch.from_numpy(out).view(shape).movedim(-1, 1)


class _OrPooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, call: _Call) -> Tensor:
        ctx.call = call
        pooled, ctx.kept = call.forward(spikes)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return ctx.call.backward(gradients[0], ctx.kept), None


def _three(sizes: Sequence[int]) -> Window:
    depth, height, width = (1,) * (3 - len(sizes)) + tuple(sizes)
    return depth, height, width
