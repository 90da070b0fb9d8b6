"""Buffers: register files of one or many cores, each with a row decoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats
from hardware.inventory import doublings
from hardware.neurosim.design import Design

#: A tile's buffers are made of cores of so many bits, with lines of so many.
CORE_BITS, CORE_LINE = 1024.0, 32.0

#: A core of the global buffer holds 128 lines of 128 bits.
GLOBAL_CORE, GLOBAL_LINE = np.full((1, 1), 16384.0), np.full((1, 1), 128.0)

#: Energy of decoding for a read / for a write (NeuroSim's factor epsilon).
DECODED_READ = 0.05


@dataclass(frozen=True)
class Buffer:
    """A register file of one or many cores; any shape.

    Attributes:
        area: In m2.
        leakage: Of one core, in W.
        read_energy, write_energy: In J a bit.
        cores: Cores that work side by side.
        line: Bits of one access of one core.
    """

    area: Floats
    leakage: Floats
    read_energy: Floats
    write_energy: Floats
    cores: Floats
    line: Floats

    def cycles(self, bits: Floats | float, bus_bits: Floats) -> Floats:
        """Cycles in which `bits` go over a bus: a line a core and cycle."""
        return bits / self.line / np.minimum(self.cores, np.ceil(bus_bits / self.line))


def buffer(design: Design, bits: Floats, line: Floats) -> Buffer:
    """A buffer of `bits` bits: one core with lines of `line` bits, or many of 1024 bits."""
    is_small = bits < CORE_BITS
    cores = np.where(is_small, 1.0, np.ceil(bits / CORE_BITS))
    core_bits = np.where(is_small, bits, CORE_BITS)
    core_line = np.where(is_small, line, CORE_LINE)
    return register_file(design, cores, core_bits, core_line)


def register_file(design: Design, cores: Floats, bits: Floats, line: Floats) -> Buffer:
    """Cores of `bits` bits each, in lines of `line` bits, with a decoder each."""
    unit = design.parts
    rows = doublings(np.ceil(bits / line))
    area, write, leakage = unit.decoder.at(rows)
    half = unit.register_energy / 2
    return Buffer(
        area=cores * (bits * unit.register_area + area),
        leakage=bits * unit.register_leakage + leakage,
        read_energy=half + write * DECODED_READ / bits,
        write_energy=half + write / bits,
        cores=cores,
        line=line,
    )
