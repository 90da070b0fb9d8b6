import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validation():
    specification = importlib.util.spec_from_file_location(
        "neurosim_validation", ROOT / "runs" / "benchmarks" / "neurosim_validation.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_table_and_the_figure_are_of_all_cases(validation):
    data = validation.DATA
    found = validation.compared(data / "neurosim.json", data / "spikesim.json")

    counts = found.groupby("simulator").size() / 3
    assert counts["NeuroSim V1.4"] == len(validation.cases(data / "neurosim.json")) == 17
    assert counts["SpikeSim"] == len(validation.cases(data / "spikesim.json"))
    assert set(found["kind"]) == {"RRAM", "SRAM", "pipelined"}
    text = validation.summary(found)
    assert text.count("\n") == 1 + 6
    axes = validation.draw(found).axes
    assert len(axes) == 6
    # one point a case
    points = [sum(len(dots.get_offsets()) for dots in ax.collections) for ax in axes]
    assert points[:3] == [17, 17, 17]
