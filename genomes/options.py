"""Options that the spaces of convolutional networks share: the choices of their genes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from genomes.architecture import NeuronKind
from genomes.quantizers import MOST_BITS, Quantizer


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
    quantizers: Annotated[tuple[Quantizer, ...], Field(min_length=1), AfterValidator(different)] = (
        Field(("uniform",), description="levels of a layer's weights: uniform, power_of_two")
    )
    time_steps: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=128)], ...],
        Field(min_length=1),
        AfterValidator(ascending),
    ] = Field((2, 3, 4, 5, 6), description="time steps of one inference")
    input_bits: Integer = Field(8, ge=1, le=16, description="bits of the analog input")
    state_bits: Integer = Field(12, ge=4, le=32, description="bits of each neuron state variable")
