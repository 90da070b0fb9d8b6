"""Variation: mutations that always change something, repair, novelty, sampling, parents."""

from types import SimpleNamespace

import numpy as np
import pytest
from pymoo.core.mating import Mating
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UX
from pymoo.operators.selection.rnd import RandomSelection

from evo_snn.variation import (
    CanonicalRepair,
    GeneMutation,
    NewOnly,
    SpaceSampling,
    TrackedMating,
    first_genomes,
)
from genomes.spaces import make_space

PROBLEM = SimpleNamespace(n_var=1, xl=None, xu=None)


@pytest.fixture(scope="module")
def space():
    return make_space("plain", (1, 8, 8), 10)


@pytest.fixture(scope="module")
def tiny():
    """24 designs: 2 widths, 2 widths of weights twice, 3 numbers of time steps."""
    return make_space(
        "plain",
        (1, 1, 1),
        2,
        {
            "max_stages": 1,
            "max_blocks": 1,
            "widths": [2, 4],
            "kernels": [3],
            "neurons": ["iaf"],
            "thresholds": [0.5],
            "weight_bits": [3, 4],
            "time_steps": [2, 4, 6],
        },
    )


def population(genomes):
    return Population.new("X", np.asarray(genomes, dtype=np.int64))


def everything(genomes):
    return np.ones(len(genomes), dtype=bool)


def mutate(space, genomes, seed=0, rate=1.5):
    rng = np.random.default_rng(seed)
    return GeneMutation(space, rate)._do(PROBLEM, genomes, random_state=rng)


def test_a_mutation_always_changes_the_network(space):
    genomes = space.sample(300, np.random.default_rng(1))
    mutated = mutate(space, genomes)

    assert mutated.dtype == np.int64
    for before, after in zip(genomes, mutated, strict=True):
        assert space.key(after) != space.key(before)


def test_a_mutation_touches_active_genes_by_one_move(space):
    genomes = space.sample(300, np.random.default_rng(1))
    mutated = mutate(space, genomes)
    kinds = set()
    for before, after in zip(genomes, mutated, strict=True):
        moved = np.flatnonzero(before != after)
        assert space.active(before)[moved].all()
        for position in moved:
            gene = space.genes[position]
            kinds.add(gene.kind)
            assert after[position] in gene.alternatives(before[position])
            if gene.kind == "ordered":
                assert abs(after[position] - before[position]) == 1

    assert kinds == {"ordered", "categorical"}


def test_a_categorical_gene_is_redrawn_and_an_ordered_one_steps_both_ways(space):
    neuron, width = (
        [gene.name for gene in space.genes].index(name) for name in ("neuron", "stage1.width")
    )
    genome = space.canonical(np.zeros(len(space.genes), dtype=int))
    genome[width] = 2
    mutated = mutate(space, np.repeat(genome[None], 600, axis=0))

    assert set(mutated[:, neuron]) == {0, 1, 2}
    assert set(mutated[:, width]) == {1, 2, 3}


def test_about_as_many_genes_move_as_the_rate_says(space):
    genomes = space.sample(600, np.random.default_rng(2))
    for rate in (1.0, 1.5, 4.0):
        moved = (mutate(space, genomes, rate=rate) != genomes).sum(axis=1)
        assert moved.min() == 1
        # Poisson of mean r, of which the zeros became ones; at most a gene's probability of 1
        assert moved.mean() == pytest.approx(rate + np.exp(-rate), rel=0.1)


def test_one_seed_one_mutation(space):
    genomes = space.sample(50, np.random.default_rng(2))
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    one = mutate(space, genomes, seed=5)
    np.random.seed(2)  # noqa: NPY002
    again = mutate(space, genomes, seed=5)

    assert np.array_equal(one, again)
    assert not np.array_equal(one, mutate(space, genomes, seed=6))


def test_what_cannot_move_is_left_alone(tiny):
    fixed = make_space(
        "plain", (1, 1), 2, {name: [getattr(tiny.options, name)[0]] for name in (
            "widths", "kernels", "pools", "skips", "neurons", "leaks", "thresholds",
            "weight_bits", "time_steps",
        )} | {"max_stages": 1, "max_blocks": 1},
    )  # fmt: skip
    genome = np.zeros((1, len(fixed.genes)), dtype=int)

    assert np.array_equal(mutate(fixed, genome), genome)


def test_repair_makes_canonical_and_keeps_what_is(space):
    rng = np.random.default_rng(3)
    genomes = rng.integers(0, space.choices, size=(100, len(space.genes)))
    repaired = CanonicalRepair(space)._do(PROBLEM, genomes)

    assert not np.array_equal(repaired, genomes)
    for before, after in zip(genomes, repaired, strict=True):
        assert np.array_equal(after, space.canonical(before))
        assert space.decode(after) == space.decode(before)


def test_new_only_drops_what_was_seen_and_what_is_there_twice():
    pop = population([[1], [2], [1], [3], [4]])
    new_only = NewOnly()
    new_only.seen.add(np.array([3]).tobytes())
    kept = new_only.do(pop, population([[4], [5]]))

    assert kept.get("X").tolist() == [[1], [2]]
    assert kept[0] is pop[0]


def test_new_only_gives_indices():
    kept, new, dropped = NewOnly().do(population([[1], [1], [2]]), return_indices=True)

    assert kept.get("X").tolist() == [[1], [2]]
    assert (list(new), list(dropped)) == ([0, 2], [1])


def test_first_genomes_are_affordable_where_they_can_be(space):
    def narrow(genomes):
        return genomes[:, 6] == 0

    assert space.genes[6].name == "stage1.width"
    found = first_genomes(space, 20, narrow, np.random.default_rng(0))

    assert narrow(found).all()
    assert len(np.unique(found, axis=0)) == 20


def test_places_left_are_filled_with_what_is_not_affordable(tiny):
    def one(genomes):
        return np.array([not genome.any() for genome in genomes])

    found = first_genomes(tiny, 10, one, np.random.default_rng(0))

    assert len(np.unique(found, axis=0)) == 10
    assert not found[0].any()
    assert found[1:].any(axis=1).all()


def test_first_genomes_of_a_small_space_are_all_of_it(tiny):
    asked = []

    def affordable(genomes):
        asked.append(len(genomes))
        return everything(genomes)

    found = first_genomes(tiny, 40, affordable, np.random.default_rng(0))

    assert len(found) == 24
    assert asked == [24]  # the space was exhausted at once; no use drawing again


def test_sampling_draws_from_pymoos_generator(space):
    sampling = SpaceSampling(space, everything)
    one, again, other = (
        sampling._do(PROBLEM, 12, random_state=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )

    assert one.shape == (12, len(space.genes))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


class NoMutation(GeneMutation):
    """Leaves genomes as crossover made them."""

    def _do(self, problem, X, *args, **kwargs):
        return X


def bred(space, mutation, mating_type=TrackedMating, seed=0, size=31, children=30):
    rng = np.random.default_rng(seed)
    problem = Problem(n_var=len(space.genes), n_obj=1, xl=0, xu=space.choices - 1, vtype=int)
    pop = population(space.sample(size, rng))
    mating = mating_type(
        RandomSelection(),
        UX(prob=0.9),
        mutation,
        repair=CanonicalRepair(space),
        eliminate_duplicates=NewOnly(),
    )
    return pop, mating.do(problem, pop, children, random_state=rng)


def test_children_are_made_of_the_parents_that_they_name(space):
    pop, children = bred(space, NoMutation(space))
    genomes = {tuple(genome.tolist()) for genome in pop.get("X")}

    assert len(children) == 30
    mixed = 0
    for child in children:
        parents = child.get("parents")
        assert 1 <= len(parents) <= 2
        assert len(set(parents)) == len(parents)
        assert set(parents) <= genomes
        for position in np.flatnonzero(space.active(child.X)):
            assert child.X[position] in {parent[position] for parent in parents}
        mixed += all(tuple(child.X.tolist()) != parent for parent in parents)
    assert mixed == 30  # none is an old one


def test_tracking_draws_no_random_number(space):
    for seed in range(3):
        _, tracked = bred(space, GeneMutation(space), seed=seed)
        _, plain = bred(space, GeneMutation(space), Mating, seed=seed)

        assert np.array_equal(tracked.get("X"), plain.get("X"))
