"""The crossbar model: RRAM crossbars in shared tiles, with digital neurons.

Equations, meanings and limits are in docs/hardware.md; the counts are in `mapping` and `inventory`,
the unit costs in `units`. Energy and latency are sums over what happens, area over what is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Floats, LayerArrays, total
from hardware.breakdown import Breakdown, added
from hardware.inventory import Inventory, build, doublings
from hardware.units import FJ, MM, NS, NW, UM, UM2, check_resistances, reading

if TYPE_CHECKING:
    from hardware.chip import Chip

#: Mean distance along both axes between two places in a square, in sides.
_MEAN_DISTANCE = 2 / 3

#: Spikes that one pooling unit takes.
_POOL_INPUTS = 4.0


def check(chip: Chip) -> None:
    """Refuse parameters that do not go together.

    Raises:
        RequestError: More rows per read than rows, too few levels for one row, or cells that
            conduct as much off as on.
    """
    check_resistances(chip)
    reading(chip)


def breakdown(layers: LayerArrays, chip: Chip) -> Breakdown:
    """Cost n workloads.

    Args:
        layers: Arrays over (candidate, layer).
        chip: A chip of this model.
    """
    parts = build(layers, chip)
    own = _own_areas(parts)
    area = {name: total(values) for name, values in own.items()} | _shared_areas(parts)
    side = np.sqrt(added(area))
    area["interconnect"] = area["interconnect"] + _bus_area(parts, 2 * side)
    energy = _energies(parts, side[:, None])
    latency = _latencies(parts, side[:, None])
    layer_time = added(latency)
    layer_tiles, layer_area = _by_layer(parts, added(own))
    cells = chip.number("crossbar_rows") * chip.number("crossbar_columns")
    mapping = parts.mapping
    built = layers.weights * np.where(layers.digital > 0, 1.0, mapping.column_share)
    used = total(layers.memory * built * mapping.slices * mapping.copies)
    weight_bits = layers.present * built * layers.weight_bits + _table_bits(parts)
    return Breakdown(
        area=area,
        layer_area=layer_area,
        energy=energy,
        leakage=(_leakage_power(parts, side)[:, None] * layer_time),
        latency=latency,
        interval=layer_time.max(axis=1),
        crossbars=parts.allocated,
        tiles=parts.tiles,
        utilisation=used / np.maximum(parts.allocated * cells, 1.0),
        memory_bits=total(weight_bits + parts.state_bits),
        layer_tiles=layer_tiles,
        speed_up=parts.copies,
    )


def _own_areas(parts: Inventory) -> dict[str, Floats]:
    """Area in m2 of the parts that belong to one layer, by component, (n, L)."""
    units, logic, chip = parts.units, parts.logic, parts.chip
    density = chip.number("layout_density")
    neuron = _neuron_bits(parts, chip.number("neuron_area_um2") * UM2, logic.adder_area)
    pool = np.where(
        parts.layers.average_pool > 0,
        logic.accumulator_area(parts.pooled_bits, parts.pooled_bits),
        chip.number("pool_area_um2") * UM2,
    )
    weight_memory = parts.layers.digital * parts.layers.weights * parts.layers.weight_bits
    areas = {
        "array": parts.crossbars * units.cell_area,
        "driver": parts.crossbars * units.driver_area,
        "adc": parts.crossbars * units.adc_area,
        "accumulation": _accumulator_bits(parts, logic.adder_area, logic.register_area)
        + _table_bits(parts) * logic.sram_area,
        "neuron": parts.neuron_units * neuron,
        "membrane": (parts.state_bits + parts.constant_bits) * logic.sram_area,
        "buffer": parts.buffer_bits * logic.sram_area,
        "digital": parts.macs * logic.accumulator_area(parts.sum_bits, parts.sum_bits)
        + weight_memory * logic.sram_area,
        "other": parts.pool_units * pool,
    }
    return {name: values / density for name, values in areas.items()}


def _table_bits(parts: Inventory) -> Floats:
    """Bits of the table that says to which output each column of a row block belongs, (n, L)."""
    return parts.placed_sums * parts.place_bits


def _shared_areas(parts: Inventory) -> dict[str, Floats]:
    """Area in m2 that layers share, by component, (n,): idle crossbars, the tiles' buses."""
    idle = (parts.allocated - total(parts.crossbars)) * parts.units.crossbar_area
    return {
        "idle": idle / parts.chip.number("layout_density"),
        "interconnect": _bus_area(parts, parts.tiles * 2 * _tile_side(parts)),
    }


def _accumulator_bits(parts: Inventory, adder: float, register: float) -> Floats:
    """Adder and register bits of the crossbars' accumulators, each times its unit cost, (n, L).

    Every ADC has a unit that shifts and adds slices, where there are several, and one that adds
    partial sums; every row has a full adder of the count that offset weights need.
    """
    sliced = parts.mapping.shifted_bits > parts.chip.number("cell_bits")
    shift_add = sliced * ((parts.read.bits + 1) * adder + parts.converted_bits * register)
    merge = parts.sum_bits * (adder + register)
    counters = _is_offset(parts) * parts.layers.groups * parts.mapping.rows * adder
    return (
        parts.crossbars * parts.units.adcs * (shift_add + merge)
        + parts.layers.memory * parts.mapping.copies * counters
    )


def _neuron_bits(parts: Inventory, neuron: float, adder: float) -> Floats:
    """State bits of a neuron, each times the unit cost of its update and of its leak, (n, L)."""
    return parts.layers.state_bits * (neuron + parts.chip.number("leak_adders") * adder)


def _energies(parts: Inventory, side: Floats) -> dict[str, Floats]:
    """Dynamic energy of one inference in J by component, (n, L); `side` is the chip's, in m."""
    layers, logic = parts.layers, parts.logic
    updates = (
        layers.present * layers.steps * layers.driven * layers.updates * (layers.state_bits > 0)
    )
    has_state = layers.timesteps > 1
    neuron = _neuron_bits(parts, parts.chip.number("neuron_energy_fj") * FJ, logic.adder_energy)
    state_access = has_state * (logic.sram_read + logic.sram_write)
    operations = layers.weights * layers.positions * parts.mapping.passes
    digital = layers.digital * operations * layers.weight_bits * logic.sram_read
    digital_sums = layers.digital * operations * layers.input_rate
    return _read_energies(parts) | {
        "accumulation": _accumulation_energy(parts),
        "neuron": updates * neuron,
        "membrane": updates * layers.state_bits * (state_access + 2 * logic.sram_read),
        "buffer": _buffer_energy(parts),
        "interconnect": _wire_energy(parts, side),
        "digital": digital + digital_sums * logic.accumulate(parts.sum_bits, parts.sum_bits),
        "other": _pool_energy(parts),
    }


def _read_energies(parts: Inventory) -> dict[str, Floats]:
    """Reading crossbars: cells' current, drivers and multiplexers, ADCs."""
    units, mapping, layers = parts.units, parts.mapping, parts.layers
    vectors = layers.memory * mapping.vectors
    matrix_columns = layers.groups * mapping.columns
    active_rows = layers.groups * mapping.rows * layers.input_rate
    block_reads = mapping.crossbars * mapping.block_reads
    return {
        "array": vectors * (matrix_columns * mapping.rows * layers.input_rate * units.cell_energy),
        "driver": vectors
        * (
            active_rows * mapping.column_blocks * mapping.steps * units.step_energy
            + block_reads * (mapping.steps * units.clock_energy + units.mux_energy)
        ),
        "adc": vectors * (matrix_columns * mapping.column_reads * units.adc_energy),
    }


def _accumulation_energy(parts: Inventory) -> Floats:
    """Putting slices, partial sums and input bits together, and taking the offset out."""
    logic, mapping, layers = parts.logic, parts.mapping, parts.layers
    sliced = mapping.shifted_bits > parts.chip.number("cell_bits")
    conversions = layers.groups * mapping.columns * mapping.column_reads
    shift_add = logic.accumulate(np.asarray(parts.read.bits + 1.0), parts.converted_bits)
    merge = logic.accumulate(parts.sum_bits, parts.sum_bits)
    counting = _is_offset(parts) * layers.groups * mapping.rows * logic.adder_energy
    return (
        layers.memory
        * mapping.vectors
        * (
            conversions * sliced * shift_add
            + layers.out_channels * parts.output_additions * merge
            + counting
            + _table_bits(parts) * logic.sram_read
        )
    )


def _buffer_energy(parts: Inventory) -> Floats:
    """Writing each input once, reading it for each position; held sums; residual maps."""
    logic, layers, mapping = parts.logic, parts.layers, parts.mapping
    inputs = layers.in_channels * layers.input_positions
    fetched = layers.positions * layers.groups * layers.rows
    held = parts.held * parts.pooled_bits
    residual = layers.residual_inputs * layers.out_channels * layers.stored_positions
    residual_bits = residual * parts.map_bits
    return layers.present * (
        mapping.passes * (inputs * logic.sram_write + fetched * logic.sram_read)
        + held * (layers.executed * logic.sram_write + layers.steps * logic.sram_read)
        + layers.steps * residual_bits * (logic.sram_write + logic.sram_read)
    )


def _wire_energy(parts: Inventory, side: Floats) -> Floats:
    """Inputs to and sums from crossbars within a tile; stored maps from layer to layer."""
    layers, mapping, chip = parts.layers, parts.mapping, parts.chip
    wire = chip.number("wire_energy_fj_per_mm") * FJ / MM * _MEAN_DISTANCE
    inputs = layers.groups * mapping.rows * mapping.column_blocks * _toggle(layers.input_rate)
    built = layers.out_channels * mapping.column_share
    sums = built * mapping.row_blocks * parts.converted_bits
    in_tile = mapping.vectors * (inputs + sums * chip.number("sum_toggle")) * _tile_side(parts)
    sent = layers.steps * layers.stored_positions * _sent_bits(parts)
    across = sent * _toggle(_stored_rate(layers)) * side
    return (layers.memory * in_tile + layers.present * across) * wire


def _sent_bits(parts: Inventory) -> Floats:
    """Bits sent across the chip for one stored position: its map, and those merged into it."""
    layers = parts.layers
    return layers.out_channels * parts.map_bits * (layers.populations + layers.residual_inputs)


def _stored_rate(layers: LayerArrays) -> Floats:
    """Spikes per stored value and step: OR of a window of independent spikes, where they pool."""
    pooled = 1 - (1 - layers.output_rate) ** layers.window
    return np.where(layers.average_pool > 0, layers.output_rate, pooled)


def _pool_energy(parts: Inventory) -> Floats:
    """Pooling spikes (a unit of four) or sums (an addition each), and combining residual maps.

    Sums of a static input are pooled once, before they are held.
    """
    layers, logic = parts.layers, parts.logic
    stored = layers.out_channels * layers.stored_positions
    spike_pool = layers.steps * stored * np.ceil(layers.window / _POOL_INPUTS)
    sum_pool = layers.runs * layers.out_channels * layers.positions
    pooled = np.where(
        layers.average_pool > 0,
        sum_pool * logic.accumulate(parts.pooled_bits, parts.pooled_bits),
        spike_pool * (parts.chip.number("pool_energy_fj") * FJ),
    )
    combined = layers.steps * layers.residual_inputs * stored * parts.map_bits
    return layers.present * (pooled * (layers.window > 1) + combined * logic.adder_energy)


def _latencies(parts: Inventory, side: Floats) -> dict[str, Floats]:
    """Time of one inference in s by component, (n, L): everything one after the other."""
    layers, mapping, units, chip = parts.layers, parts.mapping, parts.units, parts.chip
    sequential = layers.memory * np.ceil(layers.positions / mapping.copies) * mapping.passes
    conversions = sequential * mapping.block_reads * mapping.steps
    bus = chip.number("bus_bits")
    fetches = np.ceil(layers.groups * mapping.rows / bus)
    copies = np.maximum(parts.copies, 1.0)
    neuron_positions = np.ceil(layers.driven / layers.out_channels / copies)
    has_neurons = layers.present * (layers.state_bits > 0)
    updates = has_neurons * layers.steps * neuron_positions * layers.updates
    sent = layers.present * layers.steps * np.ceil(layers.stored_positions / copies)
    flight = _MEAN_DISTANCE * side * (chip.number("wire_delay_ns_per_mm") * NS / MM)
    macs = np.ceil(layers.weights * layers.positions / chip.number("digital_units"))
    return {
        "array": conversions * units.settle_time,
        "adc": conversions * units.conversion_time,
        "accumulation": sequential * (1 + doublings(mapping.row_blocks)) * units.clock_time,
        "neuron": updates * parts.sharing * units.clock_time,
        "buffer": sequential * fetches * units.clock_time,
        "interconnect": sent * (np.ceil(_sent_bits(parts) / bus) * units.clock_time + flight),
        "digital": layers.digital * macs * mapping.passes * units.clock_time,
    }


def _leakage_power(parts: Inventory, side: Floats) -> Floats:
    """Leakage in W, (n,), of all parts for which the chip has a figure."""
    logic, chip = parts.logic, parts.chip
    bits = parts.state_bits + parts.constant_bits + parts.buffer_bits + _table_bits(parts)
    weights = parts.layers.digital * parts.layers.weights * parts.layers.weight_bits
    neuron_leakage = chip.number("neuron_leakage_nw") * NW
    neurons = parts.neuron_units * _neuron_bits(parts, neuron_leakage, logic.adder_leakage)
    macs = parts.macs * logic.accumulator_leakage(parts.sum_bits, parts.sum_bits)
    accumulators = _accumulator_bits(parts, logic.adder_leakage, logic.register_leakage)
    pooling = (parts.layers.average_pool * parts.pool_units) * logic.accumulator_leakage(
        parts.pooled_bits, parts.pooled_bits
    )
    wires = parts.tiles * 2 * _tile_side(parts) + 2 * side
    wire = chip.number("bus_bits") * chip.number("wire_leakage_nw_per_mm") * NW / MM
    return (
        parts.allocated * parts.units.crossbar_leakage
        + total((bits + weights) * logic.sram_leakage + neurons + macs + accumulators + pooling)
        + wires * wire
    )


def _by_layer(parts: Inventory, own_area: Floats) -> tuple[Floats, Floats]:
    """Tiles that each layer touches, and its area in m2 where it shares no tile, else NaN."""
    per_tile = parts.chip.number("crossbars_per_tile")
    end = np.cumsum(parts.crossbars, axis=1)
    start = end - parts.crossbars
    has_tiles = parts.crossbars > 0
    tiles = np.where(has_tiles, np.ceil(end / per_tile) - np.floor(start / per_tile), 0.0)
    is_last = end == end[:, -1:]
    shared = has_tiles & ((start % per_tile > 0) | ((end % per_tile > 0) & ~is_last))
    unit = parts.units.crossbar_area / parts.chip.number("layout_density")
    idle = np.where(has_tiles & is_last, (tiles * per_tile - parts.crossbars) * unit, 0.0)
    buses = _bus_area(parts, tiles * 2 * _tile_side(parts))
    return tiles, np.where(shared, np.nan, own_area + idle + buses)


def _bus_area(parts: Inventory, length: Floats) -> Floats:
    """Area in m2 of buses of some length in m."""
    return length * (parts.chip.number("bus_bits") * parts.chip.number("wire_pitch_um") * UM)


def _tile_side(parts: Inventory) -> float:
    """Side in m of a square tile of crossbars."""
    area = parts.chip.number("crossbars_per_tile") * parts.units.crossbar_area
    return float(np.sqrt(area / parts.chip.number("layout_density")))


def _toggle(rate: Floats) -> Floats:
    """Chance that a line differs from the last bit sent, for independent bits."""
    return 2 * rate * (1 - rate)


def _is_offset(parts: Inventory) -> bool:
    return parts.chip.word("weight_encoding") == "offset"
