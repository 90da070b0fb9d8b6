"""A search on recordings: when they are decided, and what else reads their frames."""

import shutil

import numpy as np
import pytest

from evo_snn.costing import decision_latency_ms
from evo_snn.early_exits import exits
from evo_snn.full_training import train
from evo_snn.integrity import check
from evo_snn.precision import precision
from evo_snn.search import resume
from evo_snn.training import data_of
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.workload import Workload
from tests.evo_snn.searches import search

LENGTH_US = 80_000


def write_recordings(path, count=40):
    """Events all over time, at the left or at the right; each recording is 80 ms long."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "test"):
        y = np.arange(count) % 2
        x = rng.integers(0, 4, (count, 30)) + 4 * y[:, None]
        t = rng.integers(0, LENGTH_US, (count, 30))
        t[:, 0], t[:, 1] = 0, LENGTH_US - 1
        found = {"x": x, "y": rng.integers(0, 8, x.shape), "p": x % 2, "t_us": t}
        arrays |= {f"{part}_{name}": values.ravel() for name, values in found.items()}
        arrays[f"{part}_offsets"] = 30 * np.arange(count + 1)
        arrays[f"y_{part}"] = y
    np.savez(path, **arrays)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder / "events.npz")
    return search(
        folder / "run",
        data={
            "name": "events_npz",
            "path": str(folder / "events.npz"),
            "options": {"rows": 8, "columns": 8, "frames": 4},
        },
        space={
            "max_stages": 1, "max_blocks": 1, "widths": [4], "weight_bits": [4],
            "time_steps": [2, 4], "time_exits": ["off", "on"], "exit_confidences": [0.55],
        },
        search__generations=2,
        training__steps=10,
        weights__keep="all",
        objectives__names=["accuracy", "decision_latency_ms"],
        constraints={"decision_latency_ms": 1000},
    )  # fmt: skip


def designs(run):
    found = [run.candidate(key) for key in run.candidates()["key"]]
    return [(one, Architecture.from_description(one.architecture)) for one in found]


def test_recordings_are_decided_when_enough_of_them_is_there(run):
    assert data_of(run).recording_ms == LENGTH_US / 1000
    early = 0
    for candidate, architecture in designs(run):
        assert candidate.state == "ok"
        workload = Workload.model_validate(candidate.workload)
        found = candidate.metrics["decision_latency_ms"]
        assert found == decision_latency_ms(workload, run.chip, 80)
        share = workload.steps / architecture.time_steps
        assert found == pytest.approx(80 * share, abs=1)  # the chip adds less than 1 ms
        early += share < 1
    assert early > 0
    assert run.hypervolume_box["decision_latency_ms"][0] > 0


def test_frames_are_read_in_any_number_of_steps(run):
    candidate, architecture = next(one for one in designs(run) if one[1].time_steps == 4)
    found = precision(run, candidate.key, [1, 3, 4, 6], [4])
    cells = found.cells.set_index("time_steps")
    for name in ("accuracy", "energy_uj", "latency_ms"):
        assert cells[name][4] == pytest.approx(candidate.metrics[name], rel=1e-6)
    assert found.own == (architecture.time_steps, 4)
    assert cells["latency_ms"][1] < cells["latency_ms"][6]
    assert {1, 2, 8} <= {*precision(run, candidate.key, bits=[4]).cells["time_steps"]}


def test_other_parts_of_the_program_read_frames(run):
    candidate, _ = next(one for one in designs(run) if one[1].exit is not None)
    assert len(exits(run, candidate.key, [0.6, 1.0]).rows) == 2
    row = train(run, [candidate.key], epochs=1).iloc[0]
    assert 1 <= row["test_mean_time_steps"] <= 4
    with pytest.raises(RequestError, match="from_cnn: got 'a network with 4 frames a sample'"):
        train(run, [candidate.key], epochs=1, from_cnn=True)


def test_a_run_on_recordings_is_whole_and_goes_on(run, tmp_path):
    """Their number of frames is part of what keys are made of."""
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)

    assert check(copy).problems == ()
    assert resume(copy, generations=3).folder == copy
    assert check(copy).problems == ()
