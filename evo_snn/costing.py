"""Metrics that follow from costs: what is known before training, and what measured rates give.

Whatever many candidates need is computed at once, one call for all that run on the same chip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from evo_snn.measured import Measured
from genomes.architecture import Architecture
from genomes.training_work import training_work
from genomes.workload import Workload
from hardware import Chip, Cost, estimate, lower_bounds, totals
from hardware.arrays import Floats
from hardware.machines import Machine

Number = TypeVar("Number", float, Floats)

KNOWN_COSTS = (
    "area_mm2", "latency_ms", "interval_ms", "crossbars", "tiles", "utilisation", "memory_kb"
)  # fmt: skip
"""Costs that do not depend on spike rates."""

TIMES = ("latency_ms", "interval_ms")
"""Those of them that depend on how soon inferences end, where they end early."""


def measured_workload(architecture: Architecture, measured: Measured) -> Workload:
    """What a chip executes with measured spike rates, and as long as inferences took."""
    workload = architecture.workload.with_rates(measured.rates)
    return architecture.ended(workload, measured.ends) if measured.ends else workload


def measured_metrics(
    architecture: Architecture, workload: Workload, cost: Cost
) -> dict[str, float]:
    """The package's metrics but those of accuracy, from measured spike rates and the final cost."""
    neurons = [layer.neurons for layer in workload.layers]
    rates = [layer.output_rate for layer in workload.layers]
    parts = zip(workload.layers, architecture.parts, strict=True)
    # what only adds to a current that nodes have the neurons of has none itself
    spiking = [
        work.neurons
        for work, (layer, _) in parts
        if work.neuron_state_bits and not layer.is_readout
    ]
    fired = [n * rate for n, rate in zip(neurons, rates, strict=True)]
    per_step = sum(fired)
    executed = sum(n * layer.executed for n, layer in zip(fired, workload.layers, strict=True))
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
        "mean_time_steps": workload.steps,
        "mean_layers": mean_layers(architecture, workload),
        "spikes": workload.steps * executed,
        "spike_rate": per_step / max(1, sum(spiking)),
    }


def decision_latency_ms(workload: Workload, chip: Chip, recording_ms: float) -> float:
    """Mean time from the beginning of a recording to the decision on it.

    A time step reads the part of the recording that arrives in F = ``recording_ms`` / time steps.
    The chip takes C for one step and L for an inference of m steps. Where it keeps up with the
    recording, the decision follows C after the last part has arrived: m F + C; where it is slower,
    it has worked without a pause since the first part: F + L. The later one counts. A chip that
    runs all time steps of a layer before the next layer begins when the recording has ended.

    Args:
        workload: as measured, with as many mean time steps as inferences took.
        chip: that runs it.
        recording_ms: mean duration of a recording. Time steps count as equally long parts of it; of
            frames of equally many events they are so on average only.
    """
    whole = estimate(workload, chip).latency_ms
    if chip.values.get("schedule") == "layers":
        return recording_ms + whole
    step = workload.model_copy(update={"timesteps": 1, "mean_timesteps": None})
    part = recording_ms / workload.timesteps
    kept_up = workload.steps * part + estimate(step, chip).latency_ms
    return max(kept_up, part + whole)


def mean_layers(architecture: Architecture, workload: Workload) -> float:
    """Layers that an inference takes on average; one whose channels differ in bits is one layer."""
    parts = zip(architecture.parts, workload.layers, strict=True)
    return sum(work.executed / len(layer.parts) for (layer, _), work in parts)


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
    soonest = [_ended_at_once(*pair) for pair in zip(architectures, workloads, strict=True)]
    least_energy = costed(lower_bounds, soonest, chips)["energy_uj"]
    ends_early = any(one.exit is not None for one in architectures)
    least = costed(totals, soonest, chips) if ends_early else known
    exact, lower = [], []
    for k, architecture in enumerate(architectures):
        costs = {name: float(known[name][k]) for name in KNOWN_COSTS}
        bounds = {name: float(least[name][k]) for name in TIMES}
        products_of = bounds["latency_ms"], costs["area_mm2"]
        if architecture.exit is None:
            bounds = {}
        else:  # how soon inferences end is measured
            costs = {name: value for name, value in costs.items() if name not in TIMES}
        exact.append({**architecture_metrics(architecture), **costs})
        lower.append({**bounds, **products(float(least_energy[k]), *products_of)})
    return exact, lower


def _ended_at_once(architecture: Architecture, workload: Workload) -> Workload:
    """The workload if every inference were to end at the first decision."""
    return architecture.ended(workload, (1.0, *[0.0] * (architecture.decisions - 1)))


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
