"""The table of linear models: fitted on a configuration's own splits."""

import runpy
from pathlib import Path

import pytest

RUNS = Path(__file__).parents[2] / "runs"


def test_every_model_has_a_row_and_is_far_above_chance(monkeypatch, capsys):
    script = RUNS / "benchmarks" / "linear_baselines.py"
    monkeypatch.setattr("sys.argv", [str(script), str(RUNS / "digits.toml")])

    runpy.run_path(str(script), run_name="__main__")

    first, _, _, *rows = capsys.readouterr().out.splitlines()
    assert first == "1151 for training, 287, test 359"
    parts = [row.strip("| ").split(" | ") for row in rows]
    cells = {name: [float(one) for one in figures] for name, *figures in parts}
    assert set(cells) == {"LR", "1-NN", "5-NN"}  # 64 inputs: no components
    assert all(min(figures) > 0.9 for figures in cells.values())
    nearest = cells["1-NN"]
    assert nearest[0] == pytest.approx(nearest[1], abs=0.02)  # classes are of about equal size
