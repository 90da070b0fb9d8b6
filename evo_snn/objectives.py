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
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from evo_snn.chip_genes import PREFIX
from evo_snn.metrics import (
    AFTER_SECONDS,
    BUILT_IN,
    OF_STREAMS,
    PACKAGE,
    CandidateView,
    Function,
    Metric,
    Needs,
    package_metric,
)
from evo_snn.plugins import PluginFile, read_plugin, run_plugin
from genomes import plugins as packages
from genomes.errors import RequestError, unknown_name

__all__ = [
    "BUILT_IN",
    "RESERVED",
    "CandidateView",
    "Function",
    "Metric",
    "Needs",
    "Plugins",
    "all_metrics",
    "check_streams",
    "chosen_metrics",
    "file_metrics",
    "is_reserved",
    "list_objectives",
    "objective",
    "value_of",
]

Plugins = Iterable[PluginFile | str | Path]


RESERVED = frozenset({"key", "genome", "state", "generation", "parents", "training_steps"})
"""Columns of a run's tables that are no metrics, beside those of chip genes."""


def is_reserved(name: str) -> bool:
    """Whether a run's tables have, or may have, a column of that name that is no metric."""
    return name in RESERVED or name.startswith(PREFIX)


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
        if package_metric(name):
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
    metrics = {name: one for name, one in _at_hand(plugins).items() if name not in PACKAGE}
    return [
        package_metric(name) or metrics.get(name) or _further(name, metrics, field)
        for name in names
    ]


def check_streams(named: Mapping[str, Iterable[str]], recording_ms: float) -> None:
    """Refuse metrics of recordings where the data set has none.

    Args:
        named: key of the configuration → names of metrics that it has.
        recording_ms: mean duration of the data set's recordings; 0 for none.

    Raises:
        RequestError: one is named.
    """
    for field, names in named.items():
        for name in OF_STREAMS.keys() & set(names):
            if recording_ms == 0:
                allowed = "metrics of still samples: it is one of recordings with time stamps"
                raise RequestError(field, name, allowed, "latency_ms is the time on the chip.")


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
    metrics = dict(PACKAGE)
    for plugin in plugins:
        file = plugin if isinstance(plugin, PluginFile) else read_plugin(plugin)
        for metric in file_metrics(file):
            if metric.name in metrics or package_metric(metric.name):
                raise RequestError(
                    "objectives.plugins",
                    file.path,
                    f"names other than {metric.name!r}",
                    "That metric exists already: give the function another name.",
                )
            if is_reserved(metric.name):
                allowed = f"names other than {', '.join(sorted(RESERVED))}, {PREFIX}KEY"
                remedy = "A run's tables have such a column: give the function another name."
                raise RequestError("objectives.plugins", metric.name, allowed, remedy)
            metrics[metric.name] = metric
    return metrics


def _further(name: str, metrics: Mapping[str, Metric], field: str) -> Metric:
    """An installed package's metric."""
    offered = packages.installed(packages.OBJECTIVES)
    if name == AFTER_SECONDS.name:
        remedy = "For example accuracy_after_86400, a day after programming."
        raise RequestError(field, name, "a number in place of SECONDS", remedy)
    if name not in offered:
        raise unknown_name(field, name, {*metrics, *PACKAGE, *offered})
    return _installed_metric(name)


@lru_cache(maxsize=128)
def _installed_metric(name: str) -> Metric:
    """The metric that an installed package offers, loaded once a process."""
    function = packages.load(packages.OBJECTIVES, name)
    metric = getattr(function, "metric", None)
    if not isinstance(metric, Metric):
        reason = "it is no function under @evo_snn.objective(…)"
        raise packages.broken(packages.OBJECTIVES, name, reason)
    if metric.name != name or is_reserved(name):
        reason = f"the function's metric is {metric.name!r}"
        if is_reserved(name):
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
