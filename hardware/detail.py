"""Where energy and time go by layer and component at once: what figures draw.

A `Cost` has both breakdowns, each with the other summed; this is their product, made on request so
that costing a population stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genomes.workload import AnyWorkload, as_workloads
from hardware.arrays import Floats, pack
from hardware.chip import DEFAULT_CHIP, Chip
from hardware.estimator import resolve_chip
from hardware.models import MODELS

_UJ, _MS = 1e6, 1e3


@dataclass(frozen=True)
class Detail:
    """Energy and latency of one inference by component and layer.

    Attributes:
        layers: Names of the layers, in the workload's order.
        energy_uj: Component to its energy in each layer, "leakage" among them: what the whole chip
            leaks while the layer runs. A layer's parts add up to its `LayerCost.energy_uj`.
        latency_ms: Component to its time in each layer, adding up to `LayerCost.latency_ms`.
    """

    layers: tuple[str, ...]
    energy_uj: Mapping[str, tuple[float, ...]]
    latency_ms: Mapping[str, tuple[float, ...]]


def details(
    workloads: AnyWorkload | Sequence[AnyWorkload], chip: Chip | str = DEFAULT_CHIP
) -> list[Detail]:
    """Break workloads' energy and latency down by layer and component, one entry each.

    Args:
        workloads: What to cost, in one pass: workloads, their documents, or paths of their files.
        chip: A chip, the name of a preset, or the path of a chip's TOML file.

    Raises:
        RequestError: No such chip or workload.
    """
    many = as_workloads(workloads)
    if not many:
        return []
    resolved = resolve_chip(chip, None)
    costs = MODELS[resolved.model].breakdown(pack(many), resolved)
    energy = {**costs.energy, "leakage": costs.leakage}
    return [
        Detail(
            layers=tuple(layer.name for layer in workload.layers),
            energy_uj=_of_one(energy, index, len(workload.layers), _UJ),
            latency_ms=_of_one(costs.latency, index, len(workload.layers), _MS),
        )
        for index, workload in enumerate(many)
    ]


def _of_one(
    parts: Mapping[str, Floats], index: int, layers: int, unit: float
) -> dict[str, tuple[float, ...]]:
    """One workload's row of (n, L) arrays, without padding."""
    return {name: tuple((values[index, :layers] * unit).tolist()) for name, values in parts.items()}
