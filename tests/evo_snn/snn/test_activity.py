"""Spike rates against counts by hand and by numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evo_snn.snn.activity import Activity, ones, set_bits
from genomes.architecture import Layer, Neuron

LAYER = Layer(
    name="one",
    source="before",
    in_shape=(1, 4),
    out_channels=1,
    kernel=(1,),
    stride=(1,),
    padding=(0,),
    weight_bits=4,
    input_bits=1,
    pool=(1,),
    pool_kind="max",
    neuron=Neuron("iaf", 0.0, 1.0, 12),
)


def test_spikes_by_hand():
    activity = Activity()
    activity(LAYER, torch.tensor([[[1.0, 0, 0, 1]]]), torch.tensor([[[1.0, 1, 1, 0]]]))
    activity(LAYER, torch.tensor([[[0.0, 0, 0, 1]]]), torch.tensor([[[0.0, 0, 0, 1]]]))

    assert activity.rates() == {"one": (3 / 8, 4 / 8)}


def test_batches_of_different_sizes_weigh_by_their_samples():
    activity = Activity()
    activity(LAYER, torch.ones(3, 1, 4), torch.ones(3, 1, 4))
    activity(LAYER, torch.zeros(1, 1, 4), torch.zeros(1, 1, 4))

    assert activity.rates() == {"one": (0.75, 0.75)}


def test_multi_bit_maps_are_counted_bit_by_bit():
    layer = replace(LAYER, input_bits=3)
    source = torch.tensor([[[0.0, 5.0, 7.0, 4.0]]])  # 000, 101, 111, 100

    assert set_bits(layer, source) == 6
    activity = Activity()
    activity(layer, source, None)
    assert activity.rates() == {"one": (6 / 12, 0.0)}


def test_the_analog_input_is_counted_by_its_codes():
    layer = replace(LAYER, source="input", input_bits=8)
    source = torch.tensor([[[0.0, 1.0, 128 / 255, 3 / 255]]])

    assert set_bits(layer, source) == 0 + 8 + 1 + 2


def test_ones_are_counted_exactly():
    """One more than the integers that float32 tells apart; its own sum gives 16777220."""
    spikes = torch.ones(3, 1).expand(3, 5592407)[:, : 5592407 - 1]
    spikes = torch.cat([spikes, torch.ones(3, 1)], dim=1)[:, :5592407]

    assert ones(spikes[:, :5592406]) == 3 * 5592406
    assert ones(spikes) == 3 * 5592407


def test_rates_of_a_network_are_those_of_its_maps(case, seen):
    activity = Activity()
    case.deployed(case.x[:4], observe=activity)
    case.deployed(case.x[4:], observe=activity)
    case.deployed(case.x, observe=seen)
    rates = activity.rates()

    assert list(rates) == [layer.name for layer in case.architecture.layers]
    for layer in case.architecture.layers:
        largest = 2**layer.input_bits - 1
        source = seen.sources[layer.name].numpy()
        codes = np.rint(source * largest if layer.source == "input" else source).astype(np.uint16)
        bits = np.unpackbits(codes[..., None].view(np.uint8)).sum()
        fired = float(seen.spikes[layer.name].mean()) if layer.neuron else 0.0
        assert rates[layer.name] == pytest.approx((bits / codes.size / layer.input_bits, fired))
        assert all(0 <= rate <= 1 for rate in rates[layer.name])


def test_workloads_take_the_rates(case):
    activity = Activity()
    case.deployed(case.x, observe=activity)
    workload = case.architecture.workload.with_rates(activity.rates())

    for (layer, _), work in zip(case.architecture.parts, workload.layers, strict=True):
        assert (work.input_rate, work.output_rate) == activity.rates()[layer.name]
    first = workload.layers[0]
    read = case.architecture.layers[0]
    window = (slice(*part) for part in case.architecture.window)
    seen = case.x[(slice(None), *window)]
    codes = (seen * (2**read.input_bits - 1)).round().int().flatten().tolist()
    ones_by_hand = sum(bin(code).count("1") for code in codes)
    assert first.input_rate == pytest.approx(ones_by_hand / len(codes) / read.input_bits)
