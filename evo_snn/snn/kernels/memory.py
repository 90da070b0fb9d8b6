"""The order of memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def stacked(steps: Sequence[Tensor]) -> Tensor:
    """Time steps (batch, channels, …) as (T, batch, channels, …).

    Channels stay innermost in memory where they are: the next convolution likes them there.
    """
    first = steps[0]
    if first.ndim > 2 and first.movedim(1, -1).is_contiguous():  # noqa: PLR2004 - dimensions
        return torch.stack([step.movedim(1, -1) for step in steps]).movedim(-1, 2)
    return torch.stack(list(steps))
