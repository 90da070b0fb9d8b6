"""Metrics, and the objectives that are made of them.

A *metric* is a named number measured on a candidate, with its unit in the name. An *objective* is a
metric to minimise or to maximise; a *constraint* bounds one. Which way is better is said once, here
or in the decorator of a user's own function::

    @evo_snn.objective(unit="spikes", maximise=False)
    def spikes_per_inference(candidate): ...

Users' functions stand in a file that the configuration names, or come with an installed package
that offers them under the entry point ``evo_snn.objectives``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from evo_snn.candidate import ObjectiveRecord
from evo_snn.plugins import PluginFile, read_plugin, run_plugin
from genomes import plugins as packages
from genomes.architecture import Architecture
from genomes.errors import RequestError, unknown_name
from genomes.workload import Workload

if TYPE_CHECKING:
    from evo_snn.snn import Network
    from evo_snn.training import Samples
    from hardware import Chip, Cost

Needs = Literal["cost", "training", "network"]
"""What must be there before a metric can be measured: costs alone, which need no training;
measured spike rates and the package's metrics; or the trained network itself."""

Plugins = Iterable[PluginFile | str | Path]


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
        needs: "cost", "training" or "network", see `Needs`.
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


RESERVED = frozenset({"key", "genome", "state", "generation", "parents"})
"""Columns of a run's tables that are no metrics."""


def objective(
    unit: str = "",
    *,
    maximise: bool,
    log: bool = False,
    name: str | None = None,
    needs: Needs = "training",
) -> Callable[[Function], Function]:
    """Decorate a plain function of a candidate as a metric that a configuration can name.

    Args:
        unit: for labels.
        maximise: whether more is better.
        log: whether it is compared on a logarithmic scale (positive costs).
        name: the metric's name; the function's by default.
        needs: "cost" where architecture, workload and cost are all that it reads: a search whose
            metrics all need no more trains nothing, and takes assumed spike rates. "training" for
            measured spike rates and the package's metrics, accuracy included. "network" for the
            trained network and the validation data too.

    The function takes a ``CandidateView`` and returns one finite number. It must give the same for
    the same candidate: a random draw comes from a generator made of ``candidate.seed``.

    Raises:
        RequestError: ``needs`` is none of the three.
    """
    if needs not in ("cost", "training", "network"):
        raise unknown_name("needs", needs, ("cost", "training", "network"))

    def decorate(function: Function) -> Function:
        function.metric = Metric(  # type: ignore[attr-defined]
            name=name or function.__name__,
            unit=unit,
            maximise=maximise,
            log=log,
            description=(function.__doc__ or "").strip().split("\n")[0],
            known_before_training="yes" if needs == "cost" else "no",
            needs=needs,
            function=function,
        )
        return function

    return decorate


def list_objectives(plugins: Plugins = ()) -> list[Metric]:
    """The package's metrics, those of plug-in files, and those of installed packages."""
    return list(all_metrics(plugins).values())


def all_metrics(plugins: Plugins = ()) -> dict[str, Metric]:
    """Name → metric: the package's, then those of each plug-in file and of installed packages.

    What does not work of an installed package is left out, with a warning.

    Raises:
        RequestError: a file cannot be read or run, holds no objective, or takes a name twice or
            one that a run's tables have for something else.
    """
    metrics = _at_hand(plugins)
    for name in packages.installed(packages.OBJECTIVES):
        if name in BUILT_IN:
            packages.shadowed(packages.OBJECTIVES, name)
        elif name not in metrics:  # a file that the user names comes before what is installed
            try:
                metrics[name] = _installed_metric(name)
            except RequestError as error:
                packages.left_out(packages.OBJECTIVES, name, error)
    return metrics


def chosen_metrics(
    names: Iterable[str], plugins: Plugins = (), field: str = "objectives.names"
) -> list[Metric]:
    """The metrics of those names, in that order; of installed packages only theirs are imported.

    Args:
        names: of metrics.
        plugins: files that define further ones.
        field: which key of the configuration has the names, for an error.

    Raises:
        RequestError: an unknown name, or a plug-in that does not work.
    """
    metrics = _at_hand(plugins)
    return [metrics[name] if name in metrics else _further(name, metrics, field) for name in names]


def file_metrics(file: PluginFile) -> list[Metric]:
    """The decorated functions of a plug-in file, which is run once a process and content.

    Raises:
        RequestError: it does not run, or holds no objective.
    """
    functions = {
        id(value): value
        for value in vars(run_plugin(file)).values()
        if isinstance(getattr(value, "metric", None), Metric)
    }
    if not functions:
        allowed = "a file with a function under @evo_snn.objective(…)"
        raise RequestError("objectives.plugins", file.path, allowed)
    return [replace(one.metric, origin=file.path) for one in functions.values()]


def _at_hand(plugins: Plugins) -> dict[str, Metric]:
    """The package's metrics, and those of plug-in files."""
    metrics = dict(BUILT_IN)
    for plugin in plugins:
        file = plugin if isinstance(plugin, PluginFile) else read_plugin(plugin)
        for metric in file_metrics(file):
            if metric.name in metrics:
                raise RequestError(
                    "objectives.plugins",
                    file.path,
                    f"names other than {metric.name!r}",
                    "That metric exists already: give the function another name.",
                )
            if metric.name in RESERVED:
                allowed = f"names other than {', '.join(sorted(RESERVED))}"
                remedy = "A run's tables have such a column: give the function another name."
                raise RequestError("objectives.plugins", metric.name, allowed, remedy)
            metrics[metric.name] = metric
    return metrics


def _further(name: str, metrics: Mapping[str, Metric], field: str) -> Metric:
    """An installed package's metric."""
    offered = packages.installed(packages.OBJECTIVES)
    if name not in offered:
        raise unknown_name(field, name, {*metrics, *offered})
    return _installed_metric(name)


@lru_cache(maxsize=128)
def _installed_metric(name: str) -> Metric:
    """The metric that an installed package offers, loaded once a process."""
    function = packages.load(packages.OBJECTIVES, name)
    metric = getattr(function, "metric", None)
    if not isinstance(metric, Metric):
        reason = "it is no function under @evo_snn.objective(…)"
        raise packages.broken(packages.OBJECTIVES, name, reason)
    if metric.name != name or name in RESERVED:
        reason = f"the function's metric is {metric.name!r}"
        if name in RESERVED:
            reason = "a run's tables have such a column"
        raise packages.broken(packages.OBJECTIVES, name, reason)
    return replace(metric, origin=packages.origin(packages.find(packages.OBJECTIVES, name)))


def value_of(metric: Metric, candidate: CandidateView) -> float:
    """What a user's function gives for a candidate.

    Raises:
        ValueError: it is not one finite number.
    """
    assert metric.function is not None  # noqa: S101 - only users' metrics are asked
    value: object = metric.function(candidate)
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is, we ask
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, str):
        raise ValueError(f"objective {metric.name!r} returned {value!r}; allowed: a finite number")
    if metric.log and number <= 0:
        raise ValueError(f"objective {metric.name!r} returned {value!r}; allowed: > 0 (log=True)")
    return number
