"""Malformed command lines: of every command, with arguments that nobody means."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

COMMANDS = ("init", "evolve", "front", "candidates", "show", "train", "estimate", "spaces", "chips",
            "datasets", "objectives")  # fmt: skip


def words():
    odd = [
        "", " ", "-", "--", "---", "-x", "--set", "--set=", "--seed", "--seed=", "--json",
        "--json=1", "--out", "--jobs", "--chip", "--chip=", "--plugin", "--epochs", "--no-figures",
        "--bogus", "--population", "--generations", "-1", "0", "1", "1e3", "nan", "٣", "9" * 5000,
        "0x10", "\0", "\n", "\udcff", "\u202e", "\x1b[2J", "x" * 5000, "a/b/c", "/", "/dev/null",
        "/dev/zero", "/dev/full", "/proc/self/mem", "~", "~nobody/x", "*", "%", "_", "$HOME", "'",
        "a=b", "a.b=1", "plain", "digits", "accuracy", "rram_32nm", "[" * 3000, "--chip=rram_32nm",
        "--chip=x.toml",
    ]  # fmt: skip
    return st.sampled_from(odd) | st.text(max_size=10)


def test_arguments(tries, command, tmp_path, monkeypatch):
    # No line here is of a search that can start, or of a file that is there.
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    commands = st.sampled_from([each for each in COMMANDS if each != "init"]) | words()

    @given(commands, st.lists(words(), max_size=5))
    def check(name, arguments):
        outcome = command(name, *arguments)
        if outcome.status == 0:
            assert outcome.err == ""
            if "--json" in arguments and outcome.out.startswith(("[", "{")):
                json.loads(outcome.out)
        else:
            outcome.assert_refused()
        assert list(folder.iterdir()) == []

    tries.examples(check)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("path", ["\0", "x" * 5000, "/dev/null/x", "LOOP"])
def test_paths(command, tmp_path, monkeypatch, name, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "LOOP").symlink_to("LOOP")
    arguments = [path, "KEY"] if name in ("show", "train") else [path]
    command(name, *arguments).assert_refused()
    assert [each.name for each in tmp_path.iterdir()] == ["LOOP"]


@pytest.mark.parametrize(
    "out", ["\0", "x" * 5000, "/dev/null", "/dev/null/x", "LOOP", "", " ", "f"]
)
def test_folders_of_a_run_that_cannot_be(command, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "LOOP").symlink_to("LOOP")
    (tmp_path / "f").write_text("mine")
    (tmp_path / "c.toml").write_text("[data]\nname='digits'\n[search]\nspace='plain'")
    command("evolve", "c.toml", "--out", out).assert_refused()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["LOOP", "c.toml", "f"]


def test_without_arguments_there_is_help(command):
    assert command().status == 0
    assert "evolve" in command().out


MISTAKES = {
    "evolve DIGITS --seed one": "--seed: got 'one'; allowed: a valid integer. evo-snn evolve -h",
    "evolve DIGITS --jobs=0": "--jobs: got '0'; allowed: greater than or equal to 1.",
    "evolve DIGITS --generation 4": "--generations",
    "evolve DIGITS --set population=8": "Did you mean 'search.population'?",
    "evolve DIGITS --set training.step=300": "training: got 'step'; .*Did you mean 'steps'?",
    "evolve DIGITS --set trainig.steps=3": "section: got 'trainig'; .*Did you mean 'training'?",
    "evolve DIGITS --set space.widths=4,8": "space.widths: got '4,8'; allowed: a list in brackets",
    "evolve DIGITS --set objectives.names=[accuracy]": "Words in it need quotes",
    "evolve DIGITS --set training.device=gpu": "allowed: cpu, cuda",
    "evolve DIGITS --set hardware.chip=spikesim": "Did you mean 'spikesim_65nm'?",
    "evolve DIGITS --set constraints.area=2": "Did you mean 'area_mm2'?",
    "evolve digits.tml": "config: got 'digits.tml'; allowed: a TOML file that exists. evo-snn init",
    "evolv DIGITS": "No such command 'evolv'. Did you mean 'evolve'? evo-snn -h",
    "front .": "allowed: a folder with run.sqlite",
    "show .": "Missing argument 'KEY'. evo-snn show -h",
    "estimate DIGITS": "digits.toml: got .*; allowed: JSON",
    "chips rram": "Did you mean 'rram_32nm'?",
    "objectives latency": "Did you mean 'latency_ms'?",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_likely_mistakes_are_told_with_what_is_allowed(command, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    digits = str(Path(__file__).parents[2] / "runs" / "digits.toml")
    outcome = command(*(word.replace("DIGITS", digits) for word in line.split()))
    outcome.assert_refused()
    assert re.search(MISTAKES[line].replace("?", r"\?"), outcome.err)
    assert list(tmp_path.iterdir()) == []
