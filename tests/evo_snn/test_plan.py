"""A plan: a configuration with everything looked up, before anything is written."""

from dataclasses import replace

import numpy as np
import pytest

from evo_snn.config_file import load_config
from evo_snn.datasets import Split
from evo_snn.objectives import BUILT_IN, Metric
from evo_snn.plan import completed_box, make_plan
from evo_snn.training import dataset
from genomes.errors import RequestError

CONFIG = {
    "data": {"name": "digits"},
    "search": {"space": "plain"},
    "space": {"max_stages": 2, "widths": [4, 8]},
}


def plan_of(**overrides):
    return make_plan(load_config(CONFIG, {k.replace("__", "."): v for k, v in overrides.items()}))


def test_the_box_holds_every_objective_and_depends_on_no_seed():
    first, second = plan_of(search__seed=1), plan_of(search__seed=2, search__population=50)
    assert first.box == second.box
    assert set(first.box) == {"accuracy", "area_mm2", "energy_uj", "latency_ms"}
    assert first.box["accuracy"] == (1.0, 0.1)
    best, worst = first.box["area_mm2"]
    assert 0 < best < worst


def test_the_box_contains_the_costs_of_the_space():
    plan = plan_of()
    rng = np.random.default_rng(99)
    from hardware import totals

    workloads = [plan.space.decode(one).workload for one in plan.space.sample(100, rng)]
    costs = totals(workloads, plan.space.chips.base)
    for name in ("area_mm2", "latency_ms"):
        best, worst = plan.box[name]
        assert ((costs[name] > best) & (costs[name] < worst)).mean() > 0.99


def test_the_configurations_box_wins():
    plan = plan_of(hypervolume__box={"area_mm2": [0.1, 9.0]})
    assert plan.box["area_mm2"] == (0.1, 9.0)
    assert plan.box["latency_ms"] == plan_of().box["latency_ms"]


def test_a_users_metric_gets_its_ends_from_the_first_generation():
    plain = Metric("plain", maximise=True, log=False)
    cost = Metric("cost", maximise=False, log=True)
    rows = [{"plain": 1.0, "cost": 10.0}, {"plain": 3.0, "cost": 40.0}]
    box = completed_box({}, [plain, cost], rows)
    assert box == {"plain": (5.0, -1.0), "cost": (5.0, 80.0)}
    assert completed_box({"plain": (9.0, 0.0)}, [plain], rows) == {"plain": (9.0, 0.0)}
    assert completed_box({}, [plain], []) == {}
    assert completed_box({}, [plain], [{"plain": 2.0}]) == {"plain": (4.0, 0.0)}


def test_affordable_is_what_every_known_budget_allows():
    plan = plan_of(constraints={"parameters": 1500, "energy_uj": 0.01})
    genomes = plan.space.sample(60, np.random.default_rng(0))
    allowed = plan.affordable(genomes)
    small = np.array([plan.space.decode(one).parameters <= 1500 for one in genomes])
    assert 0 < allowed.sum() < len(genomes)
    assert (allowed <= small).all()
    assert plan_of().affordable(genomes).all()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_metric_can_be_an_objective(name):
    plan = plan_of(objectives__names=["accuracy", name] if name != "accuracy" else [name])
    best, worst = plan.box[name]
    assert (best > worst) == BUILT_IN[name].maximise


@pytest.fixture
def streams(monkeypatch):
    """Digits as event streams: each four frames of the same."""
    still = dataset(load_config(CONFIG).data)
    parts = {
        part: Split(np.repeat(one.x[:, None], 4, axis=1), one.y)
        for part, one in (("train", still.train), ("validation", still.validation))
    }
    monkeypatch.setattr("evo_snn.plan.dataset", lambda section: replace(still, frames=4, **parts))


@pytest.mark.usefixtures("streams")
def test_frames_are_refused_where_the_space_does_not_read_them():
    genomes = plan_of().space.sample(4, np.random.default_rng(0))
    assert {one.frames for one in plan_of().space.designs(genomes)[0]} == {4}
    with pytest.raises(RequestError, match=r"data: got 'samples of 4 frames'; allowed: still"):
        plan_of(space__codings=["rate"])


LAYERS = {"hardware__schedule": "layers"}


def test_a_chip_that_takes_layers_one_by_one_runs_what_has_no_order_in_time():
    assert plan_of(**LAYERS).space.chips.base.word("schedule") == "layers"
    assert plan_of(**LAYERS, space__depth_exits=["off", "on"]).needs_workers
    in_steps = {**LAYERS, "hardware__schedule": "steps", "space__time_exits": ["off", "on"]}
    assert plan_of(**in_steps).space.chips.base.word("schedule") == "steps"


@pytest.mark.parametrize("exits", [["on"], ["off", "on"]])
def test_a_chip_that_takes_layers_one_by_one_cannot_end_in_time(exits):
    with pytest.raises(RequestError, match=r"hardware\.schedule: got 'layers'; allowed: 'steps'"):
        plan_of(**LAYERS, space__time_exits=exits)


def test_a_chip_that_takes_layers_one_by_one_has_no_feedback():
    cells = {
        "data": {"name": "digits"},
        "search": {"space": "cell"},
        "hardware": {"schedule": "layers"},
        "objectives": {"names": ["accuracy", "parameters"]},
    }
    forward = load_config(cells, {"space.backward_operations": ["none"]})
    assert make_plan(forward).space.chips.base.word("schedule") == "layers"
    with pytest.raises(RequestError, match=r"hardware\.schedule: got 'layers'; allowed: 'steps'"):
        make_plan(load_config(cells))


@pytest.mark.parametrize(
    "named",
    [
        {"objectives__names": ["accuracy", "decision_latency_ms"]},
        {"constraints": {"decision_latency_ms": 100}},
        {"hypervolume__box": {"decision_latency_ms": [1, 9]}},
    ],
)
def test_still_samples_have_no_decision_latency(named):
    with pytest.raises(RequestError, match="'decision_latency_ms'; allowed: metrics of still sam"):
        plan_of(**named)


def test_the_box_of_a_space_with_exits_is_of_inferences_that_do_not_end_early():
    names = ["accuracy", "latency_ms", "energy_uj", "mean_time_steps", "mean_layers"]
    for exits in (["off"], ["off", "on"]):
        plan = plan_of(objectives__names=names, space__time_exits=exits)
        assert plan.box["mean_time_steps"] == (0.5, 12)  # 1 to 6, and twice as far
        assert 0 < plan.box["latency_ms"][0] < plan.box["latency_ms"][1]


@pytest.mark.parametrize(
    ("names", "best_by", "warned"),
    [
        (["balanced_accuracy", "area_mm2"], "accuracy", True),
        (["balanced_accuracy", "area_mm2"], "balanced_accuracy", False),
        (["accuracy", "balanced_accuracy"], "accuracy", False),
        (["accuracy", "area_mm2"], "accuracy", False),
    ],
)
def test_training_for_another_accuracy_than_the_objective_is_said(names, best_by, warned, caplog):
    caplog.set_level("WARNING", logger="evo_snn")
    plan = plan_of(objectives__names=names, training__best_by=best_by)
    assert ("training.best_by" in caplog.text) == warned
    assert set(plan.box) == set(names)


def test_the_box_of_accuracies_is_from_chance_to_one():
    plan = plan_of(objectives__names=["balanced_accuracy", "kappa"])
    assert plan.box == {"balanced_accuracy": (1.0, 0.1), "kappa": (1.0, 0.0)}


def test_the_box_of_training_costs_reaches_from_the_lowest_rung_to_the_highest():
    names = ["training_operations", "training_energy_j"]
    plain = plan_of(objectives__names=names).box
    ladder = plan_of(objectives__names=names, ladder__rungs=3, training__steps=60).box
    for name in names:
        assert 0 < plain[name][0] < plain[name][1]
        assert ladder[name][0] == pytest.approx(plain[name][0] / 4)  # 15 of 60 steps
        assert ladder[name][1] == plain[name][1]


def test_a_training_machine_is_checked_and_taken_over():
    plan = plan_of(training_machine__name="gpu_nvidia_a100", training_machine__mac_pj=50)
    assert plan.settings.machine["mac_pj"] == 50
    with pytest.raises(RequestError, match=r"training_machine\.name"):
        plan_of(training_machine__name="abacus")
    with pytest.raises(RequestError, match=r"training_machine\.mac_pj"):
        plan_of(training_machine__mac_pj=-1)
