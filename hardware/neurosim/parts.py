"""Unit costs of everything beside the crossbars, in SI units, from a chip's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Floats
from hardware.neurosim.trees import Adders
from hardware.units import FJ, NS, NW, PJ, PS, PW, UM, UM2

if TYPE_CHECKING:
    from hardware.chip import Chip


@dataclass(frozen=True)
class Decoder:
    """A memory's row decoder; arrays are indexed by the doublings of its rows, 1 to 128."""

    area: Floats
    write_energy: Floats
    leakage: Floats

    def at(self, doublings: Floats) -> tuple[Floats, Floats, Floats]:
        """Area, energy and leakage by the doublings of the rows; the last entry serves beyond 7."""
        place = np.minimum(doublings, len(self.area) - 1.0).astype(np.intp)
        return self.area[place], self.write_energy[place], self.leakage[place]


@dataclass(frozen=True)
class Parts:
    """Unit costs in SI units.

    Attributes:
        adders: Of all adders.
        register_height, register_width: Of one flip-flop.
        register_energy: One access of one flip-flop.
        register_leakage: Of one flip-flop.
        decoder: Of register files.
        wire_energy: Repeatered wire, a bit and m.
        local_energy: Wire inside a PE, a bit and m.
        bare_energy: Wire without repeaters, a bit and m.
        wire_delays: A m of short, mid and long wires, (3,).
        wire_leakage, local_leakage: A bit and m.
        repeater_width, repeater_height: Of a wire's repeater.
        wire_classes: Lengths in m where mid and long wires begin, (2,).
        pool_area, pool_energy, pool_delay: One pooling unit of four spikes.
        clock: Time of one cycle.
        clock_rate: Cycles a second by which times are rounded up: at most 1 GHz.
        input_toggle, output_toggle: Fractions of bits that toggle on wires, where spikes are not
            counted.
        bus_most: Widest bus of the chip, in bits.
    """

    adders: Adders
    register_height: float
    register_width: float
    register_energy: float
    register_leakage: float
    decoder: Decoder
    wire_energy: float
    local_energy: float
    bare_energy: float
    wire_delays: Floats
    wire_leakage: float
    local_leakage: float
    repeater_width: float
    repeater_height: float
    wire_classes: Floats
    pool_area: float
    pool_energy: float
    pool_delay: float
    clock: float
    clock_rate: float
    input_toggle: float
    output_toggle: float
    bus_most: float

    @property
    def register_area(self) -> float:
        """Area in m2 of one flip-flop."""
        return self.register_height * self.register_width

    def cycles(self, time: Floats) -> Floats:
        """Whole cycles that a time in s takes."""
        return np.ceil(time * self.clock_rate)

    def delay(self, length: Floats, of: Floats | None = None) -> Floats:
        """Delay in s of a wire; its class is that of the length `of`, else of its own length."""
        classified = length if of is None else of
        kind = np.searchsorted(self.wire_classes, classified, side="right")
        return length * self.wire_delays[kind]


def parts(chip: Chip, clock: float) -> Parts:
    """Read a chip's unit costs.

    Args:
        chip: A chip of this model.
        clock: Time of one multiplexer step of its crossbars in s, which is its cycle.
    """
    number = chip.number
    voltage = number("supply_v")
    return Parts(
        adders=Adders(
            area=number("adder_area_um2") * UM2,
            first_energy=number("adder_first_energy_fj") * FJ,
            bit_energy=number("adder_bit_energy_fj") * FJ,
            delay=number("adder_delay_ns") * NS,
            bit_delay=number("adder_bit_delay_ns") * NS,
            leakage=number("adder_leakage_nw") * NW,
        ),
        register_height=number("register_height_um") * UM,
        register_width=number("register_width_um") * UM,
        register_energy=number("register_energy_fj") * FJ,
        register_leakage=number("register_leakage_nw") * NW,
        decoder=Decoder(
            area=np.array(chip.numbers("decoder_area_um2")) * UM2,
            write_energy=np.array(chip.numbers("decoder_write_energy_pj")) * PJ,
            leakage=np.array(chip.numbers("decoder_leakage_nw")) * NW,
        ),
        wire_energy=number("wire_energy_fj_per_um") * FJ / UM,
        local_energy=number("local_wire_energy_fj_per_um") * FJ / UM,
        bare_energy=0.5 * number("wire_capacitance_ff_per_um") * FJ / UM * voltage**2,
        wire_delays=np.array(chip.numbers("wire_delay_ps_per_um")) * PS / UM,
        wire_leakage=number("wire_leakage_pw_per_um") * PW / UM,
        local_leakage=number("local_wire_leakage_pw_per_um") * PW / UM,
        repeater_width=number("repeater_width_um") * UM,
        repeater_height=number("repeater_height_um") * UM,
        wire_classes=np.array([1e4, 1e5]) * number("technology_nm") * 1e-9,
        pool_area=number("pool_area_um2") * UM2,
        pool_energy=number("pool_energy_fj") * FJ,
        pool_delay=number("pool_delay_ns") * NS,
        clock=clock,
        clock_rate=min(1e9, 1 / clock),
        input_toggle=number("input_toggle"),
        output_toggle=number("output_toggle"),
        bus_most=number("bus_bits"),
    )
