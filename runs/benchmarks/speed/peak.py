"""What this machine's convolutions can do at best: GFLOP/s of one thread, by a small search."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses

from speed.parts import backward
from speed.plans import KERNEL, Convolution
from speed.timing import Timed, here, interleaved

CHANNELS = (32, 64, 128, 256)
SIDES = (4, 8, 16, 32)
IMAGES = (8, 32, 128, 256)
MOST_VALUES = 5e6
"""Of a map: what is larger leaves the caches, and no peak is there."""
SMALL_MAPS = 2e4
"""Of a map, where only it matters that it runs."""
ROUNDS = 3
AGAIN = 4
"""The best shapes of the search are measured once more, in more rounds: the best of many noisy
figures is too good."""
GIGA = 1e9


@dataclass(frozen=True)
class Shape:
    """A convolution of 3 x 3 from ``channels`` to ``channels``."""

    channels: int
    side: int
    images: int
    channels_last: bool

    @property
    def operations(self) -> int:
        """Of one pass."""
        return Convolution(self.channels, self.channels, self.side).operations(self.images)

    def passes(self) -> dict[str, Timed]:
        """The passes: forward, gradient of the input, gradient of the weight."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        maps = (self.images, self.channels, self.side, self.side)
        x, gradient = (torch.rand(maps).to(memory_format=layout) for _ in range(2))
        kernel = (self.channels, self.channels, KERNEL, KERNEL)
        weight = torch.rand(kernel).to(memory_format=layout)
        return {
            "forward": here(lambda: F.conv2d(x, weight, padding=KERNEL // 2)),
            "input gradient": here(lambda: backward(x, weight, gradient, needs_weight=False)),
            "weight gradient": here(lambda: backward(x, weight, gradient, needs_input=False)),
        }


def shapes(most_values: float = MOST_VALUES) -> list[Shape]:
    """The shapes that are searched."""
    every = (Shape(*one) for one in product(CHANNELS, SIDES, IMAGES, (False, True)))
    return [one for one in every if one.channels * one.side**2 * one.images <= most_values]


def speeds(shape: Shape, rounds: int) -> dict[str, float]:
    """GFLOP/s of each pass at its best round, and of the three together.

    A peak is what was reached, so the best round counts, and not the median.
    """
    times = {
        name: min(found)
        for name, found in interleaved(shape.passes(), rounds=rounds, block=0.01).items()
    }
    passes = {name: shape.operations / time / GIGA for name, time in times.items()}
    return {**passes, "training": 3 * shape.operations / sum(times.values()) / GIGA}


def convolution_peak(rounds: int = 9, most_values: float = MOST_VALUES) -> dict[str, Any]:
    """The best speeds found: of each pass, and of the three that a training step has together."""
    searched = [(speeds(shape, ROUNDS), shape) for shape in shapes(most_values)]
    found: dict[str, Any] = {}
    for name in searched[0][0]:
        best = sorted(searched, key=lambda one, key=name: -one[0][key])[:AGAIN]
        again = [(speeds(shape, rounds)[name], shape) for _, shape in best]
        speed, shape = max(again, key=lambda one: one[0])
        found[name] = {"gflops": speed, **asdict(shape)}
    return found
