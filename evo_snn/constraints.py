"""Constraints: bounds on metrics, and how far a candidate is from meeting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evo_snn.config import Bounds
from evo_snn.objectives import Metric


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric, in its own unit; at least one of the two is not None."""

    metric: str
    minimum: float | None = None
    maximum: float | None = None

    def violation(self, value: float) -> float:
        """How far ``value`` is outside, in units of the bound that it breaks; 0 where it is met.

        A bound of 0 counts as 1, so that the violation stays finite.
        """
        if self.maximum is not None and value > self.maximum:
            return (value - self.maximum) / (abs(self.maximum) or 1.0)
        if self.minimum is not None and value < self.minimum:
            return (self.minimum - value) / (abs(self.minimum) or 1.0)
        return 0.0


def make_constraints(
    section: Mapping[str, float | Bounds], metrics: Mapping[str, Metric]
) -> list[Constraint]:
    """The constraints of a configuration.

    A plain number bounds from above what is minimised, and from below what is maximised.
    """
    made = []
    for name, bound in section.items():
        if isinstance(bound, Bounds):
            made.append(Constraint(name, bound.min, bound.max))
        elif metrics[name].maximise:
            made.append(Constraint(name, minimum=bound))
        else:
            made.append(Constraint(name, maximum=bound))
    return made


def violations(
    constraints: Sequence[Constraint],
    exact: Mapping[str, float],
    lower: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Metric → violation > 0, of what is known.

    Args:
        constraints: the constraints.
        exact: metrics that cannot change any more.
        lower: lower bounds of metrics that can still rise; they violate a maximum alone.
    """
    found = {}
    for constraint in constraints:
        amount = 0.0
        if constraint.metric in exact:
            amount = constraint.violation(exact[constraint.metric])
        elif lower and constraint.metric in lower and constraint.maximum is not None:
            upper = Constraint(constraint.metric, maximum=constraint.maximum)
            amount = upper.violation(lower[constraint.metric])
        if amount > 0:
            found[constraint.metric] = amount
    return found
