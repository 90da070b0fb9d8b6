"""Plug-ins of packages that pip installed: found, used in a search, and held to the contract."""

import json

import pytest

KINDS = {
    "objectives": ("hottest_layer_uj", "acme-heat 1.0", "broken_objective"),
    "spaces": ("dense", "acme-dense 2.1", "broken_space"),
    "chips": ("acme_wide", "acme-chips 0.3", "broken_chip"),
    "datasets": ("waves", "acme-waves 1.2.post1", "broken_data"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_listed_and_a_broken_one_costs_one_line(evo_snn, kind):
    name, origin, broken = KINDS[kind]

    done = evo_snn(kind, "--json")

    assert done.returncode == 0
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert entries[name]["origin"] == origin
    assert broken not in entries
    assert "evo_snn" in {entry["origin"] for entry in entries.values()}  # the rest is usable
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: ")
    assert f"{broken!r} is left out: acme-broken 0.1: " in line
    assert "a_library_that_nobody_has" in line or kind == "chips"
    shown = evo_snn(kind).stdout
    assert name in shown
    assert origin in shown


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_described_without_a_word_of_the_broken_one(evo_snn, kind):
    name, origin, _ = KINDS[kind]
    done = evo_snn(kind, name)
    assert (done.returncode, done.stderr) == (0, "")
    assert origin in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_one_that_is_asked_for_gives_one_line(evo_snn, kind):
    broken = KINDS[kind][2]
    done = evo_snn(kind, broken)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "acme-broken 0.1" in line


REFUSED = """
import sys
from evo_snn.commands import main

for change in {changes!r}:
    try:
        main(["evolve", "search.toml", "--out", "run", "--set", change])
    except SystemExit as stop:
        print(stop.code)
"""


def test_a_search_with_a_broken_one_is_refused_and_nothing_written(
    python, installed, config, tmp_path
):
    changes = [
        "search.space=broken_space",
        "data.name=broken_data",
        "hardware.chip=broken_chip",
        "objectives.names=['accuracy', 'broken_objective']",
        "constraints.broken_objective=1",
    ]
    done = python("-c", REFUSED.format(changes=changes), path=(installed,))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"] * len(changes)
    for line, change in zip(done.stderr.splitlines(), changes, strict=True):
        assert line.startswith("error: "), change
        assert "acme-broken 0.1" in line
    assert not (tmp_path / "run").exists()


def test_a_search_uses_one_of_each_kind_in_workers_too(evo_snn, config, tmp_path):
    for name, more in (("run", []), ("spread", ["workers.jobs=2", "workers.backend=loky"])):
        settings = [f"--set={each}" for each in more]
        done = evo_snn("evolve", config, "--out", tmp_path / name, "--no-figures", *settings)
        assert done.returncode == 0, done.stderr
    # Looking needs none of the packages.
    found = [
        json.loads(evo_snn("candidates", tmp_path / name, "--json", path=()).stdout)["candidates"]
        for name in ("run", "spread")
    ]
    assert len(found[0]) == 8
    assert all(one["state"] == "ok" for one in found[0])
    assert all(one["metrics"]["hottest_layer_uj"] > 0 for one in found[0])
    assert found[0] == found[1]
    shown = evo_snn("show", tmp_path / "run", found[0][0]["key"], "--json", path=())
    layers = json.loads(shown.stdout)["architecture"]["layers"]
    assert {layer["name"] for layer in layers} <= {"layer1", "layer2", "readout"}
    assert evo_snn("front", tmp_path / "run", path=()).returncode == 0


def test_a_run_goes_on_with_the_packages_that_it_was_made_with(
    evo_snn, config, installed, tmp_path
):
    folder = tmp_path / "run"
    assert evo_snn("evolve", config, "--out", folder, "--no-figures").returncode == 0

    stored = json.loads(evo_snn("objectives", "--run", folder, "--json", path=()).stdout)
    assert {one["kind"]: (one["name"], one["origin"]) for one in stored} == {
        kind: (name, origin) for kind, (name, origin, _) in KINDS.items()
    }
    assert all(len(one["sha256"]) == 64 for one in stored)

    gone = evo_snn("resume", folder, "--generations", 3, path=())
    assert gone.returncode == 2
    assert "acme-" in gone.stderr

    changed = tmp_path / "changed"
    changed.mkdir()
    source = (installed / "acme_heat.py").read_text()
    (changed / "acme_heat.py").write_text(source.replace("max(", "3 * max("))
    refused = evo_snn("resume", folder, "--generations", 3, path=(changed, installed))
    assert refused.returncode == 2
    assert "--accept" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    done = evo_snn("resume", folder, "--generations", 3)
    assert done.returncode == 0, done.stderr
    found = json.loads(evo_snn("candidates", folder, "--json").stdout)["candidates"]
    assert len(found) == 12


CONTRACTS = """
import acme_dense, acme_heat, acme_waves
from pathlib import Path
from evo_snn.testing import check_chip, check_dataset, check_objective, check_space

check_objective(acme_heat.hottest_layer_uj, input_shape=(1, 32), classes=3)
check_space(acme_dense.DenseSpace, input_shape=(1, 32), classes=3)
check_space(acme_dense.DenseSpace, options={"max_layers": 5}, samples=50)
check_chip("acme_wide")
check_dataset(acme_waves.load_waves)
check_dataset("waves")
Path("seed.txt").write_text("7")
check_dataset(acme_waves.load_recorded_waves, "seed.txt")
check_dataset("recorded_waves", "seed.txt")
"""


def test_they_keep_the_contracts(python, installed):
    done = python("-c", CONTRACTS, path=(installed,))
    assert done.returncode == 0, done.stderr


def test_two_packages_of_one_name_are_told_apart(evo_snn, installed, tmp_path):
    other = tmp_path / "other" / "acme_copy-9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-copy\nVersion: 9\n")
    (other / "entry_points.txt").write_text("[evo_snn.spaces]\ndense = acme_dense:DenseSpace\n")
    done = evo_snn("spaces", "dense", path=(other.parent, installed))
    assert done.returncode == 2
    assert "acme-copy 9 and acme-dense 2.1 both have it" in done.stderr
    listed = evo_snn("spaces", path=(other.parent, installed))
    assert listed.returncode == 0
    assert "plain" in listed.stdout
    assert "both have it" in listed.stderr


def test_evo_snns_own_names_win(evo_snn, installed, tmp_path):
    other = tmp_path / "other" / "acme_greedy-1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-greedy\nVersion: 1\n")
    groups = {"objectives": "accuracy", "spaces": "plain", "chips": "rram_32nm"}
    groups["datasets"] = "digits"
    points = [f"[evo_snn.{kind}]\n{name} = nowhere:x\n" for kind, name in groups.items()]
    (other / "entry_points.txt").write_text("\n".join(points))
    for kind, name in groups.items():
        done = evo_snn(kind, "--json", path=(other.parent,))
        entries = {entry["name"]: entry["origin"] for entry in json.loads(done.stdout)}
        assert entries[name] == "evo_snn"
        (line,) = done.stderr.splitlines()
        assert f"{name!r} of acme-greedy 1 is left out: evo_snn has its own" in line
