"""What a data set is: inputs in [0, 1] and class indices, in three fixed parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.ground import Ground
from evo_snn.datasets.groups import split_groups
from evo_snn.datasets.lazy import Inputs, Lazy
from genomes.errors import RequestError


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        x: Inputs, float32, shape (N, C, *spatial) or (N, frames, C, *spatial), in [0, 1]; an array,
            or `evo_snn.datasets.lazy.Lazy` where they are many.
        y: Class indices, int64, shape (N,), in 0 … classes - 1.
        durations_ms: How long each recording is, float64, shape (N,); None where inputs stand
            still, and where it is not known.
    """

    x: Inputs
    y: NDArray[np.int64]
    durations_ms: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.y)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """The examples at ``indices``, as a new part."""
        x = self.x.take(indices) if isinstance(self.x, Lazy) else self.x[indices]
        durations = None if self.durations_ms is None else self.durations_ms[indices]
        return Split(x, self.y[indices], durations)


@dataclass(frozen=True)
class Parts:
    """What a loader gives.

    A plug-in may give the first three as a tuple.

    Attributes:
        train: The part for training, from which validation is carved.
        test: The test part.
        labels: The original label of each class index.
        groups: What each training example belongs to (a patient, a block of a scene), int64, shape
            (N,): validation is then of whole groups. None where examples stand alone.
        names: What the classes are called; empty where that is not known.
        frames: Frames of an input, its first axis; 0 where it stands still.
        leaky: Why figures on validation and test flatter; "" where they do not.
        validation: The validation part, where the data set has its own; then none is carved.
        ground: Where the examples lie in a scene; None where they come from none.
    """

    train: Split
    test: Split
    labels: tuple[int, ...]
    groups: NDArray[np.int64] | None = None
    names: tuple[str, ...] = ()
    frames: int = 0
    leaky: str = ""
    validation: Split | None = None
    ground: Ground | None = None

    def __iter__(self) -> Iterator[Any]:
        """Training part, test part, labels: the tuple that parts were once."""
        return iter((self.train, self.test, self.labels))


@dataclass(frozen=True)
class Dataset:
    """A named data set: the search trains on `train` and selects by `validation`.

    `test` is for the final figure of a design that was chosen without it.

    Attributes:
        name: The name that it was loaded by.
        train: What weights are fitted to.
        validation: What the search scores on; the data set's own, or carved from its training part.
        test: The data set's own test part.
        labels: The original label of each class index.
        names: What the classes are called; empty where that is not known.
        frames: Frames of an input, the first axis after N; 0 where inputs stand still.
        leaky: Why figures on validation and test flatter; "" where they do not.
        ground: Where the examples lie in a scene; None where they come from none.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    labels: tuple[int, ...]
    names: tuple[str, ...] = ()
    frames: int = 0
    leaky: str = ""
    ground: Ground | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, or of one of its frames: (C, *spatial)."""
        return tuple(self.train.x.shape[2 if self.frames else 1 :])

    @property
    def recording_ms(self) -> float:
        """Mean duration of a recording of the training part; 0 where that is not known."""
        durations = self.train.durations_ms
        return 0.0 if durations is None else float(durations.mean())

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.labels)


def make_dataset(
    name: str,
    parts: Parts | tuple[Split, Split, tuple[int, ...]],
    validation_fraction: float,
    seed: int,
) -> Dataset:
    """The data set of what a loader gives: validation is carved from its training part.

    Raises:
        RequestError: Some class has a single example for training, or whole groups cannot be
            divided so that each class is on both sides.
    """
    parts = parts if isinstance(parts, Parts) else Parts(*parts)
    train, validation, ground = parts.train, parts.validation, parts.ground
    if validation is None:
        _check_classes(parts)
        if parts.groups is None:
            kept, held = split_stratified(train.y, validation_fraction, seed)
        else:
            kept, held = split_groups(train.y, parts.groups, validation_fraction, seed)
        train, validation = train.take(kept), train.take(held)
        ground = ground and ground.carved(kept, held)
    return Dataset(
        name,
        train,
        validation,
        parts.test,
        parts.labels,
        parts.names,
        parts.frames,
        parts.leaky,
        ground,
    )


def _check_classes(parts: Parts) -> None:
    """Every class that is there for training has to be there for validation."""
    sizes = np.bincount(parts.train.y, minlength=len(parts.labels))
    alone = np.flatnonzero(sizes == 1)
    if len(alone):
        label = str(parts.labels[alone[0]])
        name = parts.names[alone[0]] if parts.names else label
        shown = label if name == label else f"{label} ({name})"
        allowed = "two or more, one of them for validation"
        raise RequestError("data", f"one example of class {shown} for training", allowed)


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


def at_most(y: NDArray[np.int64], per_class: int) -> NDArray[np.int64]:
    """Indices of at most ``per_class`` examples of every class, sorted; of all for 0.

    The same ones for every run: their seed is fixed.
    """
    if per_class == 0:
        return np.arange(len(y))
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(np.flatnonzero(y == label))[:per_class] for label in np.unique(y)]
    return np.sort(np.concatenate(chosen)) if chosen else np.arange(0)
