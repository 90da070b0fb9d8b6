"""What the README shows is run: its Python, its commands, its plug-in."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import evo_snn

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BUDGET = {
    "search.population": 6,
    "search.generations": 2,
    "training.steps": 5,
    "space.widths": [4, 8],
    "workers.jobs": 1,
}


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's configurations, to write runs into."""
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("out"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_lines_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As written, but for the budget of the search.
    small = functools.partial(evo_snn.evolve, overrides=BUDGET)
    monkeypatch.setattr(evo_snn, "evolve", small)
    code = blocks("python")[0].replace("epochs=20", "epochs=1")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own lines
    printed = capsys.readouterr().out
    assert "area_mm2" in printed
    assert "adc" in printed
    assert "test_accuracy" in printed


def test_the_plugin_runs_under_the_configuration_shown(project: Path) -> None:
    (project / "my_objectives.py").write_text(blocks("python")[1])
    import tomllib

    section = tomllib.loads(blocks("toml")[0])
    run = evo_snn.evolve("runs/digits.toml", "out", overrides={**BUDGET, **section})
    assert (run.candidates()["hottest_layer_uj"] > 0).all()


def test_the_commands_run(project: Path) -> None:
    written = blocks("")[1].splitlines()
    lines = [line.split("#")[0].strip() for line in written]
    assert lines[0] == "evo-snn init mine && cd mine"
    budget = [f"--set={key}={value}".replace(" ", "") for key, value in BUDGET.items()]
    wanted = (
        *("init", "evolve", "status", "resume", "front"),
        *("recost", "ablate", "estimate", "doctor", "spaces"),
    )
    by_name = dict(zip(wanted, lines, strict=True))
    assert all(line.startswith(f"evo-snn {name}") for name, line in by_name.items())
    names = ["spaces", *written[-1].partition("also:")[2].replace(",", "").split()]
    assert names == ["spaces", "chips", "datasets", "objectives"]
    commands = [["init", "mine"], [*by_name["evolve"].split()[1:], *budget]]
    commands += [by_name[name].split()[1:] for name in ("status", "resume", "front")]
    commands[3][-1] = "3"  # generations, of the small budget
    commands += [["candidates", "run"], ["check", "run"], by_name["recost"].split()[1:]]
    commands += [[*by_name["ablate"].split()[1:], *budget, "--bases=1", "--genes=neuron"]]
    commands += [by_name["doctor"].split()[1:], *([name] for name in names)]
    for number, command in enumerate(commands):
        place = project / "mine" if number else project
        done = evo_snn_command(*command, cwd=place)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_the_workload_command_runs(project: Path) -> None:
    shutil.copy(ROOT / "tests" / "data" / "vgg9_workload.json", project / "workload.json")
    line = next(line for line in blocks("")[1].splitlines() if "estimate" in line)
    done = evo_snn_command(*line.split()[1:], cwd=project)
    assert done.returncode == 0, done.stderr
    assert "conv7" in done.stdout


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"^make (\w+)", blocks("")[0], flags=re.MULTILINE)
    assert targets == ["evolve", "test"]
    for target in targets:
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert target in done.stdout


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def evo_snn_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "from evo_snn.commands import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
