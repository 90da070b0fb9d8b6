"""Cost workloads on a chip: one or many, in full or totals only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from genomes.errors import RequestError
from genomes.workload import AnyWorkload, Workload, as_workloads
from hardware.arrays import Floats, pack
from hardware.chip import DEFAULT_CHIP, Chip, load_chip
from hardware.chip_file import checked_overrides
from hardware.cost import Cost, summary, to_costs
from hardware.models import MODELS

_KNOWN_WITHOUT_RATES = ("area_mm2", "latency_ms", "crossbars", "tiles", "energy_uj")


@overload
def estimate(  # type: ignore[overload-overlap] # a str is one path, no sequence of paths
    workload: AnyWorkload,
    chip: Chip | str = DEFAULT_CHIP,
    overrides: Mapping[str, Any] | None = None,
) -> Cost: ...


@overload
def estimate(
    workload: Sequence[AnyWorkload],
    chip: Chip | str = DEFAULT_CHIP,
    overrides: Mapping[str, Any] | None = None,
) -> list[Cost]: ...


def estimate(
    workload: AnyWorkload | Sequence[AnyWorkload],
    chip: Chip | str = DEFAULT_CHIP,
    overrides: Mapping[str, Any] | None = None,
) -> Cost | list[Cost]:
    """Cost one workload, or a list of them in one pass.

    Args:
        workload: One workload, or several; each as it is, as its document, or as the path of its
            JSON file.
        chip: A chip, the name of a preset, or the path of a chip's TOML file.
        overrides: Parameters of a chip that is given by name; key to value.

    Raises:
        RequestError: No such chip or workload, or an override that the chip does not take.
    """
    many = as_workloads(workload)
    resolved = resolve_chip(chip, overrides)
    costs = to_costs(MODELS[resolved.model].breakdown(pack(many), resolved), many) if many else []
    return costs[0] if isinstance(workload, Workload | Mapping | str | Path) else costs


def totals(workloads: Sequence[AnyWorkload], chip: Chip | str = DEFAULT_CHIP) -> dict[str, Floats]:
    """Return every total by name, (n,) each: the fast way where no breakdown is needed.

    The names are those of `Cost`: area_mm2, energy_uj, dynamic_energy_uj, leakage_energy_uj,
    latency_ms, interval_ms, crossbars, tiles, utilisation, memory_kb.
    """
    resolved = resolve_chip(chip, None)
    return summary(MODELS[resolved.model].breakdown(pack(as_workloads(workloads)), resolved))


def lower_bounds(
    workloads: Sequence[AnyWorkload], chip: Chip | str = DEFAULT_CHIP
) -> dict[str, Floats]:
    """Return what is known before spike rates are, (n,) each.

    area_mm2, latency_ms, crossbars and tiles are exact; energy_uj is the energy without a single
    spike, which no rate can go below.
    """
    resolved = resolve_chip(chip, None)
    silent = pack(as_workloads(workloads)).silent()
    found = summary(MODELS[resolved.model].breakdown(silent, resolved))
    return {name: found[name] for name in _KNOWN_WITHOUT_RATES}


def is_lossless(chip: Chip | str = DEFAULT_CHIP) -> bool:
    """Whether the chip computes exactly what the network does, as far as its model knows.

    False where more rows are read at once than the ADCs can tell apart: accuracy then has to be
    measured on the chip.
    """
    resolved = resolve_chip(chip, None)
    return MODELS[resolved.model].is_lossless(resolved)


def resolve_chip(chip: Chip | str, overrides: Mapping[str, Any] | None) -> Chip:
    """Return `chip` itself, or load it by name; overrides go with a name."""
    if not isinstance(chip, Chip):
        return load_chip(chip, overrides)
    if checked_overrides(overrides):
        allowed = "none where the chip is loaded already"
        raise RequestError("overrides", overrides, allowed, "Give them to load_chip.")
    return chip
