import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench():
    specification = importlib.util.spec_from_file_location(
        "bench", ROOT / "runs" / "benchmarks" / "bench.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_trained_network_does_not_follow_the_spaces_defaults(bench):
    architecture = bench.fixed_architecture()

    assert architecture.time_steps == 4
    assert [layer.weight_shape for layer in architecture.layers] == [
        (16, 1, 3, 3),
        (16, 16, 3, 3),
        (10, 16, 2, 2),
    ]


def test_speeds_are_medians_and_paired_ratios(bench, monkeypatch):
    # The first of three rounds is the warm-up; in each, the calibration comes first.
    times = iter([9.0, 9.0, 9.0, 2.0, 1.0, 4.0, 4.0, 3.0, 4.0])
    monkeypatch.setattr(bench, "seconds", lambda _call: next(times))
    subjects = [bench.Subject("a", "x/s", 10, int), bench.Subject("b", "y/s", 6, int)]

    first, second = bench.measure(subjects, rounds=2)

    assert (first["median"], first["calibrations"]) == (10 / 2, (1 / 2 + 3 / 4) / 2)
    assert (second["median"], second["calibrations"]) == (6 / 4, (4 / 2 + 4 / 4) / 2)
    assert second["seconds"] == [4.0, 4.0]


def test_what_is_timed_runs(bench):
    costs = bench.costing().call()
    assert len(costs["area_mm2"]) == bench.BATCH
    assert len(set(costs["energy_uj"])) > bench.BATCH / 2
    for subject in bench.costing_deep():
        subject.call()
    bench.training().call()
    assert bench.seconds(bench.calibration()) > 0


def test_deep_networks_are_different_ones_of_twelve_layers(bench):
    found = bench.deep_networks(5)

    assert [len(network.layers) for network in found] == [12] * 5
    assert found == bench.deep_networks(5)
    assert len({network.to_json() for network in found}) == 5
    # 32 x 32, pooled three times
    assert found[0].layers[-2].in_size == (4, 4)
    assert len({layer.input_rate for layer in found[0].layers}) == 12
