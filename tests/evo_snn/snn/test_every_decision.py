"""Random networks of each space with every decision switched on: what holds for all of them.

More of them are drawn by ``make test-long``.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from evo_snn.snn import build, deploy
from evo_snn.snn.activity import Activity
from genomes.architecture import INPUT, Architecture
from genomes.quantizers import stored_bits
from genomes.spaces import OWN_SPACES, make_space
from hardware import estimate, lower_bounds
from tests.counts import count

EVERYTHING = {
    "neurons": ["lif_box", "lif", "iaf"],
    "leaks": [0.25, 0.5],
    "thresholds": [0.25, 0.5],
    "time_steps": [1, 2, 3],
    "weight_bits": [1, 2, 4],
    "quantizers": ["uniform", "power_of_two"],
    "bit_groups": 2,
    "removed_columns": [0.0, 0.5],
    "column_rows": 16,
    "resets": ["hard", "subtract"],
    "surrogates": ["super", "tanh"],
    "hidden_codes": ["any", "once"],
    "state_bits": [6, 12],
    "input_bits": [4, 8],
    "codings": ["direct", "rate", "radix", "phase", "burst", "first_spike"],
    "first_layers": ["memory", "digital"],
    "time_exits": ["off", "on"],
    "depth_exits": ["off", "on"],
    "exit_confidences": [0.6, 0.9],
}

SMALL = {
    "plain": ((1, 8, 8), {"max_stages": 2, "widths": [2, 3, 4]}),
    "cell": ((2, 8, 8), {"widths": [2, 3, 4]}),
    "spikenas_bench": ((2, 8, 8), {"widths": [2, 4], "bit_groups": 1}),
    "blocks": ((2, 8, 8), {"widths": [2, 3, 4]}),
    "hyperspectral": ((1, 12, 5, 5), {"widths": [2, 3, 4]}),
    "spectrum": ((1, 24), {"widths": [2, 3, 4]}),
    "signal": ((1, 32), {"widths": [2, 3, 4]}),
}


def space_of(name):
    shape, small = SMALL[name]
    known = OWN_SPACES[name].Options.model_fields
    options = {key: value for key, value in {**EVERYTHING, **small}.items() if key in known}
    return make_space(name, shape, 3, options)


def test_every_space_is_here():
    assert set(SMALL) == set(OWN_SPACES)


@pytest.mark.parametrize("name", SMALL)
def test_genomes(name):
    """Decode, one name for one network, a finite cost; in one batch, as a search does it."""
    space, rng = space_of(name), np.random.default_rng(0)
    rows = rng.integers(0, space.choices, (count(150, 2000), len(space.genes)))
    by_key, by_network = {}, {}
    for row in rows:
        canonical, network, key = space.canonical(row), space.decode(row), space.key(row)
        assert np.array_equal(space.canonical(canonical), canonical)
        assert space.decode(canonical) == network
        assert Architecture.from_description(network.describe()) == network
        by_key.setdefault(key, set()).add(network)
        by_network.setdefault(network, set()).add(key)
    assert all(len(networks) == 1 for networks in by_key.values())
    assert all(len(keys) == 1 for keys in by_network.values())
    costs = lower_bounds([network.workload for network in by_network])
    assert all(np.isfinite(values).all() and (values >= 0).all() for values in costs.values())


CASES = [(name, number) for name in SMALL for number in range(count(4, 50))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_networks(name, number):
    """Shapes, the workload's figures against the modules and what they really read, gradients."""
    space = space_of(name)
    rows = np.random.default_rng(number).integers(0, space.choices, (1, len(space.genes)))
    architecture = space.decode(rows[0])
    network = build(architecture, number)
    x = torch.rand(5, *architecture.input_shape, generator=torch.Generator().manual_seed(number))

    scores = network.train().decisions(x)
    F.cross_entropy(scores.mean(0), torch.arange(5) % 3).backward()
    assert scores.shape == (architecture.decisions, 5, 3)
    for label, parameter in network.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), label

    deployed, activity = deploy(network.eval()), Activity(architecture.carriers)
    read = {}

    def observe(element, source, spikes):
        activity(element, source, spikes)
        if source is not None:
            read.setdefault(element.name, []).append(source)
        elif spikes is not None:
            assert spikes.shape[1:] == architecture.current_shapes[element.name]

    with torch.no_grad():
        deployed.decisions(x, observe)
    first = next(layer.name for layer in architecture.layers if layer.source == INPUT)
    if torch.cat(read[first]).any():  # a first spike in a single step is of white pixels alone
        assert any(one.weight.grad.any() for one in network.trainable_layers())
    works = list(architecture.workload.layers)
    for layer in architecture.layers:
        module = deployed.layer(layer.name)
        parts = [works.pop(0) for _ in range(_parts_of(layer, works))]
        source = torch.cat(read[layer.name])
        assert source.shape[1:] == layer.in_shape
        assert sum(part.weights for part in parts) == module.levels.numel()
        assert len(source.unique()) <= 2**layer.input_bits
        for part in parts:
            assert part.input_bits == layer.input_bits
        widest = max(part.weight_bits for part in parts)
        levels = module.levels[module.levels != 0] if layer.removed else module.levels
        assert len(levels.unique()) <= 2**widest
        assert int(module.levels.abs().max()) < 2 ** max(1, widest - 1) or widest == 1
        bits = layer.group_bits or (layer.weight_bits,)
        assert widest == max(stored_bits(one, layer.quantizer) for one in bits)
    assert not works
    workload = architecture.workload.with_rates(activity.rates())
    ends = tuple([1 / architecture.decisions] * architecture.decisions)
    cost = estimate(architecture.ended(workload, ends))
    assert cost.energy_uj > 0
    assert cost.latency_ms > 0


def _parts_of(layer, works):
    """How many matrices of a workload belong to a layer: those of its name, or NAME/number."""
    own = {layer.name} | {f"{layer.name}/{number}" for number in range(1, 17)}
    return sum(work.name in own for work in works)
