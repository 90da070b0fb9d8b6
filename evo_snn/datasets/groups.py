"""Splits by whole groups: no patient, no block of a scene, on both sides."""

import numpy as np
from numpy.typing import NDArray

from genomes.errors import RequestError

_STARTS = 200  # random choices of groups that are improved before a split is called impossible
_MISSING = 1e6  # what a class that is on one side alone counts: more than all deviations together


def split_groups(
    y: NDArray[np.int64], groups: NDArray[np.int64], fraction: float, seed: int, keep: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out): whole groups, every class on both sides, near ``fraction`` of each.

    A random choice of groups is improved, a group at a time, until no change brings the shares of
    the classes closer to ``fraction`` (sum of squared differences); the first of such choices that
    has every class on both sides is taken. The indices are sorted, and depend on nothing but the
    arguments.

    Args:
        y: Class indices, shape (N,).
        groups: The group of each example, shape (N,).
        fraction: Share of each class to hold out.
        seed: Of the random choices.
        keep: Groups that have to be kept of each class at least.

    Raises:
        RequestError: Some class is in one group alone, or no division was found.
    """
    _, group = np.unique(groups, return_inverse=True)
    labels, index = np.unique(y, return_inverse=True)
    sizes = np.zeros((group.max() + 1, len(labels)), np.int64)
    np.add.at(sizes, (group, index), 1)
    few = np.flatnonzero((sizes > 0).sum(0) <= keep)
    if len(few):
        raise RequestError(
            "data",
            f"class {labels[few[0]]} in {keep} group (patient, subject or block) or fewer",
            f"classes that are in {keep + 1} or more, to be on both sides of a split",
        )
    rng = np.random.default_rng(seed)
    for _ in range(_STARTS):
        held, score = _improved(rng.random(len(sizes)) < fraction, sizes, fraction, keep)
        if score < _MISSING:
            chosen = held[group]
            return np.flatnonzero(~chosen), np.flatnonzero(chosen)
    raise RequestError(
        "data",
        f"{len(sizes)} groups of {len(labels)} classes",
        "groups that can be divided so that every class is on both sides",
        "Another data.validation_fraction may do, or fewer classes.",
    )


def _improved(
    held: NDArray[np.bool_], sizes: NDArray[np.int64], fraction: float, keep: int
) -> tuple[NDArray[np.bool_], float]:
    """The choice after the best change of one group, again and again, while that helps.

    With it how far it is from the wanted shares.
    """
    there = (sizes > 0).astype(np.int64)
    while True:
        # all sums are of integers: those of real numbers depend on the number of threads in their
        # last bits, which decide between groups that are equally good
        step = np.where(held, -1, 1)[:, np.newaxis]  # row g: group g on the other side
        examples, groups = sizes[held].sum(0), there[held].sum(0)
        now = _score(examples, groups, sizes, fraction, keep)
        scores = _score(examples + step * sizes, groups + step * there, sizes, fraction, keep)
        best = int(scores.argmin())
        if scores[best] >= now:
            return held, float(now)
        held = held.copy()
        held[best] = not held[best]


def _score(
    examples: NDArray[np.int64],
    groups: NDArray[np.int64],
    sizes: NDArray[np.int64],
    fraction: float,
    keep: int,
) -> NDArray[np.float64]:
    """How far choices of groups are from the wanted shares, shape (...).

    Args:
        examples: of each class that are held out, (..., classes).
        groups: with examples of each class that are held out, (..., classes).
        sizes: examples of each group and class, (groups, classes).
        fraction: wanted share of each class.
        keep: groups that have to be kept of each class at least.
    """
    missing = (groups == 0) | ((sizes > 0).sum(0) - groups < keep)
    deviations = (examples / sizes.sum(0) - fraction) ** 2
    scores: NDArray[np.float64] = (deviations + _MISSING * missing).sum(-1)
    return scores
