"""Search algorithms by name, behind one ask and one tell.

pymoo does what it does well: selection, survival, the algorithms themselves. The loop around them
(``search.py``) is ours, since parents, failures, streaming and resuming need it.
"""

from __future__ import annotations

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.variation import (
    CanonicalRepair,
    GeneMutation,
    Genomes,
    NewOnly,
    SpaceSampling,
    TrackedMating,
    first_genomes,
)
from genomes.errors import RequestError, unknown_name
from genomes.space import SearchSpace

Affordable = Callable[[Genomes], NDArray[np.bool_]]


def _everything(genomes: Genomes) -> NDArray[np.bool_]:
    return np.ones(len(genomes), dtype=bool)


_FEWEST_OF_SMS_EMOA = 2  # objectives: its hypervolume contributions have no meaning for one


@dataclass(frozen=True)
class Asked:
    """A genome to evaluate.

    Attributes:
        genome: canonical.
        parents: those that it was bred from; none for a founder.
        twin: the one that it is compared with, whose seed its evaluation takes; None for its own.
    """

    genome: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...] = ()
    twin: tuple[int, ...] | None = None


class Algorithm(ABC):
    """Asks for genomes, is told what came of them."""

    @abstractmethod
    def ask(self) -> list[Asked]:
        """The next generation: canonical genomes never asked for before; empty at the end."""

    @abstractmethod
    def tell(self, objectives: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        """What came of the generation that was asked for, in its order.

        Args:
            objectives: (n, objectives), to be minimised, finite.
            violations: (n, constraints), > 0 where a constraint is violated, finite.
        """

    @abstractmethod
    def population(self) -> list[tuple[int, ...]]:
        """The genomes that can still become parents."""


class RandomSearch(Algorithm):
    """Different genomes, gene by gene at random: the baseline."""

    def __init__(
        self,
        space: SearchSpace,
        population: int,
        offspring: int,
        seed: int,
        affordable: Affordable,
    ) -> None:
        self._space = space
        self._sizes = itertools.chain([population], itertools.repeat(offspring))
        self._affordable = affordable
        self._rng = np.random.default_rng(seed)
        self._seen: set[bytes] = set()

    def ask(self) -> list[Asked]:
        """A generation of new genomes."""
        fresh: list[Asked] = []
        size = next(self._sizes)
        for _ in range(100):
            drawn = first_genomes(self._space, size, self._affordable, self._rng)
            for genome in drawn:
                if genome.tobytes() not in self._seen and len(fresh) < size:
                    self._seen.add(genome.tobytes())
                    fresh.append(Asked(tuple(genome.tolist())))
            if len(fresh) == size or len(drawn) < size:
                break
        return fresh

    def tell(self, objectives: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        """Learns nothing."""

    def population(self) -> list[tuple[int, ...]]:
        """None breeds."""
        return []


class PymooAlgorithm(Algorithm):
    """An algorithm of pymoo on the genomes of a space.

    Args:
        make: gets the keyword arguments of a pymoo genetic algorithm and gives it.
        space: the search space.
        population: size of the population and of the first generation.
        offspring: size of each later generation.
        objectives: number of objectives.
        constraints: number of constraints.
        seed: of pymoo's own generator.
        affordable: see ``variation.SpaceSampling``.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        space: SearchSpace,
        *,
        population: int,
        offspring: int,
        objectives: int,
        constraints: int,
        seed: int,
        affordable: Affordable,
    ) -> None:
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination
        from pymoo.operators.crossover.ux import UX

        self._new = NewOnly()
        self._algorithm = make(
            pop_size=population,
            n_offsprings=offspring,
            sampling=SpaceSampling(space, affordable),
            eliminate_duplicates=self._new,
            repair=CanonicalRepair(space),
        )
        mating = self._algorithm.mating
        self._algorithm.mating = TrackedMating(
            mating.selection,
            UX(prob=0.9),
            GeneMutation(space),
            repair=CanonicalRepair(space),
            eliminate_duplicates=self._new,
        )
        problem = Problem(
            n_var=len(space.genes),
            n_obj=objectives,
            n_ieq_constr=constraints,
            xl=0,
            xu=space.choices - 1,
            vtype=int,
        )
        # pymoo ignores a termination and a seed that a constructor gets; setup takes them
        self._algorithm.setup(problem, termination=NoTermination(), seed=seed)
        self._asked: Any = None

    def ask(self) -> list[Asked]:
        """A generation of new genomes; fewer, or none, where the space holds no more."""
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return []
        self._new.seen |= {individual.X.tobytes() for individual in self._asked}
        return [
            Asked(tuple(individual.X.tolist()), individual.get("parents") or ())
            for individual in self._asked
        ]

    def tell(self, objectives: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        """Give the individuals their values and let pymoo go on."""
        for individual, f, g in zip(self._asked, objectives, violations, strict=True):
            individual.F, individual.G = f.astype(float), g.astype(float)
            individual.H = np.zeros(0)
            individual.evaluated.update({"F", "G", "H"})
        with warnings.catch_warnings():  # pymoo silences the whole process in passing
            self._algorithm.tell(infills=self._asked)

    def population(self) -> list[tuple[int, ...]]:
        """The genomes of pymoo's population."""
        return [tuple(individual.X.tolist()) for individual in self._algorithm.pop]


def _nsga2(**settings: Any) -> Any:
    from pymoo.algorithms.moo.nsga2 import NSGA2

    return NSGA2(**settings)


def _sms_emoa(**settings: Any) -> Any:
    from pymoo.algorithms.moo.sms import SMSEMOA

    return SMSEMOA(**settings)


def _age_moea(**settings: Any) -> Any:
    from pymoo.algorithms.moo.age import AGEMOEA

    return AGEMOEA(**settings)


def _spea2(objectives: int) -> Callable[..., Any]:
    def make(**settings: Any) -> Any:
        from pymoo.algorithms.moo.nsga3 import HyperplaneNormalization
        from pymoo.algorithms.moo.spea2 import SPEA2, SPEA2Survival

        class Normalization(HyperplaneNormalization):  # type: ignore[misc]  # pymoo has no types
            """Where an objective does not move, pymoo's own divides by zero."""

            nadir_point: NDArray[np.float64]

            def update(self, F: NDArray[np.float64], nds: Any = None) -> None:
                super().update(F, nds)
                extent = self.nadir_point - self.ideal_point
                self.nadir_point = self.ideal_point + np.where(extent > 0, extent, 1.0)

        # pymoo's default survival is one object for the whole process, and remembers other searches
        survival = SPEA2Survival(normalize=True)
        survival.norm = Normalization(objectives)
        return SPEA2(survival=survival, **settings)

    return make


def _nsga3(objectives: int, seed: int) -> Callable[..., Any]:
    def make(*, pop_size: int, **settings: Any) -> Any:
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.operators.selection.tournament import TournamentSelection
        from pymoo.util.ref_dirs import get_reference_directions

        directions = get_reference_directions("energy", objectives, pop_size, seed=seed)
        # pymoo's own comparison breaks ties in violation by a generator that has no seed
        selection = TournamentSelection(func_comp=_less_violating)
        return NSGA3(ref_dirs=directions, pop_size=pop_size, selection=selection, **settings)

    return make


def _less_violating(
    pop: Any, pairs: NDArray[np.int64], *, random_state: np.random.Generator, **_: Any
) -> NDArray[np.int64]:
    """Of each pair (n, 2) the one that violates less, at random where equal: (n, 1)."""
    violation: NDArray[np.float64] = pop.get("CV").reshape(len(pop))
    first, second = pairs.T
    equal = violation[first] == violation[second]
    wins = np.where(
        equal, random_state.random(len(pairs)) < 1 / 2, violation[first] < violation[second]
    )
    winners: NDArray[np.int64] = np.where(wins, first, second)
    return winners[:, np.newaxis]


_PYMOO: dict[str, Callable[..., Any]] = {
    "age-moea": _age_moea,
    "nsga2": _nsga2,
    "sms-emoa": _sms_emoa,
}


def algorithm_names() -> list[str]:
    """The names that ``search.algorithm`` can have."""
    return sorted([*_PYMOO, "neuronas", "nsga3", "random", "snasnet", "spea2"])


def check_algorithm(name: str, population: int, objectives: int) -> None:
    """Check that an algorithm can work so.

    Raises:
        RequestError: an unknown name, a library that is missing, or a population or a number of
            objectives that the algorithm cannot work with.
    """
    if name not in algorithm_names():
        raise unknown_name("search.algorithm", name, algorithm_names())
    if name == "age-moea" and find_spec("numba") is None:
        allowed = "another algorithm while Numba is missing"
        raise RequestError("search.algorithm", name, allowed, "pip install numba")
    if name == "sms-emoa" and objectives < _FEWEST_OF_SMS_EMOA:
        allowed = "another algorithm where there is one objective"
        raise RequestError("search.algorithm", name, allowed, "sms-emoa needs two or more.")
    if name == "nsga3" and population < objectives:
        allowed = f"{objectives} or more for nsga3, one an objective"
        raise RequestError("search.population", population, allowed)


def make_algorithm(
    name: str,
    space: SearchSpace,
    *,
    population: int,
    offspring: int,
    objectives: int,
    constraints: int,
    seed: int,
    affordable: Affordable,
) -> Algorithm:
    """The algorithm of that name.

    Raises:
        RequestError: as `check_algorithm`.
    """
    check_algorithm(name, population, objectives)
    if name in ("random", "neuronas"):  # they differ in who is trained: evo_snn.training_free
        return RandomSearch(space, population, offspring, seed, affordable)
    if name == "snasnet":  # knows no budget
        return RandomSearch(space, population, offspring, seed, _everything)
    made_for = {"nsga3": _nsga3(objectives, seed), "spea2": _spea2(objectives)}
    make = (_PYMOO | made_for)[name]
    return PymooAlgorithm(
        make,
        space,
        population=population,
        offspring=offspring,
        objectives=objectives,
        constraints=constraints,
        seed=seed,
        affordable=affordable,
    )
