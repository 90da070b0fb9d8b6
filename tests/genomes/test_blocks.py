"""The blocks space: slots decoded by hand, and what is one candidate."""

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
    "slots": [2, 3, 1],
    "widths": [2, 3],
    "growths": [1, 2],
    "reductions": ["max", "stride"],
    "end_pools": ["none", "max"],
    "resets": ["hard", "subtract"],
    "surrogates": ["super", "triangle"],
    "hidden_codes": ["any", "once"],
    "state_bits": [6, 12],
    "input_bits": [4, 8],
    "weight_bits": [1, 3, 8],
    "quantizers": ["uniform", "power_of_two"],
    "removed_columns": [0.0, 0.1, 0.4, 0.5],
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


def test_a_network_by_hand():
    space = make_space("blocks", (3, 32, 32), 10, SMALL)
    values = {"stage1.slot1": "residual3x3", "stage2.slot1": "residual5x5"}
    values |= {"stage2.slot2": "conv3x3", "stage3.slot2": "conv5x5"}
    network = space.decode(genome_of(space, **values))

    assert {layer.name: (layer.source, layer.stored_shape) for layer in network.layers} == {
        "stem": ("input", (4, 32, 32)),
        "stage1.slot1.conv1": ("stem", (4, 32, 32)),
        "stage1.slot1.conv2": ("stage1.slot1.conv1", (4, 16, 16)),  # as its node's spikes are
        "stage2.slot1.conv1": ("stage1.slot1.sum", (8, 16, 16)),
        "stage2.slot1.project": ("stage1.slot1.sum", (8, 16, 16)),
        "stage2.slot1.conv2": ("stage2.slot1.conv1", (8, 16, 16)),
        "stage2.slot2.conv1": ("stage2.slot1.sum", (8, 16, 16)),
        "stage2.slot2.conv2": ("stage2.slot2.conv1", (8, 8, 8)),
        "stage3.slot1.project": ("stage2.slot2.conv2", (16, 8, 8)),  # a skip to another width
        "stage3.slot2.conv1": ("stage3.slot1.project", (16, 8, 8)),
        "stage3.slot2.conv2": ("stage3.slot2.conv1", (16, 4, 4)),
        "readout": ("stage3.slot2.conv2", (10,)),
    }
    first, second = network.nodes
    assert first.links == (Link("stage1.slot1.conv2"), Link("stem", spikes=True))
    assert second.links == (Link("stage2.slot1.conv2"), Link("stage2.slot1.project"))
    assert (first.pool, second.pool) == ((2, 2), ())
    assert [layer.kernel for layer in network.layers if "slot1.conv1" in layer.name] == [
        (3, 3),
        (5, 5),
    ]
    assert {layer.input_bits for layer in network.layers[1:]} == {1}  # every map is spikes
    # stem 27*4, stage 1 2*9*16, stage 2 25*(32 + 64) + 32 + 2*9*64, stage 3 8*16 + 2*25*256,
    # read-out 16*16*10; a scale and a bias for each of 4*3 + 8*5 + 16*3 + 10 channels
    weights = 108 + 288 + 2400 + 32 + 1152 + 128 + 12800 + 2560
    assert network.parameters == weights + 2 * 110


def test_what_a_residual_block_is_to_a_chip_by_hand():
    space = make_space("blocks", (1, 8, 8), 10, SMALL | {"slots": [1]})
    network = space.decode(genome_of(space, **{"stage1.slot1": "residual3x3"}))
    stem, first, second, readout = network.workload.layers

    assert network.carriers == {"stage1.slot1.sum": "stage1.slot1.conv2"}
    assert network.drivers == {"stage1.slot1.sum": ("stage1.slot1.conv2",)}
    assert second.neurons == second.out_channels * 64  # before the OR of 2 x 2
    assert (second.pool, second.pool_kind, second.outputs) == ((2, 2), "max", 4 * 16)
    assert (second.populations, second.current_inputs, second.neuron_state_bits) == (1, 1, 12)
    assert (first.current_inputs, stem.current_inputs, readout.current_inputs) == (0, 0, 0)
    assert readout.in_features == 4 * 16
    assert second.residual_inputs == 0


def test_a_stride_may_lead_to_the_next_stage():
    options = SMALL | {"slots": [1, 1], "reductions": ["max", "stride"], "growths": 1}
    space = make_space("blocks", (1, 9, 9), 10, options)
    values = {"stage2.reduction": "stride", "stage2.slot1": "residual3x3"}
    network = space.decode(genome_of(space, **values))
    skipped = space.decode(genome_of(space, **{"stage2.reduction": "stride"}))

    assert [(layer.name, layer.stride, layer.out_shape[1:]) for layer in network.layers[:-1]] == [
        ("stem", (1, 1), (9, 9)),
        ("stage2.slot1.conv1", (2, 2), (5, 5)),
        ("stage2.slot1.project", (2, 2), (5, 5)),
        ("stage2.slot1.conv2", (1, 1), (5, 5)),
    ]
    assert [layer.name for layer in skipped.layers] == ["stem", "stage2.slot1.project", "readout"]


def test_stages_without_a_block_pool_what_is_there():
    space = make_space("blocks", (1, 9, 9), 10, SMALL | {"slots": [1, 1], "growths": 1})
    network = space.decode(genome_of(space))

    assert [layer.name for layer in network.layers] == ["stem", "readout"]
    assert network.layers[0].pool == (4, 4)
    assert network.layers[0].stored_shape == (4, 2, 2)


def test_one_position_is_not_pooled():
    space = make_space("blocks", (1, 1, 7), 3, EVERYTHING)
    named = space.describe(space.choices - 1)

    assert not [name for name in named if "reduction" in name or "pool" in name]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"stage1.slot2": "conv3x3", "stage1.slot2.conv1.weight_bits": 8},
            {"stage1.slot1": "conv3x3", "stage1.slot1.conv1.weight_bits": 8},
        ),
        (
            {"stage2.slot2": "residual5x5", "stage2.slot3": "conv3x3", "growth": 1},
            {"stage2.slot1": "residual5x5", "stage2.slot2": "conv3x3", "growth": 1},
        ),
        (
            {"stage2.slot3": "conv3x3", "stage2.slot1.project.weight_bits": 8, "growth": 2},
            {"stage2.slot2": "conv3x3", "stage2.slot1.project.weight_bits": 8, "growth": 2},
        ),
        ({"stem.removed": 0.4}, {}),  # of two columns none
    ],
)
def test_equal_networks_are_one_candidate(one, other):
    space = make_space("blocks", (1, 8, 8), 10, EVERYTHING)
    genomes = genome_of(space, **one), genome_of(space, **other)

    assert space.canonical(genomes[0]).tolist() == genomes[1]
    assert space.decode(genomes[0]) == space.decode(genomes[1])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 1, 5)])
def test_many_genomes(shape):
    check_many_genomes(make_space("blocks", shape, 4, ALL_GENES))


@given(st.data())
@settings(max_examples=60)
def test_layers_follow_the_genes(data):
    space = make_space("blocks", (1, 12, 9), 3, EVERYTHING)
    draw = [data.draw(st.integers(0, len(gene) - 1)) for gene in space.genes]
    genome = space.canonical(draw)
    network, named = space.decode(genome), space.describe(genome)
    slots = {name: word for name, word in named.items() if name.endswith(("1", "2", "3"))}
    sums = [name for name, word in slots.items() if word.startswith("residual")]
    names = {layer.name for layer in network.layers}

    assert [node.name for node in network.nodes] == [f"{slot}.sum" for slot in sums]
    for slot, word in slots.items():
        assert (f"{slot}.conv1" in names) == (f"{slot}.conv2" in names) == (word != "skip")
    for layer in network.layers[1:]:
        assert layer.input_bits == 1
        assert layer.weight_bits == named[f"{layer.name}.weight_bits"]
    sizes = {layer.name: layer.stored_shape for layer in network.layers}
    assert all(
        later[1] <= sooner[1]
        for sooner, later in zip(list(sizes.values())[:-2], list(sizes.values())[1:-1], strict=True)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": ["conv7x7"]}, r"space\.blocks\[0\]: got 'conv7x7'.*'conv3x3'"),
        ({"slots": []}, r"space\.slots: .*at least one value"),
        ({"slots": [0]}, r"space\.slots\[0\]: got 0"),
        ({"reductions": ["average"]}, r"space\.reductions\[0\]: got 'average'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(RequestError, match=message):
        make_space("blocks", (1, 8, 8), 10, options)
