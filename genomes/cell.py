"""The ``cell`` space: two cells of four nodes with forward and backward links.

After SNASNet (Y. Kim, Y. Li, H. Park, Y. Venkatesha, P. Panda, "Neural Architecture Search for
Spiking Neural Networks", ECCV 2022) and NeuroNAS (R. V. W. Putra, M. Shafique, arXiv 2407.00641).
What differs from theirs is in ``docs/spaces/cell.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from genomes.cells import CellularSpace, Operation, StageOptions
from genomes.convolutional import numbered
from genomes.genes import Gene, role_of
from genomes.options import CommonOptions, Sizes, different, one_or_more

OperationName = Literal["none", "skip", "conv1x1", "conv3x3", "avgpool3x3"]

OPERATIONS = (
    Operation("none"),
    Operation("skip"),
    Operation("conv1x1", kernel=1),
    Operation("conv3x3", kernel=3),
    Operation("avgpool3x3", window=3),
)


def in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """The operations in the order of the table, so that "none" is the first choice."""
    return tuple(one.name for one in OPERATIONS if one.name in different(names))


OperationNames = Annotated[
    tuple[OperationName, ...],
    Field(min_length=1),
    BeforeValidator(one_or_more),
    AfterValidator(in_order),
]
ALL: tuple[OperationName, ...] = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")


class _LayerOptions(BaseModel):
    operations: OperationNames = Field(ALL, description="operations of a forward link")
    backward_operations: OperationNames = Field(
        ALL, description='operations of a backward link, a time step later; "none" alone: no such'
    )
    cells: Literal["each", "alike"] = Field(
        "each", description="whether each stage's cell has links of its own, or all have the same"
    )
    widths: Sizes = Field((8, 12, 16, 24, 32, 48), description="channels of the stem and cell 1")


class CellOptions(CommonOptions, StageOptions, _LayerOptions):  # shown in this order: layers first
    """The options of the ``cell`` space."""


class CellSpace(CellularSpace):
    """Cells of four nodes: skips, convolutions, averages and temporal feedback between them.

    Raises:
        RequestError: the input is no picture.
    """

    name = "cell"
    version = 1
    Options = CellOptions
    options: CellOptions
    example_shape = (3, 32, 32)
    operations = OPERATIONS

    @property
    def forward(self) -> tuple[str, ...]:
        """The operations of forward links."""
        return self.options.operations

    @property
    def backward(self) -> tuple[str, ...]:
        """The operations of backward links."""
        return self.options.backward_operations

    def option_of(self, gene: Gene) -> str:
        """The option that says which choices a gene has: operations for links."""
        links = {"edge": "operations", "back": "backward_operations"}
        return links.get(role_of(gene.name).rpartition(".")[-1]) or super().option_of(gene)

    @cached_property
    def wirings(self) -> Mapping[str, Sequence[str]]:
        """Each cell's own, or one for all."""
        cells = numbered("cell", max(self.options.stages))
        return {"cell": cells} if self.options.cells == "alike" else {one: [one] for one in cells}

    def _layer_genes(self) -> Iterator[Gene]:
        yield Gene("width", self.options.widths)
        yield from self._genes_of_any_layer("stem")
        for wiring in self.wirings:
            yield from self._wiring_genes(wiring)
        for number, cell in enumerate(numbered("cell", max(self.options.stages))):
            if number:
                yield from self._genes_of_any_layer(f"reduction{number}")
            yield from self._genes_of_links(cell)
