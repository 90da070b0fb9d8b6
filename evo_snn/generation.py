"""A generation in the making: its candidates are costed, evaluated, judged, stored, and climb.

With a ladder every candidate is trained on the lowest rung first; those that are among the better
of the generation and of the algorithm's population, each as it was on that rung, go on. A candidate
is stored anew after each rung, so that what was trained is never trained again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from evo_snn.algorithms import Asked
from evo_snn.candidate import Candidate, Rung
from evo_snn.constraints import violations
from evo_snn.costing import known_metrics
from evo_snn.evaluation import Outcome, Task
from evo_snn.inheritance import Strategy
from evo_snn.ladder import climbing
from evo_snn.plan import Plan
from evo_snn.progress import LOGGER, Reporter
from evo_snn.scores import Scores
from evo_snn.seeds import derived_seed
from evo_snn.store import Store
from evo_snn.training_free import Scoring, best_scored
from evo_snn.workers import Workers
from genomes.architecture import Architecture
from hardware import Chip


class DamagedRunError(RuntimeError):
    """A file that the search needs is missing or not whole."""


@dataclass(frozen=True)
class Generation:
    """One generation of a search.

    Attributes:
        number: counted from 0.
        asked: key → what the algorithm asked for, in its order.
        places: key → place in the order of asking of the whole run, from 1.
        population: what the algorithm could breed from.
        known: key → all candidates of the run, without their architectures and workloads; what is
            evaluated here comes to them.
        plan, store, strategy, scores: the search's.
    """

    number: int
    asked: Mapping[str, Asked]
    places: Mapping[str, int]
    population: Sequence[Candidate]
    known: dict[str, Candidate]
    plan: Plan
    store: Store
    strategy: Strategy
    scores: Scores

    def evaluate(self, workers: Workers, reporter: Reporter) -> None:
        """Evaluate what is not evaluated, rung by rung, and store each candidate as it comes.

        Raises:
            KeyboardInterrupt: the user wanted it to end.
            DamagedRunError: a file of weights is not whole.
        """
        new = [key for key in self.asked if key not in self.known]
        self._evaluate_on(0, new, workers, reporter)
        for rung in range(1, len(self.plan.settings.rungs)):
            here = [key for key in self._climbing(rung) if len(self.known[key].rungs) == rung]
            self._evaluate_on(rung, here, workers, reporter)

    def _climbing(self, rung: int) -> list[str]:
        """Keys of those that climb to a rung, the ones that have been there included."""
        scoring = self.plan.settings.scoring
        if scoring is not None and scoring.first:
            return self._best_scored(scoring)
        together = [*(self.known[key] for key in self.asked), *self.population]
        views = [view for one in together if (view := self._as_below(rung, one)) is not None]
        return climbing(
            [one.key for one in views],
            self.scores.objectives(views),
            self.scores.violations(views).sum(axis=1),
            {view.key for view in views if view.key not in self.asked},
            self.plan.config.ladder.keep,
        )

    def _best_scored(self, scoring: Scoring) -> list[str]:
        """Of the best of all that were ever scored those of this generation."""
        scored = [view for one in self.known.values() if (view := self._as_below(1, one))]
        within = [one for one in scored if not (scoring.bounded and one.violations)]
        return [key for key in best_scored(within, scoring.first) if key in self.asked]

    def _is_worth_it(self, draft: Candidate) -> bool:
        """Whether to evaluate what breaks a budget, perhaps."""
        scoring = self.plan.settings.scoring
        return draft.state == "ok" or (scoring is not None and not scoring.bounded)

    def _as_below(self, rung: int, candidate: Candidate) -> Candidate | None:
        """A candidate as it was at the end of the rung below; None where it has not been there."""
        if candidate.state == "failed" or len(candidate.rungs) < rung:
            return None
        metrics = candidate.rungs[rung - 1].metrics
        broken = violations(self.plan.constraints, metrics)
        return replace(candidate, metrics=metrics, violations=broken)

    def _evaluate_on(
        self, rung: int, keys: Sequence[str], workers: Workers, reporter: Reporter
    ) -> None:
        """Train and measure candidates on one rung."""
        tasks, drafts = [], {}
        for draft, architecture, chip in self._drafts(keys):
            if self._is_worth_it(draft) and self.plan.needs_workers:
                drafts[draft.key] = draft
                tasks.append(self._task(rung, draft, architecture, chip))
            else:
                self._keep(draft, None, rung, reporter)
        for outcome in workers.run(sorted(tasks, key=_work, reverse=True)):
            if outcome.damaged is not None:
                raise self._damaged(str(outcome.damaged))
            draft = drafts.pop(outcome.key)
            self._note_failures(outcome)
            self._keep(self._judged(draft, outcome), outcome.weights, rung, reporter)
        if drafts:  # they were not begun
            raise KeyboardInterrupt

    def _drafts(self, keys: Sequence[str]) -> Iterator[tuple[Candidate, Architecture, Chip]]:
        """Candidates with all that is known before training; ``ok`` those worth training."""
        asked = [self.asked[key] for key in keys]
        architectures, chips = self.plan.space.designs([one.genome for one in asked])
        exact, lower = known_metrics(architectures, chips)
        for key, one, architecture, chip, known, bounds in zip(
            keys, asked, architectures, chips, exact, lower, strict=True
        ):
            broken = violations(self.plan.constraints, known, bounds)
            draft = Candidate(
                key=key,
                genome=one.genome,
                parents=tuple(self.plan.space.key(parent) for parent in one.parents),
                generation=self.number,
                state="infeasible" if broken else "ok",
                metrics=known,
                violations=broken,
                architecture=architecture.describe(),
                workload=architecture.workload.to_document(),
            )
            yield draft, architecture, chip

    def _task(self, rung: int, draft: Candidate, architecture: Architecture, chip: Chip) -> Task:
        return Task(
            key=draft.key,
            genome=draft.genome,
            architecture=architecture,
            chip=chip,
            sources=self._sources(rung, draft, architecture),
            seed=derived_seed(self.plan.config.search.seed, self._seeding(draft.key)),
            rung=rung,
        )

    def _seeding(self, key: str) -> str:
        """The key that a candidate's seed comes from."""
        twin = self.asked[key].twin
        return key if twin is None else self.plan.space.key(twin)

    def _sources(self, rung: int, draft: Candidate, architecture: Architecture) -> tuple[Path, ...]:
        """Where its weights come from: from itself where its training goes on."""
        if self.plan.settings.steps_before(rung):
            own = self.store.weights_path(draft.key)
            if own is None:
                raise self._damaged(f"the weights of {draft.key}")
            return (own,)
        parents = [self.known[key] for key in draft.parents]
        network = self.plan.space.network_part(draft.genome).tolist()
        return self.strategy.sources(architecture, network, parents)

    def _judged(self, draft: Candidate, outcome: Outcome) -> Candidate:
        """A draft with what came of its evaluation, and of those on lower rungs."""
        before = self.known.get(draft.key, draft)
        seconds = {
            name: value + before.seconds.get(name, 0.0) for name, value in outcome.seconds.items()
        }
        steps = before.training_steps + outcome.training_steps
        if outcome.failure is not None:
            return replace(
                draft,
                state="failed",
                training_steps=steps,
                rungs=before.rungs,
                failure=outcome.failure,
                circumstances={"attempts": [asdict(one) for one in outcome.failures]},
                seconds=seconds,
            )
        assert outcome.workload is not None  # noqa: S101 - every success has one
        broken = violations(self.plan.constraints, outcome.metrics)
        laddered = len(self.plan.settings.rungs) > 1
        return replace(
            draft,
            state="infeasible" if broken else "ok",
            metrics=outcome.metrics,
            violations=broken,
            workload=outcome.workload.to_document(),
            training_steps=steps,
            rungs=(*before.rungs, Rung(steps, outcome.metrics)) if laddered else (),
            trained=outcome.weights is not None,
            seconds=seconds,
        )

    def _note_failures(self, outcome: Outcome) -> None:
        for attempt, failure in enumerate(outcome.failures, start=1):
            text = f"attempt {attempt}: {failure.kind}: {failure.text}"
            LOGGER.warning("candidate %s, %s", outcome.key, text)
            self.store.record_event("failure", text, outcome.key)

    def _keep(
        self, candidate: Candidate, weights: bytes | None, rung: int, reporter: Reporter
    ) -> None:
        key = candidate.key
        self.store.record(candidate, weights, number=self.places[key], climbed=rung > 0)
        before = self.known.get(key)
        self.known[key] = replace(candidate, architecture={}, workload=None)
        reporter.evaluated(candidate, before)

    def _damaged(self, what: str) -> DamagedRunError:
        return DamagedRunError(
            f"{what} cannot be read: put it back, or let evo-snn check"
            f" {self.store.folder} --repair forget it"
        )


def _work(task: Task) -> int:
    """Synaptic operations of one sample, which a candidate's time goes with.

    The longest are begun first, so that no worker is at work long after the others have ended.
    """
    operations = sum(layer.operations for layer in task.architecture.layers)
    return operations * task.architecture.time_steps
