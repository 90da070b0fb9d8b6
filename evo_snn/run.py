"""A run: one search and its folder, as people look at it, also while it goes on.

Nothing here writes, trains, or imports a plug-in; a run can be looked at where it was only copied.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.chip_genes import PREFIX, ChipGenes, chip_genes, chosen_values, stored_chip
from evo_snn.config import Config
from evo_snn.config_file import load_config
from evo_snn.pareto import front_of
from evo_snn.plugins import PluginRecord
from evo_snn.store import CONFIG, Store
from genomes.errors import RequestError
from genomes.genes import Choice
from genomes.workload import Workload
from hardware import Chip, Cost, estimate

if TYPE_CHECKING:
    from evo_snn.recost import Recosting

HYPERVOLUME_BOX = "hypervolume_box"  # names among the store's meta data
FIRST_BOX = "first_hypervolume_box"  # as it was before the first generation
CONFIGURATION = "config"  # TOML, as the run began
PLUGINS = "plugins"
DATA_DIGEST = "data_digest"
DEVICE_DIGEST = "device_digest"  # of a user's device file
LEAKY = "leaky"  # why accuracies flatter, of a data set where they do
ON_CHIP_PATH = "on_chip_path"  # how accuracies on the chip were measured

_FIXED_COLUMNS = {
    "key": str,
    "genome": object,
    "state": str,
    "generation": int,
    "parents": object,
    "training_steps": int,
}


def open_run(folder: str | Path) -> "Run":
    """Look at the run in ``folder``.

    Raises:
        RequestError: If there is none, or a newer version wrote it.
    """
    with Store.open(folder) as store:
        return Run(store.folder)


class Run:
    """What a search did. Tables are read anew at every call, so they follow a run that goes on.

    Attributes:
        folder: The run's folder, absolute.
    """

    def __init__(self, folder: str | Path) -> None:
        """See `open_run`, which checks that there is a run."""
        self.folder = Path(folder).resolve()

    def __repr__(self) -> str:
        """The call that makes it."""
        return f"Run({str(self.folder)!r})"

    @cached_property
    def config(self) -> Config:
        """The whole resolved configuration."""
        return load_config(self.folder / CONFIG)

    @cached_property
    def objectives(self) -> list[ObjectiveRecord]:
        """What was optimised, in the configuration's order."""
        with self._store() as store:
            return store.objectives()

    @cached_property
    def chip(self) -> Chip:
        """The chip that candidates are costed on, as it was when the search started.

        Of a run with chip genes, the one that they change; `chip_of` gives a candidate's own.
        """
        return self.chip_genes.base

    @cached_property
    def chip_genes(self) -> ChipGenes:
        """The chips that the search chose from; one where there are no chip genes."""
        with self._store() as store:
            return chip_genes(self.config.hardware, stored_chip(store.meta))

    def chip_of(self, key: str) -> Chip:
        """The chip of a candidate.

        Raises:
            RequestError: If no key, or more than one, begins so.
        """
        genome, genes = self.candidate(key).genome, self.chip_genes
        chosen_values(self._space, genome)  # a genome of another space makes no chip
        return genes.chip(genome[len(genome) - len(genes.genes) :])

    def chip_values(self, key: str) -> dict[str, Choice]:
        """What a candidate's chip genes chose, by key; empty where there are none.

        Raises:
            RequestError: If no key, or more than one, begins so.
        """
        return chosen_values(self._space, self.candidate(key).genome)

    @cached_property
    def _space(self) -> dict[str, Any]:
        """The document of the search's space."""
        with self._store() as store:
            return dict(store.meta("space", {}))

    @cached_property
    def plugins(self) -> list[PluginRecord]:
        """What the run uses from outside evo_snn, as it stored it; nothing of it is run."""
        with self._store() as store:
            return [PluginRecord.from_document(one) for one in store.meta(PLUGINS, [])]

    @cached_property
    def environment(self) -> dict[str, str]:
        """Versions, platform and kernel that the run began with."""
        with self._store() as store:
            found: dict[str, str] = store.meta("environment", {})
        return found

    @cached_property
    def data_digest(self) -> str | None:
        """The SHA-256 over what the search saw of its data set; None if none is stored."""
        with self._store() as store:
            digest: str | None = store.meta(DATA_DIGEST)
        return digest

    @cached_property
    def leaky(self) -> str:
        """Why the accuracies of the run flatter: parts of its data set overlap; "" if not so."""
        with self._store() as store:
            return str(store.meta(LEAKY, ""))

    @cached_property
    def on_chip_path(self) -> Literal["fast", "exact"] | None:
        """How the search measured accuracies on the chip; None if it did not."""
        with self._store() as store:
            path: Literal["fast", "exact"] | None = store.meta(ON_CHIP_PATH)
        return path

    @property
    def hypervolume_box(self) -> dict[str, tuple[float, float]]:
        """Objective → (best, worst) in its own unit; empty before the run has fixed it."""
        with self._store() as store:
            box = store.meta(HYPERVOLUME_BOX, {})
        return {name: (float(best), float(worst)) for name, (best, worst) in box.items()}

    def candidates(self) -> pd.DataFrame:
        """Everything evaluated, in that order.

        Returns:
            One row a candidate: ``key``, ``genome`` (tuple), ``state``, ``generation``, ``parents``
            (tuple of keys), ``training_steps`` (its own, not its ancestors'), ``chip.KEY`` for each
            chip gene, then one column a metric, objectives first; NaN where a candidate has no such
            metric.
        """
        with self._store() as store:
            everything = store.candidates(details=False)
        return self._table(everything)

    def front(self) -> pd.DataFrame:
        """The non-dominated ``ok`` candidates over everything evaluated, all constraints met.

        Returns:
            The columns of `candidates`; the best in the first objective comes first. Candidates
            that lack an objective (NaN) are never on the front.
        """
        with self._store() as store:
            everything = store.candidates(details=False)
        table = self._table(everything)
        front = table[table["key"].isin([one.key for one in front_of(everything, self.objectives)])]
        first = self.objectives[0]
        # Ties stay in the order of evaluation.
        ordered = front.sort_values(first.name, ascending=not first.maximise, kind="stable")
        return ordered.reset_index(drop=True)

    def least_infeasible(self, n: int = 5) -> pd.DataFrame:
        """The infeasible candidates that come nearest to meeting all constraints.

        Returns:
            Up to ``n`` rows, the nearest first: ``key``, ``violation`` (the sum over constraints,
            each in units of its bound), then a column a violated metric with its value; NaN where
            it is met, or only a lower bound is known, as of what was never trained.
        """
        with self._store() as store:
            everything = store.candidates(details=False)
        infeasible = [one for one in everything if one.state == "infeasible"]
        # Ties stay in the order of evaluation.
        nearest = sorted(infeasible, key=lambda one: sum(one.violations.values()))[:n]
        violated = dict.fromkeys(name for one in nearest for name in one.violations)
        columns: dict[str, Any] = {
            "key": pd.Series([one.key for one in nearest], dtype=str),
            "violation": pd.Series([sum(one.violations.values()) for one in nearest], dtype=float),
        }
        for name in violated:
            values = [one.metrics.get(name) if name in one.violations else None for one in nearest]
            columns[name] = pd.Series(values, dtype=float)
        return pd.DataFrame(columns)

    @cached_property
    def constraints(self) -> dict[str, float | dict[str, float | None]]:
        """Metric → its bound, or both as ``min`` and ``max``, as the configuration has them."""
        with self._store() as store:
            return dict(store.meta("constraints", {}))

    def generations(self) -> pd.DataFrame:
        """The finished generations.

        Returns:
            ``generation``, ``hypervolume`` (of everything evaluated so far, in the run's box),
            ``evaluations`` (distinct candidates so far), ``seconds`` (of that generation).
        """
        with self._store() as store:
            records = store.generations()
            born = pd.Series(
                [each.generation for each in store.candidates(details=False)], dtype=int
            )
        return pd.DataFrame(
            {
                "generation": [record.number for record in records],
                "hypervolume": pd.Series([record.hypervolume for record in records], dtype=float),
                "evaluations": [int((born <= record.number).sum()) for record in records],
                "seconds": pd.Series([record.seconds for record in records], dtype=float),
            }
        )

    def candidate(self, key: str) -> Candidate:
        """One candidate by its key or the beginning of it.

        Raises:
            RequestError: If no key, or more than one, begins so.
        """
        with self._store() as store:
            return store.candidate(key)

    def cost(self, key: str) -> Cost:
        """The cost of a candidate on its chip, with its breakdown.

        It is computed anew from the stored workload, spike rates included.

        Raises:
            RequestError: If there is no such candidate, or it has no workload.
        """
        candidate = self.candidate(key)
        if candidate.workload is None:
            state = f"{candidate.key} ({candidate.state})"
            raise RequestError("key", state, "a candidate with a workload")
        cost: Cost = estimate(
            Workload.model_validate(candidate.workload), self.chip_of(candidate.key)
        )
        return cost

    def recost(
        self,
        chips: Chip | str | Sequence[Chip | str] = (),
        overrides: Mapping[str, Any] | None = None,
        *,
        ignore_bounds: bool = False,
    ) -> "Recosting":
        """All candidates on other chips, from what is stored: `evo_snn.recost.recost`."""
        from evo_snn.recost import recost

        return recost(self, chips, overrides, ignore_bounds=ignore_bounds)

    def weights_path(self, key: str) -> Path | None:
        """The safetensors file of a candidate's trained weights; None if they are not kept.

        Raises:
            RequestError: If no key, or more than one, begins so.
        """
        with self._store() as store:
            return store.weights_path(store.resolve(key))

    def _store(self) -> Store:
        return Store.open(self.folder)

    def _table(self, candidates: Sequence[Candidate]) -> pd.DataFrame:
        columns: dict[str, Any] = {
            name: pd.Series([getattr(candidate, name) for candidate in candidates], dtype=kind)
            for name, kind in _FIXED_COLUMNS.items()
        }
        chosen = [chosen_values(self._space, candidate.genome) for candidate in candidates]
        for key in dict.fromkeys(key for values in chosen for key in values):
            columns[f"{PREFIX}{key}"] = [values[key] for values in chosen]
        first = [objective.name for objective in self.objectives]
        others = {name for candidate in candidates for name in candidate.metrics} - set(first)
        for name in [*first, *sorted(others)]:
            values = [candidate.metrics.get(name) for candidate in candidates]
            columns[name] = pd.Series(values, dtype=float)
        return pd.DataFrame(columns)
