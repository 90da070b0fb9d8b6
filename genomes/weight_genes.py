"""The genes of a layer's weights, and what they make of a layer.

A decision is a gene only where its option names more than one choice, and it is asked for only
where it makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict, cast

from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.quantizers import POWER_BITS, Quantizer

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
    """The genes of the bits of the layer of that name; ``switched_on`` gives the others."""
    for name in _bit_genes(layer, options.bit_groups):
        yield Gene(name, options.weight_bits)


def chosen_weights(chosen: Chosen, options: CommonOptions, layer: str, channels: int) -> Weights:
    """How the weights of a layer are stored.

    Args:
        chosen: the genome.
        options: of the space.
        layer: its name.
        channels: its output channels; more groups than these are not felt.
    """
    names = _bit_genes(layer, options.bit_groups)[:channels]
    bits = tuple(chosen.number(name) for name in names)
    quantizer: Quantizer = "uniform"
    if set(bits) & set(POWER_BITS):
        quantizer = cast(Quantizer, chosen.word(f"{layer}.quantizer"))
    return {
        "weight_bits": max(bits),
        "group_bits": bits if len(set(bits)) > 1 else (),
        "quantizer": quantizer,
    }


def _bit_genes(layer: str, groups: int) -> list[str]:
    """Names of the genes of bits, by group of output channels; a read-out has one group."""
    if groups == 1 or layer == READOUT:
        return [f"{layer}.weight_bits"]
    return [f"{layer}.weight_bits.{k}" for k in range(1, groups + 1)]
