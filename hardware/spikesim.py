"""SpikeSim's ELA cost model, restated from its published formulas, quirks and all.

Agrees with SpikeSim to rounding wherever SpikeSim gives a figure, and goes on where it fails
(unsorted layers, more than 12, all below one crossbar). Its quirks: only the first five layers
have membrane memory; a 22-bit word for every input value; crossbars whose area and energy do not
depend on their size; a latency that counts output values and ignores crossbars; the pooled output
size counts. Spike rates, weight and input bits, strides, domains, state bits and removed columns
have no effect.

What it does not define is continued so: a linear layer is a convolution of one position and kernel
position; a grouped convolution has the crossbars of each group; in one or three dimensions, the
side squared becomes the product of the sides. SpikeSim takes one kernel size for the whole chip:
here each layer's own kernel counts in its energy, and the largest one in every PE's area. For
crossbars that are not square, rows hold input channels, columns hold output channels and set the
number of ADCs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Floats, LayerArrays, total
from hardware.breakdown import Breakdown
from hardware.units import MHZ, PJ, UM2

if TYPE_CHECKING:
    from hardware.chip import Chip


#: Subtractions of one PE cycle and ADC.
_SUBTRACTIONS = 16


def check(_chip: Chip) -> None:
    """Accept every combination: the parameters' ranges say all."""


def is_lossless(_chip: Chip) -> bool:
    """Return True: SpikeSim's costs know no levels."""
    return True


def breakdown(layers: LayerArrays, chip: Chip) -> Breakdown:
    """Cost n workloads.

    Args:
        layers: Arrays over (candidate, layer).
        chip: A chip of this model.
    """
    rows, columns = chip.number("crossbar_rows"), chip.number("crossbar_columns")
    per_group = np.ceil(layers.in_channels / layers.groups / rows) * np.ceil(
        layers.out_channels / layers.groups / columns
    )
    pes = layers.present * layers.groups * per_group
    tiles = np.ceil(total(pes) / chip.number("pes_per_tile"))
    kernel = (layers.present * layers.kernel).max(axis=1)
    crossbars = tiles * chip.number("pes_per_tile") * kernel
    latency = _latency(layers, chip)
    counted = np.arange(layers.present.shape[1]) < chip.number("counted_membrane_layers")
    membrane_values = total(layers.present * counted * _stored_values(layers))
    area = _area(layers, chip, tiles, kernel, membrane_values)
    weights = layers.present * layers.weights
    return Breakdown(
        area=area,
        layer_area=np.full_like(layers.present, np.nan),
        energy=_energy(layers, chip, pes),
        leakage=np.zeros_like(layers.present),
        latency={"array": latency},
        interval=latency.max(axis=1),
        crossbars=crossbars,
        tiles=tiles,
        utilisation=total(weights) / (crossbars * rows * columns),
        memory_bits=total(weights * layers.weight_bits)
        + chip.number("word_bits") * membrane_values,
        layer_tiles=_touched_tiles(pes, chip.number("pes_per_tile")),
        speed_up=layers.present,
    )


def _stored_values(layers: LayerArrays) -> Floats:
    return layers.out_channels * layers.stored_positions


def _energy(layers: LayerArrays, chip: Chip, pes: Floats) -> dict[str, Floats]:
    """Dynamic energy in J by component, (n, L)."""
    cycles = layers.steps * pes * layers.stored_positions
    adcs = chip.number("crossbar_columns") / chip.number("columns_per_adc")
    read = chip.number(f"{chip.word('memory')}_read_energy_pj")
    conversion = chip.number("adc_energy_pj") + chip.number("mux_energy_pj")
    buffers = (
        chip.number("memory_fetch_energy_pj")
        + adcs * chip.number("temporary_buffer_energy_pj")
        + chip.number("tile_buffer_energy_pj")
    )
    subtraction = adcs * _SUBTRACTIONS * chip.number("subtractor_energy_pj")
    return {
        "array": cycles * (adcs * layers.kernel * read * PJ),
        "adc": cycles * (adcs * adcs * conversion * PJ),
        "accumulation": cycles * (subtraction * PJ),
        "neuron": cycles * (chip.number("neuron_energy_pj") * PJ),
        "buffer": cycles * (buffers * PJ),
        "interconnect": cycles * (chip.number("interconnect_energy_pj") * PJ),
    }


def _area(
    layers: LayerArrays, chip: Chip, tiles: Floats, kernel: Floats, membrane_values: Floats
) -> dict[str, Floats]:
    """Area in m2 by component, (n,)."""
    pes = tiles * chip.number("pes_per_tile")
    adcs = chip.number("crossbar_columns") / chip.number("columns_per_adc")
    crossbar = chip.number(f"{chip.word('memory')}_area_um2")
    converter = chip.number("adc_area_um2") + chip.number("mux_area_um2")
    word = chip.number("sram_bit_area_um2") * chip.number("word_bits")
    inputs = total(layers.present * layers.in_channels * layers.input_positions)
    tile_buffer = chip.number("temporary_buffer_area_um2") + chip.number(
        "sram_bit_area_um2"
    ) * chip.number("tile_buffer_bits")
    return {
        "array": pes * kernel * (crossbar * UM2),
        "adc": pes * (adcs * converter * UM2),
        "accumulation": tiles * (adcs * chip.number("subtractor_area_um2") * UM2),
        "membrane": membrane_values * (word * UM2),
        "buffer": tiles * (tile_buffer * UM2) + inputs * (word * UM2),
        "interconnect": tiles * (chip.number("interconnect_area_um2") * UM2),
    }


def _latency(layers: LayerArrays, chip: Chip) -> Floats:
    """Time in s that each layer adds, (n, L): all of the last one's outputs, else a fraction."""
    values = _stored_values(layers)
    count = layers.present.sum(axis=1, keepdims=True)
    last = np.arange(layers.present.shape[1]) == count - 1
    awaited = np.where(last, values, np.floor(chip.number("waiting_fraction") * values))
    cycle = chip.number("cycles_per_pe") / (chip.number("clock_mhz") * MHZ)
    return layers.present * awaited * layers.steps * cycle


def _touched_tiles(pes: Floats, pes_per_tile: float) -> Floats:
    """Tiles in which each layer has a PE, where PEs are laid out in the layers' order."""
    end = np.cumsum(pes, axis=1)
    touched = np.ceil(end / pes_per_tile) - np.floor((end - pes) / pes_per_tile)
    return np.where(pes > 0, touched, 0.0)
