"""Search algorithms: what they ask for, what they name as parents, what they survive."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from evo_snn.algorithms import algorithm_names, check_algorithm, make_algorithm
from evo_snn.pareto import hypervolume
from genomes.errors import RequestError
from genomes.spaces import make_space

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["age-moea", "neuronas", "nsga2", "nsga3", "random", "sms-emoa", "snasnet", "spea2"]
BY_CHANCE = ("random", "snasnet", "neuronas")  # nothing that they draw has parents
SIZE = 10


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


def everything(genomes):
    return np.ones(len(genomes), dtype=bool)


def make(name, space, **changes):
    settings = {
        "population": SIZE,
        "offspring": SIZE,
        "objectives": 2,
        "constraints": 0,
        "seed": 0,
        "affordable": everything,
    }
    if "population" in changes:
        changes.setdefault("offspring", changes["population"])
    return make_algorithm(name, space, **{**settings, **changes})


def trade_off(space, genomes):
    """Two objectives in [0, 1] to minimise: the distances from two designs that share a half."""
    rng = np.random.default_rng(7)
    one = space.sample(1, rng)[0]
    other = np.where(rng.random(len(one)) < 0.5, one, space.choices - 1 - one)
    span = np.maximum(1, space.choices - 1)
    return np.stack([np.abs((genomes - goal) / span).mean(axis=1) for goal in (one, other)], axis=1)


def no_violations(space, genomes):
    return np.zeros((len(genomes), 0))


def search(algorithm, space, generations, objectives=trade_off, violations=no_violations):
    """All generations as they were asked, and the values of all genomes in that order."""
    generations_asked, values = [], []
    for _ in range(generations):
        asked = algorithm.ask()
        generations_asked.append(asked)
        if not asked:
            break
        genomes = np.array([one.genome for one in asked])
        values.append(objectives(space, genomes))
        algorithm.tell(values[-1], violations(space, genomes))
    return generations_asked, np.concatenate(values)


def genomes_of(generations):
    return [one.genome for asked in generations for one in asked]


def test_these_are_the_algorithms():
    assert algorithm_names() == NAMES


def test_an_unknown_algorithm_names_the_nearest(space):
    with pytest.raises(RequestError, match=r"search\.algorithm: got 'nsga4'.*Did you mean 'nsga"):
        make("nsga4", space)


@pytest.mark.parametrize("name", NAMES)
def test_every_genome_asked_is_canonical_and_new(name, space):
    generations, _ = search(make(name, space), space, 6)
    genomes = genomes_of(generations)

    assert [len(asked) for asked in generations] == [SIZE] * 6
    assert len(set(genomes)) == 6 * SIZE
    for genome in genomes:
        assert all(type(value) is int for value in genome)
        assert np.array_equal(space.canonical(genome), genome)


@pytest.mark.parametrize("name", NAMES)
def test_children_come_from_earlier_generations(name, space):
    generations, _ = search(make(name, space), space, 6)
    known = set()
    for number, asked in enumerate(generations):
        for one in asked:
            founder = number == 0 or name in BY_CHANCE
            assert bool(one.parents) != founder
            assert set(one.parents) <= known
            assert len(set(one.parents)) == len(one.parents) <= 2
        known |= {one.genome for one in asked}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BY_CHANCE])
def test_children_inherit_or_mutate_each_gene(name, space):
    """Each active gene is a parent's, or one move from one: wrong parents would not fit."""
    generations, _ = search(make(name, space, population=20), space, 6)
    inherited = moved = 0
    for one in (one for asked in generations[1:] for one in asked):
        for position in np.flatnonzero(space.active(one.genome)):
            parental = {parent[position] for parent in one.parents}
            gene = space.genes[position]
            reachable = {k for value in parental for k in gene.alternatives(value)}
            assert one.genome[position] in parental | reachable
            inherited += one.genome[position] in parental
            moved += one.genome[position] not in parental

    # about 3 of some 17 active genes are touched, and some land where the other parent is
    assert 0.02 < moved / (moved + inherited) < 0.2


@pytest.mark.parametrize("name", NAMES)
def test_the_population_is_made_of_what_was_asked(name, space):
    algorithm = make(name, space)
    generations, _ = search(algorithm, space, 4)
    population = algorithm.population()

    assert set(population) <= set(genomes_of(generations))
    assert len(population) == (0 if name in BY_CHANCE else SIZE)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_search_whatever_else_ran(name, space):

    def three(space, genomes):
        return np.column_stack([trade_off(space, genomes), genomes[:, 0] / 4])

    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    first, _ = search(make(name, space, objectives=3), space, 5, three)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    search(make(name, space, seed=9), space, 3)  # of two objectives
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    again, _ = search(make(name, space, objectives=3), space, 5, three)
    other, _ = search(make(name, space, objectives=3, seed=1), space, 5, three)

    assert again == first
    assert genomes_of(other) != genomes_of(first)


def test_warnings_stay_as_the_user_set_them(space):
    before = list(warnings.filters)
    for name in NAMES:
        search(make(name, space), space, 3)

    assert list(warnings.filters) == before


def test_two_searches_at_once_do_not_meet(space):
    """Interleaved asks and tells give what each search gives alone."""
    for name in NAMES:
        alone, _ = search(make(name, space), space, 4)
        one, other = make(name, space), make(name, space, seed=3)
        together = []
        for _ in range(4):
            together.append(one.ask())
            theirs = other.ask()
            for algorithm, asked in ((one, together[-1]), (other, theirs)):
                genomes = np.array([each.genome for each in asked])
                algorithm.tell(trade_off(space, genomes), no_violations(space, genomes))
        assert together == alone


def test_another_process_asks_the_same(space):
    program = (
        "import json, numpy as np\n"
        "from evo_snn.algorithms import make_algorithm\n"
        "from genomes.spaces import make_space\n"
        "space = make_space('plain', (1, 8, 8), 10)\n"
        "algorithm = make_algorithm('nsga2', space, population=10, offspring=10, objectives=2,"
        " constraints=0,"
        " seed=0, affordable=lambda genomes: np.ones(len(genomes), bool))\n"
        "for _ in range(3):\n"
        "    asked = [one.genome for one in algorithm.ask()]\n"
        "    f = np.array(asked)[:, :2].astype(float)\n"
        "    algorithm.tell(f, np.zeros((len(f), 0)))\n"
        "print(json.dumps(asked))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "3"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here, _ = search(
        make("nsga2", space), space, 3, lambda space, genomes: genomes[:, :2].astype(float)
    )

    assert [tuple(genome) for genome in json.loads(printed)] == genomes_of(here[2:])


@pytest.mark.parametrize("population", [8, 40])
@pytest.mark.parametrize("name", NAMES)
def test_an_exhausted_space_ends_the_search(name, population, tiny):
    algorithm = make(name, tiny, population=population)
    generations, _ = search(algorithm, tiny, 12)
    genomes = genomes_of(generations)

    assert generations[-1] == []
    assert len(set(genomes)) == len(genomes) == 24
    assert algorithm.ask() == []


def constant(value, objectives=3):
    return lambda space, genomes: np.full((len(genomes), objectives), value)


def scattered(objectives=3):
    return lambda space, genomes: np.random.default_rng(int(genomes.sum())).random(
        (len(genomes), objectives)
    )


def failing_half(space, genomes):
    """Every other candidate violates both constraints, by different amounts."""
    amounts = scattered(2)(space, genomes)
    amounts[::2] = 0
    return amounts


def all_but_one(space, genomes):
    return np.ones((len(genomes), 2)) * (np.arange(len(genomes)) > 0)[:, None]


CONDITIONS = {
    "everything is infeasible": (scattered(), scattered(2)),
    "everything failed alike": (constant(1e6), constant(1e6, 2)),
    "half of it failed": (scattered(), failing_half),
    "one is feasible": (scattered(), all_but_one),
    "all designs are equal": (constant(0.5), constant(0.0, 2)),
    "one objective does not move": (
        lambda space, genomes: np.column_stack([trade_off(space, genomes), np.zeros(len(genomes))]),
        constant(0.0, 2),
    ),
    "all lie on two points": (
        lambda space, genomes: (genomes[:, :1] % 2) * np.array([[1.0, -1.0, 0.0]]),
        constant(0.0, 2),
    ),
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("name", NAMES)
def test_hard_generations_are_survived(name, condition, space):
    objectives, violations = CONDITIONS[condition]
    algorithm = make(name, space, objectives=3, constraints=2)
    generations, _ = search(algorithm, space, 4, objectives, violations)

    assert len(set(genomes_of(generations))) == 4 * SIZE
    assert set(algorithm.population()) <= set(genomes_of(generations))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BY_CHANCE])
def test_a_feasible_design_stays_among_infeasible_better_ones(name, space):
    """Whatever the objectives promise, what meets the constraints survives."""

    def objectives(space, genomes):
        return np.column_stack([genomes[:, 0], genomes[:, 0]]) * 1.0

    def violations(space, genomes):
        return (genomes[:, :1] < 4) * 1.0  # what the objectives like best is forbidden

    algorithm = make(name, space, constraints=1)
    generations, _ = search(algorithm, space, 6, objectives, violations)
    feasible = [genome for genome in genomes_of(generations) if genome[0] >= 4]
    surviving = [genome for genome in algorithm.population() if genome[0] >= 4]

    assert len(surviving) == min(SIZE, len(feasible))


def equal_steps(objectives):
    """Few different values, so that many designs are equal."""
    return lambda space, genomes: np.floor(2 * scattered(objectives)(space, genomes))


def tied_half(space, genomes):
    """Half of the candidates violate the constraints by one and the same amount."""
    return np.repeat(genomes.sum(axis=1, keepdims=True) % 2, 2, axis=1) * 1.0


TIES = {
    **CONDITIONS,
    "all are equally infeasible": (scattered(), constant(1.0, 2)),
    "half is equally infeasible": (scattered(), tied_half),
    "half is equally infeasible, few values": (equal_steps(3), tied_half),
    "few values": (equal_steps(3), constant(0.0, 2)),
}


@pytest.mark.parametrize("condition", TIES)
@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_search_where_candidates_tie(name, condition, space, monkeypatch):
    """Nothing is decided by a generator that nobody has seeded."""
    seeded = np.random.default_rng

    class Unseeded:
        """pymoo makes such generators in passing; what matters is that none is drawn from."""

        def __getattr__(self, name):
            raise AssertionError(f"{name} of a generator from the system's entropy")

    def no_entropy(seed=None):
        return Unseeded() if seed is None else seeded(seed)

    objectives, violations = TIES[condition]

    def asked():
        algorithm = make(name, space, objectives=3, constraints=2)
        return search(algorithm, space, 5, objectives, violations)[0]

    first = asked()
    assert asked() == first
    monkeypatch.setattr(np.random, "default_rng", no_entropy)
    assert asked() == first


def test_nsga3_breeds_from_what_violates_less(space):
    """Ties are broken either way; a difference decides."""
    algorithm = make("nsga3", space, population=4, constraints=1)._algorithm
    asked = algorithm.ask()
    for individual, violation in zip(asked, (0.0, 0.0, 1.0, 2.0), strict=True):
        individual.set("CV", np.array([violation]))
    pairs = np.array([[0, 1]] * 40 + [[2, 0], [1, 2], [3, 2]])
    won = algorithm.mating.selection.func_comp(
        asked, pairs, random_state=np.random.default_rng(0), algorithm=algorithm
    )[:, 0]

    assert set(won[:40]) == {0, 1}
    assert list(won[40:]) == [0, 1, 2]


@pytest.mark.parametrize("values", [scattered, equal_steps])
@pytest.mark.parametrize(
    ("name", "objectives"),
    [(name, n) for name in NAMES for n in (1, 2, 4) if (name, n) != ("sms-emoa", 1)],
)
def test_one_objective_or_many(name, objectives, values, space):
    algorithm = make(name, space, objectives=objectives)
    generations, _ = search(algorithm, space, 5, values(objectives))

    assert len(set(genomes_of(generations))) == 5 * SIZE


def test_sms_emoa_needs_two_objectives(space):
    with pytest.raises(RequestError, match=r"search\.algorithm: got 'sms-emoa'.*two or more"):
        make("sms-emoa", space, objectives=1)
    with pytest.raises(RequestError, match=r"search\.algorithm: got 'sms-emoa'.*two or more"):
        check_algorithm("sms-emoa", SIZE, 1)
    check_algorithm("sms-emoa", SIZE, 2)


def test_age_moea_asks_for_numba(monkeypatch):
    monkeypatch.setattr("evo_snn.algorithms.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"Numba is missing.*pip install numba"):
        check_algorithm("age-moea", SIZE, 2)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nsga3"])
def test_a_population_of_two_works(name, space):
    generations, _ = search(make(name, space, population=2, objectives=3), space, 3, scattered())

    assert len(set(genomes_of(generations))) == 6


def test_nsga3_needs_a_member_an_objective(space):
    with pytest.raises(RequestError, match=r"search\.population: got 3; allowed: 4 or more"):
        make("nsga3", space, population=3, objectives=4)
    generations, _ = search(
        make("nsga3", space, population=4, objectives=4), space, 3, scattered(4)
    )
    assert len(set(genomes_of(generations))) == 12


@pytest.mark.parametrize("name", [name for name in NAMES if name != "snasnet"])  # knows no bounds
def test_founders_are_affordable_where_they_can_be(name, space):
    def narrow(genomes):
        return genomes[:, 6] == 0

    founders = make(name, space, affordable=narrow).ask()

    assert space.genes[6].name == "stage1.width"
    assert all(one.genome[6] == 0 for one in founders)


def test_random_search_keeps_to_what_is_affordable(space):
    generations, _ = search(
        make("random", space, affordable=lambda genomes: genomes[:, 6] == 0), space, 4
    )

    assert all(genome[6] == 0 for genome in genomes_of(generations))


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "sms-emoa", "age-moea", "spea2"])
def test_evolution_beats_chance(name, space):
    """In each of four seeds, by the hypervolume of everything evaluated in 20 generations."""

    def volume(which, seed):
        _, values = search(make(which, space, population=16, seed=seed), space, 20)
        return hypervolume(values)

    for seed in range(4):
        assert volume(name, seed) > volume("random", seed) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_later_generations_have_as_many_as_offspring_says(name, space):
    algorithm = make(name, space, population=12, offspring=5)
    for size in (12, 5, 5, 5):
        asked = algorithm.ask()
        assert len(asked) == size
        algorithm.tell(np.random.default_rng(0).random((size, 2)), np.zeros((size, 0)))
