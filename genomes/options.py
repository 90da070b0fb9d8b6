"""Options that the spaces of convolutional networks share: the choices of their genes.

A *switchable* decision is a gene only where its option names several choices; of one choice it is
fixed and there is no gene. An option becomes one by a ``Switchable`` in its annotation. Decoding
asks for the choice in either case by the gene's name (``genomes.convolutional.Chosen``), and only
where it makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from genomes.architecture import Coding, Domain, NeuronKind, Reset, Surrogate
from genomes.genes import Choice, Gene, GeneKind
from genomes.quantizers import COLUMN_ROWS, MOST_BITS, Quantizer


@dataclass(frozen=True)
class Switchable:
    """Marks an option whose decision is a gene where it names several choices.

    Attributes:
        gene: the gene's name; of each layer's own, the last part of it. No other decision has it.
        kind: of the gene.
        of: the whole network, each layer, or each stage, whose genes the space makes itself.
    """

    gene: str
    kind: GeneKind = "ordered"
    of: Literal["network", "layer", "stage"] = "network"


def one_or_more(value: Any) -> Any:
    """A single choice as a list of it."""
    return value if isinstance(value, (list, tuple)) else (value,)


def ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values of an ordered gene, checked."""
    if list(values) != sorted(set(values)):
        raise ValueError("the values must be different and in ascending order")
    return values


def different(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a categorical gene, checked."""
    if len(set(values)) < len(values):
        raise ValueError("the values must be different")
    return values


Integer = Annotated[int, Field(strict=True)]  # no text, no truth value, no 2.0
Real = Annotated[float, Field(strict=True)]
PositiveInt = Annotated[Integer, Field(ge=1, le=4096)]
Kernel = Annotated[Integer, Field(ge=1, le=1024)]

Sizes = Annotated[tuple[PositiveInt, ...], Field(min_length=1), AfterValidator(ascending)]
Bands = Annotated[tuple[PositiveInt, ...], AfterValidator(ascending)]
Kernels = Annotated[tuple[Kernel, ...], Field(min_length=1), AfterValidator(ascending)]
Pools = Annotated[
    tuple[Literal["none", "average", "max"], ...], Field(min_length=1), AfterValidator(different)
]
Skips = Annotated[
    tuple[Literal["none", "or", "add"], ...], Field(min_length=1), AfterValidator(different)
]


class CommonOptions(BaseModel):
    """The options of every space of convolutional networks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neurons: Annotated[tuple[NeuronKind, ...], Field(min_length=1), AfterValidator(different)] = (
        Field(("lif_box", "lif", "iaf"), description="Norse neuron of all layers")
    )
    leaks: Annotated[
        tuple[Annotated[Real, Field(ge=0.0625, le=1)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((0.25, 0.5, 0.75), description="initial dt/tau, the membrane's loss a time step")
    thresholds: Annotated[
        tuple[Annotated[Real, Field(ge=0.05, le=10)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((0.25, 0.5, 0.75, 1.0), description="initial firing threshold")
    weight_bits: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=MOST_BITS)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((2, 3, 4, 5, 6, 7, 8), description="bits of a layer's weights, each layer its own")
    bit_groups: Integer = Field(
        1,
        ge=1,
        le=16,
        description="groups of a layer's output channels that have bits of their own",
    )
    removed_columns: Annotated[
        tuple[Annotated[Real, Field(ge=0, lt=1)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((0.0,), description="share of a layer's crossbar columns that are left out")
    column_rows: PositiveInt = Field(
        COLUMN_ROWS, description="rows of a column that is left out: the height of a crossbar"
    )
    quantizers: Annotated[
        tuple[Quantizer, ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("quantizer", "categorical", "layer"),
    ] = Field(("uniform",), description="levels of a layer's weights: uniform, power_of_two")
    time_steps: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=128)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((2, 3, 4, 5, 6), description="time steps of one inference")
    input_bits: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=16)], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(ascending),
        Switchable("input_bits"),
    ] = Field((8,), description="bits of the analog input; several make a gene")
    state_bits: Annotated[
        tuple[Annotated[Integer, Field(ge=4, le=32)], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(ascending),
        Switchable("state_bits"),
    ] = Field((12,), description="bits of each neuron state variable; several make a gene")
    resets: Annotated[
        tuple[Reset, ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("reset", "categorical"),
    ] = Field(
        ("hard",),
        description="reset of lif_box neurons: hard (to 0), subtract (the threshold); several make"
        " a gene",
    )
    surrogates: Annotated[
        tuple[Surrogate, ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("surrogate", "categorical"),
    ] = Field(
        ("super",),
        description="surrogate gradient in training: super, triangle, tanh, circ, heavi_erfc;"
        " several make a gene",
    )
    hidden_codes: Annotated[
        tuple[Literal["any", "once"], ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("hidden_code", "categorical"),
    ] = Field(
        ("any",),
        description="spikes of a neuron in an inference: any number, once at most; several make a"
        " gene",
    )
    codings: Annotated[
        tuple[Coding, ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("coding", "categorical"),
    ] = Field(
        ("direct",),
        description="input of a still sample: direct (analog, the same in every step), or spikes:"
        " rate, radix, phase, burst, first_spike; several make a gene",
    )
    first_layers: Annotated[
        tuple[Domain, ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("first_layer", "categorical"),
    ] = Field(
        ("memory",),
        description="what reads the input is computed in memory or in digital logic; several make a"
        " gene",
    )
    time_exits: Annotated[
        tuple[Literal["off", "on"], ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("time_exit", "categorical"),
    ] = Field(
        ("off",),
        description="an inference may end after any time step, if it is confident; off and on make"
        " a gene",
    )
    depth_exits: Annotated[
        tuple[Literal["off", "on"], ...],
        Field(min_length=1),
        AfterValidator(different),
        Switchable("depth_exit", "categorical"),
    ] = Field(
        ("off",),
        description="it may end at a read-out on the way, where the space has places for one; off"
        " and on make a gene",
    )
    exit_confidences: Annotated[
        tuple[Annotated[Real, Field(gt=0, lt=1)], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        AfterValidator(ascending),
        Switchable("exit_confidence"),
    ] = Field((0.9,), description="least probability at which it ends; several make a gene")


Decisions = dict[Switchable, tuple[Choice, ...]]


def decisions(options: BaseModel) -> Decisions:
    """The switchable decisions of some options, with their choices."""
    fields = type(options).model_fields.items()
    return {
        mark: getattr(options, name)
        for name, field in fields
        for mark in field.metadata
        if isinstance(mark, Switchable)
    }


def switched_on(options: BaseModel, layer: str = "") -> Iterator[Gene]:
    """The genes of switchable decisions: the network's, or those of the layer of that name."""
    for mark, choices in decisions(options).items():
        if len(choices) > 1 and mark.of == ("layer" if layer else "network"):
            yield Gene(f"{layer}.{mark.gene}" if layer else mark.gene, choices, mark.kind)
