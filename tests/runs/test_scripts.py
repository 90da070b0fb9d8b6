"""The scripts of `runs/` as a person runs them: from another folder, with a small configuration."""

import subprocess
import sys
from pathlib import Path

import pytest

from evo_snn.config import load_config, to_toml
from evo_snn.run import open_run

RUNS = Path(__file__).parents[2] / "runs"
SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"

SMALL = {"search.population": 4, "search.generations": 2, "training.steps": 2, "workers.jobs": 1}


def test_evolve_digits_prints_the_front_and_draws_it(tmp_path):
    scripts, elsewhere = tmp_path / "scripts", tmp_path / "elsewhere"
    scripts.mkdir()
    elsewhere.mkdir()
    script = scripts / "evolve_digits.py"
    script.write_bytes((RUNS / "evolve_digits.py").read_bytes())
    small = to_toml(load_config(RUNS / "digits.toml", SMALL))
    (scripts / "digits.toml").write_text(small)

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
