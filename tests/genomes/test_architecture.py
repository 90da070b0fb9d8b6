"""Architectures: shapes, parameters, operations and the workload, computed by hand."""

from dataclasses import replace

import pytest

from genomes.architecture import Architecture, Layer, Neuron, accumulator_bits, bits_of

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
