"""The picture of an architecture, against the layers that it draws."""

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


def test_nodes_links_and_feedback_are_drawn():
    space = make_space("cell", (1, 8, 8), 10, {"stages": 1})
    values = {"cell1.edge01": "conv3x3", "cell1.edge13": "avgpool3x3", "cell1.edge03": "skip"}
    values |= {"cell1.back10": "conv1x1", "cell1.back31": "skip"}
    network, ax, texts = picture(space, **values)
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]

    assert len(boxes) == len(network.order) == 7
    assert [box.get_y() for box in boxes] == sorted(box.get_y() for box in boxes)
    assert len(ax.lines) == 4 + 6  # what the layers read, and the links of the nodes
    assert "cell1.node0: sum of 2 currents\nneurons of threshold 0.25" in texts
    assert "cell1.edge01: convolution of 3 × 3\n8 × 8 × 8, 2-bit weights" in texts
    assert "readout: read-out\n10 classes, 2-bit weights" in texts
    back = [line for line in ax.lines if min(line.get_xdata()) < 0]
    assert len(back) == 2  # to the left of the boxes, and upwards
    assert all(line.get_ydata()[-1] < line.get_ydata()[0] for line in back)
    (key,) = [one for one in ax.get_children() if one.__class__.__name__ == "Legend"]
    assert [text.get_text() for text in key.get_texts()] == [
        "reads spikes",
        "adds a current",
        "adds the mean of 3 × 3",
        "the same, a time step later",
    ]


def test_lines_that_pass_a_box_lie_apart():
    space = make_space("blocks", (1, 8, 8), 10, {"slots": [2]})
    values = {"stage1.slot1": "residual3x3", "stage1.slot2": "residual5x5"}
    _, ax, _ = picture(space, **values)
    spans = [(line.get_xdata()[1], *line.get_ydata()[1:3]) for line in ax.lines]

    for k, (lane, top, bottom) in enumerate(spans):
        for other, start, end in spans[:k]:
            assert lane != other or bottom < start or end < top
