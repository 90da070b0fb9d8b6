"""Metrics, and the objectives that are made of them.

A *metric* is a named number measured on a candidate, with its unit in the name. An *objective* is a
metric to minimise or to maximise; a *constraint* bounds one. Which way is better is said once, here
or in the decorator of a user's own function::

    @evo_snn.objective(unit="spikes", maximise=False)
    def spikes_per_inference(candidate): ...
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from evo_snn.candidate import ObjectiveRecord
from genomes.architecture import Architecture
from genomes.errors import RequestError, unknown_name
from genomes.workload import Workload

if TYPE_CHECKING:
    from hardware import Cost


@dataclass(frozen=True)
class CandidateView:
    """What an objective sees of a candidate.

    Attributes:
        key: the candidate's key.
        genome: one integer a gene.
        architecture: shapes, parameters, operations.
        workload: what the chip executes, with the spike rates measured on the validation part.
        cost: area, energy and latency on the run's chip, by layer and by component.
        metrics: every metric of the package, by name.
    """

    key: str
    genome: tuple[int, ...]
    architecture: Architecture
    workload: Workload
    cost: Cost
    metrics: Mapping[str, float]


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
        function: of a user's own metric; None for the package's.
    """

    name: str
    unit: str = ""
    maximise: bool = False
    log: bool = True
    description: str = ""
    known_before_training: str = "yes"
    function: Function | None = field(default=None, compare=False)

    @property
    def record(self) -> ObjectiveRecord:
        """What a run stores of it."""
        return ObjectiveRecord(self.name, self.maximise, self.unit, self.log)


_BUILT_IN = (
    Metric("accuracy", "", True, False, "share of the validation part classified correctly", "no"),
    Metric("area_mm2", "mm²", description="area of the chip"),
    Metric(
        "energy_uj",
        "µJ",
        description="energy of one inference",
        known_before_training="lower bound",
    ),
    Metric("latency_ms", "ms", description="first input to last output of one inference"),
    Metric("interval_ms", "ms", description="time between inferences when pipelined"),
    Metric(
        "energy_delay_uj_ms",
        "µJ·ms",
        description="energy times latency of one inference",
        known_before_training="lower bound",
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
        "spikes",
        "spikes",
        log=False,  # a silent network has none
        description="spikes of all neurons in one inference",
        known_before_training="no",
    ),
    Metric(
        "spike_rate",
        "spikes per neuron and step",
        False,
        False,
        "mean over all neurons and time steps",
        "no",
    ),
)

BUILT_IN: Mapping[str, Metric] = {metric.name: metric for metric in _BUILT_IN}
"""The package's own metrics; each is measured on every trained candidate."""


_RESERVED = frozenset({"key", "genome", "state", "generation", "parents"})
"""Columns of a run's tables that are no metrics."""


def objective(
    unit: str = "", *, maximise: bool, log: bool = False, name: str | None = None
) -> Callable[[Function], Function]:
    """Decorate a plain function of a candidate as a metric that a configuration can name.

    Args:
        unit: for labels.
        maximise: whether more is better.
        log: whether it is compared on a logarithmic scale (positive costs).
        name: the metric's name; the function's by default.

    The function takes a ``CandidateView`` and returns one finite number.
    """

    def decorate(function: Function) -> Function:
        function.metric = Metric(  # type: ignore[attr-defined]
            name=name or function.__name__,
            unit=unit,
            maximise=maximise,
            log=log,
            description=(function.__doc__ or "").strip().split("\n")[0],
            known_before_training="no",
            function=function,
        )
        return function

    return decorate


def list_objectives(plugins: Iterable[Path] = ()) -> list[Metric]:
    """The package's metrics, and those of plug-in files."""
    return list(all_metrics(plugins).values())


def objective_names(plugins: Iterable[Path] = ()) -> list[str]:
    """The names that ``objectives.names`` and ``[constraints]`` can use."""
    return sorted(all_metrics(plugins))


def all_metrics(plugins: Iterable[Path] = ()) -> dict[str, Metric]:
    """Name → metric: the package's, then those of each plug-in file.

    Raises:
        RequestError: a file cannot be read or run, holds no objective, or takes a name twice or
            one that a run's tables have for something else.
    """
    metrics = dict(BUILT_IN)
    for path in plugins:
        for metric in _plugin_metrics(Path(path), content_hash(path)):
            if metric.name in metrics:
                raise RequestError(
                    "objectives.plugins",
                    str(path),
                    f"names other than {metric.name!r}",
                    "That metric exists already: give the function another name.",
                )
            if metric.name in _RESERVED:
                allowed = f"names other than {', '.join(sorted(_RESERVED))}"
                remedy = "A run's tables have such a column: give the function another name."
                raise RequestError("objectives.plugins", metric.name, allowed, remedy)
            metrics[metric.name] = metric
    return metrics


def chosen_metrics(names: Sequence[str], plugins: Iterable[Path] = ()) -> list[Metric]:
    """The metrics of those names, in that order.

    Raises:
        RequestError: an unknown name.
    """
    metrics = all_metrics(plugins)
    for name in names:
        if name not in metrics:
            raise unknown_name("objectives.names", name, metrics)
    return [metrics[name] for name in names]


def content_hash(path: str | Path) -> str:
    """The SHA-256 of a plug-in file.

    Raises:
        RequestError: the file cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise RequestError(
            "objectives.plugins", str(path), "a Python file that can be read", error.strerror or ""
        ) from None


def value_of(metric: Metric, candidate: CandidateView) -> float:
    """What a user's function gives for a candidate.

    Raises:
        ValueError: it is not one finite number.
    """
    assert metric.function is not None  # noqa: S101 - only users' metrics are asked
    value: object = metric.function(candidate)
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is, we ask
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, str):
        raise ValueError(f"objective {metric.name!r} returned {value!r}; allowed: a finite number")
    if metric.log and number <= 0:
        raise ValueError(f"objective {metric.name!r} returned {value!r}; allowed: > 0 (log=True)")
    return number


@lru_cache(maxsize=32)
def _plugin_metrics(path: Path, digest: str) -> tuple[Metric, ...]:
    """The decorated functions of a file, loaded once a process and content."""
    name = f"evo_snn_plugin_{digest[:16]}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise RequestError("objectives.plugins", str(path), "a Python file, its name ending in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # so that its functions can be pickled by reference
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RequestError(
            "objectives.plugins", str(path), "a file that runs", f"{type(error).__name__}: {error}"
        ) from error
    found = tuple(
        value.metric
        for value in vars(module).values()
        if isinstance(getattr(value, "metric", None), Metric)
    )
    if not found:
        raise RequestError(
            "objectives.plugins", str(path), "a file with a function under @evo_snn.objective(…)"
        )
    return found
