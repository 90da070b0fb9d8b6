"""Which pixels of a scene are for what: by separate blocks, or at random.

A block is a square of pixels. A pixel is used only if its whole patch lies in its block, so that
patches of different blocks have no pixel in common, whichever blocks are training, validation or
test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.base import split_stratified
from evo_snn.datasets.groups import split_groups
from genomes.errors import RequestError

_TEST_SEED = 0  # the test part is the same for every run, whatever its seed
_SIDES = 3  # training, validation, test: a class needs a block for each


@dataclass(frozen=True)
class Pixels:
    """The chosen pixels of a scene.

    Attributes:
        train: Flat positions for training and validation, int64, sorted.
        test: Flat positions of the test part, int64, sorted.
        blocks: The block of each of ``train``; None for a random split.
        labels: The classes that are left, rising.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    blocks: NDArray[np.int64] | None
    labels: tuple[int, ...]


def by_blocks(
    truth: NDArray[np.int64], patch: int, block: int, share: float, labelled: int, drop: bool
) -> Pixels:
    """Pixels in separate blocks.

    Args:
        truth: Class of each pixel, shape (rows, columns); 0 for none.
        patch: Side of a patch, odd.
        block: Side of a block; 0 for the one, of patch + 1 to 4 patch + 8, that has most classes in
            three blocks and then most pixels.
        share: Of the pixels of each class, for the test.
        labelled: Pixels of each class for training and validation at most, spread over the blocks;
            0 for all.
        drop: Whether classes in fewer than three blocks are left out; they are refused otherwise.

    Raises:
        RequestError: Classes are in too few blocks, or the blocks cannot be divided.
    """
    block = block or max(range(patch + 1, 4 * patch + 9), key=lambda one: _worth(truth, patch, one))
    inside, number = _inside(truth.shape, patch, block)
    numbers, flat = number.reshape(-1), truth.reshape(-1)
    used = np.flatnonzero(inside.reshape(-1) & (flat > 0))
    every = [int(one) for one in np.unique(flat[flat > 0])]
    labels = [one for one in every if len(np.unique(numbers[used[flat[used] == one]])) >= _SIDES]
    few = sorted(set(every) - set(labels))
    if (few and not drop) or len(labels) <= 1:
        got = f"classes {', '.join(map(str, few))} in fewer than {_SIDES} blocks of {block} pixels"
        remedy = "A smaller patch helps; data.options.rare = 'drop' leaves them out."
        raise RequestError("data.options.block", got, "a block for each part of a class", remedy)
    used = used[np.isin(flat[used], labels)]
    kept, held = split_groups(flat[used], numbers[used], share, _TEST_SEED, keep=_SIDES - 1)
    train = _spread(used[kept], flat, numbers, labelled)
    return Pixels(train, used[held], numbers[train], tuple(labels))


def at_random(truth: NDArray[np.int64], share: float, labelled: int) -> Pixels:
    """Pixels at random, as in most of the literature: neighbours are on both sides.

    With ``labelled`` so many pixels of each class, half of it at most, are for training and
    validation, and all others for the test; without, ``share`` of each class is for the test.
    """
    flat = truth.reshape(-1)
    used = np.flatnonzero(flat > 0)
    labels = tuple(int(one) for one in np.unique(flat[used]))
    if not labelled:
        kept, held = split_stratified(flat[used], share, _TEST_SEED)
        return Pixels(used[kept], used[held], None, labels)
    rng = np.random.default_rng(_TEST_SEED)
    chosen = np.zeros(flat.size, dtype=bool)
    for label in labels:
        members = rng.permutation(np.flatnonzero(flat == label))
        chosen[members[: min(labelled, len(members) // 2)]] = True
    return Pixels(np.flatnonzero(chosen), used[~chosen[used]], None, labels)


def _inside(
    shape: tuple[int, ...], patch: int, block: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where a pixel's patch lies in its block, and the block of each pixel.

    Beyond the edge of the scene a patch mirrors what it has, which is no other block's.
    """
    reach = patch // 2
    fits, blocks = [], []
    for side in shape:
        at = np.arange(side)
        one = at // block
        before = (at - one * block >= reach) | (one == 0)
        after = ((one + 1) * block - at > reach) | (one == one[-1])
        fits.append(before & after)
        blocks.append(one)
    number = blocks[0][:, np.newaxis] * (blocks[1][-1] + 1) + blocks[1]
    return fits[0][:, np.newaxis] & fits[1], number


def _worth(truth: NDArray[np.int64], patch: int, block: int) -> tuple[int, int]:
    """Classes in enough blocks, and labelled pixels that can be used."""
    inside, number = _inside(truth.shape, patch, block)
    used = inside & (truth > 0)
    pairs = np.unique(np.stack([truth[used], number[used]]), axis=1)
    classes, sizes = np.unique(pairs[0], return_counts=True)
    enough = classes[sizes >= _SIDES]
    return len(enough), int(np.isin(truth[used], enough).sum())


def _spread(
    pixels: NDArray[np.int64], flat: NDArray[np.int64], numbers: NDArray[np.int64], labelled: int
) -> NDArray[np.int64]:
    """At most so many pixels of each class, from its blocks in turn."""
    if not labelled:
        return pixels
    rng = np.random.default_rng(_TEST_SEED)
    chosen = []
    for label in np.unique(flat[pixels]):
        members = rng.permutation(pixels[flat[pixels] == label])
        _, block = np.unique(numbers[members], return_inverse=True)
        turn = np.empty(len(members), np.int64)
        for one in range(block.max() + 1):
            turn[block == one] = np.arange(np.count_nonzero(block == one))
        chosen.append(members[np.argsort(turn, kind="stable")][:labelled])
    return np.sort(np.concatenate(chosen))
