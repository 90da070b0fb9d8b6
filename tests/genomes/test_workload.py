"""Workloads: sizes that follow from fields, the JSON file, and what a mistake says."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genomes.errors import RequestError, nearest, request_error, unknown_name
from genomes.workload import ConvLayer, LinearLayer, Workload, load_workloads

CONV: dict[str, Any] = {
    "name": "conv",
    "kind": "conv2d",
    "in_channels": 8,
    "out_channels": 12,
    "kernel": [3, 5],
    "groups": 4,
    "in_size": [9, 7],
    "out_size": [7, 3],
    "pool": [2, 2],
}
LINEAR: dict[str, Any] = {"name": "out", "kind": "linear", "in_features": 36, "out_features": 10}


def document(*layers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"schema": "evo-snn workload 1", "timesteps": 3, "layers": list(layers)} | fields


def test_sizes_of_a_grouped_convolution() -> None:
    layer = ConvLayer(**CONV)
    assert layer.kernel_size == 15
    assert layer.rows == 8 // 4 * 15 == 30
    assert layer.columns == 3
    assert layer.weights == 30 * 12
    assert layer.positions == 21
    assert layer.stored_positions == 3 * 1
    assert layer.operations == 360 * 21
    assert layer.inputs == 8 * 63
    assert layer.outputs == 12 * 3
    assert layer.neurons == 12 * 21


def test_pooling_before_the_neuron_leaves_fewer_neurons() -> None:
    assert ConvLayer(**CONV, pool_kind="average").neurons == 12 * 3


def test_several_populations_are_as_many_neurons() -> None:
    layer = ConvLayer(**CONV, populations=3)
    assert layer.neurons == 3 * 12 * 21
    assert layer.outputs == 12 * 3  # of one population's map


def test_what_few_layers_have_is_in_documents_of_those_alone() -> None:
    rare = {"current_inputs": 2, "populations": 3, "executed": 0.5}
    written = Workload.from_document(document(CONV | rare, LINEAR)).to_document()
    assert {key: written["layers"][0][key] for key in rare} == rare
    assert not rare.keys() & written["layers"][1].keys()
    assert Workload.from_document(written).to_document() == written


@pytest.mark.parametrize(
    ("field", "value"),
    [("current_inputs", -1), ("populations", 0), ("populations", 1.5), ("executed", 1.01)],
)
def test_what_no_layer_can_have_is_refused(field: str, value: float) -> None:
    with pytest.raises(RequestError, match=rf"layers\[0\]\.{field}: got {value}"):
        Workload.from_document(document(LINEAR | {field: value}))


def test_sizes_of_a_linear_layer() -> None:
    layer = LinearLayer(**LINEAR)
    assert (layer.rows, layer.columns, layer.weights, layer.operations) == (36, 10, 360, 360)
    assert (layer.positions, layer.stored_positions, layer.neurons, layer.outputs) == (1, 1, 10, 10)


def test_defaults_are_the_documented_ones() -> None:
    layer = Workload.from_document(document(CONV)).layers[0]
    assert isinstance(layer, ConvLayer)
    assert (layer.stride, layer.padding) == ((1, 1), (0, 0))
    assert (layer.weight_bits, layer.input_bits, layer.neuron_state_bits) == (8, 1, 12)
    assert (layer.input_rate, layer.output_rate) == (0.15, 0.15)
    assert (layer.static_input, layer.domain, layer.pool_kind) == (False, "memory", "max")
    assert layer.residual_inputs == layer.current_inputs == 0
    assert (layer.populations, layer.executed) == (1, 1.0)


@pytest.mark.parametrize(("kind", "dimensions"), [("conv1d", 1), ("conv2d", 2), ("conv3d", 3)])
def test_every_dimension_has_its_own_defaults(kind: str, dimensions: int) -> None:
    sizes = {"kernel": [2] * dimensions, "in_size": [6] * dimensions, "out_size": [5] * dimensions}
    layer = ConvLayer.model_validate(
        {"name": "a", "kind": kind, "in_channels": 1, "out_channels": 1} | sizes
    )
    assert layer.pool == (1,) * dimensions
    assert layer.positions == 5**dimensions


def test_output_size_need_not_follow_from_input_size() -> None:
    odd = CONV | {"in_size": [1, 1], "out_size": [50, 50]}
    assert Workload.from_document(document(odd)).layers[0].positions == 2500


rates = st.floats(0, 1)
layers = st.one_of(
    st.builds(
        lambda groups, a, b, size, pool, bits, rate, average, dims: {
            "name": "conv",
            "kind": f"conv{dims}d",
            "in_channels": groups * a,
            "out_channels": groups * b,
            "groups": groups,
            "kernel": [3] * dims,
            "in_size": [size] * dims,
            "out_size": [size] * dims,
            "pool": [min(pool, size)] * dims,
            "weight_bits": bits,
            "input_rate": rate,
            "pool_kind": "average" if average else "max",
        },
        st.integers(1, 4),
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(1, 3),
        st.integers(1, 32),
        rates,
        st.booleans(),
        st.integers(1, 3),
    ),
    st.builds(
        lambda a, b, rate, static: (
            LINEAR
            | {"in_features": a, "out_features": b, "output_rate": rate, "static_input": static}
        ),
        st.integers(1, 999),
        st.integers(1, 999),
        rates,
        st.booleans(),
    ),
)


@given(st.lists(layers, min_size=1, max_size=4), st.integers(1, 100))
def test_json_round_trip(chosen: list[dict[str, Any]], timesteps: int) -> None:
    workload = Workload.from_document(document(*chosen, timesteps=timesteps))
    assert Workload.from_json(workload.to_json()) == workload
    assert Workload.from_document(workload.to_document()) == workload


def test_from_json_reads_a_path_and_text(tmp_path: Path) -> None:
    text = json.dumps(document(CONV, LINEAR))
    path = tmp_path / "net.json"
    path.write_text(text)
    assert Workload.from_json(path) == Workload.from_json(str(path)) == Workload.from_json(text)


def test_a_file_may_hold_one_workload_or_several(tmp_path: Path) -> None:
    path = tmp_path / "nets.json"
    path.write_text(json.dumps(document(LINEAR)))
    assert len(load_workloads(path)) == 1
    path.write_text(json.dumps([document(LINEAR), document(CONV)]))
    assert [each.layers[0].name for each in load_workloads(path)] == ["out", "conv"]


def test_with_rates_changes_only_the_named_layers() -> None:
    before = Workload.from_document(document(CONV, LINEAR))
    after = before.with_rates({"out": (0.25, 0.5)})
    assert after.layers[0] == before.layers[0]
    assert (after.layers[1].input_rate, after.layers[1].output_rate) == (0.25, 0.5)
    assert before.layers[1].input_rate == 0.15


def test_with_rates_refuses_unknown_layers_and_impossible_rates() -> None:
    workload = Workload.from_document(document(CONV))
    with pytest.raises(RequestError, match=r"rates: got 'cnv'; allowed: conv\. Did you mean 'conv"):
        workload.with_rates({"cnv": (0.1, 0.1)})
    for wrong in (1.5, -0.1, float("nan")):
        with pytest.raises(RequestError, match=r"rates\.conv: got .*; allowed: two numbers"):
            workload.with_rates({"conv": (0.1, wrong)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_bits": 0}, r"layers\[0\]\.weight_bits: got 0; allowed: greater than or equal"),
        ({"weight_bits": 33}, r"layers\[0\]\.weight_bits: got 33"),
        ({"weight_bits": 4.0}, r"layers\[0\]\.weight_bits: got 4.0; allowed: a whole number"),
        ({"weight_bits": True}, r"layers\[0\]\.weight_bits: got True; allowed: a whole number"),
        ({"input_bits": 17}, r"layers\[0\]\.input_bits: got 17"),
        ({"input_rate": 1.01}, r"layers\[0\]\.input_rate: got 1.01"),
        ({"output_rate": float("nan")}, r"layers\[0\]\.output_rate: got nan"),
        ({"in_channels": 0}, r"layers\[0\]\.in_channels: got 0"),
        ({"groups": 3}, r"layers\[0\]\.groups: got 3; allowed: a divisor of in_channels 8"),
        ({"kernel": [3]}, r"layers\[0\]\.kernel: got \[3\]; allowed: 2 numbers"),
        ({"padding": [0, 0, 0]}, r"layers\[0\]\.padding: got .*; allowed: 2 numbers"),
        ({"stride": [0, 1]}, r"layers\[0\]\.stride\[0\]: got 0"),
        ({"pool": [8, 1]}, r"layers\[0\]\.pool: got \[8, 1\]; allowed: at most out_size \[7, 3\]"),
        ({"domain": "analog"}, r"layers\[0\]\.domain: got 'analog'; allowed: 'memory' or 'digi"),
        ({"static_input": "yes"}, r"layers\[0\]\.static_input: got 'yes'"),
        ({"kind": "conv4d"}, r"layers\[0\]\.kind: got 'conv4d'; allowed: conv1d, conv2d"),
        ({"weigth_bits": 4}, r"layers\[0\]: got 'weigth_bits'; .* Did you mean 'weight_bits'\?"),
        ({"in_features": 4}, r"layers\[0\]: got 'in_features'; .* Did you mean"),
        ({"name": ""}, r"layers\[0\]\.name: got ''"),
    ],
)
def test_a_wrong_layer_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Workload.from_document(document(CONV | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "evo-snn workload 2"}, "schema: got 'evo-snn workload 2'; allowed: 'evo-snn"),
        ({"timesteps": 0}, "timesteps: got 0"),
        ({"layers": []}, r"layers: got \[\]"),
        ({"layers": [3]}, r"layers\[0\]: got 3"),
        ({"layers": [{"name": "a"}]}, r"layers\[0\]\.kind: got nothing; allowed: conv1d"),
        ({"layers": [{"name": "a", "kind": "linear"}]}, r"layers\[0\]\.in_features: got nothing"),
        ({"layers": [LINEAR | {"pool": [2]}]}, r"layers\[0\]\.pool: got \[2\]; allowed: nothing"),
        ({"steps": 3}, "workload: got 'steps'; .* Did you mean 'timesteps'?"),
    ],
)
def test_a_wrong_workload_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Workload.from_document(document(LINEAR) | changes)


def test_a_missing_schema_is_named() -> None:
    without = document(LINEAR)
    del without["schema"]
    with pytest.raises(RequestError, match="schema: got nothing; allowed: 'evo-snn workload 1'"):
        Workload.from_document(without)


@pytest.mark.parametrize("text", ["", "nope", "{", "[1, 2]", "3", "\0"])
def test_text_that_is_no_workload(text: str) -> None:
    with pytest.raises(RequestError, match="allowed"):
        Workload.from_json(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a JSON file that exists"):
        load_workloads(tmp_path / "absent.json")
    with pytest.raises(RequestError, match="a JSON file that can be read. Is a directory"):
        load_workloads(tmp_path)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="in UTF-8. Byte 0 is none"):
        load_workloads(binary)


def test_the_place_in_a_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nets.json"
    path.write_text(json.dumps([document(LINEAR), document(LINEAR, timesteps=0)]))
    with pytest.raises(RequestError, match=r"^\[1\]\.timesteps: got 0"):
        load_workloads(path)
    path.write_text("[]")
    with pytest.raises(RequestError, match="a list of at least one"):
        load_workloads(path)


def test_a_layer_cannot_be_changed() -> None:
    layer = LinearLayer(**LINEAR)
    with pytest.raises(ValidationError):
        layer.in_features = 3  # type: ignore[misc]


def test_request_error_has_one_line_and_its_parts() -> None:
    error = RequestError("a.b", 3, "1 or 2", "Take 2.")
    assert str(error) == "a.b: got 3; allowed: 1 or 2. Take 2."
    assert isinstance(error, ValueError)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (copy.field, copy.value, copy.allowed, copy.remedy) == ("a.b", 3, "1 or 2", "Take 2.")
    assert len(str(RequestError("a", "x" * 5000, "less"))) < 200


def test_nearest_names() -> None:
    assert nearest("Crossbar_row", ["crossbar_rows", "clock_mhz"]) == "crossbar_rows"
    assert nearest("zzz", ["crossbar_rows"]) is None
    assert unknown_name("chip", "zzz", ["b", "a"]).allowed == "a, b"


def test_request_error_of_a_validation_takes_a_prefix() -> None:
    with pytest.raises(ValidationError) as caught:
        LinearLayer(**(LINEAR | {"in_features": 0}))
    assert request_error(caught.value, prefix="net").field == "net.in_features"


def test_a_misspelt_field_is_named_before_the_one_that_is_missing() -> None:
    layer = {"in_feature" if name == "in_features" else name: v for name, v in LINEAR.items()}
    with pytest.raises(RequestError, match="got 'in_feature'.*Did you mean 'in_features'"):
        Workload.from_document(document(layer))
