import hashlib
import json
import logging
import re
import sqlite3
import subprocess
import sys
import types
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evo_snn
from evo_snn.commands import main
from evo_snn.plugins import PluginRecord
from evo_snn.store import Store
from genomes.errors import RequestError
from genomes.spaces import make_space

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stand_in(monkeypatch):
    """Put a module with some functions in place of one that is heavy to import."""

    def put(name, **attributes):
        module = types.ModuleType(name)
        for attribute, value in attributes.items():
            setattr(module, attribute, value)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            monkeypatch.setattr(sys.modules[parent], child, module, raising=False)
        return module

    return put


def test_help_names_every_command(command):
    status, out, err = command("--help")

    assert status == 0
    assert err == ""
    for name in (
        "init",
        "evolve",
        "front",
        "candidates",
        "show",
        "train",
        "estimate",
        "spaces",
        "chips",
        "datasets",
        "objectives",
    ):
        assert f" {name} " in out
        assert command(name, "-h")[0] == 0


def test_version(command):
    assert command("--version") == (0, f"evo-snn {evo_snn.__version__}\n", "")


def test_front_as_json(command, finished_run):
    status, out, err = command("front", finished_run.folder, "--json")

    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["objectives"] == [
        {"name": "accuracy", "maximise": True, "unit": ""},
        {"name": "area_mm2", "maximise": False, "unit": "mm²"},
        {"name": "energy_uj", "maximise": False, "unit": "µJ"},
    ]
    front = finished_run.front()
    assert [each["key"] for each in document["candidates"]] == list(front["key"])
    best = document["candidates"][0]
    assert best == finished_run.candidate(best["key"]).summary()
    assert set(best) == {"key", "genome", "state", "generation", "parents", "metrics"}


def test_candidates_as_json_have_only_what_was_measured(command, finished_run):
    status, out, err = command("candidates", finished_run.folder, "--json")

    assert (status, err) == (0, "")
    entries = json.loads(out)["candidates"]
    table = finished_run.candidates()
    expected = [finished_run.candidate(key).summary() for key in table["key"]]
    assert entries == expected
    assert entries[4]["metrics"] == {"area_mm2": 9.0}
    assert entries[7]["metrics"] == {}


def test_tables_show_short_keys_that_other_commands_take(command, finished_run):
    status, out, _ = command("front", finished_run.folder)

    front = finished_run.front()
    assert status == 0
    assert out.splitlines()[0] == f"front: {len(front)} designs"
    header, *rows = out.splitlines()[1:]
    assert header.split() == ["key", "state", "generation", "accuracy", "area_mm2", "energy_uj"]
    assert [row.split()[0] for row in rows] == [key[:8] for key in front["key"]]
    assert rows[0].split()[3] == f"{front['accuracy'][0]:.4g}"
    assert command("show", finished_run.folder, rows[0].split()[0])[0] == 0
    status, out, _ = command("candidates", finished_run.folder)
    assert (status, len(out.splitlines())) == (0, 2 + 11)


def test_show_as_json(command, finished_run):
    table = finished_run.candidates()
    key = table["key"][9]

    status, out, err = command("show", finished_run.folder, key[:9], "--json")

    assert (status, err) == (0, "")
    document = json.loads(out)
    candidate = finished_run.candidate(key)
    assert document.items() >= candidate.summary().items()
    assert document["architecture"] == candidate.architecture
    assert document["workload"] == candidate.workload
    assert document["cost"] == json.loads(json.dumps(finished_run.cost(key).to_dict()))
    # 9 comes from 0 and 5, and 5 from 1 and 0; the youngest first.
    ancestors = [(each["key"], each["generation"]) for each in document["lineage"]]
    assert ancestors[0] == (table["key"][5], 1)
    assert sorted(ancestors[1:]) == sorted([(table["key"][0], 0), (table["key"][1], 0)])


def test_show_as_text(command, finished_run):
    table = finished_run.candidates()

    status, out, err = command("show", finished_run.folder, table["key"][9])

    assert (status, err) == (0, "")
    for heading in ("metrics", "architecture", "layers", "cost", "cost by layer", "ancestors"):
        assert f"\n{heading}\n" in out
    assert "energy by component, uj" in out
    assert "readout" in out


def test_show_says_why_a_candidate_is_no_design(command, finished_run):
    table = finished_run.candidates()

    status, out, err = command("show", finished_run.folder, table["key"][7])
    assert status == 0
    assert "Oops: no" in err
    assert "cost by layer" not in out
    status, out, _ = command("show", finished_run.folder, table["key"][4])
    assert status == 0
    assert "violated constraints\narea_mm2  2" in out
    assert (
        json.loads(command("show", finished_run.folder, table["key"][7], "--json")[1])["cost"]
        is None
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("front", "/no/such/run"), "error: run folder: got '/no/such/run'"),
        (("show", "RUN", "none such"), "error: key: got 'none such'"),
        (("train", "RUN", "none such"), "error: key: got 'none such'"),
        (("evolve", "/no/such.toml"), "error: config: got '/no/such.toml'"),
        (("evolve", "x.toml", "--set", "seed"), "error: --set: got 'seed'"),
        (
            ("evolve", ROOT / "runs" / "digits.toml", "--out", ""),
            "error: --out: got ''; allowed: a",
        ),
        (("init", "/proc/x"), "error: DIR: got '/proc/x'; allowed: a folder to write in. "),
        (("init", "/dev/null/x"), "error: DIR: got '/dev/null/x'; allowed: a folder to write in."),
        (("spaces", "plane"), "Did you mean 'plain'?"),
        (("datasets", "digit"), "Did you mean 'digits'?"),
        (("objectives", "acuracy"), "Did you mean 'accuracy'?"),
        (("chips", "spikesim"), "Did you mean 'spikesim_65nm'?"),
        (("estimate", "/no/such.json"), "/no/such.json"),
        (("fronts",), "No such command 'fronts'"),
        (("evolve",), "Missing argument"),
        (("evolve", "x.toml", "--set"), "evo-snn evolve -h shows what it takes."),
        (("evolve", "--out"), "evo-snn evolve -h shows what it takes."),
        (("objectives", "nope"), "error: objective: got 'nope'; allowed: "),
        (("status", ""), "a folder is allowed; a dot is the current one."),
        (("check", " "), "a folder is allowed; a dot is the current one."),
        (("resume", "RUN/run.sqlite"), "a folder with run.sqlite. Give its folder: /"),
        (("resume", "RUN", "--set", "search.generations=5"), "allowed: --generations N."),
        (
            ("evolve", ROOT / "runs" / "digits.toml", "--out", "/proc/x"),
            "error: out: got '/proc/x'; allowed: a folder to write in. ",
        ),
        (("evolve", "x.toml", "--seed", "-1"), "--seed"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(command, finished_run, arguments, message):
    arguments = [str(each).replace("RUN", str(finished_run.folder)) for each in arguments]

    status, out, err = command(*arguments)

    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    if err.startswith("error:"):
        assert len(err.splitlines()) == 1


def test_debug_shows_the_traceback_at_either_place(command):
    for arguments in (("--debug", "front", "/none"), ("front", "/none", "--debug")):
        status, _, err = command(*arguments)
        assert status == 2
        assert "Traceback" in err
        assert err.splitlines()[-1].startswith("error: run folder")


def test_other_errors_are_one_line_with_a_hint_and_status_1(command, stand_in, tmp_path):
    def evolve(*_args, **_options):
        raise RuntimeError("two\nlines")

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=KeyError)

    status, out, err = command("evolve", tmp_path / "a.toml")

    assert (status, out) == (1, "")
    assert err == "error: RuntimeError: two lines (--debug shows where)\n"
    assert "Traceback" in command("evolve", tmp_path / "a.toml", "--debug")[2]


def test_an_interrupted_search_says_how_to_go_on_in_one_line_and_status_1(
    command, stand_in, tmp_path
):
    def evolve(*_args, **_options):
        interrupt = KeyboardInterrupt()
        interrupt.add_note("everything is stored; evo-snn resume run goes on")
        raise interrupt

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=KeyError)

    status, out, err = command("evolve", tmp_path / "a.toml")

    assert (status, out) == (1, "")
    assert err == "interrupted: everything is stored; evo-snn resume run goes on\n"


def test_what_is_interrupted_before_it_stores_anything_says_so(command, stand_in, tmp_path):
    def evolve(*_args, **_options):
        raise KeyboardInterrupt

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=KeyError)

    status, out, err = command("evolve", tmp_path / "a.toml")

    assert (status, out, err) == (1, "", "interrupted: the command did not finish\n")


def test_a_search_without_a_feasible_design_is_status_3_and_shows_what_came_nearest(
    command, stand_in, finished_run, tmp_path
):
    class NothingFeasible(RuntimeError):  # noqa: N818 - the name that the search gives it
        run = finished_run

    def evolve(*_args, **_options):
        raise NothingFeasible("no design met all constraints")

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=NothingFeasible)

    status, out, err = command("evolve", tmp_path / "a.toml")

    assert status == 3
    assert finished_run.least_infeasible()["key"][0][:8] in out
    assert err == "error: no design met all constraints\n"


def test_evolve_passes_its_options_and_ends_with_what_to_do_next(
    command, stand_in, finished_run, monkeypatch
):
    asked = {}

    def evolve(config, **options):
        asked.update(options, config=config)
        return finished_run

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=KeyError)
    figure = finished_run.folder / "figures" / "front.png"
    stand_in("analysis", save_figures=lambda run: [figure])
    monkeypatch.setattr("evo_snn.guard.require_own", lambda *_names: None)
    monkeypatch.chdir(finished_run.folder.parent)

    status, out, err = command(
        *("evolve", "a.toml", "--out", "x", "--seed", 3, "--generations", 4, "--population", 8),
        *("--jobs", 1, "--set", "training.steps=5", "--set", "space.widths=[4, 8]"),
    )

    assert (status, err) == (0, "")
    assert asked == {
        "config": Path("a.toml"),
        "out": Path("x"),
        "seed": 3,
        "generations": 4,
        "population": 8,
        "jobs": 1,
        "overrides": {"training.steps": 5, "space.widths": [4, 8]},
        "progress": True,
    }
    best = finished_run.front()["key"][0][:8]
    assert out.startswith("front: ")
    assert "run      run\nfigure   run/figures/front.png\n" in out
    assert f"evo-snn show run {best} " in out
    assert f"evo-snn train run {best} " in out


def test_train_reports_each_design(command, stand_in, finished_run):
    asked = []

    def train(run, keys, epochs=None, accept=(), from_cnn=False):
        asked.append((run.folder, list(keys), epochs))
        assert not from_cnn
        return pd.DataFrame(
            {
                "key": keys,
                "validation_accuracy": [0.5] * len(keys),
                "test_accuracy": [float("nan")] * len(keys),
                "test_recalls": [{"0": 0.25, "1": None}] * len(keys),
                "test_rates": [{"a": [0.5, 0.125]}] * len(keys),
            }
        )

    stand_in("evo_snn.full_training", train=train)
    first, second = finished_run.candidates()["key"][:2]

    status, out, err = command(
        "train", finished_run.folder, first[:9], second, first, "--epochs", 2, "--json"
    )

    assert (status, err) == (0, "")
    assert asked == [(finished_run.folder, [first, second], 2)]
    shared = {"test_recalls": {"0": 0.25, "1": None}, "test_rates": {"a": [0.5, 0.125]}}
    assert json.loads(out) == [
        {"key": key, "validation_accuracy": 0.5, **shared} for key in (first, second)
    ]
    status, out, _ = command("train", finished_run.folder, first)
    assert (status, asked[-1][2]) == (0, None)
    assert first[:8] in out
    assert "a             0.5       0.125" in out
    assert str(finished_run.folder / "trained") in out


def test_init_writes_the_examples_once(command, tmp_path):
    folder = tmp_path / "new" / "folder"

    status, out, _ = command("init", folder)

    assert status == 0
    names = {path.name for path in folder.iterdir()}
    assert names >= {"digits.toml", "cifar10.toml", "evolve_digits.py", "custom_objective.py"}
    for name in names:
        assert str(folder / name) in out
        assert (folder / name).read_bytes() == (ROOT / "runs" / name).read_bytes()

    (folder / "digits.toml").write_text("mine")
    (folder / "cifar10.toml").unlink()
    status, _, err = command("init", folder)
    assert status == 2
    assert "nothing was written" in err
    assert (folder / "digits.toml").read_text() == "mine"
    assert not (folder / "cifar10.toml").exists()
    assert command("init", folder / "digits.toml")[0] == 2


@pytest.mark.parametrize("kind", ["spaces", "datasets", "objectives", "chips"])
def test_what_can_be_named_is_listed_and_each_described(command, kind):
    status, out, err = command(kind, "--json")

    assert (status, err) == (0, "")
    names = [entry["name"] for entry in json.loads(out)]
    assert names
    listing = command(kind)[1]
    for name in names:
        assert name in listing
    status, out, _ = command(kind, names[0])
    assert status == 0
    assert len(out.splitlines()) >= 3
    assert [entry["name"] for entry in json.loads(command(kind, names[0], "--json")[1])] == names[
        :1
    ]


@pytest.mark.parametrize("name", ["plain", "hyperspectral", "spectrum", "signal"])
def test_a_space_is_described_with_its_genes_and_its_size(command, name):
    status, out, err = command("spaces", name)
    assert (status, err) == (0, "")
    (entry,) = json.loads(command("spaces", name, "--json")[1])
    genes = entry["genes"]
    space = make_space(name, entry["input_shape"], 5)

    assert [gene["name"] for gene in genes] == [gene.name for gene in space.genes]
    assert f"{len(genes)} genes" in out
    assert 1 < entry["networks"] < entry["genomes"]
    assert entry["genomes"] == pytest.approx(np.prod(space.choices.astype(float)))
    for gene in genes:
        assert re.sub(r"\d+(?=[.]|$)", "N", gene["name"]) in out
        assert ", ".join(map(str, gene["choices"])) in out


def test_the_genes_of_a_space_are_those_for_a_shape(command):
    out = command("spaces", "hyperspectral", "--shape", "1x10x4x4")[1]
    assert "samples of 1x10x4x4" in out
    assert re.search(r"patch +1 +ordered +1, 3\n", re.sub(r" +\n", "\n", out))
    for shape, says in (("1x8", "(channels, bands, rows, columns)"), ("a", "such as 1x8x8")):
        status, out, err = command("spaces", "hyperspectral", "--shape", shape)
        assert (status, out) == (2, "")
        assert says in err


def test_objectives_of_a_plugin_are_listed_beside_the_packages_own(command):
    plugin = ROOT / "runs" / "custom_objective.py"

    status, out, _ = command("objectives", "accuracy_with_variation", "--plugin", plugin, "--json")

    assert status == 0
    (entry,) = json.loads(out)
    assert (entry["maximise"], entry["needs"]) == (True, "network")
    assert entry["origin"] == str(plugin)
    names = [
        each["name"] for each in json.loads(command("objectives", "--plugin", plugin, "--json")[1])
    ]
    assert {"accuracy", "accuracy_with_variation"} <= set(names)
    assert command("objectives", "accuracy_with_variation")[0] == 2


def test_what_a_plugin_prints_is_no_part_of_the_json(command, tmp_path):
    plugin = tmp_path / "loud.py"
    plugin.write_text(
        "import evo_snn\nprint('hello')\n"
        "@evo_snn.objective(maximise=True)\ndef loud(candidate):\n    return 1.0\n"
    )
    status, out, err = command("objectives", "loud", "--plugin", plugin, "--json")
    assert (status, json.loads(out)[0]["name"]) == (0, "loud")
    assert "hello" in err


def test_the_plugins_of_a_run_are_shown_with_nothing_hidden(command, finished_run):
    source = "x = 1  # \x1b[2J\u202e\u200b\r\nname = 'µJ'\rhidden = 2\n"
    digest = hashlib.sha256(source.encode()).hexdigest()
    record = PluginRecord("objectives", "a\x1b[1m.py", "/b/a.py", digest, source)
    with Store.open(finished_run.folder, read_only=False) as store:
        store.set_meta("plugins", [record.to_document()])

    status, out, _ = command("objectives", "--run", finished_run.folder)

    assert status == 0
    assert digest in out
    assert "x = 1  # \\x1b[2J\\u202e\\u200b\nname = 'µJ'\\rhidden = 2\n" in out
    assert not {"\x1b", "\r", "\u202e", "\u200b"} & set(out)
    _, out, _ = command("objectives", "--run", finished_run.folder, "--json")
    assert json.loads(out) == [record.to_document()]
    assert command("objectives", "x", "--run", finished_run.folder)[0] == 2


EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\x9b"

STRANGERS = (
    "UPDATE objective SET unit = :evil, name = :evil WHERE position = 1",
    "UPDATE metric SET name = :evil WHERE name = 'tiles'",
    "UPDATE metric SET name = :evil || 'area' WHERE name = 'area_mm2'",
    "UPDATE failure SET traceback = 'Traceback:' || char(10) || :evil",
    "INSERT INTO session VALUES (9, :evil, :evil, 1, 3, '{}', '{}', 'x', :evil)",
    "UPDATE session SET environment = json_object(:evil, :evil)",
    "UPDATE candidate SET architecture = json_set(architecture, '$.name', :evil)",
    "UPDATE candidate SET key = :evil WHERE number = 11",
)


def test_a_strangers_run_does_nothing_to_the_terminal(command, finished_run):
    with Store.open(finished_run.folder) as store:
        failed = next(one.key for one in store.candidates() if one.state == "failed")
    with closing(sqlite3.connect(finished_run.folder / "run.sqlite")) as database:
        for statement in STRANGERS:
            database.execute(statement, {"evil": EVIL})
        database.commit()

    seen = ""
    for line in (["front"], ["candidates"], ["show", failed], ["status"], ["check"]):
        status, out, err = command(line[0], finished_run.folder, *line[1:])
        text = out + err
        assert not [one for one in text if not one.isprintable() and one not in "\n\t"], line
        assert "\\x1b]0;owned\\x07" in text.replace("\n", ""), (line, status)
        seen += text
    assert "Traceback:\n\\x1b]0" in seen  # its lines stay lines


def test_a_search_does_not_begin_whose_figures_would_be_elsewhere(
    command, stand_in, finished_run, tmp_path
):
    stand_in("evo_snn.search", resume=lambda *_, **__: pytest.fail("it went on"))
    (finished_run.folder / "figures").symlink_to(tmp_path)
    status, _, err = command("resume", finished_run.folder)
    assert status == 2
    assert "figures'; allowed: no symbolic link" in err


def test_log_lines_do_nothing_to_the_terminal_either(capsys, monkeypatch):
    logger = logging.getLogger("evo_snn")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    with pytest.raises(SystemExit):
        main(["--version"])
    logger.warning("this environment is not the run's: %s", EVIL)
    err = capsys.readouterr().err
    assert err == "this environment is not the run's: \\x1b]0;owned\\x07\\x1b[2J\\u202e\\x9b\n"


def test_request_errors_pass_through_every_command(command, stand_in, tmp_path):
    def evolve(*_args, **_options):
        raise RequestError("search.space", "x", "plain")

    stand_in("evo_snn.search", evolve=evolve, NothingFeasible=KeyError)

    assert command("evolve", tmp_path)[::2] == (
        2,
        "error: search.space: got 'x'; allowed: plain.\n",
    )


QUICK = ("--population", "4", "--generations", "2", "--jobs", "1", "--set", "training.steps=2")


def test_a_real_search_through_the_command_line(command, tmp_path):
    folder = tmp_path / "run"
    config = ROOT / "runs" / "digits.toml"

    status, out, _ = command("evolve", config, "--out", folder, *QUICK)

    assert status == 0
    assert out.startswith("front: ")
    figures = sorted((folder / "figures").glob("*.png"))
    assert figures
    for figure in figures:
        assert str(figure) in out
    entries = json.loads(command("candidates", folder, "--json")[1])["candidates"]
    assert len({entry["key"] for entry in entries}) == len(entries) == 8
    best = json.loads(command("front", folder, "--json")[1])["candidates"][0]["key"]
    status, out, _ = command("train", folder, best, "--epochs", 1, "--json")
    assert status == 0
    assert 0 <= json.loads(out)[0]["test_accuracy"] <= 1

    before = (folder / "run.sqlite").read_bytes()
    status, _, err = command("evolve", config, "--out", folder, *QUICK)
    assert status == 2
    assert "a folder without a run" in err
    assert (folder / "run.sqlite").read_bytes() == before


def test_without_a_terminal_a_search_logs_to_standard_error(tmp_path):
    small = ("search.population=4", "training.steps=2", "space.widths=[4]", "workers.jobs=1")
    program = "from evo_snn.commands import main; main()"
    config = ROOT / "runs" / "digits.toml"
    done = subprocess.run(
        [
            *(sys.executable, "-c", program, "evolve", config, "--out", tmp_path / "run"),
            *("--generations=2", "--no-figures"),
            *(f"--set={one}" for one in small),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "evaluations" in line]
    assert [line.split(":")[0] for line in lines] == ["generation 1 of 2", "generation 2 of 2"]
    assert "generation 1 of 2" not in done.stdout
