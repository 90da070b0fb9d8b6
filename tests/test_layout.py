"""The ground: what the wheel holds, and that a bare clone has what its commands need."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import evo_snn

ROOT = Path(__file__).parents[1]


def tracked():
    """Files of the checkout that git knows; all of it where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("no git checkout")
    return listed.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the checkout, built from a copy so that nothing is left behind in it."""
    source = tmp_path_factory.mktemp("source")
    for folder in ("evo_snn", "genomes", "hardware", "analysis", "runs"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not {"out", "__pycache__"} & set(path.parts):
                target = source / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    for name in ("setup.py", "pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            (source / name).write_bytes((ROOT / name).read_bytes())
    built = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(built), str(source)),
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_all_that_is_needed_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    for package in ("evo_snn", "genomes", "hardware", "analysis"):
        expected = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).rglob("*.py")
            if "notebooks" not in path.parts
        }
        assert expected <= names
        assert f"{package}/py.typed" in names
    presets = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "hardware/presets").rglob("*.toml")
    }
    assert presets
    assert presets <= names
    assert any(name.endswith("LICENSE") for name in names)
    tops = {name.partition("/")[0] for name in names}
    (information,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {"evo_snn", "genomes", "hardware", "analysis", information}
    commands = zipfile.ZipFile(wheel).read(f"{information}/entry_points.txt").decode()
    assert "evo-snn = evo_snn.commands:main" in commands


def test_the_wheels_examples_are_those_of_runs(wheel):
    archive = zipfile.ZipFile(wheel)
    packed = {name for name in archive.namelist() if name.startswith("evo_snn/examples/")}
    runs = ROOT / "runs"
    expected = {path.name: path for kind in ("*.toml", "*.py") for path in runs.glob(kind)}

    assert packed == {f"evo_snn/examples/{name}" for name in expected}
    for name, path in expected.items():
        assert archive.read(f"evo_snn/examples/{name}") == path.read_bytes()


def test_the_unpacked_wheel_works_from_another_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments):
        code = f"from evo_snn.commands import main; main({list(arguments)!r})"
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    run("init", "examples")
    assert (elsewhere / "examples" / "digits.toml").is_file()
    assert "spikesim_65nm" in run("chips")
    run(
        *("evolve", "examples/digits.toml", "--out", "run", "--population", "4"),
        *("--generations", "2", "--jobs", "1", "--set", "training.steps=2"),
    )
    assert list((elsewhere / "run" / "figures").glob("*.png"))


def test_requirements_pin_everything_that_setup_asks_for():
    pinned = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    asked = re.findall(
        r'^    "([A-Za-z0-9_-]+)[<>=]', (ROOT / "setup.py").read_text(), re.MULTILINE
    )

    assert len(asked) > 20
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in asked} <= pinned
    # Nothing that exists on one platform alone.
    assert not [name for name in pinned if re.match("nvidia|cuda|triton", name)]


def test_the_version_is_said_once():
    setup = (ROOT / "setup.py").read_text()

    assert "evo_snn.__version__" not in setup
    assert evo_snn.__version__ not in setup
    assert re.fullmatch(r"\d+\.\d+\.\d+", evo_snn.__version__)


def test_every_ruff_exception_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    rules = tomllib.loads(text)["tool"]["ruff"]["lint"]

    for rule in rules["ignore"]:
        assert re.search(rf'"{rule}",\s+# \w', text), f"{rule} is ignored without a reason"


def test_run_folders_and_caches_stay_out_of_git():
    for name in ("runs/out/a/run.sqlite", ".venv/bin/python", "evo_snn/__pycache__/a.pyc"):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
        if ignored.returncode == 128:
            pytest.skip("no git checkout")
        assert ignored.returncode == 0, name
    assert not [name for name in tracked() if name.endswith((".sqlite", ".safetensors", ".pkl"))]


def test_the_makefile_has_its_targets():
    text = (ROOT / "Makefile").read_text()

    for target in ("evolve", "test", "lint", "bench"):
        assert re.search(rf"^{target}: \$\(STAMP\)$", text, re.MULTILINE)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
