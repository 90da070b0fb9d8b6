"""Nodes, temporal feedback, frames and weighted spikes, against programs written out by hand."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from evo_snn.snn.activity import Activity
from evo_snn.snn.codings import encoded
from evo_snn.snn.kernels import KERNELS
from evo_snn.snn.network import build, deploy
from genomes.architecture import Architecture, Layer, Link, Neuron, Node

NEURON = Neuron("lif_box", 0.5, 0.3, 12)
STEPS = 4


def convolution(name, source, channels, kernel=3, **changes):
    fields = {
        "name": name,
        "source": source,
        "in_shape": (channels, 5, 5),
        "out_channels": 3,
        "kernel": (kernel,) * 2,
        "stride": (1, 1),
        "padding": (kernel // 2,) * 2,
        "weight_bits": 4,
        "input_bits": 1,
        "pool": (1, 1),
        "pool_kind": "max",
        "neuron": None,
        "joins": True,
    }
    return Layer(**{**fields, **changes})


def readout(source):
    empty = dict.fromkeys(("kernel", "stride", "padding", "pool"), ())
    return replace(convolution("readout", source, 3), out_channels=2, joins=False, peak=0, **empty)


def cell(links, *more, stem=None):
    """A stem, a convolution of its spikes, a node that adds up, the read-out."""
    return Architecture(
        input_shape=(1, 5, 5),
        classes=2,
        time_steps=STEPS,
        input_bits=8,
        layers=(
            stem or convolution("stem", "input", 1, input_bits=8),
            convolution("a", "first", 3),
            *more,
            readout("last"),
        ),
        nodes=(
            Node("first", (Link("stem"),), NEURON),
            Node("last", links, NEURON),
        ),
    )


FORWARD = cell((Link("a"), Link("stem"), Link("first", window=3)))
FEEDBACK = Architecture(
    input_shape=(1, 5, 5),
    classes=2,
    time_steps=STEPS,
    input_bits=8,
    layers=(
        convolution("stem", "input", 1, input_bits=8),
        convolution("a", "first", 3),
        convolution("back", "last", 3, 1),
        readout("last"),
    ),
    nodes=(
        Node("first", (Link("stem"), Link("back", delayed=True)), NEURON),
        Node("last", (Link("a"), Link("stem", delayed=True)), NEURON),
    ),
)


def by_hand(network, x):
    """Scores of FORWARD or FEEDBACK, one step after the other; in evaluation."""
    one = network.architecture
    feeds_back = one is FEEDBACK
    states, total, before = {}, 0, {}

    def current(name, source):
        return network.layer(name).normalised(network.layer(name).product(source)[0])

    def fire(name, value):
        neuron = network.neuron(name)
        state = states.get(name) or neuron.start(value)
        spikes, states[name] = neuron.step(value, state, network.unit(name))
        return spikes

    for _ in range(one.time_steps):
        stem = current("stem", x)
        first = stem + before["back"] if feeds_back and before else stem
        spikes = fire("first", first)
        last = current("a", spikes)
        if feeds_back:
            last = last + before["stem"] if before else last
        else:
            last = last + stem + F.avg_pool2d(first, 3, stride=1, padding=1)
        fired = fire("last", last)
        before = {"stem": stem}
        if feeds_back:
            before["back"] = current("back", fired)
        total = total + network.layer("readout")(fired)
    return total / one.time_steps


def trained_a_little(architecture, kernel="auto"):
    network = build(architecture, 3, kernel).double().train()
    for layer in network.trainable_layers():
        layer.shift.data += torch.linspace(0.01, 0.2, len(layer.shift))  # so that nothing ties
    for seed in range(3):  # statistics of batch normalisation
        network(samples(seed))
    return network.eval()


def samples(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(6, 1, 5, 5, generator=generator, dtype=torch.float64)
    return (x * 255).round() / 255


@pytest.mark.parametrize("architecture", [FORWARD, FEEDBACK], ids=["forward", "feedback"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_nodes_by_hand(architecture, kernel):
    network = trained_a_little(architecture, kernel)

    with torch.no_grad():
        found, expected = network(samples(7)), by_hand(network, samples(7))

    assert found.abs().sum() > 0
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("architecture", [FORWARD, FEEDBACK], ids=["forward", "feedback"])
def test_deployed_nodes_give_the_same_scores(architecture):
    network = trained_a_little(architecture)

    with torch.no_grad():
        found, expected = deploy(network)(samples(7)), network(samples(7))

    assert torch.allclose(found, expected)


def test_only_the_loop_runs_step_by_step():
    parts = [([one.name for one in elements], loop) for elements, loop in FEEDBACK.blocks]

    assert parts == [
        (["stem"], False),
        (["first", "a", "last", "back"], True),
        (["readout"], False),
    ]
    assert FEEDBACK.by_step
    assert not FORWARD.by_step


def test_feedback_is_felt():
    network = trained_a_little(FEEDBACK)
    cut = trained_a_little(FEEDBACK)
    cut.layer("back").scale.data.zero_()
    cut.layer("back").shift.data.zero_()

    with torch.no_grad():
        assert not torch.equal(network(samples(7)), cut(samples(7)))


def test_statistics_of_a_loop_are_those_of_all_its_steps_alike():
    network = build(FEEDBACK, 3, "torch").double().train()
    layer, given = network.layer("back"), []
    plain, expected = layer.normalised, torch.zeros(())

    def seen(values, *part):
        given.append(values)
        return plain(values, *part)

    layer.normalised = seen
    for batch in range(1, 13):  # from the tenth batch on, a tenth
        given.clear()
        with torch.no_grad():
            network(samples(batch))
        parts = torch.stack(given)
        assert len(parts) == STEPS
        newest = torch.stack([parts.mean((0, 1, 3, 4)), parts.var((1, 3, 4)).mean(0)])
        share = max(1 / batch, 0.1)
        expected = (1 - share) * expected + share * newest

    assert parts.mean((1, 3, 4)).std(0).max() > 0.01  # steps differ
    assert torch.allclose(torch.stack([layer.mean, layer.variance]), expected)


@pytest.mark.parametrize("architecture", [FORWARD, FEEDBACK], ids=["forward", "feedback"])
def test_gradients_reach_everything(architecture):
    network = build(architecture, 3).train()

    network(samples().float()).square().sum().backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("architecture", [FORWARD, FEEDBACK], ids=["forward", "feedback"])
def test_spikes_of_nodes_are_counted_with_what_drives_them(architecture):
    network = trained_a_little(architecture)
    fired = {}

    def observe(element, source, spikes):
        activity(element, source, spikes)
        if spikes is not None:
            fired.setdefault(element.name, []).append(spikes)

    activity = Activity(architecture.carriers)
    with torch.no_grad():
        network(samples(7), observe)

    rates = activity.rates()
    assert architecture.carriers == {"first": "stem", "last": "a"}
    for node, layer in architecture.carriers.items():
        assert rates[layer][1] == pytest.approx(torch.cat(fired[node]).mean().item())
        assert sum(map(len, fired[node])) == STEPS * 6
    assert rates["a"][0] == pytest.approx(torch.cat(fired["first"]).mean().item())


def test_an_event_stream_is_read_frame_by_frame():
    one = FORWARD
    stream = replace(one, frames=STEPS)
    network = trained_a_little(one)
    network.architecture = stream
    x = torch.stack([samples(k) for k in range(STEPS)], dim=1)

    with torch.no_grad():
        found = network(x)
        expected = 0
        states = {}
        for t in range(STEPS):
            stem, a, last = (network.layer(name) for name in ("stem", "a", "readout"))
            c = stem(x[:, t])
            spikes, states["first"] = step(network, "first", c, states)
            d = a(spikes) + c + F.avg_pool2d(c, 3, stride=1, padding=1)
            spikes, states["last"] = step(network, "last", d, states)
            expected = expected + last(spikes) / STEPS

    assert torch.allclose(found, expected)
    assert not stream.static
    assert not stream.workload.layers[0].static_input


def step(network, name, current, states):
    neuron = network.neuron(name)
    return neuron.step(current, states.get(name) or neuron.start(current), network.unit(name))


def test_weighted_spikes_are_worth_powers_of_two():
    stem = convolution("stem", "input", 1, input_bits=1)
    one = replace(cell((Link("a"),), stem=stem), coding="radix")
    network = trained_a_little(one)
    layer, x = network.layer("stem"), samples(7)
    seen = {}

    def observe(element, source, spikes):
        seen[element.name] = (source, spikes)

    with torch.no_grad():
        network(x, observe)
        trains = encoded(x, "radix", STEPS, None)
        states = {}
        for t in range(STEPS):
            current = layer.normalised(layer.product(trains[t])[0] * 2.0**-t)
            spikes, states["first"] = step(network, "first", current, states)
            assert torch.equal(seen["first"][1].unflatten(0, (STEPS, -1))[t], spikes)
    assert torch.equal(seen["stem"][0], trains.flatten(0, 1))
    assert not one.workload.layers[0].static_input
