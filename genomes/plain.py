"""The ``plain`` space: stages of convolutional blocks, a read-out, every width and bit a gene.

A network is 1 to ``max_stages`` stages; a stage is 1 to ``max_blocks`` blocks of one width. The
first block of a stage changes the width and may pool; each further block keeps the shape, so that
a skip link from its input to its output always fits. A linear read-out accumulates over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from genomes.architecture import Layer
from genomes.convolutional import (
    POOLED_BY,
    Axis,
    Chosen,
    ConvolutionalSpace,
    Source,
    check_odd,
    numbered,
    shape_of,
)
from genomes.genes import Gene
from genomes.options import CommonOptions, Integer, Pools, Sizes, Skips, ascending

OddKernel = Annotated[Integer, Field(ge=1, le=31)]


class _LayerOptions(BaseModel):
    max_stages: Integer = Field(3, ge=1, le=6, description="most stages of a network")
    max_blocks: Integer = Field(2, ge=1, le=6, description="most blocks of a stage")
    widths: Sizes = Field((4, 8, 12, 16, 24, 32), description="channels of a stage")
    kernels: Annotated[tuple[OddKernel, ...], Field(min_length=1), AfterValidator(ascending)] = (
        Field((1, 3, 5), description="odd kernel sizes of a block, the same in each dimension")
    )
    pools: Pools = Field(
        ("none", "average", "max"),
        description="2-fold pooling at the start of a stage: of the membrane input or of spikes",
    )
    skips: Skips = Field(
        ("none", "or", "add"),
        description="link from a block's input to its output: none, OR of spikes, multi-bit sum",
    )


class PlainOptions(CommonOptions, _LayerOptions):  # shown in this order: layers first
    """The options of the ``plain`` space: the choices of its genes, and what is no gene."""


class PlainSpace(ConvolutionalSpace):
    """Stages of convolutional blocks for inputs of one, two or three spatial dimensions.

    Raises:
        RequestError: the input has no spatial dimension or more than three, or a kernel is even.
    """

    name = "plain"
    version = 2
    Options = PlainOptions
    options: PlainOptions
    dimensions = (1, 2, 3)
    input_form = "(channels, 1 to 3 spatial sizes)"

    def __init__(self, input_shape: Sequence[int], classes: int, options: PlainOptions) -> None:
        super().__init__(input_shape, classes, options)
        check_odd(options.kernels)

    def _layer_genes(self) -> Iterator[Gene]:
        options = self.options
        yield Gene("stages", tuple(range(1, options.max_stages + 1)))
        for stage in numbered("stage", options.max_stages):
            yield Gene(f"{stage}.blocks", tuple(range(1, options.max_blocks + 1)))
            yield Gene(f"{stage}.width", options.widths)
            yield Gene(f"{stage}.pool", options.pools, "categorical")
            for number, block in enumerate(numbered(f"{stage}.block", options.max_blocks)):
                yield Gene(f"{block}.kernel", options.kernels)
                yield from self._genes_of_any_layer(block)
                if number:
                    yield Gene(f"{block}.skip", options.skips, "categorical")

    def _exit_places(self, hidden: Sequence[Layer]) -> Sequence[int]:
        """Behind the last block of each stage but the last."""
        stages = [layer.name.partition(".")[0] for layer in hidden]
        return [k for k, (one, other) in enumerate(pairwise(stages)) if one != other]

    def _hidden(self, chosen: Chosen, sample: tuple[int, ...]) -> Sequence[Layer]:
        layers: list[Layer] = []
        for stage in numbered("stage", chosen.number("stages")):
            width = chosen.number(f"{stage}.width")
            for number, block in enumerate(
                numbered(f"{stage}.block", chosen.number(f"{stage}.blocks"))
            ):
                source = layers[-1] if layers else sample
                skip = chosen.word(f"{block}.skip") if number else "none"
                pool = "none" if number else _pool(chosen, stage, source)
                kernel = chosen.number(f"{block}.kernel")
                axes = [Axis(kernel, padding=kernel // 2, pool=POOLED_BY)] * (len(sample) - 1)
                layers.append(
                    self._convolution(chosen, block, source, width, axes, pool=pool, skip=skip)
                )
        return layers


def _pool(chosen: Chosen, stage: str, source: Source) -> str:
    """Pooling is felt only while every spatial size is at least 2."""
    smallest = min(shape_of(source)[1:])
    return chosen.word(f"{stage}.pool") if smallest >= POOLED_BY else "none"
