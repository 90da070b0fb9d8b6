"""The study of inheritance: steps to a goal, ratios of them, memory of what was trained."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "runs" / "benchmarks"


@pytest.fixture(scope="module")
def load():
    """Import a module of the benchmarks, as a script beside it would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield import_module


def test_a_goal_is_reached_between_checkpoints_on_a_scale_of_ratios(load):
    reached = load("inheritance_curves").reached
    steps, volumes = np.array([100.0, 400.0, 1600.0]), np.array([0.2, 0.4, 0.8])

    assert reached(steps, volumes, 0.3) == pytest.approx(200)
    assert reached(steps, volumes, 0.6) == pytest.approx(800)
    assert reached(steps, volumes, 0.1) == 100
    assert reached(steps, volumes, 0.9) == np.inf


def curves(factor, arms=("none, 20", "other, 5"), seeds=6):
    """An arm that is ``factor`` times as fast as another one, with seeds that differ."""
    steps = np.geomspace(100, 12_800, 22)
    rows = []
    for arm, fast in zip(arms, (1.0, factor), strict=True):
        for seed in range(seeds):
            volumes = 0.3 + 0.1 * np.log10(fast * steps * (1 + 0.1 * seed))
            rows += [
                {"arm": arm, "seed": seed, "steps": s, "hypervolume": v}
                for s, v in zip(steps, volumes, strict=True)
            ]
    return pd.DataFrame(rows)


CHOSEN = {"none, best in the end": "none, 20", "none, soonest": "none, 20"}


@pytest.mark.parametrize("factor", [0.97, 1.0, 2.0, 4.0])
def test_an_arm_that_is_some_times_faster_is_said_to_be(load, factor):
    table = load("inheritance_curves").speed_ups(curves(factor), CHOSEN)
    other = table[(table["arm"] == "other, 5") & (table["goal"] == 0.95)].iloc[0]

    for ratio in ("ratio", "mean", "low", "high", "ratio_of_curves"):
        assert other[ratio] == pytest.approx(factor, rel=1e-6)
    assert other["missed"] == 0


def test_an_arm_that_misses_a_goal_in_some_seeds_has_no_interval(load):
    table = curves(4.0)
    table.loc[(table["arm"] == "other, 5") & (table["seed"] == 2), "hypervolume"] = 0.1
    row = load("inheritance_curves").speed_ups(table, CHOSEN).query("arm == 'other, 5'").iloc[1]

    assert row["missed"] == 1
    assert row["ratio"] == pytest.approx(4)  # the median of 0 and five times 4
    assert np.isnan(row[["mean", "low", "high"]].to_numpy(dtype=float)).all()


def test_an_arm_that_never_arrives_needs_infinitely_many_steps(load):
    table = curves(1.0)
    table.loc[table["arm"] == "other, 5", "hypervolume"] = 0.1
    row = load("inheritance_curves").speed_ups(table, CHOSEN).query("arm == 'other, 5'").iloc[0]

    assert row["missed"] == 6
    assert np.isinf(row["steps"])
    assert row["ratio"] == row["ratio_of_curves"] == 0


def test_intervals_are_students_of_the_logarithms(load):
    # logarithms 0, 1, 2: mean 1, standard error 1 / sqrt(3), t of 2 degrees 4.3027
    found = load("inheritance_curves")._interval(np.exp([0.0, 1.0, 2.0]))

    assert found["mean"] == pytest.approx(np.e)
    assert found["low"] == pytest.approx(np.exp(1 - 4.3027 / 3**0.5), rel=1e-4)
    assert found["high"] == pytest.approx(np.exp(1 + 4.3027 / 3**0.5), rel=1e-4)


def test_tuning_takes_the_best_end_for_the_goal_and_the_soonest_of_each_strategy(load):
    slow_but_good = curves(1.0, ("none, 40", "none, 5"))
    # without inheritance 5 steps are far sooner, but end a little lower
    early = slow_but_good["arm"] == "none, 5"
    slow_but_good.loc[early, "hypervolume"] = 0.97 * slow_but_good["hypervolume"].max()
    table = pd.concat([slow_but_good, curves(2.0, ("parents, 40", "parents, 5"))])

    assert load("inheritance_curves").chosen_arms(table) == {
        "none, best in the end": "none, 40",
        "none, soonest": "none, 5",
        "parents, soonest": "parents, 5",
    }


def test_the_grid_is_the_same_for_all_strategies_and_the_default_has_no_overrides(load):
    study = load("inheritance_study")
    settings = {}
    for arm, overrides in study.grid().items():
        values = {k: v for k, v in overrides.items() if k != "inheritance.strategy"}
        settings.setdefault(overrides["inheritance.strategy"], []).append(values)
        assert arm.startswith(overrides["inheritance.strategy"])

    assert set(settings) == set(study.STRATEGIES)
    assert all(values == settings["none"] for values in settings.values())
    assert study.ARMS[study.DEFAULT] == {}
    assert study.FIRST_SEED["tune"] > study.FIRST_SEED["report"] + 100


def test_ranks_agree_with_the_judge_over_all_and_over_the_better_half(load):
    module = load("fitness_rank")
    judge = np.arange(20.0)
    worse_half = np.where(judge < 10, -judge, judge)  # wrong about the worse half alone
    table = pd.DataFrame({module.JUDGE: judge, "same": judge, "half": worse_half, "not": -judge})
    taus = module.agreement(table, ("same", "half", "not")).set_index(["ranking", "of"])["tau"]

    right = [("same", "all"), ("same", "better half"), ("half", "better half")]
    assert [taus[each] for each in right] == pytest.approx([1, 1, 1])
    assert taus["not"].tolist() == pytest.approx([-1, -1])
    # of 190 pairs the 45 of the worse half stand the wrong way round
    assert taus["half", "all"] == pytest.approx((190 - 2 * 45) / 190)


def test_a_torn_line_is_passed_over_and_trained_again(load, tmp_path):
    tasks = load("study_tasks")
    path = tmp_path / "trained.jsonl"
    tasks.add_row(path, {"task": "digits", "key": "a", "seed": 0, "test": 0.5})
    tasks.add_row(path, {"task": "cifar10", "key": "a", "seed": 0, "test": 0.25})
    with path.open("a") as file:
        file.write(json.dumps({"task": "digits", "key": "b", "seed": 0})[:-4])

    assert tasks.judged("digits", path).keys() == {("a", 0)}
    assert tasks.judged("cifar10", path)["a", 0]["test"] == 0.25


def test_images_are_halved_and_classes_balanced(load):
    module = load("small_cifar10")
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)

    halved = module.halved(image)
    assert halved.shape == (1, 3, 2, 2)
    assert halved[0, 0].tolist() == [[2, 4], [10, 12]]  # 2.5, 4.5, 10.5, 12.5 to even
    chosen = module.balanced(np.array([0, 0, 0, 1, 1, 0, 1]), 4)
    assert chosen.tolist() == [0, 1, 3, 4]


@given(values=st.lists(st.floats(0.1, 0.9), min_size=2, max_size=12))
def test_what_is_reached_is_never_before_the_first_checkpoint(load, values):
    steps = np.geomspace(10, 1000, len(values))
    reached = load("inheritance_curves").reached(steps, np.array(values), values[-1])

    assert 10 <= reached <= 1000
