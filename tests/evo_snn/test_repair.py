import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from safetensors.numpy import save

import evo_snn
from evo_snn.integrity import check
from evo_snn.repair import repair
from evo_snn.search import resume
from evo_snn.store import DATABASE, Store
from genomes.errors import RequestError


@pytest.fixture
def folder(finished_run):
    return finished_run.folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder):
    """Everything that the database holds of candidates and generations, as text."""
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return [
            line
            for line in database.iterdump()
            if not line.startswith(('INSERT INTO "event"', 'INSERT INTO "meta"'))
        ]


def events(folder):
    with Store.open(folder) as store:
        return [(event.kind, event.key, event.text) for event in store.events()]


def weights_of(folder):
    with Store.open(folder) as store:
        (key,) = store.weights_digests()
        return key, store.weights_path(key)


def test_a_whole_run_is_not_touched(folder):
    before = contents(folder)

    found = repair(folder)

    assert (found.done, found.after.problems, found.lost_weights) == ((), (), False)
    assert contents(folder) == before


@pytest.mark.parametrize("missing", [True, False])
def test_lost_weights_are_forgotten_and_it_is_said(folder, missing):
    key, path = weights_of(folder)
    if missing:
        path.unlink()
    else:
        path.write_bytes(b"weightz")
    with Store.open(folder) as store:
        before = store.candidates()

    found = repair(folder)

    (problem,) = found.done
    assert (problem.kind, problem.key) == ("weights", key)
    assert found.lost_weights
    assert found.after.problems == ()
    assert not path.exists()
    assert events(folder) == [("repair", key, problem.text)]
    with Store.open(folder) as store:
        assert store.weights_path(key) is None
        assert store.candidates() == before


def with_bank(folder):
    with Store.open(folder, read_only=False) as store:
        keys = [candidate.key for candidate in store.candidates()]
        store.record_generation(3, keys[:1], None, 1.0, save({"a/weight": np.arange(12.0)}))
        return store.shared_bank_path()


def test_a_lost_bank_is_forgotten_and_a_later_one_is_kept_again(folder):
    path = with_bank(folder)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with Store.open(folder) as store:
        assert list(store.damaged_weights()) == ["the shared bank"]

    found = repair(folder)

    assert [one.kind for one in found.done] == ["shared bank"]
    assert found.lost_weights
    assert found.after.problems == ()
    assert not path.exists()
    with Store.open(folder, read_only=False) as store:
        assert store.shared_bank_path() is None
        store.record_generation(4, store.generations()[0].keys, None, 1.0, save({}))
    assert check(folder).problems == ()


def test_leftovers_are_deleted_and_nothing_of_anybody_else(folder):
    _, path = weights_of(folder)
    orphan = "0123456789abcdef.safetensors"
    ours = (folder / ".config.toml.tmp", folder / "weights" / orphan)
    others = (folder / "weights" / "notes.txt", folder / "figures.png", folder / "weights" / ".x")
    for each in (*ours, *others):
        each.write_bytes(b"garbage")
    before = rows(folder)

    found = repair(folder)

    assert [one.file for one in found.done] == [".config.toml.tmp", f"weights/{orphan}"]
    assert not found.lost_weights
    assert not any(each.exists() for each in ours)
    assert all(each.exists() for each in (*others, path))
    assert [event[0] for event in events(folder)] == ["repair", "repair"]
    assert rows(folder) == before


def test_folders_named_like_leftovers_are_left_and_said(folder):
    names = [".config.toml.tmp", "weights/0123456789abcdef.safetensors"]
    for name in names:
        (folder / name).mkdir()

    found = repair(folder)

    assert found.done == ()
    assert [one.file for one in found.after.problems] == names
    assert not any(one.repairable for one in found.after.problems)


def test_a_missing_folder_of_weights_is_made_and_what_it_held_forgotten(folder):
    with_bank(folder)
    shutil.rmtree(folder / "weights")

    found = repair(folder)

    assert [one.kind for one in found.done] == ["folder", "weights", "shared bank"]
    assert found.after.problems == ()
    assert (folder / "weights").is_dir()
    assert len(events(folder)) == 3


def test_with_a_damaged_database_nothing_is_deleted(folder):
    (folder / "weights" / "0123456789abcdef.safetensors").touch()
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        database.execute("CREATE TABLE more (x)")
        database.commit()
    before = contents(folder)

    found = repair(folder)

    assert found.done == ()
    assert [one.kind for one in found.after.problems] == ["database"]
    assert contents(folder) == before


def test_what_cannot_be_mended_stays_said(folder):
    (folder / "weights" / "0123456789abcdef.safetensors").touch()
    (folder / "config.toml").write_text("[search")

    found = repair(folder)

    assert [one.kind for one in found.done] == ["leftover"]
    assert [one.kind for one in found.after.problems] == ["configuration"]


def test_a_run_that_is_written_is_not_repaired(folder):
    key, path = weights_of(folder)
    with Store.open(folder, read_only=False):
        path.unlink()
        with pytest.raises(RequestError, match="no other process is writing"):
            repair(folder)
        assert weights_of(folder)[0] == key


# The command


def test_the_command_says_each_repair_and_what_it_costs(command, folder):
    key, path = weights_of(folder)
    path.unlink()
    (folder / "weights" / "0123456789abcdef.safetensors").touch()

    status, out, err = command("check", folder, "--repair")

    assert status == 0
    assert out.splitlines() == [
        "repaired: weights/0123456789abcdef.safetensors is of no candidate",
        f"repaired: weights of candidate {key}: {key}.safetensors is missing",
        f"{folder}: all is well: 11 candidates, 3 generations, weights of 0",
    ]
    assert err.startswith("warning: weights were lost: ")
    assert "no longer bit for bit the uninterrupted one" in err
    status, out, err = command("check", folder, "--repair")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert "repairs" in command("status", folder)[1]


def test_the_command_as_json(command, folder):
    _, path = weights_of(folder)
    path.unlink()
    (folder / "config.toml").unlink()

    status, out, err = command("check", folder, "--repair", "--json")

    assert status == 1
    document = json.loads(out)
    assert document["lost_weights"] is True
    assert len(document["repaired"]) == 1
    assert [one["kind"] for one in document["problems"]] == ["configuration"]
    assert err.startswith("warning: ")


# A search that goes on


def bad_weights(folder):
    for path in sorted((folder / "weights").glob("*.safetensors")):
        path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize("strategy", ["parents", "shared"])
def test_a_repaired_run_goes_on(tmp_path, strategy):
    config = {
        "data": {"name": "digits"},
        "search": {"space": "plain", "population": 4, "generations": 2},
        "space": {"widths": [4]},
        "training": {"steps": 2},
        "inheritance": {"strategy": strategy},
        "workers": {"jobs": 1, "backend": "sequential"},
    }
    folder = evo_snn.evolve(config, out=tmp_path / "run").folder
    bad_weights(folder)
    with pytest.raises(RequestError, match="--repair forgets them"):
        resume(folder, generations=3)
    before = [each.summary() for each in _candidates(folder)]

    assert repair(folder).lost_weights

    run = resume(folder, generations=3)
    assert len(run.generations()) == 3
    assert [each.summary() for each in _candidates(folder)][: len(before)] == before
    assert check(folder).problems == ()


def _candidates(folder):
    with Store.open(folder) as store:
        return store.candidates()
