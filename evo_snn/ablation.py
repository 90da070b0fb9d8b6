"""Ablations: what each choice of each gene contributes, measured on a designed sample.

An ablation is a run like any other, of a designed sample in place of a search: its generations are
bases with their changes (`evo_snn.ablation_design`), evaluated and stored by the same machinery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from evo_snn.ablation_design import DESIGN, Record
from evo_snn.config import Config
from evo_snn.effects import (
    MARGIN,
    Effect,
    Measured,
    measured_genes,
    measured_roles,
    reference,
    reference_name,
)
from evo_snn.run import Run
from evo_snn.store import Store
from evo_snn.suggestions import Suggestion, suggestions

BASES = 30
"""Bases of an ablation where nothing else is said."""

_COLUMNS = ("role", "gene", "choice", "against", *(one.name for one in fields(Effect)))


@dataclass(frozen=True)
class Ablation:
    """What an ablation has found so far.

    Attributes:
        effects: one row a choice and objective: ``role``, ``gene`` ("" for all genes of the role
            together), ``choice``, ``against``, and the fields of `evo_snn.effects.Effect`. The
            first choice of an ordered gene has none: each of the others is a step up.
        suggestions: what to leave out.
        bases: that were evaluated, wholly or in part.
        left_out: pairs of a candidate and an objective that was not measured on it, as it failed
            or is over a budget.
    """

    effects: pd.DataFrame
    suggestions: tuple[Suggestion, ...]
    bases: int
    left_out: int


def ablate(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    bases: int = BASES,
    genes: Sequence[str] = (),
    seed: int | None = None,
    jobs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    margin: float = MARGIN,
    progress: bool = False,
) -> pd.DataFrame:
    """Measure what each choice contributes to each objective, all else equal.

    Every candidate is trained from scratch and to the end, whatever the configuration says of
    inheritance and of a ladder, so that those that are compared differ by one choice alone.

    Args:
        config: of a search, as for `evo_snn.evolve`.
        out: the run folder, new or empty.
        bases: random genomes, each of which is changed in one active gene of each role.
        genes: patterns of the genes or roles to change, such as ``*.pool``; all without it.
        seed: in place of ``search.seed``.
        jobs: in place of ``workers.jobs``.
        overrides: dotted key → value, over everything else.
        margin: points of a share, and per cent of a cost, that are not worth having.
        progress: draw a bar on a terminal.

    Returns:
        ``Ablation.effects``; ``frame.attrs["folder"]`` is the run's folder, with which
        `evo_snn.open_run` and `ablation_of` go on.

    Raises:
        RequestError: the request is wrong; nothing was written.
        SearchFailedError: evaluations fail, one after the other.
        StoreWriteError: the disk takes no more; what was stored is intact.
        KeyboardInterrupt: as the user wanted; ``resume`` goes on.
    """
    run = run_ablation(
        config,
        out,
        bases=bases,
        genes=genes,
        seed=seed,
        jobs=jobs,
        overrides=overrides,
        progress=progress,
    )
    effects = ablation_of(run, margin).effects
    effects.attrs["folder"] = str(run.folder)
    return effects


def run_ablation(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    bases: int = BASES,
    genes: Sequence[str] = (),
    seed: int | None = None,
    jobs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Run:
    """The run of an ablation; see `ablate`."""
    from evo_snn.search import evolve  # which imports torch

    section: dict[str, Any] = {"genes": tuple(genes)} if genes else {}
    return evolve(
        config,
        out,
        seed=seed,
        generations=bases,
        jobs=jobs,
        overrides={
            "ablation": section,
            **(overrides or {}),
            "ladder.rungs": 1,
            "inheritance.strategy": "none",
        },
        progress=progress,
    )


def ablation_of(run: Run, margin: float = MARGIN) -> Ablation:
    """What the ablation of a run has found so far; nothing is trained, nothing written.

    Args:
        run: of an ablation.
        margin: points of a share, and per cent of a cost, that are not worth having.

    Raises:
        RequestError: the run is no ablation.
    """
    with Store.open(run.folder) as store:
        record = Record.of_run(store.meta(DESIGN))
        metrics = {one.key: one.metrics for one in store.candidates(details=False)}
    evaluated = [one for one in record.blocks if all(k in metrics for k in one.keys if k)]
    record = record.model_copy(update={"blocks": tuple(evaluated)})
    pooled = measured_roles(record, metrics, run.objectives, margin)
    rows = [row for one in pooled for row in _rows("", one)]
    rows += [
        row
        for gene, one in measured_genes(record, metrics, run.objectives, margin)
        if len(one.role.genes) > 1
        for row in _rows(gene, one)
    ]
    keys = {key for block in evaluated for key in block.keys if key}
    wanted = len(run.objectives) * len(keys)
    given = sum(each.name in metrics[key] for key in keys for each in run.objectives)
    return Ablation(
        effects=pd.DataFrame(rows, columns=list(_COLUMNS)),
        suggestions=tuple(suggestions(record, pooled)),
        bases=len({block.base for block in evaluated}),
        left_out=wanted - given,
    )


def _rows(gene: str, measured: Measured) -> list[tuple[Any, ...]]:
    role = measured.role
    return [
        (role.name, gene, choice, reference_name(role, against), *astuple(effect))
        for k, choice in enumerate(role.choices)
        if (against := reference(role, k))
        for effect in measured.effects(k, against)
    ]
