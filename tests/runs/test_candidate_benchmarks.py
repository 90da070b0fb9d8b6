"""The benchmarks of whole candidates: what they cost, how many an hour, how much memory."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "runs" / "benchmarks"
SMALL = {
    "search.population": 4, "search.offspring": 2, "search.generations": 3, "training.steps": 3,
    "space.max_stages": 1, "space.widths": [4, 8],
}  # fmt: skip
TOLD = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmarks, as a script beside it would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module


def test_a_watch_gives_each_part_its_own_time(load, monkeypatch):
    module = load("candidate_cost")
    clock = iter([0.0, 1.0, 4.0, 5.0, 7.0, 10.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    watch = module.Watch(["outer", "inner"])
    inner = watch.around("inner", lambda x: x + 1)
    outer = watch.around("outer", lambda x: inner(inner(x)))

    assert outer(1) == 3
    # within from 1 to 4 and from 5 to 7
    assert watch.seconds == {"inner": 5.0, "outer": 5.0}


def test_watches_are_taken_off(load):
    module = load("candidate_cost")
    from evo_snn import training

    before = training.measure
    with module.watched({"look": ["evo_snn.training:measure"]}) as watch:
        assert training.measure is not before
        with pytest.raises(TypeError):
            training.measure()
    assert training.measure is before
    assert watch.seconds["look"] > 0


def test_the_parts_of_a_candidate(load, tmp_path, monkeypatch, capsys):
    module, out = load("candidate_cost"), tmp_path / "cost.json"
    monkeypatch.setattr("sys.argv", ["_", *TOLD, "--out", str(out)])
    module.main()

    found = json.loads(out.read_text())
    assert found["candidates"] == 8
    worker, driver = found["worker_milliseconds"], found["driver_milliseconds"]
    assert set(worker) == {*module.WORKER_PARTS, module.WAITING}
    assert set(driver) == set(module.DRIVER_PARTS)
    assert all(time > 0 for time in [*worker.values(), *driver.values()]), found
    waited, alone = module.fixed_cost(found)
    assert waited == pytest.approx(sum(worker.values()) - worker[module.STEPS])
    assert alone >= waited
    assert found["start_of_a_worker_seconds"] > 0
    assert "all but the gradient steps" in capsys.readouterr().out


def test_candidates_an_hour(load, tmp_path, monkeypatch):
    module, out = load("throughput"), tmp_path / "throughput.json"
    line = ["--rounds", "2", "--jobs", "1", *TOLD, "--set", "workers.backend=sequential"]
    monkeypatch.setattr("sys.argv", ["_", *line, "--out", str(out)])
    module.main()

    found = json.loads(out.read_text())
    for what in (module.WHOLE, module.LATER):
        assert found[what]["1"]["times"] == {"median": 1.0, "low": 1.0, "high": 1.0}
        assert all(100 < rate < 1e6 for rate in found[what]["1"]["hourly"])


def test_failures_do_not_count_as_candidates(load, monkeypatch):
    import evo_snn

    trainings = load("candidate_cost").trainings
    real = evo_snn.run.Run.candidates

    def with_failures(self):
        table = real(self)
        table.loc[0, "state"] = "failed"  # had a look before it failed
        table.loc[1, "accuracy"] = np.nan  # over a budget
        return table

    module = load("throughput")
    monkeypatch.setattr(evo_snn.run.Run, "candidates", with_failures)
    counted = []
    monkeypatch.setattr(
        module, "trainings", lambda run: counted.append(trainings(run)) or counted[-1]
    )
    module.hourly(1, 0, {**SMALL, "workers.backend": "sequential"})

    assert counted == [{0: 2, 1: 2, 2: 2}]


def test_memory_of_a_worker(load, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = {
        f"x_{part}": rng.integers(0, 256, (60, 8, 8, 3), np.uint8) for part in ("train", "test")
    }
    labels = {f"y_{part}": np.arange(60) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "images.npz", **images, **labels)
    module, out = load("memory"), tmp_path / "memory.json"
    monkeypatch.setattr(module, "growth", module._growth)  # in this process: quicker
    line = ["--data", str(tmp_path / "images.npz"), "--candidates", "5", "--designs", "2", *TOLD]
    monkeypatch.setattr("sys.argv", ["_", *line, "--out", str(out)])
    module.main()

    found = json.loads(out.read_text())
    assert len(found["growth"]["mb_after_each_pass"]) == 3
    assert found["peak"]["candidates"] == 8
    assert 100 < found["growth"]["mb_after_each_pass"][0] < 10_000
    assert 100 < found["peak"]["peak_mb"] < 10_000
    assert 0 < found["peak"]["largest_parameters"] < 1e5
