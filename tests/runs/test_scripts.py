"""The scripts of `runs/` as a person runs them: from another folder, with a small configuration."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evo_snn.config_file import load_config, to_toml
from evo_snn.objectives import chosen_metrics
from evo_snn.run import open_run
from evo_snn.testing import check_objective

RUNS = Path(__file__).parents[2] / "runs"
SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"

SMALL = {"search.population": 4, "search.generations": 2, "training.steps": 2, "workers.jobs": 1}


def small_copy(folder, script):
    """A script beside a small configuration of the digits, in a folder of its own."""
    folder.mkdir()
    (folder / script).write_bytes((RUNS / script).read_bytes())
    (folder / "digits.toml").write_text(to_toml(load_config(RUNS / "digits.toml", SMALL)))
    return folder / script


def test_the_custom_objective_searches_and_tells_what_is_lost(tmp_path):
    script = small_copy(tmp_path / "scripts", "custom_objective.py")

    result = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header.split()[:4] == ["key", "accuracy", "lost", "accuracy_with_variation"]
    assert rows
    for row in rows:
        _, accuracy, lost, left = row.split()[:4]
        assert float(accuracy) - float(lost) == pytest.approx(float(left), abs=1e-5)


def test_the_custom_objective_keeps_the_contract():
    (metric,) = chosen_metrics(["accuracy_with_variation"], [RUNS / "custom_objective.py"])
    check_objective(metric.function, candidates=4)


def test_the_custom_objective_writes_cells_as_it_says():
    (metric,) = chosen_metrics(["accuracy_with_variation"], [RUNS / "custom_objective.py"])
    as_written = metric.function.__globals__["as_written"]
    levels = torch.tensor([0, 1, -6, 127, -128]).repeat(20_000, 1)
    written = as_written(levels, torch.Generator().manual_seed(0))
    assert (written[:, 0] == 0).all()  # no cell of a zero is on
    expected = levels[0].float()
    expected[4] = 0  # its eighth bit has no cell, and weights never need it: they are symmetric
    assert torch.allclose(written.mean(0), expected, atol=0.5)
    # A weight's error: that of its cells that are on, each worth a power of two.
    variances = 0.3**2 * torch.tensor([0, 1, 4 + 16, (4**7 - 1) / 3, 0])
    assert torch.allclose(written.var(0), variances, rtol=0.05)


def test_evolve_digits_prints_the_front_and_draws_it(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = small_copy(tmp_path / "scripts", "evolve_digits.py")

    result = subprocess.run(
        [sys.executable, str(script)], cwd=elsewhere, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    figures = [Path(line) for line in lines if line.endswith(".png")]
    assert figures
    assert all((elsewhere / figure).is_file() for figure in figures)
    assert {"key", "accuracy", "area_mm2", "energy_uj", "latency_ms"} <= set(lines[0].split())
    folder = (elsewhere / figures[0]).parents[1]
    front = open_run(folder).front()
    assert [line.split()[0] for line in lines[1 : len(front) + 1]] == list(front["key"])


@pytest.mark.skipif(
    not (SHARED_DATA / "cifar10_10k2k.npz").exists(),
    reason="the material beside the checkout (shared/data) is absent",
)
def test_the_cifar_configuration_runs(tmp_path):
    import evo_snn

    settings = {**SMALL, "data.path": SHARED_DATA / "cifar10_10k2k.npz", "search.population": 2}
    settings["space.widths"] = [4, 8]

    run = evo_snn.evolve(RUNS / "cifar10.toml", tmp_path / "run", overrides=settings)

    assert list(run.generations()["generation"]) == [0, 1]
    assert (run.candidates()["state"] == "ok").any()
    assert run.config.data.path == SHARED_DATA / "cifar10_10k2k.npz"
