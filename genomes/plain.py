"""The ``plain`` space: stages of convolutional blocks, a read-out, every width and bit a gene.

A network is 1 to ``max_stages`` stages; a stage is 1 to ``max_blocks`` blocks of one width. The
first block of a stage changes the width and may pool; each further block keeps the shape, so that
a skip link from its input to its output always fits. A linear read-out accumulates over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from genomes.architecture import INPUT, Architecture, Layer, Neuron, NeuronKind, bits_of
from genomes.errors import RequestError
from genomes.genes import Choice, Gene
from genomes.space import SearchSpace


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("the values must be different and in ascending order")
    return values


def _different(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("the values must be different")
    return values


Integer = Annotated[int, Field(strict=True)]  # no text, no truth value, no 2.0
Real = Annotated[float, Field(strict=True)]
PositiveInt = Annotated[Integer, Field(ge=1, le=4096)]
OddKernel = Annotated[Integer, Field(ge=1, le=31)]

POOLED_BY = 2
"""Pooling halves every spatial size; it needs at least this many positions."""


class PlainOptions(BaseModel):
    """The options of the ``plain`` space: the choices of its genes, and what is no gene."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_stages: Integer = Field(3, ge=1, le=6, description="most stages of a network")
    max_blocks: Integer = Field(2, ge=1, le=6, description="most blocks of a stage")
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1), AfterValidator(_ascending)] = (
        Field((4, 8, 12, 16, 24, 32), description="channels of a stage")
    )
    kernels: Annotated[tuple[OddKernel, ...], Field(min_length=1), AfterValidator(_ascending)] = (
        Field((1, 3, 5), description="odd kernel sizes of a block, the same in each dimension")
    )
    pools: Annotated[
        tuple[Literal["none", "average", "max"], ...],
        Field(min_length=1),
        AfterValidator(_different),
    ] = Field(
        ("none", "average", "max"),
        description="2-fold pooling at the start of a stage: of the membrane input or of spikes",
    )
    skips: Annotated[
        tuple[Literal["none", "or", "add"], ...],
        Field(min_length=1),
        AfterValidator(_different),
    ] = Field(
        ("none", "or", "add"),
        description="link from a block's input to its output: none, OR of spikes, multi-bit sum",
    )
    neurons: Annotated[tuple[NeuronKind, ...], Field(min_length=1), AfterValidator(_different)] = (
        Field(("lif_box", "lif", "iaf"), description="Norse neuron of all blocks")
    )
    leaks: Annotated[
        tuple[Annotated[Real, Field(ge=0.0625, le=1)], ...],
        Field(min_length=1),
        AfterValidator(_ascending),
    ] = Field((0.25, 0.5, 0.75), description="initial dt/tau, the membrane's loss a time step")
    thresholds: Annotated[
        tuple[Annotated[Real, Field(ge=0.05, le=10)], ...],
        Field(min_length=1),
        AfterValidator(_ascending),
    ] = Field((0.25, 0.5, 0.75, 1.0), description="initial firing threshold")
    weight_bits: Annotated[
        tuple[Annotated[Integer, Field(ge=2, le=8)], ...],
        Field(min_length=1),
        AfterValidator(_ascending),
    ] = Field((2, 3, 4, 5, 6, 7, 8), description="bits of a layer's weights, each layer its own")
    time_steps: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=128)], ...],
        Field(min_length=1),
        AfterValidator(_ascending),
    ] = Field((2, 3, 4, 5, 6), description="time steps of one inference")
    input_bits: Integer = Field(8, ge=1, le=16, description="bits of the analog input")
    state_bits: Integer = Field(12, ge=4, le=32, description="bits of each neuron state variable")


class PlainSpace(SearchSpace):
    """Stages of convolutional blocks for inputs of one, two or three spatial dimensions.

    Raises:
        RequestError: the input has no spatial dimension or more than three, or a kernel is even.
    """

    name = "plain"
    version = 1
    Options = PlainOptions
    options: PlainOptions

    def __init__(self, input_shape: Sequence[int], classes: int, options: PlainOptions) -> None:
        super().__init__(input_shape, classes, options)
        if len(self.input_shape) not in (2, 3, 4):
            raise RequestError(
                "data", f"samples of shape {self.input_shape}", "(channels, 1 to 3 spatial sizes)"
            )
        if any(k % 2 == 0 for k in options.kernels):
            raise RequestError("space.kernels", list(options.kernels), "odd sizes")

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """The genes: those of the whole network, of each stage and block, of the read-out."""
        return tuple(self._make_genes())

    def _make_genes(self) -> Iterator[Gene]:
        options = self.options
        yield Gene("time_steps", options.time_steps)
        yield Gene("neuron", options.neurons, "categorical")
        yield Gene("leak", options.leaks)
        yield Gene("threshold", options.thresholds)
        yield Gene("stages", tuple(range(1, options.max_stages + 1)))
        for stage in self._stages():
            yield Gene(f"{stage}.blocks", tuple(range(1, options.max_blocks + 1)))
            yield Gene(f"{stage}.width", options.widths)
            yield Gene(f"{stage}.pool", options.pools, "categorical")
            for number, block in enumerate(self._blocks(stage)):
                yield Gene(f"{block}.kernel", options.kernels)
                yield Gene(f"{block}.weight_bits", options.weight_bits)
                if number:
                    yield Gene(f"{block}.skip", options.skips, "categorical")
        yield Gene("readout.weight_bits", options.weight_bits)

    def _stages(self) -> list[str]:
        return [f"stage{k}" for k in range(1, self.options.max_stages + 1)]

    def _blocks(self, stage: str) -> list[str]:
        return [f"{stage}.block{k}" for k in range(1, self.options.max_blocks + 1)]

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes are felt: those of existing stages and blocks; a leak where there is one.

        Pooling is felt only while every spatial size is at least 2.
        """
        values = self.values(genome)
        felt = {"time_steps", "neuron", "threshold", "stages", "readout.weight_bits"}
        if values["neuron"] != "iaf":
            felt.add("leak")
        smallest = min(self.input_shape[1:])
        for stage in self._stages()[: int(values["stages"])]:
            felt |= {f"{stage}.blocks", f"{stage}.width"}
            if smallest >= POOLED_BY:
                felt.add(f"{stage}.pool")
                smallest //= 1 if values[f"{stage}.pool"] == "none" else POOLED_BY
            for block in self._blocks(stage)[: int(values[f"{stage}.blocks"])]:
                felt |= {f"{block}.kernel", f"{block}.weight_bits", f"{block}.skip"}
        return np.array([gene.name in felt for gene in self.genes])

    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,)."""
        values = self.values(self.canonical(genome))
        layers: list[Layer] = []
        for stage in self._stages()[: int(values["stages"])]:
            for number, block in enumerate(self._blocks(stage)[: int(values[f"{stage}.blocks"])]):
                layers.append(self._block(values, stage, block, number, layers))
        layers.append(self._readout(values, layers[-1]))
        return Architecture(
            input_shape=self.input_shape,
            classes=self.classes,
            time_steps=int(values["time_steps"]),
            input_bits=self.options.input_bits,
            layers=tuple(layers),
        )

    def _block(
        self,
        values: dict[str, Choice],
        stage: str,
        block: str,
        number: int,
        before: Sequence[Layer],
    ) -> Layer:
        """One block, given the layers before it."""
        source = before[-1] if before else None
        shape = source.stored_shape if source else self.input_shape
        dimensions = len(shape) - 1
        kernel = int(values[f"{block}.kernel"])
        pool = values[f"{stage}.pool"] if number == 0 and min(shape[1:]) >= POOLED_BY else "none"
        skip = values.get(f"{block}.skip", "none")
        source_peak = source.peak if source else 0
        return Layer(
            name=block,
            source=source.name if source else INPUT,
            in_shape=shape,
            out_channels=int(values[f"{stage}.width"]),
            kernel=(kernel,) * dimensions,
            stride=(1,) * dimensions,
            padding=(kernel // 2,) * dimensions,
            weight_bits=int(values[f"{block}.weight_bits"]),
            input_bits=bits_of(source_peak) if source else self.options.input_bits,
            pool=(1 if pool == "none" else POOLED_BY,) * dimensions,
            pool_kind="average" if pool == "average" else "max",
            neuron=self._neuron(values),
            skips=(source.name,) if source and skip != "none" else (),
            skip_kind="add" if skip == "add" else "or",
            peak=_merged_peak(source_peak, str(skip)),
        )

    def _neuron(self, values: dict[str, Choice]) -> Neuron:
        return Neuron(
            kind=cast(NeuronKind, values["neuron"]),
            leak=0.0 if values["neuron"] == "iaf" else float(values["leak"]),
            threshold=float(values["threshold"]),
            state_bits=self.options.state_bits,
        )

    def _readout(self, values: dict[str, Choice], source: Layer) -> Layer:
        return Layer(
            name="readout",
            source=source.name,
            in_shape=source.stored_shape,
            out_channels=self.classes,
            kernel=(),
            stride=(),
            padding=(),
            weight_bits=int(values["readout.weight_bits"]),
            input_bits=bits_of(source.peak),
            pool=(),
            pool_kind="max",
            neuron=None,
            peak=0,
        )


def _merged_peak(source_peak: int, skip: str) -> int:
    """The largest value in a stored map: spikes alone, or merged with a link from the source.

    OR of spikes with a map that holds larger values is their maximum.
    """
    return {"none": 1, "or": max(1, source_peak), "add": 1 + source_peak}[skip]
