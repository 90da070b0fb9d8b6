"""A small CIFAR-10: images of 16 x 16 (means of 2 x 2 pixels), some thousand of them, in one file.

    python runs/benchmarks/small_cifar10.py cifar10.npz runs/out/small_cifar10.npz --train 4000

What it reads and writes is ``x_train``, ``y_train``, ``x_test``, ``y_test``; images are uint8, of
(N, 32, 32, 3) or (N, 3, 32, 32). The first images of each class are taken, equally many of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FACTOR = 2
COLOURS = 3


def halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, H, W, 3) or (N, 3, H, W) → (N, 3, H/2, W/2), means of 2 x 2 pixels, rounded."""
    if images.shape[-1] == COLOURS:
        images = images.transpose(0, 3, 1, 2)
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // FACTOR, FACTOR, width // FACTOR, FACTOR)
    return blocks.mean(axis=(3, 5)).round().astype(np.uint8)


def balanced(labels: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Indices of the first ``n`` samples with equally many of each class, in their order."""
    classes = np.unique(labels)
    chosen = [np.flatnonzero(labels == label)[: n // len(classes)] for label in classes]
    return np.sort(np.concatenate(chosen))


def main() -> None:
    """Read, halve, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--test", type=int, default=2000)
    arguments = parser.parse_args()
    parts = {}
    with np.load(arguments.source) as file:
        for part, n in (("train", arguments.train), ("test", arguments.test)):
            labels = file[f"y_{part}"].reshape(-1).astype(np.int64)
            chosen = balanced(labels, n)
            parts |= {f"x_{part}": halved(file[f"x_{part}"][chosen]), f"y_{part}": labels[chosen]}
    arguments.target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.target, **parts)
    print({name: array.shape for name, array in parts.items()})


if __name__ == "__main__":
    main()
