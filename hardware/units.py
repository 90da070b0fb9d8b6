"""Costs of the crossbar model's single parts, in SI units, from a chip's parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genomes.errors import RequestError

if TYPE_CHECKING:
    from hardware.arrays import Floats
    from hardware.chip import Chip

# Units of chips' figures in SI units.
FJ, PJ = 1e-15, 1e-12
PW, NW, UW = 1e-12, 1e-9, 1e-6
UM, MM, UM2 = 1e-6, 1e-3, 1e-12
PS, NS, MHZ = 1e-12, 1e-9, 1e6

#: Levels for which a chip's ADC tables hold figures.
ADC_LEVELS = (8, 16, 32, 64, 128, 256)

#: Mean on-state conductance for which `cell_read_power_uw` was measured, in siemens: the mean of
#: 100 kOhm and 1.7 MOhm.
REFERENCE_CONDUCTANCE = (1 / 1.0e5 + 1 / 1.7e6) / 2


@dataclass(frozen=True)
class Reading:
    """How columns are read.

    Attributes:
        levels: Levels of an ADC.
        rows: Rows read at once.
        lossless: Whether the levels tell every sum of these rows apart.
    """

    levels: int
    rows: int
    lossless: bool

    @property
    def bits(self) -> int:
        """Bits of one conversion."""
        return math.ceil(math.log2(self.levels))


def check_resistances(chip: Chip) -> None:
    """Refuse cells that conduct as much when they are off as when they are on.

    Raises:
        RequestError: An off resistance that is not above the on resistance; SRAM has neither.
    """
    on, off = chip.number("r_on_ohm"), chip.number("r_off_ohm")
    if off <= on and chip.values.get("memory") != "sram":
        raise RequestError("r_off_ohm", off, f"above r_on_ohm, which is {on:g}")


def reading(chip: Chip) -> Reading:
    """Choose ADC levels and rows per read that lose nothing, where the chip leaves them at 0.

    A sum over n rows of cells of b bits has n (2^b - 1) + 1 values. A chip that says
    `parallel_read` reads all rows at once, whatever its ADCs can tell apart.

    Raises:
        RequestError: More rows per read than a crossbar has, or too few levels for one row.
    """
    height = int(chip.number("crossbar_rows"))
    cell_maximum = 2 ** int(chip.number("cell_bits")) - 1
    levels, rows = int(chip.number("adc_levels")), int(chip.number("rows_per_read"))
    if rows > height:
        raise RequestError("rows_per_read", rows, f"0 to crossbar_rows {height}")
    if chip.values.get("parallel_read", False):
        rows = height
    if levels == 0:
        needed = (rows or height) * cell_maximum + 1
        levels = next((known for known in ADC_LEVELS if known >= needed), ADC_LEVELS[-1])
    resolved = (levels - 1) // cell_maximum
    if rows == 0 and resolved == 0:
        allowed = f"at least {cell_maximum + 1} for cells of {int(chip.number('cell_bits'))} bits"
        raise RequestError("adc_levels", levels, allowed)
    rows = rows or min(height, resolved)
    return Reading(levels, rows, lossless=rows <= resolved)


def is_lossless(chip: Chip) -> bool:
    """Whether the ADCs tell every sum of the rows read at once apart."""
    return reading(chip).lossless


@dataclass(frozen=True)
class Units:
    """Parts of a chip in SI units (m2, J, s, W); bits are costed per bit.

    Attributes:
        adcs: ADCs of one crossbar.
        cell_area: Area of one crossbar's cells.
        driver_area: Area of one crossbar's drivers, multiplexers and decoder.
        adc_area: Area of one crossbar's ADCs.
        adc_energy: One conversion, without the cells' current.
        cell_energy: One active cell during one conversion.
        step_energy: One multiplexer step of one active row across a crossbar.
        clock_energy: One multiplexer step of all row registers of a crossbar.
        mux_energy: One read's column multiplexing of a crossbar.
        settle_time: Settling before a conversion, margin included.
        conversion_time: One conversion, margin included.
        clock_time: One cycle of the digital parts.
        crossbar_leakage: One crossbar with its ADCs.
    """

    adcs: float
    cell_area: float
    driver_area: float
    adc_area: float
    adc_energy: float
    cell_energy: float
    step_energy: float
    clock_energy: float
    mux_energy: float
    settle_time: float
    conversion_time: float
    clock_time: float
    crossbar_leakage: float

    @property
    def crossbar_area(self) -> float:
        """Area of a crossbar with drivers and ADCs, without accumulators."""
        return self.cell_area + self.driver_area + self.adc_area


def unit_costs(chip: Chip, read: Reading) -> Units:
    """Derive the costs of single parts; equations in docs/hardware.md."""
    height, width = chip.number("crossbar_rows"), chip.number("crossbar_columns")
    adcs = float(math.ceil(width / chip.number("columns_per_adc")))
    kind, index = chip.word("adc_kind"), ADC_LEVELS.index(read.levels)
    delay = chip.numbers(f"adc_{kind}_delay_ns")[index] * NS
    conductance = (1 / chip.number("r_on_ohm") + 1 / chip.number("r_off_ohm")) / 2
    cell_power = chip.number("cell_read_power_uw") * UW * (conductance / REFERENCE_CONDUCTANCE)
    drivers = height * chip.number("row_driver_area_um2") + width * chip.number(
        "column_driver_area_um2"
    )
    row_energy = width * chip.number("word_line_energy_fj") + chip.number("row_driver_energy_fj")
    leakage = (
        (height + width) * chip.number("driver_leakage_nw")
        + chip.number("decoder_leakage_nw")
        + adcs * chip.numbers(f"adc_{kind}_leakage_nw")[index]
    )
    return Units(
        adcs=adcs,
        cell_area=height * width * chip.number("cell_area_um2") * UM2,
        driver_area=(drivers + chip.number("decoder_area_um2")) * UM2,
        adc_area=adcs * chip.numbers(f"adc_{kind}_area_um2")[index] * UM2,
        adc_energy=chip.numbers(f"adc_{kind}_energy_fj")[index] * FJ,
        cell_energy=cell_power * delay,
        step_energy=row_energy * FJ,
        clock_energy=height * chip.number("row_clock_energy_fj") * FJ,
        mux_energy=height * width * chip.number("mux_energy_fj") * FJ,
        settle_time=chip.number("timing_margin") * chip.number("select_delay_ns") * NS,
        conversion_time=chip.number("timing_margin") * delay,
        clock_time=1 / (chip.number("clock_mhz") * MHZ),
        crossbar_leakage=leakage * NW,
    )


@dataclass(frozen=True)
class Logic:
    """Digital parts of a chip per bit, in SI units: energy a use, area, leakage power."""

    adder_energy: float
    register_energy: float
    adder_area: float
    register_area: float
    adder_leakage: float
    register_leakage: float
    sram_read: float
    sram_write: float
    sram_area: float
    sram_leakage: float

    def accumulate(self, adder_bits: Floats, register_bits: Floats) -> Floats:
        """Energy of one addition into a register."""
        return adder_bits * self.adder_energy + register_bits * self.register_energy

    def accumulator_area(self, adder_bits: Floats, register_bits: Floats) -> Floats:
        """Area of an adder with its register."""
        return adder_bits * self.adder_area + register_bits * self.register_area

    def accumulator_leakage(self, adder_bits: Floats, register_bits: Floats) -> Floats:
        """Leakage power of an adder with its register."""
        return adder_bits * self.adder_leakage + register_bits * self.register_leakage


def logic_costs(chip: Chip) -> Logic:
    """Read the digital parts' costs."""
    return Logic(
        adder_energy=chip.number("adder_energy_fj") * FJ,
        register_energy=chip.number("register_energy_fj") * FJ,
        adder_area=chip.number("adder_area_um2") * UM2,
        register_area=chip.number("register_area_um2") * UM2,
        adder_leakage=chip.number("adder_leakage_nw") * NW,
        register_leakage=chip.number("register_leakage_nw") * NW,
        sram_read=chip.number("sram_read_energy_fj") * FJ,
        sram_write=chip.number("sram_write_energy_fj") * FJ,
        sram_area=chip.number("sram_area_um2") * UM2,
        sram_leakage=chip.number("sram_leakage_nw") * NW,
    )
