"""Effects of choices: means of paired differences, with bootstrap intervals over bases.

The effect of a choice on an objective is the mean, over the blocks of a design, of the member with
the choice less the members that it is compared with; costs are compared by their logarithm, and
come out in per cent. Each base has one block a role, so that a role's differences are independent,
and a bootstrap over bases is one over blocks. Formulas and sources: docs/ablation.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from evo_snn.ablation_design import Block, Record, Role
from evo_snn.candidate import ObjectiveRecord
from evo_snn.metrics import is_share

LEVEL = 0.95
"""Confidence of each interval by itself."""

FEWEST_PAIRS = 8
"""Pairs below which no interval is given: it would cover the truth too rarely, even widened."""

MARGIN = 1.0
"""Points of a share, and per cent of a cost, that are not worth having, where nothing else is said.
"""

PER_CENT = "%"
POINTS = "points"

NONE = "none"
OTHERS = "the others"

Outcome = Literal["helps", "harms", "same", "unclear"]

_RESAMPLES = 10_000
_ROUNDING = 1e-12  # of the numbers that are subtracted
_CELLS_AT_ONCE = 4_000_000  # of resampled counts, for the memory that they take

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What a choice does to an objective, against others, all else equal.

    Attributes:
        objective: its name.
        unit: of effect and interval: "%" of a cost, "points" (hundredths) of a share, else the
            objective's own.
        pairs: bases that it was measured on.
        effect, low, high: mean and ends of the interval; NaN where there are too few pairs.
        outcome: ``same`` where the whole interval is within the margin; otherwise ``helps`` or
            ``harms`` where it is on the better or the worse side of zero; or ``unclear``.
        may_help: whether it reaches beyond the margin on the better side. Of an objective in its
            own unit, for which no margin is known: whether the outcome is ``helps``.
    """

    objective: str
    unit: str
    pairs: int
    effect: float
    low: float
    high: float
    outcome: Outcome
    may_help: bool

    @property
    def is_measured(self) -> bool:
        """Whether there is an interval."""
        return not np.isnan(self.low)


def reference(role: Role, choice: int) -> tuple[int, ...]:
    """What a choice is compared with, as indices of choices.

    Of an ordered gene the choice before it, for the first one nothing. Of a categorical gene
    ``none`` where it is a choice, otherwise (and for ``none`` itself) all the others.
    """
    if role.kind == "ordered":
        return (choice - 1,) if choice else ()
    if NONE in role.choices and role.choices[choice] != NONE:
        return (role.choices.index(NONE),)
    return tuple(k for k in range(len(role.choices)) if k != choice)


def reference_name(role: Role, against: Sequence[int]) -> str:
    """A reference in words."""
    return str(role.choices[against[0]]) if len(against) == 1 else OTHERS


class Measured:
    """The blocks of one role, with what was measured of their members.

    Args:
        role: whose.
        blocks: of the role, or of one of its genes.
        metrics: key → what was measured of a candidate, by name.
        objectives: of the run.
        weighted: by the number of genes that a block's was drawn from, which makes the blocks of
            one gene stand for all bases that feel it alike.
        margin: points and per cent that are not worth having.
    """

    def __init__(
        self,
        role: Role,
        blocks: Sequence[Block],
        metrics: Mapping[str, Mapping[str, float]],
        objectives: Sequence[ObjectiveRecord],
        *,
        weighted: bool = False,
        margin: float = MARGIN,
    ) -> None:
        self.role = role
        self._margin = margin
        self._objectives = objectives
        self._weights = np.array([one.among if weighted else 1.0 for one in blocks], dtype=float)
        self._values = {
            one.name: _values(one, blocks, metrics, len(role.choices)) for one in objectives
        }
        self._resampled: Values | None = None

    def effects(self, choice: int, against: Sequence[int]) -> list[Effect]:
        """The effects of a choice against others, one an objective."""
        return [self._effect(one, choice, against) for one in self._objectives]

    def _effect(self, objective: ObjectiveRecord, choice: int, against: Sequence[int]) -> Effect:
        values = self._values[objective.name]
        differences = _rounded(
            values[:, choice] - values[:, list(against)].mean(axis=1), np.abs(values).max(axis=1)
        )
        given = np.isfinite(differences)
        pairs, weights = int(given.sum()), self._weights * given
        differences = np.where(given, differences, 0.0)
        mean = float(weights @ differences / weights.sum()) if pairs else nan
        ends = (nan, nan)
        if pairs >= FEWEST_PAIRS:
            ends = interval(differences, weights, self._counts)
        largest = np.abs(differences).max(initial=0.0)
        mean, low, high = (
            _shown(float(_rounded(one, largest)), objective) for one in (mean, *ends)
        )
        outcome, may_help = self._judged(objective, low, high)
        unit = unit_of(objective)
        return Effect(objective.name, unit, pairs, mean, low, high, outcome, may_help)

    def _judged(self, objective: ObjectiveRecord, low: float, high: float) -> tuple[Outcome, bool]:
        """The outcome of an interval, and whether it may help."""
        worst, best = (low, high) if objective.maximise else (-high, -low)
        known = unit_of(objective) in (PER_CENT, POINTS)
        margin = self._margin if known else 0.0
        if -margin <= low and high <= margin:
            return "same", False
        outcome: Outcome = "helps" if worst > 0 else "harms" if best < 0 else "unclear"
        return outcome, best > margin if known else outcome == "helps"

    @property
    def _counts(self) -> Values:
        """How often each block is in each resample, (resamples, blocks)."""
        if self._resampled is None:
            self._resampled = resample(len(self._weights))
        return self._resampled


def _rounded(differences: Any, of: Any) -> Any:
    """Differences without what is but the rounding of numbers of some size."""
    return np.where(np.abs(differences) <= _ROUNDING * of, 0.0, differences)


def unit_of(objective: ObjectiveRecord) -> str:
    """The unit of effects on an objective."""
    if objective.log:
        return PER_CENT
    return POINTS if is_share(objective.name) else objective.unit


def _shown(difference: float, objective: ObjectiveRecord) -> float:
    """A difference in the unit of effects."""
    if objective.log:
        return 100 * float(np.expm1(difference))
    return 100 * difference if is_share(objective.name) else difference


def _values(
    objective: ObjectiveRecord,
    blocks: Sequence[Block],
    metrics: Mapping[str, Mapping[str, float]],
    choices: int,
) -> Values:
    """(blocks, choices), logarithms of costs; NaN where nothing was measured."""
    rows = [
        [nan if key is None else metrics.get(key, {}).get(objective.name, nan) for key in one.keys]
        for one in blocks
    ]
    values = np.array(rows, dtype=float).reshape(len(blocks), choices)
    if objective.log:
        values = np.log(np.where(values > 0, values, nan))
    return values


def resample(blocks: int, seed: int = 0) -> Values:
    """How often each of so many blocks is in each of the resamples, (resamples, blocks)."""
    rng = np.random.default_rng(seed)
    resamples = max(1000, min(_RESAMPLES, _CELLS_AT_ONCE // blocks))
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples).astype(float)


def interval(differences: Values, weights: Values, counts: Values) -> tuple[float, float]:
    """The interval of a weighted mean: the bootstrap's percentiles, widened for few pairs.

    The plain percentile interval is too narrow for small n, by sqrt((n - 1) / n) and by taking
    normal quantiles for Student's. The percentiles are those of a level at which it is as wide as
    Student's interval for normal data (Hesterberg, The American Statistician 69, 371-386, 2015:
    expanded percentile interval). With weights n is Kish's effective number.

    Args:
        differences: (blocks,), finite.
        weights: (blocks,), 0 where a block does not count; not all are 0.
        counts: (resamples, blocks), of `resample`.
    """
    effective = max(weights.sum() ** 2 / (weights**2).sum(), 2.0)
    quantile = stdtrit(effective - 1, (1 + LEVEL) / 2)
    tail = float(ndtr(-np.sqrt(effective / (effective - 1)) * quantile))
    total = counts @ weights
    means = (counts @ (weights * differences))[total > 0] / total[total > 0]
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def measured_roles(
    record: Record,
    metrics: Mapping[str, Mapping[str, float]],
    objectives: Sequence[ObjectiveRecord],
    margin: float = MARGIN,
) -> list[Measured]:
    """Each role of a design, pooled over its genes."""
    return [
        Measured(
            role,
            [one for one in record.blocks if one.role == place],
            metrics,
            objectives,
            margin=margin,
        )
        for place, role in enumerate(record.roles)
    ]


def measured_genes(
    record: Record,
    metrics: Mapping[str, Mapping[str, float]],
    objectives: Sequence[ObjectiveRecord],
    margin: float = MARGIN,
) -> list[tuple[str, Measured]]:
    """Each gene of a design by itself, with its name."""
    return [
        (
            gene,
            Measured(
                role,
                [one for one in record.blocks if one.role == place and one.gene == gene],
                metrics,
                objectives,
                weighted=True,
                margin=margin,
            ),
        )
        for place, role in enumerate(record.roles)
        for gene in role.genes
    ]
