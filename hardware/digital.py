"""A digital accelerator: multipliers, adders and SRAM, for comparison with crossbars.

All layers run one after the other on the same units, whatever domain the workload gives them. An
input of one bit is accumulated, a wider one multiplied first. Removed columns save nothing here:
all weights are stored and multiplied. Equations, meanings and limits are in docs/digital.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from genomes.errors import RequestError
from hardware.arrays import Floats, LayerArrays, total
from hardware.breakdown import Breakdown, added
from hardware.inventory import doublings
from hardware.units import FJ, MHZ, NW, PJ, UM2

if TYPE_CHECKING:
    from hardware.chip import Chip


#: Widths in bits for which adders and multipliers have figures.
WIDTHS = (8.0, 32.0)

#: Sizes in units of 1024 bytes for which SRAM has figures, and bits of one access.
MEMORY_KB = (8.0, 32.0, 1024.0)
_ACCESS_BITS = 64.0

#: Figures that are given for `WIDTHS` or `MEMORY_KB`, and may not fall.
_RISING = (
    "adder_energy_pj", "adder_area_um2", "adder_leakage_nw",
    "multiplier_energy_pj", "multiplier_area_um2", "multiplier_leakage_nw",
    "memory_access_energy_pj",
)  # fmt: skip


def check(chip: Chip) -> None:
    """Refuse figures that fall with the width or the size for which they are.

    Raises:
        RequestError: A wider unit or a larger memory that takes less.
    """
    for key in _RISING:
        values = chip.numbers(key)
        if any(second < first for first, second in pairwise(values)):
            raise RequestError(key, list(values), "numbers that do not fall")


def is_lossless(_chip: Chip) -> bool:
    """Return True: nothing is rounded."""
    return True


@dataclass(frozen=True)
class _Units:
    """Costs of digital parts at the chip's node, in SI units; widths may be arrays.

    Attributes:
        chip: Where the figures are.
        memory_bit: Energy of reading or writing one bit of SRAM.
        register_energy, register_area, register_leakage: Of one bit of a register.
    """

    chip: Chip
    memory_bit: float
    register_energy: float
    register_area: float
    register_leakage: float

    def adder(self, what: str, bits: Floats) -> Floats:
        """Energy, area or leakage of an adder: linear in its bits."""
        return self._interpolated("adder", what, bits, WIDTHS)

    def multiplier(self, what: str, products: Floats) -> Floats:
        """Energy, area or leakage of a multiplier: linear in the product of its widths."""
        squares = (WIDTHS[0] ** 2, WIDTHS[1] ** 2)
        return self._interpolated("multiplier", what, products, squares)

    def _interpolated(
        self, part: str, what: str, at: Floats, places: tuple[float, float]
    ) -> Floats:
        """In proportion up to the first figure, linear beyond it and through the second."""
        name, unit, scale = {
            "energy": ("energy_pj", PJ, "energy_scale"),
            "area": ("area_um2", UM2, "area_scale"),
            "leakage": ("leakage_nw", NW, "leakage_scale"),
        }[what]
        first, second = self.chip.numbers(f"{part}_{name}")
        slope = (second - first) / (places[1] - places[0])
        value = np.where(at < places[0], first / places[0] * at, first + slope * (at - places[0]))
        return value * (unit * self.chip.number(scale))

    def accumulate(self, bits: Floats) -> Floats:
        """Energy of one addition into a register."""
        return self.adder("energy", bits) + bits * self.register_energy


def _units(chip: Chip) -> _Units:
    sides = np.sqrt(MEMORY_KB)  # an access drives lines as long as a memory's side
    access = np.interp(
        np.sqrt(chip.number("memory_bank_kb")), sides, chip.numbers("memory_access_energy_pj")
    )
    return _Units(
        chip=chip,
        memory_bit=float(access) / _ACCESS_BITS * PJ * chip.number("memory_energy_scale"),
        register_energy=chip.number("register_energy_fj") * FJ,
        register_area=chip.number("register_area_um2") * UM2,
        register_leakage=chip.number("register_leakage_nw") * NW,
    )


@dataclass(frozen=True)
class _Counts:
    """What n networks need and do; arrays (n, L), zero where there is no layer.

    Attributes:
        products: Products of one run over all positions, for zero inputs too.
        runs: Times that an inference goes through a layer: its steps, or once where the sums of a
            static input are held.
        active: Fraction of the products that are computed.
        wide: 1 where inputs have several bits, else 0.
        sum_bits: Bits of one output's complete sum.
        pooled_bits: Bits of what a neuron takes in.
        map_bits: Bits of one value of the stored map.
        weight_bits: Bits of all weights.
        state_bits: Bits of membranes; none for a single time step.
        constant_bits: Bits of thresholds and biases.
        held_bits: Bits of sums that are kept for all time steps.
        map_memory_bits: Bits of the input map and of residual maps.
    """

    products: Floats
    runs: Floats
    active: Floats
    wide: Floats
    sum_bits: Floats
    pooled_bits: Floats
    map_bits: Floats
    weight_bits: Floats
    state_bits: Floats
    constant_bits: Floats
    held_bits: Floats
    map_memory_bits: Floats


def _counts(layers: LayerArrays, chip: Chip) -> _Counts:
    present = layers.present
    wide = present * (layers.input_bits > 1)
    # a weight of b bits by an input of c has b + c bits; one of one bit leaves it as it is
    sum_bits = layers.weight_bits + wide * layers.input_bits + doublings(layers.rows)
    pooled_bits = sum_bits + (layers.average_pool > 0) * doublings(layers.window)
    map_bits = doublings(2 + layers.residual_inputs)
    has_steps = present * (layers.timesteps > 1)
    skips = chip.word("silent_inputs") == "skipped"
    silent = (1 - layers.input_rate) ** layers.input_bits  # of independent bits
    residual = layers.residual_inputs * layers.out_channels * layers.stored_positions * map_bits
    return _Counts(
        products=present * layers.weights * layers.positions,
        runs=present * layers.runs,
        active=1 - silent if skips else np.ones_like(present),
        wide=wide,
        sum_bits=sum_bits,
        pooled_bits=pooled_bits,
        map_bits=map_bits,
        weight_bits=present * layers.weights * layers.weight_bits,
        state_bits=has_steps * layers.neurons * layers.state_bits,
        constant_bits=present * 2 * layers.out_channels * layers.populations * layers.state_bits,
        held_bits=has_steps * layers.static * layers.driven * pooled_bits,
        map_memory_bits=present
        * (layers.in_channels * layers.input_positions * layers.input_bits + residual),
    )


def breakdown(layers: LayerArrays, chip: Chip) -> Breakdown:
    """Cost n workloads.

    Args:
        layers: Arrays over (candidate, layer).
        chip: A chip of this model.
    """
    units, counts = _units(chip), _counts(layers, chip)
    energy, latency = _energies(layers, units, counts), _latencies(layers, chip, counts)
    layer_time = added(latency)
    leakage = _leakage_power(layers, units, counts)[:, None] * layer_time
    one = np.ones(len(layers.present))
    return Breakdown(
        area=_areas(layers, units, counts),
        layer_area=np.full_like(layers.present, np.nan),  # layers share the units
        energy=energy,
        leakage=leakage,
        latency=latency,
        interval=total(layer_time),
        crossbars=0 * one,
        tiles=one,
        utilisation=one,
        memory_bits=total(counts.weight_bits + counts.state_bits),
        layer_tiles=layers.present,
        speed_up=layers.present,
    )


def _energies(layers: LayerArrays, units: _Units, counts: _Counts) -> dict[str, Floats]:
    """Dynamic energy of one inference in J by component, (n, L)."""
    chip = units.chip
    steps = layers.present * layers.steps
    product = counts.wide * units.multiplier("energy", layers.weight_bits * layers.input_bits)
    computed = counts.products * counts.runs * counts.active
    reuse = np.minimum(chip.number("weight_reuse"), layers.positions)
    read = (1 - (1 - counts.active) ** reuse) / reuse  # of the products that share a weight, any
    updates = steps * layers.driven * layers.updates * (layers.state_bits > 0)
    adders = 2 + chip.number("leak_adders")  # integration, threshold, and the leak's
    accesses = 2 * (layers.timesteps > 1) + 2.0  # state there and back, threshold and bias
    return {
        "digital": computed * (product + units.accumulate(counts.sum_bits)),
        "weights": counts.products * counts.runs * (read * layers.weight_bits * units.memory_bit),
        "neuron": updates * adders * units.adder("energy", layers.state_bits),
        "membrane": updates * layers.state_bits * accesses * units.memory_bit,
        "buffer": _buffer_bits(layers, chip, counts) * units.memory_bit,
        "other": _pool_energy(layers, units, counts),
    }


def _buffer_bits(layers: LayerArrays, chip: Chip, counts: _Counts) -> Floats:
    """Bits of maps and held sums that are read or written in one inference, (n, L).

    An input is written once and read for each position that it takes part in, by all units at
    once, so more often where a group has more output channels than there are units.
    """
    channels = layers.out_channels / layers.groups
    fetches = layers.groups * layers.rows * np.ceil(channels / chip.number("digital_units"))
    inputs = layers.in_channels * layers.input_positions + layers.positions * fetches
    residual = layers.residual_inputs * layers.out_channels * layers.stored_positions
    return (
        counts.runs * inputs * layers.input_bits
        + counts.held_bits * (layers.executed + layers.steps)
        + layers.present * layers.steps * 2 * residual * counts.map_bits
    )


def _pool_energy(layers: LayerArrays, units: _Units, counts: _Counts) -> Floats:
    """Pooling, one addition (or OR) a value, and adding residual maps."""
    values = layers.out_channels * layers.positions * (layers.window > 1)
    sums = counts.runs * values * units.accumulate(counts.pooled_bits)
    spikes = layers.present * layers.steps * values * units.adder("energy", np.ones(1))
    pooled = np.where(layers.average_pool > 0, sums, spikes)
    maps = layers.residual_inputs * layers.out_channels * layers.stored_positions
    return pooled + layers.present * layers.steps * maps * units.adder("energy", counts.map_bits)


def _latencies(layers: LayerArrays, chip: Chip, counts: _Counts) -> dict[str, Floats]:
    """Time of one inference in s by component, (n, L).

    A unit takes one product a cycle. An input that is skipped saves energy and no cycle, so the
    time is known before spike rates are.
    """
    clock = 1 / (chip.number("clock_mhz") * MHZ)
    units = chip.number("digital_units")
    updates = layers.present * layers.steps * (layers.state_bits > 0)
    return {
        "digital": counts.runs * np.ceil(counts.products / units) * clock,
        "neuron": updates * np.ceil(layers.driven * layers.updates / units) * clock,
    }


def _widest(layers: LayerArrays, counts: _Counts) -> tuple[Floats, Floats, Floats]:
    """Largest product of widths, widest sum and widest state of each network, (n,)."""
    return (
        (counts.wide * layers.weight_bits * layers.input_bits).max(axis=1),
        (layers.present * counts.pooled_bits).max(axis=1),
        (layers.present * layers.state_bits).max(axis=1),
    )


def _areas(layers: LayerArrays, units: _Units, counts: _Counts) -> dict[str, Floats]:
    """Area in m2 by component, (n,): units as wide as any layer needs, and SRAM."""
    products, sums, states = _widest(layers, counts)
    built = units.chip.number("digital_units")
    adders = 2 + units.chip.number("leak_adders")
    bit = units.chip.number("sram_area_um2") * UM2
    return {
        "digital": built
        * (
            units.multiplier("area", products)
            + units.adder("area", sums)
            + sums * units.register_area
        ),
        "weights": total(counts.weight_bits) * bit,
        "neuron": built * adders * units.adder("area", states),
        "membrane": total(counts.state_bits + counts.constant_bits) * bit,
        "buffer": total(counts.map_memory_bits + counts.held_bits) * bit,
    }


def _leakage_power(layers: LayerArrays, units: _Units, counts: _Counts) -> Floats:
    """Leakage in W, (n,)."""
    products, sums, states = _widest(layers, counts)
    adders = 2 + units.chip.number("leak_adders")
    unit = (
        units.multiplier("leakage", products)
        + units.adder("leakage", sums)
        + sums * units.register_leakage
        + adders * units.adder("leakage", states)
    )
    bits = reduce(
        np.add,
        (
            counts.weight_bits,
            counts.state_bits,
            counts.constant_bits,
            counts.map_memory_bits,
            counts.held_bits,
        ),
    )
    sram = units.chip.number("sram_leakage_nw") * NW
    return units.chip.number("digital_units") * unit + total(bits) * sram


def operation_pj(chip: Chip, sum_bits: int, multiplied: tuple[int, int] | None = None) -> float:
    """Energy of one operation alone, with no memory and no register, in pJ.

    Args:
        chip: A chip of this model.
        sum_bits: Width of the sum that is added to.
        multiplied: Widths of a weight and an input that are multiplied first; None for a spike's
            weight, which is only added.
    """
    units = _units(chip)
    energy = units.adder("energy", np.array(float(sum_bits)))
    if multiplied is not None:
        energy = energy + units.multiplier("energy", np.array(float(multiplied[0] * multiplied[1])))
    return float(energy) / PJ
