"""Malformed genomes: a space takes a genome of its own, whatever its type, or refuses it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from genomes.errors import RequestError
from genomes.spaces import make_space

SPACE = make_space("plain", (1, 8, 8), 10, {"max_stages": 2})
GENES = len(SPACE.genes)


def genomes():
    good = SPACE.sample(20, np.random.default_rng(0)).tolist()
    odd = st.one_of(
        st.integers(), st.floats(), st.none(), st.booleans(), st.text(max_size=3),
        st.complex_numbers(),
        st.sampled_from([2**63, -(2**63) - 1, 10**400, np.nan, np.inf, "1", b"1", [], {}]),
    )  # fmt: skip
    changed = st.tuples(
        st.sampled_from(good), st.dictionaries(st.integers(0, GENES - 1), odd, max_size=3)
    ).map(lambda pair: [pair[1].get(k, gene) for k, gene in enumerate(pair[0])])
    kinds = nps.scalar_dtypes() | nps.unicode_string_dtypes()
    sides = nps.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
    return st.one_of(
        changed,
        changed.map(lambda genome: genome[:-1]),
        changed.map(lambda genome: [*genome, 0]),
        changed.map(lambda genome: [genome]),
        nps.arrays(kinds, sides | st.just((GENES,))),
        odd,
        st.recursive(odd, lambda inner: st.lists(inner, max_size=3), max_leaves=6),
        st.dictionaries(st.text(), st.integers(), max_size=2),
        st.just("0" * GENES),
    )


def test_genomes(tries, one_line):
    @given(genomes())
    def check(genome):
        try:
            canonical = SPACE.canonical(genome)
        except RequestError as error:
            for method in (SPACE.decode, SPACE.key, SPACE.describe, SPACE.neighbours):
                with pytest.raises(RequestError):
                    method(genome)
            one_line(error)
            return
        assert canonical.dtype == np.int64
        assert np.array_equal(SPACE.canonical(canonical), canonical)
        assert SPACE.key(genome) == SPACE.key(canonical)
        assert SPACE.decode(genome) == SPACE.decode(canonical)
        assert np.array_equal(np.asarray(genome, dtype=float), SPACE.checked(genome))

    tries.examples(check)


@pytest.mark.parametrize("shape", [(), (1,), (1, 0), (1, 8, 8, 8, 8), (0, 8, 8), (1, -1, 8)])
def test_shapes_that_no_space_takes(shape):
    with pytest.raises(RequestError):
        make_space("plain", shape, 10)


@pytest.mark.parametrize("classes", [0, -1, 1])
def test_numbers_of_classes_that_no_space_takes(classes):
    with pytest.raises(RequestError):
        make_space("plain", (1, 8, 8), classes)
