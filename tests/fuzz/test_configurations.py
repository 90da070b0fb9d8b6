"""Malformed configurations: none starts a search, none leaves a run folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.config import Config, OnChipSection
from evo_snn.config_file import load_config, parse_set, to_toml
from evo_snn.plan import make_plan
from genomes.errors import RequestError

RUNS = Path(__file__).parents[2] / "runs"

FULL = """
[data]
name = "digits"
validation_fraction = 0.2
[search]
space = "plain"
algorithm = "nsga2"
population = 8
offspring = 4
generations = 2
seed = 0
[space]
widths = [4, 8]
kernels = [1, 3]
max_stages = 2
[training]
steps = 5
batch_size = 64
learning_rate = 1e-2
weight_decay = 0.0
evaluations = 3
device = "cpu"
[inheritance]
strategy = "parents"
[hardware]
chip = "rram_32nm"
cell_bits = 1
columns_per_adc = 8
[hardware.genes]
crossbar_size = [64, 128]
adc_kind = ["sar", "flash"]
[on_chip]
device = "none"
variation = 0.1
instances = 2
path = "auto"
train_with_noise = false
[objectives]
names = ["accuracy", "area_mm2"]
[constraints]
area_mm2 = 100
accuracy = {min = 0.1}
[workers]
jobs = 1
backend = "sequential"
[hypervolume.box]
accuracy = [1.0, 0.0]
[weights]
keep = "all"
"""


def keys():
    sections = {name: field.annotation for name, field in Config.model_fields.items()}
    known = [
        f"{section}.{key}"
        for section, model in sections.items()
        if hasattr(model, "model_fields")
        for key in model.model_fields
    ]
    known += [f"on_chip.{key}" for key in OnChipSection.model_fields]
    return st.sampled_from(
        [
            *known,
            *sections,
            *("space.widths", "space.kernels", "space.max_stages", "space.leaks", "space.nme"),
            *("hardware.cell_bits", "hardware.adc_levels", "hardware.technology_nm"),
            *("hardware.genes.cell_bits", "hardware.genes.crossbar_size", "hardware.genes.nme"),
            *("hardware.genes.rows_per_read", "hardware.genes.technology_nm", "on_chip.nme"),
            *("constraints.accuracy_on_chip", "constraints.accuracy_after_1e5", "on_chip.stuck_on"),
            *("hardware.nme", "constraints.area_mm2", "constraints.area_mm2.max"),
            *("constraints.accuracy.min", "constraints.nme", "hypervolume.box.area_mm2"),
            *("hypervolume.box.nme", "trainig.steps", "environment.torch", "", "a.b.c.d"),
        ]
    )


def scalars():
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 10**400]),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            ["", ".", "digits", "npz", "/dev/zero", "\0", "~nobody/x", "x" * 5000, "a\nb", "\x1b["]
        ),
        st.binary(max_size=4),
        st.dates(),
    )


def values():
    small = st.recursive(
        scalars(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | keys(), inner)
        ),
        max_leaves=8,
    )
    lists = st.lists(
        st.sampled_from(["accuracy", "area_mm2", "energy_uj", "accuracy_on_chip", "x", 1, 3, 64]),
        max_size=4,
    )
    return small | lists


def plan_of(source, overrides=None):
    """The configuration, planned; None where it is refused in one line."""
    try:
        config = load_config(source, overrides)
        make_plan(config)
    except RequestError:
        return None
    assert load_config(_parsed(to_toml(config))) == config
    return config


def _parsed(text):
    import tomllib

    return tomllib.loads(text)


def test_the_full_configuration_is_a_right_one():
    assert plan_of(_parsed(FULL)) is not None


def test_bytes_of_a_configuration(tries, mutate, command, tmp_path, untouched):
    sources = [(RUNS / "digits.toml").read_bytes(), FULL.encode(), FULL.encode()]
    path = tmp_path / "c.toml"
    for rng in tries.seeds():
        path.write_bytes(mutate(rng.choice(sources), rng))
        if plan_of(path) is None:
            command("evolve", path, "--out", untouched / "run").assert_refused()


def test_values_of_a_configuration(tries, untouched):
    document = _parsed(FULL)

    @given(st.dictionaries(keys(), values(), min_size=1, max_size=3))
    def check(overrides):
        plan_of(document, overrides)

    tries.examples(check)


def test_what_set_takes(tries, command, untouched):
    pieces = st.sampled_from(
        ["=", ".", "[", "]", "{", "}", '"', "'", "\n", "\0", "1", "9" * 5000, "nan", "1e999", "#",
         "0x" + "f" * 5000, "true", "training.steps", "search.seed", "space.widths", "x", " ", "é",
         "\udcff", "constraints.area_mm2", "-", "1979-05-27", "[" * 2000, "a." * 2000]
    )  # fmt: skip
    words = st.lists(pieces, max_size=6).map("".join) | st.text(max_size=30)

    @given(words)
    def check(text):
        try:
            key, value = parse_set(text)
            valid = plan_of(RUNS / "digits.toml", {key: value}) is not None
        except RequestError:
            valid = False
        if not valid:
            arguments = ("evolve", RUNS / "digits.toml", "--out", untouched / "run")
            command(*arguments, f"--set={text}").assert_refused()

    tries.examples(check)


@pytest.mark.parametrize(
    "text",
    [
        "", "\0", "x", "[]", "[[data]]", "data = 1", "[data]\nname = 1", "a = " + "[" * 9000,
        "[data]\nname='digits'\n[data]\nname='digits'", "[data]\nname='digits'",
        "[data]\nname='digits'\n[search]\nspace=''", "[search]\nspace='plain'",
        "x = 1\nx = 2", "data.name.x.y.z = 1", "\ufeff[data]", "a.b" * 9000,
        "[data]\nname='digits'\n[search]\nspace='plain'\nseed=0x" + "f" * 9000,
    ],
)  # fmt: skip
def test_small_files(command, tmp_path, untouched, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    command("evolve", path, "--out", untouched / "run").assert_refused()
