"""Stored designs on chips that no search has met."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import evo_snn
from evo_snn.fresh_chips import FIRST, accuracy_on_chip
from evo_snn.full_training import train
from evo_snn.run import Run
from genomes.errors import RequestError
from hardware.conditions import Conditions
from tests.evo_snn.searches import search

NOISY = {
    "hardware__chip": "rram_32nm",
    "hardware__genes": {"cell_bits": [1, 2], "crossbar_size": [64, 128]},
    "on_chip__variation": 0.2,
    "on_chip__stuck_off": 0.05,
    "on_chip__instances": 2,
    "objectives__names": ["accuracy_on_chip", "energy_uj"],
    "search__generations": 1,
    "weights__keep": "all",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search(tmp_path_factory.mktemp("fresh") / "run", **NOISY)


def test_a_design_on_fresh_chips(run: Run) -> None:
    keys = list(run.candidates()["key"][:2])
    table = accuracy_on_chip(run, keys, instances=3)
    assert list(table["key"]) == [keys[0]] * 3 + [keys[1]] * 3
    assert list(table["instance"]) == [0, 1, 2] * 2
    assert table["accuracy_on_chip"].between(0, 1).all()
    assert table.groupby("key")["accuracy"].nunique().eq(1).all()
    assert table["accuracy_on_chip"].nunique() > 2
    again = evo_snn.accuracy_on_chip(run, [key[:8] for key in keys], instances=3)
    assert again.equals(table)
    other = accuracy_on_chip(run, keys, instances=3, seed=5)
    assert not other["accuracy_on_chip"].equals(table["accuracy_on_chip"])


def test_conditions_may_be_others(run: Run) -> None:
    key = run.candidates()["key"][0]
    for ideal in ({}, Conditions()):
        table = accuracy_on_chip(run, [key], instances=2, conditions=ideal)
        assert table["accuracy_on_chip"].equals(table["accuracy"].rename("accuracy_on_chip"))
    stored = run.candidate(key).metrics
    table = accuracy_on_chip(run, [key], instances=1, conditions={}, part="validation")
    assert table["accuracy_on_chip"][0] == stored["accuracy"]
    with pytest.raises(RequestError, match=r"conditions: got 'varation'.*'variation'\?"):
        accuracy_on_chip(run, [key], conditions={"varation": 0.1})


def test_the_searchs_own_instances_are_others(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With numbers from 0 the call gives what the search measured; fresh ones begin far above."""
    key = run.candidates()["key"][0]
    stored = run.candidate(key).metrics["accuracy_on_chip"]
    fresh = accuracy_on_chip(run, [key], instances=2, part="validation")
    assert fresh["accuracy_on_chip"].mean() != stored
    assert FIRST > 10_000
    monkeypatch.setattr("evo_snn.fresh_chips.FIRST", 0)
    met = accuracy_on_chip(run, [key], instances=2, part="validation")
    assert met["accuracy_on_chip"].mean() == pytest.approx(stored, abs=1e-12)


def test_full_training_tells_accuracy_on_fresh_chips(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    copy = Run(tmp_path / "run")
    key = copy.candidates()["key"][0]
    row = train(copy, [key], epochs=1).iloc[0]
    assert 0 <= row["test_accuracy_on_chip_worst"] <= row["test_accuracy_on_chip"] <= 1
    assert row["test_accuracy_on_chip_std"] >= 0
    table = accuracy_on_chip(copy, [key], trained=True)
    assert len(table) == 20
    assert table["accuracy"][0] == row["test_accuracy"]
    assert table["accuracy_on_chip"].mean() == pytest.approx(row["test_accuracy_on_chip"])
    assert table["accuracy_on_chip"].min() == row["test_accuracy_on_chip_worst"]


def test_full_training_without_such_chips_says_nothing_of_them(tmp_path: Path) -> None:
    plain = search(tmp_path / "run", search__generations=1)
    columns = train(plain, [plain.candidates()["key"][0]], epochs=1).columns
    assert not [name for name in columns if "chip" in name]


def test_one_key_may_stand_alone(run: Run) -> None:
    key = run.candidates()["key"][0]
    alone = accuracy_on_chip(run, key, instances=1)
    assert alone.equals(accuracy_on_chip(run, [key], instances=1))
    assert list(alone["key"]) == [key]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "x"}, r"path: got 'x'; allowed: auto, exact, fast"),
        ({"part": "train"}, r"part: got 'train'; allowed: test, validation"),
        ({"seconds": 1e9}, r"seconds: got 1000000000\.0; allowed: 0 with ideal cells"),
        ({"seconds": -1}, r"seconds: got -1"),
        ({"seconds": "1"}, r"seconds: got '1'"),
        ({"instances": 1.5}, r"instances: got 1\.5"),
        ({"conditions": {"device": "rram_wan"}}, r"device: got 'rram_wan'.*Did you mean"),
    ],
)
def test_arguments_are_checked(run: Run, given: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        accuracy_on_chip(run, run.candidates()["key"][0], **given)
    assert "\n" not in str(caught.value)


def test_a_chip_that_rounds_is_measured_through_its_adcs(tmp_path: Path, command: Any) -> None:
    lossy = {"hardware__adc_levels": 8, "hardware__rows_per_read": 64}
    kept = {name: value for name, value in NOISY.items() if name != "hardware__genes"}
    made = search(tmp_path / "run", **kept, **lossy)
    key = made.candidates()["key"][0]
    assert made.on_chip_path == "exact"
    with pytest.raises(RequestError, match=r"path: got 'fast'; allowed: exact, as the ADCs of"):
        accuracy_on_chip(made, key, instances=1, path="fast")
    with pytest.raises(RequestError, match=r"adc: got False; allowed: True, as the ADCs of"):
        accuracy_on_chip(made, key, instances=1, conditions={"adc": False})
    assert "by the exact path" in command("show", made.folder, key)[1]
    shown = json.loads(command("show", made.folder, key, "--json")[1])
    assert shown["on_chip_path"] == "exact"
    assert "by the exact path" in command("train", made.folder, key, "--epochs", "1")[1]


def test_what_cannot_be_measured_is_told(run: Run, tmp_path: Path) -> None:
    key = run.candidates()["key"][0]
    with pytest.raises(RequestError, match="instances: got 0"):
        accuracy_on_chip(run, [key], instances=0)
    with pytest.raises(RequestError, match="evo-snn train makes them"):
        accuracy_on_chip(run, [run.candidates()["key"][5]], trained=True)
    shutil.copytree(run.folder, tmp_path / "run")
    for path in (tmp_path / "run" / "weights").iterdir():
        path.unlink()
    with pytest.raises(RequestError, match=r"whose weights are kept.*weights\.keep"):
        accuracy_on_chip(Run(tmp_path / "run"), [key])
