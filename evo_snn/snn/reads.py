"""A layer as crossbars are read: row groups, slices and input bits apart, each sum through an ADC.

One read is the sum of one column of cells over the rows that are read at once, for one bit of the
inputs. Converted sums are added over row groups, shifted and added over slices and input bits; what
encoding added to the weights is taken out by a count of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor, nn

from evo_snn.snn.layers import DeployedLayer, input_codes
from evo_snn.snn.products import average_pooled, membrane_input
from genomes.architecture import INPUT, Layer
from hardware.conductance import Encoding, Ints
from hardware.nonideal import Instance

_AT_ONCE = 2**23
"""Numbers in one piece of a layer's reads: bounds the memory."""

_BINS = 4096
"""Resolution of an ADC's range, as a share of its largest one."""


@dataclass(frozen=True)
class Converter:
    """The ADCs of a layer.

    Attributes:
        levels: Levels of an ADC.
        full: The largest sum of ideal cells that a read can have, in levels of a cell.
        quantile: Share of the calibration samples' reads that lie in the range.
    """

    levels: int
    full: int
    quantile: float

    def step(self, largest: float) -> float:
        """The least step of an ADC that reaches some sum.

        A step is never smaller than one level of a cell, where all sums of ideal cells are told
        apart already.
        """
        return max(1.0, largest / (self.levels - 1))


class ReadLayer(DeployedLayer):
    """A deployed layer on one chip instance, read as its crossbars are (the exact path).

    Attributes:
        cells: (groups, rows of a group, out · S), what each cell adds to a sum.
        places: (groups · rows of a group,), the rows of the matrix; one more than the last row is
            a row without cells.
        powers: (S,), what each slice counts.
        step: scalar, the least step of the layer's ADCs in levels of a cell.
        kept: (rows, out), which weights have cells; None where all have.
        read_columns: (groups, out · S), which columns of cells there are in each group of rows.
        converter: None for sums that are neither rounded nor clipped.
        calibrating: Whether the next forward pass sets ``step`` by what it reads.
    """

    cells: Tensor
    places: Tensor
    powers: Tensor
    step: Tensor
    kept: Tensor | None
    read_columns: Tensor | None

    def __init__(
        self,
        deployed: DeployedLayer,
        instance: Instance,
        encoding: Encoding,
        groups: Sequence[Ints],
        converter: Converter | None,
    ) -> None:
        super().__init__(deployed.layer, deployed.levels, deployed.scale, deployed.bias)
        self.converter = converter
        self.calibrating = False
        self.gain, self.offset = instance.gain, encoding.offset
        rows = instance.cells.shape[1]
        size = max(len(group) for group in groups)
        places = np.full((len(groups), size), rows)
        for place, group in zip(places, groups, strict=True):
            place[: len(group)] = group
        matrix = F.pad(instance.cells.permute(1, 0, 2).flatten(1), (0, 0, 0, 1))
        dtype = self._exact_dtype(encoding)
        self.register_buffer("places", torch.from_numpy(places).flatten())
        self._in_order = bool((places.ravel() == np.minimum(np.arange(places.size), rows)).all())
        self.register_buffer("cells", matrix[torch.from_numpy(places)].to(dtype))
        self.register_buffer("powers", torch.from_numpy(encoding.powers).to(dtype))
        step = 1.0 if converter is None else converter.step(converter.full)
        self.register_buffer("step", torch.tensor(step, dtype=dtype))
        kept = None if instance.kept is None else instance.kept.T.to(dtype)
        self.register_buffer("kept", kept)
        self.register_buffer("read_columns", None if kept is None else self._there(kept, groups))

    def _there(self, kept: Tensor, groups: Sequence[Ints]) -> Tensor:
        """(groups, out · S) bool: columns that have a cell in a group of rows."""
        there = [kept[torch.from_numpy(np.asarray(group))].any(0) for group in groups]
        return torch.stack(there).repeat_interleave(len(self.powers), 1)

    def _exact_dtype(self, encoding: Encoding) -> torch.dtype:
        """A type that holds every whole number that a sum can reach."""
        fan_in = self.layer.weights // self.layer.out_channels
        bits = encoding.weight_bits + encoding.cell_bits + self.layer.input_bits
        return torch.float64 if fan_in << bits >= 2**24 else self.scale.dtype

    def product(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(N, *in_shape) → (N, *neuron_shape) as the ADCs give it, and ``unit()``."""
        return as_seen(self, source, self.read(source)), self.unit()

    def read(self, source: Tensor) -> Tensor:
        """The integer product as the chip has it: (N, *in_shape) → (N, *out_shape)."""
        codes = _codes(self.layer, source.to(self.cells.dtype))
        if self.calibrating and self.converter is not None:
            self.step.fill_(self.converter.step(self._range(codes, self.converter)))
        return torch.cat([self._sums(piece) for piece in self._pieces(codes)])

    def _pieces(self, codes: Tensor) -> Sequence[Tensor]:
        positions = prod(self.layer.out_shape[1:])
        widest = max(len(self.places), self.cells.shape[2])
        return codes.split(max(1, _AT_ONCE // (positions * widest)))

    def _reads(self, rows: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """Input bit, group and column sums (M, out · S) of each read of rows (M, R), in levels."""
        groups, size = self.cells.shape[:2]
        if self._in_order:
            placed = F.pad(rows, (0, groups * size - rows.shape[1]))
        else:
            placed = F.pad(rows, (0, 1))[:, self.places]
        placed = placed.view(-1, groups, size)
        for bit in range(self.layer.input_bits):
            plane = placed if self.layer.input_bits == 1 else (placed / 2**bit).floor() % 2
            for group in range(groups):
                yield bit, group, plane[:, group] @ self.cells[group]

    def _sums(self, codes: Tensor) -> Tensor:
        """The integer product as the chip has it: (N, *in_shape) → (N, *out_shape)."""
        rows = unfolded(self.layer, codes)
        flat = rows.flatten(0, 1)
        total = flat.new_zeros(len(flat), self.cells.shape[2])
        for bit, _, sums in self._reads(flat):
            total.add_(self._converted(sums), alpha=2**bit)
        slices = total.view(len(flat), -1, len(self.powers))
        values = (slices @ self.powers) * (self.step * self.gain)
        active = flat.sum(1, keepdim=True) if self.kept is None else flat @ self.kept
        values = values - self.offset * active
        return values.view(*rows.shape[:2], -1).transpose(1, 2).reshape(-1, *self.layer.out_shape)

    def _converted(self, sums: Tensor) -> Tensor:
        """What the ADC makes of column sums, in place, in steps."""
        if self.converter is None:
            return sums
        return sums.div_(self.step).round_().clamp_(0, self.converter.levels - 1)

    def _range(self, codes: Tensor, converter: Converter) -> float:
        """The sum below which the wanted share of all reads lies, at most the full range."""
        counts = torch.zeros(_BINS, dtype=torch.float64)
        for piece in self._pieces(codes):
            for _, group, sums in self._reads(unfolded(self.layer, piece).flatten(0, 1)):
                if self.read_columns is not None:
                    sums = sums[:, self.read_columns[group]]  # noqa: PLW2901 - no ADC for others
                clipped = sums.clamp_(0, converter.full)
                counts += torch.histc(clipped, _BINS, 0, converter.full).cpu()
        share = counts.cumsum(0) / counts.sum()
        wanted = torch.tensor(converter.quantile, dtype=torch.float64)
        index = min(int(torch.searchsorted(share, wanted)), _BINS - 1)
        return (index + 1) / _BINS * converter.full


class PartedLayer(DeployedLayer):
    """A deployed layer of several parts, each read from crossbars of its own.

    Attributes:
        readers: One `ReadLayer` a part, of its channels.
    """

    def __init__(self, deployed: DeployedLayer, readers: Sequence[ReadLayer]) -> None:
        super().__init__(deployed.layer, deployed.levels, deployed.scale, deployed.bias)
        self.readers = nn.ModuleList(readers)

    def product(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(N, *in_shape) → (N, *neuron_shape) as the ADCs give it, and ``unit()``."""
        sums = [cast(ReadLayer, reader).read(source) for reader in self.readers]
        return as_seen(self, source, torch.cat(sums, dim=1)), self.unit()


def as_seen(deployed: DeployedLayer, source: Tensor, sums: Tensor) -> Tensor:
    """A product in units of the integer weights where neurons see it, (N, *neuron_shape).

    Args:
        deployed: The layer.
        source: (N, *in_shape), what it reads.
        sums: (N, *out_shape), of the codes of what it reads.
    """
    layer = deployed.layer
    values = average_pooled(layer, sums)
    if layer.source == INPUT:
        # Of n / (2^bits - 1) the plain product is rounded: add only what reading changes, so
        # that an ideal chip gives the same bits.
        codes = _codes(layer, source.to(sums.dtype))
        ideal = membrane_input(layer, codes, deployed.present(codes.dtype))
        plain = membrane_input(layer, source, deployed.present(source.dtype))
        values = plain + ((values - ideal) / input_codes(layer)).to(source.dtype)
    return values.to(source.dtype)


def _codes(layer: Layer, source: Tensor) -> Tensor:
    """What a layer reads as whole numbers."""
    return (source * input_codes(layer)).round() if layer.source == INPUT else source


def read_groups(blocks: Sequence[Ints], rows_per_read: int, *, equal: bool) -> list[Ints]:
    """Rows of each read, as the cost models count them.

    Args:
        blocks: Rows of each row block.
        rows_per_read: Rows that are read at once, at most.
        equal: As few groups of as equal size as possible (the model ``neurosim``); else all groups
            of a block but the last are full.
    """
    if equal:
        return [
            group
            for block in blocks
            for group in np.array_split(block, -(-len(block) // rows_per_read))
        ]
    return [
        block[start : start + rows_per_read]
        for block in blocks
        for start in range(0, len(block), rows_per_read)
    ]


def unfolded(layer: Layer, source: Tensor) -> Tensor:
    """What a layer's rows read, by output position: (N, *in_shape) → (N, positions, rows).

    Rows are in the order of the weight's (in, *kernel).
    """
    if not layer.kernel:
        return source.flatten(1).unsqueeze(1)
    sides = [side for padding in reversed(layer.padding) for side in (padding, padding)]
    windows = F.pad(source, sides)
    for dimension, (kernel, stride) in enumerate(
        zip(layer.kernel, layer.stride, strict=True), start=2
    ):
        windows = windows.unfold(dimension, kernel, stride)
    spatial = len(layer.kernel)
    positions, kernels = range(2, 2 + spatial), range(2 + spatial, 2 + 2 * spatial)
    return windows.permute(0, *positions, 1, *kernels).reshape(
        len(source), prod(layer.out_shape[1:]), -1
    )
