"""The picture of an architecture, against the layers that it draws."""

import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch

import analysis
from genomes.spaces import make_space
from tests.genomes.by_name import genome_of


def picture(space, **values):
    network = space.decode(genome_of(space, **values))
    figure = analysis.figure_of_architecture(network, "a $title")
    figure.savefig("/dev/null", format="png")
    (ax,) = figure.axes
    return network, ax, [text.get_text() for text in ax.texts]


def test_every_layer_is_a_box_below_what_it_reads():
    space = make_space("hyperspectral", (1, 12, 7, 7), 5)
    values = {"patch": 5, "bands": 8, "cubes": 2, "planes": 2, "cube1.spectral_kernel": 3}
    network, ax, texts = picture(space, **values, **{"cube1.spectral_stride": 2})
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]

    assert [text for text in texts if "." not in text and text in {x.name for x in network.layers}]
    assert len(boxes) == len(network.layers) == 5
    places = [box.get_y() for box in boxes]
    assert places == sorted(places)
    low, high = ax.get_ylim()
    assert low > high  # the sample is at the top
    assert "sample of 1 × 12 × 7 × 7, 2 time steps\nof which 1 × 8 × 5 × 5 is read" in texts
    assert "3-D convolution 3 × 1 × 1 in strides of 2 × 1 × 1\n4 channels, 2-bit weights" in texts
    assert "12 × 5 × 5 (3 bands as channels)" in texts
    assert "read-out\n5 classes, 2-bit weights" in texts
    assert len({box.get_facecolor() for box in boxes}) == 3  # 3-D, 2-D, read-out


@pytest.mark.parametrize(("skip", "read"), [("add", "4 × 8, 2 bit"), ("or", "4 × 8")])
def test_links_pools_and_bits_are_told(skip, read):
    space = make_space("signal", (1, 16), 3)
    values = {"stage1.pool": "average", "stage1.blocks": 2, "stage1.block2.skip": skip}
    _, ax, texts = picture(space, **values)

    assert texts.count(skip) == 1
    assert texts.count(read) == (1 if skip == "add" else 2)  # what the read-out reads
    assert "1-D convolution 3\n4 channels, 2-bit weights, average of 2" in texts
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == 3 + 1  # one a layer, and the link


def arrows(ax):
    return [one.arrow_patch for one in ax.texts if getattr(one, "arrow_patch", None) is not None]


def test_nodes_are_boxes_and_feedback_is_dashed():
    space = make_space("cell", (3, 8, 8), 4)
    values = {"cell1.edge01": "conv3x3", "cell1.edge13": "conv1x1", "cell1.edge03": "avgpool3x3"}
    network, ax, texts = picture(space, **values, **{"cell1.back30": "skip"})
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]

    assert len(boxes) == len(network.layers) + len(network.nodes)
    assert {node.name for node in network.nodes} <= set(texts)
    links = [link for node in network.nodes for link in node.links]
    assert len(arrows(ax)) == len(network.layers) + len(links)
    dashed = [one for one in arrows(ax) if one.get_linestyle() == "--"]
    assert len(dashed) == sum(link.delayed for link in links) == 1
    assert "average of 3 × 3" in texts
    assert sum("classes" in text for text in texts) == 1  # of the read-out alone


@pytest.mark.parametrize("name", ["cell", "spikenas_bench", "blocks"])
def test_any_network_of_pictures_is_drawn(name):
    space = make_space(name, (3, 16, 16), 4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        network = space.decode(space.canonical(rng.integers(0, space.choices)))
        figure = analysis.figure_of_architecture(network)
        (ax,) = figure.axes
        links = sum(len(node.links) for node in network.nodes)
        skips = sum(len(layer.skips) for layer in network.layers)
        assert len(arrows(ax)) == len(network.layers) + links + skips
