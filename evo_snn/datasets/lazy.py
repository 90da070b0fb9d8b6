"""Inputs that are made when they are asked for: a large set stays as small as its file.

`Lazy` stands where an array of shape (N, *shape), float32 in [0, 1], would be. Indexing gives such
an array of the inputs asked for; nothing else is kept.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

EAGER_BYTES = 256 * 2**20
"""Inputs that take at most this as float32 are made at once: it is quicker, and fits anywhere."""

_AT_ONCE = 16 * 2**20  # bytes of float32 that a pass through all inputs makes at a time
_BYTES = 4  # of a float32


@dataclass(frozen=True, eq=False)
class Lazy(ABC):
    """Inputs by their rows in some store.

    Attributes:
        rows: Which rows of the store these are, int64, shape (N,).
    """

    rows: NDArray[np.int64]

    @abstractmethod
    def made(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs at ``rows`` of the store, shape (n, *item_shape)."""

    @property
    @abstractmethod
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, *item_shape)."""
        return (len(self.rows), *self.item_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all inputs would take as an array."""
        return int(np.prod(self.shape, dtype=np.int64)) * _BYTES

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Of what indexing gives."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        rows = self.rows[index]
        return self.made(rows) if np.ndim(rows) else self.made(rows[np.newaxis])[0]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (one for chunk in chunks(self) for one in chunk)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array of these inputs has to be made")
        return self[:] if dtype is None else self[:].astype(dtype)

    def take(self, indices: NDArray[np.int64]) -> Self:
        """The inputs at ``indices``, as lazy as these."""
        return replace(self, rows=self.rows[indices])

    def min(self) -> float:
        """The smallest value of all inputs."""
        return min(float(chunk.min()) for chunk in chunks(self))

    def max(self) -> float:
        """The largest value of all inputs."""
        return max(float(chunk.max()) for chunk in chunks(self))


Inputs = NDArray[np.float32] | Lazy
"""float32 in [0, 1], shape (N, *shape): an array, or what makes it when asked."""


@dataclass(frozen=True, eq=False)
class Counts(Lazy):
    """Small integers of which ``most`` means 1: pixels of 8 bits, numbers of events.

    Attributes:
        store: uint8, shape (M, *item_shape); in memory or mapped from a file.
        most: What is divided by; no value of the store is above it.
    """

    store: NDArray[np.uint8]
    most: int

    def made(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs at ``rows`` of the store."""
        return np.divide(self.store[rows], self.most, dtype=np.float32)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.store.shape[1:])


def counts(store: NDArray[np.uint8], most: int = 255) -> Inputs:
    """The inputs ``store / most``, lazy where they are many."""
    return settled(Counts(np.arange(len(store)), store, most))


def settled(inputs: Lazy) -> Inputs:
    """The same inputs as an array where that is small."""
    return inputs[:] if inputs.nbytes <= EAGER_BYTES else inputs


def chunks(inputs: Inputs) -> Iterator[NDArray[np.float32]]:
    """All inputs in order, some at a time."""
    size = max(1, _AT_ONCE // max(1, _BYTES * int(np.prod(inputs.shape[1:], dtype=np.int64))))
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]
