"""What the page on costs shows is run: its commands, its Python; and what it says is so."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evo_snn.commands import main
from genomes.workload import Workload
from hardware import DEFAULT_CHIP, Merit, sweep
from hardware.variants import FACTS
from tests.evo_snn.searches import search

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
WORKLOAD = ROOT / "tests" / "data" / "vgg9_workload.json"


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


COMMANDS = [line for block in blocks("") for line in block.splitlines()]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workload and a small run."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(WORKLOAD, folder / "workload.json")
    search(folder / "run", hardware__chip=DEFAULT_CHIP, search__generations=2)
    return folder


@pytest.fixture
def place(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(pristine, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def test_there_are_commands() -> None:
    assert {line.split()[1] for line in COMMANDS} == {"estimate", "chips", "recost"}


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_run(line: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(line.split()[1:])
    captured = capsys.readouterr()
    assert stop.value.code == 0, captured.err
    assert captured.out.strip()
    for name in re.findall(r"--figure (\S+)", line):
        assert (place / name).stat().st_size > 1000


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_lines_run(code: str, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_fact_and_every_figure_of_merit_is_defined() -> None:
    rows = re.findall(r"^\| (`.+?) \|", PAGE, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(FACTS) | set(Merit.__dataclass_fields__)


def test_what_sparsity_buys_is_as_said() -> None:
    workload = Workload.from_json(WORKLOAD)
    points = sweep(workload, grid={"input_rate": [0.02, 0.15, 0.5]})
    low, middle, high = (point.cost for point in points)
    assert low is not None
    assert middle is not None
    assert high is not None
    assert f"saves {1 - low.energy_uj / high.energy_uj:.0%}".replace("%", " %") in PAGE
    assert (low.area_mm2, low.latency_ms) == (high.area_mm2, high.latency_ms)
    assert middle.energy_components_uj["adc"] / middle.energy_uj == pytest.approx(0.5, abs=0.02)
    adc = [cost.energy_components_uj["adc"] for cost in (low, high)]
    assert adc[0] / adc[1] == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
