"""Variation: how new genomes are made from old ones, as pymoo operators.

pymoo's own mutation hardly moves an integer gene of few choices, so ours always changes what it
touches. Every child carries the keys of its parents, and is canonical and new to the whole run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mating import Mating
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling

from genomes.space import SearchSpace

Genomes = NDArray[np.int64]


class GeneMutation(Mutation):
    """Change genes for certain: a step for an ordered gene, another choice for a categorical one.

    Each active gene is touched with probability ``rate`` / (active genes), and at least one gene of
    every genome is.
    """

    def __init__(self, space: SearchSpace, rate: float = 3.0) -> None:
        super().__init__(prob=1.0)
        self.space = space
        self.rate = rate

    def _do(
        self, problem: Any, X: Genomes, *args: Any, random_state: np.random.Generator, **kwargs: Any
    ) -> Genomes:
        return np.array([self._mutated(genome, random_state) for genome in X])

    def _mutated(self, genome: Genomes, rng: np.random.Generator) -> Genomes:
        movable = np.flatnonzero(self.space.active(genome) & (self.space.choices > 1))
        if not movable.size:
            return genome
        touched = movable[rng.random(movable.size) < self.rate / movable.size]
        if not touched.size:
            touched = rng.choice(movable, size=1)
        mutated = genome.copy()
        for position in touched:
            choices = self.space.genes[position].alternatives(int(genome[position]))
            mutated[position] = rng.choice(choices)
        return mutated


class CanonicalRepair(Repair):
    """Put every inactive gene at 0; draws no random numbers."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    def _do(self, problem: Any, X: Genomes, **kwargs: Any) -> Genomes:
        return np.array([self.space.canonical(genome) for genome in X])


class NewOnly(DuplicateElimination):
    """Drop genomes that the run has seen, and those that a population holds already.

    ``seen`` is the set of canonical genomes (as bytes) that were asked for so far; whoever asks
    adds to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()

    def do(
        self,
        pop: Population,
        *others: Population,
        return_indices: bool = False,
        to_itself: bool = True,
    ) -> Any:
        """The individuals of ``pop`` that are new, the first of equal ones kept."""
        known = self.seen | {genome.X.tobytes() for other in others for genome in other}
        new: list[int] = []
        for k, individual in enumerate(pop):
            content = individual.X.tobytes()
            if content not in known:
                known.add(content)
                new.append(k)
        if return_indices:
            dropped = [k for k in range(len(pop)) if k not in set(new)]
            return pop[new], new, dropped
        return pop[new]


class SpaceSampling(Sampling):
    """The first generation: different canonical genomes, within the budgets where they can be.

    Args:
        space: the search space.
        affordable: which genomes (n, genes) stay within every budget that is known before
            training, (n,) bool.
    """

    def __init__(
        self, space: SearchSpace, affordable: Callable[[Genomes], NDArray[np.bool_]]
    ) -> None:
        super().__init__()
        self.space = space
        self.affordable = affordable

    def _do(
        self,
        problem: Any,
        n_samples: int,
        *args: Any,
        random_state: np.random.Generator,
        **kwargs: Any,
    ) -> Genomes:
        return first_genomes(self.space, n_samples, self.affordable, random_state)


def first_genomes(
    space: SearchSpace,
    n: int,
    affordable: Callable[[Genomes], NDArray[np.bool_]],
    rng: np.random.Generator,
    rounds: int = 20,
) -> Genomes:
    """Up to ``n`` different genomes (n, genes), those within all budgets first.

    After ``rounds`` draws of ``n`` genomes the places left are filled with others; a draw of fewer
    has exhausted the space.
    """
    found: dict[bytes, Genomes] = {}
    spare: dict[bytes, Genomes] = {}
    for _ in range(rounds):
        drawn = space.sample(n, rng)
        for genome, good in zip(drawn, affordable(drawn), strict=True):
            (found if good else spare).setdefault(genome.tobytes(), genome)
        if len(found) >= n or len(drawn) < n:
            break
    chosen = [*found.values(), *spare.values()][:n]
    return np.array(chosen, dtype=np.int64).reshape(-1, len(space.genes))


class TrackedMating(Mating):
    """Mating whose children remember their parents.

    Crossover lays its children out as (children a mating, matings), so child i comes of mating
    i modulo the number of matings.
    """

    def _do(
        self,
        problem: Any,
        pop: Population,
        n_offsprings: int,
        parents: Any = None,
        random_state: np.random.Generator | None = None,
        **kwargs: Any,
    ) -> Population:
        if parents is None:
            matings = math.ceil(n_offsprings / self.crossover.n_offsprings)
            parents = self.selection(
                problem,
                pop,
                matings,
                n_parents=self.crossover.n_parents,
                random_state=random_state,
                **kwargs,
            )
        children = super()._do(
            problem, pop, n_offsprings, parents=parents, random_state=random_state, **kwargs
        )
        for k, child in enumerate(children):
            genomes = (tuple(parent.X.tolist()) for parent in parents[k % len(parents)])
            child.set("parents", tuple(dict.fromkeys(genomes)))
        return children
