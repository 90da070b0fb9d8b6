"""Genes of weights: where they are and where they are felt; equal networks have equal keys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.counts import count

SPACES = {
    "plain": ((2, 6, 6), {"widths": [1, 2, 5, 8], "max_stages": 2, "max_blocks": 2}),
    "hyperspectral": ((1, 9, 5, 5), {"bands": [3, 6], "max_cubes": 2, "max_planes": 1}),
    "spectrum": ((1, 21), {"bands": [3, 8]}),
    "cell": ((2, 6, 6), {"widths": [2, 5]}),
    "spikenas_bench": ((2, 6, 6), {}),
    "signal": ((1, 40), {"kernels": [3, 9], "widths": [2, 5]}),
}


def chosen(values, least=1):
    """Some of the values, in their order."""
    picked = st.sets(st.sampled_from(values), min_size=least)
    return picked.map(lambda some: [one for one in values if one in some])


OPTIONS = st.fixed_dictionaries(
    {
        "weight_bits": chosen([1, 2, 3, 4, 8]),
        "quantizers": st.sampled_from([["uniform"], ["uniform", "power_of_two"]]),
        "bit_groups": st.integers(1, 4),
        "removed_columns": chosen([0.0, 0.25, 0.5, 0.75]),
        "column_rows": st.sampled_from([8, 128]),
    }
)


@st.composite
def spaces_and_genomes(draw, genomes=1):
    name = draw(st.sampled_from(sorted(SPACES)))
    shape, options = SPACES[name]
    options = {**options, **draw(OPTIONS)}
    if name == "spikenas_bench":
        options["bit_groups"] = 1
    space = make_space(name, shape, 3, options)
    values = st.tuples(*(st.integers(0, len(gene) - 1) for gene in space.genes))
    return space, *(np.array(draw(values)) for _ in range(genomes))


@given(spaces_and_genomes())
@settings(max_examples=count(100, 1000))
def test_canonical_forms_are_the_same_network(drawn):
    space, genome = drawn
    canonical = space.canonical(genome)

    assert space.decode(canonical) == space.decode(genome)
    assert np.array_equal(space.canonical(canonical), canonical)
    assert not canonical[~space.active(canonical)].any()


@given(spaces_and_genomes(genomes=2), st.data())
@settings(max_examples=count(100, 1000))
def test_the_key_is_equal_where_the_network_is(drawn, data):
    space, one, other = drawn
    # a near relative: most differences of two random genomes are felt
    same = data.draw(st.sets(st.integers(0, len(one) - 1), min_size=len(one) - 3))
    other = np.where(np.isin(np.arange(len(one)), list(same)), one, other)

    assert (space.key(one) == space.key(other)) == (space.decode(one) == space.decode(other))


@given(spaces_and_genomes())
@settings(max_examples=100)
def test_workloads_hold_every_channel_and_neuron(drawn):
    space, genome = drawn
    architecture = space.decode(genome)
    layers = architecture.workload.layers

    assert [layer.name for layer in layers] == [part.name for _, part in architecture.parts]
    for layer in architecture.layers:
        own = [
            work
            for (whole, _), work in zip(architecture.parts, layers, strict=True)
            if whole is layer
        ]
        assert sum(work.channels[1] for work in own) == layer.out_channels
        assert sum(work.weights for work in own) == layer.weights
        stored = sum(work.weights * work.column_share for work in own)
        assert stored == pytest.approx(layer.stored_weights)
        assert layer.stored_weights <= layer.weights
        assert (layer.stored_weights < layer.weights) == (layer.removed > 0)
        assert {work.channels[0] * work.kernel_size for work in own} == {
            layer.weights // layer.out_channels
        }
    assert Architecture.from_description(architecture.describe()) == architecture


def genome_of(space, **values):
    wanted = {gene.name: 0 for gene in space.genes} | values
    return np.array(
        [
            gene.choices.index(wanted[gene.name]) if gene.name in values else 0
            for gene in space.genes
        ]
    )


def small(**options):
    fixed = {"max_stages": 1, "max_blocks": 1, "widths": [6], "kernels": [3], "pools": ["none"]}
    return make_space("plain", (1, 4, 4), 3, {**fixed, **options})


def test_there_is_a_gene_only_where_there_is_a_choice():
    names = {gene.name for gene in small().genes}
    assert {name for name in names if "readout" in name or "block" in name} == {
        *("stage1.blocks", "stage1.block1.kernel", "stage1.block1.weight_bits"),
        "readout.weight_bits",
    }
    more = {gene.name for gene in small(quantizers=["uniform", "power_of_two"]).genes}
    assert more - names == {"stage1.block1.quantizer", "readout.quantizer"}
    grouped = {gene.name for gene in small(bit_groups=2).genes}
    assert grouped - names == {"stage1.block1.weight_bits.1", "stage1.block1.weight_bits.2"}
    removed = {gene.name for gene in small(removed_columns=[0.0, 0.5]).genes}
    assert removed - names == {"stage1.block1.removed"}


def test_options_at_their_defaults_change_no_key():
    plain = small()
    spelled = small(quantizers=["uniform"], bit_groups=1, removed_columns=[0.0], column_rows=128)
    genome = np.zeros(len(plain.genes), int)
    assert plain.key(genome) == spelled.key(genome)


@pytest.mark.parametrize(
    ("bits", "felt"), [(1, False), (2, False), (3, True), (4, True), (8, False)]
)
def test_a_quantizer_is_felt_where_it_makes_a_difference(bits, felt):
    space = small(weight_bits=[1, 2, 3, 4, 8], quantizers=["uniform", "power_of_two"])
    name = "stage1.block1.quantizer"
    genome = genome_of(space, **{"stage1.block1.weight_bits": bits, name: "power_of_two"})
    layer = space.decode(genome).layers[0]

    assert (name in space.describe(genome)) == felt
    assert layer.quantizer == ("power_of_two" if felt else "uniform")


def test_groups_by_hand():
    space = small(weight_bits=[1, 3, 8], bit_groups=4, quantizers=["uniform", "power_of_two"])
    name = "stage1.block1.weight_bits"
    values = {f"{name}.1": 3, f"{name}.2": 3, f"{name}.3": 1, f"{name}.4": 8}
    genome = genome_of(space, **values, **{"stage1.block1.quantizer": "power_of_two"})
    architecture = space.decode(genome)
    layer, *_ = architecture.layers

    # six channels in four groups: 1, 2, 1, 2; powers of two of 3 bits are stored as 4
    assert layer.group_bits == (3, 3, 1, 8)
    assert layer.weight_bits == 8
    found = [
        (work.name, work.channels[1], work.weight_bits) for work in architecture.workload.layers
    ]
    assert found == [
        ("stage1.block1/1", 3, 4),
        ("stage1.block1/2", 1, 1),
        ("stage1.block1/3", 2, 8),
        ("readout", 3, 1),
    ]


def test_groups_of_equal_bits_are_one_group():
    names = {gene.name for gene in small(weight_bits=[3], bit_groups=4).genes}
    assert names == {gene.name for gene in small().genes}


def test_more_groups_than_channels_are_not_felt():
    space = small(widths=[2], weight_bits=[1, 8], bit_groups=3)
    felt = space.describe(np.zeros(len(space.genes), int))

    assert "stage1.block1.weight_bits.2" in felt
    assert "stage1.block1.weight_bits.3" not in felt


def test_parts_take_their_layers_rates():
    space = small(weight_bits=[1, 8], bit_groups=2)
    architecture = space.decode(genome_of(space, **{"stage1.block1.weight_bits.2": 8}))
    workload = architecture.workload.with_rates({"stage1.block1": (0.25, 0.5)})

    assert [one.name for one in workload.layers][:2] == ["stage1.block1/1", "stage1.block1/2"]
    assert {(one.input_rate, one.output_rate) for one in workload.layers[:2]} == {(0.25, 0.5)}
    own = workload.with_rates({"stage1.block1": (0.25, 0.5), "stage1.block1/2": (0.1, 0.2)})
    assert [one.output_rate for one in own.layers[:2]] == [0.5, 0.2]
    with pytest.raises(RequestError, match=r"rates: got 'stage1\.block2'"):
        workload.with_rates({"stage1.block2": (0.1, 0.2)})


def test_shares_that_remove_the_same_are_one_network():
    shares = [0.0, 0.1, 0.5, 0.6, 0.9]
    space = small(widths=[3], removed_columns=shares, column_rows=5)
    name = "stage1.block1.removed"
    genomes = [genome_of(space, **{name: share}) for share in shares]

    # of three columns 0, 0, 1, 1 and 2
    assert [space.decode(one).layers[0].removed for one in genomes] == [0.0, 0.0, 0.5, 0.5, 0.9]
    place = [gene.name for gene in space.genes].index(name)
    assert [int(space.canonical(one)[place]) for one in genomes] == [0, 0, 2, 2, 4]
    assert len({space.key(one) for one in genomes}) == 3
    assert space.decode(genomes[3]).layers[0].column_rows == 5
    layers = space.decode(genomes[4]).workload.layers
    assert [layer.column_share for layer in layers] == [pytest.approx(1 / 3), 1.0]


def test_a_share_is_not_felt_where_there_is_one_column():
    space = small(widths=[1], removed_columns=[0.0, 0.5])
    assert "stage1.block1.removed" not in space.describe(np.zeros(len(space.genes), int))


def test_a_share_can_be_no_gene():
    space = small(widths=[4], removed_columns=[0.5])
    layer = space.decode(np.zeros(len(space.genes), int)).layers[0]

    # two of four columns of 1 x 3 x 3 rows, a scale and a bias for each of the four
    assert layer.removed == 0.5
    assert layer.parameters == 2 * 9 + 2 * 4
    assert layer.operations == 2 * 9 * 16
