"""Spike maps between layers: how many bits they are, and what of them is sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Bools, Floats, total
from hardware.inventory import doublings
from hardware.neurosim.design import Design


@dataclass(frozen=True)
class Maps:
    """Maps of one time step.

    Attributes:
        sent_in, sent_out: Bits that a layer reads from the global buffer and writes there, as they
            go over the bus, (n, L).
        in_toggle, out_toggle: Fraction of these bits that toggle on a wire, (n, L).
        pooled: Values that are pooled as spikes, (n, L).
        map_bits: Bits of a stored value: more than one where maps are added, (n, L).
        stored: Values that are stored, (n, L).
        capacity: Bits of the global buffer, (n, 1).
    """

    sent_in: Floats
    sent_out: Floats
    in_toggle: Floats
    out_toggle: Floats
    pooled: Floats
    map_bits: Floats
    stored: Floats
    capacity: Floats


def maps(design: Design) -> Maps:
    """Measure the maps of n networks."""
    layers, grid, floor = design.layers, design.matrices, design.plan
    rows = grid.rows * grid.bundles
    # a kernel's rows overlap from position to position: only the new ones are fetched
    fetched = rows * grid.vectors / np.where(floor.on_kernel, layers.kernel_height, 1.0)
    in_values = layers.in_channels * layers.input_positions
    map_bits = doublings(2 + layers.residual_inputs)
    stored = layers.out_channels * layers.stored_positions
    rate = stored_rate(design)
    if design.chip.word("output_size") == "real":
        sent = layers.populations + layers.residual_inputs
        outputs = layers.present * stored * map_bits * sent
    else:
        pool = np.where(layers.window > 1, 4.0, 1.0)
        outputs = grid.outputs * layers.input_bits * grid.positions / pool
        outputs = outputs * grid.present
    inputs = np.where(layers.digital > 0, in_values * layers.input_bits, fetched * grid.present)
    spikes = design.chip.word("toggling") == "spikes"
    out_toggle = 2 * rate * (1 - rate) if spikes else np.full_like(rate, design.parts.output_toggle)
    binary = layers.input_bits == 1  # wider inputs stay a raster
    sent_in, in_toggle = _sent(
        design, inputs, layers.input_rate, design.in_toggle, in_values, binary
    )
    sent_out, out_toggle = _sent(design, outputs, rate, out_toggle, stored, map_bits == 1)
    spike_pool = layers.present * (layers.window > 1) * (layers.average_pool == 0)
    return Maps(
        sent_in=sent_in,
        sent_out=sent_out,
        in_toggle=in_toggle,
        out_toggle=out_toggle,
        pooled=layers.out_channels * grid.positions * spike_pool,
        map_bits=map_bits,
        stored=stored,
        capacity=_capacity(design, in_values, stored * map_bits),
    )


def _sent(
    design: Design, bits: Floats, rate: Floats, toggle: Floats, values: Floats, binary: Bools
) -> tuple[Floats, Floats]:
    """Bits on the bus, and the fraction that toggles: a raster of bits, or addresses of spikes.

    An address tells the values of a map apart; half of its bits toggle.
    """
    form = design.chip.word("spike_format")
    if form == "raster":
        return bits, toggle
    addresses = bits * rate * np.maximum(1.0, doublings(values))
    chosen = binary & ((addresses < bits) | (form == "events"))
    return np.where(chosen, addresses, bits), np.where(chosen, 0.5, toggle)


def stored_rate(design: Design) -> Floats:
    """Spikes per stored value and step: an OR of independent spikes where these are pooled."""
    layers = design.layers
    pooled = 1 - (1 - layers.output_rate) ** layers.window
    rate: Floats = np.where(layers.average_pool > 0, layers.output_rate, pooled)
    return rate


def _capacity(design: Design, in_values: Floats, out_bits: Floats) -> Floats:
    """Bits of the global buffer: a layer's maps; those of all layers where they work at once.

    "maps" holds what a layer reads and what it writes, merged maps included; layer by layer, maps
    of all time steps wait for the next layer. NeuroSim ("inputs") holds the largest input, or half
    of all inputs in a pipeline.
    """
    layers, chip = design.layers, design.chip
    pipelined = bool(chip.values["pipelined"])
    if chip.word("global_buffer") == "inputs":
        bits = layers.present * in_values * design.input_bits
        bits = bits / 2 if pipelined else bits
    else:
        written = layers.populations + layers.residual_inputs
        bits = in_values * layers.input_bits + out_bits * written
        bits = layers.present * bits
        if chip.word("schedule") == "layers":
            bits = bits * layers.timesteps
    most: Floats = total(bits)[:, None] if pipelined else bits.max(axis=1, keepdims=True)
    return most
