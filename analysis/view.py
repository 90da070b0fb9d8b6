"""One way to look at candidates, whether they come as a run or as a table.

A :class:`View` is a table of candidates, what its objectives mean, and which rows are the front.
Every plot begins with :func:`look`, so a plot of a run and a plot of ``run.candidates()`` agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from evo_snn import pareto
from evo_snn.candidate import ObjectiveRecord
from genomes.errors import RequestError, unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hardware import Cost

_UNITS = {"mm2": "mm2", "um2": "um2", "uj": "uJ", "mj": "mJ", "nj": "nJ", "ms": "ms", "us": "us"}
_NOT_METRICS = frozenset({"key", "genome", "state", "generation", "parents", "training_steps"})
_USUAL = ("accuracy", "area_mm2", "energy_uj", "latency_ms")


class RunLike(Protocol):
    """What the plots need of a run; :class:`evo_snn.run.Run` has it."""

    @property
    def folder(self) -> Path:
        """The run's folder."""

    @property
    def objectives(self) -> Sequence[ObjectiveRecord]:
        """What is optimised, in the configured order."""

    @property
    def hypervolume_box(self) -> Mapping[str, tuple[float, float]]:
        """Objective → (best, worst), in the objective's own unit."""

    def candidates(self) -> pd.DataFrame:
        """Everything evaluated, in order."""

    def cost(self, key: str) -> Cost:
        """The breakdown of one candidate's cost."""


@dataclass(frozen=True, eq=False)
class View:
    """Candidates with what is needed to draw them.

    Attributes:
        table: one row a candidate in evaluation order; every objective has a column.
        objectives: what is optimised, the most important first.
        box: objective → (best, worst) in its own unit, or None where no box was fixed.
        leaky: why accuracies flatter; "" where they do not, or nobody knows.
    """

    table: pd.DataFrame
    objectives: tuple[ObjectiveRecord, ...]
    box: Mapping[str, tuple[float, float]] | None = None
    leaky: str = ""

    @cached_property
    def ok(self) -> NDArray[np.bool_]:
        """(N,) mask: candidates that were evaluated and meet the constraints."""
        if "state" not in self.table:
            return np.ones(len(self.table), dtype=bool)
        return (self.table["state"] == "ok").to_numpy()

    @cached_property
    def front(self) -> NDArray[np.bool_]:
        """(N,) mask: the front over all objectives; a NaN metric keeps a candidate off it."""
        return self.nondominated(self.objectives)

    def nondominated(self, records: Iterable[ObjectiveRecord]) -> NDArray[np.bool_]:
        """(N,) mask: the ``ok`` candidates that nobody beats in these metrics alone."""
        F = self.oriented(records, log=False)
        F[~self.ok] = np.nan
        return pareto.nondominated(F)

    def oriented(self, records: Iterable[ObjectiveRecord], log: bool = True) -> NDArray[np.float64]:
        """(N, M) these metrics as minimised objectives, costs on a log scale if ``log``."""
        chosen = tuple(records)
        return pareto.oriented(
            self.table[[record.name for record in chosen]].to_numpy(dtype=float),
            maximise=[record.maximise for record in chosen],
            log=[record.log and log for record in chosen],
        )

    def values(self, name: str) -> NDArray[np.float64]:
        """(N,) a metric in its own unit, NaN where it was not measured."""
        return self.table[name].to_numpy(dtype=float)

    def record(self, field: str, name: str) -> ObjectiveRecord:
        """What is known of a metric that is to be drawn.

        Args:
            field: the argument's name, for the error.
            name: an objective or any other numeric column.

        Raises:
            RequestError: there is no such metric.
        """
        for record in self.objectives:
            if record.name == name:
                return record
        numeric = self.table.select_dtypes("number").columns
        known = [column for column in numeric if column not in _NOT_METRICS]
        if name not in known:
            raise unknown_name(field, name, {*known, *(r.name for r in self.objectives)})
        return assumed(name)


def look(
    data: RunLike | pd.DataFrame | View, objectives: Sequence[ObjectiveRecord] | None = None
) -> View:
    """Make a view of a run, of a table as ``run.candidates()`` gives it, or of a view.

    Args:
        data: what to look at.
        objectives: what the metrics mean. A run knows; of a table, accuracy, area, energy and
            latency are taken as the objectives, those of them that it has.

    Raises:
        RequestError: a table has none of the usual objectives and none were given.
    """
    if isinstance(data, View):
        return data
    if isinstance(data, pd.DataFrame):
        table, box = data, None
        known = objectives or [assumed(name) for name in _USUAL if name in table]
    else:
        table, box = data.candidates(), data.hypervolume_box or None
        known = objectives or data.objectives
    if not known:
        columns = ", ".join(map(str, table.columns))
        raise RequestError(
            "objectives",
            objectives,
            "a sequence of ObjectiveRecord",
            f"The table has none of {', '.join(_USUAL)}, only {columns}; say what is optimised.",
        )
    absent = {record.name: np.nan for record in known if record.name not in table}
    leaky = getattr(data, "leaky", "")
    return View(table.assign(**absent).reset_index(drop=True), tuple(known), box, leaky)


def assumed(name: str) -> ObjectiveRecord:
    """Read a metric's meaning off its name: a name that ends in a unit of cost is a cost."""
    unit = _UNITS.get(name.rpartition("_")[2], "")
    return ObjectiveRecord(
        name, maximise="accuracy" in name or name == "kappa", unit=unit, log=bool(unit)
    )
