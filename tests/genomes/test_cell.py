"""The cell space: cells decoded by hand, and what is one candidate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.architecture import Link
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.genomes.by_name import genome_of
from tests.genomes.many import check_many_genomes

SMALL = {"widths": [4], "neurons": ["lif_box"], "time_steps": [3]}

EVERYTHING = {
    "widths": [2, 3],
    "growths": [1, 2],
    "stages": [1, 2],
    "repeats": [1, 2],
    "stem_pools": ["none", "average"],
    "resets": ["hard", "subtract"],
    "surrogates": ["super", "triangle"],
    "hidden_codes": ["any", "once"],
    "state_bits": [6, 12],
    "input_bits": [4, 8],
    "time_steps": [1, 4],
    "weight_bits": [1, 3, 4, 8],
    "quantizers": ["uniform", "power_of_two"],
}

ALL_GENES = EVERYTHING | {
    "codings": ["direct", "rate", "phase", "radix"],
    "first_layers": ["memory", "digital"],
    "time_exits": ["off", "on"],
    "depth_exits": ["off", "on"],
    "exit_confidences": [0.8, 0.9],
    "removed_columns": [0.0, 0.5],
    "bit_groups": 2,
}


def links_of(network):
    return {node.name: node.links for node in network.nodes}


def test_a_cell_with_feedback_by_hand():
    space = make_space("cell", (1, 8, 8), 10, SMALL | {"stages": 1})
    values = {"cell1.edge01": "conv3x3", "cell1.edge13": "avgpool3x3", "cell1.edge03": "skip"}
    values |= {"cell1.back10": "conv1x1", "cell1.back31": "skip", "cell1.back30": "avgpool3x3"}
    network = space.decode(genome_of(space, **values, **{"cell1.edge01.weight_bits": 5}))

    assert [layer.name for layer in network.layers] == [
        "stem",
        "cell1.edge01",
        "cell1.back10",
        "readout",
    ]
    stem, edge, back, readout = network.layers
    assert [layer.source for layer in network.layers] == [
        "input",
        "cell1.node0",
        "cell1.node1",
        "cell1.node3",
    ]
    assert [layer.joins for layer in network.layers] == [True, True, True, False]
    assert [layer.neuron for layer in network.layers] == [None] * 4
    assert links_of(network) == {
        "cell1.node0": (
            Link("stem"),
            Link("cell1.back10", delayed=True),
            Link("cell1.node3", window=3, delayed=True),
        ),
        "cell1.node1": (Link("cell1.edge01"), Link("cell1.node3", delayed=True)),
        "cell1.node3": (Link("cell1.node0"), Link("cell1.node1", window=3)),
    }
    assert all(node.neuron is not None for node in network.nodes)  # each is read by a layer
    # weights: 9*4, 9*4*4, 4*4 and 10*4*8*8; a scale and a bias for 4, 4, 4 and 10 channels
    assert [layer.parameters for layer in network.layers] == [44, 152, 24, 2580]
    # the stem once, all else in each of 3 steps, at 64 positions
    assert network.operations == 36 * 64 + 3 * (144 * 64 + 16 * 64 + 2560)
    assert (stem.weight_bits, edge.weight_bits, back.weight_bits) == (2, 5, 2)
    assert (stem.input_bits, edge.input_bits, readout.input_bits) == (8, 1, 1)
    assert [element.name for element in network.order] == [
        "stem",
        "cell1.node0",
        "cell1.edge01",
        "cell1.node1",
        "cell1.node3",
        "cell1.back10",
        "readout",
    ]
    assert [([one.name for one in block], loops) for block, loops in network.blocks] == [
        (["stem"], False),
        (["cell1.node0", "cell1.edge01", "cell1.node1", "cell1.node3", "cell1.back10"], True),
        (["readout"], False),
    ]


def test_what_that_cell_is_to_a_chip_by_hand():
    space = make_space("cell", (1, 8, 8), 10, SMALL | {"stages": 1})
    values = {"cell1.edge01": "conv3x3", "cell1.edge13": "avgpool3x3", "cell1.edge03": "skip"}
    values |= {"cell1.back10": "conv1x1", "cell1.back31": "skip", "cell1.back30": "avgpool3x3"}
    network = space.decode(genome_of(space, **values))
    stem, edge, back, readout = network.workload.layers

    # node 3 adds no layer's current, so that it is counted where its first source is
    assert network.carriers == {
        "cell1.node0": "stem",
        "cell1.node1": "cell1.edge01",
        "cell1.node3": "stem",
    }
    assert [stem.populations, edge.populations, back.populations] == [2, 1, 1]
    assert [stem.neuron_state_bits, edge.neuron_state_bits, back.neuron_state_bits] == [12, 12, 0]
    # node 0 adds two to the stem's, one of them a mean of 3 x 3: 2 + 2 additions; node 3 adds one
    # to the first, with a mean, too; node 1 adds one
    assert [stem.current_inputs, edge.current_inputs] == [2 + 4 + 1 + 4, 1]
    assert back.current_inputs == 0
    assert [layer.static_input for layer in network.workload.layers] == [True, False, False, False]
    assert stem.neurons == 2 * 4 * 64
    assert (readout.populations, readout.current_inputs) == (1, 0)


def test_stages_copies_and_pools_by_hand():
    options = SMALL | {"stages": [3], "repeats": 2, "growths": 2, "stem_pools": "average"}
    space = make_space("cell", (3, 32, 32), 10, options)
    values = {f"cell{k}.edge03": "conv1x1" for k in (1, 2, 3)}
    network = space.decode(genome_of(space, **values, **{"cell2.edge03.weight_bits": 7}))
    shapes = {layer.name: layer.stored_shape for layer in network.layers}

    assert shapes == {
        "stem": (4, 16, 16),
        "cell1.edge03": (4, 16, 16),
        "cell1.copy2.edge03": (4, 16, 16),
        "reduction1": (8, 8, 8),
        "cell2.edge03": (8, 8, 8),
        "cell2.copy2.edge03": (8, 8, 8),
        "reduction2": (16, 4, 4),
        "cell3.edge03": (16, 4, 4),
        "cell3.copy2.edge03": (16, 4, 4),
        "readout": (10,),
    }
    assert [layer.weight_bits for layer in network.layers if "cell2" in layer.name] == [7, 7]
    assert links_of(network)["cell1.copy2.node0"] == (Link("cell1.node3"),)
    assert links_of(network)["cell2.node0"] == (Link("reduction1"),)
    assert network.layers[-1].in_shape == (16, 4, 4)


def test_an_inference_may_end_behind_a_stage():
    options = SMALL | {"stages": [1, 2], "depth_exits": ["off", "on"], "widths": [4]}
    space = make_space("cell", (1, 8, 8), 10, options)
    values = {"depth_exit": "on", "cell1.edge03": "conv3x3", "readout.weight_bits": 5}
    network = space.decode(genome_of(space, **values, stages=2))

    assert [layer.name for layer in network.readouts] == ["exit1", "readout"]
    assert [layer.in_shape for layer in network.readouts] == [(4, 8, 8), (8, 4, 4)]
    assert {layer.weight_bits for layer in network.readouts} == {5}
    assert network.exit.kind == "depth"
    assert space.decode(genome_of(space, **values)).exit is None  # one stage has no way out


def test_cells_may_be_alike():
    space = make_space("cell", (1, 8, 8), 10, SMALL | {"cells": "alike"})
    names = [gene.name for gene in space.genes if gene.kind == "categorical"]
    network = space.decode(genome_of(space, **{"cell.edge03": "conv3x3"}))

    assert [name for name in names if "edge" in name] == [
        f"cell.edge{pair}" for pair in ("01", "02", "03", "12", "13", "23")
    ]
    assert [layer.name for layer in network.layers] == [
        "stem",
        "cell1.edge03",
        "reduction1",
        "cell2.edge03",
        "readout",
    ]


def test_links_of_alike_cells_move_with_the_bits_of_each():
    space = make_space("cell", (1, 8, 8), 10, SMALL | {"cells": "alike"})
    bits = {"cell1.edge13.weight_bits": 5, "cell2.edge13.weight_bits": 7}
    moved = {"cell1.edge03.weight_bits": 5, "cell2.edge03.weight_bits": 7}
    one = genome_of(space, **{"cell.edge01": "skip", "cell.edge13": "conv3x3"}, **bits)
    other = genome_of(space, **{"cell.edge03": "conv3x3"}, **moved)

    assert space.canonical(one).tolist() == other


def test_options_choose_operations_in_the_order_of_the_table():
    chosen = {"operations": ["conv3x3", "none"], "backward_operations": "none"}
    genes = make_space("cell", (1, 8, 8), 10, chosen).genes

    assert {gene.choices for gene in genes if gene.name.endswith("edge12")} == {("none", "conv3x3")}
    assert not [gene for gene in genes if "back" in gene.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": ["conv7x7"]}, r"space\.operations\[0\]: got 'conv7x7'.*'conv1x1'"),
        ({"operations": ["skip", "skip"]}, r"space\.operations: .*different"),
        ({"operations": []}, r"space\.operations: .*at least one value"),
        ({"stages": [2, 1]}, r"space\.stages: .*ascending"),
        ({"stages": [0]}, r"space\.stages\[0\]: "),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(RequestError, match=message):
        make_space("cell", (1, 8, 8), 10, options)


def test_what_is_no_picture_is_refused():
    with pytest.raises(RequestError, match="rows, columns"):
        make_space("cell", (1, 64), 10)


def equal_pairs():
    conv = {"cell1.edge01": "conv3x3", "cell1.edge01.weight_bits": 5}
    yield {}, {"cell1.edge03": "skip"}
    yield {"cell1.edge01": "conv3x3"}, {"cell1.edge12": "avgpool3x3"}
    yield (
        {**conv, "cell1.edge13": "skip"},
        {"cell1.edge03": "conv3x3", "cell1.edge03.weight_bits": 5},
    )
    yield (
        {**conv, "cell1.edge13": "avgpool3x3"},
        {
            "cell1.edge02": "conv3x3",
            "cell1.edge02.weight_bits": 5,
            "cell1.edge23": "avgpool3x3",
            "cell1.back21": "conv1x1",
        },
    )


@pytest.mark.parametrize(("one", "other"), list(equal_pairs()))
def test_equal_networks_are_one_candidate(one, other):
    space = make_space("cell", (1, 8, 8), 10)
    genomes = genome_of(space, **one), genome_of(space, **other)

    assert space.key(genomes[0]) == space.key(genomes[1])
    assert space.decode(genomes[0]) == space.decode(genomes[1])


def test_one_time_step_has_no_feedback():
    space = make_space("cell", (1, 8, 8), 10, {"time_steps": [1, 3]})
    values = {"cell1.edge03": "conv3x3", "cell1.back30": "skip"}
    one, plain = (genome_of(space, **some) for some in (values, {"cell1.edge03": "conv3x3"}))
    several = genome_of(space, **values, time_steps=3)

    assert space.key(one) == space.key(plain)
    assert not [name for name in space.describe(one) if "back" in name]
    assert len(space.decode(several).nodes[0].links) == 2


def test_a_node_that_nothing_passes_is_one_move_away():
    space = make_space("cell", (1, 8, 8), 10, {"stages": 1})
    start = genome_of(space, **{"cell1.edge03": "conv3x3"})
    found = {space.key(one) for one in space.neighbours(start)}
    wanted = {"cell1.edge03": "conv3x3", "cell1.edge01": "conv1x1", "cell1.edge13": "avgpool3x3"}

    assert space.key(genome_of(space, **wanted)) in found


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 8, 8), ALL_GENES),
        ((3, 32, 32), ALL_GENES | {"cells": "alike", "stages": [2, 3]}),
        ((2, 1, 5), {"operations": ["skip", "conv1x1"], "backward_operations": ["avgpool3x3"]}),
        ((1, 8, 8), {"backward_operations": "none"}),
    ],
)
def test_many_genomes(shape, options):
    check_many_genomes(make_space("cell", shape, 4, options))


@given(st.data())
@settings(max_examples=60)
def test_layers_and_nodes_follow_the_genes(data):
    space = make_space("cell", (2, 6, 5), 3, EVERYTHING)
    draw = [data.draw(st.integers(0, len(gene) - 1)) for gene in space.genes]
    genome = space.canonical(draw)
    network, named = space.decode(genome), space.describe(genome)
    neurons = {node.name for node in network.nodes if node.neuron}
    read = {layer.source for layer in network.layers} - {"input"}

    assert neurons == read  # no more neurons than are read
    for layer in network.layers[:-1]:
        gene = layer.name.replace(".copy2", "")
        assert layer.joins
        assert layer.neuron is None
        assert layer.weight_bits == named[f"{gene}.weight_bits"]
        if "edge" in layer.name or "back" in layer.name:
            assert layer.kernel == {"conv1x1": (1, 1), "conv3x3": (3, 3)}[named[gene]]
            assert layer.source == layer.name.partition(".")[0] + layer.source[len("cell1") :]
    delayed = [link for node in network.nodes for link in node.links if link.delayed]
    copies = named["repeats"]
    felt = [name for name in named if "back" in name and "." not in name.partition("back")[2]]
    assert len(delayed) == copies * sum(named[name] != "none" for name in felt)
