"""The package's metrics: named numbers measured on a candidate, and which way is better.

What a candidate looks like to whoever measures it is a `CandidateView`. Users' own metrics are made
and looked up in `evo_snn.objectives`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from evo_snn.candidate import ObjectiveRecord
from genomes.architecture import Architecture
from genomes.workload import Workload

if TYPE_CHECKING:
    from evo_snn.snn import Network
    from evo_snn.training import Samples
    from hardware import Chip, Cost

Needs = Literal["cost", "initial", "training", "network"]
"""What must be there before a metric can be measured: costs alone, which need no training; the
untrained network; measured spike rates and the package's metrics; or the trained network itself."""

LESS_TO_MORE: tuple[Needs, ...] = ("cost", "initial", "training", "network")
"""What has all that those before it have."""


@dataclass(frozen=True)
class CandidateView:
    """What an objective sees of a candidate.

    Attributes:
        key: the candidate's key.
        genome: one integer a gene.
        architecture: shapes, parameters, operations.
        workload: what the chip executes, with the spike rates measured on the validation part;
            with assumed ones where nothing that the run asks for needs a training.
        cost: area, energy and latency on the candidate's chip, by layer and by component.
        metrics: every metric of the package, by name.
        seed: of the random generators that an objective makes for itself; the candidate's own, the
            same in every process and after every interruption.
        network: the trained network as the chip runs it: ``candidate.network(x)`` gives the scores
            (N, classes) of inputs (N, *input_shape). None but for objectives that say
            ``needs="network"``.
        validation: the validation part, ``x`` (N, *input_shape) float32 in [0, 1] and ``y`` (N,)
            int64, on the network's device; None where ``network`` is.
        chip: that it is costed on: the run's, or what its chip genes make of it.
    """

    key: str
    genome: tuple[int, ...]
    architecture: Architecture
    workload: Workload
    cost: Cost
    metrics: Mapping[str, float]
    seed: int = 0
    network: Network | None = None
    validation: Samples | None = None
    chip: Chip | None = None

    def __post_init__(self) -> None:
        """Metrics are looked at: what an objective writes must not become what is stored."""
        object.__setattr__(self, "metrics", MappingProxyType(dict(self.metrics)))


Function = Callable[[CandidateView], float]


@dataclass(frozen=True)
class Metric:
    """A named number, and which way is better.

    Attributes:
        name: ends in its unit where it has one.
        unit: for labels; "" for a plain number.
        maximise: whether more is better.
        log: whether it is compared on a logarithmic scale, as costs are.
        description: one line.
        known_before_training: "yes", "no", or "lower bound" (energy, from a spike rate of zero).
        needs: "cost", "initial", "training" or "network", see `Needs`.
        function: of a user's own metric; None for the package's.
        origin: the plug-in file, or the package with its version; "" for evo_snn's own.
    """

    name: str
    unit: str = ""
    maximise: bool = False
    log: bool = True
    description: str = ""
    known_before_training: str = "yes"
    needs: Needs = "cost"
    function: Function | None = field(default=None, compare=False)
    origin: str = field(default="", compare=False)

    @property
    def record(self) -> ObjectiveRecord:
        """What a run stores of it."""
        return ObjectiveRecord(self.name, self.maximise, self.unit, self.log)


_BUILT_IN = (
    Metric(
        "accuracy",
        "",
        True,
        False,
        "share of the validation part classified correctly",
        "no",
        "training",
    ),
    Metric(
        "balanced_accuracy",
        "",
        True,
        False,
        "mean over classes of the share of each that is classified correctly",
        "no",
        "training",
    ),
    Metric(
        "kappa",
        "",
        True,
        False,
        "Cohen's kappa on the validation part: agreement beyond that of chance",
        "no",
        "training",
    ),
    Metric("area_mm2", "mm²", description="area of the chip"),
    Metric(
        "energy_uj",
        "µJ",
        description="energy of one inference",
        known_before_training="lower bound",
        needs="training",
    ),
    Metric("latency_ms", "ms", description="first input to last output of one inference"),
    Metric("interval_ms", "ms", description="time between inferences when pipelined"),
    Metric(
        "energy_delay_uj_ms",
        "µJ·ms",
        description="energy times latency of one inference",
        known_before_training="lower bound",
        needs="training",
    ),
    Metric(
        "energy_delay_area_uj_ms_mm2",
        "µJ·ms·mm²",
        description="energy times latency of one inference times area",
        known_before_training="lower bound",
        needs="training",
    ),
    Metric("parameters", "", description="weights, and a scale and a bias an output channel"),
    Metric(
        "memory_kb", "kB", description="weights and neuron states on the chip, 1 kB = 1024 bytes"
    ),
    Metric(
        "operations", "", description="synaptic operations of one inference, every input active"
    ),
    Metric("crossbars", "", description="crossbars allocated"),
    Metric("tiles", "", description="tiles allocated"),
    Metric("utilisation", "", True, False, "share of the crossbars' cells that hold weights"),
    Metric("time_steps", "", False, False, "time steps of one inference"),
    Metric(
        "mean_time_steps",
        "",
        False,
        False,
        "time steps that an inference takes on average, with an exit in time",
        "no",
        "training",
    ),
    Metric(
        "mean_layers",
        "",
        False,
        False,
        "layers that an inference takes on average, with an exit in depth",
        "no",
        "training",
    ),
    Metric(
        "training_operations",
        "",
        description="operations of all gradient steps of the candidate, every input active",
        known_before_training="no",
        needs="training",
    ),
    Metric(
        "training_energy_j",
        "J",
        description="energy of all its gradient steps on the configuration's training machine",
        known_before_training="no",
        needs="training",
    ),
    Metric(
        "spikes",
        "spikes",
        log=False,  # a silent network has none
        description="spikes of all neurons in one inference",
        known_before_training="no",
        needs="training",
    ),
    Metric(
        "spike_rate",
        "spikes per neuron and step",
        False,
        False,
        "mean over all neurons and time steps",
        "no",
        "training",
    ),
)

BUILT_IN: Mapping[str, Metric] = {metric.name: metric for metric in _BUILT_IN}
"""The package's own metrics; each is measured on every trained candidate."""


INITIAL: Mapping[str, Metric] = {
    "sahd_score": Metric(
        "sahd_score",
        "",
        True,
        False,
        "how differently the untrained network spikes for different samples (SNASNet)",
        "no",
        "initial",
    )
}
"""Metrics of the untrained network; measured where one is named or the algorithm goes by it."""


OF_STREAMS: Mapping[str, Metric] = {
    "decision_latency_ms": Metric(
        "decision_latency_ms",
        "ms",
        description="beginning of a recording to the decision, of event streams",
        known_before_training="no",
        needs="training",
    )
}
"""Metrics of recordings; measured where the data set says how long these are."""


def _on_chip(name: str, description: str, *, maximise: bool = True) -> Metric:
    return Metric(name, "", maximise, False, description, "no", "network")


_SECONDS = re.compile(r"accuracy_after_([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)")

ON_CHIP: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        _on_chip("accuracy_on_chip", "accuracy on chips that are not ideal, mean over instances"),
        _on_chip("accuracy_on_chip_worst", "the same, on the worst of the instances"),
        _on_chip(
            "accuracy_on_chip_std",
            "the same, standard deviation over instances",
            maximise=False,
        ),
        _on_chip(
            "accuracy_on_chip_stderr",
            "standard error of accuracy_on_chip, of few instances and of a part of the samples",
            maximise=False,
        ),
    )
}
"""Metrics of a network on chip instances (``[on_chip]``); measured where one of them is named."""

AFTER_SECONDS = _on_chip(
    "accuracy_after_SECONDS",
    "accuracy_on_chip so long after programming, e.g. accuracy_after_86400, a day",
)
"""Stands in lists for ``accuracy_after_0``, ``accuracy_after_3600`` …, whatever the number."""


PACKAGE: Mapping[str, Metric] = {
    **BUILT_IN,
    **OF_STREAMS,
    **INITIAL,
    **ON_CHIP,
    AFTER_SECONDS.name: AFTER_SECONDS,
}
"""All of the package's metrics, as lists show them."""


def seconds_of(name: str) -> float | None:
    """The number in ``accuracy_after_SECONDS``; None for any other name."""
    found = _SECONDS.fullmatch(name)
    seconds = float(found[1]) if found else math.inf
    return seconds if math.isfinite(seconds) else None


def package_metric(name: str) -> Metric | None:
    """The package's own metric of that name; None where it has none."""
    fixed = {**BUILT_IN, **OF_STREAMS, **INITIAL, **ON_CHIP}
    if name in fixed:
        return fixed[name]
    seconds = seconds_of(name)
    if seconds is None:
        return None
    return _on_chip(name, f"accuracy_on_chip {seconds:g} seconds after programming")


def is_share(name: str) -> bool:
    """Whether a metric of the package is between 0 and 1; kappa below 0 is worse than chance."""
    shares = ("accuracy", "balanced_accuracy", "kappa", "utilisation", "spike_rate")
    return name in shares or is_accuracy_on_chip(name)


def is_accuracy_on_chip(name: str) -> bool:
    """Whether a metric is an accuracy that feels what a chip does to a network."""
    spread = ("accuracy_on_chip_std", "accuracy_on_chip_stderr")
    return (name in ON_CHIP and name not in spread) or seconds_of(name) is not None
