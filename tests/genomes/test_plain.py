"""The plain space: equal networks are one candidate, different ones are two."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.spaces import make_space
from genomes.workload import Workload


def chosen(values, most=3):
    """A non-empty choice of values in their order, as a configuration lists them."""
    values = list(values)
    picked = st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)
    return picked.map(lambda some: [value for value in values if value in some])


SHAPES = st.one_of(
    st.sampled_from([(1, 1, 1), (1, 7, 5), (3, 2, 3), (2, 1), (2, 9), (1, 1, 8, 8), (2, 3, 2, 5)]),
    st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple),
)

OPTIONS = st.fixed_dictionaries(
    {
        "max_stages": st.integers(1, 4),
        "max_blocks": st.integers(1, 3),
        "widths": chosen([1, 2, 5, 8]),
        "kernels": chosen([1, 3, 5]),
        "pools": chosen(["none", "average", "max"]),
        "skips": chosen(["none", "or", "add"]),
        "neurons": chosen(["lif_box", "lif", "iaf"]),
        "leaks": chosen([0.0625, 0.5, 1.0]),
        "thresholds": chosen([0.25, 1.0]),
        "weight_bits": chosen([2, 5, 8]),
        "time_steps": chosen([1, 4]),
        "input_bits": st.integers(1, 16) | chosen([1, 8, 16]),
        "state_bits": st.integers(4, 32) | chosen([4, 12, 32]),
        "resets": chosen(["hard", "subtract"]),
        "surrogates": chosen(["super", "triangle", "tanh", "circ", "heavi_erfc"]),
        "hidden_codes": chosen(["any", "once"]),
    }
)


@st.composite
def spaces(draw):
    return make_space("plain", draw(SHAPES), draw(st.integers(2, 5)), draw(OPTIONS))


@st.composite
def spaces_and_genomes(draw, genomes=1):
    space = draw(spaces())
    gene_values = st.tuples(*(st.integers(0, len(gene) - 1) for gene in space.genes))
    return space, *(np.array(draw(gene_values)) for _ in range(genomes))


@given(spaces_and_genomes())
@settings(max_examples=100)
def test_inactive_genes_change_nothing(drawn):
    space, genome = drawn
    canonical = space.canonical(genome)

    assert space.decode(canonical) == space.decode(genome)
    assert np.array_equal(space.canonical(canonical), canonical)
    assert np.array_equal(space.active(canonical), space.active(genome))
    assert not canonical[~space.active(genome)].any()
    assert np.array_equal(canonical[space.active(genome)], genome[space.active(genome)])


@given(spaces_and_genomes(genomes=2))
@settings(max_examples=100)
def test_the_key_is_equal_where_the_network_is(drawn):
    space, one, other = drawn
    mixed = np.where(space.active(one), one, other)

    assert space.key(mixed) == space.key(one)
    assert space.decode(mixed) == space.decode(one)
    assert (space.key(one) == space.key(other)) == (space.decode(one) == space.decode(other))


# Two leaks, or iaf: 3. A stage is 1 block, or 2 blocks with two links: 3; times 2 pools where
# there is still a position to pool.
@pytest.mark.parametrize(
    ("input_shape", "networks"),
    [
        ((1, 1, 1), 3 * (3 + 3 * 3)),
        ((1, 1, 9), 3 * (3 + 3 * 3)),  # the smallest size decides
        ((1, 3, 2), 3 * (6 + 6 * 3)),
        ((1, 2, 9), 3 * (6 + 6 * 3)),
        ((1, 9, 3), 3 * (6 + 6 * 3)),
        ((1, 7, 5), 3 * (6 + 6 * 6)),
        ((2, 4), 3 * (6 + 6 * 6)),
    ],
)
def test_every_canonical_form_is_another_network(input_shape, networks):
    space = make_space(
        "plain",
        input_shape,
        2,
        {
            "max_stages": 2,
            "max_blocks": 2,
            "widths": [2],
            "kernels": [3],
            "pools": ["average", "max"],
            "skips": ["or", "none"],
            "neurons": ["iaf", "lif"],
            "leaks": [0.25, 0.5],
            "thresholds": [0.5],
            "weight_bits": [4],
            "time_steps": [2],
        },
    )
    by_form, by_network, by_key = {}, {}, {}
    for genome in itertools.product(*(range(len(gene)) for gene in space.genes)):
        form = space.canonical(genome).tobytes()
        network = json.dumps(space.decode(genome).describe())
        by_form.setdefault(form, set()).add(network)
        by_network.setdefault(network, set()).add(form)
        by_key.setdefault(space.key(genome), set()).add(form)

    assert all(len(networks) == 1 for networks in by_form.values())
    assert all(len(forms) == 1 for forms in by_network.values())
    assert all(len(forms) == 1 for forms in by_key.values())
    assert len(by_form) == networks


@given(spaces_and_genomes())
@settings(max_examples=50)
def test_neighbours_are_other_canonical_genomes_and_the_way_back_is_open(drawn):
    space, genome = drawn
    start = space.canonical(genome)
    active = space.active(start)
    found = space.neighbours(genome)

    assert len(np.unique(found, axis=0)) == len(found)
    for neighbour in found:
        assert np.array_equal(space.canonical(neighbour), neighbour)
        assert not np.array_equal(neighbour, start)
        assert np.sum((neighbour != start) & active & space.active(neighbour)) == 1
        if np.array_equal(space.active(neighbour), active):
            back = space.neighbours(neighbour)
            assert (back == start).all(axis=1).any()


def test_neighbours_by_hand():
    options = {"max_stages": 1, "max_blocks": 2, "widths": [2, 4, 6], "weight_bits": [3]}
    space = make_space("plain", (1, 1, 1), 2, {**options, "neurons": ["lif", "iaf"]})
    start = dict.fromkeys((gene.name for gene in space.genes), 0) | {"stage1.width": 1}
    found = space.neighbours([start[gene.name] for gene in space.genes])
    moves = [
        {
            gene.name: int(value)
            for gene, value in zip(space.genes, neighbour, strict=True)
            if value != start[gene.name]
        }
        for neighbour in found
    ]

    # no pool on one position, no second block; only one step from time steps, leak, threshold
    assert [move or {"stage1.width": 0} for move in moves] == [
        {"time_steps": 1},
        {"neuron": 1},
        {"leak": 1},
        {"threshold": 1},
        {"stage1.blocks": 1},
        {"stage1.width": 0},
        {"stage1.width": 2},
        {"stage1.block1.kernel": 1},
    ]


@given(spaces_and_genomes())
@settings(max_examples=50)
def test_describe_names_what_is_felt(drawn):
    space, genome = drawn
    described = space.describe(genome)
    values = space.values(genome)
    names = [gene.name for gene in space.genes]

    assert list(described) == [n for n, on in zip(names, space.active(genome), strict=True) if on]
    assert all(values[name] == choice for name, choice in described.items())
    assert ("leak" in described) == (described["neuron"] != "iaf")
    # every active gene of more than one choice changes the network
    for name in described:
        position = names.index(name)
        for other in space.genes[position].alternatives(int(genome[position])):
            moved = genome.copy()
            moved[position] = other
            assert space.decode(moved) != space.decode(genome), name


@given(spaces_and_genomes())
@settings(max_examples=50)
def test_layers_follow_the_genes(drawn):
    space, genome = drawn
    values = space.values(genome)
    options = space.options
    values = {
        "input_bits": options.input_bits[0],
        "state_bits": options.state_bits[0],
        "reset": options.resets[0],
        "surrogate": options.surrogates[0],
        "hidden_code": options.hidden_codes[0],
        **values,
    }
    architecture = space.decode(genome)
    blocks = [
        f"stage{stage}.block{block}"
        for stage in range(1, values["stages"] + 1)
        for block in range(1, values[f"stage{stage}.blocks"] + 1)
    ]

    assert [layer.name for layer in architecture.layers] == [*blocks, "readout"]
    assert architecture.time_steps == values["time_steps"]
    assert architecture.input_bits == values["input_bits"]
    size, peak = space.input_shape[1:], 0
    for layer, before in zip(architecture.layers[:-1], ["input", *blocks], strict=False):
        stage = layer.name.split(".")[0]
        pooled = layer.name.endswith("block1") and values[f"{stage}.pool"] != "none"
        if pooled and min(size) >= 2:
            size = tuple(n // 2 for n in size)
            assert layer.pool_kind == values[f"{stage}.pool"]
        link = values.get(f"{layer.name}.skip", "none")
        assert layer.source == before
        assert layer.stored_shape == (values[f"{stage}.width"], *size)
        assert layer.kernel == (values[f"{layer.name}.kernel"],) * len(size)
        assert layer.weight_bits == values[f"{layer.name}.weight_bits"]
        assert layer.neuron.kind == values["neuron"]
        assert layer.neuron.leak == (0 if values["neuron"] == "iaf" else values["leak"])
        assert layer.neuron.threshold == values["threshold"]
        assert layer.neuron.state_bits == values["state_bits"]
        assert layer.neuron.surrogate == values["surrogate"]
        once = values["hidden_code"] == "once" and values["time_steps"] > 1
        resets = values["neuron"] == "lif_box" and values["time_steps"] > 1 and not once
        assert layer.neuron.once == once
        assert layer.neuron.reset == (values["reset"] if resets else "hard")
        assert layer.skips == ((before,) if link != "none" else ())
        assert layer.input_bits == (peak.bit_length() if peak else values["input_bits"])
        peak = {"none": 1, "or": max(peak, 1), "add": peak + 1}[link]
        assert layer.peak == peak
    readout = architecture.layers[-1]
    assert readout.source == blocks[-1]
    assert readout.weight_shape == (space.classes, values[f"{stage}.width"], *size)
    assert readout.weight_bits == values["readout.weight_bits"]
    assert readout.input_bits == peak.bit_length()
    assert readout.neuron is None


@pytest.mark.parametrize(
    ("links", "peaks", "read"),
    [
        (["add", "add", "add"], [1, 2, 3, 4], [1, 2, 2, 3]),
        (["or", "or", "or"], [1, 1, 1, 1], [1, 1, 1, 1]),
        (["add", "or", "add"], [1, 2, 2, 3], [1, 2, 2, 2]),
        (["add", "none", "add"], [1, 2, 1, 2], [1, 2, 1, 2]),
        (["none", "none", "none"], [1, 1, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_links_widen_what_the_next_layer_reads(links, peaks, read):
    space = make_space("plain", (1, 5), 3, {"max_stages": 1, "max_blocks": 4, "input_bits": 6})
    wanted = {"stage1.blocks": 4}
    wanted |= {f"stage1.block{k}.skip": link for k, link in enumerate(links, start=2)}
    genome = [
        gene.choices.index(wanted[gene.name]) if gene.name in wanted else 0 for gene in space.genes
    ]
    layers = space.decode(genome).layers

    assert [layer.peak for layer in layers] == [*peaks, 0]
    assert [layer.input_bits for layer in layers] == [6, *read]


def test_a_new_stage_starts_from_spikes_again():
    space = make_space("plain", (1, 5), 3, {"max_stages": 2, "max_blocks": 2, "skips": ["add"]})
    layers = space.decode(
        [int(gene.name in ("stages", "stage1.blocks", "stage2.blocks")) for gene in space.genes]
    ).layers

    assert [layer.peak for layer in layers] == [1, 2, 1, 2, 0]


@given(spaces_and_genomes())
@settings(max_examples=50)
def test_the_workload_says_the_same(drawn):
    space, genome = drawn
    architecture = space.decode(genome)
    workload = architecture.workload

    assert Workload.from_json(workload.to_json()) == workload
    assert workload.timesteps == architecture.time_steps
    assert [layer.static_input for layer in workload.layers] == [
        layer.source == "input" for layer in architecture.layers
    ]
    assert workload.layers[0].static_input
    assert sum(layer.static_input for layer in workload.layers) == 1
    for layer, work in zip(architecture.layers, workload.layers, strict=True):
        assert work.name == layer.name
        assert work.weights == layer.weights
        assert work.operations == layer.operations
        assert work.outputs == np.prod(layer.stored_shape)
        assert work.neurons == np.prod(layer.neuron_shape)
        assert (work.weight_bits, work.input_bits) == (layer.weight_bits, layer.input_bits)
        assert work.residual_inputs == len(layer.skips)
        if layer.neuron:
            width = {"lif": 2, "lif_box": 1, "iaf": 1}[layer.neuron.kind]
            flag = int(layer.neuron.once)
            assert work.neuron_state_bits == width * layer.neuron.state_bits + flag


@given(spaces_and_genomes())
@settings(max_examples=50)
def test_a_description_travels_as_json(drawn):
    space, genome = drawn
    architecture = space.decode(genome)
    read = Architecture.from_description(json.loads(json.dumps(architecture.describe())))

    assert read == architecture
    assert read.workload == architecture.workload
    assert hash(read) == hash(architecture)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_stages": True}, r"space\.max_stages: got True; allowed: a valid integer"),
        ({"max_stages": 2.0}, r"space\.max_stages: got 2\.0; allowed: a valid integer"),
        ({"state_bits": "12"}, r"space\.state_bits\[0\]: got '12'; allowed: a valid integer"),
        ({"widths": ["8"]}, r"space\.widths\[0\]: got '8'; allowed: a valid integer"),
        ({"kernels": [1, True]}, r"space\.kernels\[1\]: got True"),
        ({"time_steps": [2.0]}, r"space\.time_steps\[0\]: got 2\.0"),
        ({"weight_bits": ["4"]}, r"space\.weight_bits\[0\]: got '4'"),
        ({"leaks": ["0.5"]}, r"space\.leaks\[0\]: got '0\.5'; allowed: a valid number"),
        ({"thresholds": [True]}, r"space\.thresholds\[0\]: got True; allowed: a valid number"),
        ({"widths": 8}, r"space\.widths: got 8; allowed: a list in brackets\."),
        ({"widths": []}, r"space\.widths: got \[\]; allowed: at least one value\."),
        ({"skips": "or"}, r"space\.skips: got 'or'; allowed: a list in brackets\."),
    ],
)
def test_options_are_of_their_own_types(options, message):
    with pytest.raises(RequestError, match=message):
        make_space("plain", (1, 8, 8), 10, options)


def test_whole_numbers_pass_for_real_ones():
    space = make_space("plain", (1, 8, 8), 10, {"leaks": [0.5, 1], "thresholds": [1, 2]})
    assert (space.options.leaks, space.options.thresholds) == ((0.5, 1.0), (1.0, 2.0))
