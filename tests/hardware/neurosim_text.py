"""NeuroSim V1.4's rules restated in plain scalars, one network at a time, for tests.

It was written from a specification in words (mapping, buffers, wires, accumulation, time, area),
not from the package, and shares nothing with it but unit costs. Loops stand where the package has
arrays. Units: um, um2, ns, fJ, nW. All layers of a network have the same weight and input bits.
"""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from hardware.chip import Chip
from tests.hardware.neurosim_text_plan import Layer, Plan, log2

FIELDS = ("adc", "accumulation", "buffer", "interconnect", "other")


@dataclass
class Spent:
    """Energy in fJ and cycles, by component."""

    energy: dict[str, float] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0.0))
    cycles: dict[str, float] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0.0))

    def add(self, name: str, energy: float, cycles: float) -> None:
        self.energy[name] += energy
        self.cycles[name] += cycles


class Network(Plan):
    """One network on one chip of the compatible face."""

    def __init__(self, layers: list[Layer], chip: Chip, weight_bits: int, input_bits: int) -> None:
        super().__init__(layers, chip, weight_bits, input_bits)
        self.known: dict[tuple[int, float], tuple[float, float, float]] = {}
        self.sizes()

    # unit costs

    def number(self, name: str) -> float:
        return self.chip.number(name)

    def cyc(self, time: float) -> int:
        return math.ceil(time * min(1.0, 1 / self.clock))

    def adder_time(self, bits: int) -> float:
        return self.number("adder_delay_ns") + max(0, bits - 2) * self.number("adder_bit_delay_ns")

    def tree(self, n: int, bits: int, N: int) -> tuple[float, float, float, int]:
        """Energy of a use, area, leakage, cycles of N trees over n words."""
        first = self.number("adder_first_energy_fj")
        more = self.number("adder_bit_energy_fj")
        energy = total_bits = 0.0
        j, stages = n, (n - 1).bit_length()
        for stage in range(stages):
            j //= 2
            energy += j * (first + (bits + stage - 1) * more)
            total_bits += j * (bits + stage)
        time = self.adder_time(bits) + max(0, stages - 1) * self.adder_time(2)
        area = N * total_bits * self.number("adder_area_um2")
        return N * energy, area, N * total_bits * self.number("adder_leakage_nw"), self.cyc(time)

    def core(self, bits: float, line: float) -> tuple[float, float, float, float]:
        """Area, leakage, read and write energy a bit of a register file."""
        place = min(7, (math.ceil(bits / line) - 1).bit_length())
        write = self.chip.numbers("decoder_write_energy_pj")[place] * 1e3
        half = self.number("register_energy_fj") / 2
        cell = self.number("register_height_um") * self.number("register_width_um")
        area = bits * cell + self.chip.numbers("decoder_area_um2")[place]
        leak = bits * self.number("register_leakage_nw")
        leak += self.chip.numbers("decoder_leakage_nw")[place]
        return area, leak, half + write / 20 / bits, half + write / bits

    def wire_time(self, length: float, of: float) -> float:
        node = self.number("technology_nm") * 1e-3
        kind = 0 if of < 1e4 * node else 1 if of < 1e5 * node else 2
        return length * self.chip.numbers("wire_delay_ps_per_um")[kind] * 1e-3

    def h_tree(self, k: int, s: float) -> tuple[float, float, float, float]:
        """Delay, energy length, idle length, main bus in sides."""
        mb = 2**k // 2 if k else 0
        delay, length, idle, stage = 0.0, 0.0, 0.0, 0.0
        for i in range(1, k + 1):
            stage = s * 2**k / 2**i
            delay += 2 * self.wire_time(stage, stage)
            length += 2 * (s * 2**k / 2) / 2**i
            idle += 2 * (s * 2**k / 2) / 2**i if i < k else 0.0
        if k:
            delay += self.wire_time(mb * s, stage)
        return delay, length + mb * s, idle + mb * s, mb

    def h_tree_area(self, k: int, s: float, bits: float, fold: int) -> float:
        w, h = self.number("repeater_width_um"), self.number("repeater_height_um")
        area = sum(i * bits / fold * (w + h) * (s * 2**k / 2 / 2**i) / 2 for i in range(1, k))
        return area + bits * h / fold * (2**k // 2 if k else 0) * s

    # sizes of tiles and of the chip

    def sizes(self) -> None:
        X, M = self.X, self.M
        self.kinds = {n: self.kind(n) for n in (True, False)}
        side = math.ceil(math.sqrt(self.kstar))
        self.ma = math.ceil(self.P / X) * self.K
        self.th = self.T
        if self.novel:
            self.ma = max(math.ceil(self.P / X), math.ceil(self.sN / X)) * max(self.K, side)
            self.th = max(self.T, self.sN)
        if self.pipelined:
            self.ma *= len(self.layers) + 1
            self.th *= len(self.layers) + 1 if self.novel else 1
        self.units = math.ceil(self.th / M)
        gw = 0.0
        for is_n, tiles in zip(self.is_n, self.tiles, strict=True):
            q = self.sN * side if is_n else self.T
            gw += q * (1 + 1 / M) * (tiles if self.pipelined else 1)
        while gw > 2048:
            gw /= 2
        self.gw = gw
        maps = [one.height * one.width * one.inputs for one in self.layers]
        capacity = self.bi * (sum(maps) / 2 if self.pipelined else max(maps))
        self.cG = math.ceil(capacity / 16384)
        self.store = self.core(16384, 128)
        self.u = max(math.sqrt(kind["area"]) for kind in self.kinds.values())

    def kind(self, is_n: bool) -> dict[str, Any]:
        """What one tile of a kind is made of."""
        X, M = self.X, self.M
        z_pe = self.sN if is_n else self.P
        ns = math.ceil(z_pe / X)
        pes = self.kstar if is_n else self.K**2
        nio = self.kstar if is_n else self.K
        box_h, box_w = self.crossbar["box_height_um"], self.crossbar["box_width_um"]
        ff_h, ff_w = self.number("register_height_um"), self.number("register_width_um")
        D_in = self.bi * X
        D_out = math.trunc((X / M) * (self.b_S + log2(ns)))
        height, width = ns * box_h, ns * box_w
        registers = height * ff_w * math.ceil(D_in / min(math.trunc(height / ff_h), D_in))
        registers += width * ff_h * math.ceil(D_out / min(math.trunc(width / ff_w), D_out))
        _, pe_tree, _, _ = self.tree(ns, self.b_S, math.ceil(ns * X / M))
        pe = ns**2 * self.crossbar["box_area_um2"] + pe_tree + registers
        b_PE = self.b_S + ns
        out_bits = b_PE + log2(nio)
        buffers = []
        for bits, line in (
            (nio * self.bi * X, nio * X),
            (out_bits * nio * X / M, out_bits * nio),
        ):
            cores, size, width_ = (
                (1, bits, line) if bits < 1024 else (math.ceil(bits / 1024), 1024, 32)
            )
            buffers.append((cores, width_, self.core(size, width_)))
        bus = nio * z_pe
        N = math.ceil((self.sN if is_n else self.K * self.P) / M)
        _, tree, _, _ = self.tree(pes if is_n else self.K, b_PE, N)
        k = log2(math.ceil(math.sqrt(self.kstar))) if is_n else log2(self.K)
        s = math.sqrt(pe)
        wire_area = self.h_tree_area(k, s, bus, 16)
        wires = self.h_tree(k, s)
        buffer_area = sum(cores * core[0] for cores, _, core in buffers)
        leak = pes * (
            ns**2 * self.crossbar["leakage_uw"] * 1e3
            + (D_in + D_out) * self.number("register_leakage_nw")
            + self.number("local_wire_leakage_pw_per_um")
            * 1e-3
            * (box_w * (ns - 1) * X + box_h * (ns - 1) * ns * X)
        )
        leak += sum(core[1] for _, _, core in buffers)
        leak += wires[2] * bus * self.number("wire_leakage_pw_per_um") * 1e-3
        return {
            "ns": ns, "pes": pes, "nio": nio, "D_in": D_in, "D_out": D_out, "b_PE": b_PE,
            "buffers": buffers, "bus": bus, "N": N, "wires": wires, "wire_area": wire_area,
            "registers": pes * registers + buffer_area, "trees": pes * pe_tree + tree,
            "area": pes * pe + tree + buffer_area + wire_area, "leak": leak,
        }  # fmt: skip

    # 5: a processing element

    def pe(self, i: int, R: int, C: int, ar: int = 1, ac: int = 1) -> Spent:
        X, M, S, bi = self.X, self.M, self.S, self.bi
        layer, kind = self.layers[i], self.kinds[self.is_n[i]]
        nv0, nv, ns = layer.positions, layer.positions * bi, kind["ns"]
        spent = Spent()
        rows = [min(X, R - at) for at in range(0, R, X)]
        columns = [min(X, C - at) for at in range(0, C, X)]
        for r in rows:
            adc, word, other = self.expected(r, layer.rate)
            for c in columns:
                spent.add("adc", nv * (adc * c / X + word), 0)
                spent.add("accumulation", nv * self.crossbar["accumulation_energy_pj"] * 1e3, 0)
                spent.add("other", nv * other, 0)
        copies = ar * ac
        spent.cycles["adc"] = M * nv / copies
        if copies == 1 or ar < ns or ac < ns:
            n = math.ceil(R / X)
            energy, _, leak, cycles = self.tree(n, self.b_S, math.ceil(ns * X / M))
            uses = nv0 * (M // S)
            blocks = len(rows) * len(columns) if copies > 1 else 1
            spent.add("accumulation", energy * uses * blocks, cycles * uses / copies)
            self.stale[self.is_n[i], "pe"] = leak
        inputs, sums = R * nv, (C // S) * nv / bi
        ri = math.floor(inputs / kind["D_in"])
        ro = math.floor(sums * self.b_S / kind["D_out"])
        ff = self.number("register_energy_fj")
        spent.add("buffer", (ri * kind["D_in"] + ro * kind["D_out"]) * ff, ri + ro)
        wire = self.crossbar["box_width_um"] * (ns - 1) * 0.18 * inputs
        wire += self.crossbar["box_height_um"] * (ns - 1) * 0.5 * sums * (self.b_S + log2(ns))
        spent.add("interconnect", wire * self.number("local_wire_energy_fj_per_um"), 0)
        return spent

    def expected(self, rows: int, rate: float) -> tuple[float, float, float]:
        """ADC, word lines, other in fJ of one block, expected over the active rows."""
        if (rows, rate) in self.known:
            return self.known[rows, rate]
        adc = word = other = 0.0
        for n in range(rows + 1):
            chance = math.comb(rows, n) * rate**n * (1 - rate) ** (rows - n)
            adc += chance * self.adc_energy(n)
            word += chance * n * self.crossbar["word_line_energy_pj_per_row"] * 1e3
            other += chance * (
                self.crossbar["other_energy_pj_no_row"]
                + n * self.crossbar["other_energy_pj_per_row"]
            )
        self.known[rows, rate] = adc, word, other * 1e3
        return self.known[rows, rate]

    def adc_energy(self, n: int) -> float:
        knots, values = self.adc
        if n == 0:
            return values[0] * 1e3
        scale = (lambda v: v) if self.chip.word("adc_kind") == "sar" else math.log2
        place = next(k for k in range(2, len(knots)) if knots[k] >= n)
        low, high = scale(knots[place - 1]), scale(knots[place])
        part = (scale(n) - low) / (high - low)
        return (values[place - 1] + part * (values[place] - values[place - 1])) * 1e3

    # 6: tiles and layers

    def tile(self, i: int, Rt: int, Ct: int) -> Spent:
        kind, layer, is_n = self.kinds[self.is_n[i]], self.layers[i], self.is_n[i]
        copies, K = self.gr[i] * self.gc[i], self.K
        words = None
        if is_n:
            spent = self.pe(i, Rt // self.kstar, Ct)
            spent.energy = {name: self.kstar * value for name, value in spent.energy.items()}
            spent.cycles = {name: value / copies for name, value in spent.cycles.items()}
            words = self.kstar
        elif copies > 1 and self.gr[i] >= K and self.gc[i] >= K:
            ar, ac = math.ceil(self.gr[i] / K), math.ceil(self.gc[i] / K)
            spent = self.pe(i, Rt, Ct, ar, ac)
            spent.cycles = {name: value / K**2 for name, value in spent.cycles.items()}
        else:
            spent, words = self.flat_pes(i, Rt, Ct)
        nv0, nv = layer.positions, layer.positions * self.bi
        if words is not None:
            energy, _, leak, cycles = self.tree(words, kind["b_PE"], kind["N"])
            uses = nv0 * (self.M // self.S if is_n else math.ceil(self.M / self.S))
            spent.add("accumulation", energy * uses, cycles * uses)
            self.stale[is_n, "tile"] = leak
        inputs = Rt * nv / (math.sqrt(self.kstar) if is_n else 1)
        outputs = (Ct // self.S) * (log2(kind["nio"]) + kind["b_PE"]) * nv / self.bi
        for bits, (cores, line, core) in zip((inputs, outputs), kind["buffers"], strict=True):
            cycles = bits / line / min(cores, math.ceil(kind["bus"] / line))
            spent.add("buffer", bits / 2 * (core[2] + core[3]), cycles)
        delay, length, _, _ = kind["wires"]
        energy = self.number("wire_energy_fj_per_um") * length * (0.18 * inputs + 0.5 * outputs)
        spent.add("interconnect", energy, self.cyc(delay) * (inputs + outputs) / kind["bus"])
        return spent

    def flat_pes(self, i: int, Rt: int, Ct: int) -> tuple[Spent, int | None]:
        """Of a flat tile whose PEs are gone through one by one, and the words of its tree."""
        copies, K, P = self.gr[i] * self.gc[i], self.K, self.P
        down, across = math.ceil(Rt / P), math.ceil(Ct / P)
        spent, last = Spent(), Spent()
        for x, y in itertools.product(range(K), repeat=2):
            inside = x < down and y < across
            if inside:
                last = self.pe(i, min(P, Rt - x * P), min(P, Ct - y * P))
            for name in FIELDS:
                if inside or copies == 1:
                    spent.energy[name] += last.energy[name]
                spent.cycles[name] = max(spent.cycles[name], last.cycles[name])
        if copies == 1:
            return spent, K
        spent.cycles = {name: value / copies for name, value in spent.cycles.items()}
        return spent, down if down > 1 else None

    def layer(self, i: int) -> Spent:
        layer, is_n, nv0 = self.layers[i], self.is_n[i], self.layers[i].positions
        spent = Spent()
        zr, zc = (self.sN * self.kstar, self.sN) if is_n else (self.T, self.T)
        for top in range(0, self.WR[i], zr):
            for left in range(0, self.WC[i], zc):
                one = self.tile(i, min(zr, self.WR[i] - top), min(zc, self.WC[i] - left))
                for name in FIELDS:
                    spent.energy[name] += one.energy[name]
                    spent.cycles[name] = max(spent.cycles[name], one.cycles[name])
        ff = self.number("register_energy_fj")
        n = math.ceil(nv0 * layer.outputs / self.units)
        spent.add("other", n * self.units * self.bi * ff, n)
        if self.tr[i] > 1:
            N = self.units
            energy, _, _, cycles = self.tree(self.tr[i], self.b_S + log2(self.ma), N)
            uses = math.ceil((self.WC[i] // self.S) * nv0 / N)
            spent.add("accumulation", energy * uses, cycles * uses)
        if layer.pooled:
            units = max(self.T, self.sN) // self.M
            n = math.ceil(math.floor(nv0 * self.WC[i] / self.S) / 4 / units)
            cycles = n * 3 * self.cyc(self.number("pool_delay_ns"))
            spent.add("other", n * units * self.number("pool_energy_fj"), cycles)
        inputs = self.WR[i] * self.bi * nv0 / (layer.kernel_height if is_n else 1)
        outputs = (self.WC[i] // self.S) * self.bi * nv0 / (4 if layer.pooled else 1)
        spent.add("interconnect", *self.bus(i, inputs, outputs))
        read, write = self.store[2:]
        cycles = (inputs + outputs) / 128 / min(self.cG, math.ceil(self.gw / 128))
        spent.add("buffer", inputs * read + outputs * write, cycles)
        return spent

    def bus(self, i: int, inputs: float, outputs: float) -> tuple[float, float]:
        s = math.sqrt(self.kinds[self.is_n[i]]["area"])
        e_w, tt = self.number("wire_energy_fj_per_um"), self.nN + self.nC
        if self.chip.word("bus") == "htree":
            delay, length, _, _ = self.h_tree(log2(max(self.Gr, self.Gc)), s)
            bw = math.ceil(self.gw * self.tiles[i] / tt)
            toggled = math.ceil(0.18 * inputs / bw) + math.ceil(0.5 * outputs / bw)
            cycles = self.cyc(delay) * math.ceil((inputs + outputs) / bw)
            return e_w * length * bw * toggled, cycles
        across = s * math.ceil(self.Gc / 2)
        along = s * (self.Gr - math.ceil(self.Gr / 2) - 1)
        bare = 0.5 * self.number("wire_capacitance_ff_per_um") * self.number("supply_v") ** 2
        energy = e_w * across * 0.18 * inputs + (e_w if along > 0 else bare) * along * 0.5 * outputs
        cycles = self.cyc(self.wire_time(across, self.u * self.Gc)) * math.ceil(
            inputs / self.gw * self.Gr / self.tr[i]
        )
        if along > 0:
            cycles += self.cyc(self.wire_time(along, self.u * self.Gr)) * math.ceil(
                outputs / self.gw * self.Gc / self.tc[i]
            )
        return energy, cycles

    # the chip

    def run(self) -> list[Spent]:
        """All layers, twice, as the first pass leaves the trees' leakage behind."""
        self.stale = {(n, level): 0.0 for n in (True, False) for level in ("pe", "tile")}
        for i in range(len(self.layers)):
            self.layer(i)
        spent, self.leak = [], []
        for i in range(len(self.layers)):
            spent.append(self.layer(i))
            kind, is_n = self.kinds[self.is_n[i]], self.is_n[i]
            trees = kind["pes"] * self.stale[is_n, "pe"] + self.stale[is_n, "tile"]
            self.leak.append(kind["leak"] + trees)
        return spent

    def leakage(self, times: list[float]) -> float:
        """Energy in fJ (nW ns = 1e-3 fJ), from the layers' times in ns."""
        tt, total, slowest = self.nN + self.nC, 0.0, 0.0
        for i, time in enumerate(times):
            slowest = max(slowest, time)
            if self.pipelined:
                waiting = (slowest - time) / slowest * max(times)
                total += self.tiles[i] * self.leak[i] * waiting
            else:
                total += (tt - self.tiles[i]) * self.leak[i] * time
        return total * 1e-3

    def area(self) -> float:
        tiles = self.nN * self.kinds[True]["area"] + self.nC * self.kinds[False]["area"]
        w, h = self.number("repeater_width_um"), self.number("repeater_height_um")
        if self.chip.word("bus") == "htree":
            bus = self.h_tree_area(log2(max(self.Gr, self.Gc)), self.u, self.gw, 4)
        else:
            bus = self.gw / 4 * (w * self.u * self.Gr + h * self.u * self.Gc)
        _, tree, _, _ = self.tree(max(self.tr), self.b_S + log2(self.ma), self.units)
        pool = (max(self.T, self.sN) // self.M) * self.number("pool_area_um2")
        ff = self.number("register_height_um") * self.number("register_width_um")
        return tiles + bus + self.cG * self.store[0] + pool + tree + self.units * self.bi * ff
