"""Products of matrices by the faster of the two libraries that torch has for them on a CPU.

Torch multiplies float32 matrices by MKL, at half of the speed of oneDNN, its library for
convolutions, on AMD processors: 107 and 217 GFLOP/s a core, 256 x 256 by 256 x 128.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ONEDNN_FROM = 2**21
"""Multiplications from which oneDNN is used: smaller products do not repay the call."""


def multiplied(rows: Tensor, matrix: Tensor) -> Tensor:
    """(N, a) times the transpose of (b, a): (N, b)."""
    if len(rows) * matrix.numel() >= ONEDNN_FROM and _suits(rows) and _suits(matrix):
        found: Tensor = _OneDnnProduct.apply(rows, matrix)
        return found
    return rows @ matrix.T


def library() -> str:
    """What multiplies large matrices here, ``oneDNN`` or ``torch``; part of a run's environment."""
    return "oneDNN" if torch.backends.mkldnn.enabled and _has_onednn() else "torch"


def _suits(x: Tensor) -> bool:
    single = x.device.type == "cpu" and x.dtype == torch.float32
    return single and library() == "oneDNN"


@lru_cache(maxsize=1)
def _has_onednn() -> bool:
    """Whether this torch has the product that its own compiler (Inductor) makes of a linear layer.

    It is not documented: where it is missing, or takes other arguments, torch's usual one is used.
    """
    single: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    try:
        with torch.no_grad():
            found = _onednn_product(torch.ones(2, 3, **single), torch.ones(4, 3, **single))
            return torch.equal(found, torch.full((2, 4), 3.0, **single))
    except (AttributeError, RuntimeError, TypeError):
        return False


def _onednn_product(rows: Tensor, matrix: Tensor) -> Tensor:
    """``rows @ matrix.T``, any strides."""
    function = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - see _has_onednn
    found: Tensor = function(rows, matrix, None, "none", [], "")
    return found


class _OneDnnProduct(torch.autograd.Function):
    """``rows @ matrix.T``; first derivatives alone, as of the neurons behind it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(rows, matrix)
        return _onednn_product(rows, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, matrix = ctx.saved_tensors
        of_rows, of_matrix = ctx.needs_input_grad
        return (
            _onednn_product(gradients[0], matrix.T) if of_rows else None,
            _onednn_product(gradients[0].T, rows.T) if of_matrix else None,
        )
