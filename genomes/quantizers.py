"""The whole numbers that a quantized weight can be, by quantizer and bits.

A weight is a level times a scale. ``uniform``: b bits give -(2^(b-1) - 1) … 2^(b-1) - 1; one bit
gives -1 and 1, and no zero. ``power_of_two``: a sign and an exponent code of b - 1 bits, one of the
codes being zero: 0, ±1, ±2, ±4, … ±2^(2^(b-1) - 2). One and two bits give the same by both; of more
than 4 bits there are uniform levels alone, since more powers gain nothing (docs/decisions.md).

Sources: one bit, M. Rastegari et al., "XNOR-Net", ECCV 2016; exponents, D. Miyashita et al.,
"Convolutional neural networks using logarithmic data representation" (arXiv:1603.01025, 2016). INQ
(A. Zhou et al., ICLR 2017) has half of these magnitudes, for it spends a whole bit on zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Quantizer = Literal["uniform", "power_of_two"]

MOST_BITS = 8
"""Widest weight."""

POWER_BITS = (3, 4)
"""Bits of which there are powers of two that differ from uniform levels."""


def largest_level(bits: int, quantizer: Quantizer = "uniform") -> int:
    """The largest level of a weight; the least is its negative."""
    if quantizer == "power_of_two" and bits in POWER_BITS:
        return int(2 ** (2 ** (bits - 1) - 2))
    return max(1, int(2 ** (bits - 1)) - 1)


def stored_bits(bits: int, quantizer: Quantizer = "uniform") -> int:
    """Bits of a whole number that holds every level, sign included; 1 where there is no zero.

    What a crossbar stores: its columns add cells that count 1, 2, 4, …, and no exponents.
    """
    return 1 if bits == 1 else 1 + largest_level(bits, quantizer).bit_length()


@dataclass(frozen=True)
class Part:
    """Output channels of a layer, one behind the other, whose weights have equal bits.

    A chip has a matrix for each part.

    Attributes:
        name: the layer's where it has one part, else with its number behind it: ``LAYER/1``.
        start, stop: the first channel, and the one after the last.
        weight_bits: of each of its weights.
    """

    name: str
    start: int
    stop: int
    weight_bits: int

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return self.stop - self.start


def parts_of(name: str, channels: int, bits: Sequence[int]) -> tuple[Part, ...]:
    """The parts of a layer.

    Args:
        name: of the layer.
        channels: its output channels; at least one a group.
        bits: of the weights of each group; groups differ by one channel at most.
    """
    borders = [k * channels // len(bits) for k in range(len(bits) + 1)]
    runs = [(width, list(run)) for width, run in groupby(range(len(bits)), lambda k: bits[k])]
    return tuple(
        Part(
            name if len(runs) == 1 else f"{name}/{number}",
            borders[groups[0]],
            borders[groups[-1] + 1],
            width,
        )
        for number, (width, groups) in enumerate(runs, start=1)
    )


COLUMN_ROWS = 128
"""Rows of a column that can be removed, where nobody says: the height of a usual crossbar."""


def removed_columns(channels: int, share: float) -> int:
    """How many of a part's columns are removed in each block of rows; one stays at least."""
    return min(channels - 1, int(share * channels + 1e-9))
