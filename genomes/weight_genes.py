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


class Weights(TypedDict):
    """The fields of a layer that say how its weights are stored."""

    weight_bits: int
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
    """The genes of the weights of the layer of that name."""
    yield Gene(f"{layer}.weight_bits", options.weight_bits)


def chosen_weights(chosen: Chosen, layer: str) -> Weights:
    """How the weights of a layer are stored."""
    bits = chosen.number(f"{layer}.weight_bits")
    quantizer: Quantizer = "uniform"
    if bits in POWER_BITS:
        quantizer = cast(Quantizer, chosen.word(f"{layer}.quantizer"))
    return {"weight_bits": bits, "quantizer": quantizer}
