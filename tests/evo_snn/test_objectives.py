"""Metrics by name, and users' own in plug-in files."""

from pathlib import Path

import pytest

import evo_snn
from evo_snn.metrics import PACKAGE
from evo_snn.objectives import (
    BUILT_IN,
    CandidateView,
    Metric,
    all_metrics,
    chosen_metrics,
    list_objectives,
    objective,
    value_of,
)
from evo_snn.plugins import read_plugin
from evo_snn.run import Run
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import estimate


@pytest.fixture(scope="module")
def view() -> CandidateView:
    space = make_space("plain", (1, 8, 8), 10)
    architecture = space.decode([0] * len(space.genes))
    cost = estimate(architecture.workload)
    return CandidateView("00", (0,), architecture, architecture.workload, cost, {"accuracy": 0.5})


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


GOOD = '''
import evo_snn

@evo_snn.objective(unit="layers", maximise=False)
def depth(candidate):
    """How deep the network is.

    More words that a list has no room for.
    """
    return len(candidate.architecture.layers)
'''


def test_directions_and_units_are_said_once() -> None:
    accuracy, area = BUILT_IN["accuracy"], BUILT_IN["area_mm2"]
    assert (accuracy.maximise, accuracy.log) == (True, False)
    assert (area.maximise, area.log, area.unit) == (False, True, "mm²")
    assert BUILT_IN["energy_uj"].known_before_training == "lower bound"
    assert [metric.name for metric in list_objectives()] == list(PACKAGE)


def test_a_plugin_adds_its_functions(tmp_path: Path, view: CandidateView) -> None:
    path = write(tmp_path, GOOD)
    metric = all_metrics([path])["depth"]
    assert (metric.unit, metric.maximise, metric.log) == ("layers", False, False)
    assert metric.description == "How deep the network is."
    assert value_of(metric, view) == 2.0
    assert "depth" not in all_metrics()


def test_a_changed_plugin_is_read_anew(tmp_path: Path, view: CandidateView) -> None:
    path = write(tmp_path, GOOD)
    before = read_plugin(path)
    assert value_of(all_metrics([path])["depth"], view) == 2.0
    path.write_text(GOOD.replace("len(candidate.architecture.layers)", "7"))
    assert read_plugin(path).sha256 != before.sha256
    assert value_of(all_metrics([path])["depth"], view) == 7.0
    assert value_of(all_metrics([before])["depth"], view) == 2.0  # what was read is what runs


def test_the_public_decorator_is_this_one() -> None:
    assert evo_snn.objective is objective

    @objective(maximise=True, name="better")
    def function(candidate: CandidateView) -> float:
        return 1.0

    assert function.metric.name == "better"
    assert function(None) == 1.0  # still a plain function


@pytest.mark.parametrize(
    ("value", "log"),
    [(float("nan"), False), (float("inf"), False), ("3", False), (None, False), ([1, 2], False),
     (0.0, True), (-1.0, True)],
)  # fmt: skip
def test_what_is_not_one_finite_number_is_an_error(
    view: CandidateView, value: object, log: bool
) -> None:
    metric = Metric("mine", log=log, function=lambda _: value)
    with pytest.raises(ValueError, match="'mine' returned"):
        value_of(metric, view)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "with a function under"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit('no')", "SystemExit: no"),
        ("raise SystemExit", "a file that runs"),
        (GOOD.replace("depth", "accuracy"), "names other than 'accuracy'"),
    ],
)
def test_a_broken_plugin_gives_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RequestError, match="objectives.plugins") as caught:
        all_metrics([path])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["key", "genome", "state", "generation", "parents", "training_steps"]
)
def test_a_name_that_tables_need_is_no_metric(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD.replace("def depth", f"def {name}"))
    with pytest.raises(RequestError, match=f"objectives.plugins: got '{name}'.*another name"):
        all_metrics([path])


def test_every_other_column_of_a_run_is_reserved(tmp_path: Path, finished_run: Run) -> None:
    metrics = set(finished_run.candidate(finished_run.candidates()["key"][0]).metrics)
    for name in set(finished_run.candidates().columns) - metrics:
        with pytest.raises(RequestError, match="objectives.plugins"):
            all_metrics([write(tmp_path, GOOD.replace("def depth", f"def {name}"))])


def test_a_missing_plugin_and_an_unknown_name() -> None:
    with pytest.raises(RequestError, match="nowhere"):
        all_metrics([Path("/nowhere/mine.py")])
    with pytest.raises(RequestError, match="energy_uj"):
        chosen_metrics(["energy"])
