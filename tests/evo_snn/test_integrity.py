import json
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing, suppress
from importlib import resources

import numpy as np
import pytest

import evo_snn
from evo_snn.candidate import Candidate
from evo_snn.integrity import check
from evo_snn.meta import _ALWAYS, _OF_A_SEARCH, _RULES
from evo_snn.schema import FORMAT_VERSION
from evo_snn.search import resume
from evo_snn.store import DATABASE, Store
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.evo_snn.searches import search


@pytest.fixture
def folder(finished_run):
    return finished_run.folder


def alter(folder, *statements):
    """Change a run's database behind its back, as damage or a stranger would."""
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        for statement in statements:
            text, *values = [statement] if isinstance(statement, str) else statement
            database.execute(text, values)
        database.commit()


def texts(folder):
    return [problem.text for problem in check(folder).problems]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_run_has_no_problem_and_is_left_as_it_is(folder):
    before = contents(folder)

    report = check(folder)

    assert report.problems == ()
    assert (report.candidates, report.generations, report.weights) == (11, 3, 1)
    assert contents(folder) == before


@pytest.mark.parametrize("strategy", ["parents", "shared"])
def test_what_a_search_leaves_is_whole_also_after_it_was_resumed(tmp_path, strategy):
    config = {
        "data": {"name": "digits"},
        "search": {"space": "plain", "population": 4, "generations": 2},
        "space": {"widths": [4, 8]},
        "training": {"steps": 2},
        "inheritance": {"strategy": strategy},
        "constraints": {"area_mm2": 0.2},
        "hardware": {"chip": "rram_32nm"},
        "workers": {"jobs": 1, "backend": "sequential"},
    }
    with suppress(evo_snn.NothingFeasible):
        evo_snn.evolve(config, out=tmp_path / "run")
    report = check(tmp_path / "run")
    assert report.problems == ()
    assert report.generations == 2

    with suppress(evo_snn.NothingFeasible):
        resume(tmp_path / "run", generations=3)
    report = check(tmp_path / "run")
    assert report.problems == ()
    assert (report.generations, report.candidates) == (3, 12)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE candidate SET genome = '[1' WHERE number = 2", "not one choice of each gene"),
        ("UPDATE candidate SET genome = '[]' WHERE number = 2", "not one choice of each gene"),
        ("UPDATE candidate SET genome = '7' WHERE number = 2", "not one choice of each gene"),
        (
            "UPDATE candidate SET genome = replace(genome, '[', '[9') WHERE number = 2",
            "not one choice of each gene",
        ),
        (
            "UPDATE candidate SET genome = replace(genome, ']', '.5]') WHERE number = 2",
            "not one choice of each gene",
        ),
        ("UPDATE candidate SET state = 'infeasible' WHERE number = 2", "violates no constraint"),
        ("UPDATE candidate SET state = 'ok' WHERE number = 5", "ok, and violates a constraint"),
        ("UPDATE candidate SET state = 'failed' WHERE number = 2", "failed, and has no failure"),
        ("UPDATE candidate SET state = 'ok' WHERE number = 8", "it is ok, and has a failure"),
        ("UPDATE violation SET value = -1", "a violation that is not positive"),
        ("UPDATE metric SET value = 9e999 WHERE candidate = 2 AND name = 'tiles'", "tiles"),
        ("UPDATE timing SET value = -9e999 WHERE candidate = 2", "seconds are not finite"),
        ("UPDATE violation SET value = 9e999", "violations are not finite"),
        (
            "DELETE FROM metric WHERE candidate = 2 AND name = 'area_mm2'",
            "it is ok, and has no area_mm2",
        ),
        ("UPDATE candidate SET architecture = '[]' WHERE number = 2", "architecture is no JSON"),
        ("UPDATE candidate SET workload = '{' WHERE number = 2", "workload is no JSON object"),
        ("UPDATE failure SET circumstances = ''", "circumstances is no JSON object"),
        ("UPDATE candidate SET generation = 9 WHERE number = 2", "generation 9, but 3 is the next"),
        ("UPDATE candidate SET generation = 2 WHERE number = 2", "is not stored by then"),
        ("UPDATE candidate SET generation = 0 WHERE number = 6", "generation 0 did not ask for it"),
        ("DELETE FROM asked WHERE generation = 1 AND position = 2", "4 stored keys are not all"),
        ("DELETE FROM asked WHERE generation = 1", "0 stored keys are not all"),
        ("UPDATE generation SET seconds = 9e999 WHERE number = 1", "inf seconds is not finite"),
        ("UPDATE generation SET hypervolume = 9e999 WHERE number = 1", "hypervolume inf"),
        ("UPDATE meta SET value = '{' WHERE name = 'constraints'", "'constraints' is no JSON"),
        ("UPDATE meta SET value = '[]' WHERE name = 'space'", "no genes with choices"),
        ("UPDATE asked SET key = 'nobody' WHERE generation = 2", "asked refers to a candidate"),
        ("CREATE TABLE more (x)", "does not have the tables of a run"),
        (
            "CREATE TRIGGER evil AFTER INSERT ON event BEGIN DELETE FROM candidate; END",
            "does not have the tables of a run",
        ),
        ("DELETE FROM meta WHERE name = 'format_version'", "format_version: got None"),
    ],
)
def test_damage_in_the_database_is_found(folder, statement, problem):
    alter(folder, statement)

    found = check(folder).problems

    assert any(problem in one.text for one in found), found
    assert not any(one.repairable for one in found)


def test_candidates_that_changed_places_are_found(folder):
    for old, new in ((2, 99), (3, 2), (99, 3)):
        for table in ("parent", "metric", "violation", "timing", "failure"):
            statement = f"UPDATE {table} SET candidate = ? WHERE candidate = ?"  # noqa: S608
            alter(folder, (statement, new, old))
        alter(folder, ("UPDATE candidate SET number = ? WHERE number = ?", new, old))
    (text,) = texts(folder)
    assert text.endswith("its number is not its place in the order of asking")


def test_a_missing_generation_is_found(folder):
    alter(
        folder,
        "DELETE FROM asked WHERE generation = 1",
        "DELETE FROM generation WHERE number = 1",
    )
    assert "finished generations are [0, 2], not 0 to 1 without a gap" in texts(folder)


def test_a_genome_that_is_not_its_keys_is_found(folder):
    space = make_space("plain", (1, 8, 8), 10, {})
    with Store.open(folder) as store:
        genome = list(store.candidates()[1].genome)
    statement = "UPDATE candidate SET genome = ? WHERE number = 2"
    other = space.neighbours(genome)[0].tolist()
    alter(folder, (statement, json.dumps(other)))
    (text,) = texts(folder)
    assert text.endswith(f"its key is not that of its genome, {space.key(other)}")

    inactive = np.flatnonzero(~space.active(genome) & (space.choices > 1))
    genome[inactive[0]] = 1
    alter(folder, (statement, json.dumps(genome)))
    (text,) = texts(folder)
    assert text.endswith("its genome is not canonical")


def test_two_candidates_of_one_genome_are_found(folder):
    alter(
        folder,
        "UPDATE candidate SET genome = (SELECT genome FROM candidate WHERE number = 1)"
        " WHERE number = 2",
    )
    assert [text.split(": ")[1] for text in texts(folder)] == [
        "another candidate has the same genome"
    ] * 2


def set_meta(folder, name, value):
    with Store.open(folder, read_only=False) as store:
        store.set_meta(name, value)


def test_a_description_that_is_not_that_of_our_space_is_found(folder):
    with Store.open(folder) as store:
        description = store.meta("space")
    set_meta(folder, "space", {**description, "options": {"widths": "many"}})
    assert "the description of the search space makes no space: " in texts(folder)[0]
    set_meta(folder, "space", {**description, "classes": 7})
    assert all("its key is not that of its genome" in text for text in texts(folder))
    assert len(texts(folder)) == 11
    genes = [{**description["genes"][0], "name": "x"}, *description["genes"][1:]]
    set_meta(folder, "space", {**description, "genes": genes})
    assert "the description is not that of the space 'plain'" in texts(folder)


def test_a_run_of_before_an_option_came_is_whole_and_goes_on(tmp_path):
    """The option is at its default, and keys do not change by it."""
    folder = search(tmp_path / "run", search__generations=2).folder
    with Store.open(folder) as store:
        description = store.meta("space")
    older = {key: value for key, value in description["options"].items() if key != "codings"}
    set_meta(folder, "space", {**description, "options": older})

    assert texts(folder) == []
    resume(folder, generations=3)
    assert texts(folder) == []


def test_keys_of_a_space_that_is_not_ours_are_not_computed(folder):
    with Store.open(folder) as store:
        description = store.meta("space")
    set_meta(folder, "space", {**description, "version": description["version"] + 1})
    alter(folder, "UPDATE candidate SET key = 'renamed' WHERE number = 11",
          "UPDATE asked SET key = 'renamed' WHERE generation = 2 AND position = 3")  # fmt: skip
    assert texts(folder) == []


def test_a_plugin_whose_source_is_not_the_hashed_one_is_found(folder):
    record = {
        "kind": "objectives",
        "name": "mine.py",
        "origin": "/home/me/mine.py",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "source": "",
    }
    set_meta(folder, "plugins", [record])
    assert texts(folder) == []
    set_meta(folder, "plugins", [{**record, "source": "import os"}])
    (text,) = texts(folder)
    assert text == "the stored source of the plug-in mine.py does not have its stored hash"
    set_meta(folder, "plugins", [{"name": "mine.py"}])
    assert "records of plug-ins" in texts(folder)[0]
    set_meta(folder, "plugins", [{**record, "source": "\ud800"}])
    assert "surrogates not allowed" in texts(folder)[0]
    set_meta(folder, "plugins", {})
    assert texts(folder) == ["what is stored of plug-ins is no list"]


def test_what_a_search_stores_has_rules_for_all_that_it_keeps_by_name(tmp_path):
    preset = resources.files("hardware") / "presets/devices/rram_falcone_arxiv_2025.toml"
    (tmp_path / "device.toml").write_text(preset.read_text(encoding="utf-8"), encoding="utf-8")
    run = search(
        tmp_path / "run",
        search__generations=1,
        inheritance__strategy="shared",
        hardware={"chip": "rram_32nm", "genes": {"columns_per_adc": [4, 8]}},
        on_chip={"device": str(tmp_path / "device.toml"), "rescale": True, "instances": 1},
        objectives__names=["accuracy_on_chip", "energy_uj"],
    )
    with closing(sqlite3.connect(run.folder / DATABASE)) as database:
        names = {name for (name,) in database.execute("SELECT name FROM meta")}
    assert names == {*_RULES, "plugins"}
    assert texts(run.folder) == []
    for name in sorted({*_OF_A_SEARCH, *_ALWAYS} - {"format_version"}):
        shutil.copytree(run.folder, tmp_path / name)
        alter(tmp_path / name, ("DELETE FROM meta WHERE name = ?", name))
        assert f"there is no value of {name!r}" in texts(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created", 3),
        ("config", ["x"]),
        ("environment", {"torch": 3}),
        ("environment", []),
        ("space", "x"),
        ("constraints", [1]),
        ("data_digest", "x"),
        ("chip", {"name": "x"}),
        ("on_chip_path", "quick"),
        ("device_digest", 3),
        ("chip", 7),
        ("hypervolume_box", {"accuracy": [1]}),
        ("hypervolume_box", {"accuracy": [1, None]}),
        ("hypervolume_box", {"accuracy": [1, 10**400]}),
        ("first_hypervolume_box", [1, 2]),
        ("shared_bank", "../../x"),
        ("shared_bank", -1),
        ("shared_bank_sha256", None),
    ],
)
def test_a_value_of_another_kind_is_found(folder, name, value):
    alter(folder, ("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, json.dumps(value)))
    assert any(text.startswith(f"the value of {name!r} is not ") for text in texts(folder))
    assert not any(one.repairable for one in check(folder).problems if one.kind == "database")


@pytest.mark.parametrize("column", ["workers", "environment"])
def test_a_session_that_cannot_be_read_is_found(folder, column):
    with Store.open(folder, read_only=False) as store:
        store.start_session(3, {"jobs": 1}, {"torch": "2.0"})
    assert texts(folder) == []
    alter(folder, f"UPDATE session SET {column} = '[3'")  # noqa: S608 - ours
    assert texts(folder) == ["session 1: its workers or its environment are no JSON object"]


def test_commands_say_of_damaged_values_that_the_run_is_damaged(command, folder):
    set_meta(folder, "plugins", 3)
    status, out, err = command("objectives", "--run", folder)
    assert (status, out) == (2, "")
    assert "a run that is whole. what is stored of plug-ins is no list" in err
    set_meta(folder, "plugins", [])
    set_meta(folder, "shared_bank", "../../x")
    status, out, err = command("resume", folder)
    assert (status, out) == (2, "")
    assert "a run that is whole. the value of 'shared_bank' is not the number" in err


# config.toml


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[search]", "[search", "config.toml: config: got"),
        ('name = "digits"', "", "data.name"),
        ("[constraints]", "[constraints]\ntiles = 3", "constraints is {'tiles': 3"),
        ('    "area_mm2",\n', "", "objectives.names is ['accuracy', 'energy_uj']"),
        ('space = "plain"', 'space = "other"', "search.space is 'other', but the database has"),
        ("[space]", "[space]\nwidths = [4]", "space is {"),
        ("[space]", "[space]\nwidhts = [4]", "config.toml: space: "),
        ('torch = "2.0"', 'torch = "3.0"', "environment is {'torch': '3.0'}"),
        ("[environment]", "[[environment]]", "environment is no table"),
    ],
)
def test_a_configuration_that_is_not_the_runs_is_found(folder, old, new, problem):
    path = folder / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    (found,) = check(folder).problems

    assert (found.kind, found.file, found.repairable) == ("configuration", "config.toml", False)
    assert problem in found.text


def test_a_configuration_that_is_gone_or_garbage_is_found(folder):
    path = folder / "config.toml"
    path.write_bytes(os.urandom(500))
    assert [one.kind for one in check(folder).problems] == ["configuration"]
    path.unlink()
    assert "config.toml" in texts(folder)[0]


# Weights


def spoil(path, how):
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[:-1])
    elif how == "longer":
        path.write_bytes(content + b"\0")
    elif how == "a bit flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        path.unlink()
        path.mkdir()


SPOILT = ("missing", "empty", "truncated", "longer", "a bit flipped", "a folder")


@pytest.mark.parametrize("how", SPOILT)
def test_weights_that_are_not_what_was_stored_are_found(folder, how):
    with Store.open(folder) as store:
        (key,) = store.weights_digests()
        path = store.weights_path(key)
    spoil(path, how)

    (problem,) = check(folder).problems

    assert (problem.kind, problem.key, problem.repairable) == ("weights", key, True)
    assert problem.file == f"weights/{key}.safetensors"
    assert problem.text.startswith(f"weights of candidate {key}: {key}.safetensors ")


def with_bank(folder, content):
    with Store.open(folder, read_only=False) as store:
        keys = [candidate.key for candidate in store.candidates()]
        store.record_generation(3, keys[:1], None, 1.0, content)
        return store.shared_bank_path()


def tensors():
    from safetensors.numpy import save

    return save({"a/weight": np.arange(12.0)})


@pytest.mark.parametrize("how", SPOILT)
def test_a_shared_bank_that_is_not_what_was_stored_is_found(folder, how):
    path = with_bank(folder, tensors())
    assert texts(folder) == []
    spoil(path, how)

    (problem,) = check(folder).problems

    assert (problem.kind, problem.key, problem.repairable) == ("shared bank", None, True)
    assert problem.file == "weights/shared_3.safetensors"


def test_a_shared_bank_must_be_safetensors(folder):
    with_bank(folder, b"garbage")
    (text,) = texts(folder)
    assert text.startswith("the shared bank: shared_3.safetensors is no safetensors file: ")


def test_what_no_candidate_has_and_killed_writes_are_leftovers(folder):
    with_bank(folder, tensors())
    for name in ("0123456789abcdef.safetensors", ".fedcba9876543210.safetensors.tmp", "notes.txt"):
        (folder / "weights" / name).write_bytes(b"garbage")
    for name in (".config.toml.tmp", "figures.png"):
        (folder / name).write_bytes(b"garbage")

    problems = check(folder).problems

    assert [(one.kind, one.file, one.repairable) for one in problems] == [
        ("leftover", ".config.toml.tmp", True),
        ("leftover", "weights/.fedcba9876543210.safetensors.tmp", True),
        ("leftover", "weights/0123456789abcdef.safetensors", True),
    ]


def test_without_its_folder_of_weights_a_run_is_not_whole(folder):
    shutil.rmtree(folder / "weights")
    assert texts(folder) == ["weights/ is missing"]
    (folder / "weights").write_text("no folder")
    (problem,) = check(folder).problems
    assert (problem.text, problem.repairable) == ("weights/ is no folder", False)


def test_a_strangers_key_leads_to_no_file_elsewhere(folder):
    outside = folder.parent / "precious.safetensors"
    outside.write_bytes(b"mine")
    key = "../../precious"
    alter(
        folder,
        ("UPDATE candidate SET key = ?, weights = 'x' WHERE number = 11", key),
        ("UPDATE asked SET key = ? WHERE generation = 2 AND position = 3", key),
    )
    problems = check(folder).problems
    assert f"candidate {key!r}: its key is no name of a file" in [one.text for one in problems]
    assert not any(one.repairable for one in problems)
    with pytest.raises(RequestError, match="key: got '../../precious'; allowed: letters"):
        Store.open(folder, read_only=False)
    assert outside.read_bytes() == b"mine"


# While a run goes on


def test_a_run_that_goes_on_has_no_problem(folder):
    """Weights come before their row and go after it; neither moment is damage."""
    space = make_space("plain", (1, 8, 8), 10, {})
    done = threading.Event()
    wrong = []

    def look():
        while not done.is_set():
            wrong.extend(check(folder).problems)

    with Store.open(folder, read_only=False) as store:
        known = {candidate.key for candidate in store.candidates()}
        genomes = space.sample(60, np.random.default_rng(1))
        metrics = dict.fromkeys(("accuracy", "area_mm2", "energy_uj"), 1.0)
        looking = threading.Thread(target=look)
        looking.start()
        try:
            for genome in genomes:
                key = space.key(genome)
                if key not in known:
                    values = tuple(genome.tolist())
                    store.record(Candidate(key, values, (), 3, "ok", metrics), b"x" * 10_000)
                    store.prune_weights({key})
        finally:
            done.set()
            looking.join()
        assert wrong == []
        # The orphan of a writer that still writes is none yet.
        (folder / "weights" / "0123456789abcdef.safetensors").touch()
        assert check(folder).problems == ()
        assert [one.kind for one in check(folder, alone=True).problems] == ["leftover"]


# What cannot be checked


def test_where_there_is_no_run_or_a_newer_one_it_is_a_wrong_request(folder, tmp_path):
    with pytest.raises(RequestError, match="a folder with run.sqlite"):
        check(tmp_path)
    with pytest.raises(RequestError, match="run folder: "):
        check(tmp_path / ("x" * 300))
    set_meta(folder, "format_version", FORMAT_VERSION + 1)
    with pytest.raises(RequestError, match="format_version: .* newer"):
        check(folder)


# The command


def test_all_is_well_in_one_line(command, folder):
    status, out, err = command("check", folder)
    assert (status, err) == (0, "")
    assert out == f"{folder}: all is well: 11 candidates, 3 generations, weights of 1\n"


def test_each_problem_is_a_line_and_the_status_is_1(command, folder):
    alter(folder, "UPDATE violation SET value = 9e999")
    (folder / "weights" / "0123456789abcdef.safetensors").touch()
    before = contents(folder)

    status, out, err = command("check", folder)

    assert status == 1
    first, second = out.splitlines()
    assert first.startswith("problem: candidate ")
    assert second == "problem: weights/0123456789abcdef.safetensors is of no candidate"
    assert f"note: evo-snn check {folder} --repair forgets weights" in err
    assert "note: what a run stores beside weights cannot be mended" in err
    assert contents(folder) == before


def test_the_report_as_json(command, folder):
    (folder / "weights" / "0123456789abcdef.safetensors").touch()

    status, out, _ = command("check", folder, "--json")

    assert status == 1
    document = json.loads(out)
    assert document["ok"] is False
    assert document["problems"] == [
        {
            "kind": "leftover",
            "text": "weights/0123456789abcdef.safetensors is of no candidate",
            "key": None,
            "file": "weights/0123456789abcdef.safetensors",
            "repairable": True,
        }
    ]
    (folder / "weights" / "0123456789abcdef.safetensors").unlink()
    status, out, err = command("check", folder, "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert (document["ok"], document["candidates"], document["repaired"]) == (True, 11, [])


def test_a_folder_without_a_run_is_status_2(command, tmp_path):
    for arguments in ((), ("--repair",), ("--json",)):
        status, out, err = command("check", tmp_path, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith("error: run folder: got ")
        assert len(err.splitlines()) == 1


def test_a_read_only_folder_can_be_checked_and_not_repaired(command, folder, tmp_path):
    (folder / "weights" / "0123456789abcdef.safetensors").touch()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    point = tmp_path / "mounted"
    point.mkdir()
    done = mount and subprocess.run(
        [mount, "--bind", "-o", "ro", folder, point], capture_output=True, check=False
    )
    if not done or done.returncode:
        pytest.skip("this process may not mount a folder read-only")
    try:
        status, out, _ = command("check", point)
        assert (status, out) == (
            1,
            "problem: weights/0123456789abcdef.safetensors is of no candidate\n",
        )
        status, _, err = command("check", point, "--repair")
        assert status == 2
        assert "a folder to write in" in err
    finally:
        subprocess.run([umount, point], check=True)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_weights_that_are_no_file_are_damage_and_are_not_opened(folder, kind):
    with Store.open(folder) as store:
        (key,) = store.weights_digests()
        path = store.weights_path(key)
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(path)

        (fault,) = store.damaged_weights().values()

    assert fault.startswith(f"{key}.safetensors is ")
    assert texts(folder) == [f"weights of candidate {key}: {fault}"]
