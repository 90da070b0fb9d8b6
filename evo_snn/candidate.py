"""A candidate: one genome with everything that was measured on it, and what its metrics mean.

The two records are plain frozen data, so that they travel between processes and can be compared.
Nothing here knows how a candidate is evaluated or stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "infeasible", "failed"]


@dataclass(frozen=True)
class ObjectiveRecord:
    """What a run says of one objective: enough to read and orient its values.

    Attributes:
        name: The metric's name, which ends in its unit where it has one (``energy_uj``).
        maximise: True if more is better. Values are stored as measured, never negated.
        unit: The unit for labels; "" for a plain number.
        log: True if distances on it are compared on a logarithmic scale (costs).
    """

    name: str
    maximise: bool
    unit: str = ""
    log: bool = False


@dataclass(frozen=True)
class Rung:
    """What a candidate had come to at the end of one rung of the ladder.

    Attributes:
        steps: Gradient steps that it had had by then, those of lower rungs included.
        metrics: As of a candidate.
    """

    steps: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Candidate:
    """One evaluated genome of a run.

    Attributes:
        key: Content hash of the canonical genome and the search space.
        genome: The canonical genome, one integer a gene.
        parents: Keys of the candidates that it was bred from; empty for a founder.
        generation: The generation that asked for it first.
        state: ``ok`` (evaluated), ``infeasible`` (violates a constraint) or ``failed`` (an
            exception).
        metrics: Every number measured on it, by name, in the metric's own unit; all finite.
        violations: Metric → normalised violation of its constraint, > 0; empty if it meets all.
        architecture: The architecture as a JSON object.
        workload: The workload as a JSON object, with measured spike rates where it was trained;
            None if there is none.
        training_steps: Gradient steps spent on it (its ancestors' are not included).
        rungs: What it had come to at the end of each rung that it was trained on, the lowest first;
            empty where the run has no ladder. The last one's metrics are its own.
        trained: True if it was trained; a candidate over a budget known beforehand never is.
        failure: The traceback of a failed candidate.
        circumstances: How it failed, as a JSON object: each attempt with its kind, process, host
            and seconds.
        seconds: Wall-clock timings by name. They are no metrics and are never compared.
    """

    key: str
    genome: tuple[int, ...]
    parents: tuple[str, ...]
    generation: int
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    workload: Mapping[str, Any] | None = None
    training_steps: int = 0
    rungs: tuple[Rung, ...] = ()
    trained: bool = False
    failure: str | None = None
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The candidate's entry in the JSON documents of ``evo-snn front`` and ``candidates``."""
        return {
            "key": self.key,
            "genome": list(self.genome),
            "state": self.state,
            "generation": self.generation,
            "parents": list(self.parents),
            "metrics": dict(self.metrics),
        }
