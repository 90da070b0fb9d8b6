"""Which kernel a run uses: from its configuration, or ours; recorded; the same when it goes on."""

import logging
from pathlib import Path

import pytest
import safetensors

from evo_snn.config import TrainingSection
from evo_snn.full_training import train
from evo_snn.integrity import check
from evo_snn.run import Run
from evo_snn.search import resume
from evo_snn.snn.kernels import KERNELS, choose
from evo_snn.store import Store
from evo_snn.training import chosen_kernel
from genomes.errors import RequestError
from tests.evo_snn.searches import assert_equal_runs, search


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where it is not installed."""

    def poor(requested, device):
        if requested == "numba":
            raise RequestError("training.kernel", "numba", "auto, torch, norse", "Install numba.")
        return choose("torch" if requested == "auto" else requested, device)

    monkeypatch.setattr("evo_snn.training.choose", poor)


def kernels_of(run: Run) -> list[str]:
    """By session."""
    with Store.open(run.folder) as store:
        return [session.environment["kernel"] for session in store.sessions()]


def test_the_configurations_kernel_is_taken_or_refused():
    for name in KERNELS:
        assert chosen_kernel(TrainingSection(kernel=name)).name == name
        assert chosen_kernel(TrainingSection(kernel=name), before="norse").name == name
    with pytest.raises(RequestError, match=r"training\.kernel: got 'numba'"):
        chosen_kernel(TrainingSection(kernel="numba", device="cuda"))


def test_auto_stays_with_what_a_run_began_with_while_that_works():
    auto = TrainingSection()
    assert chosen_kernel(auto).name == choose("auto", "cpu").name
    for name in KERNELS:
        assert chosen_kernel(auto, before=name).name == name
    for unknown in (None, "", "another", "auto"):
        assert chosen_kernel(auto, before=unknown).name == choose("auto", "cpu").name
    assert chosen_kernel(TrainingSection(device="cuda"), before="numba").name == "torch"


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_run_records_its_kernel_and_goes_on_with_it(tmp_path: Path, kernel: str):
    run = search(tmp_path / "run", search__generations=1, training__kernel=kernel)
    assert run.environment["kernel"] == kernel
    assert kernels_of(resume(run.folder, generations=2)) == [kernel, kernel]
    whole = search(tmp_path / "whole", search__generations=2, training__kernel=kernel)
    assert_equal_runs(run, whole)


def test_a_run_began_without_numba_is_the_same_where_numba_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_numba: None
):
    whole = search(tmp_path / "whole", search__generations=2)
    run = search(tmp_path / "run", search__generations=1)
    monkeypatch.undo()
    assert choose("auto", "cpu").name == "numba"
    assert kernels_of(resume(run.folder, generations=2)) == ["torch", "torch"]
    assert_equal_runs(run, whole)
    # it is asked for by name
    longer = resume(run.folder, generations=3, overrides={"training.kernel": "numba"})
    assert kernels_of(longer) == ["torch", "torch", "numba"]


def test_without_the_numba_that_it_began_with_a_run_goes_on_and_says_so(
    tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
):
    run = search(tmp_path / "run", search__generations=1)
    request.getfixturevalue("without_numba")
    with caplog.at_level(logging.WARNING, logger="evo_snn"):
        run = resume(run.folder, generations=2)
    assert "bits may differ: kernel: was numba, is torch" in caplog.text
    assert kernels_of(run) == ["numba", "torch"]
    assert run.environment["kernel"] == "numba"
    with Store.open(run.folder) as store:
        assert "kernel: was numba, is torch" in [event.text for event in store.events()]
    assert not check(run.folder).problems


def test_without_the_numba_that_its_user_named_a_run_waits_for_a_word(
    tmp_path: Path, request: pytest.FixtureRequest
):
    run = search(tmp_path / "run", search__generations=1, training__kernel="numba")
    before = (run.folder / "config.toml").read_bytes()
    request.getfixturevalue("without_numba")
    with pytest.raises(RequestError, match=r"training\.kernel: got 'numba'.*Install numba"):
        resume(run.folder, generations=2)
    assert (run.folder / "config.toml").read_bytes() == before
    assert kernels_of(run) == ["numba"]
    run = resume(run.folder, generations=2, overrides={"training.kernel": "auto"})
    assert kernels_of(run) == ["numba", "torch"]
    assert run.config.training.kernel == "auto"


def test_full_training_uses_the_kernel_that_the_run_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where numba was missing then, and is there now."""
    with monkeypatch.context() as away:
        away.setattr("evo_snn.snn.kernels._problem_of_numba", lambda _: "away")
        run = search(tmp_path / "run", search__generations=1, workers__backend="sequential")
    assert run.environment["kernel"] == "torch"
    key = run.front()["key"][0]
    train(run, [key], epochs=1)
    with safetensors.safe_open(run.folder / "trained" / f"{key}.safetensors", "pt") as trained:
        assert trained.metadata()["kernel"] == "torch"


def test_kernels_lead_to_the_same_designs_at_first(tmp_path: Path):
    # of rounding nothing is seen in the genomes of a first generation, nor in what costs nothing
    runs = [
        search(tmp_path / name, search__generations=1, training__kernel=name).candidates()
        for name in KERNELS
    ]
    for other in runs[1:]:
        assert list(other["key"]) == list(runs[0]["key"])
        assert list(other["area_mm2"]) == list(runs[0]["area_mm2"])
