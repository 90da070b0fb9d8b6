"""The ``blocks`` space: slots, each with a skip, a spiking convolution block or a residual one.

After AutoSNN (B. Na, J. Mok, S. Park, D. Lee, H. Choe, S. Yoon, "AutoSNN: Towards Energy-Efficient
Spiking Neural Networks", ICML 2022). A block is two convolutions of one kernel, with neurons behind
each. A residual block adds the spikes that it reads to the current of its last neurons, so that
every map stays spikes; where the width or the size changes, a convolution of 1x1 stands in between.
Slots are in stages, which max pooling (OR of spikes) or a stride sets apart. What differs from
AutoSNN is in ``docs/spaces/blocks.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from genomes.architecture import Architecture, Layer, Link, Node
from genomes.cells import Numbers
from genomes.convolutional import (
    POOLED_BY,
    Axis,
    Chosen,
    ConvolutionalSpace,
    Source,
    Spikes,
    numbered,
    shape_of,
)
from genomes.genes import Gene, role_of
from genomes.options import CommonOptions, Sizes, Switchable, different, one_or_more
from genomes.space import Genome

BlockName = Literal["skip", "conv3x3", "conv5x5", "residual3x3", "residual5x5"]
ALL: tuple[BlockName, ...] = ("skip", "conv3x3", "conv5x5", "residual3x3", "residual5x5")


def in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """The blocks in the order of all there are, so that "skip" is the first choice."""
    return tuple(name for name in ALL if name in different(names))


class _LayerOptions(BaseModel):
    blocks: Annotated[
        tuple[BlockName, ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(in_order),
    ] = Field(ALL, description="what a slot can be")
    slots: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=8)], ...],
        Field(min_length=1, max_length=6),
        BeforeValidator(one_or_more),
    ] = Field((1, 2, 2), description="slots of each stage")
    widths: Sizes = Field((8, 12, 16, 24, 32), description="channels of the stem and stage 1")
    growths: Annotated[Numbers, Switchable("growth")] = Field(
        (2,), description="each further stage multiplies the width by it; several make a gene"
    )
    reductions: Annotated[
        tuple[Literal["max", "stride"], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(different),
        Switchable("reduction", "categorical", "stage"),
    ] = Field(
        ("max",),
        description="between stages: OR of 2x2 spikes, or a stride of the next slot; both: genes",
    )
    end_pools: Annotated[
        tuple[Literal["none", "max"], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(different),
        Switchable("end_pool", "categorical"),
    ] = Field(("max",), description="OR of 2x2 spikes before the read-out; both make a gene")


class BlocksOptions(CommonOptions, _LayerOptions):  # shown in this order: layers first
    """The options of the ``blocks`` space."""


@dataclass
class _Draft:
    """Layers and nodes in the making, the last of which are still to be read."""

    layers: list[Layer] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    @property
    def last(self) -> Layer | Spikes:
        """What the next layer reads."""
        layer = self.layers[-1]
        return Spikes(self.nodes[-1].name, layer.stored_shape) if layer.joins else layer

    def pool(self) -> None:
        """Halve what the next layer reads."""
        layer = self.layers[-1]
        window = tuple(POOLED_BY * before for before in layer.pool)
        self.layers[-1] = replace(layer, pool=window, pool_kind="max")
        if layer.joins:
            self.nodes[-1] = replace(self.nodes[-1], pool=window)


class BlocksSpace(ConvolutionalSpace):
    """Slots of spiking convolution blocks and residual blocks, with max pooling between stages.

    Raises:
        RequestError: the input is no picture.
    """

    name = "blocks"
    version = 1
    Options = BlocksOptions
    options: BlocksOptions
    example_shape = (3, 32, 32)
    dimensions = (2,)
    input_form = "(channels, rows, columns)"

    def option_of(self, gene: Gene) -> str:
        """The option that says which choices a gene has: blocks for slots."""
        return "blocks" if role_of(gene.name).endswith(".slot") else super().option_of(gene)

    def _layer_genes(self) -> Iterator[Gene]:
        options = self.options
        convolves = options.blocks != ("skip",)
        residual = any("residual" in name for name in options.blocks)
        yield Gene("width", options.widths)
        yield from self._genes_of_any_layer("stem")
        for stage, slots in self._stages:
            if stage > 1 and len(options.reductions) > 1:
                yield Gene(f"stage{stage}.reduction", options.reductions, "categorical")
            for slot in slots:
                yield Gene(slot, options.blocks, "categorical")
                for layer in ("conv1", "conv2") if convolves else ():
                    yield from self._genes_of_any_layer(f"{slot}.{layer}")
                if slot == slots[0] and stage > 1 and (residual or "skip" in options.blocks):
                    yield from self._genes_of_any_layer(f"{slot}.project")

    @cached_property
    def _stages(self) -> list[tuple[int, list[str]]]:
        """Number and slots of each stage."""
        return [
            (stage, numbered(f"stage{stage}.slot", count))
            for stage, count in enumerate(self.options.slots, start=1)
        ]

    # Genomes: slots that do nothing come last in their stage.

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes are felt, in the slots where this genome has them."""
        return self._felt(self.checked(genome))

    def canonical(self, genome: ArrayLike) -> Genome:
        """The genome (genes,) with its idle slots last in their stages, inactive genes at 0."""
        checked = self.checked(genome)
        felt = self._felt(checked)
        found = super().canonical(checked)
        for _, slots in self._stages:
            busy = [slot for slot in slots if not self._idle(slot, found, felt)]
            idle = [slot for slot in slots if slot not in busy]
            before = found.copy()
            for slot, other in zip(slots, (*busy, *idle), strict=True):
                here, there = self._of_slots[slot], self._of_slots[other]
                for part in here.keys() & there.keys():
                    found[here[part]] = before[there[part]]
        return found

    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,)."""
        return super().decode(self.canonical(genome))

    def _felt(self, checked: Genome) -> NDArray[np.bool_]:
        return super().active(checked)

    def _idle(self, slot: str, genome: Genome, felt: NDArray[np.bool_]) -> bool:
        """Whether a slot passes on what it reads, with no convolution that changes its shape."""
        genes = self._of_slots[slot]
        projects = any(felt[k] for part, k in genes.items() if part.startswith(".project"))
        return self.genes[genes[""]].choices[genome[genes[""]]] == "skip" and not projects

    @cached_property
    def _of_slots(self) -> dict[str, dict[str, int]]:
        """By slot: what follows its name in the names of its genes → where these are."""
        return {
            slot: {
                gene.name.removeprefix(slot): k
                for k, gene in enumerate(self.genes)
                if gene.name == slot or gene.name.startswith(f"{slot}.")
            }
            for _, slots in self._stages
            for slot in slots
        }

    # Networks

    def _graph(
        self, chosen: Chosen, sample: tuple[int, ...]
    ) -> tuple[tuple[Layer, ...], tuple[Node, ...]]:
        draft = _Draft()
        width = chosen.number("width")
        draft.layers.append(self._same_size(chosen, "stem", sample, width, 3))
        for stage, slots in self._stages:
            stride = 1
            if stage > 1:
                width *= chosen.number("growth")
                stride = self._reduced(chosen, draft, stage)
            for slot in slots:
                self._add_block(chosen, draft, slot, width, stride)
                stride = 1
        if _halves(draft.last) and chosen.word("end_pool") == "max":
            draft.pool()
        return (*draft.layers, self._readout(chosen, draft.last)), tuple(draft.nodes)

    def _reduced(self, chosen: Chosen, draft: _Draft, stage: int) -> int:
        """Pool before a stage, or give the stride of its first slot; neither of one position."""
        if not _halves(draft.last):
            return 1
        if chosen.word(f"stage{stage}.reduction") == "stride":
            return POOLED_BY
        draft.pool()
        return 1

    def _add_block(self, chosen: Chosen, draft: _Draft, slot: str, width: int, stride: int) -> None:
        word, source = chosen.word(slot), draft.last
        changes = stride > 1 or width != source.stored_shape[0]
        project = f"{slot}.project"
        if word == "skip":
            if changes:
                draft.layers.append(self._same_size(chosen, project, source, width, 1, stride))
            return
        kernel = _KERNELS[word]
        residual = word.startswith("residual")
        first = self._same_size(chosen, f"{slot}.conv1", source, width, kernel, stride)
        second = self._same_size(chosen, f"{slot}.conv2", first, width, kernel, joins=residual)
        draft.layers.append(first)
        if residual:
            beside = Link(source.name, spikes=True)
            if changes:
                layer = self._same_size(chosen, project, source, width, 1, stride, joins=True)
                draft.layers.append(layer)
                beside = Link(layer.name)
            links = (Link(second.name), beside)
            draft.nodes.append(Node(f"{slot}.sum", links, self._neuron(chosen)))
        draft.layers.append(second)

    def _same_size(
        self,
        chosen: Chosen,
        name: str,
        source: Source,
        width: int,
        kernel: int,
        stride: int = 1,
        *,
        joins: bool = False,
    ) -> Layer:
        """A padded convolution, which changes the size by its stride alone."""
        axes = [Axis(kernel, stride, kernel // 2)] * (len(shape_of(source)) - 1)
        return self._convolution(chosen, name, source, width, axes, joins=joins)


_KERNELS = {"conv3x3": 3, "conv5x5": 5, "residual3x3": 3, "residual5x5": 5}


def _halves(source: Layer | Spikes) -> bool:
    return min(source.stored_shape[1:]) >= POOLED_BY
