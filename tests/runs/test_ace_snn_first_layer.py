"""The first layer digital or in memory: sizes of the network, and what is compared."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from hardware import estimate, load_chip

SCRIPT = Path(__file__).parents[2] / "runs" / "benchmarks" / "ace_snn_first_layer.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("ace_snn_first_layer", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def test_the_networks_have_the_published_sizes(script: ModuleType) -> None:
    # 200 bands, 5 x 5 pixels: 198 after 3 without padding, 99, 99, 50, 50, 26 (Ben Hamida 2018).
    layers = script.network(script.BASE).layers
    sizes = [layer.out_size for layer in layers[:-1]]
    assert sizes == [(198, 3, 3), (99, 3, 3), (99, 1, 1), (50, 1, 1), (50, 1, 1), (26, 1, 1)]
    assert [layer.kernel for layer in layers[:-1]] == [
        *[(3, 3, 3), (3, 1, 1), (3, 3, 3), (3, 1, 1), (3, 1, 1), (2, 1, 1)]
    ]
    assert layers[0].operations == 27 * 20 * 198 * 9
    assert (layers[-1].in_features, layers[-1].out_features) == (910, 16)
    hybrid = script.network(replace(script.BASE, hybrid=True)).layers
    assert (hybrid[2].kind, hybrid[2].rows) == ("conv2d", 20 * 99 * 9)


def test_only_the_products_of_the_first_layer_move(script: ModuleType) -> None:
    result = script.compare(script.BASE)
    chip = load_chip(script.BASE.digital)
    whole = estimate(script.network(script.BASE), chip)
    assert result.digital_uj == pytest.approx(whole.energy_uj, rel=1e-12)
    assert result.digital_ms == pytest.approx(whole.latency_ms, rel=1e-12)
    stays = result.digital_uj - result.products_digital_uj
    assert result.memory_uj == pytest.approx(stays + result.products_memory_uj, rel=1e-12)
    # 962,280 products on 168 units at 200 MHz.
    assert result.products_digital_ms == pytest.approx(5728 * 5e-6, rel=1e-12)
    energy, delay, product = result.changes
    assert product == pytest.approx((1 + energy) * (1 + delay) - 1, rel=1e-12)


def test_operations_alone_cost_what_papers_count(script: ModuleType) -> None:
    case = replace(script.BASE, digital_overrides=script.OPERATIONS | script.WIDE)
    # 3.1 + 0.1 pJ each; all but (1/2)^8 of the pixels are not zero; and leakage.
    expected = 962_280 * (1 - 0.5**8) * 3.2e-6
    assert script.compare(case).products_digital_uj == pytest.approx(expected, rel=1e-3)


def test_the_table_is_printed_beside_the_published_figures(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(tmp_path / "figures.json")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[2] == "| **ACE-SNN** (published) | | | -30% | -7% | -38% |"
    documented = (SCRIPT.parents[2] / "docs" / "ace_snn.md").read_text().splitlines()
    new = [line for line in lines if line not in documented]
    assert new == [], "the script's tables are not those of docs/ace_snn.md: paste them there"
    assert (tmp_path / "figures.json").is_file()
