"""Everything that the parts of the model look at: matrices, floor plan, unit costs, widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hardware.arrays import Bools, Floats, LayerArrays
from hardware.inventory import doublings
from hardware.neurosim.crossbars import Crossbars, crossbars
from hardware.neurosim.floorplan import FloorPlan, plan
from hardware.neurosim.matrices import Matrices, matrices
from hardware.neurosim.parts import Parts, parts
from hardware.units import Reading, reading

if TYPE_CHECKING:
    from hardware.chip import Chip


@dataclass(frozen=True)
class TileKinds:
    """The two kinds of tiles as they are built, (n, 2): kernel tiles, flat tiles.

    Attributes:
        pe: Side of a PE in rows of cells.
        side: Crossbars along a PE's side, `ns`.
        pes: PEs of a tile.
        ports: PEs that the tile's buffers serve at once.
        port_rows: Rows of cells of a port.
        bus_bits: Width of a tile's buses.
        pe_sum_bits: Width of what leaves a PE, `b_PE`.
        tile_sum_bits: Width of what leaves a tile's adder tree.
        pe_input_bits, pe_output_bits: Of a PE's registers.
        input_bits, output_bits: Of a tile's buffers.
        pe_trees: Adder trees of a PE; each adds the sums of the crossbars along a side.
        trees: Adder trees of a tile; each adds the sums of its ports.
        tiles: Tiles of the kind.
    """

    pe: Floats
    side: Floats
    pes: Floats
    ports: Floats
    port_rows: Floats
    bus_bits: Floats
    pe_sum_bits: Floats
    tile_sum_bits: Floats
    pe_input_bits: Floats
    pe_output_bits: Floats
    input_bits: Floats
    output_bits: Floats
    pe_trees: Floats
    trees: Floats
    tiles: Floats


@dataclass(frozen=True)
class Design:
    """n networks on a chip.

    Attributes:
        chip: The chip.
        layers, matrices, plan: Arrays over (candidate, layer).
        crossbar: One crossbar's costs.
        parts: All other unit costs.
        kinds: Both kinds of tiles.
        size: X, rows and columns of a crossbar.
        sharing: M, columns that share an ADC.
        adc_bits: a, bits of one conversion.
        sum_bits: b_S of the chip's crossbars, the widest of the network's, (n, 1).
        input_bits: Widest inputs of a network, (n, 1).
        slices: Most shifted slices of a weight, (n, 1): what shift-adders are built for.
        chip_words: Partial sums that the chip's adder tree is built for, (n, 1).
        chip_sum_bits: Width of its words, (n, 1).
        chip_trees: Adder trees, and activation units, of the chip, (n, 1).
        bus_bits: Width of the chip's bus, (n, 1).
        in_toggle: Fraction of input bits that toggle on wires, (n, L).
        mapped: Whether adder trees are counted for the columns that are mapped alone.
    """

    chip: Chip
    layers: LayerArrays
    matrices: Matrices
    plan: FloorPlan
    crossbar: Crossbars
    parts: Parts
    kinds: TileKinds
    size: float
    sharing: float
    adc_bits: float
    sum_bits: Floats
    input_bits: Floats
    slices: Floats
    chip_words: Floats
    chip_sum_bits: Floats
    chip_trees: Floats
    bus_bits: Floats
    in_toggle: Floats
    mapped: bool

    @property
    def present(self) -> Bools:
        """Layers on crossbars, (n, L)."""
        return self.matrices.present

    def by_layer(self, values: Floats) -> Floats:
        """Values of the two kinds of tiles (n, 2) as each layer has them, (n, L)."""
        return np.where(self.plan.on_kernel, values[:, :1], values[:, 1:])

    def weights(self, columns: Floats) -> Floats:
        """Weights in so many columns of each layer's; whether those cut at an edge count."""
        held: Floats = columns / self.matrices.slices
        return np.floor(held) if self.chip.word("cut_weights") == "dropped" else held

    def of_crossbar(self, table: Floats) -> Floats:
        """A figure of the crossbars as they are built, from a table by slices, (n, 1)."""
        return table[self.slices.astype(np.intp)]


def design(layers: LayerArrays, chip: Chip) -> Design:
    """Lay n networks out on a chip and size what they share."""
    read, crossbar, unit = chip.once(_circuits)
    grid = matrices(layers, chip, read)
    floor = plan(layers, grid, chip)
    size, sharing = chip.number("crossbar_rows"), chip.number("columns_per_adc")
    widest = np.where(grid.present, grid.sum_bits, 1.0).max(axis=1, keepdims=True)
    input_bits = np.where(grid.present, layers.input_bits, 1.0).max(axis=1, keepdims=True)
    kinds = _kinds(chip, floor, widest, input_bits, size, sharing)
    side = np.ceil(np.sqrt(floor.kernel))
    pipelined = bool(chip.values["pipelined"])
    by_kernel = chip.word("mapping") == "kernel"
    words = np.ceil(floor.flat_pe / size) * floor.side_pes
    if by_kernel:
        words = kinds.side.max(axis=1, keepdims=True) * np.maximum(floor.side_pes, side)
    largest = np.maximum(floor.flat_tile, floor.kernel_pe) if by_kernel else floor.flat_tile
    if pipelined:
        more = layers.present.sum(axis=1, keepdims=True) + 1
        largest = largest * more if by_kernel else largest
        if chip.word("pipelined_sums") == "all":
            words = words * more
    spikes = chip.word("toggling") == "spikes"
    rate = grid.rate
    return Design(
        chip=chip,
        layers=layers,
        matrices=grid,
        plan=floor,
        crossbar=crossbar,
        parts=unit,
        kinds=kinds,
        size=size,
        sharing=sharing,
        adc_bits=float(read.bits),
        sum_bits=widest,
        input_bits=input_bits,
        slices=np.where(grid.present, grid.shifted, 1.0).max(axis=1, keepdims=True),
        chip_words=np.maximum(floor.row_tiles.max(axis=1, keepdims=True), 1.0),
        chip_sum_bits=widest + doublings(words),
        chip_trees=np.ceil(largest / sharing),
        bus_bits=_bus_bits(floor, side, sharing, chip, pipelined, unit.bus_most),
        in_toggle=2 * rate * (1 - rate) if spikes else np.full_like(rate, unit.input_toggle),
        mapped=chip.word("adder_columns") == "mapped",
    )


def _circuits(chip: Chip) -> tuple[Reading, Crossbars, Parts]:
    """What depends on the chip alone."""
    read = reading(chip)
    crossbar = crossbars(chip, read)
    return read, crossbar, parts(chip, crossbar.clock)


def _kinds(
    chip: Chip,
    floor: FloorPlan,
    sum_bits: Floats,
    input_bits: Floats,
    size: float,
    sharing: float,
) -> TileKinds:
    """Size both kinds of tiles."""
    pe = np.concatenate([floor.kernel_pe, floor.flat_pe], axis=1)
    side = np.ceil(pe / size)
    ports = np.concatenate([floor.kernel, floor.side_pes], axis=1)
    port_rows = pe if chip.word("tile_ports") == "pes" else np.full_like(pe, size)
    growth = side if chip.word("pe_sum_growth") == "linear" else doublings(side)
    pe_sum_bits = sum_bits + growth
    tile_sum_bits = pe_sum_bits + doublings(ports)
    return TileKinds(
        pe=pe,
        side=side,
        pes=np.concatenate([floor.kernel, floor.side_pes**2], axis=1),
        ports=ports,
        port_rows=port_rows,
        bus_bits=ports * pe,
        pe_sum_bits=pe_sum_bits,
        tile_sum_bits=tile_sum_bits,
        pe_input_bits=np.broadcast_to(input_bits * size, pe.shape),
        pe_output_bits=np.trunc(size / sharing * (sum_bits + doublings(side))),
        input_bits=ports * input_bits * port_rows,
        output_bits=tile_sum_bits * ports * (port_rows / sharing),
        pe_trees=np.ceil(side * size / sharing),
        trees=np.ceil(np.concatenate([floor.kernel_pe, floor.flat_tile], axis=1) / sharing),
        tiles=np.concatenate([floor.kernel_tiles, floor.flat_tiles], axis=1),
    )


def _bus_bits(
    floor: FloorPlan, side: Floats, sharing: float, chip: Chip, pipelined: bool, most: float
) -> Floats:
    """Width of the chip's bus: what all layers would have, within the widest, (n, 1)."""
    ports = np.where(floor.on_kernel, floor.kernel_pe * side, floor.flat_tile)
    wanted = ports * (1 + 1 / sharing) * (floor.tiles > 0)
    if pipelined:
        wanted = wanted * floor.tiles
    bits = np.maximum(np.cumsum(wanted, axis=1)[:, -1:], 1.0)
    if chip.word("bus_limit") == "capped":
        return np.minimum(bits, most)
    return bits / np.exp2(np.maximum(0.0, np.ceil(np.log2(bits / most))))
