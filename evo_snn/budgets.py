"""Budgets that no design can meet, found before a search starts.

A bound outside a metric's range is impossible as it stands. The least value of a cost that is known
before training is found by a beam search through the space; a bound below it is refused. Bounds
that only exclude each other are not found here: such a search ends without a feasible design.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from evo_snn.constraints import Constraint
from evo_snn.costing import known_metrics
from evo_snn.design_space import DesignSpace
from evo_snn.metrics import is_share, package_metric
from genomes.errors import RequestError

SAMPLE = 256
"""Genomes among which the search for the least value starts."""

BEAM = 48
"""Designs from which each round goes on."""

PATIENCE = 4
"""Rounds without a better value after which the least is taken for found."""


def check_possible(constraints: Sequence[Constraint], space: DesignSpace) -> None:
    """Refuse a bound that no design can meet.

    Raises:
        RequestError: the bound is outside the metric's range, or below the least of the space.
    """
    for constraint in constraints:
        _check_range(constraint)
    genomes = space.sample(SAMPLE, np.random.default_rng(0))
    known = set(_known(genomes[:1], space)[0])
    for constraint in constraints:
        if constraint.metric in known and constraint.maximum is not None:
            least = least_value(constraint.metric, constraint.maximum, genomes, space)
            if least > constraint.maximum:
                raise RequestError(
                    f"constraints.{constraint.metric}",
                    constraint.maximum,
                    f"{least:.4g} or more, the least that was found in space {space.name!r}"
                    f" on chip {space.chips.base.name!r}",
                )


def least_value(
    metric: str, enough: float, genomes: NDArray[np.int64], space: DesignSpace
) -> float:
    """The least value of a known metric (or of its lower bound) that a beam search finds.

    Each round looks at all designs one gene away from the ``BEAM`` best of the last, and goes on
    from those that are new; worse ones among them lead over the ridges between local minima.

    Args:
        metric: a metric that is known before training, or bounded from below.
        enough: the search ends at the first value that is not above.
        genomes: (n, genes) where it starts.
        space: the networks and chips of the search.
    """
    seen: set[bytes] = set()
    best, idle = inf, 0
    beam = genomes
    while len(beam) and idle < PATIENCE:
        seen |= {genome.tobytes() for genome in beam}
        values = np.array([row[metric] for row in _known(beam, space)])
        idle = 0 if values.min() < best else idle + 1
        best = min(best, float(values.min()))
        if best <= enough:
            break
        nearby = [space.neighbours(beam[k]) for k in np.argsort(values, kind="stable")[:BEAM]]
        new = {genome.tobytes(): genome for genome in np.concatenate(nearby)}
        beam = np.array([genome for content, genome in new.items() if content not in seen])
    return best


def _known(genomes: NDArray[np.int64], space: DesignSpace) -> list[dict[str, float]]:
    """What is known of each genome before training, lower bounds included."""
    exact, lower = known_metrics(*space.designs(genomes))
    return [{**known, **bounds} for known, bounds in zip(exact, lower, strict=True)]


def _check_range(constraint: Constraint) -> None:
    if package_metric(constraint.metric) is None:
        return
    high = 1.0 if is_share(constraint.metric) else inf
    low = 0.0
    field = f"constraints.{constraint.metric}"
    allowed = "0 to 1" if high == 1.0 else "a positive number"
    if constraint.minimum is not None and constraint.minimum > high:
        raise RequestError(field, constraint.minimum, allowed)
    if constraint.maximum is not None and constraint.maximum < low:
        raise RequestError(field, constraint.maximum, allowed)
