"""What spiking adds, and what is not on crossbars: neurons, membranes, digital layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats, total
from hardware.inventory import doublings
from hardware.neurosim.design import Design
from hardware.neurosim.spikes import Maps
from hardware.units import FJ, NW, UM2, Logic


@dataclass(frozen=True)
class Neurons:
    """Costs of one inference, all time steps.

    Attributes:
        area: By component in m2, (n,).
        energy: By component in J, (n, L).
        time: By component in s, (n, L).
        leakage: Power in W, (n,).
        state_bits: Bits of membranes that the chip holds, (n,).
    """

    area: dict[str, Floats]
    energy: dict[str, Floats]
    time: dict[str, Floats]
    leakage: Floats
    state_bits: Floats


def neurons(design: Design, maps: Maps) -> Neurons | None:
    """Cost neurons and digital layers; None where the chip has NeuroSim's activation instead."""
    if design.chip.word("activation") != "neurons":
        return None
    layers, chip, logic = design.layers, design.chip, _logic(design)
    steps, sum_bits = layers.present * layers.steps, _sum_bits(design)
    has_state = (layers.timesteps > 1) * layers.present
    state = layers.neurons * layers.state_bits * has_state
    by_layer = chip.word("schedule") == "layers"
    state_bits = state.max(axis=1) if by_layer else total(state)
    constants = layers.present * 2 * layers.out_channels * layers.populations * layers.state_bits
    held = layers.present * layers.static * has_state * layers.driven * sum_bits
    macs = layers.digital * chip.number("digital_units")
    weights = layers.digital * layers.weights * layers.weight_bits
    table = _table_bits(design)
    unit_bits = (layers.present * layers.state_bits).max(axis=1)
    units = np.ceil(design.chip_trees[:, 0])
    wide = layers.digital * sum_bits
    updates = steps * layers.driven * layers.updates * (layers.state_bits > 0)
    leak = chip.number("leak_adders")
    access = has_state * (logic.sram_read + logic.sram_write) + 2 * logic.sram_read
    clock = design.parts.clock
    return Neurons(
        area={
            "neuron": units
            * unit_bits
            * (chip.number("neuron_area_um2") * UM2 + leak * logic.adder_area),
            "membrane": (state_bits + total(constants)) * logic.sram_area,
            "buffer": total(held) * logic.sram_area,
            "digital": total(macs * logic.accumulator_area(wide, wide))
            + total(weights) * logic.sram_area,
            "accumulation": total(table) * logic.sram_area,
        },
        energy={
            "neuron": updates
            * layers.state_bits
            * (chip.number("neuron_energy_fj") * FJ + leak * logic.adder_energy),
            "membrane": updates * layers.state_bits * access,
            "buffer": held * (layers.executed * logic.sram_write + layers.steps * logic.sram_read),
            "digital": _digital_energy(design, logic, sum_bits),
            "accumulation": _offset_energy(design)
            + table * design.matrices.vectors * design.matrices.times * logic.sram_read,
            "other": _pooling_energy(design, maps, logic, sum_bits),
        },
        time={
            "neuron": steps
            * (layers.state_bits > 0)
            * np.ceil(layers.driven * layers.updates / units[:, None])
            * clock,
            "digital": _digital_time(design, sum_bits),
        },
        leakage=units
        * unit_bits
        * (chip.number("neuron_leakage_nw") * NW + leak * logic.adder_leakage)
        + (state_bits + total(constants + held + weights + table)) * logic.sram_leakage
        + total(macs * logic.accumulator_leakage(wide, wide)),
        state_bits=state_bits,
    )


def _logic(design: Design) -> Logic:
    """Digital parts a bit, from the same figures as the adder trees and registers."""
    unit, chip = design.parts, design.chip
    return Logic(
        adder_energy=unit.adders.bit_energy,
        register_energy=unit.register_energy / 2,
        adder_area=unit.adders.area,
        register_area=unit.register_area,
        adder_leakage=unit.adders.leakage,
        register_leakage=unit.register_leakage,
        sram_read=chip.number("sram_read_energy_fj") * FJ,
        sram_write=chip.number("sram_write_energy_fj") * FJ,
        sram_area=chip.number("sram_area_um2") * UM2,
        sram_leakage=chip.number("sram_leakage_nw") * NW,
    )


def _table_bits(design: Design) -> Floats:
    """Bits of the table of each row block's outputs, where columns are removed, (n, L)."""
    grid = design.matrices
    removed = grid.present & (grid.column_share < 1)
    blocks = np.ceil(grid.rows / design.chip.number("crossbar_rows"))
    return removed * blocks * grid.outputs * doublings(design.layers.out_channels)


def _sum_bits(design: Design) -> Floats:
    """Width of a complete sum, pooled if it is, (n, L)."""
    layers = design.layers
    products = layers.weight_bits + layers.input_bits - 1 + doublings(layers.rows)
    return products + (layers.average_pool > 0) * doublings(layers.window)


def _passes(design: Design) -> Floats:
    """Times that a digital layer goes through its inputs: input bits, in each step that it runs."""
    return design.layers.input_bits * design.matrices.times


def _digital_energy(design: Design, logic: Logic, bits: Floats) -> Floats:
    """Bit by bit: a weight read for every product, an addition for every input bit that is 1."""
    layers = design.layers
    if not layers.digital.any():
        return layers.digital
    products = layers.digital * layers.weights * layers.positions * _passes(design)
    read = layers.weight_bits * logic.sram_read
    return products * (read + layers.input_rate * logic.accumulate(bits, bits))


def _digital_time(design: Design, bits: Floats) -> Floats:
    """Products shared among the digital units; the additions of one product follow each other.

    A cycle is the crossbars' reading time, into which several additions fit.
    """
    layers, unit = design.layers, design.parts
    if not layers.digital.any():
        return layers.digital
    products = np.ceil(layers.weights * layers.positions / design.chip.number("digital_units"))
    cycles = unit.cycles(layers.input_bits * unit.adders.time(bits))
    return layers.digital * products * cycles * (design.matrices.times * unit.clock)


def _offset_energy(design: Design) -> Floats:
    """Counting active inputs, to take out the half range by which offset weights are shifted."""
    grid = design.matrices
    if design.chip.word("weight_encoding") != "offset":
        return np.zeros_like(grid.rate)
    counted = grid.present * grid.rows * grid.bundles * grid.vectors * grid.times
    return counted * design.parts.adders.first_energy


def _pooling_energy(design: Design, maps: Maps, logic: Logic, bits: Floats) -> Floats:
    """Average pooling adds sums before the neuron; residual maps are added to the output's."""
    layers = design.layers
    sums = layers.average_pool * (layers.window > 1) * layers.out_channels * layers.positions
    combined = layers.steps * layers.residual_inputs * maps.stored * maps.map_bits
    return layers.present * (
        design.matrices.times * sums * logic.accumulate(bits, bits) + combined * logic.adder_energy
    )
