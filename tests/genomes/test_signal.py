"""The signal space: what its genes mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.genomes.by_name import genome_of


def test_a_network_by_hand():
    space = make_space("signal", (2, 256), 5)
    values = {"stages": 2, "stage1.width": 8, "stage1.kernel": 31, "stage1.stride": 4}
    values |= {"stage1.pool": "max", "stage2.blocks": 2, "stage2.block2.skip": "add"}
    network = space.decode(genome_of(space, **values))
    first, second, third, readout = network.layers

    # floor((256 + 30 - 31) / 4) + 1 = 64, halved; the second stage has kernels of 3 and stride 1
    assert [layer.stored_shape for layer in network.layers] == [(8, 32), (4, 32), (4, 32), (5,)]
    assert (first.in_shape, first.padding, first.pool) == ((2, 256), (15,), (2,))
    assert (third.skips, third.skip_kind, third.peak) == (("stage2.block1",), "add", 2)
    assert (second.input_bits, readout.input_bits) == (1, 2)


@given(st.data())
@settings(max_examples=60)
def test_layers_follow_the_genes(data):
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 300)))
    space = make_space("signal", shape, 3)
    genome = np.array([data.draw(st.integers(0, len(gene) - 1)) for gene in space.genes])
    network, named = space.decode(genome), space.describe(genome)
    *hidden, readout = network.layers

    assert network.window == ()
    assert [layer.name for layer in hidden] == [
        f"stage{stage}.block{block}"
        for stage in range(1, named["stages"] + 1)
        for block in range(1, named[f"stage{stage}.blocks"] + 1)
    ]
    for layer in hidden:
        stage, _, block = layer.name.partition(".")
        length = layer.in_shape[1]
        assert layer.out_channels == named[f"{stage}.width"]
        assert layer.kernel == (named[f"{stage}.kernel"] if length > 1 else 1,)
        if block == "block1":
            assert layer.stride == (named.get(f"{stage}.stride", 1),)
            assert layer.out_shape[1] == -(-length // layer.stride[0])
            pooled = named.get(f"{stage}.pool", "none") != "none"
            assert layer.pool == (2 if pooled else 1,)
        else:
            assert layer.stored_shape == layer.in_shape
            assert bool(layer.skips) == (named[f"{layer.name}.skip"] != "none")
    assert readout.in_shape == hidden[-1].stored_shape


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((2, 8, 8), {}, r"allowed: '?\(channels, samples\)"),
        ((2, 64), {"kernels": [4, 7]}, r"space\.kernels: got \[4, 7\]; allowed: odd sizes"),
    ],
)
def test_what_is_no_signal_or_option_is_refused(shape, options, message):
    with pytest.raises(RequestError, match=message):
        make_space("signal", shape, 3, options)
