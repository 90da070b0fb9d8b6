"""The benchmarks of networks on a chip: what they measure, not how fast it is."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(name):
    specification = importlib.util.spec_from_file_location(
        name, ROOT / "runs" / "benchmarks" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wires():
    return load("wire_resistance")


def test_columns_are_within_one_percent_of_the_mesh(wires, monkeypatch):
    monkeypatch.setattr(wires, "SIZES", (64,))
    rows = wires.column_errors()
    assert len(rows) == 4
    assert rows[0]["plain_mean"] == pytest.approx(0.04456138991807906, rel=1e-9)
    for row in rows:
        assert row["attenuated_mean"] < 0.01 < row["plain_mean"] * 2
        assert row["attenuated_mean"] <= row["attenuated_largest"] < row["plain_largest"]


def test_signed_columns_are_one_pair_a_weight(wires):
    conductance = wires.signed(np.random.default_rng(0), 8, 1e5) * 1e5
    assert conductance.min() == pytest.approx(0.1)
    assert conductance.max() <= 1
    lower = np.minimum(conductance[:, 0::2], conductance[:, 1::2])
    assert lower == pytest.approx(np.full((8, 4), 0.1))
    assert wires.difference(np.array([5.0, 2.0, 1.0, 4.0])).tolist() == [3, -3]


def test_steps_are_levels_of_a_full_range(wires, monkeypatch):
    monkeypatch.setattr(wires, "SIZES", (16,))
    monkeypatch.setattr(wires, "ON_OHM", (2e4,))
    for row in wires.differential_errors():
        for kind in ("plain", "attenuated", "typical"):
            # 16 rows of cells of 16 levels: sums up to 240, in 255 steps
            assert row[f"{kind}_steps"] == pytest.approx(row[f"{kind}_levels"] / (240 / 255))


def test_a_cost_is_the_median_of_paired_ratios(monkeypatch):
    module = load("on_chip_cost")
    times = iter([1.0, 9.0] * 4 + [1.0, 8.0] * 4 + [2.0, 12.0] * 4 + [1.0, 9.0] * 4)
    monkeypatch.setattr(module, "seconds", lambda _call: next(times))
    x, y = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long)
    assert module.cost(0, 3, x, y) == dict.fromkeys(module.CASES, 8.0)


def test_an_evaluation_is_an_accuracy():
    module = load("on_chip_cost")
    scores = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    accuracy = module.evaluate(lambda x: scores, torch.rand(3), torch.tensor([1, 0, 0]))
    assert accuracy == pytest.approx(2 / 3)


def test_both_paths_are_measured_on_the_same_instances():
    module = load("on_chip_paths")
    network = module.deploy(module.build(module.architecture((1, 8, 8), 10), 0))
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(20, 1, 8, 8, generator=generator), torch.arange(20) % 10
    samples = module.on_device(SimpleNamespace(x=x.numpy(), y=y.numpy()), "cpu")
    own = module.measure(network, samples).accuracy
    for _, changes, values, seconds, calibrated in module.CASES[::4] + module.CASES[-2:]:
        chip, conditions = module.load_chip("rram_32nm", changes), module.Conditions(**values)
        calibration = x if calibrated else None
        for path in ("fast", "exact"):
            found = module.accuracies(
                network, chip, conditions, path, seconds, calibration, samples, 2
            )
            assert len(found) == 2
            if not values and (path == "fast" or not changes):
                assert found == [own, own]
