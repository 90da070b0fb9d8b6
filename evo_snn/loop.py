"""The loop of a search: ask an algorithm for genomes, evaluate them, store them, tell what came.

All of a generation is evaluated before the next is bred, so that the result does not depend on the
number of workers. Generations that are stored already are replayed: the algorithm is asked and told
as it was then, and nothing is evaluated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from evo_snn.ablation_design import DesignedSample
from evo_snn.algorithms import Algorithm, Asked, make_algorithm
from evo_snn.candidate import Candidate
from evo_snn.generation import Generation
from evo_snn.inheritance import STRATEGIES, Strategy
from evo_snn.interrupts import Interrupts
from evo_snn.plan import Plan
from evo_snn.progress import LOGGER, Reporter
from evo_snn.reader import GenerationRecord
from evo_snn.run import FIRST_BOX, HYPERVOLUME_BOX
from evo_snn.scores import Scores
from evo_snn.store import Store
from evo_snn.workers import Workers
from genomes.errors import RequestError

_FAILURES_TO_STOP = 8
"""Evaluations in a row that have to fail, all of a generation among them, before a search stops."""


class SearchFailedError(RuntimeError):
    """Every candidate of a generation failed. What was stored before is intact."""


class ReplayError(RuntimeError):
    """The stored generations are not what the algorithm asks for now."""


class Loop:
    """One search in progress: what is known so far, and the steps of a generation."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan = plan
        self._store = store
        # without architectures and workloads, which the folder has
        self._known = {one.key: one for one in store.candidates(details=False)}
        self._asked_for = self._finished = 0  # candidates, generations
        self._failed_in_a_row = 0
        # the box that the run began with, so that a replay tells what was told
        box = {name: (best, worst) for name, (best, worst) in store.meta(FIRST_BOX).items()}
        self._scores = Scores(plan.objectives, plan.constraints, box)
        self._strategy: Strategy = STRATEGIES[plan.config.inheritance.strategy](store)
        self._algorithm = _algorithm_of(plan)

    def replay(self) -> None:
        """Ask and tell again what is stored, and check that the rest can follow; writes nothing.

        Raises:
            ReplayError: what is stored does not fit the algorithm.
            RequestError: weights that children would inherit were not kept.
        """
        for stored in self._store.generations():
            asked = self._algorithm.ask()
            keys = [self.plan.space.key(one.genome) for one in asked]
            _check_replay(stored, keys)
            self._tell([self._known[key] for key in keys])
        if 0 < self._finished < self.plan.config.search.generations:
            self._check_weights()

    def run(self, workers: Workers, reporter: Reporter, interrupts: Interrupts) -> None:
        """All generations that are not finished; of the next, what is not evaluated.

        Failed candidates of that one are evaluated again.

        Raises:
            KeyboardInterrupt: the user wanted it to end.
            SearchFailedError: evaluations fail, one after the other.
            DamagedRunError: a file of weights is not whole.
        """
        for key in self._store.forget_failures(self._finished):
            del self._known[key]
        if self._finished:
            self._prune()  # which the last session may not have come to
        reporter.resumed(self._known.values(), self._finished)
        for number in range(self._finished, self.plan.config.search.generations):
            if interrupts.wanted:
                raise KeyboardInterrupt
            started = time.perf_counter()
            asked = self._algorithm.ask()
            if not asked:
                LOGGER.warning("the space holds no further design; stopped after %d", number)
                break
            keys = [self.plan.space.key(one.genome) for one in asked]
            self._made(number, dict(zip(keys, asked, strict=True))).evaluate(workers, reporter)
            generation = [self._known[key] for key in keys]
            self._check_failures(generation)
            self._tell(generation)
            reporter.generation(number, self._finish(number, generation, started))
        if self.plan.config.weights.keep == "front":
            self._store.prune_weights(self._scores.front_keys)

    def _made(self, number: int, asked: Mapping[str, Asked]) -> Generation:
        return Generation(
            number=number,
            asked=asked,
            places={key: self._asked_for + k for k, key in enumerate(asked, start=1)},
            population=self._breeding(),
            known=self._known,
            plan=self.plan,
            store=self._store,
            strategy=self._strategy,
            scores=self._scores,
        )

    def _breeding(self) -> list[Candidate]:
        """What the algorithm can breed from; nothing before the first generation."""
        genomes = self._algorithm.population() if self._finished else []
        return [self._known[self.plan.space.key(genome)] for genome in genomes]

    def _tell(self, generation: Sequence[Candidate]) -> None:
        """Let scores and algorithm know what came of a generation."""
        self._failed_in_a_row = self._failures_in_a_row(generation)
        self._scores.add(generation)
        self._algorithm.tell(
            self._scores.objectives(generation), self._scores.violations(generation)
        )
        self._asked_for += len(generation)
        self._finished += 1

    def _check_weights(self) -> None:
        """Refuse to breed where weights that children would inherit were not kept."""
        if self.plan.config.inheritance.strategy not in ("parents", "nearest"):
            return
        kept: set[str | None] = {*self._store.weights_digests()}
        kept |= {event.key for event in self._store.events() if event.kind == "repair"}
        if any(one.trained and one.key not in kept for one in self._breeding()):
            raise RequestError(
                "--generations",
                self.plan.config.search.generations,
                f"{self._finished}, the finished ones",
                "weights.keep = 'front' left no weights for further children to inherit.",
            )

    def _check_failures(self, generation: Sequence[Candidate]) -> None:
        """Stop where a generation failed whole, and enough of it to blame no single design."""
        failures = self._failures_in_a_row(generation)
        if failures >= min(self.plan.config.search.population, _FAILURES_TO_STOP):
            last = [one for one in generation if one.state == "failed"][-1:]
            reason = "".join((one.failure or "").strip().splitlines()[-1] for one in last)
            raise SearchFailedError(
                f"all candidates of generation {self._finished} failed, {failures} evaluations in a"
                f" row; the last with: {reason}"
            )

    def _failures_in_a_row(self, generation: Sequence[Candidate]) -> int:
        """How many evaluations have failed since the last generation in which one did not."""
        evaluated = [one for one in generation if _is_evaluated(one)]
        if any(one.state != "failed" for one in evaluated):
            return 0
        return self._failed_in_a_row + len(evaluated)

    def _finish(self, number: int, generation: Sequence[Candidate], started: float) -> float | None:
        """Store a generation, and forget the weights that nobody can need; its hypervolume."""
        volume = self._scores.hypervolume()
        self._store.set_meta(HYPERVOLUME_BOX, self._scores.box)
        bank = self._strategy.shared_bank([one for one in generation if one.trained])
        keys = [one.key for one in generation]
        seconds = time.perf_counter() - started
        self._store.record_generation(number, keys, volume, seconds, bank)
        self._prune()
        return volume

    def _prune(self) -> None:
        """Forget the weights of finished generations that nobody can need."""
        if self.plan.config.weights.keep != "all":
            needed = {one.key for one in self._breeding()}
            needed |= {one.key for one in self._known.values() if one.generation >= self._finished}
            self._store.prune_weights(needed | self._scores.front_keys)


def _algorithm_of(plan: Plan) -> Algorithm:
    """What asks for designs."""
    if plan.design is not None:
        return DesignedSample(plan.design)
    section = plan.config.search
    return make_algorithm(
        section.algorithm,
        plan.space,
        population=section.population,
        offspring=section.children,
        objectives=len(plan.objectives),
        constraints=1 + len(plan.constraints),
        seed=section.seed,
        affordable=plan.affordable,
    )


def _is_evaluated(candidate: Candidate) -> bool:
    """Whether a worker had it: not what was over a budget that is known beforehand."""
    return candidate.state == "failed" or bool(candidate.seconds)


def _check_replay(stored: GenerationRecord, keys: Sequence[str]) -> None:
    if list(stored.keys) != list(keys):
        raise ReplayError(
            f"generation {stored.number} of the run cannot be repeated: the algorithm asks for"
            " other designs now. Go on with the versions that config.toml names."
        )
