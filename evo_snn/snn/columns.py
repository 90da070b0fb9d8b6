"""Which columns of a layer's matrix are left out, so that a chip needs no cells for them.

A *column* is one output channel in one block of rows. In each block of each part of a layer the
same number is left out, those of the smallest norm. Weights are latent: a column whose weights grow
comes back in place of another one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from genomes.architecture import Layer
from genomes.quantizers import removed_columns


def kept_weights(layer: Layer, weight: Tensor) -> Tensor | None:
    """Which weights lie in columns that exist; None where all do.

    Args:
        layer: says how many columns are removed.
        weight: ``layer.weight_shape``, latent weights or the levels made of them: what has no
            column is zero there, so that both give columns of equal values.

    Returns:
        ``layer.weight_shape``, bool.
    """
    if not layer.removed:
        return None
    flat = weight.detach().flatten(1)
    flat = flat if flat.is_floating_point() else flat.float()  # squares of a byte do not fit one
    rows = flat.shape[1]
    blocks = F.pad(flat, (0, -rows % layer.column_rows)).unflatten(1, (-1, layer.column_rows))
    norms = blocks.square().sum(2)
    kept = torch.ones_like(norms, dtype=torch.bool)
    for part in layer.parts:
        number = removed_columns(part.channels, layer.removed)
        smallest = norms[part.start : part.stop].argsort(dim=0, stable=True)[:number]
        kept[part.start : part.stop].scatter_(0, smallest, value=False)
    return kept.repeat_interleave(layer.column_rows, 1)[:, :rows].view(weight.shape)
