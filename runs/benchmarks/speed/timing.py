"""Paired timing: all subjects in every round, and what their ratios within a round say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from scipy.stats import binom

from speed import allocator
from speed.allocator import Allocator

Call = Callable[[], object]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios with its interval of `CONFIDENCE`."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Subject:
    """A call to time, with the allocator that it is timed with."""

    call: Call
    allocator: Allocator = "worker"


def seconds(call: Call, times: int = 1) -> float:
    """Wall-clock time of one of some calls in a row."""
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def interleaved(
    subjects: Mapping[str, Subject], *, rounds: int, block: float = 0.2
) -> dict[str, list[float]]:
    """Seconds of a call of each subject, one figure a round.

    In a round every subject runs once for about ``block`` seconds, every second round in the
    opposite order. One untimed call before each block brings the subject's own memory back.
    """
    repeats: dict[str, int] = {}
    for name, subject in subjects.items():
        _prepare(subject)
        repeats[name] = max(1, ceil(block / seconds(subject.call)))
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects)
        for name in names if number % 2 == 0 else reversed(names):
            _prepare(subjects[name])
            found[name].append(seconds(subjects[name].call, repeats[name]))
    return found


def _prepare(subject: Subject) -> None:
    allocator.use(subject.allocator)
    subject.call()


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
