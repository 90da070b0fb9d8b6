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
    }
)


@st.composite
def spaces_and_genomes(draw, genomes=1):
    name = draw(st.sampled_from(sorted(SPACES)))
    shape, options = SPACES[name]
    space = make_space(name, shape, 3, {**options, **draw(OPTIONS)})
    values = st.tuples(*(st.integers(0, len(gene) - 1) for gene in space.genes))
    return space, *(np.array(draw(values)) for _ in range(genomes))


@given(spaces_and_genomes())
@settings(max_examples=count(100, 1000))
def test_canonical_forms_are_the_same_network(drawn):
    space, genome = drawn
    canonical = space.canonical(genome)

    assert space.decode(canonical) == space.decode(genome)
    assert np.array_equal(space.canonical(canonical), canonical)
    assert np.array_equal(space.active(canonical), space.active(genome))
    assert not canonical[~space.active(genome)].any()


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


def test_options_at_their_defaults_change_no_key():
    plain, spelled = small(), small(quantizers=["uniform"], bit_groups=1)
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
