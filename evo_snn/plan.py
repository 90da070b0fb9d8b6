"""A plan: a configuration with everything that it names looked up and checked.

Making a plan writes nothing and trains nothing, so that a wrong request is known before a run
folder exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evo_snn.ablation_design import Design, make_design
from evo_snn.algorithms import check_algorithm
from evo_snn.augmentation import check_augment
from evo_snn.budgets import check_possible
from evo_snn.chip_genes import chip_genes
from evo_snn.config import AblationSection, Config
from evo_snn.constraints import Constraint, make_constraints, violations
from evo_snn.costing import (
    KNOWN_COSTS,
    architecture_metrics,
    costed,
    known_metrics,
    products,
    training_metrics,
)
from evo_snn.design_space import DesignSpace
from evo_snn.evaluation import EvaluationSettings
from evo_snn.fidelity import checked_on_chip
from evo_snn.ladder import rung_steps
from evo_snn.metrics import LESS_TO_MORE, Metric, Needs, is_accuracy_on_chip
from evo_snn.noise import noise_of
from evo_snn.objectives import check_streams, chosen_metrics
from evo_snn.plugins import PluginFile, PluginRecord, plugins_of, read_plugin
from evo_snn.progress import LOGGER
from evo_snn.training import checked_device, chosen_kernel, data_digest, dataset
from evo_snn.training_free import Scoring, scoring_of
from evo_snn.training_machine import machine_of
from evo_snn.variation import Genomes
from evo_snn.workers import check_backend
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import Chip, totals

Box = dict[str, tuple[float, float]]
"""Metric → (best, worst), in its own unit."""

BOX_SAMPLE = 256
"""Genomes drawn to fix the hypervolume box; the draw is the same for every seed of a run."""

BOX_MARGIN = 2.0
"""Factor by which the box of a cost exceeds the sample at both ends."""


WIDEST_SPREAD = 0.25
"""Standard deviation of accuracies over chip instances that counts as the worst."""


@dataclass(frozen=True)
class Plan:
    """A configuration, checked, with what it names.

    Attributes:
        config: the whole resolved configuration.
        space: the networks for the data set's samples, and the chips that they may run on.
        objectives: the metrics to optimise.
        constraints: bounds on metrics.
        settings: what every evaluation needs.
        plugins: what the configuration uses from outside evo_snn.
        box: the hypervolume box, as far as it is known before the first generation.
        design: of an ablation, the sample to evaluate in place of a search.
        leaky: why the data set's figures flatter; "" where they do not.
    """

    config: Config
    space: DesignSpace
    objectives: tuple[Metric, ...]
    constraints: tuple[Constraint, ...]
    settings: EvaluationSettings
    plugins: tuple[PluginRecord, ...]
    box: Box
    design: Design | None = None
    leaky: str = ""

    @property
    def needs_workers(self) -> bool:
        """Whether there is anything to do for a candidate beside costing it."""
        return self.settings.needs != "cost" or bool(self.settings.user_metrics)

    def affordable(self, genomes: Genomes) -> NDArray[np.bool_]:
        """Which genomes (n, genes) stay within every budget that is known before training."""
        if not self.constraints:
            return np.ones(len(genomes), dtype=bool)
        exact, lower = known_metrics(*self.space.designs(genomes))
        rows = zip(exact, lower, strict=True)
        return np.array([not violations(self.constraints, *row) for row in rows], dtype=bool)


def make_plan(
    config: Config,
    *,
    files: Sequence[PluginFile] | None = None,
    chip: Chip | None = None,
    kernel: str | None = None,
) -> Plan:
    """Look up and check everything that a configuration names.

    Args:
        config: the whole configuration.
        files: the plug-in files as a run keeps them; None reads those that the configuration names.
        chip: as a run keeps it; None loads the one that the configuration names.
        kernel: the one that a run began with; None for a new run.

    Raises:
        RequestError: something is unknown, missing, or not allowed.
    """
    check_backend(config.workers)
    if files is None:
        files = [read_plugin(path) for path in config.objectives.plugins]
    named = {
        "objectives.names": config.objectives.names,
        "constraints": config.constraints,
        "hypervolume.box": config.hypervolume.box,
    }
    metrics = {
        metric.name: metric
        for field, names in named.items()
        for metric in chosen_metrics(names, files, field)
    }
    for name, (best, worst) in config.hypervolume.box.items():
        _check_box(name, best, worst, metrics)
    check_algorithm(config.search.algorithm, config.search.population, len(config.objectives.names))
    scoring = scoring_of(config)
    checked_device(config.training.device)
    chosen = chosen_kernel(config.training, kernel).name
    data = dataset(config.data)
    check_augment(config.training.augment, data.input_shape)
    check_streams(named, data.recording_ms)
    _warn_of_figures(config, data.leaky)
    space = DesignSpace(
        make_space(config.search.space, data.input_shape, data.classes, config.space, data.frames),
        chip_genes(config.hardware, chip),
    )
    _check_schedule(space)
    constraints = tuple(make_constraints(config.constraints, metrics))
    wanted = [*config.objectives.names, *config.constraints]
    on_chip = checked_on_chip(config, space.chips, wanted, constraints, space.classes)
    check_possible(constraints, space)
    objectives = tuple(metrics[name] for name in config.objectives.names)
    _check_ladder(config)
    machine = machine_of(config.training_machine)
    users = {name for name in wanted if metrics[name].function is not None}
    plan = Plan(
        config=config,
        space=space,
        objectives=objectives,
        constraints=constraints,
        settings=EvaluationSettings(
            data=config.data,
            data_digest=data_digest(data),
            training=config.training.model_copy(update={"kernel": chosen}),
            ladder=config.ladder,
            needs=_needs([*objectives, *(metrics[one.metric] for one in constraints)], scoring),
            scoring=scoring,
            user_metrics=tuple(sorted(users)),
            plugins=tuple(files),
            on_chip=on_chip,
            noise=noise_of(config.on_chip),
            machine=machine,
            recording_ms=data.recording_ms,
        ),
        plugins=plugins_of(config, files),
        box=_known_box(config, space, objectives),
        leaky=data.leaky,
    )
    return plan if config.ablation is None else replace(plan, design=_design(plan, config.ablation))


def _check_schedule(space: DesignSpace) -> None:
    """Refuse a chip that runs all time steps of a layer first where some networks cannot."""
    chosen = {one for gene in space.chips.genes for one in gene.choices}
    if "layers" not in {space.chips.base.values.get("schedule"), *chosen}:
        return  # most searches: nothing has to be decoded
    designs = space.designs(space.sample(256, np.random.default_rng(0)))
    for architecture, chip in zip(*designs, strict=True):
        if architecture.by_step and chip.values.get("schedule") == "layers":
            allowed = "'steps': networks of this space have temporal feedback, or end in time"
            raise RequestError("hardware.schedule", "layers", allowed)


def _design(plan: Plan, section: AblationSection) -> Design:
    """The sample of an ablation: a base is a generation."""
    search = plan.config.search
    return make_design(plan.space, section.genes, search.generations, search.seed, plan.affordable)


def _warn_of_figures(config: Config, leaky: str) -> None:
    """Say what figures of accuracy are not, before they are looked at."""
    if leaky:
        LOGGER.warning("warning: accuracies on this data set flatter: %s", leaky)
    names = {*config.objectives.names, *config.constraints}
    if (
        config.training.best_by == "accuracy"
        and "balanced_accuracy" in names
        and "accuracy" not in names
    ):
        LOGGER.warning("warning: training keeps the look of best accuracy, not balanced accuracy;"
                       " training.best_by = 'balanced_accuracy' changes that")  # fmt: skip


def _check_ladder(config: Config) -> None:
    ladder = config.ladder
    try:
        rung_steps(config.training.steps, ladder.rungs, ladder.keep)
    except ValueError as error:
        allowed = "so many that each has more steps than the one below"
        raise RequestError("ladder.rungs", ladder.rungs, allowed, f"{error}.") from None


def _needs(metrics: Sequence[Metric], scoring: Scoring | None) -> Needs:
    """What has to be done to a candidate so that all of these metrics can be measured."""
    least: Needs = "training" if scoring is not None and scoring.first else "cost"
    return max((least, *(metric.needs for metric in metrics)), key=LESS_TO_MORE.index)


def _check_box(name: str, best: float, worst: float, metrics: Mapping[str, Metric]) -> None:
    field = f"hypervolume.box.{name}"
    if best == worst or (best > worst) != metrics[name].maximise:
        order = "best > worst" if metrics[name].maximise else "best < worst"
        raise RequestError(field, [best, worst], f"[best, worst] with {order}")
    if metrics[name].log and min(best, worst) <= 0:
        raise RequestError(field, [best, worst], "positive numbers, for it is on a log scale")


def _known_box(config: Config, space: DesignSpace, objectives: Sequence[Metric]) -> Box:
    """The box from the configuration, else from a fixed sample of the space; never from a front."""
    wanted = {metric.name for metric in objectives}
    box: Box = {"accuracy": (1.0, 1.0 / space.classes), "utilisation": (1.0, 0.0)}
    box |= {"balanced_accuracy": box["accuracy"], "kappa": (1.0, 0.0)}
    box |= {"spike_rate": (0.0, 1.0), "accuracy_on_chip_std": (0.0, WIDEST_SPREAD)}
    box |= {"accuracy_on_chip_stderr": (0.0, WIDEST_SPREAD)}
    box |= {name: box["accuracy"] for name in wanted if is_accuracy_on_chip(name)}
    if wanted - set(box):
        box |= _sampled_box(config, space)
    box |= config.hypervolume.box
    return {name: box[name] for name in box if name in wanted}


def _sampled_box(config: Config, space: DesignSpace) -> Box:
    architectures, chips = space.designs(space.sample(BOX_SAMPLE, np.random.default_rng(0)))
    rows = [architecture_metrics(one) for one in architectures]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    workloads = [one.workload for one in architectures]
    costs = costed(totals, workloads, chips)
    values |= {name: costs[name] for name in KNOWN_COSTS}  # of inferences that do not end early
    values |= products(costs["energy_uj"], costs["latency_ms"], costs["area_mm2"])
    values["spikes"] = np.array(
        [sum(layer.neurons for layer in one.layers) * one.timesteps / 4 for one in workloads]
    )
    values["mean_time_steps"] = np.append(values["time_steps"], 1.0)
    values["mean_layers"] = np.array([1.0, *(len(one.layers) for one in architectures)])
    values |= _training_values(config, architectures)
    return {
        name: (float(array.min()) / BOX_MARGIN, float(array.max()) * BOX_MARGIN)
        for name, array in values.items()
        if name != "utilisation"
    }


def _training_values(
    config: Config, architectures: Sequence[Architecture]
) -> dict[str, NDArray[np.float64]]:
    """Cost of training, up to the lowest and up to the highest rung, at assumed spike rates."""
    machine = machine_of(config.training_machine)
    rungs = rung_steps(config.training.steps, config.ladder.rungs, config.ladder.keep)
    rows = [
        training_metrics(one, one.workload, steps * config.training.batch_size, machine)
        for steps in (rungs[0], rungs[-1])
        for one in architectures
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def completed_box(
    box: Box, objectives: Sequence[Metric], rows: Sequence[Mapping[str, float]]
) -> Box:
    """The box with the ends of users' metrics taken from the first generation that has any.

    Args:
        box: what is known.
        objectives: the metrics to optimise.
        rows: metrics of the first generation's candidates.

    Returns:
        The box of all objectives; unchanged where nothing was measured.
    """
    if not rows:
        return box
    completed = dict(box)
    for metric in objectives:
        if metric.name not in box:
            values = np.array([row[metric.name] for row in rows])
            completed[metric.name] = _ends(values, metric)
    return completed


def _ends(values: NDArray[np.float64], metric: Metric) -> tuple[float, float]:
    """Best and worst of a first generation, widened to leave room for better and worse."""
    low, high = float(values.min()), float(values.max())
    if metric.log and low > 0:
        low, high = low / BOX_MARGIN, high * BOX_MARGIN
    else:
        margin = (high - low) or abs(high) or 1.0
        low, high = low - margin, high + margin
    return (high, low) if metric.maximise else (low, high)
