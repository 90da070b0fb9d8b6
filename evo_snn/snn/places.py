"""Where a layer's weights lie on a chip: the cells of each of its parts, their wires and reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from torch import Tensor

from evo_snn.snn.columns import kept_weights
from evo_snn.snn.layers import DeployedLayer
from evo_snn.snn.reads import Converter, ReadLayer, read_groups
from genomes.architecture import Layer
from genomes.quantizers import Part, stored_bits
from hardware.chip import Chip
from hardware.conditions import Conditions
from hardware.conductance import CellTable, Encoding, Ints, encoding, row_blocks
from hardware.nonideal import Instance, Stored, Streams, Wiring, draw
from hardware.units import Reading, reading


@dataclass(frozen=True)
class Place:
    """A part of a layer on a chip: what its cells hold, and how they are wired and read.

    Attributes:
        part: The channels.
        stored: Their cells.
        conditions: What is not ideal.
        wiring: Their crossbars.
        read: How their columns are read.
        groups: Rows that are read at once.
    """

    part: Part
    stored: Stored
    conditions: Conditions
    wiring: Wiring
    read: Reading
    groups: tuple[Ints, ...]

    @classmethod
    def of(
        cls,
        levels: Tensor,
        layer: Layer,
        part: Part,
        chip: Chip,
        table: CellTable,
        conditions: Conditions,
        *,
        by_kernel: bool,
        rate: float | None = None,
    ) -> Place:
        """Of a layer's levels, ``layer.weight_shape``; without a rate ``conditions.wire_rate``."""
        channels = layer.in_shape[0] if layer.kernel else prod(layer.in_shape)
        height = int(chip.number("crossbar_rows"))
        blocks = row_blocks(channels, prod(layer.kernel), height, by_kernel=by_kernel)
        read = reading(chip)
        groups = read_groups(blocks, read.rows, equal=chip.model == "neurosim")
        # Of a block's rows only those that are read at once are active.
        rate = conditions.wire_rate if rate is None else rate
        active = rate * max(map(len, groups)) / max(map(len, blocks))
        columns = int(chip.number("crossbar_columns"))
        code = encoding(chip, stored_bits(part.weight_bits, layer.quantizer))
        own, all_kept = slice(part.start, part.stop), kept_weights(layer, levels)
        kept = None if all_kept is None else all_kept[own].flatten(1)
        return cls(
            part,
            Stored.of(levels[own].flatten(1), code, table, kept),
            conditions,
            Wiring(conditions.wire_ohm, active, tuple(blocks), columns),
            read,
            tuple(groups),
        )

    @property
    def encoding(self) -> Encoding:
        """How the weights are stored."""
        return self.stored.encoding

    def drawn(self, streams: Streams) -> Instance:
        """The cells of one instance."""
        return draw(self.stored, self.conditions, streams, self.wiring)

    def reader(self, deployed: DeployedLayer, instance: Instance) -> ReadLayer:
        """The part as it is read, on one instance."""
        return ReadLayer(
            _part_of(deployed, self.part), instance, self.encoding, self.groups, self._converter()
        )

    def _converter(self) -> Converter | None:
        """The ADCs, unless their rounding is left out."""
        if not self.conditions.adc:
            return None
        full = max(map(len, self.groups)) * self.stored.table.top
        return Converter(self.read.levels, full, self.conditions.adc_quantile)


def _part_of(deployed: DeployedLayer, part: Part) -> DeployedLayer:
    """The channels of a part as a layer of their own."""
    layer = deployed.layer
    if len(layer.parts) == 1:
        return deployed
    own = slice(part.start, part.stop)
    alone = replace(layer, out_channels=part.channels, weight_bits=part.weight_bits, group_bits=())
    return DeployedLayer(alone, deployed.levels[own], deployed.scale[own], deployed.bias[own])
