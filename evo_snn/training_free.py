"""Searches that score first and train last: SNASNet's and NeuroNAS's (docs/baselines.md).

Both draw designs at random, score each untrained (`evo_snn.sahd`), and train the best. Within a
generation they are a ladder of two rungs, of which the first has no training steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import torch

from evo_snn.candidate import Candidate
from evo_snn.config import Config
from evo_snn.sahd import patterns_of
from evo_snn.snn import TrainableNetwork
from evo_snn.snn.activity import Activity
from evo_snn.training import Samples, random_batches
from genomes.errors import RequestError

SNASNET, NEURONAS = "snasnet", "neuronas"

SCORE = "sahd_score"
"""The metric's name."""


@dataclass(frozen=True)
class Scoring:
    """How untrained networks are scored; small, so that it travels with each task.

    Attributes:
        samples: of the training part in a batch.
        batches: whose scores are averaged.
        seed: the batches are drawn from it, the same ones for all candidates.
        first: how many candidates are trained after all were scored; 0 where the score decides
            nothing of the kind.
        bounded: whether only what is within all constraints is scored and trained.
    """

    samples: int
    batches: int
    seed: int
    first: int = 0
    bounded: bool = True


@dataclass(frozen=True)
class AtStart:
    """An untrained network over batches of the training part.

    Attributes:
        score: mean over batches; minus infinity where a kernel is singular.
        rates: layer name → (input rate, output rate).
    """

    score: float
    rates: dict[str, tuple[float, float]]

    @property
    def metrics(self) -> dict[str, float]:
        """The score, if there is one: no metric is infinite."""
        return {SCORE: self.score} if self.score > -inf else {}


def at_start(network: TrainableNetwork, train: Samples, scoring: Scoring) -> AtStart:
    """Score a network before training. Its running statistics follow the batches.

    Args:
        network: freshly built.
        train: the training part; where it has fewer samples than a batch, all are one.
        scoring: how.
    """
    generator = torch.Generator().manual_seed(scoring.seed)
    drawn = random_batches(len(train), scoring.samples, generator)
    activity = Activity(network.architecture.carriers)
    total = 0.0
    for _ in range(scoring.batches):
        chosen = next(drawn).to(train.x.device)
        total += patterns_of(network, train.x[chosen], activity).score()
    return AtStart(total / scoring.batches, activity.rates())


def scores_first(config: Config) -> bool:
    """Whether the score decides which candidates are trained."""
    return config.search.algorithm in (SNASNET, NEURONAS) and config.ablation is None


def scoring_of(config: Config) -> Scoring | None:
    """How a run scores its candidates; None where it does not.

    Raises:
        RequestError: a key that does not go with the algorithm.
    """
    search, section = config.search, config.scoring
    first = scores_first(config)
    if first:
        _check_alone(config)
    elif search.trained is not None and config.ablation is None:
        allowed = f"nothing with {search.algorithm}"
        raise RequestError("search.trained", search.trained, allowed, "It trains every candidate.")
    if not first and SCORE not in (*config.objectives.names, *config.constraints):
        return None
    return Scoring(
        section.samples,
        section.batches,
        search.seed,
        first=(search.trained or 1) if first else 0,
        bounded=search.algorithm != SNASNET,
    )


def _check_alone(config: Config) -> None:
    """Refuse what would be no search of that name any more."""
    name = config.search.algorithm
    if config.ladder.rungs > 1:
        remedy = "It trains what it chose to the end."
        raise RequestError("ladder.rungs", config.ladder.rungs, f"1 with {name}", remedy)
    if config.inheritance.strategy != "none":
        allowed, remedy = f"'none' with {name}", "Its designs have no parents."
        raise RequestError("inheritance.strategy", config.inheritance.strategy, allowed, remedy)
    if name == NEURONAS and not config.constraints:
        remedy = f"{NEURONAS} searches within bounds; {SNASNET} is the same without."
        raise RequestError("constraints", "none", "one or more", remedy)


def best_scored(candidates: Iterable[Candidate], n: int) -> list[str]:
    """Keys of the n best, best first; what has no score comes last, and ties go by key.

    Args:
        candidates: as they were when they were scored.
        n: how many.
    """
    ordered = sorted(candidates, key=lambda one: (-one.metrics.get(SCORE, -inf), one.key))
    return [one.key for one in ordered[:n]]
