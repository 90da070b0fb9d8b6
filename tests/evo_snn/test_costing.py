"""What is known before training where inferences may end early, and when recordings are decided."""

from dataclasses import replace

import pytest

from evo_snn.constraints import Constraint, violations
from evo_snn.costing import (
    decision_latency_ms,
    known_metrics,
    mean_layers,
    measured_metrics,
    measured_workload,
)
from evo_snn.measured import Measured
from genomes.architecture import Exit
from genomes.workload import Workload
from hardware import estimate, load_chip
from tests.chain import chain

CHIP = load_chip("rram_32nm")
WHOLE = replace(chain(steps=4), frames=4)
IN_TIME = replace(WHOLE, exit=Exit("time", 0.9))


def in_depth():
    """The chain with a read-out behind its first layer too."""
    first, second, last = WHOLE.layers
    leaves = replace(last, name="exit1", source="a")
    return replace(WHOLE, layers=(first, leaves, second, last), exit=Exit("depth", 0.9))


def known(architecture):
    (exact,), (lower,) = known_metrics([architecture], [CHIP])
    return exact, lower


def test_latency_is_known_before_training_but_for_early_ends():
    exact, lower = known(WHOLE)
    assert exact["latency_ms"] == estimate(WHOLE.workload, CHIP).latency_ms
    assert "latency_ms" not in lower

    for early in (IN_TIME, in_depth()):
        exact, lower = known(early)
        at_once = early.ended(early.workload, (1.0, *[0.0] * (early.decisions - 1)))
        assert {"latency_ms", "interval_ms"}.isdisjoint(exact)
        assert lower["latency_ms"] == pytest.approx(estimate(at_once, CHIP).latency_ms)
        assert lower["latency_ms"] < 0.9 * estimate(early.workload, CHIP).latency_ms
        assert exact["area_mm2"] == pytest.approx(estimate(early.workload, CHIP).area_mm2)


def test_a_mixed_population_is_bounded_one_by_one():
    exact, lower = known_metrics([WHOLE, IN_TIME, WHOLE], [CHIP] * 3)
    assert ["latency_ms" in one for one in exact] == [True, False, True]
    assert ["latency_ms" in one for one in lower] == [False, True, False]
    assert lower[1]["energy_uj"] < lower[0]["energy_uj"]


@pytest.mark.parametrize("metric", ["latency_ms", "energy_delay_uj_ms"])
def test_a_bound_does_not_refuse_too_early_what_may_end_early(metric):
    whole = known(WHOLE)[1 if metric in known(WHOLE)[1] else 0][metric]
    soonest = known(IN_TIME)[1][metric]
    assert soonest < whole
    between = [Constraint(metric, maximum=(soonest + whole) / 2)]

    assert violations(between, *known(WHOLE))
    assert not violations(between, *known(IN_TIME))
    assert violations([Constraint(metric, maximum=0.9 * soonest)], *known(IN_TIME))


def test_final_costs_are_of_inferences_as_long_as_they_were():
    rates = {layer.name: (0.2, 0.1) for layer in IN_TIME.layers}
    measured = Measured(None, rates, (0.5, 0.0, 0.0, 0.5))
    workload = measured_workload(IN_TIME, measured)
    cost = estimate(workload, CHIP)
    metrics = measured_metrics(IN_TIME, workload, cost)

    assert metrics["mean_time_steps"] == 2.5  # half of 1, half of 4
    assert metrics["mean_layers"] == 3
    assert metrics["time_steps"] == 4
    assert metrics["latency_ms"] == cost.latency_ms
    neurons = 2 * (2 * 16)  # two layers of 2 channels, 4 x 4 each
    assert metrics["spikes"] == pytest.approx(2.5 * 0.1 * (neurons + 2))  # the read-out's with it
    assert known(IN_TIME)[1]["latency_ms"] <= metrics["latency_ms"]


def test_layers_that_an_inference_takes():
    architecture = in_depth()
    workload = architecture.ended(architecture.workload, (0.75, 0.25))
    assert mean_layers(architecture, workload) == 2 + 2 * 0.25

    first, *others = architecture.layers
    grouped = replace(architecture, layers=(replace(first, group_bits=(2, 3)), *others))
    workload = grouped.ended(grouped.workload, (0.75, 0.25))
    assert len(workload.layers) == 5  # the first layer's channels are two parts
    assert mean_layers(grouped, workload) == 2.5


def step_ms(workload):
    return estimate(workload.model_copy(update={"timesteps": 1}), CHIP).latency_ms


def test_a_recording_is_decided_after_its_last_part():
    workload = WHOLE.workload
    each = step_ms(workload)
    assert each < 1  # far quicker than the parts below, of 100 ms

    assert decision_latency_ms(workload, CHIP, 400) == pytest.approx(400 + each)
    half = IN_TIME.ended(IN_TIME.workload, (0.0, 1.0, 0.0, 0.0))
    assert decision_latency_ms(half, CHIP, 400) == pytest.approx(200 + each)
    some = IN_TIME.ended(IN_TIME.workload, (0.5, 0.0, 0.0, 0.5))  # 2.5 steps
    assert decision_latency_ms(some, CHIP, 400) == pytest.approx(250 + each)


def test_a_chip_that_does_not_keep_up_works_from_the_first_part_on():
    workload = WHOLE.workload
    each = step_ms(workload)
    whole = estimate(workload, CHIP).latency_ms
    short = each / 10  # of each part

    assert whole == pytest.approx(4 * each, rel=1e-5)
    assert decision_latency_ms(workload, CHIP, 4 * short) == pytest.approx(short + whole)
    just_in_time = decision_latency_ms(workload, CHIP, 4 * each)
    assert just_in_time == pytest.approx(5 * each, rel=1e-5)


def test_layer_by_layer_a_chip_waits_for_the_end_of_the_recording():
    chip = load_chip("neurosim_compat", {"schedule": "layers"})
    workload = Workload.model_validate(WHOLE.workload.to_document())
    expected = 400 + estimate(workload, chip).latency_ms
    assert decision_latency_ms(workload, chip, 400) == pytest.approx(expected)
