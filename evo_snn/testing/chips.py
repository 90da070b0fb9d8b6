"""The contract of a chip: every number has its source, and costs hang together."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evo_snn.testing.elsewhere import elsewhere, expect
from genomes.spaces import make_space
from genomes.workload import Workload
from hardware import Chip, Cost, estimate, is_lossless, load_chip, lower_bounds, totals

_REL = 1e-9
_WORKLOADS = 20
_LARGEST_WINDOW = 8  # pooled positions of the networks that are tried, at most
_HOMELESS = ("", "?", "-", "todo", "tbd", "unknown")


def check_chip(name_or_path: str | Path, *, searchable: bool = True) -> None:
    """Check a chip, by name or its TOML file, on random workloads.

    Every parameter has a source and a meaning, and can be overridden by its own value; costs are
    finite and positive, breakdowns add up to totals, spikes cost energy and no area, lower bounds
    are bounds, and one workload costs alone what it costs among others; the chip can be stored with
    a run and read back; another process finds the same costs.

    Args:
        name_or_path: a chip's name, or its file.
        searchable: whether a search may use it, which needs a chip that reads without loss.

    Raises:
        AssertionError: what is wrong.
    """
    name = str(name_or_path)
    if name.endswith(".toml"):
        name = str(Path(name).resolve())
    chip = load_chip(name)
    _check_parameters(chip, name)
    workloads = _workloads()
    costs = estimate(workloads, chip)
    for cost in costs:
        _check_cost(cost, crossbars="crossbar_rows" in chip.values)
    _check_batches(chip, workloads, costs)
    _check_rates(chip, workloads)
    document = json.loads(json.dumps(chip.to_document()))
    expect(Chip.from_document(document) == chip, f"{chip.name} is not read back as it was stored")
    if searchable:
        expect(is_lossless(chip), f"{chip.name} rounds what it reads: searches refuse it")
    there = elsewhere(chip_fingerprint, name)
    expect(there == chip_fingerprint(name), f"{chip.name} costs something else in another process")


def chip_fingerprint(name: str) -> list[str]:
    """The exact costs of the workloads that are tried."""
    return [json.dumps(cost.to_dict(), sort_keys=True) for cost in estimate(_workloads(), name)]


def _workloads() -> list[Workload]:
    """Networks of the plain space for images and signals, at invented spike rates."""
    rng = np.random.default_rng(0)
    found = []
    for shape in ((1, 8, 8), (3, 32, 32), (2, 40)):
        space = make_space("plain", shape, 10)
        for genome in space.sample(_WORKLOADS, rng):
            workload = space.decode(genome).workload
            rates = {layer.name: tuple(rng.uniform(0, 1, 2).tolist()) for layer in workload.layers}
            found.append(workload.with_rates(rates))
    return found


def _check_parameters(chip: Chip, name: str) -> None:
    expect(chip.summary.strip(), f"{chip.name} has no summary; lists show it")
    expect(chip.parameters, f"{chip.name} has no parameters")
    cost = estimate(_workloads()[0], chip)
    for parameter in chip.parameters:
        place = f"parameter {parameter.name!r} of {chip.name}"
        source = parameter.source.strip()
        homeless = source.lower() in _HOMELESS or source == name or source.endswith(".toml")
        expect(not homeless, f"{place} has no source: where is {parameter.value!r} from?")
        expect(parameter.description.strip(), f"{place} has no description")
        values = parameter.value if isinstance(parameter.value, tuple) else (parameter.value,)
        for value in values:
            if isinstance(value, str):
                continue
            low, high = parameter.range or (-math.inf, math.inf)
            expect(math.isfinite(value), f"{place} is {value}")
            expect(low <= value <= high, f"{place} is {value}, outside its own range")
        same = load_chip(name, {parameter.name: _toml_value(parameter.value)})
        again = estimate(_workloads()[0], same)
        expect(again == cost, f"{place}: setting it to what it is changes the cost")


def _toml_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _check_cost(cost: Cost, *, crossbars: bool = True) -> None:
    for name in ("area_mm2", "energy_uj", "latency_ms", "interval_ms", "memory_kb"):
        value = getattr(cost, name)
        expect(math.isfinite(value) and value > 0, f"{name} is {value}; allowed: finite and > 0")
    for name in ("dynamic_energy_uj", "leakage_energy_uj"):
        value = getattr(cost, name)
        expect(math.isfinite(value) and value >= 0, f"{name} is {value}; allowed: finite, >= 0")
    expect(
        cost.crossbars >= crossbars and cost.tiles >= 1,
        f"{cost.crossbars} crossbars, {cost.tiles} tiles",
    )
    expect(0 < cost.utilisation <= 1, f"utilisation is {cost.utilisation}; allowed: within 0 and 1")
    expect(
        cost.interval_ms <= cost.latency_ms * (1 + _REL),
        f"an inference every {cost.interval_ms} ms, and each takes {cost.latency_ms} ms",
    )
    sums = {
        "dynamic and leakage energy": (
            [cost.dynamic_energy_uj, cost.leakage_energy_uj],
            cost.energy_uj,
        ),
        "area by component": (cost.area_components_mm2.values(), cost.area_mm2),
        "energy by component": (cost.energy_components_uj.values(), cost.energy_uj),
        "latency by component": (cost.latency_components_ms.values(), cost.latency_ms),
        "energy by layer": ([layer.energy_uj for layer in cost.layers], cost.energy_uj),
        "latency by layer": ([layer.latency_ms for layer in cost.layers], cost.latency_ms),
    }
    for what, (parts, total) in sums.items():
        each = list(parts)
        expect(all(part >= 0 for part in each), f"{what}: a part is negative: {each}")
        expect(
            math.isclose(math.fsum(each), total, rel_tol=_REL),
            f"{what} adds up to {math.fsum(each)}, and the total is {total}",
        )


def _check_batches(chip: Chip, workloads: Sequence[Workload], costs: Sequence[Cost]) -> None:
    columns = totals(workloads, chip)
    for index, (workload, cost) in enumerate(zip(workloads, costs, strict=True)):
        alone = estimate(workload, chip)
        for name, values in columns.items():
            one, among, total = getattr(alone, name), getattr(cost, name), float(values[index])
            same = math.isclose(one, among, rel_tol=_REL)
            expect(same, f"{name} is {one} for a workload alone, and {among} among others")
            same = math.isclose(total, among, rel_tol=_REL)
            expect(same, f"{name} is {total} in totals, and {among} in the estimate")
    expect(estimate(list(workloads), chip) == list(costs), "the same workloads cost something else")


def _check_rates(chip: Chip, workloads: Sequence[Workload]) -> None:
    """Spikes cost energy, and change neither area nor what is known before training.

    Above one half a line toggles less often the more spikes there are, so energy need not grow
    there; nor where pooling raises the rate of what is sent above it.
    """

    def at(rate: float) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        changed = [
            one.with_rates({layer.name: (rate, sent(rate)) for layer in one.layers})
            for one in workloads
        ]
        return totals(changed, chip)

    def sent(rate: float) -> float:
        return rate if rate == 1.0 else rate / _LARGEST_WINDOW

    silent, some, half, full = at(0.0), at(0.2), at(0.5), at(1.0)
    for name in ("area_mm2", "crossbars", "tiles", "memory_kb"):
        expect(np.array_equal(silent[name], full[name]), f"{name} depends on spike rates")
    energies = np.stack([each["energy_uj"] for each in (silent, some, half)])
    expect((np.diff(energies, axis=0) >= -_REL * energies[1:]).all(), "spikes save energy")
    bounds = lower_bounds(workloads, chip)
    for name, values in bounds.items():
        least = np.minimum.reduce([each[name] for each in (silent, some, half, full)])
        expect(
            (values <= least * (1 + _REL)).all(),
            f"{name}: the lower bound is no bound at all rates",
        )
