"""The doctor: facts of this machine, what breaks a search is said with what to do about it."""

import json
import os
import sys

import pytest
import torch

from evo_snn import doctor
from evo_snn.config import TrainingSection, WorkersSection
from evo_snn.doctor import Finding, WorkerReport, broken, examine, report_of_worker
from evo_snn.environment import installed_version
from evo_snn.snn.agreement import disagreement
from evo_snn.store import Store
from genomes.errors import RequestError


def by_name(findings):
    return {(one.topic, one.name): one for one in findings}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """What is found in a new folder; a worker is started once."""
    return examine(tmp_path_factory.mktemp("runs"))


def test_nothing_is_broken_here(healthy):
    assert broken(healthy) == []
    assert all(one.name and one.value for one in healthy)
    assert {one.topic for one in healthy} == {
        "versions", "processor", "kernel", "worker", "folder", "extras"
    }  # fmt: skip


def test_facts_are_this_machines(healthy):
    found = by_name(healthy)

    assert found["versions", "torch"].value == installed_version("torch")
    assert found["versions", "python"].value == sys.version.split()[0]
    instructions = found["processor", "instruction set"].value
    assert instructions == torch.backends.cpu.get_cpu_capability()
    assert found["processor", "cores"].value.startswith(str(len(os.sched_getaffinity(0))))
    assert "cpu" in found["processor", "devices"].value
    assert found["worker", "torch threads"].value == "1"
    memory = WorkersSection().memory_gb
    assert found["worker", "memory limit"].value == f"{memory:.3g} GB"
    kernel = found["kernel", "kernel"].value.partition(":")[0]
    assert found["worker", "self-check"].value.startswith(f"{kernel} gives Norse's spikes")
    assert {name for topic, name in found if topic == "extras"} >= {"dev"}


def test_workers_keep_the_memory_of_freed_blocks(healthy):
    assert by_name(healthy)["worker", "memory of a freed block"].value in (
        "kept for the next one",
        "unknown",  # another C library than glibc
    )


def test_what_numba_compiled_is_kept(healthy, tmp_path, monkeypatch):
    assert by_name(healthy)["kernel", "compiled code"].state == "well"
    (tmp_path / "file").touch()
    for place in (None, tmp_path / "file" / "cache"):
        monkeypatch.setattr(doctor, "cache_folder", lambda place=place: place)
        (found,) = (one for one in doctor._numba() if one.name == "compiled code")
        assert found.state == "broken"
        assert "NUMBA_CACHE_DIR" in found.remedy


def test_without_numba_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "installed_version", lambda package: "absent")
    (found,) = doctor._numba()
    assert (found.value, found.state) == ("absent", "note")
    assert "pip install numba" in found.remedy


def test_an_extra_says_how_to_get_it(monkeypatch):
    lines = ["torch>=2.4", 'one>=1; extra == "some"', 'other; extra == "some"']
    monkeypatch.setattr(doctor, "requires", lambda package: lines)
    versions = {"one": "1.0", "other": "absent"}
    monkeypatch.setattr(doctor, "installed_version", versions.__getitem__)
    (found,) = doctor._extras()
    assert (found.name, found.value, found.state) == ("some", "without other", "note")
    assert found.remedy == "pip install 'evo_snn[some]'"


# What is broken


@pytest.mark.parametrize("kernel", ["numba", "torch", "norse"])
def test_kernels_agree_with_norse(kernel):
    assert disagreement(kernel, "cpu") == ""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda spikes: 1 - spikes, "spikes of lif_box neurons differ"),
        (lambda spikes: spikes + (torch.rand_like(spikes) - 0.5) * 0, ""),
        (lambda spikes: spikes * 1.001 - spikes.detach() * 0.001, "gradients of lif_box neurons"),
        (lambda spikes: spikes * torch.nan, "spikes of lif_box neurons differ"),
    ],
)
def test_a_kernel_that_computes_otherwise_is_caught(monkeypatch, fault, said):
    from evo_snn.snn import agreement

    right = agreement.fire

    def wrong(*arguments, kernel):
        spikes = right(*arguments, kernel=kernel)
        return spikes if kernel == "norse" else fault(spikes)

    monkeypatch.setattr(agreement, "fire", wrong)
    assert (said in disagreement("torch", "cpu")) if said else not disagreement("torch", "cpu")


def test_a_worker_that_computes_otherwise_is_broken():
    report = WorkerReport(1, None, True, "gradients of iaf neurons differ", 0.5)
    found = doctor._agreement("numba", report)
    assert found.state == "broken"
    assert "gradients of iaf neurons differ" in found.value
    assert "training.kernel = 'norse'" in found.remedy


def test_a_worker_that_cannot_start_is_broken():
    nowhere = TrainingSection.model_construct(device="nonsense")
    found = list(doctor._worker("torch", nowhere, WorkersSection(backend="sequential")))
    assert [(one.name, one.state) for one in found] == [("a worker", "broken")]
    assert "nonsense" in found[0].value


def test_a_worker_reports_of_itself():
    report = report_of_worker("torch", "cpu")
    assert report.threads == torch.get_num_threads() == 1
    assert report.disagreement == ""
    assert report.keeps_memory in (True, False, None)


def test_a_library_that_does_not_load_is_broken(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo", None)
    (found,) = broken(examine(tmp_path))
    assert (found.topic, found.name) == ("versions", "pymoo")
    assert "requirements.txt" in found.remedy


def test_a_kernel_that_cannot_work_is_broken(tmp_path, monkeypatch, finished_run):
    def refused(*_):
        raise RequestError("training.kernel", "numba", "torch, norse", "pip install it.")

    monkeypatch.setattr("evo_snn.training.chosen_kernel", refused)
    (found,) = broken(examine(tmp_path))
    assert (found.topic, found.name) == ("kernel", "kernel")
    assert found.remedy == "pip install it."


def test_a_folder_that_cannot_be_used_is_broken(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(doctor, "WriterLock", no_locks)
    (found,) = broken(list(doctor._folder(tmp_path)))
    assert (found.name, found.value) == ("writing", "Function not implemented")
    assert "--out" in found.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("free", "state"), [(10**6, "broken"), (5 * 10**8, "note"), (10**10, "well")]
)
def test_little_disk_is_said(tmp_path, monkeypatch, free, state):
    usage = type(doctor.shutil.disk_usage(tmp_path))(10**12, 10**12 - free, free)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    found = by_name(doctor._folder(tmp_path))["folder", "free disk"]
    assert found.state == state
    assert bool(found.remedy) == (state != "well")


def test_a_file_system_of_several_machines_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "is_local", lambda _: False)
    monkeypatch.setattr(doctor, "filesystem_type", lambda _: "nfs4")
    found = by_name(doctor._folder(tmp_path))["folder", "file system"]
    assert found.state == "note"
    assert "nfs4" in found.value
    assert "rollback journal" in found.value


def test_a_folder_that_is_not_there_yet_is_the_one_above(tmp_path):
    found = by_name(doctor._folder(tmp_path / "runs" / "out"))
    assert found["folder", "path"].value == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


# Of a run


def test_what_differs_from_a_run_is_said(finished_run):
    found = [one for one in examine(finished_run.folder) if one.topic == "run"]
    lines = [one.value for one in found]
    assert f"torch: was 2.0, is {installed_version('torch')}" in lines
    assert all(one.state == "note" and "bits may differ" in one.remedy for one in found)


def test_no_run_is_changed(finished_run):
    before = {path: path.read_bytes() for path in finished_run.folder.rglob("*") if path.is_file()}
    examine(finished_run.folder)
    after = {path: path.read_bytes() for path in finished_run.folder.rglob("*") if path.is_file()}
    assert before == after
    with Store.open(finished_run.folder) as store:
        assert store.sessions() == []


# The command


def test_the_command_prints_a_table(command, tmp_path, monkeypatch, healthy):
    monkeypatch.setattr(doctor, "examine", lambda folder: healthy)
    status, out, err = command("doctor", tmp_path)
    assert (status, err) == (0, "")
    for name in ("instruction set", "self-check", "free disk"):
        assert name in out
    assert out.rstrip().endswith("all is well")


def test_the_command_says_what_is_broken_and_what_to_do(command, tmp_path, monkeypatch, healthy):
    wrong = Finding("folder", "writing", "Read-only file system", "broken", "Put runs elsewhere.")
    monkeypatch.setattr(doctor, "examine", lambda folder: [*healthy, wrong])
    status, out, err = command("doctor", tmp_path)
    assert status == 1
    assert "Read-only file system" in out
    assert err == "error: writing: Put runs elsewhere.\n"

    status, out, err = command("doctor", tmp_path, "--json")
    document = json.loads(out)
    assert (status, document["well"]) == (1, False)
    assert document["findings"][-1] == wrong.to_document()


def test_the_command_prints_one_document(command, tmp_path, monkeypatch, healthy):
    monkeypatch.setattr(doctor, "examine", lambda folder: healthy)
    status, out, err = command("doctor", "--json")
    document = json.loads(out)
    assert (status, err, document["well"]) == (0, "", True)
    assert len(document["findings"]) == len(healthy)
    assert set(document["findings"][0]) == {"topic", "name", "value", "state", "remedy"}
