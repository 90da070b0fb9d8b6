"""Networks of nodes: random cells and blocks, against sums, shifts and pools made by hand."""

import copy

import numpy as np
import pytest
import torch

from evo_snn.costing import measured_metrics
from evo_snn.snn import build, deploy
from evo_snn.snn.activity import Activity
from genomes.architecture import Node
from genomes.spaces import make_space
from hardware import estimate
from tests.counts import count
from tests.evo_snn.snn.conftest import NEURONS, switched, train_a_little

COMMON = {
    "widths": [1, 2, 3],
    "growths": [1, 2],
    "weight_bits": [1, 3, 8],
    "quantizers": ["uniform", "power_of_two"],
    "time_steps": [1, 2, 4],
    "thresholds": [0.25, 0.5],
    "state_bits": [6, 12],
    "input_bits": 5,
}
CELLS = {"stages": [1, 2], "repeats": [1, 2], "stem_pools": ["none", "average"]}
SPACES = {
    "cell": CELLS,
    "spikenas_bench": CELLS | {"leaks": [0.5, 0.75]},
    "blocks": {"reductions": ["max", "stride"], "end_pools": ["none", "max"], "slots": [2, 1]},
}
SHAPES = [(1, 6, 5), (2, 4, 4), (3, 1, 3)]
CASES = [(name, number) for name in SPACES for number in range(count(8, 50))]


class Seen:
    """What layers read and neurons fired, of all calls one behind the other."""

    def __init__(self):
        self.sources, self.spikes = {}, {}

    def __call__(self, element, source, spikes):
        if source is not None:
            self.sources.setdefault(element.name, []).append(source.detach())
        if spikes is not None:
            self.spikes.setdefault(element.name, []).append(spikes.detach())

    def of(self, what, name, steps):
        """(steps, batch, …)"""
        whole = torch.cat(getattr(self, what)[name])
        return whole.unflatten(0, (steps, -1))


def architecture_of(name, number):
    options = {**COMMON, **SPACES[name], **switched(number), "neurons": [NEURONS[number % 3]]}
    space = make_space(name, SHAPES[number % 3], 2 + number % 3, options)
    return space.decode(space.sample(1, np.random.default_rng(number))[0])


@pytest.fixture(scope="module", params=CASES, ids=lambda one: f"{one[0]}-{one[1]}")
def network(request):
    """A network that was trained a little, in float64, with samples."""
    name, number = request.param
    architecture = architecture_of(name, number)
    generator = torch.Generator().manual_seed(number)
    x = torch.rand(6, *architecture.input_shape, generator=generator, dtype=torch.float64)
    trained = build(architecture, number).double()
    train_a_little(trained, x, generator)
    return trained.eval(), x


def test_the_cases_hold_what_the_spaces_offer():
    found = [architecture_of(*case) for case in CASES]
    nodes = [node for one in found for node in one.nodes]
    links = [link for node in nodes for link in node.links]

    assert any(link.delayed and link.window == 3 for link in links)
    assert any(link.spikes for link in links)
    assert any(node.pool for node in nodes)
    assert any(".at" in node.name for node in nodes)
    assert any(node.neuron is None for node in nodes)
    assert any(by_step for one in found for _, by_step in one.blocks)
    assert any("back" in layer.name for one in found for layer in one.layers)
    assert {one.neuron.kind for one in nodes if one.neuron} == set(NEURONS)


def test_nodes_add_what_the_architecture_says(network):
    """From what each layer read: currents, their sums and means, spikes, what is read."""
    trained, x = network
    one, deployed, seen = trained.architecture, deploy(trained), Seen()
    scores = deployed(x, observe=seen)
    steps, maps, currents = one.time_steps, {}, {}
    sources = {layer.name: _source(seen, layer, one) for layer in one.layers}
    for layer in one.layers:
        module, read = deployed.layer(layer.name), sources[layer.name]
        if layer.is_readout:
            total = module(read.flatten(0, 1)).unflatten(0, (steps, -1)).mean(0)
            assert torch.allclose(total, scores, atol=1e-9)
            continue
        values = module.normalised(module.product(read.flatten(0, 1))[0])
        currents[layer.name] = values.unflatten(0, (steps, -1))
        if layer.neuron:
            window = layer.pool if layer.pool_kind == "max" else ()
            maps[layer.name] = _pooled(seen.of("spikes", layer.name, steps), window)
    for node in one.nodes:
        if node.neuron:
            maps[node.name] = _pooled(seen.of("spikes", node.name, steps), node.pool)
    _add_up(one, currents, maps)
    for node in one.nodes:
        if node.neuron:
            unit = deployed.unit(node.name)
            again = deployed.neuron(node.name)(currents[node.name], steps, unit)
            assert torch.equal(seen.of("spikes", node.name, steps), again), node.name
    for layer in one.layers:
        if layer.source in maps:
            assert torch.equal(sources[layer.name], maps[layer.source])


def _source(seen, layer, one):
    """What a layer read, (steps, batch, …): the analog input is the same in every step."""
    if layer.source != "input":
        return seen.of("sources", layer.name, one.time_steps)
    (read,) = seen.sources[layer.name]
    return read.expand(one.time_steps, *read.shape)


def _pooled(spikes, window):
    """The OR of windows, by numpy."""
    if max(window, default=1) == 1:
        return spikes
    rows, columns = (n // p for n, p in zip(spikes.shape[3:], window, strict=True))
    whole = spikes.numpy()[..., : rows * window[0], : columns * window[1]]
    split = whole.reshape(*spikes.shape[:3], rows, window[0], columns, window[1])
    return torch.from_numpy(split.max(axis=(4, 6)))


def _mean_of_nine(current):
    padded = torch.nn.functional.pad(current, (1, 1, 1, 1))
    rows, columns = current.shape[-2:]
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return sum(padded[..., i : i + rows, j : j + columns] for i, j in shifts) / 9


def _add_up(one, currents, maps):
    """The currents (steps, batch, …) of all nodes, step by step."""
    shape = one.current_shapes
    batch = next(iter(currents.values())).shape[1]
    for node in one.nodes:
        currents[node.name] = torch.zeros(
            one.time_steps, batch, *shape[node.name], dtype=torch.float64
        )
    for time in range(one.time_steps):
        for node in (element for element in one.order if isinstance(element, Node)):
            for link in node.links:
                if link.delayed and not time:
                    continue
                given = (maps if link.spikes else currents)[link.source][time - link.delayed]
                currents[node.name][time] += _mean_of_nine(given) if link.window == 3 else given


def test_the_deployed_network_gives_the_same_scores(network):
    trained, x = network

    assert torch.allclose(trained(x), deploy(trained)(x), atol=1e-9)


def test_the_workload_counts_the_neurons_and_the_sums_that_are_there(network):
    trained, x = network
    one, seen = trained.architecture, Seen()
    deploy(trained)(x, observe=seen)
    assert one.time_steps * len(x) * sum(
        work.neurons * (work.neuron_state_bits > 0) for work in one.workload.layers[:-1]
    ) == sum(spikes.numel() for parts in seen.spikes.values() for spikes in parts)
    additions = sum(
        len(node.links) - 1 + 4 * sum(link.window == 3 for link in node.links) for node in one.nodes
    )
    assert sum(work.current_inputs for work in one.workload.layers) == additions
    for layer, work in zip(one.layers, one.workload.layers, strict=True):
        carried = [node for node in one.nodes if one.carriers[node.name] == layer.name]
        fired = [each.name for each in (layer, *carried) if each.neuron]
        assert work.populations == max(1, len(fired))
        for name in fired:
            assert work.neurons == len(fired) * seen.spikes[name][0][0].numel()
        if not fired:
            assert (work.neuron_state_bits > 0) == layer.is_readout
            assert work.current_inputs == 0  # nothing to add with: it is done where neurons are
        assert seen.sources[layer.name][0][0].numel() == work.inputs
        assert work.residual_inputs == 0


def test_rates_are_those_of_all_neurons_that_a_layer_carries(network):
    trained, x = network
    one, seen = trained.architecture, Seen()
    activity = Activity(one.carriers)
    deployed = deploy(trained)
    deployed(x, observe=activity)
    deployed(x, observe=seen)
    rates = activity.rates()

    assert one.workload.with_rates(rates).layers  # every name is a layer's, every rate in 0 to 1
    for layer in one.layers:
        carried = [node.name for node in one.nodes if one.carriers[node.name] == layer.name]
        fired = [seen.spikes[name] for name in (layer.name, *carried) if name in seen.spikes]
        spikes = [part.flatten() for parts in fired for part in parts]
        expected = float(torch.cat(spikes).mean()) if spikes else 0.0
        assert rates[layer.name][1] == pytest.approx(expected)
        if layer.source != "input":
            read = torch.cat(seen.sources[layer.name])
            assert rates[layer.name][0] == pytest.approx(float(read.mean()))


def test_the_spike_rate_is_that_of_the_neurons_that_there_are(network):
    trained, x = network
    one, seen, activity = trained.architecture, Seen(), Activity(trained.architecture.carriers)
    deployed = deploy(trained)
    deployed(x, observe=activity)
    deployed(x, observe=seen)
    workload = one.workload.with_rates(activity.rates())

    metrics = measured_metrics(one, workload, estimate(workload))

    fired = torch.cat([part.flatten() for parts in seen.spikes.values() for part in parts])
    assert metrics["spike_rate"] == pytest.approx(float(fired.mean()))
    assert metrics["spikes"] == pytest.approx(float(fired.sum()) / len(x))


def test_a_training_step_gives_everything_a_finite_gradient(network):
    trained, x = network
    again = copy.deepcopy(trained).train()
    y = torch.arange(len(x)) % again.architecture.classes
    torch.nn.functional.cross_entropy(again(x), y).backward()
    gradients = {name: one.grad for name, one in again.named_parameters()}

    assert all(one is not None and torch.isfinite(one).all() for one in gradients.values())


PLAIN = {"widths": [8], "weight_bits": [8], "time_steps": [3], "thresholds": [0.5]}


@pytest.mark.parametrize("name", SPACES)
def test_training_lowers_the_loss(name):
    space = make_space(name, (1, 8, 8), 3, {**PLAIN, "neurons": ["lif_box"], "leaks": [0.75]})
    genome = space.sample(1, np.random.default_rng(1))[0]
    network = build(space.decode(genome), 0)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(32, 1, 8, 8, generator=generator)
    y = torch.arange(32) % 3
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        network.project()
        losses.append(loss.item())

    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
