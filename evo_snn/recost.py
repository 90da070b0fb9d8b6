"""Costing a whole run's candidates on other chips, from what is stored: seconds, no training.

Each candidate has its workload with the spike rates that were measured on it, which is all that a
chip sees of a network. What a chip changes is computed anew (`RECOSTED`); accuracy stays as it was
measured, and so does every other metric, a user's own included. Nothing of the run is written, and
no plug-in is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from evo_snn.constraints import Constraint, violations
from evo_snn.costing import KNOWN_COSTS, products
from evo_snn.objectives import BUILT_IN
from evo_snn.pareto import front_of
from evo_snn.store import Store
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import Chip, is_lossless, load_chip, totals
from hardware.chip_file import checked_overrides
from hardware.variants import changed

if TYPE_CHECKING:
    from evo_snn.candidate import Candidate, ObjectiveRecord
    from evo_snn.run import Run

RECOSTED = (*KNOWN_COSTS, "energy_uj", "energy_delay_uj_ms", "energy_delay_area_uj_ms_mm2")
"""Metrics that are computed anew."""

_OF_THE_NETWORK = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "kappa",
        "parameters",
        "operations",
        "time_steps",
        "mean_time_steps",
        "mean_layers",
        "spikes",
        "spike_rate",
        "training_operations",
        "training_energy_j",
    }
)
_OWN = "the run's"


@dataclass(frozen=True)
class CandidatesOnChip:
    """A run's candidates on one chip.

    Attributes:
        label: what to call it: the chip's name; of the run's own chip or chips, that it is so.
        chip: None for the run's own.
        candidates: those that could be costed, in the order of evaluation, with this chip's
            metrics, state and violations.
        front: keys of the front on the run's objectives.
        lossless: whether it computes what the networks do, so that accuracy holds on it; the
            run's own is taken as it is.
    """

    label: str
    chip: Chip | None
    candidates: tuple[Candidate, ...]
    front: tuple[str, ...]
    lossless: bool = True

    @property
    def ok(self) -> int:
        """How many candidates meet all constraints."""
        return sum(one.state == "ok" for one in self.candidates)


@dataclass(frozen=True)
class Agreement:
    """How far two chips put candidates in the same order of one cost.

    Attributes:
        metric: the cost.
        first, second: labels of the chips.
        kendall: Kendall's tau-b over all candidates (Biometrika 33, 1945, with ties); None where
            one of the chips gives all the same value, or there are fewer than two.
        spearman: Spearman's rank correlation, likewise.
        designs: how many candidates were compared.
    """

    metric: str
    first: str
    second: str
    kendall: float | None
    spearman: float | None
    designs: int


@dataclass(frozen=True)
class Recosting:
    """A run's candidates on the run's own chip and on others.

    Attributes:
        objectives: the run's.
        chips: the run's own first, then those asked for.
        kept: metrics of objectives and constraints that stay as they were measured on the run's
            own chip although they may depend on it: users' own, and accuracy on a chip.
        left_out: candidates that were never trained, as they broke a budget on the run's own chip
            or failed; they have no measured spike rates.
        has_chip_genes: whether each candidate had a chip of its own, all of which is replaced.
    """

    objectives: tuple[ObjectiveRecord, ...]
    chips: tuple[CandidatesOnChip, ...]
    kept: tuple[str, ...]
    left_out: int
    has_chip_genes: bool

    @cached_property
    def staying(self) -> tuple[str, ...]:
        """Keys of the designs that are on the front on every chip, in the run's order."""
        fronts = [set(one.front) for one in self.chips]
        return tuple(key for key in self.chips[0].front if all(key in front for front in fronts))

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """Of every cost among the objectives (area, energy, latency at least) and pair of chips."""
        usual = ("area_mm2", "energy_uj", "latency_ms")
        wanted = [one.name for one in self.objectives if one.name in RECOSTED]
        return tuple(
            _agreement(metric, first, second)
            for metric in dict.fromkeys([*wanted, *usual])
            for first, second in itertools.combinations(self.chips, 2)
        )

    def on(self, label: str) -> CandidatesOnChip:
        """The candidates on one of the chips.

        Raises:
            RequestError: there is no chip of that label.
        """
        for one in self.chips:
            if one.label == label:
                return one
        raise RequestError("chip", label, ", ".join(each.label for each in self.chips))

    def table(self) -> pd.DataFrame:
        """One row a candidate and chip.

        Returns:
            ``key``, ``chip`` (the label), ``state``, ``front`` (bool), then a column a metric,
            objectives first; NaN where a candidate has no such metric.
        """
        rows = [
            {
                "key": candidate.key,
                "chip": one.label,
                "state": candidate.state,
                "front": candidate.key in front,
                **candidate.metrics,
            }
            for one in self.chips
            for front in [frozenset(one.front)]
            for candidate in one.candidates
        ]
        names = [objective.name for objective in self.objectives]
        first = ["key", "chip", "state", "front", *names]
        frame = pd.DataFrame(rows, columns=None if rows else first)
        others = sorted(str(name) for name in set(frame.columns) - set(first))
        return frame.reindex(columns=[*first, *others])


def recost(
    run: Run,
    chips: Chip | str | Sequence[Chip | str] = (),
    overrides: Mapping[str, Any] | None = None,
    *,
    ignore_bounds: bool = False,
) -> Recosting:
    """Cost a run's candidates on other chips; constraints and fronts follow from the new costs.

    Args:
        run: a run, finished or not.
        chips: one or more: chips, names of presets, or paths of chips' TOML files. Without any,
            the run's own with the overrides.
        overrides: parameters of all these chips.
        ignore_bounds: leave out the run's bounds on what is computed anew, on its own chip too:
            a budget in mm2 says little on a chip of another node or model.

    Raises:
        RequestError: no such chip, an override that one of them does not take, neither chips nor
            overrides, or nothing in the run that can be costed.
    """
    given = [chips] if isinstance(chips, Chip | str) else chips
    resolved = _resolved(run, given, checked_overrides(overrides))
    with Store.open(run.folder) as store:
        everything = store.candidates()
    known = [one for one in everything if one.workload is not None and _is_measured(one)]
    if not known:
        remedy = "Wait until the search has measured some." if everything else ""
        raise RequestError("run", str(run.folder), "a run with candidates that were costed", remedy)
    workloads = [Workload.model_validate(one.workload) for one in known]
    constraints = [] if ignore_bounds else _constraints(run.constraints)
    stored = [replace(one, workload=None, architecture={}) for one in known]
    own = _own(run, [_judged(one, constraints) for one in stored] if ignore_bounds else stored)
    others = [
        _on(chip, label, own.candidates, workloads, constraints, run.objectives)
        for label, chip in resolved.items()
    ]
    named = {one.name for one in run.objectives} | set(run.constraints)
    return Recosting(
        objectives=tuple(run.objectives),
        chips=(own, *others),
        kept=tuple(sorted(named - set(RECOSTED) - _OF_THE_NETWORK)),
        left_out=len(everything) - len(known),
        has_chip_genes=bool(run.chip_genes.genes),
    )


def _is_measured(candidate: Candidate) -> bool:
    """Whether it was trained; or is ok without, in a search whose objectives need no training."""
    return candidate.trained or candidate.state == "ok"


def _resolved(
    run: Run, chips: Sequence[Chip | str], overrides: Mapping[str, Any]
) -> dict[str, Chip]:
    """Label → chip."""
    if not chips and not overrides:
        remedy = "evo-snn chips lists them."
        raise RequestError("chip", "nothing", "at least one chip, or another value", remedy)
    found: dict[str, Chip] = {}
    for each in chips or [run.chip]:
        if isinstance(each, Chip):
            chip = changed(each, overrides) if overrides else each
        else:
            chip = load_chip(each, overrides)
        label = chip.name
        if label in found:
            if not isinstance(each, Chip):
                raise RequestError("chip", str(each), "each chip once")
            label = next(
                text for n in itertools.count(2) if (text := f"{chip.name} ({n})") not in found
            )
        found[label] = chip
    return found


def _own(run: Run, candidates: Sequence[Candidate]) -> CandidatesOnChip:
    """The run's candidates with the costs that are stored."""
    label = "own chips" if run.chip_genes.genes else run.chip.name
    front = tuple(one.key for one in front_of(candidates, run.objectives))
    return CandidatesOnChip(f"{label} ({_OWN})", None, tuple(candidates), front)


def _on(
    chip: Chip,
    label: str,
    candidates: Sequence[Candidate],
    workloads: Sequence[Workload],
    constraints: Sequence[Constraint],
    objectives: Sequence[ObjectiveRecord],
) -> CandidatesOnChip:
    costs = totals(workloads, chip)
    known = {name: costs[name] for name in KNOWN_COSTS}
    known |= products(costs["energy_uj"], costs["latency_ms"], costs["area_mm2"])
    names, rows = list(known), np.stack(list(known.values()), axis=1).tolist()
    made = []
    for candidate, row in zip(candidates, rows, strict=True):
        metrics = {**candidate.metrics, **dict(zip(names, row, strict=True))}
        made.append(_judged(replace(candidate, metrics=metrics), constraints))
    front = tuple(one.key for one in front_of(made, objectives))
    return CandidatesOnChip(label, chip, tuple(made), front, is_lossless(chip))


def _judged(candidate: Candidate, constraints: Sequence[Constraint]) -> Candidate:
    """A candidate with the state that these bounds on `RECOSTED` give it, as its metrics are now.

    Bounds on anything else are met or broken as they were.
    """
    broken = {name: by for name, by in candidate.violations.items() if name not in RECOSTED}
    broken |= violations(constraints, candidate.metrics)
    if candidate.state == "failed":
        return replace(candidate, violations=broken)
    return replace(candidate, violations=broken, state="infeasible" if broken else "ok")


def _constraints(bounds: Mapping[str, float | Mapping[str, float | None]]) -> list[Constraint]:
    """The bounds on what is computed anew; the package knows which way these are better."""
    made = []
    for name, bound in bounds.items():
        if name not in RECOSTED:
            continue
        if isinstance(bound, Mapping):
            made.append(Constraint(name, bound.get("min"), bound.get("max")))
        elif BUILT_IN[name].maximise:
            made.append(Constraint(name, minimum=bound))
        else:
            made.append(Constraint(name, maximum=bound))
    return made


def _agreement(metric: str, first: CandidatesOnChip, second: CandidatesOnChip) -> Agreement:
    pairs = [
        (a.metrics[metric], b.metrics[metric])
        for a, b in zip(first.candidates, second.candidates, strict=True)
        if metric in a.metrics and metric in b.metrics
    ]
    found: list[float | None] = [None, None]
    if len(pairs) > 1:
        x, y = np.array(pairs).T
        if np.ptp(x) > 0 and np.ptp(y) > 0:
            found = [float(each(x, y).statistic) for each in (stats.kendalltau, stats.spearmanr)]
    return Agreement(metric, first.label, second.label, found[0], found[1], len(pairs))
