"""What the crossbar model builds: crossbars, adders, neuron units, memories, tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Floats, LayerArrays, total
from hardware.mapping import CrossbarMapping, map_layers
from hardware.units import Logic, Reading, Units, logic_costs, reading, unit_costs

if TYPE_CHECKING:
    from hardware.chip import Chip


@dataclass(frozen=True)
class Inventory:
    """Parts of n candidates of L layers, with the chip's unit costs at hand.

    Arrays are (n, L) where not said otherwise. Counts are zero where a layer has none of a part.

    Attributes:
        chip: The chip.
        layers: The packed workloads.
        mapping: How layers lie on crossbars.
        read: How columns are read.
        units: Costs of a crossbar's parts.
        logic: Costs of digital parts.
        crossbars: Crossbars of all copies.
        copies: Copies that work in parallel.
        converted_bits: Bits of one column's sum after its slices are put together.
        sum_bits: Bits of one output's complete sum.
        pooled_bits: Bits of what a neuron takes in: of the sum of a window's sums, where these are
            pooled, else of one sum.
        held: Sums that are kept for all time steps, as the input is the same in each.
        map_bits: Bits of one value of the stored map: 1, or wide enough to add residual maps.
        output_additions: Additions of partial sums for one output and pass.
        placed_sums: Partial sums of one position whose output has to be looked up, since columns
            were removed: one for each column and row block; all copies have the same table.
        place_bits: Bits of an output's number in that table; 0 where no column was removed.
        state_bits: Bits of membrane state, all neurons together; none for a single time step.
        constant_bits: Bits of the thresholds and biases, one of each a channel.
        buffer_bits: Bits of input maps, held sums and residual maps.
        neuron_units: Neuron units of all copies.
        sharing: Output channels that one neuron unit serves.
        macs: Multiply-accumulate units (digital layers).
        pool_units: Pooling units of 4 spikes.
        tiles: Tiles, (n,).
        allocated: Crossbars of all tiles, (n,).
    """

    chip: Chip
    layers: LayerArrays
    mapping: CrossbarMapping
    read: Reading
    units: Units
    logic: Logic
    crossbars: Floats
    copies: Floats
    converted_bits: Floats
    sum_bits: Floats
    pooled_bits: Floats
    held: Floats
    map_bits: Floats
    output_additions: Floats
    placed_sums: Floats
    place_bits: Floats
    state_bits: Floats
    constant_bits: Floats
    buffer_bits: Floats
    neuron_units: Floats
    sharing: Floats
    macs: Floats
    pool_units: Floats
    tiles: Floats
    allocated: Floats


def build(layers: LayerArrays, chip: Chip) -> Inventory:
    """Count the parts that n workloads need on a chip."""
    read = reading(chip)
    mapping = map_layers(layers, chip, read.rows)
    present, digital = layers.present, layers.digital > 0
    crossbars = layers.memory * mapping.crossbars * mapping.copies
    copies = np.where(digital, 1.0, mapping.copies) * present
    converted = read.bits + mapping.shifted_bits
    memory_sum = converted + doublings(mapping.column_reads) + layers.input_bits - 1
    digital_sum = layers.weight_bits + layers.input_bits - 1 + doublings(layers.rows)
    sum_bits = np.where(digital, digital_sum, memory_sum)
    pooled_bits = sum_bits + (layers.average_pool > 0) * doublings(layers.window)
    held = present * layers.static * (layers.timesteps > 1) * layers.driven
    map_bits = doublings(2 + layers.residual_inputs)
    sharing = np.minimum(chip.number("neurons_per_unit"), layers.out_channels)
    has_state = (layers.state_bits > 0) & (present > 0)
    per_tile = chip.number("crossbars_per_tile")
    tiles = np.ceil(total(crossbars) / per_tile)
    removed = layers.memory * (mapping.column_share < 1)
    windows = np.ceil(layers.window / 4) * (layers.window > 1)
    return Inventory(
        chip=chip,
        layers=layers,
        mapping=mapping,
        read=read,
        units=unit_costs(chip, read),
        logic=logic_costs(chip),
        crossbars=crossbars,
        copies=copies,
        converted_bits=converted,
        sum_bits=sum_bits,
        pooled_bits=pooled_bits,
        held=held,
        map_bits=map_bits,
        output_additions=mapping.column_reads * mapping.column_share + (layers.input_bits > 1),
        placed_sums=removed * layers.groups * mapping.columns / mapping.slices * mapping.row_blocks,
        place_bits=removed * doublings(layers.out_channels),
        state_bits=present * (layers.timesteps > 1) * layers.neurons * layers.state_bits,
        constant_bits=present * 2 * layers.out_channels * layers.populations * layers.state_bits,
        buffer_bits=_buffer_bits(layers, held * pooled_bits, map_bits),
        neuron_units=has_state * copies * np.ceil(layers.out_channels / sharing),
        sharing=sharing,
        macs=layers.digital * chip.number("digital_units"),
        pool_units=present * copies * np.ceil(layers.out_channels / sharing) * windows,
        tiles=tiles,
        allocated=tiles * per_tile,
    )


def _buffer_bits(layers: LayerArrays, held_bits: Floats, map_bits: Floats) -> Floats:
    """Input map, the held sums of a static input, and the residual maps until they are merged."""
    inputs = layers.in_channels * layers.input_positions * layers.input_bits
    residual = layers.residual_inputs * layers.out_channels * layers.stored_positions * map_bits
    return layers.present * (inputs + residual) + held_bits


def doublings(count: Floats) -> Floats:
    """Bits by which a sum of `count` numbers is wider than one: ceil(log2(count)), exactly."""
    return np.frexp(np.maximum(count, 1.0) - 1.0)[1].astype(np.float64)
