"""Runs that never happened, for looking at: plausible candidates with correlated costs.

Test folders are no packages, so tests get at this through the fixture ``examples``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evo_snn.candidate import ObjectiveRecord

ACCURACY = ObjectiveRecord("accuracy", maximise=True)
AREA = ObjectiveRecord("area_mm2", maximise=False, unit="mm2", log=True)
ENERGY = ObjectiveRecord("energy_uj", maximise=False, unit="uJ", log=True)
LATENCY = ObjectiveRecord("latency_ms", maximise=False, unit="ms", log=True)
SPIKES = ObjectiveRecord("spikes_per_inference", maximise=False, unit="spikes")
FOUR = (ACCURACY, AREA, ENERGY, LATENCY)
BOX = {
    "accuracy": (1.0, 0.0),
    "area_mm2": (0.5, 200.0),
    "energy_uj": (0.05, 100.0),
    "latency_ms": (0.002, 2.0),
    "spikes_per_inference": (0.0, 20_000.0),
}
COMPONENTS = (
    "crossbars",
    "adc",
    "dac",
    "accumulators",
    "lif_neurons",
    "buffers",
    "noc",
    "pooling",
    "control",
)


@dataclass(frozen=True)
class FakeLayerCost:
    name: str
    area_mm2: float | None
    energy_uj: float
    latency_ms: float


@dataclass(frozen=True)
class FakeCost:
    area_mm2: float
    energy_uj: float
    latency_ms: float
    layers: tuple[FakeLayerCost, ...]
    area_components_mm2: Mapping[str, float]
    energy_components_uj: Mapping[str, float]
    latency_components_ms: Mapping[str, float]


@dataclass(frozen=True)
class FakeRun:
    """What the plots need of a run, without a search."""

    table: pd.DataFrame
    folder: Path = Path("nowhere")
    objectives: Sequence[ObjectiveRecord] = FOUR
    hypervolume_box: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(BOX))

    def candidates(self) -> pd.DataFrame:
        return self.table

    def cost(self, key: str) -> FakeCost:
        row = self.table.set_index("key").loc[key]
        return make_cost(
            float(row["area_mm2"]),
            float(row["energy_uj"]),
            float(row["latency_ms"]),
            seed=int(key[:4], 16),
        )

    def rows(self, mask: np.ndarray) -> FakeRun:
        return replace(self, table=self.table[mask].reset_index(drop=True))


def make_cost(area: float, energy: float, latency: float, seed: int) -> FakeCost:
    """Split totals into parts that add up to them (energy by layer leaves 10 % to leakage)."""
    rng = np.random.default_rng(seed)

    def split(total: float, names: Sequence[str]) -> dict[str, float]:
        shares = rng.dirichlet(np.linspace(3, 0.2, len(names)))
        return dict(zip(names, (total * shares).tolist(), strict=True))

    names = [f"stage{i // 2}.conv{i % 2}" for i in range(rng.integers(3, 8))] + ["readout"]
    areas, energies, latencies = (split(t, names) for t in (area, 0.9 * energy, latency))
    layers = [FakeLayerCost(n, areas[n], energies[n], latencies[n]) for n in names]
    layers[-1] = replace(layers[-1], area_mm2=None)
    return FakeCost(
        area,
        energy,
        latency,
        tuple(layers),
        split(area, COMPONENTS),
        split(energy, [*COMPONENTS, "leakage"]),
        split(latency, ["crossbar_read", "adc", "noc"]),
    )


def make_table(count: int = 250, generations: int = 10, seed: int = 0) -> pd.DataFrame:
    """Candidates whose accuracy saturates with size and whose costs go with size, too."""
    rng = np.random.default_rng(seed)
    generation = np.sort(np.arange(count) % max(1, generations))
    progress = generation / max(1, generations - 1)
    size = rng.normal(0.0, 0.9, count) - 0.2 * progress
    steps = rng.choice([2, 4, 6, 8], count)
    skill = 2.2 + 0.9 * size + 0.25 * steps + 1.2 * progress + rng.normal(0, 0.8, count)
    area = 12 * np.exp(1.1 * size + rng.normal(0, 0.25, count))
    energy = 0.35 * steps * np.exp(0.9 * size + rng.normal(0, 0.35, count))
    latency = 0.012 * steps * np.exp(0.3 * size + rng.normal(0, 0.3, count))
    state = np.where(area > 60, "infeasible", "ok")
    state[rng.random(count) < 0.02] = "failed"
    table = pd.DataFrame(
        {
            "key": [rng.bytes(16).hex() for _ in range(count)],
            "genome": [tuple(rng.integers(0, 4, 5).tolist()) for _ in range(count)],
            "state": state,
            "generation": generation,
            "parents": [() for _ in range(count)],
            "accuracy": 0.1 + 0.89 / (1 + np.exp(-skill)),
            "area_mm2": area,
            "energy_uj": energy,
            "latency_ms": latency,
            "spikes_per_inference": np.round(400 * energy / area * rng.lognormal(0, 0.3, count)),
        }
    )
    unmeasured = (table["state"] == "failed") | (table["area_mm2"] > 75)
    table.loc[unmeasured, ["accuracy", "spikes_per_inference"]] = np.nan
    table.loc[table["state"] == "failed", ["area_mm2", "energy_uj", "latency_ms"]] = np.nan
    return table


@pytest.fixture(scope="session")
def examples() -> SimpleNamespace:
    return SimpleNamespace(
        **{name: value for name, value in globals().items() if not name.startswith("_")}
    )


@pytest.fixture(scope="session")
def run() -> FakeRun:
    return FakeRun(make_table())


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture(autouse=True)
def _settings_stay_as_they_are() -> Iterator[None]:
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
