"""The study of searches for accuracy on chips: small, and what its tables say."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SMALL = [
    "search.population=4", "search.offspring=2", "search.generations=1", "training.steps=2",
    "space.max_stages=1", "space.widths=[4, 8]", "on_chip.instances=2", "workers.jobs=1",
    "workers.backend=sequential",
]  # fmt: skip


def load(name):
    path = ROOT / "runs" / "benchmarks" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study():
    return load("on_chip_study")


def test_a_small_study_ends_in_tables_and_a_figure(study, tmp_path, monkeypatch, capsys):
    settings = [text for one in SMALL for text in ("--set", one)]
    line = ["--seeds", "1", "--instances", "2", "--out", str(tmp_path), *settings]
    monkeypatch.setattr("sys.argv", ["on_chip_study.py", *line])
    study.main()
    table = pd.read_csv(tmp_path / "designs.csv")
    assert set(table["arm"]) == set(study.STUDY)
    assert set(table["chips"]) == set(study.FAULTS)
    assert (table["worst"] <= table["mean"] + 1e-12).all()
    plain = table[table["arm"] == "plain accuracy"]
    assert plain["chip.adc_levels"].isna().all()
    assert plain["chip.crossbar_size"].notna().all()
    assert (tmp_path / "on_chip_study.png").stat().st_size > 10_000
    shares = pd.read_csv(tmp_path / "choices.csv").groupby(["arm", "gene"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)
    searches = [f.stat().st_mtime_ns for f in sorted(tmp_path.glob("*/0/weights/*"))]
    study.main()  # goes on where it ended: nothing is searched again
    assert [f.stat().st_mtime_ns for f in sorted(tmp_path.glob("*/0/weights/*"))] == searches
    assert "plain accuracy, seed 0" in capsys.readouterr().out
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "designs.csv"), table)


def test_a_design_is_chosen_by_validation_and_told_by_test(study):
    rows = [("a", 0.9, 0.5, 1.0), ("b", 0.8, 0.7, 2.0), ("c", 0.95, 0.6, 4.0)]
    table = pd.DataFrame(
        {
            "arm": "x", "seed": 0, "key": key, "chips": "1 % faults", "validation": validation,
            "accuracy": 1.0, "mean": mean, "worst": mean, "energy_uj": energy, "area_mm2": 1.0,
        }
        for key, validation, mean, energy in rows
    )  # fmt: skip
    found = study.summary(table, (0.5, 1.0))
    assert list(found["budget_uj"]) == [2.0, 4.0]
    assert list(found["mean"]) == [0.5, 0.6]


def test_faults_are_half_on_and_half_off(study):
    assert study.conditions(0.1) == {"variation": 0.1, "stuck_on": 0.05, "stuck_off": 0.05}
    arm = study.ARMS["on chip, 1 % faults, noise"]
    assert arm == {
        "on_chip.variation": 0.1, "on_chip.stuck_on": 0.005, "on_chip.stuck_off": 0.005,
        "on_chip.train_with_noise": True,
    }  # fmt: skip


def test_the_metric_costs_its_ratio_to_a_plain_evaluation(monkeypatch):
    module = load("on_chip_metric")
    times = iter([1.0, 7.0, 1.0, 3.0] * 3)
    monkeypatch.setattr(module, "seconds", lambda call: (call(), next(times))[1])
    data = module.load_dataset("digits")
    part = module.Samples(*(module.torch.from_numpy(one[:40]) for one in
                            (data.validation.x, data.validation.y)))  # fmt: skip
    assert module.cost(0, 2, part, part) == {"all": 7.0, "part": 3.0}
