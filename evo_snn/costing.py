"""Metrics that follow from costs: what is known before training, and what measured rates give.

Whatever many candidates need is computed at once, one call for all that run on the same chip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from genomes.architecture import Architecture
from genomes.training_work import training_work
from genomes.workload import Workload
from hardware import Chip, Cost, lower_bounds, totals
from hardware.arrays import Floats
from hardware.machines import Machine

Number = TypeVar("Number", float, Floats)

KNOWN_COSTS = (
    "area_mm2", "latency_ms", "interval_ms", "crossbars", "tiles", "utilisation", "memory_kb"
)  # fmt: skip
"""Costs that do not depend on spike rates."""


def measured_metrics(
    architecture: Architecture, workload: Workload, cost: Cost
) -> dict[str, float]:
    """The package's metrics but those of accuracy, from measured spike rates and the final cost."""
    neurons = [layer.neurons for layer in workload.layers]
    rates = [layer.output_rate for layer in workload.layers]
    spiking = [n for n, layer in zip(neurons, architecture.layers, strict=True) if layer.neuron]
    per_step = sum(n * rate for n, rate in zip(neurons, rates, strict=True))
    return {
        **architecture_metrics(architecture),
        "area_mm2": cost.area_mm2,
        "latency_ms": cost.latency_ms,
        "interval_ms": cost.interval_ms,
        **products(cost.energy_uj, cost.latency_ms, cost.area_mm2),
        "crossbars": float(cost.crossbars),
        "tiles": float(cost.tiles),
        "utilisation": cost.utilisation,
        "memory_kb": cost.memory_kb,
        "spikes": per_step * workload.timesteps,
        "spike_rate": per_step / max(1, sum(spiking)),
    }


def training_metrics(
    architecture: Architecture, workload: Workload, samples: int, machine: Machine
) -> dict[str, float]:
    """What training took: `genomes.training_work` says what is counted.

    Args:
        architecture: of the candidate.
        workload: with its spike rates.
        samples: that gradient steps saw, each as often as it was seen.
        machine: that they are said to run on.
    """
    work = training_work(architecture, workload)
    return {
        "training_operations": samples * work.operations,
        "training_energy_j": machine.energy_j(work, samples),
    }


def architecture_metrics(architecture: Architecture) -> dict[str, float]:
    """The metrics that need no chip."""
    return {
        "parameters": float(architecture.parameters),
        "operations": float(architecture.operations),
        "time_steps": float(architecture.time_steps),
    }


def known_metrics(
    architectures: Sequence[Architecture], chips: Sequence[Chip]
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """What is known of candidates before they are trained, all of a chip at once.

    Args:
        architectures: of the candidates.
        chips: of each candidate its own.

    Returns:
        For each candidate the metrics that cannot change any more, and lower bounds of those
        that spike rates still raise: energy, and energy times latency, at a spike rate of zero.
    """
    if not architectures:
        return [], []
    workloads = [one.workload for one in architectures]
    known = costed(totals, workloads, chips)
    least_energy = costed(lower_bounds, workloads, chips)["energy_uj"]
    exact, lower = [], []
    for k, architecture in enumerate(architectures):
        costs = {name: float(known[name][k]) for name in KNOWN_COSTS}
        exact.append({**architecture_metrics(architecture), **costs})
        lower.append(products(float(least_energy[k]), costs["latency_ms"], costs["area_mm2"]))
    return exact, lower


def costed(
    cost: Callable[[Sequence[Workload], Chip], dict[str, Floats]],
    workloads: Sequence[Workload],
    chips: Sequence[Chip],
) -> dict[str, Floats]:
    """Costs by name, (n,) each, of workloads that run on each its own chip: one call a chip.

    Args:
        cost: `hardware.totals` or `hardware.lower_bounds`.
        workloads: n of them.
        chips: n of them; one that stands there many times is the same object.
    """
    places: dict[int, list[int]] = {}
    for k, chip in enumerate(chips):
        places.setdefault(id(chip), []).append(k)
    found: dict[str, Floats] = {}
    for rows in places.values():
        for name, values in cost([workloads[k] for k in rows], chips[rows[0]]).items():
            found.setdefault(name, np.empty(len(workloads)))[rows] = values
    return found


def products(energy_uj: Number, latency_ms: Number, area_mm2: Number) -> dict[str, Number]:
    """Energy, and the figures of merit that are products with it; of numbers or of arrays."""
    delay = energy_uj * latency_ms
    return {
        "energy_uj": energy_uj,
        "energy_delay_uj_ms": delay,
        "energy_delay_area_uj_ms_mm2": delay * area_mm2,
    }
