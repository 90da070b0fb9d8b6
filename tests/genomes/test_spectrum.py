"""The spectrum space: what its genes mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.genomes.by_name import genome_of


def test_a_network_by_hand():
    space = make_space("spectrum", (1, 200), 16, {"bands": [50, 100]})
    values = {"bands": 100, "layers": 2, "layer1.width": 8, "layer1.kernel": 11}
    values |= {"layer1.stride": 3, "layer1.pool": "average", "layer2.kernel": 5, "layer2.stride": 2}
    network = space.decode(genome_of(space, **values))

    assert network.window == ((0, 1), (0, 100))
    # floor((100 - 11) / 3) + 1 = 30, halved; floor((15 + 4 - 5) / 2) + 1 = 8
    assert [layer.stored_shape for layer in network.layers] == [(8, 15), (4, 8), (16,)]
    assert [layer.padding for layer in network.layers] == [(0,), (2,), ()]
    assert [layer.kind for layer in network.layers] == ["conv1d", "conv1d", "linear"]


def test_all_bands_are_read_unless_others_are_asked_for():
    space = make_space("spectrum", (1, 200), 16)
    assert next(gene for gene in space.genes if gene.name == "bands").choices == (200,)
    assert space.decode(genome_of(space)).window == ()


@given(st.data())
@settings(max_examples=60)
def test_layers_follow_the_genes(data):
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 40)))
    space = make_space("spectrum", shape, 3, {"bands": [1, 2, 9]})
    genome = np.array([data.draw(st.integers(0, len(gene) - 1)) for gene in space.genes])
    network, named = space.decode(genome), space.describe(genome)
    *hidden, readout = network.layers

    assert network.read_shape == (shape[0], named["bands"])
    assert [layer.name for layer in hidden] == [f"layer{k + 1}" for k in range(named["layers"])]
    for number, layer in enumerate(hidden):
        kernel = named.get(f"{layer.name}.kernel", 1)
        assert layer.kernel == (kernel,)
        assert layer.stride == (named.get(f"{layer.name}.stride", 1),)
        padded = number or kernel > layer.in_shape[1]
        assert layer.padding == (kernel // 2 if padded else 0,)
        assert layer.out_channels == named[f"{layer.name}.width"]
        assert layer.pool == (1 if named.get(f"{layer.name}.pool", "none") == "none" else 2,)
    assert readout.in_shape == hidden[-1].stored_shape


def test_a_patch_is_no_spectrum():
    with pytest.raises(RequestError, match=r"allowed: '?\(channels, bands\)"):
        make_space("spectrum", (1, 9, 5, 5), 3)
