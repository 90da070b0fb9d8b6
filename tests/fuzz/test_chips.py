"""Malformed chips: files that users wrote, what they inherit, and overrides of parameters."""

import json
import math
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.workload import load_workloads
from hardware import chip_names, estimate, load_chip

ROOT = Path(__file__).parents[2]
PRESETS = [ROOT / "hardware" / "presets" / f"{name}.toml" for name in
           ("rram_32nm", "spikesim_65nm", "rram_adcsurvey_32nm")]  # fmt: skip
WORKLOAD = ROOT / "tests" / "data" / "vgg9_workload.json"

OWN = """
inherits = "rram_32nm"
name = "mine"
summary = "a chip"
[parameters]
cell_bits = 2
adc_share = {value = 8, source = "a paper", conditions = "cold"}
"""


def assert_costs(costs):
    for cost in costs:
        numbers = (cost.area_mm2, cost.energy_uj, cost.latency_ms, cost.utilisation)
        assert all(math.isfinite(number) and number >= 0 for number in numbers)


def judge(command, path):
    outcome = command("estimate", WORKLOAD, "--chip", path, "--json")
    if outcome.status == 0:
        (cost,) = json.loads(outcome.out)
        assert math.isfinite(cost["area_mm2"])
        assert cost["energy_uj"] >= 0
    else:
        outcome.assert_refused()


def values():
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.dates(),
        st.sampled_from([0, -1, 1, 8, 1e-300, 1e300, 10**400, 2**63, "SAR", "rram_32nm", "", "\0"]),
    )  # fmt: skip
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=6,
    )


def parameter_names():
    known = [each.name for name in chip_names() for each in load_chip(name).parameters]
    return st.sampled_from([*sorted(set(known)), "", "cell_bit", "name", "\u0441ell_bits"])


def test_bytes_of_a_chip(tries, mutate, command, tmp_path):
    sources = [*(path.read_bytes() for path in PRESETS), OWN.encode(), OWN.encode()]
    path = tmp_path / "c.toml"
    for rng in tries.seeds():
        path.write_bytes(mutate(rng.choice(sources), rng))
        judge(command, path)


def test_values_of_a_chip(tries, command, tmp_path):
    path = tmp_path / "c.toml"
    fields = ["value", "unit", "source", "range", "choices", "description", "conditions",
              "by_technology_nm", "valu"]  # fmt: skip
    places = st.one_of(
        st.tuples(st.sampled_from(["name", "model", "summary", "inherits", "parameters", "x"])),
        st.tuples(st.just("parameters"), parameter_names()),
        st.tuples(st.just("parameters"), parameter_names(), st.sampled_from(fields)),
    )
    whole = tomllib.loads(PRESETS[0].read_text())
    own = tomllib.loads(OWN)

    @given(st.sampled_from([whole, own, own]), st.lists(st.tuples(places, values()), max_size=3))
    def check(source, changes):
        document = json.loads(json.dumps(source))
        for place, value in changes:
            inner = document
            for part in place[:-1]:
                if not isinstance(inner.get(part), dict):
                    inner[part] = {}
                inner = inner[part]
            inner[place[-1]] = value
        try:
            path.write_text(tomli_w.dumps(document))
        except (TypeError, ValueError, AttributeError):  # TOML has no null
            path.write_text(f"x = {json.dumps(document, default=str)}")
        judge(command, path)

    tries.examples(check)


def test_overrides_of_a_chip(tries, command, one_line):
    workloads = load_workloads(WORKLOAD)
    chips = st.sampled_from(chip_names())

    @given(chips, st.dictionaries(parameter_names(), values(), min_size=1, max_size=3))
    def check(name, overrides):
        try:
            chip = load_chip(name, overrides)
        except RequestError as error:
            one_line(error)
        else:
            assert_costs(estimate(workloads, chip))
        words = (f"--set={key}={value}" for key, value in overrides.items())
        outcome = command("estimate", WORKLOAD, "--chip", name, *words, "--json")
        if outcome.status:
            outcome.assert_refused()

    tries.examples(check)


def test_every_parameter_at_its_ends_costs_finite_numbers_or_is_refused(command):
    """Corners of the ranges, where a model may overflow or divide by nothing."""
    workloads = load_workloads(WORKLOAD)
    for name in chip_names():
        for parameter in load_chip(name).parameters:
            for value in parameter.choices or parameter.range or ():
                wanted = int(value) if isinstance(parameter.value, int) else value
                try:
                    chip = load_chip(name, {parameter.name: wanted})
                except RequestError:
                    continue
                assert_costs(estimate(workloads, chip))


@pytest.mark.parametrize(
    "text",
    [
        'inherits = "c.toml"', 'inherits = "./c.toml"', 'inherits = "x/../c.toml"', "inherits = 3",
        'inherits = "/dev/zero.toml"', 'inherits = ""', "inherits = []",
        'inherits = "\\u0000.toml"', 'model = "crossbar"',
        'name = 1\nmodel = "crossbar"\n[parameters]',
        "parameters = 3",
        'inherits = "rram_32nm"\nmodel = "spikesim"', 'inherits = "rram_32nm"\nmodel = 3',
        'inherits = "rram_32nm"\nparameters.cell_bits = 0x' + "f" * 9000,
        'inherits = "rram_32nm"\nparameters.cell_bits = ' + "[" * 9000,
        'inherits = "rram_32nm"\nparameters.cell_bits.by_technology_nm = {"x" = 1}',
    ],
)  # fmt: skip
def test_small_files(command, tmp_path, text):
    (tmp_path / "x").mkdir()
    path = tmp_path / "c.toml"
    path.write_text(text)
    command("estimate", WORKLOAD, "--chip", path).assert_refused()
    command("chips", path).assert_refused()
