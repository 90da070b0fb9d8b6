"""Training with noise: each step meets a chip of its own, looks meet none."""

import pytest
import torch
from torch import Tensor

from evo_snn.config import OnChipSection
from evo_snn.noise import WeightNoise, noise_of
from evo_snn.snn import build, deploy
from evo_snn.snn.layers import folded
from evo_snn.training import Samples, fit, measure
from genomes.architecture import Layer
from genomes.spaces import make_space
from hardware import load_chip
from hardware.conditions import Conditions
from hardware.conductance import kernel_layers

CHIP = load_chip("rram_32nm")
NOISE = WeightNoise(CHIP, Conditions(variation=0.3, stuck_off=0.05))


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(seed: int = 0):
    space = make_space("plain", (1, 8, 8), 10, {"max_stages": 1, "widths": [4]})
    return build(space.decode([0] * len(space.genes)), seed)


@pytest.fixture(scope="module")
def samples() -> Samples:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 1, 8, 8, generator=generator)
    return Samples(x, torch.arange(40) % 10)


def fitted(samples: Samples, noise: WeightNoise | None, seed: int = 3):
    return fit(
        network(),
        samples,
        samples,
        steps=4,
        batch_size=16,
        learning_rate=0.01,
        weight_decay=0.0,
        looks=2,
        seed=seed,
        noise=noise,
    )


def test_a_section_says_whether_there_is_noise() -> None:
    assert noise_of(None) is None
    assert noise_of(OnChipSection(variation=0.1)) is None
    section = OnChipSection(variation=0.1, train_with_noise=True)
    assert noise_of(section) == Conditions(variation=0.1)


def test_every_step_meets_other_weights_and_evaluation_its_own(samples: Samples) -> None:
    trained = network().train()
    own = trained(samples.x)
    with NOISE.on(trained, seed=1):
        first, second = trained(samples.x), trained(samples.x)
        evaluated = trained.eval()(samples.x)
    assert torch.equal(trained(samples.x), evaluated)
    assert not torch.equal(first, own)
    assert not torch.equal(first, second)
    again = network().train()
    assert torch.equal(again(samples.x), own)
    with NOISE.on(again, seed=1):
        assert torch.equal(again(samples.x), first)


def test_ideal_chips_are_no_noise(samples: Samples) -> None:
    trained = network().train()
    own = trained(samples.x)
    with WeightNoise(CHIP, Conditions()).on(trained, seed=1):
        assert torch.equal(trained(samples.x), own)


def test_a_chip_holds_the_levels_that_deploying_flips() -> None:
    trained = network().train()
    layer = trained.trainable_layers()[0]
    with torch.no_grad():
        layer.scale[1] = -1.0
        layer.weight.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []

    def perturb(_: object, levels: Tensor) -> Tensor:
        seen.append(levels)
        return levels

    layer.perturb = perturb
    trained(torch.rand(2, 1, 8, 8))
    assert torch.equal(seen[0], folded(layer).levels.to(seen[0]))


def test_the_gradient_reaches_the_latent_weights(samples: Samples) -> None:
    trained = network().train()
    with NOISE.on(trained, seed=1):
        trained(samples.x).square().sum().backward()
    for layer in trained.trainable_layers():
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().sum() > 0


def test_training_with_noise_is_reproducible_and_another_training(samples: Samples) -> None:
    first, again, plain = (fitted(samples, noise) for noise in (NOISE, NOISE, None))
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, again.tensors[name])
    assert any(not torch.equal(first.tensors[name], plain.tensors[name]) for name in plain.tensors)
    assert fitted(samples, NOISE, seed=4).tensors.keys() == plain.tensors.keys()


def test_without_noise_nothing_has_changed(samples: Samples) -> None:
    ideal = fitted(samples, WeightNoise(CHIP, Conditions()))
    plain = fitted(samples, None)
    for name, tensor in plain.tensors.items():
        assert torch.equal(tensor, ideal.tensors[name])
    assert ideal.accuracy == plain.accuracy


def test_looks_are_at_the_network_without_noise(samples: Samples) -> None:
    trained = network()
    found = fit(
        trained,
        samples,
        samples,
        steps=2,
        batch_size=16,
        learning_rate=0.01,
        weight_decay=0.0,
        looks=1,
        seed=0,
        noise=NOISE,
    )
    assert found.accuracy == measure(deploy(trained), samples).accuracy
    assert all(layer.perturb is None for layer in trained.trainable_layers())


@pytest.mark.parametrize("chip", ["rram_32nm", "rram_neurosim_22nm"])
def test_noise_lays_layers_out_as_they_are_costed(
    monkeypatch: pytest.MonkeyPatch, samples: Samples, chip: str
) -> None:
    """Layers with few weights an output are not mapped by kernel on the one, but on the other."""
    seen: dict[str, list[bool]] = {}

    def noisy(levels: Tensor, layer: Layer, *_: object, by_kernel: list[bool]) -> Tensor:
        seen[layer.name] = by_kernel
        return levels

    monkeypatch.setattr("evo_snn.noise.noisy_levels", noisy)
    mapped = load_chip(chip, {"mapping": "kernel"})
    trained = network().train()
    with WeightNoise(mapped, Conditions(variation=0.1)).on(trained, seed=1):
        trained(samples.x)
    workload = trained.architecture.workload
    names = [layer.name for layer in workload.layers]
    mapped_so = [[one] for one in kernel_layers(workload, mapped)]  # each layer has one part
    assert seen == dict(zip(names, mapped_so, strict=True))
    assert all(one for [one] in seen.values()) == (chip == "rram_32nm")
