"""Networks: scores, quantization in every training pass, seeds, devices."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from evo_snn.snn import build, deploy
from evo_snn.snn.network import in_channels_last
from evo_snn.snn.passes import with_bands_folded
from evo_snn.snn.quantization import quantized_input


def test_scores_are_the_mean_of_the_readout_over_time(case, seen, products):
    with products:
        scores = case.deployed(case.x, observe=seen)
    steps, batch = case.architecture.time_steps, len(case.x)
    readout = case.deployed.layers["readout"]
    read = seen.sources["readout"].reshape(steps, batch, -1).numpy()
    levels = readout.levels.flatten(1).numpy().astype(float)
    total = np.zeros((batch, case.architecture.classes))
    for step in read:
        total += step @ levels.T * readout.scale.numpy() + readout.bias.numpy()

    assert np.abs(scores.numpy() - total / steps).max() < 1e-12


def test_one_step_more_is_accumulated_not_the_last_taken(chain):
    """By hand: one neuron that fires in steps 2 and 4 of 4, so the mean is a half."""
    architecture = chain(
        input_shape=(1, 1),
        classes=2,
        blocks=1,
        neuron="iaf",
        options={"widths": [1], "kernels": [1], "thresholds": [1.0], "time_steps": [4]},
    )
    network = deploy(build(architecture, 0))
    first, readout = network.layers["stage1_block1"], network.layers["readout"]
    first.levels.zero_()
    first.bias.fill_(0.75)  # 0.75, 1.5 fires, 0.75, 1.5 fires
    readout.levels.copy_(torch.tensor([[[1]], [[-1]]], dtype=torch.int8))
    readout.scale.fill_(3.0)
    readout.bias.copy_(torch.tensor([0.25, -0.5]))

    assert network(torch.zeros(1, 1, 1)).tolist() == [[0.25 + 1.5, -0.5 - 1.5]]


def test_the_static_input_is_multiplied_once(case, products):
    with products:
        case.trained(case.x)
    batches = [read.shape[0] for read, _, _ in products.ran]
    steps = case.architecture.time_steps

    assert batches == [len(case.x)] + [steps * len(case.x)] * (len(case.architecture.layers) - 1)


def test_the_first_layer_reads_the_quantized_input(case, products):
    network = copy.deepcopy(case.trained).train()  # its statistics will move
    with products:
        network(case.x)

    read = case.x[(slice(None), *(slice(*part) for part in case.architecture.window))]
    expected = quantized_input(read, case.architecture.input_bits)
    assert torch.equal(products.ran[0][0].view_as(expected), expected)


@pytest.mark.parametrize("training", [True, False])
def test_every_pass_runs_each_layer_at_its_own_bits(training, chain, products):
    bits = [2, 3, 5, 8, 4]
    names = [*(f"stage1.block{k}.weight_bits" for k in range(1, 5)), "readout.weight_bits"]
    architecture = chain(
        options={"widths": [12], "kernels": [5]}, **dict(zip(names, bits, strict=True))
    )
    network = build(architecture, 0).train(training)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    passes = 3
    with products:
        for _ in range(passes):
            optimizer.zero_grad()
            with torch.set_grad_enabled(training):
                loss = network(x).square().sum()
            if training:
                with torch.utils._python_dispatch._disable_current_modes():
                    loss.backward()
                optimizer.step()

    assert len(products.ran) == passes * len(bits)
    for number, (_, weight, _) in enumerate(products.ran):
        own = bits[number % len(bits)]
        largest = 2 ** (own - 1) - 1
        # a readout has one scale for all its channels
        channels = weight if number % len(bits) < 4 else weight.flatten()[None]
        for channel in channels:
            values = channel.unique()
            assert len(values) <= 2**own - 1
            step = values.abs()[values != 0].min()
            codes = values / step
            assert torch.allclose(codes, codes.round(), atol=1e-3)
            assert codes.abs().max() <= largest + 1e-3
        if own > 2:  # and no fewer: more than the next narrower width could hold
            assert max(len(c.unique()) for c in channels) > 2 ** (own - 2)
    if training:
        first, last = products.ran[0][1], products.ran[-len(bits)][1]
        assert not torch.equal(first, last)


def test_everything_trained_gets_a_gradient(case):
    """But what is behind a silent layer."""
    network = copy.deepcopy(case.trained).train()  # its statistics will move
    network.zero_grad()
    y = torch.arange(len(case.x)) % case.architecture.classes
    F.cross_entropy(network(case.x), y).backward()
    names = dict(network.named_parameters())

    assert all(parameter.grad is not None for parameter in names.values())
    assert all(torch.isfinite(parameter.grad).all() for parameter in names.values())
    assert {name for name in names if "threshold" in name or "leak" in name} == {
        f"neurons.{layer.name.replace('.', '_')}.{which}"
        for layer in case.architecture.layers
        if layer.neuron
        for which in (["threshold"] if layer.neuron.kind == "iaf" else ["threshold", "leak"])
    }


@pytest.mark.parametrize("neuron", ["lif_box", "lif", "iaf"])
def test_a_gradient_reaches_the_first_layer_through_deep_links(chain, neuron):
    network = build(chain(neuron=neuron, blocks=4), 0).train()
    x = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    F.cross_entropy(network(x), torch.arange(8) % 3).backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_training_lowers_the_loss(chain):
    """Two patterns that a spiking network tells apart after a few steps."""
    network = build(chain(blocks=2, classes=2), 0).train()
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(32) % 2
    x = 0.2 * torch.rand(32, 1, 4, 4, generator=generator)
    x[y == 1, :, :2] += 0.7
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        network.project()
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.5 * losses[0]
    assert float((deploy(network)(x).argmax(1) == y).float().mean()) > 0.9


def test_equal_seeds_build_equal_networks(chain):
    architecture = chain(blocks=3)
    one, again, other = (build(architecture, seed).state_dict() for seed in (5, 5, 6))

    assert all(torch.equal(one[name], again[name]) for name in one)
    weights = [name for name in one if name.endswith(".weight")]
    assert len(weights) == 4
    assert not any(torch.equal(one[name], other[name]) for name in weights)


def test_the_global_generator_is_not_touched(chain):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    network = build(chain(blocks=3), 5)
    network(torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))).sum().backward()
    deploy(network)

    assert torch.equal(torch.get_rng_state(), before)
    first = network.state_dict()["layers.readout.weight"]
    torch.manual_seed(2)
    assert torch.equal(build(chain(blocks=3), 5).state_dict()["layers.readout.weight"], first)


def test_initial_weights_have_hes_spread(chain):
    network = build(chain(blocks=2, options={"widths": [64], "kernels": [5]}), 0)
    second = network.trainable_layers()[1].weight

    assert float(second.detach().std()) == pytest.approx((2 / (64 * 25)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("number", range(0, 36, 3))
def test_nothing_is_made_on_another_device(number, cases):
    """On ``meta`` every tensor of a pass must follow the samples; a stray one cannot be mixed."""
    case = cases[number]
    shape = (2, *case.architecture.input_shape)
    for network in (build(case.architecture, 0), deploy(build(case.architecture, 0))):
        scores = network.eval().to("meta")(torch.zeros(shape, device="meta"))
        assert scores.device.type == "meta"
        assert scores.shape == (2, case.architecture.classes)


def test_deploying_keeps_the_type(case):
    single = deploy(build(case.architecture, 0))

    assert {t.dtype for t in case.deployed.parameters()} == {torch.float64}
    assert {t.dtype for t in single.parameters()} == {torch.float32}
    assert single(case.x.float()).dtype == torch.float32
    assert case.deployed(case.x).dtype == torch.float64


def test_samples_do_not_feel_each_other(case):
    together = case.deployed(case.x)
    alone = torch.cat([case.deployed(one[None]) for one in case.x])

    assert torch.allclose(together, alone, atol=1e-9)


def test_running_statistics_average_the_first_batches_then_follow_with_a_tenth(chain, products):
    network = build(chain(blocks=1), 0).train()
    with products:
        network(torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)))
    first = network.trainable_layers()[0]
    out = products.ran[0][2]

    assert torch.allclose(first.mean, out.mean(dim=(0, 2, 3)), atol=1e-6)
    assert torch.allclose(first.variance, out.var(dim=(0, 2, 3)), rtol=1e-5)

    first.batches_seen = 20  # from the tenth batch on, a tenth
    before = first.mean.clone()
    with products:
        network(torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    newest = products.ran[-2][2].mean(dim=(0, 2, 3))
    assert torch.allclose(first.mean, 0.9 * before + 0.1 * newest, atol=1e-6)


def test_folded_bands_keep_channels_innermost():
    x = torch.arange(2 * 3 * 4 * 5 * 6.0).view(2, 3, 4, 5, 6)
    ours = with_bands_folded(in_channels_last(x))

    assert torch.equal(ours, x.reshape(2, 12, 5, 6))
    assert ours.permute(0, 2, 3, 1).is_contiguous()
    pixels = with_bands_folded(in_channels_last(x[..., 0]))  # 2-D maps fold to 1-D ones
    assert torch.equal(pixels, x[..., 0].reshape(2, 12, 5))


def test_networks_see_their_windows_alone(other_cases):
    felt = []
    for case in (one for cases in other_cases.values() for one in cases if one.architecture.window):
        inside = (slice(None), *(slice(*part) for part in case.architecture.window))
        noise = torch.rand(case.x.shape, generator=torch.Generator().manual_seed(1)).double()
        other = noise.clone()
        other[inside] = case.x[inside]
        assert torch.equal(case.deployed(other), case.deployed(case.x))
        felt.append(not torch.equal(case.deployed(noise), case.deployed(case.x)))

    assert any(felt)
