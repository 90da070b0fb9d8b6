"""Unit costs of one crossbar with its peripherals, from NeuroSim V1.4's circuit classes.

The figures are measured ones: 39,168 settings of node, size, weight and cell bits, ADC kind and
levels, columns per ADC, for four devices (``presets/neurosim_v1_4_crossbars.npz``; NeuroSim V1.4,
commit ac828e6, LSTP, 300 K, fully parallel read). NeuroSim's code is not here.

What the grid does not hold is derived, and said where it is done: more slices than 8 (linear in
their number, which the grid is), other resistances (the current of the nearest device), another
ADC (its own energy beside the cells' current).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genomes.errors import RequestError
from hardware.units import ADC_LEVELS, FJ, NS, PJ, UM, UM2, UW, Reading, check_resistances

if TYPE_CHECKING:
    from hardware.arrays import Floats
    from hardware.chip import Chip
    from hardware.parameter import Value

_FILE = "neurosim_v1_4_crossbars.npz"

DEVICES: Mapping[tuple[str, float, float], str] = {
    ("rram", 1.0e5, 1.7e6): "rram_100k_1.7M",
    ("rram", 2.0e4, 2.0e5): "rram_20k_200k",
    ("rram", 2.4e5, 2.4e7): "fefet_240k_24M",
    ("fefet", 2.4e5, 2.4e7): "fefet_240k_24M",
}
"""Memory kind, on and off resistance in ohm → device of the grid. SRAM has one, whatever these."""

MOST_SLICES = 64
"""Slices up to which tables are built: 32-bit weights in 1-bit cells, two columns a weight."""

RATE_STEPS = 512
"""Steps of the table over spike rates, even in arcsin(sqrt(rate)), in which it is smooth."""

#: Conversion time of the grid's SAR ADCs at 5 bits, all nodes: 6 ns with NeuroSim's margin of 1.4.
_SAR_CONVERSION = 8.4

#: Delay in ns of a 2-bit adder at 22 nm, to whose ratio logic delays scale.
_ADDER_DELAY_22 = 0.11098

#: Factor beyond the devices' mean conductances up to which flash ADCs' energy is extrapolated.
_FURTHEST = 2

_US = 1e-6

#: Place of the clock among the grid's fields.
_CLOCK = 11


@dataclass(frozen=True)
class Crossbars:
    """Costs of one crossbar in SI units; arrays (slices,) are indexed by the slices of a weight.

    Attributes:
        box_area, box_height, box_width: Bounding box, (slices,).
        adc_area, array_area, other_area: Used areas; the box has room between them.
        accumulation_area: Shift-adders, (slices,).
        leakage: Power, (slices,).
        accumulation_energy: Shift-adders of all columns, one vector, as NeuroSim counts, (slices,).
        other_energy: Of one vector without a spike.
        other_row_energy: More for each active row.
        word_line_energy: Of each active row.
        clock: Time of one multiplexer step.
        conversion_energy: ADCs of all columns for one vector, cells' current included, by the rows
            of a block (0 to X) and by spike rate (`RATE_STEPS` + 1), expected over the number of
            active rows.
        reads: Reads that a block of r rows takes one after the other, (X + 1,).
    """

    box_area: Floats
    box_height: Floats
    box_width: Floats
    adc_area: float
    array_area: float
    other_area: float
    accumulation_area: Floats
    leakage: Floats
    accumulation_energy: Floats
    other_energy: float
    other_row_energy: float
    word_line_energy: float
    clock: float
    conversion_energy: Floats
    reads: Floats

    def converted(self, rows: Floats, rate: Floats) -> Floats:
        """Energy in J of converting all columns once where `rows` rows have a spike rate.

        Args:
            rows: Rows of a block, whole numbers from 0 to X.
            rate: Fraction of the rows that are active, 0 to 1; broadcasts with `rows`.
        """
        place = np.arcsin(np.sqrt(rate)) * (2 / np.pi * RATE_STEPS)
        step = np.minimum(place.astype(np.intp), RATE_STEPS - 1)
        part = place - step
        index = rows.astype(np.intp) * (RATE_STEPS + 1) + step
        flat = self.conversion_energy.ravel()
        low = flat[index]
        return low + part * (flat[index + 1] - low)


@cache
def _grid() -> Mapping[str, npt.NDArray[np.generic]]:
    """The grid's arrays by name."""
    path = resources.files("hardware").joinpath("presets", _FILE)
    with path.open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def check_device(chip: Chip) -> None:
    """Refuse what there are no figures for.

    Raises:
        RequestError: A crossbar that is not square, cells of several bits in SRAM, cells that
            conduct as much off as on, or resistances without figures: where they may not be
            scaled, or too far from those with figures for flash ADCs.
    """
    check_resistances(chip)
    rows, columns = chip.number("crossbar_rows"), chip.number("crossbar_columns")
    if rows != columns:
        allowed = f"crossbar_rows {rows:g}: there are figures for square crossbars only"
        remedy = "crossbar_size sets both."
        raise RequestError("crossbar_columns", int(columns), allowed, remedy)
    if chip.word("memory") == "sram" and chip.number("cell_bits") > 1:
        raise RequestError("cell_bits", int(chip.number("cell_bits")), "1 for SRAM")
    if chip.word("other_resistances") == "refused" and _device(chip) is None:
        known = "; ".join(f"{kind} {on:g} and {off:g} ohm" for kind, on, off in DEVICES)
        on, off = chip.number("r_on_ohm"), chip.number("r_off_ohm")
        given = f"{chip.word('memory')} {on:g} and {off:g} ohm"
        remedy = "other_resistances = 'scaled' scales the cells' current."
        raise RequestError("r_on_ohm, r_off_ohm", given, known, remedy)
    if chip.word("adc_kind") == "flash" and chip.word("adc_figures") == "circuit":
        _check_conductance(chip)


def _check_conductance(chip: Chip) -> None:
    """Refuse cells so far from those with figures that a flash ADC's energy would be a guess."""
    wanted = _conductance(chip.number("r_on_ohm"), chip.number("r_off_ohm"))
    known = [_conductance(on, off) for _, on, off in DEVICES]
    low, high = min(known) / _FURTHEST, max(known) * _FURTHEST
    if chip.word("memory") != "sram" and not low <= wanted <= high:
        given = f"cells of {wanted / _US:.3g} uS in the mean"
        allowed = f"{low / _US:.3g} to {high / _US:.3g} uS with flash ADCs"
        raise RequestError("r_on_ohm, r_off_ohm", given, allowed, "adc_kind = 'sar' takes others.")


def crossbars(chip: Chip, read: Reading) -> Crossbars:
    """Look up one crossbar of a chip; cached, as a search asks for few different ones."""
    return _crossbars(tuple((key, chip.values[key]) for key in _KEYS), read)


_KEYS = (
    "technology_nm", "crossbar_rows", "cell_bits", "adc_kind", "memory", "columns_per_adc",
    "r_on_ohm", "r_off_ohm", "mux_decoder", "adc_figures", "adc_table_energy_fj",
    "adc_table_area_um2", "silent_reads", "adder_delay_ns", "crossbar_box", "adc_dips",
)  # fmt: skip


@lru_cache(maxsize=64)
def _crossbars(items: tuple[tuple[str, Value], ...], read: Reading) -> Crossbars:
    chip = dict(items)
    fields = _by_slices(chip, read)
    box = fields["box_area_um2"] * UM2
    other_area, array_area = (
        fields[name][0] * UM2 for name in ("other_area_um2", "array_area_um2")
    )
    adc_area = fields["adc_area_um2"][0] * UM2
    accumulation_area = fields["accumulation_area_um2"] * UM2
    rows = int(_number(chip, "crossbar_rows"))
    if chip["adc_figures"] == "table":
        own = _table(chip, "adc_table_area_um2", read) * UM2
        own *= rows / _number(chip, "columns_per_adc")
        box, adc_area = box + own - adc_area, own
    if chip["crossbar_box"] == "filled":
        box = adc_area + array_area + other_area + accumulation_area
    stretch = np.sqrt(box / (fields["box_area_um2"] * UM2))
    reads = np.ceil(np.maximum(np.arange(rows + 1.0), 1.0) / read.rows)
    return Crossbars(
        box_area=box,
        box_height=fields["box_height_um"] * UM * stretch,
        box_width=fields["box_width_um"] * UM * stretch,
        adc_area=adc_area,
        array_area=array_area,
        other_area=other_area,
        accumulation_area=accumulation_area,
        leakage=fields["leakage_uw"] * UW,
        accumulation_energy=fields["accumulation_energy_pj"] * PJ,
        other_energy=fields["other_energy_pj_no_row"][0] * PJ,
        other_row_energy=fields["other_energy_pj_per_row"][0] * PJ,
        word_line_energy=fields["word_line_energy_pj_per_row"][0] * PJ,
        clock=_clock(chip, read) * NS,
        conversion_energy=_expected(_conversions(chip, read), reads),
        reads=reads,
    )


def _by_slices(chip: Mapping[str, Value], read: Reading) -> dict[str, Floats]:
    """Every field of the grid by the slices of a weight, (MOST_SLICES + 1,); index 0 is as 1.

    All fields depend on weight bits through their slices alone. Beyond the grid's 8 bits they go
    on as between its last two numbers of slices, in which they are linear (4-bit cells: as 1-bit
    cells do); the energy of shift-adders is not used there (`accumulation.py` has its formula).
    """
    cell_bits = int(_number(chip, "cell_bits"))
    known = 8 // cell_bits
    slices = np.maximum(np.arange(MOST_SLICES + 1), 1)
    inside = np.minimum(slices, known)
    costs = _costs(chip, read, cell_bits)[inside * cell_bits - 1]
    single = _costs(chip, read, 1)
    table = costs + (slices - inside)[:, None] * (single[7] - single[6])
    names = [str(name) for name in _grid()["fields"]]
    return {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(names)}


def _costs(chip: Mapping[str, Value], read: Reading, cell_bits: int) -> Floats:
    """The grid's fields by weight bits, (8, fields)."""
    return _entry(f"{_nearest_device(chip)}/costs", chip, read, cell_bits)


def _entry(array: str, chip: Mapping[str, Value], read: Reading, cell_bits: int) -> Floats:
    """One setting of the grid over weight bits and the last axis, (8, ...)."""
    values = _grid()[array]
    node = _place("nodes", chip["technology_nm"])
    rows = _place("crossbar_rows", chip["crossbar_rows"])
    cell, levels = _place("cell_bits", cell_bits), _place("adc_levels", read.levels)
    sar, mux = int(chip["adc_kind"] == "sar"), _place("columns_per_adc", chip["columns_per_adc"])
    entry: Floats = values[node, rows, :, cell, sar, levels, mux].astype(np.float64)
    return entry


def _place(axis: str, value: Value) -> int:
    return int(np.flatnonzero(_grid()[axis] == value)[0])


def _clock(chip: Mapping[str, Value], read: Reading) -> float:
    """Time of one multiplexer step in ns.

    The multiplexers' decoder is sized at 22 nm only, so that at 32 to 65 nm it is most of the time.
    "sized" takes what settles before a conversion from 22 nm, times the ratio of the adders'
    delays; it is what the SAR clock holds beside its conversion.
    """
    clock = float(_costs(chip, read, 1)[0, _CLOCK])
    if chip["mux_decoder"] == "unsized":
        return clock
    sar = dict(chip) | {"adc_kind": "sar"}
    five_bits = replace(read, levels=32)
    settling = float(_costs(sar, five_bits, 1)[0, _CLOCK]) - _SAR_CONVERSION
    smallest = sar | {"technology_nm": 22}
    at_22 = float(_costs(smallest, five_bits, 1)[0, _CLOCK]) - _SAR_CONVERSION
    return clock - settling + at_22 * (_number(chip, "adder_delay_ns") / _ADDER_DELAY_22)


def _conversions(chip: Mapping[str, Value], read: Reading) -> Floats:
    """Energy in J of one conversion of all columns by the number of active rows, (X + 1,).

    The grid's knots are joined linearly in the rows for SAR, in their logarithm for flash, whose
    sensing time follows the logarithm of a column's resistance. With other resistances, a SAR ADC
    is taken to be as with the nearest device at the same column current; for flash see `_between`.
    """
    cell_bits = int(_number(chip, "cell_bits"))
    device = _nearest_device(chip)
    rows = int(_number(chip, "crossbar_rows"))
    relative = _relative_conductance(chip, device)
    entry = _entry(f"{device}/adc_energy_pj", chip, read, cell_bits)[7]
    if chip["adc_kind"] == "flash" and relative != 1.0:
        entry, relative = _between(chip, read, cell_bits), 1.0
    knots = _grid()["active_rows"].astype(np.float64)
    inside = (knots > 0) & (knots <= rows)
    active = np.arange(1.0, rows + 1)
    current = np.maximum(active * relative, 1.0)
    scale = np.positive if chip["adc_kind"] == "sar" else np.log2
    energy = _joined(scale(current), scale(knots[inside]), entry[inside])
    silent = float(entry[0])
    if chip["adc_figures"] == "table":  # the cells' current stays, as SAR ADCs show it
        sar = _entry(f"{device}/adc_energy_pj", dict(chip) | {"adc_kind": "sar"}, read, cell_bits)
        sar = sar[7][inside]
        slope = (sar[-1] - sar[0]) / (knots[inside][-1] - knots[inside][0])
        silent = _table(chip, "adc_table_energy_fj", read) * rows * FJ / PJ
        energy = silent + slope * active * _relative_conductance(chip, device)
    if chip["silent_reads"] == "skipped":
        silent = 0.0
    joined = np.concatenate([[silent], energy]) * PJ
    return joined if chip["adc_dips"] == "kept" else np.maximum.accumulate(joined)


def _between(chip: Mapping[str, Value], read: Reading, cell_bits: int) -> Floats:
    """Energies of flash ADCs at the grid's knots, in pJ, for resistances that it does not have.

    The logarithm of the energy is taken to be linear in that of the mean conductance between the
    two devices next to it, and on to a factor `_FURTHEST` beyond the outermost. Left out and
    predicted so, the 100 kOhm device is met within 5.4 % in the mean (22 % at worst).
    """
    found = {_conductance(*key[1:]): name for key, name in DEVICES.items()}
    known = sorted(found)
    wanted = _conductance(_number(chip, "r_on_ohm"), _number(chip, "r_off_ohm"))
    right = int(np.clip(np.searchsorted(known, wanted), 1, len(known) - 1))
    low, high = known[right - 1], known[right]
    part = np.log(wanted / low) / np.log(high / low)
    first, second = (
        np.log(_entry(f"{found[one]}/adc_energy_pj", chip, read, cell_bits)[7])
        for one in (low, high)
    )
    entry: Floats = np.exp(first + part * (second - first))
    return entry


def _joined(x: Floats, knots: Floats, values: Floats) -> Floats:
    """Linear interpolation; beyond the last knot the last piece goes on."""
    last = float((values[-1] - values[-2]) / (knots[-1] - knots[-2]))
    beyond: Floats = np.maximum(x - knots[-1], 0.0)
    return np.interp(x, knots, values) + beyond * last


def _expected(energy: Floats, reads: Floats) -> Floats:
    """Expected energy by rows of a block and by rate, (X + 1, RATE_STEPS + 1), flattened later.

    E_r(p) = sum_n Binomial(n; r, p) e(n). With e shifted by m active rows,
    E_r(m) = (1 - p) E_{r-1}(m) + p E_{r-1}(m + 1): one more row is active or not. Blocks that are
    read in groups convert once a group, of as equal rows as possible.
    """
    rows = len(energy) - 1
    rate = np.sin(np.linspace(0.0, np.pi / 2, RATE_STEPS + 1)) ** 2
    shifted = np.repeat(energy[:, None], RATE_STEPS + 1, axis=1)
    expected = np.empty((rows + 1, RATE_STEPS + 1))
    expected[0] = energy[0]
    for row in range(1, rows + 1):
        shifted = shifted[:-1] + rate * (shifted[1:] - shifted[:-1])
        expected[row] = shifted[0]
    block = np.arange(rows + 1)
    least = (block // reads).astype(np.intp)
    more = (block - least * reads)[:, None]
    grouped: Floats = (reads[:, None] - more) * expected[least]
    return grouped + more * expected[np.minimum(least + 1, rows)]


def _device(chip: Chip) -> str | None:
    if chip.word("memory") == "sram":
        return "sram"
    key = (chip.word("memory"), chip.number("r_on_ohm"), chip.number("r_off_ohm"))
    return DEVICES.get(key)


def _nearest_device(chip: Mapping[str, Value]) -> str:
    """The grid's device of the same memory and the nearest mean conductance."""
    if chip["memory"] == "sram":
        return "sram"
    known = {key: name for key, name in DEVICES.items() if key[0] == chip["memory"]}
    wanted = _conductance(_number(chip, "r_on_ohm"), _number(chip, "r_off_ohm"))
    nearest = min(known, key=lambda key: abs(np.log(_conductance(*key[1:]) / wanted)))
    return known[nearest]


def _relative_conductance(chip: Mapping[str, Value], device: str) -> float:
    """Mean conductance of the chip's cells / that of the grid's device."""
    if device == "sram":
        return 1.0
    on, off = next(key[1:] for key, name in DEVICES.items() if name == device)
    wanted = _conductance(_number(chip, "r_on_ohm"), _number(chip, "r_off_ohm"))
    return wanted / _conductance(on, off)


def _conductance(r_on: float, r_off: float) -> float:
    """Mean over equally likely cells, in siemens."""
    return (1 / r_on + 1 / r_off) / 2


def _number(chip: Mapping[str, Value], key: str) -> float:
    return float(chip[key])  # type: ignore[arg-type]


def _table(chip: Mapping[str, Value], key: str, read: Reading) -> float:
    values: tuple[float, ...] = chip[key]  # type: ignore[assignment]
    return float(values[ADC_LEVELS.index(read.levels)])
