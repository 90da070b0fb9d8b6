import importlib.util
import sys
from pathlib import Path

import pytest

from hardware import load_chip

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def faces():
    specification = importlib.util.spec_from_file_location(
        "neurosim_faces", ROOT / "runs" / "benchmarks" / "neurosim_faces.py"
    )
    module = importlib.util.module_from_spec(specification)
    sys.modules["neurosim_faces"] = module  # dataclasses look their module up
    yield specification.loader.exec_module(module) or module
    del sys.modules["neurosim_faces"]


def test_every_quirk_of_the_page_is_a_switch(faces):
    compatible, clean = load_chip("neurosim_compat").values, load_chip("rram_neurosim_22nm").values
    page = (ROOT / "docs" / "neurosim.md").read_text()
    listed = {
        line.split("`")[1]
        for line in page.partition("## The switches")[2].splitlines()
        if line.startswith("| `")
    }

    differing = {name for name in listed if compatible[name] != clean[name]}
    assert set(faces.switches()) == differing


def test_networks_are_of_4_to_12_layers_and_alike_for_a_seed(faces):
    setting = faces.SETTINGS[1]
    found = faces.networks(30, setting)

    assert found == faces.networks(30, setting)
    assert all(4 <= len(one.layers) <= 12 for one in found)
    assert {one.layers[0].kind for one in found} == {"conv1d", "conv2d"}


def test_all_switches_at_once_are_the_clean_chip(faces):
    setting = faces.SETTINGS[0]
    same = {name: load_chip("rram_neurosim_22nm").values[name] for name in faces.switches()}
    chip = faces.chips(setting)["all"]

    assert {name: chip.values[name] for name in same} == same
    assert chip.values["crossbar_rows"] == 128


def test_a_switch_that_nothing_meets_changes_nothing(faces):
    found = faces.compare(faces.SETTINGS[0], 12)

    for values in found["mux_decoder"].values():
        assert values == pytest.approx((1.0, 1.0, 1.0))
    assert found["all"]["area_mm2"][2] != 1.0
    text = faces.table(found)
    assert text.count("\n") == len(faces.switches()) + 2
    assert "| `mux_decoder` | = | = | = |" in text
