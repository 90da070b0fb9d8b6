import importlib.util
from pathlib import Path

import pytest

from evo_snn.config_file import load_config, to_toml
from tests.evo_snn.searches import TINY

SCRIPT = Path(__file__).parents[2] / "runs" / "benchmarks" / "compare_baselines.py"

SETTINGS = {
    "search.population": 2,
    "search.generations": 1,
    "scoring.samples": 32,
    "scoring.batches": 2,
    "constraints.parameters": 4000,
}


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("compare_baselines", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_as_many_are_scored_as_the_same_work_allows(script):
    # 6 + 3 * 4 candidates, all but one for scoring: 17 * 4 * 32 samples there and back
    config = load_config(TINY, {"scoring.samples": 32, "scoring.batches": 2})
    assert script.scored_instead(config) == 17 * 4 * 32 * 3 // 64


@pytest.mark.parametrize(("arm", "candidates", "trained"), [("nsga2", 2, 2), ("neuronas", 6, 1)])
def test_an_arm_ends_with_a_design_that_is_trained_fully(
    script, tmp_path, arm, candidates, trained
):
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(load_config(TINY)))
    row = script.measured(path, arm, 1, 1, SETTINGS)
    assert (row["arm"], row["candidates"], row["trained"]) == (arm, candidates, trained)
    assert row["parameters"] <= 4000
    assert 0 <= row["test_accuracy"] <= 1
