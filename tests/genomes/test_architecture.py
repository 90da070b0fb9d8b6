"""Architectures: shapes, parameters, operations and the workload, computed by hand."""

import json
from dataclasses import replace

import pytest

from genomes.architecture import (
    Architecture,
    Layer,
    Neuron,
    accumulator_bits,
    bits_of,
    folded_shape,
)

LIF = Neuron("lif", leak=0.5, threshold=0.75, state_bits=12)

FIRST = Layer(
    name="stage1.block1",
    source="input",
    in_shape=(2, 5, 4),
    out_channels=3,
    kernel=(3, 3),
    stride=(1, 1),
    padding=(1, 1),
    weight_bits=4,
    input_bits=8,
    pool=(2, 2),
    pool_kind="max",
    neuron=LIF,
)
SECOND = Layer(
    name="stage1.block2",
    source="stage1.block1",
    in_shape=(3, 2, 2),
    out_channels=3,
    kernel=(1, 1),
    stride=(1, 1),
    padding=(0, 0),
    weight_bits=3,
    input_bits=1,
    pool=(1, 1),
    pool_kind="max",
    neuron=LIF,
    skips=("stage1.block1",),
    skip_kind="add",
    peak=2,
)
READOUT = Layer(
    name="readout",
    source="stage1.block2",
    in_shape=(3, 2, 2),
    out_channels=4,
    kernel=(),
    stride=(),
    padding=(),
    weight_bits=5,
    input_bits=2,
    pool=(),
    pool_kind="max",
    neuron=None,
    peak=0,
)
SMALL = Architecture((2, 5, 4), 4, 3, 8, (FIRST, SECOND, READOUT))


def test_shapes_by_hand():
    assert FIRST.out_shape == (3, 5, 4)  # padded by 1 for a kernel of 3
    assert FIRST.stored_shape == (3, 2, 2)  # floor(5 / 2), floor(4 / 2)
    assert FIRST.neuron_shape == (3, 5, 4)  # spikes are pooled, so neurons come before
    assert replace(FIRST, pool_kind="average").neuron_shape == (3, 2, 2)
    assert FIRST.weight_shape == (3, 2, 3, 3)
    assert SECOND.stored_shape == (3, 2, 2)
    assert READOUT.weight_shape == (4, 3, 2, 2)
    assert READOUT.out_shape == READOUT.stored_shape == (4,)
    assert [layer.kind for layer in SMALL.layers] == ["conv2d", "conv2d", "linear"]


def test_strides_by_hand():
    strided = replace(FIRST, stride=(2, 3), padding=(0, 1), pool=(1, 1))

    # floor((5 - 3) / 2) + 1 = 2; floor((4 + 2 - 3) / 3) + 1 = 2
    assert strided.out_shape == (3, 2, 2)


def test_parameters_by_hand():
    # weights 3*2*3*3 = 54, 3*3 = 9, 4*12 = 48; a scale and a bias for 3, 3 and 4 channels
    assert [layer.weights for layer in SMALL.layers] == [54, 9, 48]
    assert [layer.parameters for layer in SMALL.layers] == [60, 15, 56]
    assert SMALL.parameters == 131


def test_operations_by_hand():
    # a step: 54 at 20 positions, 9 at 4, 48 at 1
    assert [layer.operations for layer in SMALL.layers] == [1080, 36, 48]
    # the static input is multiplied once, the other two layers in each of 3 steps
    assert SMALL.operations == 1080 + 3 * (36 + 48)


def test_the_workload_by_hand():
    workload = SMALL.workload

    assert workload.timesteps == 3
    assert workload.to_document()["layers"] == [
        {
            "name": "stage1.block1",
            "kind": "conv2d",
            "in_channels": 2,
            "out_channels": 3,
            "kernel": [3, 3],
            "stride": [1, 1],
            "padding": [1, 1],
            "groups": 1,
            "in_size": [5, 4],
            "out_size": [5, 4],
            "pool": [2, 2],
            "pool_kind": "max",
            "weight_bits": 4,
            "input_bits": 8,
            "input_rate": 0.15,
            "output_rate": 0.15,
            "static_input": True,
            "domain": "memory",
            "neuron_state_bits": 24,  # membrane and synaptic current, 12 bits each
            "residual_inputs": 0,
        },
        {
            "name": "stage1.block2",
            "kind": "conv2d",
            "in_channels": 3,
            "out_channels": 3,
            "kernel": [1, 1],
            "stride": [1, 1],
            "padding": [0, 0],
            "groups": 1,
            "in_size": [2, 2],
            "out_size": [2, 2],
            "pool": [1, 1],
            "pool_kind": "max",
            "weight_bits": 3,
            "input_bits": 1,
            "input_rate": 0.15,
            "output_rate": 0.15,
            "static_input": False,
            "domain": "memory",
            "neuron_state_bits": 24,
            "residual_inputs": 1,
        },
        {
            "name": "readout",
            "kind": "linear",
            "in_features": 12,
            "out_features": 4,
            "weight_bits": 5,
            "input_bits": 2,
            "input_rate": 0.15,
            "output_rate": 0.15,
            "static_input": False,
            "domain": "memory",
            "pool_kind": "max",
            # 12 inputs * weights up to 15 * inputs up to 3 * 3 steps = 1620 < 2^11, and a sign
            "neuron_state_bits": 12,
            "residual_inputs": 0,
        },
    ]


@pytest.mark.parametrize(("peak", "bits"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4)])
def test_bits_hold_the_peak(peak, bits):
    assert bits_of(peak) == bits


@pytest.mark.parametrize(
    ("channels", "weight_bits", "input_bits", "steps", "bits"),
    [
        (1, 2, 1, 1, 2),  # at most 1: one bit and a sign
        (3, 2, 1, 1, 3),  # at most 3
        (4, 2, 1, 1, 4),  # at most 4 needs three bits
        (1, 8, 8, 1, 1 + 15),  # 127 * 255 = 32385 < 2^15
        (2**40, 2, 1, 1, 1 + 41),  # 2^40 itself needs 41 bits
        (2**50 + 1, 2, 1, 1, 1 + 51),  # beyond what floating point tells from 2^50
        (2**50 - 1, 2, 1, 1, 1 + 50),
    ],
)
def test_the_accumulator_holds_the_largest_sum(channels, weight_bits, input_bits, steps, bits):
    readout = replace(READOUT, in_shape=(channels,), weight_bits=weight_bits, input_bits=input_bits)

    assert accumulator_bits(readout, steps) == bits


@pytest.mark.parametrize(("kind", "variables"), [("lif_box", 1), ("lif", 2), ("iaf", 1)])
def test_a_neuron_knows_its_state_variables(kind, variables):
    assert replace(LIF, kind=kind).variables == variables


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((FIRST, replace(SECOND, source="stage9"), READOUT), "from 'stage9', which gives None"),
        ((SECOND, FIRST, READOUT), "from 'stage1.block1', which gives None"),
        ((FIRST, replace(SECOND, in_shape=(3, 5, 4)), READOUT), r"reads \(3, 5, 4\)"),
        ((FIRST, replace(SECOND, skips=("input",)), READOUT), "cannot merge 'input'"),
        ((FIRST, replace(SECOND, skips=("stage1.block2",)), READOUT), "which gives None"),
        ((replace(FIRST, in_shape=(2, 4, 5)), SECOND, READOUT), "from 'input'"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, layers=layers)


CUBE = Layer(
    name="cube1",
    source="input",
    in_shape=(1, 6, 3, 3),
    out_channels=2,
    kernel=(3, 1, 1),
    stride=(2, 1, 1),
    padding=(1, 0, 0),
    weight_bits=4,
    input_bits=8,
    pool=(1, 1, 1),
    pool_kind="max",
    neuron=LIF,
)
PLANE = replace(SECOND, name="plane1", source="cube1", skips=(), skip_kind="or", peak=1)
PLANE = replace(PLANE, in_shape=(6, 3, 3), kernel=(3, 3), folded=3)
LAST = replace(READOUT, source="plane1", in_shape=(3, 1, 1), input_bits=1)
WINDOW = ((0, 1), (0, 6), (1, 4), (2, 5))
HYBRID = Architecture((1, 9, 5, 6), 4, 3, 8, (CUBE, PLANE, LAST), window=WINDOW)


def test_bands_are_folded_and_samples_are_cut_by_hand():
    # bands: floor((6 + 2 - 3) / 2) + 1 = 3; two channels of three bands are six channels
    assert CUBE.stored_shape == (2, 3, 3, 3)
    assert PLANE.weight_shape == (3, 6, 3, 3)
    assert PLANE.stored_shape == (3, 1, 1)
    assert HYBRID.read_shape == (1, 6, 3, 3)
    assert SMALL.read_shape == SMALL.input_shape
    first, second, last = HYBRID.workload.layers
    assert (first.kind, first.in_size, first.out_size) == ("conv3d", (6, 3, 3), (3, 3, 3))
    assert (second.kind, second.in_channels, second.in_size) == ("conv2d", 6, (3, 3))
    assert second.inputs == first.outputs == 54
    assert last.in_features == 3


def test_only_what_folds_or_cuts_says_so_in_its_document():
    document = HYBRID.describe()
    assert document["window"] == WINDOW
    assert [layer.get("folded") for layer in document["layers"]] == [None, 3, None]
    assert Architecture.from_description(json.loads(json.dumps(document))) == HYBRID
    plain = SMALL.describe()
    assert "window" not in plain
    assert not any("folded" in layer for layer in plain["layers"])


@pytest.mark.parametrize(
    ("neuron", "bits"),
    [
        (LIF, 24),
        (replace(LIF, once=True), 25),
        (replace(LIF, kind="lif_box", reset="subtract"), 12),
        (replace(LIF, kind="iaf", leak=0.0, surrogate="tanh", once=True), 13),
    ],
)
def test_neurons_that_are_special_say_so_in_the_document_and_in_the_workload(neuron, bits):
    network = replace(SMALL, layers=(replace(FIRST, neuron=neuron), SECOND, READOUT))
    document = json.loads(json.dumps(network.describe()))
    usual = {"kind", "leak", "threshold", "state_bits"}
    special = set(document["layers"][0]["neuron"]) - usual

    assert special == {
        name
        for name in ("reset", "surrogate", "once")
        if getattr(neuron, name) != getattr(LIF, name)
    }
    assert set(document["layers"][1]["neuron"]) == usual
    assert Architecture.from_description(document) == network
    assert network.workload.layers[0].neuron_state_bits == bits


@pytest.mark.parametrize("kind", ["lif", "iaf"])
def test_norse_subtracts_the_threshold_of_one_kind_alone(kind):
    with pytest.raises(ValueError, match=f"neuron '{kind}' has no reset by subtraction"):
        replace(LIF, kind=kind, reset="subtract")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": ()}, r"reads \(1, 6, 3, 3\) from 'input', which gives \(1, 9, 5, 6\)"),
        ({"window": WINDOW[:3]}, "no part of"),
        ({"window": ((0, 1), (0, 6), (3, 6), (2, 5))}, "no part of"),
        ({"window": ((0, 1), (0, 6), (-1, 2), (2, 5))}, "no part of"),
        ({"window": ((0, 1), (0, 6), (4, 1), (2, 5))}, "no part of"),
        ({"layers": (CUBE, replace(PLANE, folded=0), LAST)}, r"which gives \(2, 3, 3, 3\)$"),
        ({"layers": (CUBE, replace(PLANE, folded=2), LAST)}, "and folds 2"),
    ],
)
def test_windows_and_folds_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(HYBRID, **changes)


def test_what_has_no_dimension_cannot_be_folded():
    assert folded_shape((2, 3, 5, 7), 3) == (6, 5, 7)
    assert folded_shape((2, 1, 5, 7), 1) == (2, 5, 7)
    assert folded_shape((2, 3, 5, 7), 0) == (2, 3, 5, 7)
    assert folded_shape((2, 3, 5, 7), 5) is None
    assert folded_shape((6,), 6) is None
