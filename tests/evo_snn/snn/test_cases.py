"""The random networks on which the other tests stand reach everything that the space offers."""

import copy

import torch


def test_the_cases_hold_every_neuron_pool_link_width_and_dimension(cases):
    architectures = [case.architecture for case in cases]
    layers = [layer for one in architectures for layer in one.layers]
    spiking = [layer for layer in layers if layer.neuron]

    assert len(cases) >= 30
    assert {layer.neuron.kind for layer in spiking} == {"lif_box", "lif", "iaf"}
    assert {layer.kind for layer in spiking} == {"conv1d", "conv2d", "conv3d"}
    assert {layer.pool_kind for layer in spiking if max(layer.pool) > 1} == {"average", "max"}
    assert {layer.skip_kind for layer in spiking if layer.skips} == {"or", "add"}
    assert {layer.weight_bits for layer in layers} == set(range(2, 9))
    assert {layer.neuron.state_bits for layer in spiking} == {6, 12, 32}
    assert {layer.input_bits for layer in layers if layer.source == "input"} == {1, 3, 8}
    assert {1, 2} <= {layer.input_bits for layer in layers if layer.source != "input"}
    assert max(layer.peak for layer in layers) >= 3
    assert {one.time_steps for one in architectures} == {1, 2, 3, 5}
    assert any(len({layer.weight_bits for layer in one.layers}) > 2 for one in architectures)


def test_the_cases_fire_and_have_gains_of_both_signs(cases, seen):
    firing = 0
    for case in cases:
        observed = type(seen)()
        case.trained(case.x, observe=observed)
        rates = [float(spikes.mean()) for spikes in observed.spikes.values()]
        firing += 0 < sum(rates) < len(rates)
        assert (case.trained.trainable_layers()[0].variance != 1).all()
    gains = torch.cat(
        [layer.scale for case in cases for layer in case.trained.trainable_layers()[:-1]]
    )

    assert firing >= 30
    assert 0.3 < float((gains < 0).double().mean()) < 0.7


def test_the_other_spaces_fold_crop_pool_stride_and_go_deep(other_cases):
    by_space = {
        name: [layer for case in cases for layer in case.architecture.layers]
        for name, cases in other_cases.items()
    }
    for name, layers in by_space.items():
        hidden = [layer for layer in layers if layer.neuron]
        assert {layer.neuron.kind for layer in hidden} == {"lif_box", "lif", "iaf"}, name
        assert any(max(layer.pool) > 1 for layer in hidden), name
        assert any(max(layer.stride) > 1 for layer in hidden), name
        assert len(hidden) > len(other_cases[name]), name
    assert any(layer.folded for layer in by_space["hyperspectral"])
    assert {"conv2d", "conv3d"} < {layer.kind for layer in by_space["hyperspectral"]}
    windows = [case.architecture.window for cases in other_cases.values() for case in cases]
    assert any(windows)
    assert not all(windows)


def test_the_cases_of_weights_hold_every_width_and_quantizer(weight_cases):
    layers = [layer for case in weight_cases for layer in case.architecture.layers]

    parts = [(layer, part.weight_bits) for layer in layers for part in layer.parts]

    assert {bits for _, bits in parts} == {1, 2, 3, 4, 8}
    powers = {bits for layer, bits in parts if layer.quantizer == "power_of_two"}
    assert {3, 4} <= powers
    assert any(layer.weight_bits == 1 and layer.is_readout for layer in layers)
    assert {len(layer.parts) for layer in layers} == {1, 2, 3}
    removed = [layer for layer in layers if layer.removed]
    assert {layer.removed for layer in removed} == {0.25, 0.5, 0.75}
    assert any(layer.weights // layer.out_channels > layer.column_rows for layer in removed)
    assert any(1 in [part.weight_bits for part in layer.parts] for layer in removed)


def test_a_training_step_gives_finite_gradients(case):
    network = copy.deepcopy(case.trained).train()
    y = torch.arange(len(case.x)) % case.architecture.classes
    torch.nn.functional.cross_entropy(network(case.x), y).backward()
    gradients = {name: one.grad for name, one in network.named_parameters()}

    assert all(one is not None and torch.isfinite(one).all() for one in gradients.values())
    assert any(one.any() for one in gradients.values())
