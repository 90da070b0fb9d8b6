"""The genes of a layer's weights, and what they make of a layer.

A decision is a gene only where its option names more than one choice, and it is asked for only
where it makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict, cast

from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.quantizers import (
    COLUMN_ROWS,
    POWER_BITS,
    Part,
    Quantizer,
    parts_of,
    removed_columns,
)

if TYPE_CHECKING:
    from genomes.convolutional import Chosen
    from genomes.options import CommonOptions


READOUT = "readout"
"""The name of a network's read-out."""


class Weights(TypedDict):
    """The fields of a layer that say how its weights are stored."""

    weight_bits: int
    group_bits: tuple[int, ...]
    quantizer: Quantizer
    removed: float
    column_rows: int


def check_weights(options: CommonOptions) -> None:
    """Refuse options of weights that do not go together.

    Raises:
        RequestError: powers of two alone, of more bits than they have.
    """
    widest = max(options.weight_bits)
    if options.quantizers == ("power_of_two",) and widest > max(POWER_BITS):
        raise RequestError(
            "space.weight_bits",
            list(options.weight_bits),
            f"1 to {max(POWER_BITS)} for powers of two, of which more bits gain nothing",
            "Name 'uniform' in space.quantizers, too: wider weights then are.",
        )


def weight_genes(options: CommonOptions, layer: str) -> Iterator[Gene]:
    """The genes of bits and of removed columns of a layer; ``switched_on`` gives the others."""
    for name in _bit_genes(layer, options):
        yield Gene(name, options.weight_bits)
    yield from removal_genes(options, layer)


def removal_genes(options: CommonOptions, layer: str) -> Iterator[Gene]:
    """The gene of the removed columns of the layer of that name, where there is one."""
    if layer != READOUT and len(options.removed_columns) > 1:
        yield Gene(f"{layer}.removed", options.removed_columns)


def chosen_weights(chosen: Chosen, options: CommonOptions, layer: str, channels: int) -> Weights:
    """How the weights of a layer are stored.

    Args:
        chosen: the genome.
        options: of the space.
        layer: its name.
        channels: its output channels; more groups than these are not felt.
    """
    names = _bit_genes(layer, options)[:channels]
    bits = tuple(chosen.number(name) for name in names)
    quantizer: Quantizer = "uniform"
    if set(bits) & set(POWER_BITS):
        quantizer = cast(Quantizer, chosen.word(f"{layer}.quantizer"))
    removed = 0.0
    if layer != READOUT:
        removed = _removed(chosen, options, layer, parts_of(layer, channels, bits))
    return {
        "weight_bits": max(bits),
        "group_bits": bits if len(set(bits)) > 1 else (),
        "quantizer": quantizer,
        "removed": removed,
        "column_rows": options.column_rows if removed else COLUMN_ROWS,
    }


def _removed(chosen: Chosen, options: CommonOptions, layer: str, parts: Sequence[Part]) -> float:
    """The share of columns that are left out; of shares that leave out the same, the first."""

    def numbers(share: float) -> tuple[int, ...]:
        return tuple(removed_columns(part.channels, share) for part in parts)

    shares = options.removed_columns
    found = shares[0]
    if len({numbers(share) for share in shares}) > 1:
        gene = f"{layer}.removed"
        asked = numbers(chosen.real(gene))
        found = next(share for share in shares if numbers(share) == asked)
        chosen.means(gene, found)
    return found if any(numbers(found)) else 0.0


def _bit_genes(layer: str, options: CommonOptions) -> list[str]:
    """Names of the genes of bits, by group of output channels; a read-out has one group."""
    if options.bit_groups == 1 or layer == READOUT or len(options.weight_bits) == 1:
        return [f"{layer}.weight_bits"]
    return [f"{layer}.weight_bits.{k}" for k in range(1, options.bit_groups + 1)]
