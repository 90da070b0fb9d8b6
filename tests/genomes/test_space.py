"""Search spaces: canonical forms, keys, samples and neighbours, on a space small enough to list."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.space import SearchSpace
from genomes.spaces import make_space, space_class, space_names

ROOT = Path(__file__).resolve().parents[2]


class NoOptions(BaseModel):
    """A trip has no options."""


class Trip(SearchSpace):
    """Where to, how far, and, by train alone, in which class. Decodes to a sentence."""

    name = "trip"
    version = 1
    genes = (
        Gene("by", ("foot", "bicycle", "train"), "categorical"),
        Gene("hours", (1, 2, 3, 4)),
        Gene("class", (1, 2)),
    )

    def __init__(self):
        super().__init__((1,), 2, NoOptions())

    def active(self, genome):
        return np.array([True, True, self.values(genome)["by"] == "train"])

    def decode(self, genome):
        return " ".join(map(str, self.describe(genome).values()))


TRIPS = 2 * 4 + 4 * 2
"""Different candidates: on foot or by bicycle 4 each, by train 4 hours times 2 classes."""


def test_the_canonical_form_zeroes_what_nobody_feels():
    assert Trip().canonical([1, 3, 1]).tolist() == [1, 3, 0]
    assert Trip().canonical([2, 3, 1]).tolist() == [2, 3, 1]


def test_describe_names_active_genes_alone():
    assert Trip().describe([1, 3, 1]) == {"by": "bicycle", "hours": 4}
    assert Trip().describe([2, 0, 1]) == {"by": "train", "hours": 1, "class": 2}


def test_as_many_keys_as_candidates():
    space = Trip()
    genomes = list(itertools.product(range(3), range(4), range(2)))

    assert len({space.key(genome) for genome in genomes}) == TRIPS
    assert len({space.decode(genome) for genome in genomes}) == TRIPS


def test_the_number_of_candidates_is_estimated():
    counted = Trip().networks(np.random.default_rng(0), samples=5000)

    assert counted == pytest.approx(TRIPS, rel=0.02)


def test_neighbours_are_canonical_and_one_move_away():
    on_foot = [genome.tolist() for genome in Trip().neighbours([0, 1, 1])]
    by_train = [genome.tolist() for genome in Trip().neighbours([2, 0, 1])]

    assert on_foot == [[1, 1, 0], [2, 1, 0], [0, 0, 0], [0, 2, 0]]
    assert by_train == [[0, 0, 0], [1, 0, 0], [2, 1, 1], [2, 0, 0]]


def test_a_genome_without_alternatives_has_no_neighbours():
    class Fixed(Trip):
        genes = (Gene("by", ("foot",)), Gene("hours", (1,)), Gene("class", (1,)))

    assert Fixed().neighbours([0, 0, 0]).shape == (0, 3)


def test_sampling_exhausts_a_small_space_and_stops():
    found = Trip().sample(1000, np.random.default_rng(0))

    assert found.shape == (TRIPS, 3)
    assert found.dtype == np.int64
    assert len(np.unique(found, axis=0)) == TRIPS


def test_samples_are_different_canonical_and_follow_the_generator():
    space = make_space("plain", (1, 8, 8), 10)
    one, again, other = (space.sample(60, np.random.default_rng(seed)) for seed in (3, 3, 4))

    assert one.shape == (60, len(space.genes))
    assert len(np.unique(one, axis=0)) == 60
    assert all(np.array_equal(space.canonical(genome), genome) for genome in one)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_samples_reach_every_choice_of_every_gene():
    space = make_space("plain", (1, 8, 8), 10)
    found = space.sample(500, np.random.default_rng(0))

    for position, gene in enumerate(space.genes):
        assert set(found[:, position]) == set(range(len(gene))), gene.name


def test_no_genomes_are_a_table_of_no_rows():
    assert Trip().sample(0, np.random.default_rng(0)).shape == (0, 3)


@pytest.mark.parametrize(
    ("genome", "field", "allowed"),
    [
        ([0, 0], "genome", "shape (3,), one integer a gene of space 'trip'"),
        ([[0, 0, 0]], "genome", "shape (3,), one integer a gene of space 'trip'"),
        (0, "genome", "shape (3,), one integer a gene of space 'trip'"),
        ([0, 4, 0], "genome[1] (hours)", "0 to 3"),
        ([-1, 0, 0], "genome[0] (by)", "0 to 2"),
        ([0, np.inf, 0], "genome[1] (hours)", "0 to 3"),
        ([0, 0.5, 0], "genome", "integers"),
        ([0, np.nan, 0], "genome", "integers"),
        (["0", "1", "0"], "genome", "integers"),
        ([True, False, True], "genome", "integers"),
        ([None, 0, 0], "genome", "integers"),
    ],
)
def test_what_is_no_genome_is_refused_by_name(genome, field, allowed):
    for use in (Trip().checked, Trip().canonical, Trip().key, Trip().describe, Trip().decode):
        with pytest.raises(RequestError) as caught:
            use(genome)
        assert (caught.value.field, caught.value.allowed) == (field, allowed)


def test_the_value_in_the_error_is_a_plain_number():
    with pytest.raises(RequestError, match=r"genome\[1\] \(hours\): got 9; allowed: 0 to 3\."):
        Trip().checked([0, 9, 0])


def test_whole_floats_are_integers():
    checked = Trip().checked([2.0, 3.0, 1.0])

    assert checked.dtype == np.int64
    assert checked.tolist() == [2, 3, 1]


KEYS = {
    "zeros": "af6837641643671f",
    "largest": "df281025ed6bc5ac",
}
"""Recorded once. A change of these breaks every stored run: raise the space's version instead."""


def test_keys_are_what_they_were():
    space = make_space("plain", (1, 8, 8), 10)

    assert space.key(np.zeros(len(space.genes), int)) == KEYS["zeros"]
    assert space.key(space.choices - 1) == KEYS["largest"]


LARGEST = {
    "hyperspectral": ((1, 30, 7, 7), "c536ac4030a80d9e"),
    "spectrum": ((1, 200), "cb0ce1b5c1e39a63"),
    "signal": ((2, 256), "08b8eb2142e9d30a"),
    "spikenas_bench": ((3, 32, 32), "3e5a8ee84798b616"),
    "blocks": ((3, 32, 32), "95340345202733ef"),
    "cell": ((3, 32, 32), "af86937cf1f47594"),
}
"""Of other spaces: the input's shape and the key of the last choices. Recorded once, too."""


@pytest.mark.parametrize("name", LARGEST)
def test_keys_of_other_spaces_are_what_they_were(name):
    shape, key = LARGEST[name]
    space = make_space(name, shape, 5)

    assert space.key(space.choices - 1) == key


def test_the_key_is_the_hash_of_the_documented_content():
    space = make_space("plain", (1, 8, 8), 10)
    zeros = [0] * len(space.genes)
    text = json.dumps(["plain", 2, [1, 8, 8], 10, {}]) + json.dumps(zeros)

    assert KEYS["zeros"] == hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    other = make_space("plain", (1, 8, 8), 10, {"skips": ["or"], "widths": [4, 8], "max_stages": 3})
    named = {"skips": ["or"], "widths": [4, 8]}  # by name; what is the default is left out
    text = json.dumps(["plain", 2, [1, 8, 8], 10, named]) + json.dumps(zeros)

    assert other.key(zeros) == hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_keys_are_the_same_in_another_process(hash_seed):
    program = (
        "from genomes.spaces import make_space\n"
        "space = make_space('plain', (1, 8, 8), 10)\n"
        "print(space.key([0] * len(space.genes)), space.key(space.choices - 1))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == list(KEYS.values())


@pytest.mark.parametrize(
    ("input_shape", "classes", "options"),
    [
        ((1, 8, 9), 10, {}),
        ((2, 8, 8), 10, {}),
        ((1, 8, 8), 11, {}),
        ((1, 8, 8), 10, {"state_bits": 13}),
        ((1, 8, 8), 10, {"input_bits": 4}),
        ((1, 8, 8), 10, {"leaks": (0.25, 0.5, 0.8)}),
        ((1, 8, 8), 10, {"resets": ("subtract",)}),
        ((1, 8, 8), 10, {"hidden_codes": ("once",)}),
        ((1, 8, 8), 10, {"surrogates": ("tanh",)}),
    ],
)
def test_another_meaning_is_another_key(input_shape, classes, options):
    space = make_space("plain", input_shape, classes, options)

    assert space.key(np.zeros(len(space.genes), int)) != KEYS["zeros"]


def test_another_version_or_name_is_another_key():
    class Later(Trip):
        version = 2

    class Journey(Trip):
        name = "journey"

    assert len({space.key([0, 0, 0]) for space in (Trip(), Later(), Journey())}) == 3


def test_the_description_says_what_the_integers_mean():
    description = json.loads(json.dumps(make_space("plain", (2, 7), 3).description()))

    assert description["name"] == "plain"
    assert description["version"] == 2
    assert description["input_shape"] == [2, 7]
    assert description["classes"] == 3
    assert description["options"]["widths"] == [4, 8, 12, 16, 24, 32]
    assert description["genes"][0] == {
        "name": "time_steps",
        "kind": "ordered",
        "choices": [2, 3, 4, 5, 6],
    }
    assert description["genes"][1]["kind"] == "categorical"


def test_spaces_are_found_by_name():
    assert "plain" in space_names()
    with pytest.raises(RequestError, match=r"search\.space: got 'plane'.*Did you mean 'plain'\?"):
        make_space("plane", (1, 8, 8), 10)
    with pytest.raises(RequestError, match=r"search\.space"):
        space_class("plane")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": [4]}, r"space: got 'width'.*Did you mean 'widths'\?"),
        ({"widths": [8, 4]}, r"space\.widths: .*ascending"),
        ({"widths": [4, 4]}, r"space\.widths: .*different"),
        ({"widths": []}, r"space\.widths: "),
        ({"kernels": [3, 4]}, r"space\.kernels: .*odd"),
        ({"neurons": ["izhikevich"]}, r"space\.neurons\[0\]: .*'lif_box'"),
        ({"neurons": ["lif", "lif"]}, r"space\.neurons: .*different"),
        ({"weight_bits": [0]}, r"space\.weight_bits\[0\]: .*1"),
        ({"weight_bits": [8, 9]}, r"space\.weight_bits\[1\]: .*8"),
        ({"quantizers": ["power"]}, r"space\.quantizers\[0\]: .*'power_of_two'"),
        ({"removed_columns": [1.0]}, r"space\.removed_columns\[0\]: got 1\.0.*less than 1"),
        ({"removed_columns": [0.5, 0.25]}, r"space\.removed_columns: .*ascending"),
        ({"column_rows": 0}, r"space\.column_rows: got 0"),
        ({"bit_groups": 0}, r"space\.bit_groups: got 0"),
        ({"quantizers": []}, r"space\.quantizers: "),
        ({"quantizers": ["power_of_two"]}, r"space\.weight_bits: .*1 to 4 .*'uniform'"),
        ({"resets": ["soft"]}, r"space\.resets\[0\]: got 'soft'.*'subtract'"),
        ({"surrogates": []}, r"space\.surrogates: got \[\]; allowed: at least one value"),
        ({"hidden_codes": ["any", "any"]}, r"space\.hidden_codes: .*different"),
        ({"state_bits": [12, 8]}, r"space\.state_bits: .*ascending"),
        ({"input_bits": 17}, r"space\.input_bits\[0\]: got 17.*16"),
        ({"leaks": [0.0]}, r"space\.leaks\[0\]: "),
        ({"thresholds": [float("nan")]}, r"space\.thresholds"),
        ({"max_stages": 0}, r"space\.max_stages: .*1"),
        ({"time_steps": [2.5]}, r"space\.time_steps\[0\]: .*integer"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(RequestError, match=message):
        make_space("plain", (1, 8, 8), 10, options)


@pytest.mark.parametrize("input_shape", [(1,), (1, 2, 3, 4, 5)])
def test_samples_need_one_to_three_spatial_sizes(input_shape):
    with pytest.raises(RequestError, match="1 to 3 spatial sizes"):
        make_space("plain", input_shape, 10)


@pytest.mark.parametrize(
    ("input_shape", "classes"), [((1, 0), 10), ((0, 8), 10), ((1, -8), 10), ((1, 8), 1)]
)
def test_nothing_to_see_or_to_tell_apart_is_refused(input_shape, classes):
    with pytest.raises(RequestError, match=r"data: got .*; allowed: (sizes|two classes)"):
        make_space("plain", input_shape, classes)


def test_lists_of_several_lengths_are_no_genome():
    space = make_space("plain", (1, 8), 10)
    with pytest.raises(RequestError, match="genome: got .*; allowed: one integer a gene"):
        space.decode([[1], 0, 0])


def test_a_genes_option_is_known_by_its_name():
    class Options(BaseModel):
        kernels: tuple[int, ...] = (1, 3)
        patches: tuple[int, ...] = (1, 3)
        weight_bits: tuple[int, ...] = (2, 3)
        max_stages: int = 2

    space = Trip()
    space.options = Options()
    names = ("stage1.kernel", "patch", "readout.weight_bits", "stages", "edge3")
    found = [space.option_of(Gene(name, (1, 2))) for name in names]
    assert found == ["kernels", "patches", "weight_bits", "max_stages", ""]
