"""The CNN of an architecture: what it refuses, and the bits of what its layers read."""

from dataclasses import replace

import numpy as np
import pytest

from genomes.architecture import Exit, Link, Node
from genomes.cnn import activation_bits, read_bits, require_static
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.chain import IF_LIKE, chain

CHAIN = chain()


def test_a_layer_reads_the_bits_of_the_weights_before_it():
    assert activation_bits(CHAIN) == {"a": 3, "b": 5, "out": 2}
    assert read_bits(CHAIN) == {"a": 8, "b": 3, "out": 5}


@pytest.mark.parametrize(("kind", "bits"), [("or", 5), ("add", 6)])
def test_a_merged_map_is_as_wide_as_its_values(kind, bits):
    first, second, out = CHAIN.layers
    merged = replace(second, skips=("a",), skip_kind=kind, peak=2 if kind == "add" else 1)
    out = replace(out, input_bits=2 if kind == "add" else 1)
    assert read_bits(replace(CHAIN, layers=(first, merged, out)))["out"] == bits


def test_a_nodes_activations_are_as_wide_as_the_widest_weights():
    first, second, out = CHAIN.layers
    second = replace(second, neuron=None, joins=True, peak=0)
    node = Node("n", (Link("b"),), IF_LIKE)
    network = replace(CHAIN, layers=(first, second, replace(out, source="n")), nodes=(node,))
    assert read_bits(network)["out"] == 5
    require_static(network)


def test_what_needs_time_is_refused():
    first, second, out = CHAIN.layers
    second = replace(second, neuron=None, joins=True, peak=0)
    links = (Link("b"), Link("b", delayed=True))
    back = replace(
        CHAIN,
        layers=(first, second, replace(out, source="n")),
        nodes=(Node("n", links, IF_LIKE),),
    )
    for network, reason in (
        (replace(CHAIN, frames=3), "3 frames a sample"),
        (replace(CHAIN, exit=Exit("time", 0.9)), "an exit in time"),
        (replace(CHAIN, coding="rate"), "its input coded as 'rate'"),
        (back, "delayed links"),
    ):
        with pytest.raises(RequestError, match=f"a network with {reason}"):
            require_static(network)


def test_every_layer_of_a_space_has_bits():
    space = make_space("plain", (3, 12, 12), 4, {"max_blocks": 4})
    for genome in space.sample(20, np.random.default_rng(0)):
        architecture = space.decode(genome)
        assert [*read_bits(architecture)] == [layer.name for layer in architecture.layers]
