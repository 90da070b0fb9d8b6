"""Where the examples of a scene lie: what a map of its classes is made from."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.lazy import Lazy

UNKNOWN = -1
"""Stands for the class of a pixel where nobody knows it, or where its class was left out."""


def _nowhere() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Ground:
    """The pixels of a scene; positions are flat, row by row.

    Attributes:
        truth: Class index of each pixel, int64, shape (rows, columns); `UNKNOWN` where it has none.
        inputs: The input of every pixel, labelled or not, in order: (rows x columns, *shape).
        train: Positions of the training part's examples, in their order, int64.
        test: Those of the test part.
        validation: Those of the validation part.
    """

    truth: NDArray[np.int64]
    inputs: Lazy
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    validation: NDArray[np.int64] = field(default_factory=_nowhere)

    def carved(self, kept: NDArray[np.int64], held: NDArray[np.int64]) -> "Ground":
        """The same with validation taken from training, by places in the training part."""
        return replace(self, train=self.train[kept], validation=self.train[held])
