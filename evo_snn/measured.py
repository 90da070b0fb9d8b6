"""What measuring a network over samples gives: confusion counts, the figures from them, and rates.

Accuracy is the share of right samples, in remote sensing *overall accuracy* (OA). *Balanced
accuracy* is the mean over classes of the share of each that is right, there *average accuracy*
(AA). Kappa is Cohen's (Educational and Psychological Measurement 20, 1960): agreement beyond that
of chance with the same margins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Measured:
    """A network over samples; the figures follow from the counts.

    Attributes:
        confusion: how often each true class (row) was given each class (column), int64,
            (classes, classes).
        rates: layer name → (input rate, output rate).
        ends: share of the inferences that ended at each point where they could; empty where all
            take all time steps and layers.
    """

    confusion: NDArray[np.int64]
    rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ends: tuple[float, ...] = ()

    @property
    def samples(self) -> int:
        """How many samples were measured."""
        return int(self.confusion.sum())

    @cached_property
    def accuracy(self) -> float:
        """Share of the samples that are right."""
        return int(np.trace(self.confusion)) / self.samples

    @cached_property
    def recalls(self) -> tuple[float | None, ...]:
        """Share of each class's samples that are right; None for a class without samples."""
        pairs = zip(self.confusion.diagonal().tolist(), self.confusion.sum(1).tolist(), strict=True)
        return tuple(right / size if size else None for right, size in pairs)

    @cached_property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that have samples."""
        known = [one for one in self.recalls if one is not None]
        return sum(known) / len(known)

    @cached_property
    def kappa(self) -> float:
        """Cohen's kappa; 0 where chance alone would always agree, as one class is all there is."""
        n = self.samples
        by_chance = int(self.confusion.sum(0) @ self.confusion.sum(1)) / n**2
        if by_chance >= 1:
            return 0.0
        return (self.accuracy - by_chance) / (1 - by_chance)

    @property
    def figures(self) -> dict[str, float]:
        """The metrics of that name."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "kappa": self.kappa,
        }
