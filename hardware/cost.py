"""The cost of one workload on one chip, with its breakdown, in the units of its fields' names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from genomes.workload import Workload
from hardware.arrays import Floats
from hardware.breakdown import Breakdown

_MM2, _UJ, _MS, _KB = 1e6, 1e6, 1e3, 8 * 1024


@dataclass(frozen=True)
class LayerCost:
    """One layer's share.

    Attributes:
        name: The layer's name.
        area_mm2: Area, or None where the layer shares tiles with others.
        energy_uj: Dynamic energy, and the leakage of the whole chip while the layer runs.
        latency_ms: Time that the layer adds to an inference.
        tiles: Tiles on which it lies, shared ones included.
        speed_up: Copies that work in parallel.
    """

    name: str
    area_mm2: float | None
    energy_uj: float
    latency_ms: float
    tiles: int
    speed_up: float


@dataclass(frozen=True)
class Cost:
    """What one inference of a workload takes on a chip. Components are disjoint.

    Attributes:
        area_mm2: Area of the chip.
        energy_uj: Energy of one inference, dynamic and leakage.
        dynamic_energy_uj: Dynamic part.
        leakage_energy_uj: Leakage part.
        latency_ms: First input to last output of one inference, all time steps.
        interval_ms: Between inferences where layers are pipelined.
        crossbars: Crossbars allocated.
        tiles: Tiles allocated.
        utilisation: Fraction of the allocated cells that hold weights.
        memory_kb: Weights and membrane state that the chip holds, in units of 1024 bytes.
        layers: By layer, in the workload's order.
        area_components_mm2: By component, adding up to `area_mm2`.
        energy_components_uj: By component, "leakage" among them, adding up to `energy_uj`.
        latency_components_ms: By component, adding up to `latency_ms`.
    """

    area_mm2: float
    energy_uj: float
    dynamic_energy_uj: float
    leakage_energy_uj: float
    latency_ms: float
    interval_ms: float
    crossbars: int
    tiles: int
    utilisation: float
    memory_kb: float
    layers: tuple[LayerCost, ...]
    area_components_mm2: Mapping[str, float]
    energy_components_uj: Mapping[str, float]
    latency_components_ms: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evo-snn estimate --json`` prints: every field but `memory_kb`."""
        document = asdict(self)
        del document["memory_kb"]
        document["layers"] = [asdict(layer) for layer in self.layers]
        return document


def summary(costs: Breakdown) -> dict[str, Floats]:
    """Return the totals of n candidates by metric name, (n,) each."""
    dynamic = costs.dynamic_energy * _UJ
    leakage = costs.leakage_energy * _UJ
    return {
        "area_mm2": costs.total_area * _MM2,
        "energy_uj": dynamic + leakage,
        "dynamic_energy_uj": dynamic,
        "leakage_energy_uj": leakage,
        "latency_ms": costs.total_latency * _MS,
        "interval_ms": costs.interval * _MS,
        "crossbars": costs.crossbars,
        "tiles": costs.tiles,
        "utilisation": costs.utilisation,
        "memory_kb": costs.memory_bits / _KB,
    }


def to_costs(costs: Breakdown, workloads: Sequence[Workload]) -> list[Cost]:
    """Unpack arrays into one `Cost` a workload."""
    totals = {name: values.tolist() for name, values in summary(costs).items()}
    area = {name: (values * _MM2).tolist() for name, values in costs.area.items()}
    energy = {name: (each * _UJ).tolist() for name, each in costs.component_energy.items()}
    energy["leakage"] = totals["leakage_energy_uj"]
    latency = {name: (each * _MS).tolist() for name, each in costs.component_latency.items()}
    by_layer = _layer_table(costs)
    result = []
    for index, workload in enumerate(workloads):
        numbers = {name: values[index] for name, values in totals.items()}
        numbers |= {name: int(numbers[name]) for name in ("crossbars", "tiles")}
        result.append(
            Cost(
                **numbers,
                layers=tuple(
                    _layer_cost(layer.name, row)
                    for layer, row in zip(workload.layers, by_layer[index], strict=False)
                ),
                area_components_mm2={name: values[index] for name, values in area.items()},
                energy_components_uj={name: values[index] for name, values in energy.items()},
                latency_components_ms={name: values[index] for name, values in latency.items()},
            )
        )
    return result


def _layer_table(costs: Breakdown) -> list[list[list[float]]]:
    """Area, energy, latency, tiles and speed-up as nested lists (n, L, 5)."""
    energy = sum(costs.energy.values(), start=costs.leakage) * _UJ
    latency = sum(costs.latency.values(), start=np.zeros_like(costs.leakage)) * _MS
    columns = (costs.layer_area * _MM2, energy, latency, costs.layer_tiles, costs.speed_up)
    table: list[list[list[float]]] = np.stack(columns, axis=-1).tolist()
    return table


def _layer_cost(name: str, row: list[float]) -> LayerCost:
    area, energy, latency, tiles, speed_up = row
    return LayerCost(
        name, None if math.isnan(area) else area, energy, latency, int(tiles), speed_up
    )
