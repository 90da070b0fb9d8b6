import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evo_snn.config import Bounds, Config, usable_cores
from evo_snn.config_file import load_config, parse_set, to_toml
from evo_snn.datasets import dataset_options
from evo_snn.datasets.loader import checked_options
from evo_snn.objectives import chosen_metrics
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import DEFAULT_CHIP

MINIMAL = {"data": {"name": "digits"}, "search": {"space": "plain"}}


def test_defaults_are_the_documented_ones():
    config = load_config(MINIMAL)

    assert config.data.validation_fraction == 0.2
    assert config.data.path is None
    assert (config.search.algorithm, config.search.seed) == ("nsga2", 0)
    assert (config.search.population, config.search.generations) == (24, 10)
    assert (config.training.steps, config.training.batch_size) == (60, 64)
    assert config.inheritance.strategy == "none"
    assert config.hardware.chip == DEFAULT_CHIP
    assert config.hardware.overrides == {}
    assert config.objectives.names == ("accuracy", "area_mm2", "energy_uj", "latency_ms")
    assert config.constraints == {}
    assert config.workers.jobs == usable_cores()
    assert config.weights.keep == "needed"


def test_a_file_a_mapping_and_a_configuration_give_the_same(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[data]\nname = "digits"\n[search]\nspace = "plain"\n')

    config = load_config(path)

    assert config == load_config(str(path)) == load_config(MINIMAL) == load_config(config)


def test_relative_paths_of_a_file_start_at_its_folder(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "run.toml"
    path.write_text(
        '[data]\nname = "npz"\npath = "../a.npz"\n[search]\nspace = "plain"\n'
        '[objectives]\nplugins = ["mine.py"]\n[hardware]\nchip = "chip.toml"\n'
    )
    monkeypatch.chdir("/")

    config = load_config(path)

    assert config.data.path == tmp_path / "deep" / ".." / "a.npz"
    assert config.objectives.plugins == (tmp_path / "deep" / "mine.py",)
    assert config.hardware.chip == str(tmp_path / "deep" / "chip.toml")


def test_relative_paths_of_overrides_start_at_the_current_folder(tmp_path, monkeypatch):
    path = tmp_path / "run.toml"
    path.write_text('[data]\nname = "npz"\npath = "a.npz"\n[search]\nspace = "plain"\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    assert load_config(path, {"data.path": "b.npz"}).data.path == elsewhere / "b.npz"
    assert load_config(path, {"search.seed": 3}).data.path == tmp_path / "a.npz"


def test_a_chip_of_the_presets_is_no_path():
    assert load_config(MINIMAL, {"hardware.chip": "spikesim_65nm"}).hardware.chip == "spikesim_65nm"


def test_other_keys_of_hardware_override_the_chip():
    config = load_config(MINIMAL, {"hardware.crossbar_rows": 32, "hardware.chip": "x"})

    assert config.hardware.overrides == {"crossbar_rows": 32}


def test_overrides_reach_into_nested_tables():
    config = load_config(
        MINIMAL,
        {
            "space.widths": [8, 16],
            "constraints.area_mm2": 5,
            "constraints.accuracy.min": 0.5,
            "training": {"steps": 7},
            "hypervolume.box.energy_uj": [0.1, 10],
        },
    )

    assert config.space == {"widths": [8, 16]}
    assert config.constraints == {"area_mm2": 5.0, "accuracy": Bounds(min=0.5)}
    assert config.training.steps == 7
    assert config.training.batch_size == 64
    assert config.hypervolume.box == {"energy_uj": (0.1, 10.0)}


def test_overrides_leave_the_source_alone():
    source = {"data": {"name": "digits"}, "search": {"space": "plain"}, "space": {"a": 1}}

    load_config(source, {"space.a": 2, "search.seed": 5})

    assert source["space"] == {"a": 1}
    assert source["search"] == {"space": "plain"}


def test_the_environment_that_a_run_records_is_no_part_of_it():
    assert load_config({**MINIMAL, "environment": {"torch": "2.0"}}) == load_config(MINIMAL)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.step=3", r"training: got 'step'.*Did you mean 'steps'\?"),
        ("trainin.steps=3", r"section: got 'trainin'.*Did you mean 'training'\?"),
        ("training.steps=0", r"training.steps: got 0; allowed: greater than or equal to 1"),
        ("training.steps=many", r"training.steps: got 'many'; allowed: a valid integer"),
        ("training.steps=true", r"training.steps: got True"),
        ("training.learning_rate=nan", r"training.learning_rate: got nan"),
        ("search.population=1000000000", r"search.population: .*less than or equal to 100000"),
        ("search.generations=1000001", r"search.generations: .*less than or equal to 1000000"),
        ("workers.jobs=1025", r"workers.jobs: got 1025; allowed: less than or equal to 1024"),
        ("training.device=gpu", r"training.device: got 'gpu'; allowed: cpu, cuda, cuda:N"),
        ("training.device='cuda:'", r"training.device: got 'cuda:'; allowed: cpu, cuda, cuda:N"),
        ("training.device=''", r"training.device: got ''; allowed: cpu, cuda, cuda:N"),
        ("training.device=0", r"training.device: got 0; allowed: cpu, cuda, cuda:N"),
        ("search.algorithm=nsga", r"search.algorithm: got 'nsga'; allowed: 'nsga2'"),
        ("search=3", r"search: got 3; allowed: a table"),
        ("data.validation_fraction=0.9", r"data.validation_fraction: got 0.9"),
        ("data.path=3", r"data.path: got 3; allowed: a path"),
        ("objectives.names=accuracy", r"objectives.names: got 'accuracy'; allowed: a list"),
        ("objectives.names=[]", r"objectives.names: got \[\]; allowed: one or more"),
        ("objectives.names=['a', 'a']", r"each once"),
        ("constraints.area_mm2=small", r"constraints.area_mm2: got 'small'; allowed: a number"),
        ("constraints.area_mm2={max=2,min=3}", r"constraints.area_mm2: got .*allowed: min <= max"),
        ("constraints.area_mm2={mx=3}", r"constraints.area_mm2: got 'mx'.*Did you mean 'max'"),
        ("constraints.area_mm2={}", r"constraints.area_mm2: got \{\}; allowed: a table with min"),
        ("hypervolume.box.accuracy=[1]", r"hypervolume.box.accuracy: got \[1\]; allowed: two"),
        ("weights.keep=some", r"weights.keep: got 'some'; allowed: 'needed', 'all' or 'front'"),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(override, message):
    with pytest.raises(RequestError, match=message):
        load_config(MINIMAL, dict([parse_set(override)]))


@pytest.mark.parametrize("missing", ["data", "search"])
def test_what_has_no_default_is_asked_for(missing):
    document = {name: table for name, table in MINIMAL.items() if name != missing}
    with pytest.raises(RequestError, match=f"{missing}: got nothing"):
        load_config(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"data": {"name": "digits"}, "serch": {"space": "plain"}}, "section: got 'serch'.*'searc"),
        ({"data": {"name": "digits"}, "search": {"spase": "plain"}}, "search: got 'spase'.*'space"),
        ({"data": {"nme": "digits"}, "serch": {"space": "plain"}}, "section: got 'serch'"),
    ],
)
def test_what_is_misspelt_is_named_before_what_is_missing(document, message):
    with pytest.raises(RequestError, match=message):
        load_config(document)


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:12", "mps"])
def test_devices(device):
    assert load_config(MINIMAL, {"training.device": device}).training.device == device


def test_the_limits_are_allowed_and_the_default_of_jobs_keeps_to_its_own(monkeypatch):
    large = {"search.population": 100_000, "search.generations": 1_000_000, "workers.jobs": 1024}
    assert load_config(MINIMAL, large).search.population == 100_000
    monkeypatch.setattr("evo_snn.config.usable_cores", lambda: 4096)
    config = load_config(MINIMAL)
    assert config.workers.jobs == 1024
    assert load_config(config) == config


def test_a_missing_file_and_broken_toml_are_told_in_one_line(tmp_path):
    with pytest.raises(RequestError, match="a TOML file that exists. evo-snn init"):
        load_config(tmp_path / "nope.toml")
    with pytest.raises(RequestError, match="can be read"):
        load_config(tmp_path)
    broken = tmp_path / "broken.toml"
    broken.write_text("[data\n")
    with pytest.raises(RequestError, match="valid TOML.*line 1"):
        load_config(broken)
    broken.write_bytes(b'a = "\xff"\n')
    with pytest.raises(RequestError, match="UTF-8"):
        load_config(broken)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("training.steps=300", "training.steps", 300),
        (" a.b = 1.5 ", "a.b", 1.5),
        ("space.widths=[8, 16]", "space.widths", [8, 16]),
        ("constraints.area_mm2={max = 3}", "constraints.area_mm2", {"max": 3}),
        ("hardware.chip=spikesim_65nm", "hardware.chip", "spikesim_65nm"),
        ("data.path=../a b.npz", "data.path", "../a b.npz"),
        ('data.path="1"', "data.path", "1"),
        ("data.path=a=b", "data.path", "a=b"),
        ("x=true", "x", True),
        ("x=2024-01-01", "x", "2024-01-01"),
        ("x=1\ny = 2", "x", "1\ny = 2"),
    ],
)
def test_set_reads_toml_or_a_bare_word(text, key, value):
    parsed = parse_set(text)

    assert parsed == (key, value)
    assert type(parsed[1]) is type(value)


@pytest.mark.parametrize("text", ["a", "=3", ".=3", "a.=3", "a=", "a=[1", 'a="x', "a={b"])
def test_set_refuses_what_is_neither(text):
    with pytest.raises(RequestError, match="--set"):
        parse_set(text)


names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
positive = st.floats(1e-9, 1e9)
toml_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
constraint = positive | st.fixed_dictionaries({"min": st.floats(-5, 0), "max": st.floats(0, 5)})
documents = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"name": names}, optional={"validation_fraction": st.floats(0.05, 0.5)}
        ),
        "search": st.fixed_dictionaries(
            {"space": names},
            optional={
                "algorithm": st.sampled_from(["nsga2", "random", "spea2", "snasnet"]),
                "population": st.integers(2, 10**5),
                "seed": st.integers(0, 2**63 - 1),
            },
        ),
    },
    optional={
        "space": st.dictionaries(names, toml_values, max_size=4),
        "training": st.fixed_dictionaries({"learning_rate": positive, "steps": st.integers(1)}),
        "hardware": st.dictionaries(
            names.map("h_{}".format), st.integers(0, 99) | st.floats(0, 1) | st.text(), max_size=3
        ),
        "constraints": st.dictionaries(names, constraint, max_size=3),
        "objectives": st.fixed_dictionaries(
            {"names": st.lists(names, min_size=1, unique=True), "plugins": st.lists(names)}
        ),
        "hypervolume": st.fixed_dictionaries(
            {"box": st.dictionaries(names, st.tuples(positive, positive), max_size=3)}
        ),
    },
)


@given(documents)
@example({**MINIMAL, "space": {"a": float("inf"), "b": [-0.0, {"c": True}]}})
def test_the_resolved_configuration_reads_back_equal(document):
    config = load_config(document)

    text = to_toml(config)
    again = load_config(tomllib.loads(text))

    assert isinstance(again, Config)
    assert again == config == load_config(config)
    assert again.hardware.overrides == config.hardware.overrides
    assert to_toml(again) == text


SHAPES = {  # of one sample, or frame, as each example's data set and options make them
    "digits": (1, 8, 8),
    "npz": (3, 32, 32),
    "fashion_mnist": (1, 28, 28),
    "nmnist": (2, 34, 34),
    "mitbih": (1, 64),
    "spectra": (1, 200),
    "salinas_a": (1, 16, 5, 5),
    "scene": (1, 2, 7, 7),
}
EXAMPLES = sorted((Path(__file__).parents[2] / "runs").glob("*.toml"))


def test_there_are_examples_of_every_kind_of_data():
    assert {load_config(path).data.name for path in EXAMPLES} == set(SHAPES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path):
    config = load_config(path)
    data, shape = config.data, SHAPES[config.data.name]
    options = checked_options(dataset_options(data.name), data.options, data.name)
    frames = getattr(options, "frames", 0)

    space = make_space(config.search.space, shape, 10, config.space, frames)
    architecture = space.decode(space.sample(1, np.random.default_rng(0))[0])

    assert (architecture.classes, architecture.frames) == (10, frames)
    assert tuple(one.name for one in chosen_metrics(config.objectives.names)) == (
        config.objectives.names
    )


@pytest.mark.parametrize(("text", "value"), [(".5", 0.5), ("5.", 5.0), ("05", 5), ("rram", "rram")])
def test_a_number_as_people_write_it_is_a_number(text, value):
    key, parsed = parse_set(f"hardware.x={text}")
    assert (key, parsed, type(parsed)) == ("hardware.x", value, type(value))


def test_later_generations_are_never_larger_than_the_population():
    def children(**search):
        tables = {"data": {"name": "digits"}, "search": {"space": "plain", **search}}
        return load_config(tables).search.children

    assert children(population=10) == 10
    assert children(population=10, offspring=4) == 4
    assert children(population=10, offspring=40) == 10
