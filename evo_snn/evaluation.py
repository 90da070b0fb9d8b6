"""The evaluation of one candidate, in a worker.

It is a pure function of the task: the same architecture, sources, settings and seed give the same
metrics bit for bit, in whatever process, as long as versions, device and CPU capability are equal.
What does not depend on spikes is known before (`evo_snn.costing.known_metrics`, for a whole
generation at once), so that a candidate over a budget is never sent to a worker.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from evo_snn.chip_accuracy import metrics_on_chip
from evo_snn.config import DataSection, LadderSection, TrainingSection
from evo_snn.costing import (
    decision_latency_ms,
    known_metrics,
    measured_metrics,
    measured_workload,
    training_metrics,
)
from evo_snn.fidelity import OnChip
from evo_snn.inheritance import inherit
from evo_snn.ladder import rung_steps
from evo_snn.metrics import LESS_TO_MORE, CandidateView, Needs
from evo_snn.noise import WeightNoise
from evo_snn.objectives import chosen_metrics, value_of
from evo_snn.plugins import PluginFile
from evo_snn.seeds import derived_seed
from evo_snn.snn import DeployedNetwork, TrainableNetwork, build, deploy
from evo_snn.snn.tensors import read_tensors, restore, to_bytes
from evo_snn.training import (
    Fitted,
    Samples,
    device_samples,
    fit,
    make_reproducible,
    plain_torch,
)
from evo_snn.training_free import AtStart, Scoring, at_start
from genomes.architecture import Architecture
from genomes.workload import Workload
from hardware import Chip, Cost, estimate
from hardware.conditions import Conditions
from hardware.machines import Machine, load_machine


@dataclass(frozen=True)
class EvaluationSettings:
    """What all evaluations of a run share; small, so that it travels with each task.

    Attributes:
        data, training: sections of the configuration; the kernel of the latter is a name, which
            the driver has chosen for all workers.
        data_digest: of the data set's content.
        ladder: section of the configuration.
        needs: what the objectives and constraints need: "cost" (no training), "initial" (the
            untrained network), "training" or "network".
        scoring: how candidates are scored untrained; None where they are not.
        user_metrics: names of the metrics to measure beside the package's own.
        plugins: the files that define them.
        on_chip: how candidates are measured on chips; None where they are not.
        noise: conditions of the chips that training steps meet; None for training without noise.
        machine: what energy of training is counted for.
        recording_ms: mean duration of a recording; 0 where the data set's inputs stand still.
    """

    data: DataSection
    data_digest: str
    training: TrainingSection
    ladder: LadderSection = field(default_factory=LadderSection)
    needs: Needs = "training"
    scoring: Scoring | None = None
    user_metrics: tuple[str, ...] = ()
    plugins: tuple[PluginFile, ...] = ()
    on_chip: OnChip | None = None
    noise: Conditions | None = None
    machine: Machine = field(default_factory=load_machine)
    recording_ms: float = 0.0

    @property
    def rungs(self) -> tuple[int, ...]:
        """Training steps that a candidate has had, in all, at the end of each rung.

        Raises:
            ValueError: there are more rungs than different numbers of steps.
        """
        if LESS_TO_MORE.index(self.needs) < LESS_TO_MORE.index("training"):  # nothing is trained
            return (0,)
        if self.scoring is not None and self.scoring.first:
            return (0, self.training.steps)
        return rung_steps(self.training.steps, self.ladder.rungs, self.ladder.keep)

    def steps_before(self, rung: int) -> int:
        """Training steps that a candidate has had when it comes to a rung."""
        return (0, *self.rungs)[rung]


@dataclass(frozen=True)
class Task:
    """One evaluation to do: a network on a chip, on the lowest rung or a higher one.

    Attributes:
        sources: files of weights to inherit from, best first; on a higher rung its own file, from
            which its training goes on.
        rung: the number of the rung, from 0.
    """

    key: str
    genome: tuple[int, ...]
    architecture: Architecture
    chip: Chip
    sources: tuple[Path, ...]
    seed: int
    rung: int = 0


@dataclass(frozen=True)
class Failure:
    """One failed attempt at a task.

    Attributes:
        kind: "raised", "out of memory", "timed out" or "worker died".
        text: one line.
        process, host: where; 0 and "" where the worker could not say it.
        seconds: how long it took.
    """

    kind: str
    text: str
    process: int = 0
    host: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of a task: metrics and weights, or a failure.

    Attributes:
        key: the task's.
        metrics: all finite.
        workload: with measured spike rates, where there was a training.
        weights: of the trained network, as safetensors.
        training_steps: gradient steps.
        failure: the traceback, if the last attempt failed.
        failures: the attempts that failed.
        damaged: a file of weights that could not be read; then the candidate is not to blame.
        seconds: wall-clock timings by name.
    """

    key: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    workload: Workload | None = None
    weights: bytes | None = None
    training_steps: int = 0
    failure: str | None = None
    failures: tuple[Failure, ...] = ()
    damaged: Path | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


class DamagedWeightsError(RuntimeError):
    """A file of weights that a run says it has is missing or not whole."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


def evaluate(task: Task, settings: EvaluationSettings) -> Outcome:
    """Build, inherit, train briefly, measure and cost one candidate. Never raises, but Ctrl-C."""
    started = time.perf_counter()
    try:
        make_reproducible(settings.training.device)
        with plain_torch():
            return _evaluated(task, settings, started)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _hears_ctrl_c():
            raise
        seconds = time.perf_counter() - started
        return Outcome(
            task.key,
            failure=traceback.format_exc(),
            failures=(failure_of(error, os.getpid(), platform.node(), seconds),),
            damaged=error.path if isinstance(error, DamagedWeightsError) else None,
            seconds={"total": seconds},
        )


def failure_of(
    error: BaseException, process: int = 0, host: str = "", seconds: float = 0.0
) -> Failure:
    """What an exception makes of an attempt."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    kind = "out of memory" if _is_out_of_memory(error) else "raised"
    return Failure(kind, text, process, host, seconds)


def _hears_ctrl_c() -> bool:
    """Whether a KeyboardInterrupt may be the user's: worker processes and threads get none."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return not ignored and threading.current_thread() is threading.main_thread()


def _is_out_of_memory(error: BaseException) -> bool:
    # torch says it of the CPU in a plain RuntimeError
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(
        error
    )


def _evaluated(task: Task, settings: EvaluationSettings, started: float) -> Outcome:
    if settings.needs == "cost":
        return _costed(task, settings, started)
    if not settings.rungs[task.rung]:
        return _scored(task, settings, started)
    network, fitted = _trained(task, settings)
    train, validation = _samples(settings)
    trained_at = time.perf_counter()
    workload = measured_workload(task.architecture, fitted.measured)
    cost = estimate(workload, task.chip)
    metrics = {
        **fitted.measured.figures,
        **measured_metrics(task.architecture, workload, cost),
        **training_metrics(
            task.architecture,
            workload,
            settings.rungs[task.rung] * min(settings.training.batch_size, len(train)),
            settings.machine,
        ),
    }
    if settings.scoring is not None:
        metrics |= _at_start(task, settings, settings.scoring).metrics
    if settings.recording_ms:
        latency = decision_latency_ms(workload, task.chip, settings.recording_ms)
        metrics["decision_latency_ms"] = latency
    if settings.on_chip is not None:
        metrics |= metrics_on_chip(
            _as_fitted(network, fitted),
            task.chip,
            settings.on_chip,
            train=train,
            validation=validation,
            rates=fitted.rates,
            seed=task.seed,
        )
    view = _view(task, workload, cost, metrics)
    for metric in chosen_metrics(settings.user_metrics, settings.plugins):
        seen = view
        if metric.needs == "network":  # each gets its own, whatever it does to them
            own = Samples(validation.x.clone(), validation.y.clone())
            seen = replace(view, network=_as_fitted(network, fitted), validation=own)
        metrics = {**metrics, metric.name: value_of(metric, seen)}
    _check_finite(metrics)
    now = time.perf_counter()
    return Outcome(
        task.key,
        metrics,
        workload,
        to_bytes(fitted.tensors),
        fitted.steps,
        seconds={"training": trained_at - started, "total": now - started},
    )


def _costed(task: Task, settings: EvaluationSettings, started: float) -> Outcome:
    """What needs no training: spike rates are assumed, and metrics that depend on them left out."""
    workload = task.architecture.workload
    metrics = known_metrics([task.architecture], [task.chip])[0][0]
    cost = estimate(workload, task.chip)
    metrics |= {"latency_ms": cost.latency_ms, "interval_ms": cost.interval_ms}  # without exits
    view = _view(task, workload, cost, metrics)
    users = chosen_metrics(settings.user_metrics, settings.plugins)
    metrics = {**metrics, **{metric.name: value_of(metric, view) for metric in users}}
    _check_finite(metrics)
    return Outcome(task.key, metrics, workload, seconds={"total": time.perf_counter() - started})


def _scored(task: Task, settings: EvaluationSettings, started: float) -> Outcome:
    """A candidate before training: its score, and costs at the spike rates that it begins with."""
    assert settings.scoring is not None  # noqa: S101 - nothing else is measured before training
    first = _at_start(task, settings, settings.scoring)
    workload = task.architecture.workload.with_rates(first.rates)
    cost = estimate(workload, task.chip)
    metrics = {**measured_metrics(task.architecture, workload, cost), **first.metrics}
    view = _view(task, workload, cost, metrics)
    users = chosen_metrics(settings.user_metrics, settings.plugins)
    metrics |= {one.name: value_of(one, view) for one in users if one.needs == "cost"}
    _check_finite(metrics)
    return Outcome(task.key, metrics, workload, seconds={"total": time.perf_counter() - started})


def _at_start(task: Task, settings: EvaluationSettings, scoring: Scoring) -> AtStart:
    """The network that a training from scratch would begin with, whatever is inherited."""
    network = build(task.architecture, task.seed, settings.training.kernel)
    train, _ = _samples(settings)
    return at_start(network.to(settings.training.device), train, scoring)


def _view(
    task: Task, workload: Workload, cost: Cost, metrics: Mapping[str, float]
) -> CandidateView:
    return CandidateView(
        task.key,
        task.genome,
        task.architecture,
        workload,
        cost,
        metrics,
        task.seed,
        chip=task.chip,
    )


def _samples(settings: EvaluationSettings) -> tuple[Samples, Samples]:
    return device_samples(settings.data, settings.data_digest, settings.training.device)


def _trained(task: Task, settings: EvaluationSettings) -> tuple[TrainableNetwork, Fitted]:
    train, validation = _samples(settings)
    network = build(task.architecture, task.seed, settings.training.kernel)
    network = network.to(settings.training.device)
    sources = [_source(path) for path in task.sources]
    before = settings.steps_before(task.rung)
    if before:
        restore(network, sources[0])
    else:
        inherit(network, sources)
    steps = settings.rungs[task.rung] - before
    fitted = fit(
        network,
        train,
        validation,
        steps=steps,
        batch_size=settings.training.batch_size,
        learning_rate=settings.training.learning_rate,
        warm_up=settings.training.warm_up,
        weight_decay=settings.training.weight_decay,
        looks=min(settings.training.evaluations, steps),
        seed=derived_seed(task.seed, f"{task.rung:x}") if before else task.seed,
        goes_on=before > 0,
        noise=None if settings.noise is None else WeightNoise(task.chip, settings.noise),
        augment=settings.training.augment,
        best_by=settings.training.best_by,
        class_weights=settings.training.class_weights,
    )
    return network, fitted


def _as_fitted(network: TrainableNetwork, fitted: Fitted) -> DeployedNetwork:
    """The network as deployed at the best look."""
    restore(network, fitted.tensors)
    return deploy(network)


def _source(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        return read_tensors(path)
    except (OSError, SafetensorError) as error:
        raise DamagedWeightsError(path, error) from error


def _check_finite(metrics: Mapping[str, float]) -> None:
    wrong = {name: value for name, value in metrics.items() if not np.isfinite(value)}
    if wrong:
        raise ValueError(f"metrics that are not finite: {wrong}")
