"""The ``signal`` space: 1-D convolutions for physiological signals, in stages.

A network is 1 to ``max_stages`` stages of 1 to ``max_blocks`` blocks of one width and one kernel,
which may be long. The first block of a stage shortens the signal by its stride, and may pool what
is left; each further block keeps the length, so that a skip link from its input to its output
always fits. Half a kernel of zeros is added at both ends. A linear read-out accumulates over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from genomes.architecture import Layer
from genomes.convolutional import (
    POOLED_BY,
    Axis,
    Chosen,
    ConvolutionalSpace,
    Source,
    check_odd,
    chosen_axis,
    numbered,
    shape_of,
)
from genomes.genes import Gene
from genomes.options import CommonOptions, Integer, Kernels, Pools, Sizes, Skips


class SignalOptions(CommonOptions):
    """The options of the ``signal`` space."""

    max_stages: Integer = Field(4, ge=1, le=8, description="most stages of a network")
    max_blocks: Integer = Field(2, ge=1, le=6, description="most blocks of a stage")
    widths: Sizes = Field((4, 8, 16, 24, 32, 64), description="channels of a stage")
    kernels: Kernels = Field((3, 7, 15, 31, 63), description="odd kernel sizes of a stage, samples")
    strides: Sizes = Field((1, 2, 4), description="stride of a stage's first block")
    pools: Pools = Field(
        ("none", "average", "max"),
        description="2-fold pooling at the start of a stage: of the membrane input or of spikes",
    )
    skips: Skips = Field(
        ("none", "or", "add"),
        description="link from a block's input to its output: none, OR of spikes, multi-bit sum",
    )


class SignalSpace(ConvolutionalSpace):
    """Stages of 1-D convolutions with long kernels and strides, for physiological signals.

    Raises:
        RequestError: the input is no signal, or a kernel is even.
    """

    name = "signal"
    version = 2
    Options = SignalOptions
    options: SignalOptions
    example_shape = (1, 256)
    dimensions = (1,)
    input_form = "(channels, samples)"

    def __init__(self, input_shape: Sequence[int], classes: int, options: SignalOptions) -> None:
        super().__init__(input_shape, classes, options)
        check_odd(options.kernels)

    def _layer_genes(self) -> Iterator[Gene]:
        options = self.options
        yield Gene("stages", tuple(range(1, options.max_stages + 1)))
        for stage in numbered("stage", options.max_stages):
            yield Gene(f"{stage}.blocks", tuple(range(1, options.max_blocks + 1)))
            yield Gene(f"{stage}.width", options.widths)
            yield Gene(f"{stage}.kernel", options.kernels)
            yield Gene(f"{stage}.stride", options.strides)
            yield Gene(f"{stage}.pool", options.pools, "categorical")
            for number, block in enumerate(numbered(f"{stage}.block", options.max_blocks)):
                yield from self._genes_of_any_layer(block)
                if number:
                    yield Gene(f"{block}.skip", options.skips, "categorical")

    def _hidden(self, chosen: Chosen, sample: tuple[int, ...]) -> Sequence[Layer]:
        layers: list[Layer] = []
        for stage in numbered("stage", chosen.number("stages")):
            names = numbered(f"{stage}.block", chosen.number(f"{stage}.blocks"))
            source = layers[-1] if layers else sample
            layers.append(self._first_block(chosen, stage, names[0], source))
            for name in names[1:]:
                layers.append(self._further_block(chosen, stage, name, layers[-1]))
        return layers

    def _first_block(self, chosen: Chosen, stage: str, name: str, source: Source) -> Layer:
        length = shape_of(source)[1]
        axis = chosen_axis(chosen, length, f"{stage}.kernel", f"{stage}.stride", padded=True)
        pools = axis.positions(length) >= POOLED_BY
        return self._convolution(
            chosen,
            name,
            source,
            chosen.number(f"{stage}.width"),
            (replace(axis, pool=POOLED_BY),),
            pool=chosen.word(f"{stage}.pool") if pools else "none",
        )

    def _further_block(self, chosen: Chosen, stage: str, name: str, source: Layer) -> Layer:
        width, length = source.stored_shape
        kernel = chosen.number(f"{stage}.kernel") if length > 1 else 1
        axis = Axis(kernel, padding=kernel // 2)
        skip = chosen.word(f"{name}.skip")
        return self._convolution(chosen, name, source, width, (axis,), skip=skip)
