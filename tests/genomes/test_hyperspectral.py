"""The hyperspectral space: what its genes mean, and that the published networks are in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import estimate
from tests.genomes.by_name import genome_of

ACE = {"time_steps": 5, "neuron": "lif_box", "readout.weight_bits": 6, "patch": 5, "bands": 200}
"""ACE-SNN: 5 time steps, 6 bits (its abstract)."""

CONV = ("width", "spectral_kernel", "spectral_stride", "spatial_kernel", "weight_bits")
CUBES = {
    "cube1": (20, 3, 1, 3, 6),
    "cube2": (20, 3, 2, 1, 6),
    "cube3": (35, 3, 1, 3, 6),
    "cube4": (35, 3, 2, 1, 6),
    "cube5": (35, 3, 1, 1, 6),
    "cube6": (35, 2, 2, 1, 6),
}
"""A. Ben Hamida et al., IEEE TGRS 56, 4420 (2018), strided convolutions in place of pooling."""


def published(space, cubes, **more):
    """The genome of the first so many cubes, with other choices by gene name."""
    values = {**ACE, "cubes": cubes, **more}
    for name in list(CUBES)[:cubes]:
        values |= {f"{name}.{gene}": value for gene, value in zip(CONV, CUBES[name], strict=True)}
    return genome_of(space, **values)


@pytest.mark.parametrize("sides", [(5, 5), (9, 9), (8, 7)])
def test_the_purely_3d_network_of_ace_snn(sides):
    space = make_space("hyperspectral", (1, 200, *sides), 16)
    network = space.decode(published(space, 6))

    # kernels, strides and sizes of runs/benchmarks/ace_snn_first_layer.py
    assert network.read_shape == (1, 200, 5, 5)
    assert [layer.kind for layer in network.layers] == ["conv3d"] * 6 + ["linear"]
    assert [layer.stored_shape for layer in network.layers] == [
        (20, 198, 3, 3),
        (20, 99, 3, 3),
        (35, 99, 1, 1),
        (35, 50, 1, 1),
        (35, 50, 1, 1),
        (35, 26, 1, 1),
        (16,),
    ]
    assert network.layers[-1].weights == 16 * 35 * 26
    # 27 * 20, 3 * 400, 27 * 20 * 35, 3 * 35^2 twice, 2 * 35^2 and the read-out
    assert sum(layer.weights for layer in network.layers) == 45_000
    assert {layer.weight_bits for layer in network.layers} == {6}
    assert network.time_steps == 5
    assert estimate(network.workload, "rram_32nm").energy_uj > 0


def test_the_hybrid_network_of_ace_snn():
    space = make_space("hyperspectral", (1, 200, 5, 5), 16)
    plane = {"plane1.width": 64, "plane1.spatial_kernel": 3, "plane1.weight_bits": 6}
    network = space.decode(published(space, 2, planes=1, **plane))

    assert network.window == ()
    assert [layer.kind for layer in network.layers] == ["conv3d", "conv3d", "conv2d", "linear"]
    assert network.layers[2].folded == 99
    assert network.layers[2].weight_shape == (64, 20 * 99, 3, 3)
    assert network.layers[2].stored_shape == (64, 1, 1)
    assert network.layers[3].weight_shape == (16, 64, 1, 1)
    assert network.workload.layers[2].in_channels == 1980


def test_a_network_reads_the_middle_of_a_patch_and_the_first_bands():
    space = make_space("hyperspectral", (2, 40, 9, 6), 3)
    network = space.decode(genome_of(space, patch=3, bands=16))

    # pixel 4 of 9 is the middle, and 3 of 6 is next to it
    assert network.window == ((0, 2), (0, 16), (3, 6), (2, 5))
    assert next(gene for gene in space.genes if gene.name == "patch").choices == (1, 3, 5)
    assert next(gene for gene in space.genes if gene.name == "bands").choices == (4, 8, 16, 32, 40)


def test_what_makes_no_difference_is_no_gene_of_the_network():
    space = make_space("hyperspectral", (1, 4, 5, 5), 3)
    pixel = space.describe(genome_of(space, patch=1, bands=4, cubes=1))
    assert not {name for name in pixel if "spatial" in name}
    assert "cube1.spectral_kernel" in pixel
    # one pixel and, of 4 bands in strides of 3, two, which are pooled; then there is one
    values = {"cube1.spectral_stride": 3, "cube1.pool": "max", "cubes": 2, "planes": 1}
    named = set(space.describe(genome_of(space, patch=1, bands=4, **values)))
    assert {name for name in named if name.startswith("cube2")} == {
        "cube2.width",
        "cube2.weight_bits",
    }
    assert {name for name in named if name.startswith("plane")} == {
        "planes",
        "plane1.width",
        "plane1.weight_bits",
    }
    # a kernel of 5 on 5 columns leaves one position, whatever the stride
    wide = space.describe(genome_of(space, patch=5, bands=4, **{"cube1.spatial_kernel": 5}))
    assert "cube1.spatial_stride" not in wide


def test_a_kernel_longer_than_what_it_reads_is_padded():
    space = make_space("hyperspectral", (1, 4, 3, 3), 3)
    values = {"patch": 3, "cube1.spectral_kernel": 7, "cube1.spatial_kernel": 5}
    layer = space.decode(genome_of(space, bands=4, **values)).layers[0]
    assert (layer.padding, layer.stored_shape[1:]) == ((3, 2, 2), (4, 3, 3))


@given(st.data())
@settings(max_examples=60)
def test_layers_follow_the_genes(data):
    shape = (1, data.draw(st.integers(1, 30)), *data.draw(st.tuples(*[st.integers(1, 9)] * 2)))
    space = make_space("hyperspectral", shape, 3)
    genome = np.array([data.draw(st.integers(0, len(gene) - 1)) for gene in space.genes])
    network, named = space.decode(genome), space.describe(genome)
    *hidden, readout = network.layers

    cubes = [layer for layer in hidden if layer.kind == "conv3d"]
    assert [layer.name for layer in cubes] == [f"cube{k + 1}" for k in range(named["cubes"])]
    planes = hidden[len(cubes) :]
    assert [layer.name for layer in planes] == [f"plane{k + 1}" for k in range(named["planes"])]
    assert [bool(layer.folded) for layer in planes] == [k == 0 for k in range(len(planes))]
    assert network.read_shape[1:] == (named["bands"], named["patch"], named["patch"])
    for layer in hidden:
        assert layer.out_channels == named[f"{layer.name}.width"]
        assert layer.weight_bits == named[f"{layer.name}.weight_bits"]
        spatial = (layer.kernel[-1], layer.stride[-1])
        assert spatial == (
            named.get(f"{layer.name}.spatial_kernel", 1),
            named.get(f"{layer.name}.spatial_stride", 1),
        )
        pooled = named.get(f"{layer.name}.pool", "none") != "none"
        window = (2, 1, 1) if layer in cubes else (2, 2)
        assert layer.pool == (window if pooled else (1,) * len(window))
    for layer in cubes:
        assert layer.kernel[0] == named.get(f"{layer.name}.spectral_kernel", 1)
        assert layer.stride[0] == named.get(f"{layer.name}.spectral_stride", 1)
    assert readout.in_shape == hidden[-1].stored_shape


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (
            (1, 5, 5),
            {},
            r"data: got 'samples of shape \(1, 5, 5\)'; allowed: '?\(channels, bands, rows",
        ),
        ((1, 9, 2, 2), {"patches": [3, 5]}, r"space\.patches: got \[3, 5\]; .* at most 2"),
        ((1, 9, 5, 5), {"patches": [3, 4]}, r"space\.patches: got \[3, 4\]; allowed: odd sizes"),
        ((1, 9, 5, 5), {"bands": [8, 4]}, r"space\.bands: got \[8, 4\]"),
        ((1, 9, 5, 5), {"bands": [0]}, r"space\.bands\[0\]: got 0"),
    ],
)
def test_what_is_no_patch_or_option_is_refused(shape, options, message):
    with pytest.raises(RequestError, match=message):
        make_space("hyperspectral", shape, 3, options)
