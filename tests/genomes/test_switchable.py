"""Switchable decisions: genes where an option names several choices, in every space."""

import json
from typing import Annotated, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from evo_snn.snn.codings import encoded
from genomes.architecture import INPUT, PHASES, Architecture, Exit
from genomes.convolutional import Chosen
from genomes.options import CommonOptions, Switchable, switched_on
from genomes.spaces import OWN_SPACES, make_space
from tests.genomes.by_name import genome_of

EVERYTHING = {
    "resets": ["hard", "subtract"],
    "surrogates": ["super", "triangle", "tanh", "circ", "heavi_erfc"],
    "hidden_codes": ["any", "once"],
    "state_bits": [6, 12],
    "input_bits": [4, 8],
    "codings": ["direct", "phase", "rate", "radix"],  # phase and radix may be alike: not neighbours
    "first_layers": ["memory", "digital"],
    "time_exits": ["off", "on"],
    "depth_exits": ["off", "on"],
    "exit_confidences": [0.8, 0.9],
}

SWITCHED = {
    *("reset", "surrogate", "hidden_code", "state_bits", "input_bits", "coding", "first_layer"),
    *("time_exit", "depth_exit", "exit_confidence"),
}
"""Their genes."""

SAMPLES = torch.arange(256)[None] / 255


def wanting(space, **wanted):
    """The genome of these choices, else the first ones."""
    return [
        gene.choices.index(wanted[gene.name]) if gene.name in wanted else 0 for gene in space.genes
    ]


def test_a_switchable_decision_is_a_gene_where_there_is_something_to_decide():
    names = [gene.name for gene in make_space("plain", (1, 8, 8), 10).genes]
    one = make_space("plain", (1, 8, 8), 10, {name: some[:1] for name, some in EVERYTHING.items()})
    all_on = make_space("plain", (1, 8, 8), 10, EVERYTHING)

    assert [gene.name for gene in one.genes] == names
    assert {gene.name for gene in all_on.genes} - set(names) == SWITCHED
    ordered = {gene.name for gene in all_on.genes if gene.kind == "ordered"} & SWITCHED
    assert ordered == {"state_bits", "input_bits", "exit_confidence"}


def test_one_choice_is_the_same_alone_and_in_a_list():
    alone, listed = (make_space("plain", (1, 8, 8), 10, {"state_bits": bits}) for bits in (9, [9]))
    genome = np.zeros(len(alone.genes), int)

    assert alone.decode(genome).layers[0].neuron.state_bits == 9
    assert alone.key(genome) == listed.key(genome)


@pytest.mark.parametrize(
    ("wanted", "inactive"),
    [
        ({}, set()),
        ({"neuron": "lif"}, {"reset"}),  # Norse has no other for it
        ({"hidden_code": "once"}, {"reset"}),  # nothing follows a spike
        ({"time_steps": 1}, {"reset", "hidden_code", "time_exit", "exit_confidence"}),
        ({"time_exit": "off"}, {"exit_confidence"}),
        ({"coding": "rate"}, set()),  # what is coded has so many bits
        ({"stages": 2, "depth_exit": "on"}, {"time_exit"}),  # one kind of exit at a time
        ({"stages": 2}, set()),
    ],
)
def test_a_switched_on_gene_is_active_where_it_makes_a_difference(wanted, inactive):
    space = make_space("plain", (1, 8, 8), 10, {**EVERYTHING, "time_steps": [1, 4]})
    if "stages" not in wanted:
        inactive = inactive | {"depth_exit"}  # a single hidden layer has no way to leave
    wanted = {"time_steps": 4, "reset": "subtract", "time_exit": "on", **wanted}
    genome = wanting(space, **wanted)
    felt = space.describe(genome)
    neuron = space.decode(genome).layers[0].neuron

    assert SWITCHED - set(felt) == inactive
    assert neuron.reset == ("hard" if "reset" in inactive else "subtract")


def test_what_exits_codings_and_first_layers_make_of_a_network():
    space = make_space("plain", (1, 8, 8), 10, {**EVERYTHING, "time_steps": [1, 4]})
    usual = {"time_steps": 4, "stages": 2}

    in_time = space.decode(wanting(space, time_exit="on", exit_confidence=0.9, **usual))
    in_depth = space.decode(wanting(space, depth_exit="on", **usual))
    coded = space.decode(wanting(space, coding="rate", first_layer="digital", **usual))

    assert (in_time.exit, in_time.decisions, in_time.by_step) == (Exit("time", 0.9), 4, True)
    assert (in_depth.exit, in_depth.decisions, in_depth.by_step) == (Exit("depth", 0.8), 2, False)
    assert [layer.name for layer in in_depth.readouts] == ["exit1", "readout"]
    assert (coded.coding, coded.exit, coded.static) == ("rate", None, False)
    assert [layer.domain for layer in coded.workload.layers] == ["digital", "memory", "memory"]


@pytest.mark.parametrize("steps", [3, 4])
def test_one_period_of_phases_is_a_radix_train(steps):
    options = {"codings": ["direct", "phase", "radix"], "time_steps": [steps, 8]}
    space = make_space("plain", (1, 8, 8), 10, options)
    phase, radix = (wanting(space, coding=coding) for coding in ("phase", "radix"))
    alike = steps == 4

    assert (space.key(phase) == space.key(radix)) == alike
    assert (space.decode(phase) == space.decode(radix)) == alike
    assert space.decode(phase).coding == "phase"


def test_where_all_codings_are_alike_there_is_nothing_to_choose():
    options = {"codings": ["phase", "radix"], "time_steps": [PHASES, 8]}
    space = make_space("plain", (1, 8, 8), 10, options)
    short, long = (wanting(space, coding="radix", time_steps=steps) for steps in (PHASES, 8))

    assert "coding" not in space.describe(short)
    assert space.decode(short).coding == "phase"
    assert space.describe(long)["coding"] == "radix"


def options_of(name):
    """A space's options with every decision switched on, so far as it has them."""
    known = OWN_SPACES[name].Options.model_fields
    return {**{key: some for key, some in EVERYTHING.items() if key in known}, "time_steps": [1, 3]}


CONVOLUTIONAL = [
    name for name, space in OWN_SPACES.items() if issubclass(space.Options, CommonOptions)
]


@st.composite
def spaces_and_genomes(draw, genomes=1):
    name = draw(st.sampled_from(CONVOLUTIONAL))
    space = make_space(name, OWN_SPACES[name].example_shape, 3, options_of(name))
    gene_values = st.tuples(*(st.integers(0, len(gene) - 1) for gene in space.genes))
    return space, *(np.array(draw(gene_values)) for _ in range(genomes))


@given(spaces_and_genomes(genomes=2))
@settings(max_examples=150)
def test_equal_networks_are_one_candidate_with_everything_switched_on(drawn):
    space, one, other = drawn
    mixed = np.where(space.active(one), one, other)
    canonical = space.canonical(one)

    assert np.array_equal(space.canonical(canonical), canonical)
    assert space.key(mixed) == space.key(one) == space.key(canonical)
    assert space.decode(mixed) == space.decode(one) == space.decode(canonical)
    assert (space.key(one) == space.key(other)) == (space.decode(one) == space.decode(other))


@given(spaces_and_genomes())
@settings(max_examples=100)
def test_every_switched_on_gene_that_is_active_is_felt(drawn):
    space, genome = drawn
    active = space.active(genome)
    network = space.decode(genome)
    names = {gene.name for gene in switched_on(space.options)}

    assert names >= SWITCHED
    for position, gene in enumerate(space.genes):
        if gene.name in names:
            moved = genome.copy()
            moved[position] = (moved[position] + 1) % len(gene)
            assert (space.decode(moved) != network) == active[position], gene.name


@given(spaces_and_genomes())
@settings(max_examples=100)
def test_descriptions_and_workloads_hold_what_is_switched_on(drawn):
    space, genome = drawn
    network = space.decode(genome)
    document = json.loads(json.dumps(network.describe()))

    assert Architecture.from_description(document) == network
    works = {work.name: work for work in network.workload.layers}
    for layer in network.layers:
        if layer.neuron:
            work = works[layer.name]
            variables = 2 if layer.neuron.kind == "lif" else 1
            bits = variables * layer.neuron.state_bits + layer.neuron.once
            assert work.neuron_state_bits == bits
    first = network.workload.layers[0]
    assert first.input_bits == (network.input_bits if network.coding == "direct" else 1)
    assert first.static_input == network.static
    assert all(layer.domain == "memory" for layer in network.layers if layer.source != INPUT)


class Tinted(CommonOptions):
    """Options with decisions of their own: of the network and of each layer."""

    moods: Annotated[tuple[Literal["calm", "wild"], ...], Switchable("mood", "categorical")] = (
        Field(("calm",), description="of the network")
    )
    tints: Annotated[tuple[int, ...], Switchable("tint", of="layer")] = Field(
        (3,), description="of a layer"
    )


def test_an_option_becomes_a_decision_by_its_annotation():
    assert list(switched_on(Tinted())) == list(switched_on(Tinted(), "layer1")) == []
    options = Tinted(moods=("calm", "wild"), tints=(3, 5))
    (mood,), (tint,) = switched_on(options), switched_on(options, "layer1")

    assert (mood.name, mood.choices, mood.kind) == ("mood", ("calm", "wild"), "categorical")
    assert (tint.name, tint.choices, tint.kind) == ("layer1.tint", (3, 5), "ordered")


def test_decoding_asks_for_a_decision_with_and_without_a_gene():
    with_gene = Chosen({"layer1.tint": 5, "mood": "wild"}, {})
    without = Chosen({}, {"tint": 3, "mood": "calm"})

    assert (with_gene.number("layer1.tint"), with_gene.word("mood")) == (5, "wild")
    assert (without.number("layer1.tint"), without.word("mood")) == (3, "calm")
    assert with_gene.felt == {"layer1.tint", "mood"}
    assert without.felt == set()


@pytest.mark.parametrize("codings", [["radix", "phase"], ["direct", "phase", "radix"]])
@pytest.mark.parametrize("name", ["plain", "blocks", "cell"])
def test_codings_that_give_the_same_spikes_are_one_candidate(name, codings):
    options = {"codings": codings, "time_steps": [1, 3, PHASES, 5]}
    space = make_space(name, (2, 8, 8), 3, options)

    for steps in options["time_steps"]:
        pair = [genome_of(space, time_steps=steps, coding=one) for one in ("radix", "phase")]
        networks, keys = {space.decode(one) for one in pair}, {space.key(one) for one in pair}
        trains = [encoded(SAMPLES, one, steps, None) for one in ("radix", "phase")]
        assert len(keys) == len(networks) == (1 if torch.equal(*trains) else 2)
