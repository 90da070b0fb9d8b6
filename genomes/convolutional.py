"""What the spaces of convolutional networks have in common.

Their networks are convolutions with one kind of neuron behind each, and a linear read-out that
accumulates over time. All have the genes of the whole network (time steps, neuron, leak, threshold)
and each layer's own bits. A space adds the genes of its layers, and says what they make.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genomes.architecture import (
    INPUT,
    PHASES,
    Architecture,
    Coding,
    Domain,
    Exit,
    Layer,
    Neuron,
    NeuronKind,
    Node,
    Reset,
    Surrogate,
    Window,
    bits_of,
    folded_shape,
)
from genomes.errors import RequestError
from genomes.genes import Choice, Gene
from genomes.options import CommonOptions, decisions, switched_on
from genomes.space import Genome, SearchSpace
from genomes.weight_genes import READOUT, check_weights, chosen_weights, weight_genes


@dataclass(frozen=True)
class Spikes:
    """A map of spikes that is not a layer's: those of a node.

    Attributes:
        name: of the node.
        stored_shape: (channels, *spatial).
        peak: the largest value, as a layer's.
    """

    name: str
    stored_shape: tuple[int, ...]
    peak: int = 1


Source = Layer | Spikes | tuple[int, ...]
"""What a layer reads: a map of a layer or node, or the input, of which the shape is given."""

_ONE_PERIOD = ("radix", "phase")
"""Codings that are the same where the time steps are one period of phases, or one alone."""

POOLED_BY = 2
"""Pooling halves a spatial size; it needs at least this many positions."""


class Chosen:
    """The choices of a genome by gene. It remembers which were asked for.

    Attributes:
        felt: the genes that were.
        alike: by gene the first of all choices that mean what its choice means, see `means`.

    Args:
        values: the genome's choices.
        fixed: of decisions without a gene, by name; of a layer's own, by the name's last part.
    """

    def __init__(self, values: Mapping[str, Choice], fixed: Mapping[str, Choice]) -> None:
        self._values, self._fixed = values, fixed
        self.felt: set[str] = set()
        self.alike: dict[str, Choice] = {}

    def means(self, gene: str, first: Choice) -> None:
        """Say that the gene's choice makes the same network as ``first``, an earlier one or it."""
        self.alike[gene] = first

    def number(self, gene: str) -> int:
        """The choice of a gene of whole numbers."""
        return int(self._asked(gene))

    def real(self, gene: str) -> float:
        """The choice of a gene of numbers."""
        return float(self._asked(gene))

    def word(self, gene: str) -> str:
        """The choice of a categorical gene."""
        return str(self._asked(gene))

    def _asked(self, gene: str) -> Choice:
        if gene not in self._values:
            return self._fixed[gene.rpartition(".")[-1]]
        self.felt.add(gene)
        return self._values[gene]


@dataclass(frozen=True)
class Axis:
    """How a convolution goes along one dimension of what it reads, and what is pooled behind it."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def positions(self, size: int) -> int:
        """Positions of the product along a dimension of some size, before pooling."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1


def chosen_axis(chosen: Chosen, size: int, kernel: str, stride: str, *, padded: bool) -> Axis:
    """The axis that two genes give along a dimension of some size.

    What could make no difference is not asked for: the kernel on a single position, the stride
    where there is one position of the product. A kernel that is longer than what it reads is
    padded in any case.

    Args:
        chosen: the genome.
        size: positions of the dimension.
        kernel: name of the gene of the kernel's length.
        stride: name of the gene of the stride.
        padded: whether half a kernel of zeros is added at both ends.
    """
    if size == 1:
        return Axis()
    length = chosen.number(kernel)
    axis = Axis(length, padding=length // 2 if padded or length > size else 0)
    if axis.positions(size) == 1:
        return axis
    return Axis(length, chosen.number(stride), axis.padding)


def shape_of(source: Source) -> tuple[int, ...]:
    """(channels, *spatial) of what a layer reads."""
    return source if isinstance(source, tuple) else source.stored_shape


def numbered(prefix: str, count: int) -> list[str]:
    """Names of layers or stages, from 1 on."""
    return [f"{prefix}{k}" for k in range(1, count + 1)]


def check_odd(kernels: Sequence[int]) -> None:
    """Refuse kernels whose padding would not keep the size of what they read.

    Raises:
        RequestError: one is even.
    """
    if any(kernel % 2 == 0 for kernel in kernels):
        raise RequestError("space.kernels", list(kernels), "odd sizes")


class ConvolutionalSpace(SearchSpace):
    """Convolutions with one kind of neuron, and a linear read-out.

    A gene is active where decoding asks for it, so a subclass asks for what makes a difference and
    for nothing else.

    Raises:
        RequestError: the input has not as many spatial dimensions as the space is for.

    Attributes:
        dimensions: numbers of spatial dimensions that it is for.
        input_form: what its samples have to be, for messages.
    """

    options: CommonOptions
    dimensions: ClassVar[tuple[int, ...]]
    input_form: ClassVar[str]

    def __init__(self, input_shape: Sequence[int], classes: int, options: CommonOptions) -> None:
        super().__init__(input_shape, classes, options)
        check_weights(options)
        self.reads_frames = options.codings == ("direct",)
        if len(self.input_shape) - 1 not in self.dimensions:
            raise RequestError("data", f"samples of shape {self.input_shape}", self.input_form)

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """The genes: those of the whole network, of its layers, of the read-out."""
        options = self.options
        return (
            Gene("time_steps", options.time_steps),
            Gene("neuron", options.neurons, "categorical"),
            Gene("leak", options.leaks),
            Gene("threshold", options.thresholds),
            *switched_on(options),
            *self._layer_genes(),
            *self._genes_of_any_layer(READOUT),
        )

    def _genes_of_any_layer(self, name: str) -> Iterator[Gene]:
        """The genes that every layer of every space has, the read-out included."""
        yield from weight_genes(self.options, name)
        yield from switched_on(self.options, name)

    @abstractmethod
    def _layer_genes(self) -> Iterator[Gene]:
        """The genes of the layers, and of what they read."""

    def _hidden(self, chosen: Chosen, sample: tuple[int, ...]) -> Sequence[Layer]:
        """The layers before the read-out, of which the first reads ``sample``."""
        raise NotImplementedError

    def _graph(
        self, chosen: Chosen, sample: tuple[int, ...]
    ) -> tuple[tuple[Layer, ...], tuple[Node, ...]]:
        """All layers, and the nodes: of a chain of layers none."""
        hidden = self._hidden(chosen, sample)
        leaves = self._exit_places(hidden)
        leaves = leaves if leaves and chosen.word("depth_exit") == "on" else ()
        layers: list[Layer] = []
        for place, layer in enumerate(hidden):
            layers.append(layer)
            if place in leaves:
                name = f"exit{leaves.index(place) + 1}"
                layers.append(replace(self._readout(chosen, layer), name=name))
        return (*layers, self._readout(chosen, hidden[-1])), ()

    def _exit_places(self, hidden: Sequence[Layer]) -> Sequence[int]:
        """Behind which of the hidden layers a network with exits in depth has a read-out: half-way.

        Those have the bits of the last read-out.
        """
        return () if len(hidden) == 1 else ((len(hidden) - 1) // 2,)

    def _window(self, chosen: Chosen) -> Window:  # noqa: ARG002 - for subclasses
        """The part of a sample that the network reads."""
        return _whole(self.input_shape)

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes are felt: those that decoding asks for."""
        chosen = self._chosen(genome)
        self._network(chosen)
        return np.array([gene.name in chosen.felt for gene in self.genes])

    def canonical(self, genome: ArrayLike) -> Genome:
        """The genome (genes,), inactive genes at 0 and others at the first choice that is alike."""
        chosen = self._chosen(genome)
        self._network(chosen)
        return np.array(
            [
                gene.choices.index(chosen.alike.get(gene.name, gene.choices[value]))
                if gene.name in chosen.felt
                else 0
                for gene, value in zip(self.genes, self.checked(genome), strict=True)
            ],
            dtype=np.int64,
        )

    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,)."""
        return self._network(self._chosen(genome))

    def _chosen(self, genome: ArrayLike) -> Chosen:
        return Chosen(self.values(genome), self._fixed)

    @cached_property
    def _fixed(self) -> dict[str, Choice]:
        """Decisions that are no genes here."""
        return {
            mark.gene: choices[0]
            for mark, choices in decisions(self.options).items()
            if len(choices) == 1
        }

    def _network(self, chosen: Chosen) -> Architecture:
        window = self._window(chosen)
        layers, nodes = self._graph(chosen, tuple(stop - start for start, stop in window))
        return Architecture(
            input_shape=self.input_shape,
            classes=self.classes,
            time_steps=chosen.number("time_steps"),
            input_bits=chosen.number("input_bits"),
            layers=layers,
            window=() if window == _whole(self.input_shape) else window,
            nodes=nodes,
            frames=self.frames,
            coding=self._coding(chosen),
            exit=self._exit(chosen, layers),
        )

    def _coding(self, chosen: Chosen) -> Coding:
        if self.frames:
            return "direct"
        one_period = chosen.number("time_steps") in (1, PHASES)
        if one_period and set(self.options.codings) <= set(_ONE_PERIOD):
            return self.options.codings[0]
        coding = cast(Coding, chosen.word("coding"))
        if one_period and coding in _ONE_PERIOD:
            coding = next(one for one in self.options.codings if one in _ONE_PERIOD)
            chosen.means("coding", coding)
        return coding

    def _exit(self, chosen: Chosen, layers: Sequence[Layer]) -> Exit | None:
        if sum(layer.is_readout for layer in layers) > 1:
            return Exit("depth", chosen.real("exit_confidence"))
        if chosen.number("time_steps") > 1 and chosen.word("time_exit") == "on":
            return Exit("time", chosen.real("exit_confidence"))
        return None

    def _convolution(
        self,
        chosen: Chosen,
        name: str,
        source: Source,
        width: int,
        axes: Sequence[Axis],
        *,
        pool: str = "none",
        skip: str = "none",
        folded: int = 0,
        joins: bool = False,
    ) -> Layer:
        """A layer of that name behind another one, or on an input of some shape.

        With ``joins`` it has no neurons: its current goes to nodes.
        """
        before = None if isinstance(source, tuple) else source
        peak = before.peak if before else 0
        return Layer(
            name=name,
            source=before.name if before else INPUT,
            in_shape=cast(tuple[int, ...], folded_shape(shape_of(source), folded)),
            out_channels=width,
            kernel=tuple(axis.kernel for axis in axes),
            stride=tuple(axis.stride for axis in axes),
            padding=tuple(axis.padding for axis in axes),
            **chosen_weights(chosen, self.options, name, width),
            input_bits=bits_of(peak) if before else self._input_bits(chosen),
            pool=tuple(1 if pool == "none" else axis.pool for axis in axes),
            pool_kind="average" if pool == "average" else "max",
            neuron=None if joins else self._neuron(chosen),
            skips=(before.name,) if before and skip != "none" else (),
            skip_kind="add" if skip == "add" else "or",
            peak=_merged_peak(peak, skip),
            folded=folded,
            joins=joins,
            domain="memory" if before else cast(Domain, chosen.word("first_layer")),
        )

    def _input_bits(self, chosen: Chosen) -> int:
        """Width of the input as it is read: spikes have one bit."""
        return chosen.number("input_bits") if self._coding(chosen) == "direct" else 1

    def _neuron(self, chosen: Chosen) -> Neuron:
        kind = cast(NeuronKind, chosen.word("neuron"))
        again = chosen.number("time_steps") > 1  # whether anything can follow a spike
        once = again and chosen.word("hidden_code") == "once"
        resets = again and not once and kind == "lif_box"
        return Neuron(
            kind=kind,
            leak=0.0 if kind == "iaf" else chosen.real("leak"),
            threshold=chosen.real("threshold"),
            state_bits=chosen.number("state_bits"),
            reset=cast(Reset, chosen.word("reset")) if resets else "hard",
            surrogate=cast(Surrogate, chosen.word("surrogate")),
            once=once,
        )

    def _readout(self, chosen: Chosen, source: Layer | Spikes) -> Layer:
        return Layer(
            name=READOUT,
            source=source.name,
            in_shape=source.stored_shape,
            out_channels=self.classes,
            kernel=(),
            stride=(),
            padding=(),
            **chosen_weights(chosen, self.options, READOUT, self.classes),
            input_bits=bits_of(source.peak),
            pool=(),
            pool_kind="max",
            neuron=None,
            peak=0,
        )


def _whole(shape: tuple[int, ...]) -> Window:
    return tuple((0, size) for size in shape)


def _merged_peak(source_peak: int, skip: str) -> int:
    """The largest value in a stored map: spikes alone, or merged with a link from the source.

    OR of spikes with a map that holds larger values is their maximum.
    """
    return {"none": 1, "or": max(1, source_peak), "add": 1 + source_peak}[skip]
