"""Columns that are left out: by hand, back again, and on a chip, where they have no cells."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evo_snn.snn import build, deploy
from evo_snn.snn.columns import kept_weights
from evo_snn.snn.layers import TrainableLayer, folded, quantized
from evo_snn.snn.on_chip import noisy_levels, on_chip
from genomes.architecture import Layer, Neuron
from genomes.quantizers import removed_columns
from hardware import load_chip
from hardware.conditions import Conditions

NOISY = Conditions(variation=0.1, stuck_on=0.1, stuck_off=0.1, wire_ohm=4.0)


def linear(out, inputs, *, bits=4, removed=0.5, column_rows=2, group_bits=()):
    neuron = Neuron("iaf", 0.0, 1.0, 12)
    own = {"removed": removed, "column_rows": column_rows, "group_bits": group_bits}
    return Layer("a", "x", (inputs,), out, (), (), (), bits, 1, (), "average", neuron, **own)


# Three rows in blocks of two and one; of four outputs two are left out in each block.
WEIGHT = torch.tensor(
    [
        [3.0, 4.0, 0.1],  # norms 5 and 0.1
        [1.0, -1.0, 0.5],  # 1.41 and 0.5
        [0.0, 2.0, -0.3],  # 2 and 0.3
        [1.0, 1.5, 0.2],  # 1.80 and 0.2
    ]
)
KEPT = [[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]


def test_the_columns_of_smallest_norm_are_left_out():
    assert kept_weights(linear(4, 3), WEIGHT).int().tolist() == KEPT
    assert kept_weights(linear(4, 3, removed=0.0), WEIGHT) is None


def test_blocks_of_one_height_and_whole_channels():
    # all rows in one block: norms 5.0, 1.5, 2.02, 1.81
    whole = kept_weights(linear(4, 3, column_rows=3), WEIGHT)
    assert whole.all(1).tolist() == [True, False, True, False]
    assert torch.equal(whole, kept_weights(linear(4, 3, column_rows=4096), WEIGHT))
    assert torch.equal(whole.any(1), whole.all(1))


def test_each_part_loses_its_own_share():
    layer = linear(4, 3, group_bits=(2, 4))
    kept = kept_weights(layer, WEIGHT).int().tolist()
    # of two channels one: in block 0 the second and fourth, in block 1 the first and fourth
    assert kept == [[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]
    other = kept_weights(layer, WEIGHT[[1, 3, 0, 2]]).int().tolist()
    assert other == [[0, 0, 1], [1, 1, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("channels", "share", "number"),
    [(4, 0.5, 2), (4, 0.75, 3), (1, 0.75, 0), (2, 0.25, 0), (100, 0.29, 29), (3, 0.99, 2)],
)
def test_how_many_by_hand(channels, share, number):
    assert removed_columns(channels, share) == number


def test_a_scale_is_that_of_the_weights_that_are_left():
    layer = linear(4, 3, bits=1)
    levels, scale = quantized(layer, WEIGHT)

    assert levels.tolist() == [[1, 1, 0], [0, 0, 1], [1, 1, -1], [0, 0, 0]]
    # mean magnitudes of what is left; nothing is left of the last channel
    expected = [3.5, 0.5, 2.3 / 3]
    assert scale.flatten().tolist()[:3] == pytest.approx(expected)
    assert float(scale[3]) == torch.finfo(torch.float32).tiny
    _, scale = quantized(linear(4, 3, bits=3), WEIGHT)
    assert float(scale[0]) == pytest.approx(0.6508 * 12.5**0.5)


def test_a_column_comes_back_when_its_weights_grow():
    layer = TrainableLayer(linear(4, 3), torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.weight.copy_(WEIGHT)
    source = torch.eye(3)
    layer.product(source)[0][:, 3].sum().backward()

    assert torch.equal(layer.weight.grad[3], torch.ones(3))  # though it has no columns
    assert not layer.product(source)[0][:, 3].any()
    with torch.no_grad():
        layer.weight[3] += 2
    assert layer.product(source)[0][:2, 3].all()


@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 10),
    st.sampled_from([0.25, 0.5, 0.75]),
    st.integers(1, 4),
    st.integers(0, 10**6),
)
@settings(max_examples=100)
def test_each_block_of_a_part_loses_the_same_number(out, inputs, height, share, groups, seed):
    bits = tuple(2 + k for k in range(min(groups, out)))
    layer = linear(
        out,
        inputs,
        bits=bits[-1],
        removed=share,
        column_rows=height,
        group_bits=bits if len(bits) > 1 else (),
    )
    weight = torch.randn(out, inputs, generator=torch.Generator().manual_seed(seed))
    kept = kept_weights(layer, weight)
    for part in layer.parts:
        wanted = removed_columns(part.channels, share)
        for block in kept[part.start : part.stop].split(height, 1):
            assert torch.equal(block.any(1), block.all(1))
            assert int((~block.any(1)).sum()) == wanted < part.channels
    assert layer.stored_weights == int(kept.sum())
    # the levels know which columns they have not, deployed as bytes, too
    levels, _ = quantized(layer, weight)
    again = kept_weights(layer, levels.to(torch.int8))
    assert not levels[~again].any()
    assert torch.equal(again.sum(0), kept.sum(0))


@pytest.mark.parametrize("overrides", [{}, {"weight_encoding": "differential"}])
@pytest.mark.parametrize("bits", [1, 4])
def test_columns_without_cells_have_no_noise(overrides, bits):
    layer = linear(12, 30, bits=bits, column_rows=8)
    trained = TrainableLayer(layer, torch.Generator().manual_seed(0))
    levels = folded(trained).levels.float()
    kept = kept_weights(layer, levels)
    noisy = noisy_levels(
        levels,
        layer,
        load_chip("rram_32nm", overrides),
        NOISY,
        torch.Generator().manual_seed(1),
        by_kernel=[False],
    )

    assert not noisy[~kept].any()
    assert float((noisy[kept] != levels[kept]).double().mean()) > 0.8
    present = noisy_levels(
        levels,
        replace(layer, removed=0.0),
        load_chip("rram_32nm", overrides),
        NOISY,
        torch.Generator().manual_seed(1),
        by_kernel=[False],
    )
    assert present[~kept].any()


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_an_input_that_only_removed_columns_read_does_nothing(chain, path):
    architecture = chain(
        blocks=1,
        skip="none",
        input_shape=(1, 6, 6),
        options={
            "widths": [4],
            "kernels": [5],
            "removed_columns": [0.75],
            "column_rows": 5,
            "weight_bits": [1],
        },
    )
    network = build(architecture, 0)
    with torch.no_grad():  # the middle row of the kernel is kept by the first channel alone
        network.trainable_layers()[0].weight[0, :, 2] = 5.0
    deployed = deploy(network.eval())
    chip = load_chip("rram_32nm", {"crossbar_rows": 8, "crossbar_columns": 8})
    drawn = on_chip(deployed, chip, NOISY, seed=0, path=path)
    first = next(iter(drawn.layers.values()))
    kept = kept_weights(architecture.layers[0], next(iter(deployed.layers.values())).levels)
    assert kept[0, 0, 2].all()
    assert not kept[1:, 0, 2].any()

    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 5, :] = 1.0
    silent = first.product(torch.zeros_like(x))[0]
    seen = first.product(x)[0]
    # at the last position the kernel's middle row lies on it: the other channels have no cell
    assert torch.equal(seen[0, 1:, 5], silent[0, 1:, 5])
    assert not torch.equal(seen[0, 0, 5], silent[0, 0, 5])
