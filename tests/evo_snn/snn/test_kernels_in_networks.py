"""Whole networks in float64: every kernel gives the spikes and the gradients of Norse's steps.

In float32 one spike that rounding flips changes everything after it, so that nothing can be said of
whole networks there.
"""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from evo_snn.snn import TrainableNetwork, build, deploy
from evo_snn.snn.tensors import named_tensors, restore
from evo_snn.training import Samples, fit
from tests.evo_snn.snn.kernel_checks import ERFC_TIGHT, difference
from tests.evo_snn.snn.norse_reference import KERNELS, KINDS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


@dataclass(frozen=True)
class Sized:
    """A network and samples for it."""

    trained: TrainableNetwork
    x: torch.Tensor

    @property
    def architecture(self):
        return self.trained.architecture


def twin(case, kernel):
    """The network of a case with another kernel."""
    network = build(case.architecture, 0, kernel=kernel).double()
    restore(network, named_tensors(case.trained))
    return network


def trained_once(network, x, seen, *, training=True):
    """Scores, and gradients of everything that is trained by name."""
    labels = torch.arange(len(x)) % network.architecture.classes
    scores = network.train(training)(x, observe=seen)
    named = dict(network.named_parameters())
    loss = F.cross_entropy(scores, labels)
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return scores.detach(), dict(zip(named, gradients, strict=True))


def assert_equal_gradients(ours, theirs, tight=1e-9):
    """To 1e-9 of each tensor's largest entry, but for what is nothing beside the others."""
    largest = max(one.abs().max().item() for one in theirs.values() if one is not None)
    for name, expected in theirs.items():
        if expected is None:
            assert ours[name] is None, name
            continue
        size = max(expected.abs().max().item(), 1e-4 * largest)
        assert (ours[name] - expected).abs().max().item() <= tight * size, name


def assert_equal_statistics(ours, theirs):
    """Of batch normalisation."""
    expected = dict(theirs.named_buffers())
    for name, buffer in ours.named_buffers():
        assert torch.allclose(buffer, expected[name], rtol=1e-11, atol=1e-13), name


def assert_alike(kernel, case, make_seen, *, training):
    of_norse, of_kernel = make_seen(), make_seen()
    network, reference = twin(case, kernel), twin(case, "norse")
    expected = trained_once(reference, case.x, of_norse, training=training)
    scores, gradients = trained_once(network, case.x, of_kernel, training=training)

    for name, spikes in of_norse.spikes.items():
        assert torch.equal(of_kernel.spikes[name], spikes), name
    assert difference(scores, expected[0]) <= 1e-9
    erfc = case.architecture.layers[0].neuron.surrogate == "heavi_erfc"
    assert_equal_gradients(gradients, expected[1], 100 * ERFC_TIGHT if erfc else 1e-9)
    assert_equal_statistics(network, reference)


@every_kernel
@pytest.mark.parametrize("training", [True, False])
def test_networks_fire_and_learn_as_norses(kernel, case, make_seen, training):
    assert_alike(kernel, case, make_seen, training=training)


@every_kernel
@pytest.mark.parametrize("shape", [(2, 24, 23), (1, 301), (1, 9, 7, 11)])
@pytest.mark.parametrize("pool", ["none", "average", "max"])
@pytest.mark.parametrize("kind", KINDS)
def test_larger_networks_fire_and_learn_as_norses(kernel, kind, pool, shape, chain, make_seen):
    architecture = chain(
        input_shape=shape,
        neuron=kind,
        blocks=2,
        options={"widths": [21], "time_steps": [3], "state_bits": 9, "kernels": [3]},
        **{"stage1.pool": pool},
    )
    trained = build(architecture, 0, kernel="norse").double()
    with torch.no_grad():
        for layer in trained.trainable_layers()[:-1]:
            layer.shift += 0.3
            layer.scale[::2] *= -1
    x = samples(shape, 3, 5, 0).x
    assert_alike(kernel, Sized(trained, x), make_seen, training=True)


@every_kernel
def test_deployed_networks_fire_as_norses(kernel, case, make_seen):
    of_norse, of_kernel = make_seen(), make_seen()
    with torch.no_grad():
        expected = deploy(twin(case, "norse").eval())(case.x, observe=of_norse)
        deployed = deploy(twin(case, kernel).eval())
        scores = deployed(case.x, observe=of_kernel)

    assert deployed.kernel == kernel
    for name, spikes in of_norse.spikes.items():
        assert torch.equal(of_kernel.spikes[name], spikes), name
    assert difference(scores, expected) <= 1e-9


def test_the_cases_fire_and_are_silent(cases, make_seen):
    rates = []
    for case in cases:
        seen = make_seen()
        trained_once(twin(case, "norse"), case.x, seen)
        rates += [spikes.mean().item() for spikes in seen.spikes.values()]
    assert sum(0.02 < rate < 0.98 for rate in rates) > 0.8 * len(rates)


@pytest.mark.parametrize(("spread", "first"), [(2e-4, 0.5), (1e-2, 1.0)])
def test_statistics_of_float32_lose_nothing(chain, spread, first):
    # Small differences about a mean far from 0, of which torch's own batch normalisation loses a
    # hundredth; a first sample that is far from all others.
    options = {"input_bits": 16, "kernels": [1]}
    architecture = chain(input_shape=(1, 9, 9), options=options, blocks=1)
    x = 0.5 + spread * samples((1, 9, 9), 3, 64, 0).x
    x[0] = first
    network, exact = (build(architecture, 0, kernel=name) for name in ("numba", "norse"))
    network.train()(x.float())
    exact.double().train()(x)
    found, expected = (one.trainable_layers()[0] for one in (network, exact))
    assert torch.allclose(found.mean.double(), expected.mean, rtol=1e-6)
    assert torch.allclose(found.variance.double(), expected.variance, rtol=2e-3, atol=0)


def samples(shape, classes, count, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
    return Samples(x, torch.randint(classes, (count,), generator=generator))


@every_kernel
@pytest.mark.parametrize("pool", ["average", "max"])
@pytest.mark.parametrize(
    ("kind", "switched"),
    [
        *((kind, {}) for kind in KINDS),
        ("lif_box", {"resets": ["subtract"], "surrogates": ["tanh"]}),
        ("lif", {"hidden_codes": ["once"], "surrogates": ["triangle"]}),
    ],
)
def test_steps_of_training_give_norses_weights(kernel, kind, switched, pool, chain):
    architecture = chain(
        input_shape=(2, 7, 5),
        neuron=kind,
        blocks=3,
        options={"widths": [5], "time_steps": [4], "state_bits": 8, **switched},
        **{"stage1.pool": pool},
    )
    results = {}
    for name in ("norse", kernel):
        results[name] = fit(
            build(architecture, 3, kernel=name).double(),
            samples((2, 7, 5), 3, 48, 0),
            samples((2, 7, 5), 3, 24, 1),
            steps=12,
            batch_size=8,
            learning_rate=0.02,
            weight_decay=0.01,
            looks=3,
            seed=5,
        )
    ours, theirs = results[kernel], results["norse"]

    assert ours.accuracy == theirs.accuracy
    assert ours.rates == theirs.rates
    initial = named_tensors(build(architecture, 3).double())
    for name, tensor in theirs.tensors.items():
        assert (ours.tensors[name] - tensor).abs().max().item() <= 1e-8 * tensor.abs().max().item()
        if name.endswith("weight"):
            assert difference(tensor, initial[name]) > 1e-3  # it was trained


@pytest.mark.parametrize("kernel", ["auto", *KERNELS, "norse"])
def test_a_network_says_its_kernel(kernel, chain):
    network = build(chain(blocks=1), 0, kernel=kernel)

    assert network.kernel == kernel
    assert deploy(network).kernel == kernel


def test_kernels_change_no_initial_weights(chain):
    one, *others = (
        named_tensors(build(chain(blocks=2), 5, kernel=name)) for name in ("norse", *KERNELS)
    )
    for other in others:
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
