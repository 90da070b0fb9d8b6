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
    sizes = np.zeros((group.max() + 1, len(labels)))
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
        held = _improved(rng.random(len(sizes)) < fraction, sizes, fraction, keep)
        if _score(held[np.newaxis], sizes, fraction, keep)[0] < _MISSING:
            chosen = held[group]
            return np.flatnonzero(~chosen), np.flatnonzero(chosen)
    raise RequestError(
        "data",
        f"{len(sizes)} groups of {len(labels)} classes",
        "groups that can be divided so that every class is on both sides",
        "Another data.validation_fraction may do, or fewer classes.",
    )


def _improved(
    held: NDArray[np.bool_], sizes: NDArray[np.float64], fraction: float, keep: int
) -> NDArray[np.bool_]:
    """The choice after the best change of one group, again and again, while that helps."""
    score = _score(held[np.newaxis], sizes, fraction, keep)[0]
    while True:
        changed = held ^ np.eye(len(held), dtype=bool)  # row g: group g on the other side
        scores = _score(changed, sizes, fraction, keep)
        best = int(scores.argmin())
        if scores[best] >= score:
            return held
        held, score = changed[best], scores[best]


def _score(
    choices: NDArray[np.bool_], sizes: NDArray[np.float64], fraction: float, keep: int
) -> NDArray[np.float64]:
    """How far each choice of groups, shape (n, groups), is from the wanted shares; shape (n,)."""
    shares = choices.astype(float) @ (sizes / sizes.sum(0))
    there = (sizes > 0).astype(float)
    held = choices.astype(float) @ there
    missing = (held == 0) | (there.sum(0) - held < keep)
    scores: NDArray[np.float64] = ((shares - fraction) ** 2 + _MISSING * missing).sum(1)
    return scores
