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


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0])
def test_an_arm_that_is_some_times_faster_is_said_to_be(load, factor):
    table = load("inheritance_curves").speed_ups(curves(factor))
    other = table[(table["arm"] == "other, 5") & (table["goal"] == 0.95)].iloc[0]

    # an arm that misses a goal counts with all its steps
    assert other["ratio"] == pytest.approx(factor, rel=1e-6)
    assert other["ratio_of_curves"] == pytest.approx(factor, rel=1e-6)
    assert other["low"] <= other["ratio"] * (1 + 1e-9)
    assert other["high"] >= other["ratio"] * (1 - 1e-9)


def test_the_baseline_is_the_best_without_inheritance(load):
    module = load("inheritance_curves")
    table = pd.concat([curves(2.0, ("none, 20", "none, 10")), curves(9.0, ("other", "parents"))])

    assert module.best_baseline(table) == "none, 10"
    itself = module.speed_ups(table).query("arm == 'none, 10'")
    assert np.allclose(itself[["ratio", "low", "high", "ratio_of_curves"]], 1)


def test_an_arm_that_never_arrives_counts_with_all_its_steps(load):
    table = curves(1.0)
    table.loc[table["arm"] == "other, 5", "hypervolume"] = 0.1
    row = load("inheritance_curves").speed_ups(table).query("arm == 'other, 5' and goal == 0.9")

    assert int(row["missed"].iloc[0]) == 6
    assert row["steps"].iloc[0] == pytest.approx(12_800)


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
