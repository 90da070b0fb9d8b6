"""The search: ask an algorithm for genomes, evaluate them, store them, tell what came of it.

The loop is generational: all of a generation is evaluated before the next is bred, so that the
result does not depend on the number of workers.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.algorithms import Algorithm, Asked, make_algorithm
from evo_snn.candidate import Candidate
from evo_snn.config import Config, load_config, to_toml
from evo_snn.constraints import violations
from evo_snn.environment import current_environment
from evo_snn.evaluation import Outcome, Task, known_metrics
from evo_snn.inheritance import STRATEGIES, Strategy
from evo_snn.objectives import Metric
from evo_snn.pareto import hypervolume, nondominated, normalised, oriented
from evo_snn.plan import Box, Plan, completed_box, make_plan
from evo_snn.progress import LOGGER, Reporter, make_reporter
from evo_snn.run import CHIP, HYPERVOLUME_BOX, Run, open_run
from evo_snn.seeds import derived_seed
from evo_snn.store import Store
from evo_snn.workers import Workers
from genomes.architecture import Architecture


class NothingFeasible(RuntimeError):  # noqa: N818 - it is an outcome of a search, not a fault
    """A search ended without a design that meets all constraints. The run is intact.

    Attributes:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"no design met all constraints; everything evaluated is in {run.folder}")


class SearchFailedError(RuntimeError):
    """Every candidate of a generation failed. What was stored before is intact."""


def evolve(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    generations: int | None = None,
    population: int | None = None,
    jobs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Run:
    """Search, and leave everything in a run folder.

    Args:
        config: a TOML file, the same as a mapping, or a configuration.
        out: the run folder, new or empty; ``runs/out/SPACE-TIME`` by default.
        seed: in place of ``search.seed``.
        generations: in place of ``search.generations``.
        population: in place of ``search.population``.
        jobs: in place of ``workers.jobs``.
        overrides: dotted key → value, over everything else.
        progress: draw a bar on a terminal. Log lines go to the logger ``evo_snn``.

    Returns:
        The run.

    Raises:
        RequestError: the request is wrong; nothing was written.
        NothingFeasible: no design met all constraints; the run is intact.
        SearchFailedError: every candidate of a generation failed.
    """
    given = {
        "search.seed": seed,
        "search.generations": generations,
        "search.population": population,
        "workers.jobs": jobs,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    plan = make_plan(load_config(config, {**chosen, **(overrides or {})}))
    folder = _default_folder(plan.config) if out is None else out
    with Store.create(
        folder,
        config_toml=to_toml(plan.config),
        environment=current_environment(),
        space=plan.space.description(),
        objectives=[metric.record for metric in plan.objectives],
        constraints=plan.config.model_dump(mode="json")["constraints"],
    ) as store:
        store.set_meta("plugins", dict(plan.plugin_hashes))
        store.set_meta("data_digest", plan.settings.data_digest)
        store.set_meta(CHIP, plan.chip.to_document())
        search = plan.config.search
        reporter = make_reporter(
            progress=progress,
            generations=search.generations,
            population=search.population,
            offspring=search.children,
        )
        with reporter, Workers(plan.config.workers, plan.settings) as workers:
            _Search(plan, store, workers, reporter).run()
    run = open_run(folder)
    if run.front().empty:
        raise NothingFeasible(run)
    return run


def _default_folder(config: Config) -> Path:
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    name = f"{config.data.name}-{config.search.space}-{now}"
    names = itertools.chain([name], (f"{name}-{k}" for k in itertools.count(2)))
    return next(path for path in (Path("runs", "out", one) for one in names) if not path.exists())


class _Search:
    """One search in progress: what is known so far, and the steps of a generation."""

    def __init__(self, plan: Plan, store: Store, workers: Workers, reporter: Reporter) -> None:
        self._plan = plan
        self._store = store
        self._workers = workers
        self._reporter = reporter
        self._known: dict[str, Candidate] = {}
        self._box: Box = plan.box
        self._strategy: Strategy = STRATEGIES[plan.config.inheritance.strategy](store)
        section = plan.config.search
        self._algorithm: Algorithm = make_algorithm(
            section.algorithm,
            plan.space,
            population=section.population,
            offspring=section.children,
            objectives=len(plan.objectives),
            constraints=1 + len(plan.constraints),
            seed=section.seed,
            affordable=plan.affordable,
        )

    def run(self) -> None:
        """All generations."""
        self._store.set_meta(HYPERVOLUME_BOX, self._box)
        for number in range(self._plan.config.search.generations):
            started = time.perf_counter()
            asked = self._algorithm.ask()
            if not asked:
                LOGGER.warning("the space holds no further design; stopped after %d", number)
                break
            keys = [self._plan.space.key(one.genome) for one in asked]
            bank = self._evaluate_generation(number, asked, keys)
            told = [self._known[key] for key in keys]
            self._fix_box(told)
            self._algorithm.tell(self._objectives(told), self._violations(told))
            volume = self._hypervolume()
            seconds = time.perf_counter() - started
            self._store.record_generation(number, keys, volume, seconds, bank)
            self._prune()
            self._reporter.generation(number, volume)
        if self._plan.config.weights.keep == "front":
            self._store.prune_weights(self._front_keys())

    # Evaluating

    def _evaluate_generation(
        self, number: int, asked: Sequence[Asked], keys: Sequence[str]
    ) -> bytes | None:
        """Evaluate what is new of a generation, and store each candidate as it comes."""
        new = {k: one for k, one in zip(keys, asked, strict=True) if k not in self._known}
        drafts = self._drafts(number, new)
        tasks = [self._task(draft) for draft in drafts.values() if draft.state == "ok"]
        outcomes = self._workers.run(tasks)
        trained = []
        for draft in drafts.values():
            if draft.state == "ok":
                outcome = next(outcomes)
                candidate = self._judged(draft, outcome)
                self._keep(candidate, outcome.weights)
                trained.append(candidate)
            else:
                self._keep(draft, None)
        if trained and all(candidate.state == "failed" for candidate in trained):
            last = (trained[-1].failure or "").strip().splitlines()[-1:]
            raise SearchFailedError(
                f"all {len(trained)} candidates of generation {number} failed, the last with: "
                + "".join(last)
            )
        finished = [candidate for candidate in trained if candidate.trained]
        return self._strategy.shared_bank(finished)

    def _drafts(self, number: int, asked: Mapping[str, Asked]) -> dict[str, Candidate]:
        """Candidates with all that is known before training; ``ok`` those worth training."""
        architectures = [self._plan.space.decode(one.genome) for one in asked.values()]
        exact, lower = known_metrics(architectures, self._plan.chip)
        drafts = {}
        for (key, one), architecture, known, bounds in zip(
            asked.items(), architectures, exact, lower, strict=True
        ):
            broken = violations(self._plan.constraints, known, bounds)
            drafts[key] = Candidate(
                key=key,
                genome=one.genome,
                parents=tuple(self._plan.space.key(parent) for parent in one.parents),
                generation=number,
                state="infeasible" if broken else "ok",
                metrics=known,
                violations=broken,
                architecture=architecture.describe(),
                workload=architecture.workload.to_document(),
            )
        return drafts

    def _task(self, draft: Candidate) -> Task:
        parents = [self._known[key] for key in draft.parents]
        return Task(
            key=draft.key,
            genome=draft.genome,
            architecture=Architecture.from_description(draft.architecture),
            sources=self._strategy.sources(draft.genome, parents),
            seed=derived_seed(self._plan.config.search.seed, draft.key),
        )

    def _judged(self, draft: Candidate, outcome: Outcome) -> Candidate:
        """A draft with what came of its evaluation."""
        if outcome.failure is not None:
            LOGGER.debug("candidate %s failed:\n%s", draft.key, outcome.failure)
            return replace(draft, state="failed", failure=outcome.failure, seconds=outcome.seconds)
        assert outcome.workload is not None  # noqa: S101 - every success has one
        broken = violations(self._plan.constraints, outcome.metrics)
        return replace(
            draft,
            state="infeasible" if broken else "ok",
            metrics=outcome.metrics,
            violations=broken,
            workload=outcome.workload.to_document(),
            training_steps=outcome.training_steps,
            trained=True,
            seconds=outcome.seconds,
        )

    def _keep(self, candidate: Candidate, weights: bytes | None) -> None:
        self._store.record(candidate, weights)
        self._known[candidate.key] = candidate
        self._reporter.evaluated(candidate)

    def _prune(self) -> None:
        """Keep the weights of whatever can still be a parent, and of the front."""
        if self._plan.config.weights.keep != "all":
            parents = {self._plan.space.key(one) for one in self._algorithm.population()}
            self._store.prune_weights(parents | self._front_keys())

    # Telling

    def _objectives(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """(n, objectives) oriented values; the worst of the box where there is no value."""
        metrics = self._plan.objectives
        worst = [self._box.get(metric.name, (1.0, 1.0))[1] for metric in metrics]
        rows = [
            [
                candidate.metrics.get(metric.name, bad)
                for metric, bad in zip(metrics, worst, strict=True)
            ]
            for candidate in candidates
        ]
        return _oriented(np.array(rows), metrics)

    def _violations(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """(n, 1 + constraints): a failure breaks a constraint of its own, beyond all others."""
        names = [constraint.metric for constraint in self._plan.constraints]
        return np.array(
            [
                [1e6 * (one.state == "failed"), *(one.violations.get(name, 0.0) for name in names)]
                for one in candidates
            ]
        )

    def _fix_box(self, candidates: Sequence[Candidate]) -> None:
        """Complete the box once, from the first candidates that have users' metrics."""
        if len(self._box) < len(self._plan.objectives):
            rows = [one.metrics for one in candidates if one.trained]
            self._box = completed_box(self._box, self._plan.objectives, rows)
            self._store.set_meta(HYPERVOLUME_BOX, self._box)

    def _feasible(self) -> list[Candidate]:
        return [candidate for candidate in self._known.values() if candidate.state == "ok"]

    def _front_keys(self) -> set[str]:
        feasible = self._feasible()
        if not feasible:
            return set()
        on_front = nondominated(self._objectives(feasible))
        return {one.key for one, chosen in zip(feasible, on_front, strict=True) if chosen}

    def _hypervolume(self) -> float | None:
        """Share of the box that everything evaluated so far dominates."""
        feasible, metrics = self._feasible(), self._plan.objectives
        if len(self._box) < len(metrics):
            return None
        if not feasible:
            return 0.0
        ends = np.array([self._box[metric.name] for metric in metrics]).T
        best, worst = _oriented(ends, metrics)
        return hypervolume(normalised(self._objectives(feasible), best, worst))


def _oriented(values: NDArray[np.float64], metrics: Sequence[Metric]) -> NDArray[np.float64]:
    """Values (n, metrics) to be minimised, costs on a log scale."""
    return oriented(
        values, [metric.maximise for metric in metrics], [metric.log for metric in metrics]
    )
