"""Conversion: rates that approach the activations, thresholds, and what cannot be converted."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from evo_snn.snn import deploy
from evo_snn.snn.conversion import LEAST_LEAK, converted, is_same_function, rebound, thresholds
from evo_snn.snn.relu import build_cnn
from genomes.architecture import Link, Neuron, Node
from tests.chain import HARD, IF_LIKE, chain

STEPS = (4, 16, 256)
FINE = (8, 8, 8)


def trained_cnn(neuron=IF_LIKE, steps=4):
    """Not trained, but with statistics, and bounds and shifts that matter."""
    cnn = build_cnn(chain(neuron, steps, FINE), 1, quantized=False)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in cnn.trainable_layers():
            layer.shift += 0.3 * torch.randn(2, generator=generator)
        for neuron_ in cnn.activations().values():
            neuron_.bound.fill_(1.5)
    for _ in range(4):
        cnn(torch.rand(64, 1, 4, 4, generator=generator))
    return cnn.eval()


@pytest.fixture
def x():
    return torch.rand(32, 1, 4, 4, generator=torch.Generator().manual_seed(5))


def rates_and_activations(steps, x):
    """What layer ``out`` reads: mean spikes of the converted network, and activations."""
    cnn = trained_cnn(steps=steps)
    seen = {}
    cnn(x, observe=lambda layer, source, _: seen.update({layer.name: source}))
    activations = dict(seen)
    network = converted(cnn, 0).eval()
    network(x, observe=lambda layer, source, _: seen.update({layer.name: source}))
    return {
        name: (seen[name].unflatten(0, (steps, -1)).mean(0), activations[name])
        for name in ("b", "out")
    }


def test_rates_of_the_first_layer_are_its_activations_to_half_a_step(x):
    # 8-bit weights differ from the CNN's own by about 1 % of a current
    for steps in STEPS:
        rates, activations = rates_and_activations(steps, x)["b"]
        assert float((rates - activations).detach().abs().mean()) < 0.5 / steps + 0.02


def test_rates_approach_activations_with_the_time_steps(x):
    errors = [
        float((rates - activations).detach().abs().mean())
        for steps in STEPS
        for rates, activations in [rates_and_activations(steps, x)["out"]]
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03
    assert errors[0] > 2 * errors[-1]


def test_scores_of_many_steps_are_the_cnns(x):
    cnn = trained_cnn(steps=STEPS[-1])
    found, expected = deploy(converted(cnn, 0))(x), cnn(x).detach()
    assert float((found - expected).abs().mean()) < 0.1 * float(expected.detach().abs().mean())


def test_neurons_start_from_their_genes_thresholds_and_the_least_leak():
    network = converted(trained_cnn(), 0)
    for neuron in network.neurons.values():
        assert neuron.threshold.item() == 0.5
        assert neuron.leak.item() == LEAST_LEAK


@pytest.mark.parametrize(
    ("neuron", "gain"),
    [
        (IF_LIKE, LEAST_LEAK),
        (Neuron("iaf", 0.0, 0.5, 12), 1.0),
        (Neuron("lif", 0.5, 0.5, 12), 2 * LEAST_LEAK),  # the synaptic current adds up to twice it
    ],
)
def test_a_current_at_the_bound_drives_the_membrane_to_the_threshold(neuron, gain):
    cnn = trained_cnn(neuron)
    network = converted(cnn, 0)
    ratio = network.layers["a"].scale / cnn.layers["a"].scale
    torch.testing.assert_close(ratio * 1.5 * gain, torch.full((2,), 0.5))


def test_thresholds_are_percentiles_of_the_positive_currents(x):
    cnn = trained_cnn()
    currents = {}
    hooks = [
        neuron.register_forward_pre_hook(
            lambda _, given, name=name: currents.setdefault(name, []).append(given[0])
        )
        for name, neuron in cnn.activations().items()
    ]
    cnn(x)
    for hook in hooks:
        hook.remove()
    found = thresholds(cnn, [x[:10], x[10:]], 90.0)
    for name, (values,) in currents.items():
        positive = values[values > 0].detach().numpy()
        assert found[name] == pytest.approx(np.percentile(positive, 90.0), rel=1e-5)
        assert float((values > found[name]).sum()) == pytest.approx(0.1 * positive.size, abs=1)


def test_silent_layers_keep_their_bounds(x):
    cnn = trained_cnn()
    with torch.no_grad():
        cnn.layers["a"].shift.fill_(-100.0)
    assert thresholds(cnn, [x], 99.0)["a"] == 1.5


def test_other_bounds_leave_the_cnn_what_it_was_as_far_as_nothing_is_clipped(x):
    cnn = trained_cnn()
    rebound(cnn, [x], {"a": 6.0, "b": 6.0})
    before = cnn(x)
    other = copy.deepcopy(cnn)
    rebound(other, [x], {"a": 8.0, "b": 12.0})
    torch.testing.assert_close(other(x), before, rtol=0, atol=2e-3)
    assert not other.training


def test_what_follows_rates_and_what_is_only_a_start():
    assert is_same_function([IF_LIKE, IF_LIKE])
    assert not is_same_function([IF_LIKE, HARD])
    assert not is_same_function([replace(IF_LIKE, once=True)])
    assert not is_same_function([Neuron("lif", 0.5, 0.5, 12)])


def test_a_nodes_neurons_follow_the_sum_that_they_are_driven_by(x):
    first, second, out = chain(IF_LIKE, STEPS[-1], FINE).layers
    # b's current goes to the node; a has neurons of its own, and the node reads its current too
    second = replace(second, neuron=None, joins=True, peak=0)
    network = replace(
        chain(IF_LIKE, STEPS[-1], FINE),
        layers=(first, second, replace(out, source="n")),
        nodes=(Node("n", (Link("a"), Link("b")), IF_LIKE),),
    )
    cnn = build_cnn(network, 1, quantized=False)
    for _ in range(4):
        cnn(torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(2)))
    cnn.eval()
    rebound(cnn, [x], thresholds(cnn, [x], 99.0))
    spiking = converted(cnn, 0).eval()
    # others add up a's current as well, so that it keeps its size
    assert torch.equal(spiking.layers["a"].scale, cnn.layers["a"].scale)
    seen = []
    for each in (cnn, spiking):
        each(x, observe=lambda e, source, _: seen.append(source) if e.name == "out" else None)
    activations, spikes = seen
    rates = spikes.unflatten(0, (STEPS[-1], -1)).mean(0)
    assert float((rates - activations).detach().abs().mean()) < 0.05
    assert float(activations.detach().mean()) > 0.1
