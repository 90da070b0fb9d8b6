"""The CNN of an architecture, against torch's own operations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from evo_snn.snn.quantization import weight_levels
from evo_snn.snn.relu import ClippedReLU, build_cnn
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.chain import chain


@pytest.fixture
def x():
    codes = torch.randint(256, (5, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    return codes / 255


def by_hand(cnn, x, rounded):
    """Scores with torch's own layers; ``rounded`` turns a layer's activations into what is read."""
    for name in ("a", "b"):
        layer, neuron = cnn.layers[name], cnn.neurons[name]
        weight = layer.weight
        if rounded:
            levels, scale = weight_levels(weight, layer.layer.weight_bits)
            weight = levels * scale
        y = F.conv2d(x, weight, padding=1)
        y = F.batch_norm(y, layer.mean, layer.variance, layer.scale, layer.shift)
        x = y.clamp(min=torch.zeros(()), max=neuron.bound) / neuron.bound
        if rounded:
            largest = 2**layer.layer.weight_bits - 1
            x = (x * largest).round() / largest
    out = cnn.layers["out"]
    weight = out.weight
    if rounded:
        levels, scale = weight_levels(weight, out.layer.weight_bits, per_channel=False)
        weight = levels * scale
    return F.linear(x.flatten(1), weight.flatten(1)) + out.shift


@pytest.mark.parametrize("quantized", [False, True])
def test_scores_are_those_of_ordinary_layers(x, quantized):
    cnn = build_cnn(chain(), 3, quantized=quantized)
    cnn(torch.rand(64, 1, 4, 4))  # statistics
    cnn.eval()
    torch.testing.assert_close(cnn(x), by_hand(cnn, x, quantized))


def test_activations_have_the_bits_of_their_weights(x):
    cnn = build_cnn(chain(bits=(2, 8, 8)), 0, quantized=True)
    seen = {}
    cnn(x, observe=lambda layer, source, _: seen.update({layer.name: source}))
    assert {round(3 * value, 5) for value in seen["b"].unique().tolist()} <= {0, 1, 2, 3}
    assert len(build_and_see(x)) > 4


def build_and_see(x):
    seen = {}
    cnn = build_cnn(chain(bits=(2, 8, 8)), 0, quantized=False)
    cnn(x, observe=lambda layer, source, _: seen.update({layer.name: source}))
    return seen["b"].unique()


def test_bounds_are_trained_and_stay_positive(x):
    cnn = build_cnn(chain(), 0, quantized=True)
    F.cross_entropy(cnn(x), torch.tensor([0, 1, 0, 1, 1])).backward()
    for name, parameter in cnn.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
    assert all(float(neuron.bound.grad) != 0 for neuron in cnn.activations().values())
    with torch.no_grad():
        for neuron in cnn.activations().values():
            neuron.bound.fill_(-1.0)
    cnn.project()
    assert all(neuron.bound.item() > 0 for neuron in cnn.activations().values())


def test_a_clipped_relu_by_hand():
    relu = ClippedReLU(bits=2)
    with torch.no_grad():
        relu.bound.fill_(2.0)
    found = relu(torch.tensor([-1.0, 0.3, 0.4, 1.0, 5.0]), 4, torch.ones(1))
    torch.testing.assert_close(found, torch.tensor([0, 0, 1 / 3, 2 / 3, 1]))  # 0.5 * 3 to even


def test_equal_seeds_give_equal_weights_in_both():
    one, two = (build_cnn(chain(), 7, quantized=each) for each in (False, True))
    assert all(torch.equal(one.layers[n].weight, two.layers[n].weight) for n in ("a", "b", "out"))


def test_networks_of_every_space_run_and_learn():
    shapes = {"plain": (2, 9, 9), "hyperspectral": (1, 9, 5, 5), "signal": (2, 30)}
    for name, shape in shapes.items():
        space = make_space(name, shape, 3, {"widths": [2, 4]})
        for genome in space.sample(6, np.random.default_rng(1)):
            cnn = build_cnn(space.decode(genome), 0, quantized=True)
            scores = cnn(torch.rand(4, *shape))
            assert scores.shape == (4, 3)
            F.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
            assert all(torch.isfinite(one.grad).all() for one in cnn.parameters())


def test_frames_are_refused():
    with pytest.raises(RequestError, match="from_cnn: got 'a network with 3 frames a sample'"):
        build_cnn(replace(chain(), frames=3), 0, quantized=False)
