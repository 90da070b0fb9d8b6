"""All faults are tried once, by one process with the shim preloaded; the tests look at outcomes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

EVERY = "EVO_SNN_EVERY_FAULT"  # an environment variable: try them all, which takes ten minutes
ONCE, LASTING = 16, 4  # calls of each scenario that fail with each error


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux":
        pytest.skip("faults are injected by what Linux's dynamic linker and /proc offer")
    if compiler is None:
        pytest.skip("there is no C compiler to make the library that injects faults")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", library, HERE / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.fixture(scope="session")
def outcomes(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each fault, by kind; see `driver.py`."""
    base = tmp_path_factory.mktemp("faults")
    results = tmp_path_factory.mktemp("outcomes") / "outcomes.json"
    counts = ("10000", "10000") if os.environ.get(EVERY) else (str(ONCE), str(LASTING))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.driver", shim, base, results, *counts],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(results.read_text())
    return found
