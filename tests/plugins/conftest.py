"""Small packages of other people's, built and installed by pip into a folder of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(__file__).parent / "packages"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the packages are installed in."""
    sources = tmp_path_factory.mktemp("sources")
    copies = [
        shutil.copytree(each, sources / each.name, ignore=shutil.ignore_patterns("__pycache__"))
        for each in sorted(PACKAGES.iterdir())
    ]
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--target", str(target), *map(str, copies)),
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    return target


@pytest.fixture
def python(tmp_path: Path) -> Command:
    """Run Python in an empty folder, with evo_snn and further folders to import from."""

    def run(*arguments: object, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def evo_snn(python: Command, installed: Path) -> Command:
    """The command line where the packages are installed."""

    def run(*arguments: object, path: tuple[Path, ...] | None = None):
        program = "from evo_snn.commands import main; main()"
        return python("-c", program, *arguments, path=(installed,) if path is None else path)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small search that uses one plug-in of each kind."""
    path = tmp_path / "search.toml"
    path.write_text(
        f"""
        [data]
        name = "waves"
        [search]
        space = "dense"
        population = 4
        generations = 2
        [training]
        steps = 2
        [hardware]
        chip = "acme_wide"
        [objectives]
        names = {json.dumps(["accuracy", "area_mm2", "hottest_layer_uj"])}
        [workers]
        jobs = 1
        backend = "sequential"
        """
    )
    return path
