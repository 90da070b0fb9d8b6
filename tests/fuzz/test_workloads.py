import json
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

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
