"""What a data set is: images in [0, 1] and class indices, in three fixed parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genomes.errors import RequestError


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        x: Inputs, float32, shape (N, C, *spatial), in [0, 1].
        y: Class indices, int64, shape (N,), in 0 … classes - 1.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.y)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """The examples at ``indices``, as a new part."""
        return Split(self.x[indices], self.y[indices])


Parts = tuple[Split, Split, tuple[int, ...]]
"""What a loader gives: the part for training and validation, the test part, the labels."""


@dataclass(frozen=True)
class Dataset:
    """A named data set: the search trains on `train` and selects by `validation`.

    `test` is for the final figure of a design that was chosen without it.

    Attributes:
        name: The name that it was loaded by.
        train: What weights are fitted to.
        validation: What the search scores on; carved from the data set's own training part.
        test: The data set's own test part.
        labels: The original label of each class index.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    labels: tuple[int, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (C, *spatial)."""
        return tuple(self.train.x.shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.labels)


def make_dataset(name: str, parts: Parts, validation_fraction: float, seed: int) -> Dataset:
    """The data set of what a loader gives: validation is carved from its training part.

    Raises:
        RequestError: No class has two examples for training.
    """
    whole, test, labels = parts
    train, validation = split_stratified(whole.y, validation_fraction, seed)
    if len(validation) == 0:
        raise RequestError(
            "y_train", "one image a class", "two images of some class, for validation"
        )
    return Dataset(name, whole.take(train), whole.take(validation), test, labels)


def split_stratified(
    y: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out) with about ``fraction`` of every class held out.

    A class with two examples or more has at least one on either side; a single example is kept.
    The indices are sorted, and depend on nothing but the arguments.
    """
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        wanted = round(fraction * len(members))
        held[members[: min(max(wanted, 1), len(members) - 1)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
