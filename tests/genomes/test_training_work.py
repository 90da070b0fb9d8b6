"""Operations of training, counted by hand."""

import numpy as np
import pytest

from genomes.architecture import INPUT, Architecture, Layer, Link, Neuron, Node
from genomes.spaces import make_space
from genomes.training_work import training_work

LIF = Neuron("lif", leak=0.5, threshold=1.0, state_bits=12)
IAF = Neuron("iaf", leak=1.0, threshold=1.0, state_bits=12)


def linear(name, source, inputs, outputs, neuron, input_bits=1, **changes):
    return Layer(
        name, source, (inputs,), outputs, (), (), (), 4, input_bits, (), "max", neuron, **changes
    )


def two_layers(**changes):
    """10 analog inputs, 8 neurons of two variables, 3 classes; 5 time steps."""
    layers = (
        linear("first", INPUT, 10, 8, LIF, input_bits=6),
        linear("last", "first", 8, 3, None, peak=0),
    )
    return Architecture((10,), 3, 5, 6, layers, **changes)


def test_work_of_two_layers_by_hand():
    architecture = two_layers()
    workload = architecture.workload.with_rates({"first": (0.5, 0.25), "last": (0.25, 0.0)})
    work = training_work(architecture, workload)

    # first layer, once: current and gradient of the weights, 2 x 80 of real numbers;
    # last layer, five times: gradient of its spikes, 5 x 24 of real numbers
    assert work.products == 2 * 80 + 5 * 24
    # last layer: current and gradient of the weights, on spikes; a quarter of them is there
    assert work.additions == 2 * 5 * 24
    assert work.active_additions == 0.25 * 2 * 5 * 24
    # 8 neurons of two variables, five steps; the read-out has none
    assert work.neuron_operations == 3 * 5 * 8 * 2
    assert work.operations == 280 + 240 + 240


def test_an_input_that_changes_is_computed_in_every_step():
    frames = two_layers(frames=5)
    work = training_work(frames, frames.workload)

    assert work.products == 5 * (2 * 80 + 24)


def test_neurons_of_nodes_count_as_those_of_layers():
    layers = (
        linear("first", INPUT, 10, 8, None, input_bits=6, joins=True),
        linear("last", "node", 8, 3, None, peak=0),
    )
    architecture = Architecture(
        (10,), 3, 5, 6, layers, nodes=(Node("node", (Link("first"),), IAF),)
    )

    assert training_work(architecture, architecture.workload).neuron_operations == 3 * 5 * 8


def test_a_convolution_counts_its_kernel_at_every_position():
    layer = Layer("one", INPUT, (2, 6, 6), 4, (3, 3), (1, 1), (0, 0), 4, 8, (2, 2), "average", IAF)
    last = Layer("last", "one", (4, 2, 2), 3, (), (), (), 4, 1, (), "max", None, peak=0)
    architecture = Architecture((2, 6, 6), 3, 2, 8, (layer, last))
    work = training_work(architecture, architecture.workload)

    # 4 x 2 x 3 x 3 weights at 4 x 4 positions, twice; 48 weights in two steps, once
    assert work.products == 2 * 72 * 16 + 2 * 48
    # pooled before the neurons: 4 x 2 x 2 of them
    assert work.neuron_operations == 3 * 2 * 16


@pytest.mark.parametrize("name", ["plain", "signal"])
def test_training_takes_three_times_what_an_inference_does_at_most(name):
    shape = (1, 12, 12) if name == "plain" else (1, 64)
    space = make_space(name, shape, 4, {})
    for genome in space.sample(30, np.random.default_rng(0)):
        architecture = space.decode(genome)
        work = training_work(architecture, architecture.workload)
        synapses = work.products + work.additions
        assert 2 * architecture.operations < synapses < 3 * architecture.operations
        assert 0 < work.active_additions < work.additions
