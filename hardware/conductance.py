"""Weights as conductances: levels of a weight, slices of bits, cells, and where they lie.

Integer weights become cells as the cost models count them (`hardware.mapping`): ``offset`` adds
half the range and stores all bits, ``differential`` stores the magnitude in one of two columns.
Of one bit, -1 and 1, ``offset`` stores whether a weight is 1: a column's sum is doubled, by a
shift, and the count of its active rows taken out; ``differential`` has a cell for each sign.
A cell of level k of b bits conducts g_off + k (g_on - g_off) / (2^b - 1), with g = 1 / r.

Everything is in *units* of one level, (g_on - g_off) / (2^b - 1): a cell's conductance is its level
plus the *floor* g_off / unit. A cell that is off conducts, too: with s rows active, s times the
floor is taken out of a column's sum, by a count of the active rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genomes.errors import RequestError
from hardware.devices import IDEAL, Device, device_scale, load_device
from hardware.units import check_resistances, reading

if TYPE_CHECKING:
    from genomes.workload import Workload
    from hardware.chip import Chip
    from hardware.conditions import Conditions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_US = 1e-6

#: Parameters without which nothing is known of a chip's cells and reads.
_NEEDED = (
    *("crossbar_rows", "crossbar_columns", "cell_bits", "r_on_ohm", "r_off_ohm"),
    *("weight_encoding", "mapping", "adc_levels", "rows_per_read"),
)


@dataclass(frozen=True)
class Encoding:
    """How an integer weight is stored in cells side by side, least significant bits first.

    A weight of b bits has the levels -(2^(b-1) - 1) to 2^(b-1) - 1, or some of them; of one bit, -1
    and 1.

    Attributes:
        weight_bits: Bits of a weight, 1 to 8.
        cell_bits: Bits of a cell.
        differential: Whether the magnitude is stored in one of two groups of cells, of which the
            second one counts negative; else half the range is added and all bits are stored.
    """

    weight_bits: int
    cell_bits: int
    differential: bool

    @property
    def largest(self) -> int:
        """The largest level of a weight."""
        return max(1, (1 << self.weight_bits - 1) - 1)

    @property
    def offset(self) -> int:
        """What is added to a weight before it is stored."""
        return 0 if self.differential else 1 << self.weight_bits - 1

    @property
    def _step(self) -> int:
        """Levels from one stored number to the next: 2 where -1 and 1 are stored as 0 and 1."""
        return 2 if self.weight_bits == 1 and not self.differential else 1

    @property
    def _slices(self) -> int:
        """Cells of one sign."""
        stored = max(self.weight_bits - 1, 1) if self.differential else self.weight_bits
        return -(-stored // self.cell_bits)

    @property
    def powers(self) -> Ints:
        """(S,): what one level of each cell counts, negative for the negative group."""
        powers: Ints = self._step * 2 ** (self.cell_bits * np.arange(self._slices))
        return np.concatenate([powers, -powers]) if self.differential else powers

    def cells(self, levels: Ints) -> Ints:
        """Levels of the cells, (…, S), of weights of some levels, (…)."""
        if self.differential:
            positive, negative = np.maximum(levels, 0), np.maximum(-levels, 0)
            return np.concatenate([self._digits(positive), self._digits(negative)], axis=-1)
        return self._digits((levels + self.offset) // self._step)

    def _digits(self, codes: Ints) -> Ints:
        shifts: Ints = self.cell_bits * np.arange(self._slices)
        digits: Ints = (codes[..., None] >> shifts) & ((1 << self.cell_bits) - 1)
        return digits

    def levels(self, cells: Floats | Ints) -> Floats:
        """Levels of weights, (…), whose cells have some levels, (…, S); whole or not."""
        return np.asarray(cells @ self.powers - self.offset, np.float64)

    def table(self) -> Ints:
        """(2^b - 1, S): the cells of every level, from the lowest one up; of one bit (3, S)."""
        return self.cells(np.arange(-self.largest, self.largest + 1))


def encoding(chip: Chip, weight_bits: int) -> Encoding:
    """How a chip stores weights of some bits."""
    differential = chip.word("weight_encoding") == "differential"
    return Encoding(weight_bits, int(chip.number("cell_bits")), differential)


@dataclass(frozen=True)
class CellTable:
    """What becomes of a cell of each level k = 0 … 2^cell_bits - 1, in units of one level.

    A cell's conductance is max(0, k + floor + shift + deviation N), with N a standard normal
    variable, then times exp(-nu drift_time) with nu = |drift_mean + drift_deviation N'|, then times
    max(0, 1 + read N'').

    Attributes:
        unit_siemens: One level.
        floor: Conductance of a cell that is off.
        shift: Change of the mean.
        deviation, drift_mean, drift_deviation, read: (2^cell_bits,).
        drift_time: See `Device.drift_time`.
    """

    unit_siemens: float
    floor: float
    shift: float
    deviation: Floats
    drift_mean: Floats
    drift_deviation: Floats
    drift_time: float
    read: Floats

    @property
    def top(self) -> int:
        """The highest level of a cell."""
        return len(self.deviation) - 1


def require_cells(chip: Chip) -> None:
    """Refuse a chip of whose cells nothing is known.

    Raises:
        RequestError: Its model has no such parameters, or cells that are off conduct as much as
            those that are on.
    """
    for key in _NEEDED:
        if key not in chip.values:
            allowed = "a chip whose model knows its cells"
            raise RequestError("chip", chip.name, allowed, f"{chip.name} has no {key}.")
    check_resistances(chip)
    reading(chip)


def cell_table(chip: Chip, conditions: Conditions, seconds: float = 0.0) -> CellTable:
    """Work out what becomes of a chip's cells.

    The device's deviation and `conditions.variation` are independent: their squares add up.

    Args:
        chip: Gives r_on_ohm, r_off_ohm and cell_bits.
        conditions: Gives device, rescale and variation.
        seconds: Time after programming.

    Raises:
        RequestError: As `hardware.conditions.check_conditions`.
    """
    require_cells(chip)
    _require_memory(chip, conditions)
    if not 0 <= seconds < inf:
        raise RequestError("seconds", seconds, "a number of 0 or more")
    if chip.values.get("memory") == "sram":
        none = np.zeros(2 ** int(chip.number("cell_bits")))
        return CellTable(1.0, 0.0, 0.0, none, none, none, 0.0, none)
    g_off, g_on = 1 / chip.number("r_off_ohm") / _US, 1 / chip.number("r_on_ohm") / _US
    top = 2 ** int(chip.number("cell_bits")) - 1
    unit = (g_on - g_off) / top
    g = g_off + unit * np.arange(top + 1)
    relative = conditions.variation * g / unit
    zeros = np.zeros_like(g)
    if conditions.device == IDEAL:
        return CellTable(unit * _US, g_off / unit, 0.0, relative, zeros, zeros, 0.0, zeros)
    device = load_device(conditions.device)
    check_seconds(device, seconds)
    scale = device_scale(device, g_off, g_on, rescale=conditions.rescale)
    x = np.clip(g * scale, device.smallest_us, device.largest_us)
    drift_mean, drift_deviation = device.drift_exponents(x)
    return CellTable(
        unit_siemens=unit * _US,
        floor=g_off / unit,
        shift=device.shift_us(seconds) / scale / unit,
        deviation=np.hypot(device.deviation_us(x, seconds) / scale / unit, relative),
        drift_mean=drift_mean,
        drift_deviation=drift_deviation,
        drift_time=device.drift_time(seconds),
        read=device.read_deviation(x, seconds),
    )


def _require_memory(chip: Chip, conditions: Conditions) -> None:
    """Refuse what is not known of a chip's memory cells.

    Devices are of RRAM and of phase-change memory, both plain resistances behind a transistor.
    SRAM cells hold a bit and have no conductance that varies: they can be stuck, no more.
    """
    memory = str(chip.values.get("memory", "rram"))
    if memory != "rram" and conditions.device != IDEAL:
        allowed = f"{IDEAL!r} for a chip of {memory.upper()} cells, of which no device is known"
        raise RequestError("device", conditions.device, allowed)
    for name in ("variation", "wire_ohm") if memory == "sram" else ():
        if getattr(conditions, name):
            allowed = "0 for a chip of SRAM cells, which have no conductance that varies"
            raise RequestError(name, getattr(conditions, name), allowed)


def check_seconds(device: Device, seconds: float) -> None:
    """Raise a RequestError for a time that nothing is published of."""
    if seconds > device.last_seconds:
        allowed = f"0 to {device.last_seconds:g}, the latest time published of {device.name}"
        raise RequestError("seconds", seconds, allowed)


def row_blocks(channels: int, positions: int, height: int, *, by_kernel: bool) -> list[Ints]:
    """Rows of a layer's matrix by crossbar.

    Args:
        channels: Input channels, or features of a linear layer.
        positions: Kernel positions, 1 for a linear layer.
        height: Rows of a crossbar.
        by_kernel: Whether each kernel position has its own crossbars.

    Returns:
        For each row block the indices of its rows, in the order of a weight's (channels, kernel).
    """
    rows = np.arange(channels * positions).reshape(channels, positions)
    runs = list(rows.T) if by_kernel else [rows.ravel()]
    return [run[start : start + height] for run in runs for start in range(0, len(run), height)]


def kernel_layers(workload: Workload, chip: Chip) -> list[bool]:
    """Which layers have crossbars of their own for each kernel position, as they are costed."""
    if chip.word("mapping") != "kernel":
        return [False] * len(workload.layers)
    if chip.model != "neurosim":
        return [True] * len(workload.layers)
    from hardware.arrays import pack
    from hardware.neurosim.floorplan import plan
    from hardware.neurosim.matrices import matrices

    layers = pack([workload])
    floor = plan(layers, matrices(layers, chip, reading(chip)), chip)
    return [bool(one) for one in floor.on_kernel[0]]
