"""Who may import whom, what stays light, and that our common words are our own."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evo_snn
from evo_snn.guard import require_own

ROOT = Path(__file__).parents[1]
PACKAGES = ("genomes", "hardware", "evo_snn", "analysis")
HEAVY = ("torch", "norse", "pymoo", "pandas", "matplotlib", "seaborn", "sklearn")


def imports_of(path):
    """Every absolute module name that a file imports, at any depth of its code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(folder):
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def offenders(files, forbidden):
    """Files that import a module below one of the forbidden names."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports_of(path)
        if any(f"{name}.".startswith(f"{each}.") for each in forbidden)
    ]


def test_genomes_imports_nothing_of_ours():
    assert offenders(sources("genomes"), ["hardware", "evo_snn", "analysis"]) == []


def test_hardware_imports_genomes_alone():
    assert offenders(sources("hardware"), ["evo_snn", "analysis"]) == []


def test_networks_know_genomes_and_no_search():
    allowed = ("evo_snn.snn", "genomes")
    # What a chip's cells do to a network is the one place where both meet.
    of_chips = {"on_chip.py", "places.py", "reads.py"}
    names = [
        f"{path.name} imports {name}"
        for path in sources("evo_snn/snn")
        for name in imports_of(path)
        if name.partition(".")[0] in PACKAGES
        and not any(f"{name}.".startswith(f"{each}.") for each in allowed)
        and not (path.name in of_chips and name.startswith("hardware."))
    ]
    assert names == []


def test_only_the_command_line_imports_analysis():
    engine = [path for path in sources("evo_snn") if "commands" not in path.parts]
    assert offenders(engine, ["analysis"]) == []


def test_analysis_sees_runs_and_never_the_search():
    allowed = {
        "candidate",
        "class_map",
        "config",
        "config_file",
        "datasets",
        "guard",
        "measured",
        "pareto",
        "recost",
        "run",
        "store",
    }
    engine = {path.stem for path in (ROOT / "evo_snn").glob("*.py")} - allowed - {"__init__"}
    forbidden = [f"evo_snn.{name}" for name in (*engine, "snn", "commands")]
    assert "evo_snn.search" in forbidden
    assert offenders(sources("analysis"), forbidden) == []


@pytest.mark.parametrize("package", ["genomes", "hardware"])
def test_genomes_and_hardware_need_numpy_and_pydantic_alone(package):
    # The module that perturbs torch weights is the one exception.
    files = [path for path in sources(package) if path.stem != "nonideal"]
    assert offenders(files, HEAVY) == []


def test_nothing_unpickles():
    # The reader of CIFAR's tables knows four names, and puts records of its own in their place.
    harmless = ROOT / "evo_snn" / "datasets" / "python_pickles.py"
    files = [path for package in PACKAGES for path in sources(package) if path != harmless]
    assert offenders(files, ["pickle", "cloudpickle", "dill", "marshal", "shelve"]) == []


def python(code, folder=ROOT, **environment):
    """Run code in a fresh interpreter, which finds the packages of this checkout."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def loaded_by(code):
    """Which of the heavy packages are loaded after some code."""
    report = f"""
import json, sys
try:
    {code}
except SystemExit as stop:
    assert not stop.code, stop.code
print()
print(json.dumps([name for name in {(*HEAVY, "numba")!r} if name in sys.modules]))
"""
    result = python(report)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_the_package_is_light():
    assert loaded_by("import evo_snn") == set()
    assert loaded_by("import genomes, hardware") == set()


def test_help_loads_nothing_heavy():
    assert loaded_by("from evo_snn.commands import main; main(['--help'])") == set()


def test_looking_at_a_run_loads_no_torch(tmp_path):
    make = f"""
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.store import Store
with Store.create({str(tmp_path / "run")!r}, environment={{}}, space={{}}, constraints={{}},
                  config_toml='[data]\\nname="digits"\\n[search]\\nspace="plain"',
                  objectives=[ObjectiveRecord("accuracy", True)]) as store:
    store.record(Candidate("aa", (0,), (), 0, "ok", {{"accuracy": 0.5}}))
"""
    assert python(make).returncode == 0
    for arguments in (["front"], ["candidates"], ["show", "aa"], ["status"]):
        line = [arguments[0], str(tmp_path / "run"), *arguments[1:]]
        code = f"from evo_snn.commands import main; main({line!r})"
        assert loaded_by(code) <= {"pandas"}
    code = f"from evo_snn.integrity import check; check({str(tmp_path / 'run')!r})"
    assert loaded_by(code) == set()


def test_costing_a_run_on_other_chips_loads_no_torch(tmp_path):
    make = f"""
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.store import Store
layer = {{"name": "a", "kind": "linear", "in_features": 64, "out_features": 10}}
workload = {{"schema": "evo-snn workload 1", "timesteps": 4, "layers": [layer]}}
with Store.create({str(tmp_path / "run")!r}, environment={{}}, space={{}}, constraints={{}},
                  config_toml='[data]\\nname="digits"\\n[search]\\nspace="plain"',
                  objectives=[ObjectiveRecord("accuracy", True)]) as store:
    store.record(Candidate("aa", (0,), (), 0, "ok", {{"accuracy": 0.5}}, trained=True,
                           workload=workload))
"""
    made = python(make)
    assert made.returncode == 0, made.stderr
    line = ["recost", str(tmp_path / "run"), "--chip", "spikesim_65nm", "--json"]
    assert loaded_by(f"from evo_snn.commands import main; main({line!r})") <= {"pandas"}


def test_estimating_loads_nothing_heavy(tmp_path):
    layer = {"name": "a", "kind": "linear", "in_features": 64, "out_features": 10}
    workload = {"schema": "evo-snn workload 1", "timesteps": 4, "layers": [layer]}
    path = tmp_path / "workload.json"
    path.write_text(json.dumps(workload))
    for more in (["--json"], [], ["--sweep", "timesteps=1,2"], ["--sensitivity"]):
        line = ["estimate", str(path), *more]
        assert loaded_by(f"from evo_snn.commands import main; main({line!r})") == set()
    line = ["estimate", str(path), "--figure", str(tmp_path / "figure.svg")]
    heavy = loaded_by(f"from evo_snn.commands import main; main({line!r})")
    assert heavy.isdisjoint({"torch", "norse", "pymoo", "sklearn"})


@pytest.mark.parametrize("kind", ["spaces", "chips", "datasets", "objectives"])
def test_listing_what_can_be_named_loads_nothing_heavy(kind):
    assert loaded_by(f"from evo_snn.commands import main; main([{kind!r}])") == set()


def test_the_contract_of_a_chip_loads_nothing_heavy():
    code = "import evo_snn.testing.chips, evo_snn.testing.spaces, evo_snn.testing.datasets"
    assert loaded_by(code) == set()


def test_everything_that_is_offered_is_there():
    for name in evo_snn.__all__:
        assert getattr(evo_snn, name) is not None
        assert name in dir(evo_snn)
    assert set(evo_snn._HOMES) == set(evo_snn.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'evolv'"):
        _ = evo_snn.evolv


@pytest.mark.parametrize("name", ["genomes", "hardware"])
@pytest.mark.parametrize("kind", ["file", "package", "folder"])
def test_a_name_that_is_shadowed_is_told_in_one_line(tmp_path, name, kind):
    if kind == "file":
        shadow = tmp_path / f"{name}.py"
        shadow.write_text("raise SystemExit('it was imported')")
    else:
        shadow = tmp_path / name
        shadow.mkdir()
        if kind == "package":
            (shadow / "__init__.py").write_text("raise SystemExit('it was imported')")
    # As in an editable install, where the packages are found after the folders of the path.
    code = f"""
import importlib.machinery, sys
class Finder:
    def find_spec(name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, [{str(ROOT)!r}])
sys.meta_path.append(Finder)
import evo_snn
"""
    clean = tmp_path / "clean"
    clean.mkdir()
    assert python(code, clean, PYTHONPATH="").returncode == 0

    result = python(code, tmp_path, PYTHONPATH="")

    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last == (
        f"ImportError: evo_snn needs its own package {name!r} in {ROOT}, but Python finds {shadow}"
        " first: rename that, or run from another folder."
    )


def test_a_shadowed_analysis_is_told_when_it_is_needed(tmp_path, monkeypatch):
    require_own("analysis")
    (tmp_path / "analysis.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "analysis", raising=False)
    with pytest.raises(ImportError, match=r"own package 'analysis' .*analysis.py first"):
        require_own("analysis")
    with pytest.raises(ImportError, match="install evo_snn again"):
        require_own("no_such_package_of_ours")


def test_the_command_line_tells_a_shadowed_name_in_one_line(tmp_path):
    (tmp_path / "analysis.py").touch()
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
from evo_snn.commands import evolve
from evo_snn import commands
import evo_snn.commands.evolve as module
sys.modules["evo_snn.search"] = type(sys)("evo_snn.search")
import evo_snn
evo_snn.search = sys.modules["evo_snn.search"]
evo_snn.search.evolve = lambda *a, **k: None
evo_snn.search.NothingFeasible = KeyError
commands.main(["evolve", "a.toml"])
"""
    result = python(code, tmp_path, PYTHONPATH="")

    assert result.returncode == 1
    assert result.stderr.startswith("error: evo_snn needs its own package 'analysis'")
    assert len(result.stderr.splitlines()) == 1
