"""Figures of merit: numbers that papers compare, made of a workload and its cost.

Two counts of work, both over one inference with all its time steps:

- A *synaptic operation* is one weight applied to one input value at one output position: in a time
  step, weights x output positions of a layer; a layer whose input is the same in every step
  (``static_input``) computes them once. Steps are the mean ones where inferences stop early.
- *Dense* counts them all, as if every input were active. *Performed* counts, where the input is
  spikes (``input_bits`` of 1), only those whose input is a spike: the dense count times the layer's
  ``input_rate``. Where an input has more bits nothing is skipped, and both counts are the same.
- An *operation*, as in TOPS: a synaptic operation with a spike is one accumulate, 1 operation; with
  an input of more bits it is one multiply-accumulate, 2 operations, whatever its bits.

Dense figures compare with accelerators of other networks, which are quoted so; performed ones say
what the spikes that there are cost. Of one chip and network, a lower spike rate makes performed
figures worse, though less energy is used: they are no aim for a search.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from genomes.workload import Layer, Workload
from hardware.cost import Cost

_ACCUMULATE, _MULTIPLY_ACCUMULATE = 1, 2


@dataclass(frozen=True)
class Merit:
    """Figures of merit of one inference; None where a divisor is zero.

    One inference after the other: time is `Cost.latency_ms`, but where "pipelined" is said.

    Attributes:
        energy_delay_uj_ms: Energy-delay product, energy x latency, in uJ ms (1 uJ ms = 1 nJ s).
        energy_delay_area_uj_ms_mm2: Energy-delay-area product, energy x latency x area.
        power_mw: Mean power during an inference, energy / latency (1 uJ / ms = 1 mW).
        inferences_per_second: 1 / latency.
        pipelined_inferences_per_second: 1 / interval, where layers work on several inferences.
        dense_synaptic_operations: Synaptic operations, every input active.
        performed_synaptic_operations: Synaptic operations at the workload's spike rates.
        dense_operations: Operations, every input active.
        performed_operations: Operations at the workload's spike rates.
        dense_tops_per_w: Dense operations / energy, in 1e12 operations a joule.
        performed_tops_per_w: Performed operations / energy.
        dense_tops_per_mm2: Dense operations / latency / area, in 1e12 a second and mm2.
        performed_tops_per_mm2: Performed operations / latency / area.
        energy_per_dense_synaptic_operation_pj: Energy / dense synaptic operations.
        energy_per_performed_synaptic_operation_pj: Energy / performed synaptic operations.
    """

    energy_delay_uj_ms: float
    energy_delay_area_uj_ms_mm2: float
    power_mw: float | None
    inferences_per_second: float | None
    pipelined_inferences_per_second: float | None
    dense_synaptic_operations: float
    performed_synaptic_operations: float
    dense_operations: float
    performed_operations: float
    dense_tops_per_w: float | None
    performed_tops_per_w: float | None
    dense_tops_per_mm2: float | None
    performed_tops_per_mm2: float | None
    energy_per_dense_synaptic_operation_pj: float | None
    energy_per_performed_synaptic_operation_pj: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return what ``evo-snn estimate --json`` prints under ``merit``."""
        return asdict(self)


def figures_of_merit(workload: Workload, cost: Cost) -> Merit:
    """Return the figures of merit of a workload that costs so.

    Args:
        workload: What was costed; its spike rates count the performed operations.
        cost: Its cost on some chip.
    """
    layers = workload.layers
    dense = [float(_synaptic_operations(layer, workload.steps)) for layer in layers]
    performed = [
        count * (1.0 if layer.input_bits > 1 else layer.input_rate)
        for count, layer in zip(dense, layers, strict=True)
    ]
    dense_operations = _operations(dense, layers)
    performed_operations = _operations(performed, layers)
    energy, time, area = cost.energy_uj, cost.latency_ms, cost.area_mm2
    return Merit(
        energy_delay_uj_ms=energy * time,
        energy_delay_area_uj_ms_mm2=energy * time * area,
        power_mw=_ratio(energy, time),
        inferences_per_second=_ratio(1e3, time),
        pipelined_inferences_per_second=_ratio(1e3, cost.interval_ms),
        dense_synaptic_operations=sum(dense),
        performed_synaptic_operations=sum(performed),
        dense_operations=dense_operations,
        performed_operations=performed_operations,
        # 1e12 operations a joule are 1e6 operations a uJ; 1e12 a second are 1e9 a ms.
        dense_tops_per_w=_ratio(dense_operations / 1e6, energy),
        performed_tops_per_w=_ratio(performed_operations / 1e6, energy),
        dense_tops_per_mm2=_ratio(dense_operations / 1e9, time * area),
        performed_tops_per_mm2=_ratio(performed_operations / 1e9, time * area),
        energy_per_dense_synaptic_operation_pj=_ratio(energy * 1e6, sum(dense)),
        energy_per_performed_synaptic_operation_pj=_ratio(energy * 1e6, sum(performed)),
    )


def _synaptic_operations(layer: Layer, steps: float) -> float:
    runs = layer.executed * (1.0 if layer.static_input else steps)
    return layer.operations * layer.column_share * runs


def _operations(counts: list[float], layers: tuple[Layer, ...]) -> float:
    kinds = (_MULTIPLY_ACCUMULATE if layer.input_bits > 1 else _ACCUMULATE for layer in layers)
    return float(sum(count * kind for count, kind in zip(counts, kinds, strict=True)))


def _ratio(value: float, divisor: float) -> float | None:
    return value / divisor if divisor > 0 else None
