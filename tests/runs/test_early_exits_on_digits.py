"""The study of exits on digits: the same layers with each kind of exit, and what it prints."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

PATH = Path(__file__).parents[2] / "runs" / "benchmarks" / "early_exits_on_digits.py"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("early_exits_on_digits", PATH)
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PATH.parent))
        specification.loader.exec_module(module)
    return module


def test_the_cases_are_the_same_layers(script):
    none, in_time, in_depth = (script.architecture(one) for one in script.CASES.values())
    assert none.exit is None
    assert in_time.layers == none.layers
    assert (in_time.exit.kind, in_depth.exit.kind) == ("time", "depth")
    own = [layer for layer in in_depth.layers if not layer.name.startswith("exit")]
    assert own == list(none.layers)


def test_a_table_of_means_and_errors(script):
    rows = pd.DataFrame(
        [
            {"exit": "in time", "seed": seed, "confidence": confidence, "accuracy": accuracy,
             "mean_time_steps": steps, "mean_layers": 4.0, "energy_uj": steps / 2,
             "latency_ms": 1 + steps}
            for seed, confidence, accuracy, steps in (
                (0, 0.5, 0.8, 1.0), (1, 0.5, 0.9, 2.0), (0, 1.0, 0.9, 6.0), (1, 1.0, 0.9, 6.0)
            )
        ]
    )  # fmt: skip
    assert script.table(rows).splitlines()[2:] == [
        "| in time | 0.5 | 0.850 ± 0.050 | 1.50 | 4.00 | 25 % | 36 % |",
        "| in time | 1 | 0.900 ± 0.000 | 6.00 | 4.00 | 100 % | 100 % |",
    ]


def test_a_short_run_prints_and_draws(script, monkeypatch, capsys, tmp_path):
    picture = tmp_path / "exits.png"
    monkeypatch.setattr(script, "CASES", {"in time": {"time_exits": ["on"]}})
    line = ["early_exits_on_digits.py", str(picture), "--epochs", "1", "--seeds", "1"]
    monkeypatch.setattr("sys.argv", line)
    script.main()
    rows = [one.strip("| ").split(" | ") for one in capsys.readouterr().out.splitlines()[2:]]
    assert [float(row[1]) for row in rows] == list(script.CONFIDENCES)
    steps = [float(row[3]) for row in rows]
    assert steps == sorted(steps)
    assert steps[-1] == 6
    assert picture.read_bytes().startswith(b"\x89PNG")
