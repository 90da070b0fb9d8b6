import importlib.util
from pathlib import Path

import pytest

import evo_snn
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.config_file import load_config, to_toml
from evo_snn.run import HYPERVOLUME_BOX, open_run
from evo_snn.store import Store

SCRIPT = Path(__file__).parents[2] / "runs" / "benchmarks" / "compare_searches.py"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("compare_searches", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_steps_are_those_that_were_trained_whatever_came_of_them(script, monkeypatch):
    def evolve(_config, folder, **_options):
        with Store.create(
            folder,
            config_toml=to_toml(load_config(script.CONFIG)),
            environment={},
            space={},
            objectives=[ObjectiveRecord("accuracy", maximise=True)],
            constraints={},
        ) as store:
            for key, state, steps in (
                ("aa", "ok", 60),
                ("bb", "infeasible", 60),  # too inaccurate, once it was trained
                ("cc", "infeasible", 0),
                ("dd", "failed", 0),
                ("ee", "failed", 0),
            ):
                metrics = {"accuracy": 0.5} if steps else {}
                trained = {"training_steps": steps, "trained": bool(steps), "metrics": metrics}
                store.record(Candidate(key, (0,), (), 0, state, **trained))
            store.record_generation(0, ["aa", "bb", "cc", "dd", "ee"], 0.25, 1.0)
            store.set_meta(HYPERVOLUME_BOX, {"accuracy": [1.0, 0.0]})
        return open_run(folder)

    monkeypatch.setattr(evo_snn, "evolve", evolve)

    row = script.measured("random", 3, {})

    assert (row["training_steps"], row["evaluations"]) == (120, [5])
    assert (row["arm"], row["seed"], row["hypervolume"]) == ("random", 3, [0.25])
