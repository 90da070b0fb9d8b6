"""Samples of a large data set on a device: tensors are made of a batch when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evo_snn.datasets.lazy import Lazy


@dataclass(frozen=True, eq=False)
class LazyTensor:
    """What a tensor of all inputs would be, as far as training and measuring ask for it.

    Attributes:
        inputs: what makes the inputs, shape (N, *shape).
        on: the device that tensors are put on.
    """

    inputs: Lazy
    on: str

    @property
    def device(self) -> torch.device:
        """The device of the tensors that indexing gives."""
        return torch.device(self.on)

    @property
    def shape(self) -> torch.Size:
        """(N, *shape)."""
        return torch.Size(self.inputs.shape)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Tensor:
        chosen = index.cpu().numpy() if isinstance(index, Tensor) else index
        return torch.from_numpy(np.ascontiguousarray(self.inputs[chosen])).to(self.on)

    def split(self, size: int) -> Iterator[Tensor]:
        """All inputs in parts of ``size``, in order."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def chunk(self, parts: int) -> Iterator[Tensor]:
        """All inputs in at most so many parts of equal size, as `torch.Tensor.chunk` has them."""
        return self.split(max(1, ceil(len(self) / parts)))

    def clone(self) -> Tensor:
        """All inputs as a tensor of their own."""
        return self[:]
