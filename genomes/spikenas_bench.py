"""The ``spikenas_bench`` space: the cell whose 15,625 choices SpikeNAS-Bench has trained.

Both cells of a network are alike: six forward links, each none, a skip, or a convolution of 3x3
behind neurons of threshold 0.5, 1.0 or 1.5. The genes are in the order of the benchmark's rows
(public repository tju-sun-lab/SpikeNAS-Bench); everything else is fixed as there, or nearly, and
becomes genes behind the six where an option names several values.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated

from numpy.typing import ArrayLike
from pydantic import AfterValidator, BeforeValidator, Field

from genomes.architecture import NeuronKind
from genomes.cells import CellularSpace, Operation, StageOptions
from genomes.convolutional import numbered
from genomes.genes import Gene
from genomes.options import (
    CommonOptions,
    Integer,
    Real,
    Sizes,
    Switchable,
    ascending,
    different,
    one_or_more,
    switched_on,
)
from genomes.quantizers import MOST_BITS
from genomes.weight_genes import removal_genes
from genomes.wiring import FORWARD

OPERATIONS = (
    Operation("none"),
    Operation("skip"),
    Operation("conv0.5", kernel=3, threshold=0.5),
    Operation("conv1.0", kernel=3, threshold=1.0),
    Operation("conv1.5", kernel=3, threshold=1.5),
)

_GIVEN = (Field(min_length=1), BeforeValidator(one_or_more))


class _FixedOptions(CommonOptions):
    """The common options, each fixed by default, and a gene where it names several choices."""

    neurons: Annotated[
        tuple[NeuronKind, ...],
        *_GIVEN,
        AfterValidator(different),
        Switchable("neuron", "categorical"),
    ] = Field(("lif_box",), description="Norse neuron of all nodes")
    leaks: Annotated[
        tuple[Annotated[Real, Field(ge=0.0625, le=1)], ...],
        *_GIVEN,
        AfterValidator(ascending),
        Switchable("leak"),
    ] = Field((0.75,), description="initial dt/tau, the membrane's loss a time step")
    thresholds: Annotated[
        tuple[Annotated[Real, Field(ge=0.05, le=10)], ...],
        *_GIVEN,
        AfterValidator(ascending),
        Switchable("threshold"),
    ] = Field((1.0,), description="initial threshold where a reduction or the read-out reads")
    weight_bits: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=MOST_BITS)], ...],
        *_GIVEN,
        AfterValidator(ascending),
        Switchable("weight_bits", of="layer"),
    ] = Field((8,), description="bits of a layer's weights; several make a gene for each layer")
    bit_groups: Integer = Field(1, ge=1, le=1, description="a layer's weights have one width here")
    time_steps: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=128)], ...],
        *_GIVEN,
        AfterValidator(ascending),
        Switchable("time_steps"),
    ] = Field((5,), description="time steps of one inference")


class SpikenasBenchOptions(_FixedOptions, StageOptions):
    """The options of the ``spikenas_bench`` space: without any, it has the table's six genes."""

    widths: Annotated[Sizes, BeforeValidator(one_or_more), Switchable("width")] = Field(
        (128,), description="channels of the stem and the first cell; several make a gene"
    )


class SpikenasBenchSpace(CellularSpace):
    """The six links of SpikeNAS-Bench's cell, in the order of its tables.

    Raises:
        RequestError: the input is no picture.
    """

    name = "spikenas_bench"
    version = 1
    Options = SpikenasBenchOptions
    options: SpikenasBenchOptions
    example_shape = (3, 32, 32)
    operations = OPERATIONS

    @property
    def forward(self) -> tuple[str, ...]:
        """The operations of links."""
        return tuple(one.name for one in OPERATIONS)

    @cached_property
    def wirings(self) -> dict[str, list[str]]:
        """One for all cells."""
        return {"cell": numbered("cell", max(self.options.stages))}

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """The six links, and behind them whatever has several choices."""
        return (
            *self._wiring_genes("cell"),
            *switched_on(self.options),
            *self._layer_genes(),
            *self._genes_of_any_layer("readout"),
        )

    def row(self, genome: ArrayLike) -> int:
        """The row of the benchmark's tables that has these six links, as this genome writes them.

        A canonical genome is another row where it leaves out what has no effect.
        """
        checked = self.checked(genome)
        return sum(int(value) * 5**k for k, value in enumerate(checked[: len(FORWARD)]))

    def _genes_of_any_layer(self, name: str) -> Iterator[Gene]:
        yield from switched_on(self.options, name)
        yield from removal_genes(self.options, name)

    def _layer_genes(self) -> Iterator[Gene]:
        yield from self._genes_of_any_layer("stem")
        for number, cell in enumerate(self.wirings["cell"]):
            if number:
                yield from self._genes_of_any_layer(f"reduction{number}")
            yield from self._genes_of_links(cell)
