"""The network that is scored is the network that the chip runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evo_snn.snn import build, deploy
from evo_snn.snn.kernels import reference
from evo_snn.snn.layers import folded
from evo_snn.snn.products import product
from evo_snn.snn.quantization import quantized_state
from genomes.architecture import INPUT
from genomes.spaces import make_space
from tests.evo_snn.snn.alphabets import levels_of


def test_folding_changes_no_spike_and_no_score(case, seen):
    scores = case.trained(case.x, observe=seen)
    deployed = type(seen)()
    folded_scores = case.deployed(case.x, observe=deployed)

    for name, spikes in seen.spikes.items():
        assert torch.equal(deployed.spikes[name], spikes), name
        assert torch.equal(deployed.sources[name], seen.sources[name]), name
    assert (scores - folded_scores).abs().max() < 1e-9


def test_a_layer_is_its_levels_one_scale_and_one_bias_a_channel(case):
    for layer in case.deployed.layers.values():
        levels = layer.levels
        assert levels.dtype == torch.int8
        assert levels.shape == layer.layer.weight_shape
        groups = layer.layer.group_bits or (layer.layer.weight_bits,)
        for channel, own in enumerate(levels):
            borders = [k * len(levels) // len(groups) for k in range(1, len(groups) + 1)]
            group = next(k for k, border in enumerate(borders) if channel < border)
            alphabet = levels_of(groups[group], layer.layer.quantizer)
            absent = [0] if layer.layer.removed else []
            assert set(own.unique().tolist()) <= {*alphabet, *absent}
        assert layer.scale.shape == layer.bias.shape == (layer.layer.out_channels,)
        assert (layer.scale > 0).all()
        buffers = sum(tensor.numel() for tensor in layer.buffers())
        removed = layer.layer.weights - layer.layer.stored_weights
        assert buffers == layer.layer.parameters + removed
        assert int((levels == 0).sum()) >= removed
    readout = list(case.deployed.layers.values())[-1]
    assert len(readout.scale.unique()) == 1


def test_nothing_of_a_deployed_network_is_trained(case):
    assert not case.deployed.training
    assert not any(tensor.requires_grad for tensor in case.deployed.parameters())
    assert not case.deployed(case.x).requires_grad


def test_deploying_leaves_the_trained_network_alone(case):
    before = {name: value.clone() for name, value in case.trained.state_dict().items()}
    deployed = deploy(case.trained)
    with torch.no_grad():
        for tensor in [*deployed.parameters(), *deployed.buffers()]:
            tensor.zero_()

    for name, value in case.trained.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_negative_gain_flips_the_levels():
    architecture = _one_layer()
    network = build(architecture, 0).double()
    layer = network.trainable_layers()[0]
    plain = folded(layer)
    with torch.no_grad():
        layer.scale[1] = -2.0
    flipped = folded(layer)

    assert torch.equal(flipped.levels[1], -plain.levels[1])
    assert torch.equal(flipped.levels[0], plain.levels[0])
    assert torch.allclose(flipped.scale / plain.scale, torch.tensor([1.0, 2.0]).double())


def test_folding_by_hand():
    layer = build(_one_layer(), 0).double().trainable_layers()[0]
    with torch.no_grad():
        # channel 0: rms sqrt((1 + 1 + 4) / 3) = sqrt(2), 2 bits: step 1.224 * sqrt(2) = 1.731
        layer.weight[0] = torch.tensor([[1.0, -1.0, 2.0]])
        layer.weight[1] = torch.tensor([[3.0, 0.0, 0.0]])  # rms sqrt(3), step 2.1200
        layer.scale[:] = torch.tensor([0.5, -3.0])
        layer.shift[:] = torch.tensor([0.25, 1.0])
        layer.mean[:] = torch.tensor([2.0, 1.0])
        layer.variance[:] = torch.tensor([4.0, 9.0]) - 1e-5
    deployed = folded(layer)

    # gains 0.5 / 2 = 0.25 and -3 / 3 = -1; biases 0.25 - 0.25 * 2 and 1 + 1 * 1
    assert deployed.levels.tolist() == [[[1, -1, 1]], [[-1, 0, 0]]]
    assert deployed.scale.tolist() == pytest.approx([0.25 * 1.224 * 2**0.5, 1.224 * 3**0.5])
    assert deployed.bias.tolist() == pytest.approx([-0.25, 2.0])


def test_what_a_layer_reads_fits_its_input_bits(case, seen):
    case.deployed(case.x, observe=seen)

    for layer in case.architecture.layers:
        values = seen.sources[layer.name]
        largest = 2**layer.input_bits - 1
        codes = values * largest if layer.source == INPUT else values
        assert torch.allclose(codes, codes.round(), atol=1e-9, rtol=0)
        assert codes.min() >= 0
        assert codes.max() <= largest
        if layer.source != INPUT:
            assert values.max() <= case.deployed.architecture.layers[_index(case, layer)].peak


def _index(case, layer):
    return [one.name for one in case.architecture.layers].index(layer.source)


@pytest.mark.parametrize(
    ("skip", "read"),
    [("add", [1, 2, 3, 4, 5]), ("or", [1, 1, 1, 1, 1]), ("none", [1, 1, 1, 1, 1])],
)
@pytest.mark.parametrize("neuron", ["lif_box", "lif", "iaf"])
def test_the_peaks_are_reached_where_every_neuron_fires(chain, seen, skip, read, neuron):
    network = _always_firing(chain(blocks=5, skip=skip, neuron=neuron))
    network(torch.rand(2, 1, 4, 4), observe=seen)
    readers = network.architecture.layers[1:]

    assert [float(seen.sources[layer.name].max()) for layer in readers] == read
    assert [layer.input_bits for layer in readers] == [int(peak).bit_length() for peak in read]


def test_or_of_a_multi_bit_map_keeps_its_values(chain, seen):
    added = chain(blocks=4, skip="add")
    last = [
        replace(added.layers[3], skip_kind="or", peak=3),
        replace(added.layers[4], input_bits=2),
    ]
    network = _always_firing(replace(added, layers=(*added.layers[:3], *last)))
    network(torch.rand(2, 1, 4, 4), observe=seen)

    assert float(seen.sources["readout"].max()) == 3


def _always_firing(architecture):
    network = build(architecture, 0).eval()
    with torch.no_grad():
        for layer in network.trainable_layers():
            layer.shift.fill_(100.0)
    return deploy(network)


def _one_layer():
    space = make_space(
        "plain",
        (1, 4),
        2,
        {"max_stages": 1, "max_blocks": 1, "widths": [2], "kernels": [3], "weight_bits": [2]},
    )
    return space.decode([0] * len(space.genes))


def plainly_run(layer, ran, deployed):
    """Input, weight and output of a layer, as if nothing were done to make it fast."""
    # one dimension is run as two, the first of size 1
    read, weight, result = [x.squeeze(2) for x in ran] if len(layer.kernel) == 1 else ran
    if weight.shape[2:] == layer.kernel or not layer.kernel:
        return read, weight, result
    # run with the pooled kernel, in strides
    assert weight.shape[2:] == tuple(k + 1 for k in layer.kernel)
    assert result.shape[2:] == layer.stored_shape[1:]
    levels = deployed.layers[layer.name.replace(".", "_")].levels.to(read)
    assert torch.equal(weight.flatten(2).sum(2), levels.flatten(2).sum(2))
    return read, levels, product(layer, read, levels)


def test_the_workload_is_what_runs(case, seen, products):
    """Sizes of the workload against the tensors of a real forward pass."""
    workload = case.architecture.workload
    with products:
        case.deployed(case.x, observe=seen)
    batch = len(case.x)

    ran = dict(zip(case.architecture.layers, products.ran, strict=True))
    for (layer, part), work in zip(case.architecture.parts, workload.layers, strict=True):
        own = slice(part.start, part.stop)
        steps = 1 if work.static_input else workload.timesteps
        read, weight, result = plainly_run(layer, ran[layer], case.deployed)
        weight, result = weight[own], result[:, own]
        assert read.shape[0] == result.shape[0] == batch * steps
        assert weight.numel() == work.weights
        assert weight[0].numel() == work.rows
        assert weight.shape[0] == work.columns == result.shape[1]
        assert read[0].numel() == work.inputs
        assert result[0].numel() == work.columns * work.positions
        assert result[0, 0].numel() * weight.numel() == work.operations
        assert weight.unique().numel() <= 2**work.weight_bits + (work.column_share < 1)
        blocks = weight.flatten(1).split(work.column_rows, 1)
        absent = round((1 - work.column_share) * work.columns)
        assert all(int((block == 0).all(1).sum()) >= absent for block in blocks)
        assert (absent > 0) == (work.column_share < 1)
        if work.kind != "linear":
            assert read.shape[2:] == work.in_size
            assert result.shape[2:] == work.out_size
            assert weight.shape[2:] == work.kernel
        if layer.neuron:
            assert seen.spikes[layer.name].shape[0] == batch * workload.timesteps
            assert seen.spikes[layer.name][0, own].numel() == work.neurons
        else:
            assert result[0].numel() == work.neurons
        stored = [one for one in case.architecture.layers if one.source == layer.name]
        outputs = sum(
            one.outputs
            for (whole, _), one in zip(case.architecture.parts, workload.layers, strict=True)
            if whole is layer
        )
        assert all(seen.sources[reader.name][0].numel() == outputs for reader in stored)


def test_every_layer_reads_what_the_one_before_stored(case, seen):
    """Pooling, OR, sums and folds, computed by numpy from the spikes alone."""
    case.deployed(case.x, observe=seen)
    maps = {}
    for layer in case.architecture.layers[:-1]:
        stored = seen.spikes[layer.name].numpy()
        if layer.pool_kind == "max":
            stored = _blocks(stored, layer.pool).max(axis=-1)
        for skip in layer.skips:
            merge = np.add if layer.skip_kind == "add" else np.maximum
            stored = merge(stored, maps[skip])
        maps[layer.name] = stored
        assert int(stored.max()) <= layer.peak
    for layer in case.architecture.layers[1:]:
        read, stored = seen.sources[layer.name], maps[layer.source]
        if layer.folded:
            n, channels, bands, *sides = stored.shape
            assert bands == layer.folded
            stored = stored.reshape(n, channels * bands, *sides)
        assert np.array_equal(read.numpy(), stored)


def _blocks(array, pool):
    """(…, n, m) → (…, n // p, m // p, p * p): the values of each pooling window last."""
    first = array.ndim - len(pool)
    for axis, size in enumerate(pool, start=first):
        whole = array.shape[axis] // size * size
        array = np.take(array, np.arange(whole), axis=axis)
    shape = [*array.shape[:first]]
    for axis, size in enumerate(pool, start=first):
        shape += [array.shape[axis] // size, size]
    split = array.reshape(shape)
    windows = tuple(range(first + 1, split.ndim, 2))
    split = np.moveaxis(split, windows, tuple(range(split.ndim - len(windows), split.ndim)))
    return split.reshape(*split.shape[: split.ndim - len(windows)], -1)


def test_state_bits_of_the_workload_are_those_of_the_neurons(case):
    for (layer, _), work in zip(
        case.architecture.parts, case.architecture.workload.layers, strict=True
    ):
        if layer.neuron:
            neuron = case.deployed.neurons[layer.name.replace(".", "_")]
            variables = 2 if neuron.dynamics.kind == "lif" else 1
            flag = int(neuron.dynamics.once)  # whether it has fired
            assert work.neuron_state_bits == variables * neuron.dynamics.state_bits + flag
        else:
            deployed = list(case.deployed.layers.values())[-1]
            largest = deployed.levels.abs().flatten(1).sum(1).max() * (2**work.input_bits - 1)
            assert int(largest) * case.architecture.time_steps < 2 ** (work.neuron_state_bits - 1)


def test_states_count_in_shifts_of_the_integer_product(case, monkeypatch):
    """What a chip adds to a stored state needs no multiplier: only integers and powers of two."""
    stored = []

    def spy(*args):
        stored.append(quantized_state(*args))
        return stored[-1]

    monkeypatch.setattr(reference, "quantized_state", spy)
    network = deploy(case.trained)
    network.kernel = "norse"
    network(case.x)
    remaining = iter(stored)
    for layer in case.architecture.layers[:-1]:
        slot = layer.name.replace(".", "_")
        scale = case.deployed.layers[slot].scale
        # an integer product is of levels and of codes 0 … 2^bits - 1, which stand for 0 … 1
        unit = scale / (2**layer.input_bits - 1 if layer.source == INPUT else 1)
        threshold = case.deployed.neurons[slot].threshold
        nominal = threshold * 16 / 2 ** (layer.neuron.state_bits - 1)
        unit = torch.maximum(unit, nominal * 2.0**-64)  # a channel may have no column left
        step = unit * 2.0 ** torch.log2(nominal / unit).round()
        for _ in range(layer.neuron.variables * case.architecture.time_steps):
            levels = next(remaining).movedim(1, -1) / step
            assert torch.allclose(levels, levels.round(), rtol=0, atol=1e-4)
            assert levels.min() >= -(2 ** (layer.neuron.state_bits - 1))
            assert levels.max() < 2 ** (layer.neuron.state_bits - 1)
    assert next(remaining, None) is None
