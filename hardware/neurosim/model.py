"""Putting the parts of the model together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genomes.errors import RequestError
from hardware.arrays import Floats, LayerArrays, total
from hardware.breakdown import Breakdown, added
from hardware.neurosim.area import Built, areas, built
from hardware.neurosim.crossbars import check_device
from hardware.neurosim.design import Design, design
from hardware.neurosim.elements import Elements, elements
from hardware.neurosim.leakage import chip_leakage, stale_leakage
from hardware.neurosim.neurons import Neurons, neurons
from hardware.neurosim.spikes import maps
from hardware.neurosim.tiles import Tiles, tiles
from hardware.neurosim.transport import Transport, pool_units, transport
from hardware.units import reading

if TYPE_CHECKING:
    from hardware.chip import Chip


def check(chip: Chip) -> None:
    """Refuse parameters that do not go together.

    Raises:
        RequestError: No figures for such crossbars, ADCs with too few levels, or a pipeline of
            layers that wait for each other's last step.
    """
    check_device(chip)
    reading(chip)
    if chip.values["pipelined"] and chip.word("schedule") == "layers":
        remedy = "Layers that work at once take one step after the other: schedule = 'steps'."
        raise RequestError("schedule", "layers", "steps where pipelined is true", remedy)
    if chip.number("columns_per_adc") > chip.number("crossbar_columns"):
        allowed = f"at most crossbar_columns {chip.number('crossbar_columns'):g}"
        raise RequestError("columns_per_adc", chip.number("columns_per_adc"), allowed)


def breakdown(layers: LayerArrays, chip: Chip) -> Breakdown:
    """Cost n workloads.

    Args:
        layers: Arrays over (candidate, layer).
        chip: A chip of this model.
    """
    plan = design(layers, chip)
    sent = maps(plan)
    made = built(plan, sent)
    parts = elements(plan)
    tiled = tiles(plan, parts, made)
    moved = transport(plan, sent, made)
    spiking = neurons(plan, sent)
    area = areas(plan, made, pool_units(plan))
    energy = _energies(plan, parts, tiled, moved)
    reads, steps = plan.matrices.times, layers.steps
    latency = first = _latencies(plan, parts, tiled, moved, reads, steps)
    if chip.values["pipelined"]:
        once = layers.executed
        first = _latencies(plan, parts, tiled, moved, once, once)
    state_bits = total(layers.present * 0)
    if spiking is not None:
        area = _merged(area, spiking.area)
        energy, latency = _merged(energy, spiking.energy), _merged(latency, spiking.time)
        ran = {"neuron": steps, "digital": reads}
        first = first | {
            # nothing of a layer that no inference comes to
            name: layers.executed * spiking.time[name] / np.where(times > 0, times, 1.0)
            for name, times in ran.items()
        }
        state_bits = spiking.state_bits
    times = added(latency)
    latency, interval = _operated(plan, latency, first, times)
    leakage = _leakage(plan, made, parts, spiking, times, interval)
    floor = plan.plan
    crossbars = floor.tiles * floor.pes * floor.crossbars_per_side**2
    tile_area = floor.tiles * plan.by_layer(made.tile)
    share = np.where(plan.present, plan.matrices.column_share, 1.0)
    weight_bits = layers.present * layers.weights * share * layers.weight_bits
    all_tiles = floor.all_tiles[:, 0]
    return Breakdown(
        area=area,
        layer_area=tile_area,
        energy=energy,
        leakage=leakage,
        latency=latency,
        interval=interval,
        crossbars=total(crossbars),
        tiles=all_tiles,
        utilisation=total(floor.utilisation * floor.tiles) / np.maximum(all_tiles, 1.0),
        memory_bits=total(weight_bits) + state_bits,
        layer_tiles=floor.tiles,
        speed_up=np.where(plan.present, floor.copies, layers.present),
    )


def _merged(parts: dict[str, Floats], more: dict[str, Floats]) -> dict[str, Floats]:
    """Components of both, added where both have one."""
    shared = {name: values + parts[name] for name, values in more.items() if name in parts}
    return parts | more | shared


def _energies(plan: Design, parts: Elements, tiled: Tiles, moved: Transport) -> dict[str, Floats]:
    """Dynamic energy of one inference in J by component, (n, L)."""
    present = plan.layers.present
    times, steps = plan.matrices.times * present, plan.layers.steps * present
    return {
        "adc": parts.conversion * times,
        "accumulation": (parts.accumulation + tiled.tree_energy + moved.tree_energy) * times,
        "buffer": (parts.buffer + tiled.buffer_energy + moved.buffer_in_energy) * times
        + moved.buffer_out_energy * steps,
        "interconnect": (parts.wire + tiled.wire_energy + moved.wire_in_energy) * times
        + moved.wire_out_energy * steps,
        "other": parts.other * times + (moved.activation_energy + moved.pool_energy) * steps,
    }


def _latencies(
    plan: Design, parts: Elements, tiled: Tiles, moved: Transport, times: Floats, steps: Floats
) -> dict[str, Floats]:
    """Time in s by component, (n, L), of so many steps, in `times` of which layers are read.

    Nothing overlaps.
    """
    present = plan.layers.present
    clock = plan.parts.clock
    once = times * present * clock
    reads = once * plan.present  # a digital layer is on no tile
    steps = steps * present * clock
    return {
        "adc": parts.adc_cycles * reads,
        "accumulation": (parts.tree_cycles + tiled.tree_cycles + moved.tree_cycles) * reads,
        "buffer": (parts.buffer_cycles + tiled.buffer_cycles) * reads
        + moved.buffer_in_cycles * once
        + moved.buffer_out_cycles * steps,
        "interconnect": tiled.wire_cycles * reads
        + moved.wire_in_cycles * once
        + moved.wire_out_cycles * steps,
        "other": (moved.activation_cycles + moved.pool_cycles) * steps,
    }


def _operated(
    plan: Design, latency: dict[str, Floats], first: dict[str, Floats], times: Floats
) -> tuple[dict[str, Floats], Floats]:
    """Latency by component as the chip is operated, and the interval between inferences, (n,).

    Layer-serial, layers and steps follow each other. Pipelined, a step goes through all layers
    while the next ones follow at the pace of the slowest: with d_l the time of the first step in
    layer l and t_l that of all its steps, latency is the sum of d but of t in the layer where t is
    most, which is the interval.
    """
    if not plan.chip.values["pipelined"]:
        return latency, total(times)
    slowest = np.arange(times.shape[1]) == times.argmax(axis=1)[:, None]
    operated = {name: np.where(slowest, all_, first[name]) for name, all_ in latency.items()}
    return operated, times.max(axis=1)


def _leakage(
    plan: Design,
    made: Built,
    parts: Elements,
    spiking: Neurons | None,
    times: Floats,
    interval: Floats,
) -> Floats:
    """Leakage in J of one inference, while each layer runs, (n, L)."""
    if plan.chip.word("leakage") == "neurosim":
        return stale_leakage(plan, made, parts, times)
    power = chip_leakage(plan, made)
    if spiking is not None:
        power = power + spiking.leakage
    whole = np.maximum(total(times), 1e-300)
    return (power * interval / whole)[:, None] * times
