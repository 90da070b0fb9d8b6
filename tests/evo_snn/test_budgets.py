"""Budgets that no design can meet are refused before a search."""

import itertools

import numpy as np
import pytest

from evo_snn.budgets import check_possible, least_value
from evo_snn.chip_genes import ChipGenes
from evo_snn.constraints import Constraint
from evo_snn.design_space import DesignSpace
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import load_chip, totals

CHIP = load_chip("rram_32nm")
NETWORKS = make_space(
    "plain",
    (1, 8, 8),
    10,
    {"max_stages": 2, "max_blocks": 1, "widths": [4, 8], "kernels": [1, 3], "neurons": ["iaf"],
     "pools": ["none", "average"], "thresholds": [0.5], "weight_bits": [2, 8],
     "time_steps": [2, 4]},
)  # fmt: skip
SMALL = DesignSpace(NETWORKS, ChipGenes(CHIP))


@pytest.mark.parametrize("metric", ["area_mm2", "latency_ms", "parameters"])
def test_the_least_is_found_of_a_whole_space(metric: str) -> None:
    everything = np.array(list(itertools.product(*(range(n) for n in SMALL.choices))))
    architectures = [SMALL.decode(genome) for genome in everything]
    if metric == "parameters":
        least = min(one.parameters for one in architectures)
    else:
        least = totals([one.workload for one in architectures], CHIP)[metric].min()
    start = SMALL.sample(4, np.random.default_rng(1))
    assert least_value(metric, 0.0, start, SMALL) == least


def test_a_bound_at_the_least_value_is_possible_and_below_it_is_not() -> None:
    start = SMALL.sample(8, np.random.default_rng(0))
    least = least_value("area_mm2", 0.0, start, SMALL)
    check_possible([Constraint("area_mm2", maximum=least)], SMALL)
    with pytest.raises(RequestError, match=f"constraints.area_mm2.*{least:.4g} or more"):
        check_possible([Constraint("area_mm2", maximum=least * 0.999)], SMALL)


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("accuracy", minimum=1.01),
        Constraint("accuracy", maximum=-0.1),
        Constraint("utilisation", minimum=2.0),
        Constraint("spikes", maximum=-1.0),
        Constraint("parameters", maximum=0.0),
    ],
)
def test_a_bound_outside_the_metrics_range_is_refused(constraint: Constraint) -> None:
    with pytest.raises(RequestError, match=f"constraints.{constraint.metric}"):
        check_possible([constraint], SMALL)


def test_what_is_known_only_after_training_is_left_to_the_search() -> None:
    check_possible([Constraint("accuracy", minimum=1.0), Constraint("mine", maximum=-5.0)], SMALL)
