import importlib.util
import random
from pathlib import Path

import pytest

from evo_snn.config_file import load_config, to_toml
from evo_snn.search import evolve, resume

PATH = Path(__file__).parents[2] / "runs" / "benchmarks" / "kill_and_resume.py"


@pytest.fixture(scope="module")
def drill():
    specification = importlib.util.spec_from_file_location("kill_and_resume", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_killed_driver_and_a_killed_worker_change_nothing(drill, tmp_path):
    config = tmp_path / "config.toml"
    # steps enough that a search is still at work when something is to be killed in it
    settings = {"search.generations": 3, "training.steps": 150}
    config.write_text(to_toml(load_config(drill.SMALL, settings)))
    alone = {"workers.backend": "sequential"}
    evolve(config, tmp_path / "alone", overrides=alone)
    expected = drill.contents(tmp_path / "alone")
    rng = random.Random(1)  # noqa: S311 - moments, not secrets

    stored = drill.killed_drivers(config, tmp_path / "driver", 2, rng)
    assert 0 <= stored[0] < stored[1] < len(expected[0])  # the second died at work
    resume(tmp_path / "driver", overrides=alone)
    assert drill.contents(tmp_path / "driver") == expected

    assert drill.killed_workers(config, tmp_path / "workers", 1, rng) == 1
    assert drill.contents(tmp_path / "workers") == expected


def test_a_difference_is_seen(drill, tmp_path):
    settings = {"search.generations": 1, "workers.backend": "sequential", "training.steps": 1}
    evolve(drill.SMALL, tmp_path / "one", overrides=settings)
    evolve(drill.SMALL, tmp_path / "other", overrides=settings, seed=4)

    assert drill.contents(tmp_path / "one") == drill.contents(tmp_path / "one")
    assert drill.contents(tmp_path / "one") != drill.contents(tmp_path / "other")
