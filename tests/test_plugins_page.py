"""What docs/plugins.md shows is a package that works, and a search that uses it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The example that begins with the name of its file."""
    found = re.findall(rf"^```\w+\n# {re.escape(name)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, name
    return found[0]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder that holds the page's package as if it were installed there."""
    files = {
        "__init__.py": "",
        "objectives.py": block("my_objectives.py"),
        "spaces.py": block("spaces.py"),
        "waves.py": block("waves.py"),
        "chips/acme_wide.toml": block("acme_wide.toml"),
    }
    for name, text in files.items():
        path = tmp_path / "site" / "acme_snn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project = tomllib.loads(block("pyproject.toml"))["project"]
    information = tmp_path / "site" / "acme_snn-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(points))
    return tmp_path / "site"


def run(*arguments: object, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_packages_own_tests_pass(package: Path) -> None:
    (package.parent / "test_plugins.py").write_text(block("test_plugins.py"))
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_plugins.py", site=package)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_search_uses_all_of_it(package: Path) -> None:
    configuration = package.parent / "search.toml"
    section = re.findall(r"^```toml\n(\[objectives\].*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    installed = section.replace('plugins = ["my_objectives.py"]\n', "")
    assert installed != section
    configuration.write_text(
        f'{installed}\n[data]\nname = "waves"\n[search]\nspace = "single"\npopulation = 4\n'
        'generations = 1\n[training]\nsteps = 2\n[hardware]\nchip = "acme_wide"\n'
        "[workers]\njobs = 1\n"
    )
    program = "from evo_snn.commands import main; main()"
    done = run("-c", program, "evolve", configuration, "--out", "run", "--no-figures", site=package)
    assert done.returncode == 0, done.stderr
    done = run("-c", program, "candidates", "run", "--json", site=package)
    found = json.loads(done.stdout)["candidates"]
    assert {one["state"] for one in found} == {"ok"}
    assert all(one["metrics"]["hottest_layer_uj"] <= 0.5 for one in found)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
