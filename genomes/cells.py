"""What the spaces of cells have in common.

A network is a stem convolution, stages of cells, a reduction between two stages, and a linear
read-out. A cell is four nodes and their links (``genomes.wiring``). A node is the sum of the
currents that its links bring; neurons stand where a convolution or the read-out reads a node.
A reduction is a convolution of 3x3 and the average of 2x2 of its current.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from genomes.architecture import Architecture, Layer, Link, Neuron, Node
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
from genomes.genes import Gene
from genomes.options import Switchable, ascending, different, one_or_more
from genomes.space import Genome
from genomes.wiring import (
    BACKWARD,
    FIRST,
    FORWARD,
    LAST,
    NODES,
    Links,
    Pair,
    living,
    standard,
    without_dead_ends,
)


@dataclass(frozen=True)
class Operation:
    """What a link does with what its source node gives.

    Attributes:
        name: the choice of a gene.
        kernel: of the convolution of the node's spikes, odd; 0 for none.
        window: side of the window over which the node's current is averaged; 1 for none.
        threshold: of the neurons that are read; None where it is the network's.
    """

    name: str
    kernel: int = 0
    window: int = 1
    threshold: float | None = None


Few = Annotated[int, Field(strict=True, ge=1, le=6)]
Numbers = Annotated[
    tuple[Few, ...], Field(min_length=1), BeforeValidator(one_or_more), AfterValidator(ascending)
]


class StageOptions(BaseModel):
    """The options of what stands around the cells."""

    growths: Annotated[Numbers, Switchable("growth")] = Field(
        (2,), description="a reduction multiplies the width by it; several make a gene"
    )
    stages: Annotated[Numbers, Switchable("stages")] = Field(
        (2,), description="stages, with reductions between them; several make a gene"
    )
    repeats: Annotated[Numbers, Switchable("repeats")] = Field(
        (1,), description="copies of a stage's cell, one behind the other; several make a gene"
    )
    stem_pools: Annotated[
        tuple[Literal["none", "average"], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(different),
        Switchable("stem_pool", "categorical"),
    ] = Field(("none",), description="2-fold pooling of the stem's current; both make a gene")


@dataclass
class _Draft:
    """Layers and nodes in the making."""

    layers: list[Layer] = field(default_factory=list)
    links: dict[str, tuple[Link, ...]] = field(default_factory=dict)
    neurons: dict[str, Neuron] = field(default_factory=dict)

    def nodes(self) -> tuple[Node, ...]:
        """The nodes, with neurons where they are read."""
        return tuple(Node(n, links, self.neurons.get(n)) for n, links in self.links.items())


class CellularSpace(ConvolutionalSpace):
    """Stages of cells of four nodes. A subclass says what its links may do.

    Attributes:
        operations: all that there are, "none" and "skip" first.
        forward, backward: names of the operations of this space's links.
        wirings: prefix of the genes of a wiring → the cells that have it, ``cell1`` and so on.
    """

    dimensions = (2,)
    input_form = "(channels, rows, columns)"
    operations: ClassVar[tuple[Operation, ...]]

    @property
    @abstractmethod
    def forward(self) -> tuple[str, ...]:
        """The operations of forward links, as the table of all has them in order."""

    @property
    def backward(self) -> tuple[str, ...]:
        """The operations of backward links."""
        return ("none",)

    @property
    @abstractmethod
    def wirings(self) -> Mapping[str, Sequence[str]]:
        """Prefix of the genes of a wiring → the cells that have it."""

    def _wiring_genes(self, wiring: str) -> Iterator[Gene]:
        for pair in FORWARD:
            yield Gene(f"{wiring}.{slot(pair)}", self.forward, "categorical")
        if self.backward != ("none",):
            for pair in BACKWARD:
                yield Gene(f"{wiring}.{slot(pair)}", self.backward, "categorical")

    def _genes_of_links(self, cell: str) -> Iterator[Gene]:
        """The genes of the convolutions that links may be."""
        kernels = {one.name: one.kernel for one in self.operations}
        for pairs, names in ((FORWARD, self.forward), (BACKWARD, self.backward)):
            for pair in pairs if any(kernels[name] for name in names) else ():
                yield from self._genes_of_any_layer(f"{cell}.{slot(pair)}")

    # Genomes: many write the same cell, and one of them is canonical.

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes are felt, in the way that this genome writes its cells."""
        return self._felt(self.checked(genome))

    def canonical(self, genome: ArrayLike) -> Genome:
        """One genome (genes,) for all that write the same cells, its inactive genes at 0."""
        found = super().canonical(genome)
        for wiring in self.wirings:
            self._rewrite(found, wiring)
        return found

    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,)."""
        return super().decode(self.canonical(genome))

    def neighbours(self, genome: ArrayLike) -> NDArray[np.int64]:
        """The canonical genomes one move away; of a node without links, its first two are one."""
        start = self.canonical(genome)
        found = {one.tobytes(): one for one in (*super().neighbours(start), *self._revived(start))}
        found.pop(start.tobytes(), None)
        return np.array(list(found.values()), dtype=np.int64).reshape(-1, len(self.genes))

    def _felt(self, checked: Genome) -> NDArray[np.bool_]:
        return super().active(checked)

    def _revived(self, start: Genome) -> Iterator[Genome]:
        """The genomes in which a node that nothing passes is put between input and output."""
        felt = self.active(start)
        for wiring in self.wirings:
            if not felt[self._at(wiring, (FIRST, LAST))]:
                continue
            alive = living(self._written_links(start, wiring))
            for node in set(range(NODES)) - alive:
                into, out = self._at(wiring, (FIRST, node)), self._at(wiring, (node, LAST))
                for one in range(len(self.forward)):
                    for other in range(len(self.forward)):
                        moved = start.copy()
                        moved[into], moved[out] = one, other
                        yield self.canonical(moved)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {gene.name: k for k, gene in enumerate(self.genes)}

    def _at(self, wiring: str, pair: Pair) -> int:
        return self._places[f"{wiring}.{slot(pair)}"]

    @cached_property
    def _of_links(self) -> dict[str, dict[Pair, list[int]]]:
        """By wiring and link: where its genes are, the operation's first."""
        pairs = FORWARD if self.backward == ("none",) else (*FORWARD, *BACKWARD)
        return {
            wiring: {
                pair: [self._at(wiring, pair)]
                + [
                    k
                    for name, k in self._places.items()
                    if any(name.startswith(f"{cell}.{slot(pair)}.") for cell in cells)
                ]
                for pair in pairs
            }
            for wiring, cells in self.wirings.items()
        }

    def _number(self, name: str) -> int:
        return [one.name for one in self.operations].index(name)

    def _written_links(self, genome: Genome, wiring: str) -> Links:
        """The links of a wiring: number of the operation, and the other genes of a convolution."""
        links = {}
        for pair, (place, *others) in self._of_links[wiring].items():
            number = self._number(str(self.genes[place].choices[genome[place]]))
            if number:
                decided = genome[others] if self.operations[number].kernel else ()
                links[pair] = (number, *(int(value) for value in decided))
        return links

    def _rewrite(self, genome: Genome, wiring: str) -> None:
        """Write a wiring in the standard way; what is not there has 0 everywhere."""
        links = standard(self._written_links(genome, wiring))
        alone = [pair for pair in links if pair in FORWARD] == [(FIRST, LAST)]
        if alone and links[FIRST, LAST] == (1,) and self.forward[0] == "none":
            del links[FIRST, LAST]  # a cell without a path passes its input on, too
        for pair, (place, *others) in self._of_links[wiring].items():
            number, *decided = links.get(pair, (0,))
            names = self.genes[place].choices
            name = self.operations[number].name
            genome[place] = names.index(name) if name in names else 0
            genome[others] = decided or 0

    # Networks

    def _graph(
        self, chosen: Chosen, sample: tuple[int, ...]
    ) -> tuple[tuple[Layer, ...], tuple[Node, ...]]:
        draft = _Draft()
        current = self._stem(chosen, sample)
        draft.layers.append(current)
        width, source = current.out_channels, current.name
        shape = current.neuron_shape
        stages = chosen.number("stages")
        leaves = stages > 1 and chosen.word("depth_exit") == "on"
        for number in range(1, stages + 1):
            if number > 1:
                width *= chosen.number("growth")
                spikes = self._read(chosen, draft, source, shape, None)
                reduction = self._reduction(chosen, f"reduction{number - 1}", spikes, width)
                draft.layers.append(reduction)
                source, shape = reduction.name, reduction.neuron_shape
            for cell in _copies(f"cell{number}", chosen.number("repeats")):
                source = self._cell(chosen, draft, cell, source, shape)
            if leaves and number < stages:
                left = self._readout(chosen, self._read(chosen, draft, source, shape, None))
                draft.layers.append(replace(left, name=f"exit{number}"))
        last = self._read(chosen, draft, source, shape, None)
        draft.layers.append(self._readout(chosen, last))
        return tuple(draft.layers), draft.nodes()

    def _stem(self, chosen: Chosen, sample: tuple[int, ...]) -> Layer:
        pools = min(sample[1:]) >= POOLED_BY
        pool = chosen.word("stem_pool") if pools else "none"
        return self._joining(chosen, "stem", sample, chosen.number("width"), 3, pool=pool)

    def _reduction(self, chosen: Chosen, name: str, source: Spikes, width: int) -> Layer:
        pool = "average" if min(source.stored_shape[1:]) >= POOLED_BY else "none"
        return self._joining(chosen, name, source, width, 3, pool=pool)

    def _joining(
        self, chosen: Chosen, name: str, source: Source, width: int, kernel: int, pool: str = "none"
    ) -> Layer:
        """A convolution that keeps the size, and whose current goes to nodes."""
        axes = [Axis(kernel, padding=kernel // 2, pool=POOLED_BY)] * (len(shape_of(source)) - 1)
        return self._convolution(chosen, name, source, width, axes, pool=pool, joins=True)

    def _cell(
        self, chosen: Chosen, draft: _Draft, cell: _Copy, source: str, shape: tuple[int, ...]
    ) -> str:
        """Add a cell behind a current of some shape.

        Returns:
            The name of its output node.
        """
        links = without_dead_ends(self._chosen_links(chosen, cell.of))
        into: dict[int, list[Link]] = {node: [] for node in living(links)}
        into[FIRST].append(Link(source))
        for pair in sorted(links, key=lambda pair: (max(pair), pair[0] > pair[1], pair)):
            one = self.operations[links[pair][0]]
            start, end = pair
            name, delayed = f"{cell.name}.node{start}", start > end
            if one.kernel:
                spikes = self._read(chosen, draft, name, shape, one.threshold)
                layer = self._link_layer(chosen, cell, slot(pair), spikes, one.kernel)
                draft.layers.append(layer)
                name = layer.name
            into[end].append(Link(name, one.window, delayed))
        named = {f"{cell.name}.node{node}": tuple(added) for node, added in into.items()}
        draft.links = {**draft.links, **named}
        return f"{cell.name}.node{LAST}"

    def _link_layer(
        self, chosen: Chosen, cell: _Copy, link: str, source: Spikes, kernel: int
    ) -> Layer:
        """The convolution of a link; copies of a cell have its genes."""
        layer = self._joining(chosen, f"{cell.of}.{link}", source, source.stored_shape[0], kernel)
        return replace(layer, name=f"{cell.name}.{link}")

    def _chosen_links(self, chosen: Chosen, cell: str) -> Links:
        wiring = next(name for name, cells in self.wirings.items() if cell in cells)
        chosen_of = {pair: chosen.word(f"{wiring}.{slot(pair)}") for pair in FORWARD}
        nodes = living(pair for pair, name in chosen_of.items() if name != "none")
        if self.backward != ("none",) and chosen.number("time_steps") > 1:
            for pair in BACKWARD:
                if nodes.issuperset(pair):
                    chosen_of[pair] = chosen.word(f"{wiring}.{slot(pair)}")
        return {p: (self._number(name),) for p, name in chosen_of.items() if name != "none"}

    def _read(
        self,
        chosen: Chosen,
        draft: _Draft,
        node: str,
        shape: tuple[int, ...],
        threshold: float | None,
    ) -> Spikes:
        """The spikes of a node's neurons, which stand behind it from now on.

        Neurons of a threshold that is not the network's are a node of their own, whose current is
        that node's.
        """
        neuron = self._neuron(chosen)
        if threshold is not None and threshold != neuron.threshold:
            neuron = replace(neuron, threshold=threshold)
            node, current = f"{node}.at{threshold:g}", node
            draft.links[node] = (Link(current),)
        draft.neurons[node] = neuron
        return Spikes(node, shape)


@dataclass(frozen=True)
class _Copy:
    """A cell of a stage, and the cell whose genes it has."""

    name: str
    of: str


def _copies(cell: str, count: int) -> Iterator[_Copy]:
    yield _Copy(cell, cell)
    for name in numbered(f"{cell}.copy", count)[1:]:
        yield _Copy(name, cell)


def slot(pair: Pair) -> str:
    """The name of a link: ``edge02`` forward, ``back20`` backward."""
    return f"{'edge' if pair[0] < pair[1] else 'back'}{pair[0]}{pair[1]}"
