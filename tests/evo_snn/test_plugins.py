"""What is recorded of plug-ins, and that a file runs as it was read."""

import hashlib
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from evo_snn.config_file import load_config
from evo_snn.datasets import (
    OWN_DATASETS,
    dataset_description,
    dataset_descriptions,
    dataset_names,
    load_dataset,
)
from evo_snn.metrics import PACKAGE
from evo_snn.objectives import (
    BUILT_IN,
    all_metrics,
    chosen_metrics,
)
from evo_snn.plugins import (
    PluginFile,
    PluginRecord,
    plugins_of,
    read_plugin,
    record_of,
    run_plugin,
)
from genomes.errors import RequestError
from genomes.plugins import CHIPS, DATASETS, OBJECTIVES, SPACES

COUNTING = """
import evo_snn, itertools
from pathlib import Path

with open({log!r}, "a") as log:
    log.write("run\\n")

@evo_snn.objective(maximise=True)
def value(candidate):
    return 1.0
"""

OBJECTIVE = '''
import evo_snn

@evo_snn.objective(unit="µJ", maximise=False, needs="cost")
def {name}(candidate):
    """Energy."""
    return candidate.cost.energy_uj
'''

LOADER = '''
"""About these data."""
import numpy as np
from evo_snn.datasets import Split

def load(path=None):
    """Noise."""
    x = np.random.default_rng(0).random((40, 1, 4), dtype=np.float32)
    return Split(x, np.arange(40) % 2), Split(x[:2] / 2, np.arange(2)), (0, 1)

def from_file(path):
    """Noise whose seed is in a file."""
    int(path.read_text())
    return load()

def two(a, b):
    return load()

def failing():
    raise KeyError("lost")

def doubles():
    whole, test, labels = load()
    return Split(whole.x.astype(float), whole.y), test, labels

number = 3
'''


# Files


def test_a_file_is_run_once_however_many_threads_ask(tmp_path):
    log = tmp_path / "log"
    file = PluginFile(str(tmp_path / "a.py"), COUNTING.format(log=str(log)).encode())
    with ThreadPoolExecutor(8) as pool:
        modules = list(pool.map(run_plugin, [file] * 32))
    assert len({id(module) for module in modules}) == 1
    assert log.read_text() == "run\n"
    assert modules[0].__file__ == file.path


def test_what_runs_is_what_was_read(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("import evo_snn\n@evo_snn.objective(maximise=True)\ndef a(c):\n    return 1\n")
    file = read_plugin(path)
    path.unlink()
    assert chosen_metrics(["a"], [file])[0].function(None) == 1
    assert chosen_metrics(["a"], [file])[0].origin == str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n\ny = (\n", "line 3: SyntaxError"),
        ("x = 1\n\nraise KeyError('a')\n", "line 3: KeyError: 'a'"),
        ("def f():\n    1 / 0\n\n\nf()\n", "line 2: ZeroDivisionError"),
        ("import json\njson.loads('{')\n", "line 2: JSONDecodeError"),
        ("x = '\x00'\n", "source code string cannot contain null bytes|null byte"),
        ("# -*- coding: nothing -*-\n", "unknown encoding"),
    ],
)
def test_a_files_mistake_is_told_with_its_line(tmp_path, text, says):
    path = tmp_path / "a.py"
    path.write_text(text)
    with pytest.raises(RequestError, match=says) as caught:
        all_metrics([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none.py", tmp_path / "pipe", "a\0b"):
        with pytest.raises(RequestError, match="objectives.plugins"):
            read_plugin(path)


def test_a_dataclass_in_a_file_works(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport evo_snn\n"
        "@dataclass\nclass Box:\n    size: int\n"
        "@evo_snn.objective(maximise=True)\ndef size(c):\n    return Box(3).size\nalias = size\n"
    )
    (metric,) = chosen_metrics(["size"], [path])
    assert metric.function(None) == 3


# Installed objectives


def test_an_installed_objective_is_imported_only_where_it_is_named(offer):
    offer(
        "acme-o",
        {OBJECTIVES: {"lazy_one": "acme_lazy_1:lazy_one", "lazy_two": "acme_lazy_2:lazy_two"}},
        {
            f"acme_lazy_{k}.py": OBJECTIVE.format(name=f"lazy_{n}")
            for k, n in ((1, "one"), (2, "two"))
        },
    )
    (metric,) = chosen_metrics(["lazy_one"])
    assert (metric.needs, metric.known_before_training) == ("cost", "yes")
    assert metric.origin == "acme-o 1.0"
    assert "acme_lazy_1" in sys.modules
    assert "acme_lazy_2" not in sys.modules
    assert all_metrics()["lazy_two"].unit == "µJ"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("gone", "acme_gone:gone", "ModuleNotFoundError"),
        ("plain_function", "json:dumps", "no function under @evo_snn.objective"),
        ("misnamed", "acme_misnamed:other", "metric is 'other'"),
        ("generation", "acme_misnamed:generation", "tables have such a column"),
        ("malformed", "no module at all!", "acme-o 1.0"),
    ],
)
def test_an_installed_objective_that_does_not_work_is_told(offer, caplog, name, value, says):
    text = OBJECTIVE.format(name="other") + OBJECTIVE.format(name="generation")
    offer("acme-o", {OBJECTIVES: {name: value}}, {"acme_misnamed.py": text})
    with pytest.raises(RequestError, match="acme-o 1.0: ") as caught:
        chosen_metrics([name])
    assert says in str(caught.value)
    assert set(all_metrics()) == set(PACKAGE)


def test_a_file_comes_before_what_is_installed(offer, tmp_path):
    offer("acme-o", {OBJECTIVES: {"twice": "acme_twice:twice"}}, {})
    path = tmp_path / "a.py"
    path.write_text(OBJECTIVE.format(name="twice"))
    assert all_metrics([path])["twice"].origin == str(path)
    assert chosen_metrics(["twice"], [path])[0].origin == str(path)


def test_an_unknown_name_is_told_under_its_key():
    with pytest.raises(RequestError, match=r"constraints: got 'aera_mm2'.*'area_mm2'\?"):
        chosen_metrics(["aera_mm2"], field="constraints")


def test_what_metrics_need_agrees_with_what_is_known_before_training():
    for metric in BUILT_IN.values():
        assert (metric.needs == "cost") == (metric.known_before_training == "yes"), metric.name
        assert metric.origin == ""


# Installed data sets


@pytest.fixture
def data(offer):
    names = ("load", "from_file", "two", "failing", "doubles", "number")
    offer(
        "acme-d",
        {DATASETS: {**{name: f"acme_data:{name}" for name in names}, "gone": "acme_none:x"}},
        {"acme_data.py": LOADER},
    )


def test_an_installed_data_set_is_loaded_like_ones_own(data, tmp_path):
    found = load_dataset("load")
    assert (found.name, found.input_shape, found.classes) == ("load", (1, 4), 2)
    assert (len(found.train), len(found.validation), len(found.test)) == (32, 8, 2)
    (tmp_path / "seed").write_text("1")
    again = load_dataset("from_file", tmp_path / "seed")
    assert np.array_equal(again.train.x, found.train.x)
    assert "from_file" in dataset_names()
    assert dataset_description("from_file").splitlines()[0] == "About these data."
    assert "Noise whose seed" in dataset_description("from_file")


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        ("load", "x", r"data.path: .*load comes with a library"),
        ("from_file", None, r"data.path: got nothing.*from_file is read from there"),
        ("from_file", "/nowhere", "acme-d 1.0: FileNotFoundError"),
        ("two", None, "its loader asks for a, b"),
        ("failing", None, "acme-d 1.0: KeyError: 'lost'"),
        ("doubles", None, "training part: x is no array of float32"),
        ("number", None, "no function"),
        ("gone", None, "ModuleNotFoundError"),
        ("lod", None, r"data.name: .*'load'\?"),
    ],
)
def test_a_data_set_that_does_not_work_is_told_in_one_line(data, name, path, says):
    with pytest.raises(RequestError, match=says) as caught:
        load_dataset(name, path)
    assert "\n" not in str(caught.value)


def test_listing_data_sets_leaves_out_what_does_not_work(data):
    found = set(dataset_descriptions())
    assert found - OWN_DATASETS == {"doubles", "failing", "from_file", "load"}
    assert found >= OWN_DATASETS


# Records


def config(**sections):
    return load_config({"data": {"name": "digits"}, "search": {"space": "plain"}, **sections})


def test_evo_snns_own_is_not_recorded():
    assert plugins_of(config(constraints={"area_mm2": 1}), []) == ()


def test_all_that_is_not_evo_snns_own_is_recorded(offer, tmp_path):
    site = offer(
        "acme-all",
        {
            OBJECTIVES: {"outer": "acme_all.inner:outer", "unused": "acme_all:unused"},
            SPACES: {"wide": "acme_all:Wide"},
            CHIPS: {"fast": "acme_all"},
            DATASETS: {"noise": "acme_single:load"},
        },
        {
            "acme_all/__init__.py": "raise RuntimeError('imported')",
            "acme_all/fast.toml": 'inherits = "rram_32nm"',
            "acme_single.py": "raise RuntimeError('imported')",
        },
    )
    path = tmp_path / "a.py"
    path.write_text(OBJECTIVE.format(name="mine"))
    records = plugins_of(
        config(
            objectives={"names": ["accuracy", "mine"], "plugins": [str(path)]},
            constraints={"outer": 3},
            search={"space": "wide"},
            data={"name": "noise"},
            hardware={"chip": "fast"},
        ),
        [read_plugin(path)],
    )
    assert [(one.kind, one.name) for one in records] == [
        ("objectives", "a.py"),
        ("objectives", "outer"),
        ("spaces", "wide"),
        ("chips", "fast"),
        ("datasets", "noise"),
    ]
    file, outer, wide, fast, noise = records
    assert file.origin == str(path)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.file == read_plugin(path)
    assert outer.sha256 == wide.sha256 == fast.sha256 != noise.sha256
    assert {one.origin for one in records[1:]} == {"acme-all 1.0"}
    assert outer.file is None
    documents = json.loads(json.dumps([one.to_document() for one in records]))
    assert tuple(PluginRecord.from_document(one) for one in documents) == records

    # The hash is over all code and chips of the package, names included, and over nothing else.
    for name, counts in (("b.py", True), ("fast.toml", True), ("a.pyc", False), ("c.txt", False)):
        before = record_of("spaces", "wide").sha256
        (site / "acme_all" / name).write_text("# changed")
        assert (record_of("spaces", "wide").sha256 != before) == counts, name
    before = record_of("spaces", "wide").sha256
    (site / "acme_all" / "b.py").rename(site / "acme_all" / "c.py")
    assert record_of("spaces", "wide").sha256 != before
    assert record_of("datasets", "noise").sha256 == noise.sha256


def test_a_package_whose_files_are_not_found_is_told(offer):
    offer("acme-x", {SPACES: {"wide": "acme_not_there:Wide"}}, {})
    with pytest.raises(RequestError, match="acme-x 1.0"):
        record_of("spaces", "wide")


def test_own_names_that_a_package_has_too_are_said(offer, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    offer("acme-greedy", {SPACES: {"plain": "acme_greedy:x"}}, {})
    with caplog.at_level("WARNING", "evo_snn"):
        assert plugins_of(config(), []) == ()
    assert "acme-greedy 1.0 is left out" in caplog.text


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"kind": "objectives"},
        {"kind": "other", "name": "a", "origin": "b", "sha256": "c", "source": None},
        {"kind": "spaces", "name": 1, "origin": "b", "sha256": "c", "source": None},
        {"kind": "spaces", "name": "a", "origin": "b", "sha256": "c", "source": 3},
        {"kind": "spaces", "name": "a", "origin": "b", "sha256": "c", "source": None, "more": 1},
    ],
)
def test_what_is_no_record_is_told(document):
    with pytest.raises(RequestError, match="plugins"):
        PluginRecord.from_document(document)


def test_a_record_of_any_bytes_is_whole(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\r\n#" + bytes(range(128, 256)) + b"\n")
    path.write_bytes(path.read_bytes() + OBJECTIVE.format(name="mine").encode("latin-1"))
    file = read_plugin(path)
    (record,) = plugins_of(config(objectives={"names": ["mine"], "plugins": [str(path)]}), [file])
    again = PluginRecord.from_document(json.loads(json.dumps(record.to_document())))
    assert again.file == file
    assert again.file.sha256 == record.sha256
    assert chosen_metrics(["mine"], [again.file])[0].unit == "µJ"
