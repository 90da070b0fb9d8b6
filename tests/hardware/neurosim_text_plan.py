"""NeuroSim V1.4's floor plan restated in plain scalars; see neurosim_text.py."""

import math
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from hardware.chip import Chip


@dataclass
class Layer:
    """One row of NeuroSim's network file; a linear layer is a 1 x 1 kernel on a 1 x 1 map."""

    height: int
    width: int
    inputs: int
    kernel_height: int
    kernel_width: int
    outputs: int
    pooled: bool = False
    stride: int = 1
    rate: float = 0.15

    @property
    def kernel(self) -> int:
        return self.kernel_height * self.kernel_width

    @property
    def positions(self) -> int:
        down = (self.height - self.kernel_height + 1) / self.stride
        across = (self.width - self.kernel_width + 1) / self.stride
        return math.trunc(down * across)


def pow2(value: int) -> int:
    return 1 << (value - 1).bit_length()


def log2(value: float) -> int:
    return math.ceil(math.log2(value))


class Plan:
    """The floor plan of one network on one chip of the compatible face."""

    def __init__(self, layers: list[Layer], chip: Chip, weight_bits: int, input_bits: int) -> None:
        """Take what is given; `crossbar` holds one entry of the table of crossbars."""
        self.layers, self.chip = layers, chip
        self.bi, self.bc = input_bits, int(chip.number("cell_bits"))
        self.X, self.M = int(chip.number("crossbar_rows")), int(chip.number("columns_per_adc"))
        self.S = math.ceil(weight_bits / self.bc)
        self.a = round(math.log2(chip.number("adc_levels")))
        self.b_S = self.a + self.bi + (self.S - 1) * self.bc + 1
        self.pipelined = bool(chip.values["pipelined"])
        self.novel = chip.word("mapping") == "kernel"
        self.crossbar, self.adc = table_entry(chip, weight_bits)
        self.clock = self.crossbar["clock_ns"]
        self.plan()

    # 1: floor plan

    def plan(self) -> None:
        X, S, layers = self.X, self.S, self.layers
        areas = [one.kernel for one in layers if one.kernel > 1]
        self.kstar = max(areas, key=areas.count) if areas and self.novel else 1
        WR = self.WR = [one.inputs * one.kernel for one in layers]
        WC = self.WC = [one.outputs * S for one in layers]
        self.is_n = [
            self.novel and one.kernel == self.kstar and rows >= X
            for one, rows in zip(layers, WR, strict=True)
        ]
        N = [i for i, one in enumerate(self.is_n) if one]
        C = [i for i, one in enumerate(self.is_n) if not one]
        best = s = self.sN = max([2 * X] + [pow2(WC[i]) for i in N])
        most = 0.0
        while s > 2 * X:
            tiles = sum(math.ceil(layers[i].inputs / s) * math.ceil(WC[i] / s) for i in N)
            used = sum(WR[i] * WC[i] for i in N) / (tiles * s * s * self.kstar)
            if used > most:
                best, most = s, used
            s //= 2
        self.sN = best
        best = t = max([4 * X] + [pow2(WC[i]) for i in C])
        most = 0.0
        while t > 4 * X:
            tiles = sum(math.ceil(WR[i] / t) * math.ceil(WC[i] / t) for i in C)
            used = sum(WR[i] * WC[i] for i in C) / (tiles * t * t)
            if used > most:
                best, most = t, used
            t //= 2
        T = self.T = best
        P = best = T // 2
        tiles = sum(math.ceil(WR[i] / T) * math.ceil(WC[i] / T) for i in C)
        while P > 2 * X:
            used = 0.0
            for i in C:
                dr, dc = self.pe_copies(i, P)
                used += dr * dc * WR[i] * WC[i] / (tiles * T * T)
            if used > most:
                best, most = P, used
            P //= 2
        self.P, self.K = best, T // best
        self.needs()
        self.by_layer()

    def pe_copies(self, i: int, P: int) -> tuple[int, int]:
        WR, WC, T = self.WR[i], self.WC[i], self.T
        if self.is_n[i] or (WR > T and WC > T):
            return 1, 1
        K = T // P
        return max(1, K // math.ceil(WR / P)), max(1, K // math.ceil(WC / P))

    def needs(self) -> None:
        self.need = [1] * len(self.layers)
        spatial = [one.height for one in self.layers if one.kernel_height != 1]
        if not self.pipelined or not spatial:
            return
        first = self.layers[0].height
        degree = min(int(self.chip.number("speed_up_degree")), first // min(spatial))
        bound = math.ceil(first / degree)
        self.need = [math.ceil((one.height / bound) ** 2) for one in self.layers]

    def by_layer(self) -> None:
        X = self.X
        self.tr, self.tc, self.gr, self.gc, self.used = [], [], [], [], []
        for i, one in enumerate(self.layers):
            dr, dc = self.pe_copies(i, self.P)
            q, r = (self.sN, one.inputs) if self.is_n[i] else (self.P, self.WR[i])
            sr = sc = 1
            if r <= q or self.WC[i] <= q:
                sr = max(1, math.ceil(q / X) // math.ceil(r / X))
                sc = max(1, math.ceil(q / X) // math.ceil(self.WC[i] / X))
            D = dr * dc * sr * sc
            extra = math.ceil(self.need[i] / D) if self.pipelined else 1
            z = self.sN if self.is_n[i] else self.T
            self.tr.append(math.ceil(r / z) * extra)
            self.tc.append(math.ceil(self.WC[i] / z))
            self.gr.append(dr * sr * extra)
            self.gc.append(dc * sc)
            cells = self.tr[i] * self.tc[i] * z * z * (self.kstar if self.is_n[i] else 1)
            self.used.append(max(self.need[i], D) * self.WR[i] * self.WC[i] / cells)
        self.tiles = [tr * tc for tr, tc in zip(self.tr, self.tc, strict=True)]
        self.nN = sum(t for t, n in zip(self.tiles, self.is_n, strict=True) if n)
        self.nC = sum(self.tiles) - self.nN
        self.Gr = math.ceil(math.sqrt(self.nN + self.nC))
        self.Gc = math.ceil((self.nN + self.nC) / self.Gr)


def table_entry(chip: Chip, weight_bits: int) -> tuple[dict[str, float], tuple[Any, Any]]:
    """One crossbar of the table: its fields, and ADC energies in pJ by active rows."""
    devices = {
        ("rram", 1e5): "rram_100k_1.7M",
        ("rram", 2e4): "rram_20k_200k",
        ("fefet", 2.4e5): "fefet_240k_24M",
    }
    if chip.word("memory") == "sram":
        device = "sram"
    else:
        device = devices[chip.word("memory"), chip.number("r_on_ohm")]
    path = resources.files("hardware").joinpath("presets", "neurosim_v1_4_crossbars.npz")
    with path.open("rb") as file, np.load(file) as grid:
        place = tuple(
            int(np.flatnonzero(grid[axis] == value)[0])
            for axis, value in (
                ("nodes", chip.number("technology_nm")),
                ("crossbar_rows", chip.number("crossbar_rows")),
                ("weight_bits", weight_bits),
                ("cell_bits", chip.number("cell_bits")),
                ("sar_adc", int(chip.word("adc_kind") == "sar")),
                ("adc_levels", chip.number("adc_levels")),
                ("columns_per_adc", chip.number("columns_per_adc")),
            )
        )
        names = [str(name) for name in grid["fields"]]
        fields = dict(zip(names, grid[f"{device}/costs"][place].tolist(), strict=True))
        rows = int(chip.number("crossbar_rows"))
        knots = [int(knot) for knot in grid["active_rows"] if knot <= rows]
        energies = grid[f"{device}/adc_energy_pj"][place].tolist()[: len(knots)]
    return fields, (knots, energies)
