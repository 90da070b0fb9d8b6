import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware import DEFAULT_CHIP, chip_names

DATA = Path(__file__).parents[1] / "data"

SMALL = {
    "schema": "evo-snn workload 1",
    "timesteps": 4,
    "layers": [
        {
            "name": "a",
            "kind": "conv2d",
            "in_channels": 1,
            "out_channels": 8,
            "kernel": [3, 3],
            "in_size": [8, 8],
            "out_size": [8, 8],
            "pool": [2, 2],
        },
        {"name": "b", "kind": "linear", "in_features": 128, "out_features": 10},
    ],
}


def scalars():
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, 1, -1, 2**24, 2**24 + 1, 10**12, 2**63, 10**400]),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["", "memory", "digital", "conv2d", "linear", "average", "x" * 5000]),
    )


def values():
    small = st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )
    return small | st.lists(st.sampled_from([1, 3, 0, -1, 2**24]), max_size=4)


def assert_costs(outcome):
    """A correct result: finite numbers, none negative, and parts that make up the total."""
    assert outcome.err == ""
    for cost in json.loads(outcome.out):
        for name in ("area_mm2", "energy_uj", "latency_ms", "interval_ms"):
            assert math.isfinite(cost[name])
            assert cost[name] >= 0
            if name != "interval_ms":
                quantity, _, unit = name.partition("_")
                parts = cost[f"{quantity}_components_{unit}"].values()
                assert math.isclose(sum(parts), cost[name], rel_tol=1e-9)
        assert 0 <= cost["utilisation"] <= 1


def judge(outcome):
    if outcome.status == 0:
        assert_costs(outcome)
    else:
        outcome.assert_refused()


def test_bytes_of_a_workload(tries, mutate, command, tmp_path):
    sources = [
        (DATA / "vgg9_workload.json").read_bytes(),
        json.dumps(SMALL, indent=1).encode(),
        json.dumps([SMALL, SMALL]).encode(),
    ]
    path = tmp_path / "w.json"
    for rng in tries.seeds():
        path.write_bytes(mutate(rng.choice(sources), rng))
        judge(command("estimate", path, "--json"))


def test_values_of_a_workload(tries, command, tmp_path):
    path = tmp_path / "w.json"
    fields = [
        "groups", "stride", "padding", "weight_bits", "input_bits", "input_rate", "output_rate",
        "static_input", "domain", "neuron_state_bits", "pool_kind", "residual_inputs", "nme",
        "current_inputs", "populations", "executed",
        *SMALL["layers"][0], *SMALL["layers"][1],
    ]  # fmt: skip
    places = st.one_of(
        st.tuples(st.sampled_from(["schema", "timesteps", "layers", "timestep"])),
        st.tuples(st.just("layers"), st.sampled_from([0, 1])),
        st.tuples(st.just("layers"), st.sampled_from([0, 1]), st.sampled_from(fields)),
    )

    @given(st.lists(st.tuples(places, values()), min_size=1, max_size=3))
    def check(changes):
        document = json.loads(json.dumps(SMALL))
        for place, value in changes:
            inner = document
            try:
                for part in place[:-1]:
                    inner = inner[part]
                inner[place[-1]] = value
            except (TypeError, IndexError, KeyError):  # an earlier change is in the way
                document = value
        path.write_text(json.dumps(document))
        judge(command("estimate", path, "--json"))

    tries.examples(check)


CONV, LINEAR = SMALL["layers"]
NOT_A_NUMBER, INFINITE = float("nan"), float("inf")

# What no chip should accept: where, what is there, and which field the line names.
WRONG = [
    (("layers", 0, "in_channels"), 0, "layers[0].in_channels"),
    (("layers", 0, "out_channels"), -8, "layers[0].out_channels"),
    (("layers", 0, "out_channels"), 8.0, "layers[0].out_channels"),
    (("layers", 0, "in_channels"), 10**12, "layers[0].in_channels"),
    (("layers", 0, "in_channels"), 10**400, "layers[0].in_channels"),
    (("layers", 0, "kernel"), [3], "layers[0].kernel"),
    (("layers", 0, "kernel"), [0, 3], "layers[0].kernel[0]"),
    (("layers", 0, "kernel"), 3, "layers[0].kernel"),
    (("layers", 0, "kernel"), [], "layers[0].kernel"),
    (("layers", 0, "in_size"), [0, 8], "layers[0].in_size[0]"),
    (("layers", 0, "out_size"), [8, 8, 8], "layers[0].out_size"),
    (("layers", 0, "out_size"), None, "layers[0].out_size"),
    (("layers", 0, "pool"), [9, 9], "layers[0].pool"),
    (("layers", 0, "stride"), [0, 1], "layers[0].stride[0]"),
    (("layers", 0, "padding"), [-1, 0], "layers[0].padding[0]"),
    (("layers", 0, "groups"), 3, "layers[0].groups"),
    (("layers", 0, "groups"), 0, "layers[0].groups"),
    (("layers", 1, "in_features"), "128", "layers[1].in_features"),
    (("layers", 1, "out_features"), True, "layers[1].out_features"),
    (("layers", 1, "weight_bits"), 33, "layers[1].weight_bits"),
    (("layers", 1, "weight_bits"), 0, "layers[1].weight_bits"),
    (("layers", 1, "weight_bits"), 4.5, "layers[1].weight_bits"),
    (("layers", 1, "weight_bits"), "8", "layers[1].weight_bits"),
    (("layers", 1, "input_bits"), 17, "layers[1].input_bits"),
    (("layers", 1, "input_rate"), 1.01, "layers[1].input_rate"),
    (("layers", 1, "input_rate"), -0.01, "layers[1].input_rate"),
    (("layers", 1, "input_rate"), NOT_A_NUMBER, "layers[1].input_rate"),
    (("layers", 1, "output_rate"), INFINITE, "layers[1].output_rate"),
    (("layers", 1, "output_rate"), "0.1", "layers[1].output_rate"),
    (("layers", 1, "output_rate"), None, "layers[1].output_rate"),
    (("layers", 1, "neuron_state_bits"), -1, "layers[1].neuron_state_bits"),
    (("layers", 1, "residual_inputs"), 10**6, "layers[1].residual_inputs"),
    (("layers", 1, "current_inputs"), 10**6, "layers[1].current_inputs"),
    (("layers", 1, "populations"), 0, "layers[1].populations"),
    (("layers", 1, "executed"), 1.5, "layers[1].executed"),
    (("layers", 1, "static_input"), "yes", "layers[1].static_input"),
    (("layers", 1, "domain"), "analog", "layers[1].domain"),
    (("layers", 1, "kind"), "dense", "layers[1].kind"),
    (("layers", 1, "name"), "", "layers[1].name"),
    (("layers", 1, "name"), 3, "layers[1].name"),
    (("layers", 1, "weigth_bits"), 8, "layers[1]"),
    (("layers", 1), {}, "layers[1].kind"),
    (("layers", 1), None, "layers[1]"),
    (("layers", 1), [], "layers[1]"),
    (("layers",), [], "layers"),
    (("layers",), {}, "layers"),
    (("layers",), None, "layers"),
    (("timesteps",), 0, "timesteps"),
    (("timesteps",), -4, "timesteps"),
    (("timesteps",), NOT_A_NUMBER, "timesteps"),
    (("timesteps",), 10**9, "timesteps"),
    (("timesteps",), "4", "timesteps"),
    (("schema",), "evo-snn workload 2", "schema"),
    (("schema",), None, "schema"),
    (("steps",), 4, "workload"),
]


@pytest.mark.parametrize("chip", [DEFAULT_CHIP, "spikesim_65nm"])
@pytest.mark.parametrize(("place", "value", "field"), WRONG)
def test_what_no_chip_accepts_is_one_line_that_names_it(
    place, value, field, chip, command, tmp_path
):
    document = copy.deepcopy(SMALL)
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    outcome = command("estimate", path, "--chip", chip)
    outcome.assert_refused()
    assert outcome.err.startswith(f"error: {field}: got ")
    assert "; allowed: " in outcome.err


@pytest.mark.parametrize("content", ["", "3", "null", '"x"', "[]", "[3]", "{", "[{}]"])
def test_what_is_no_workload_is_one_line(content, command, tmp_path):
    path = tmp_path / "w.json"
    path.write_text(content)
    command("estimate", path).assert_refused()


@pytest.mark.parametrize(
    "setting",
    ["crossbar_rows=1", "crossbar_columns=0", "crossbar_rows=-64", "crossbar_rows=nan",
     "crossbar_rows=1e400", "crossbar_rows=64.5", "crossbar_rows='64'", "cell_bits=33",
     "adc_levels=7", "sum_toggle=1.5", "r_on_ohm=-1", "r_on_ohm=inf", "technology_nm=28"],
)  # fmt: skip
def test_a_chip_that_nobody_can_build_is_one_line(setting, command, tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(SMALL))
    outcome = command("estimate", path, "--chip", "rram_32nm", "--set", setting)
    outcome.assert_refused()
    assert outcome.err.startswith(f"error: {setting.partition('=')[0]}: got ")


def test_the_largest_layers_cost_finite_numbers(command, tmp_path):
    largest = [2**24, 2**24, 2**24]
    volume = {
        "name": "v", "kind": "conv3d", "in_channels": 2**24, "out_channels": 2**24,
        "kernel": largest, "in_size": largest, "out_size": largest, "weight_bits": 32,
        "input_bits": 16, "neuron_state_bits": 1024, "input_rate": 1.0, "output_rate": 1.0,
    }  # fmt: skip
    path = tmp_path / "w.json"
    path.write_text(json.dumps({**SMALL, "timesteps": 10**6, "layers": [volume] * 3}))
    for chip in chip_names():
        outcome = command("estimate", path, "--chip", chip, "--json")
        assert outcome.status == 0
        assert_costs(outcome)


def test_what_sweep_takes(tries, command, tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(SMALL))
    keys = st.sampled_from(
        ["input_rate", "rate_scale", "timesteps", "mean_timesteps", "weight_bits", "crossbar_size",
         "crossbar_rows", "adc_kind", "adc_levels", "rows_per_read", "technology_nm", "", "x"]
    )  # fmt: skip
    values = st.sampled_from(
        ["0", "1", "0.5", "-1", "32", "64", "8", "nan", "inf", "1e999", "sar", "flash", "true", "",
         "[1]", "[", "'", "22", "x" * 300, "9" * 400, "\u202e"]
    )  # fmt: skip

    @given(st.lists(st.tuples(keys, st.lists(values, min_size=1, max_size=3)), max_size=3))
    def check(swept):
        words = [f"{key}={','.join(taken)}" for key, taken in swept]
        options = [option for word in words for option in ("--sweep", word)]
        outcome = command("estimate", path, "--chip", "rram_32nm", "--json", *options)
        if outcome.status == 0:
            for entry in json.loads(outcome.out):
                assert math.isfinite(entry.get("energy_uj", 0.0))
                assert (entry.get("refused") is None) == ("energy_uj" in entry)
        else:
            outcome.assert_refused()

    tries.examples(check)
