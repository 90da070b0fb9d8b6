"""Paired timing: all subjects in every round, and what their ratios within a round say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from scipy.stats import binom

Call = Callable[[], object]
Timed = Callable[[int], float]
"""A subject: it runs so many times in a row, and says the seconds of once."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios with its interval of `CONFIDENCE`."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def seconds(call: Call, times: int = 1) -> float:
    """Wall-clock time of one of some calls in a row."""
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def here(call: Call) -> Timed:
    """A call, to be timed in this process."""
    return lambda times: seconds(call, times)


def interleaved(
    subjects: Mapping[str, Timed], *, rounds: int, block: float = 0.2
) -> dict[str, list[float]]:
    """Seconds of a call of each subject, one figure a round.

    In a round every subject runs once for about ``block`` seconds, every second round in the
    opposite order. One call before each block, which does not count, brings the subject's own
    memory back into the caches.
    """
    repeats: dict[str, int] = {}
    for name, timed in subjects.items():
        timed(1)
        repeats[name] = max(1, ceil(block / timed(1)))
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects)
        for name in names if number % 2 == 0 else reversed(names):
            subjects[name](1)
            found[name].append(subjects[name](repeats[name]))
    return found


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """The median of paired ratios, with an interval for it from their order alone.

    The interval is that of the sign test: between the k-th smallest and the k-th largest, for the
    largest k that leaves at most 5 % outside; with fewer than six pairs from least to most.
    """
    ratios = sorted(a / b for a, b in zip(numerators, denominators, strict=True))
    outside = (1 - CONFIDENCE) / 2
    k = int(binom.ppf(outside, len(ratios), 0.5))  # P(X < k) <= outside
    index = max(0, k - 1)
    return Ratio(median(ratios), ratios[index], ratios[-1 - index])
