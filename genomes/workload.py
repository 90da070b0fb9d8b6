"""A workload: what a chip must execute of a network, and all that a chip model sees of it.

It is a list of matrix layers (convolutions in one to three dimensions, and linear layers) with
their sizes, bit widths and spike rates, and the number of time steps of one inference. Its file
format is JSON with ``"schema": "evo-snn workload 1"``. Layers are validated one by one, never
against their neighbours, so that skips, flattening and odd pooling are legal.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    field_serializer,
    model_validator,
)

from genomes.documents import read_json
from genomes.errors import RequestError, field_path, first_error, request_error, unknown_name
from genomes.quantizers import COLUMN_ROWS

SCHEMA: Literal["evo-snn workload 1"] = "evo-snn workload 1"

#: Spikes per neuron and time step where nobody has measured them. 0.15 is a usual mean rate of
#: trained convolutional SNNs, and the activity at which our reference figures were taken.
DEFAULT_RATE = 0.15

#: State bits of a neuron where nobody says: one 12-bit membrane potential, the width for which the
#: digital neuron's unit costs were composed.
DEFAULT_STATE_BITS = 12

#: What a layer can be.
KINDS = ("conv1d", "conv2d", "conv3d", "linear")

_LARGEST = 2**24


def _whole(value: object) -> int:
    """Accept any whole-number type, but no bool, float or text."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError("a whole number")
    return number


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[Whole, Field(ge=1, le=_LARGEST)]
Natural = Annotated[Whole, Field(ge=0, le=_LARGEST)]
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Layer(BaseModel):
    """What all layers have in common.

    Attributes:
        name: How the layer is called in a cost's breakdown.
        weight_bits: Bits of one weight, sign included.
        input_bits: Bits of one input value; 1 means spikes. More are read bit by bit.
        input_rate: Mean fraction of the input lines that are 1 in one read: for spikes, the spikes
            per input and time step; for wider inputs, the mean count of ones / `input_bits`.
        output_rate: Spikes per output neuron and time step, before any pooling of spikes.
        static_input: The input is the same in every time step, so that the products are computed
            once and held.
        domain: "memory" (on crossbars) or "digital" (on a digital multiply-accumulate unit).
        neuron_state_bits: All state bits of one neuron (two variables: twice their width); of a
            read-out layer, the bits of one accumulator. 0 means no state. The kind of neuron is not
            told, so a cost model may only bound what depends on it.
        pool: Pooling window after the layer, one entry a dimension; None means no pooling.
        pool_kind: "max" pools spikes (OR) after the neuron, "average" pools the neuron's input.
        residual_inputs: Further spike maps of the output's size that are combined with the output,
            added or OR-ed; a cost model takes the wider, a sum.
        current_inputs: Further currents of the neurons' size that are added to what drives them,
            each as wide as a state: of other layers' sums that meet before the neuron.
        populations: Neurons an output value: where several, of other thresholds, are driven by the
            same sum, each has its own state and sends its own spikes.
        executed: Share of the inferences that come to this layer; the others ended before it.
        column_share: Share of the columns that exist: in each block of `column_rows` rows of a
            group's matrix the same number of output channels has no weights at all, not the same
            ones in every block.
        column_rows: Rows of such a block, the last one of which may have fewer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    weight_bits: Annotated[Whole, Field(ge=1, le=32)] = 8
    input_bits: Annotated[Whole, Field(ge=1, le=16)] = 1
    input_rate: Rate = DEFAULT_RATE
    output_rate: Rate = DEFAULT_RATE
    static_input: StrictBool = False
    domain: Literal["memory", "digital"] = "memory"
    neuron_state_bits: Annotated[Whole, Field(ge=0, le=1024)] = DEFAULT_STATE_BITS
    pool: tuple[Count, ...] | None = None
    pool_kind: Literal["max", "average"] = "max"
    residual_inputs: Annotated[Whole, Field(ge=0, le=1024)] = 0
    current_inputs: Annotated[Whole, Field(ge=0, le=1024)] = 0
    populations: Annotated[Whole, Field(ge=1, le=1024)] = 1
    executed: Rate = 1.0
    column_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)] = 1.0
    column_rows: Count = COLUMN_ROWS

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output channels (of a linear layer: features)."""
        raise NotImplementedError

    @property
    def group_count(self) -> int:
        """Groups of a grouped convolution; 1 otherwise."""
        return 1

    @property
    def kernel_size(self) -> int:
        """Kernel positions: the product of the kernel's sides; 1 for a linear layer."""
        return 1

    @property
    def input_positions(self) -> int:
        """Positions of the input map; 1 for a linear layer."""
        return 1

    @property
    def positions(self) -> int:
        """Output positions before pooling; 1 for a linear layer."""
        return 1

    @property
    def stored_positions(self) -> int:
        """Output positions of the stored spike map, after pooling."""
        return 1

    @property
    def rows(self) -> int:
        """Weights of one output channel: the rows of the weight matrix of one group."""
        return self.channels[0] // self.group_count * self.kernel_size

    @property
    def columns(self) -> int:
        """Output channels of one group: the columns of the weight matrix of one group."""
        return self.channels[1] // self.group_count

    @property
    def weights(self) -> int:
        """Weights of the layer, all groups together."""
        return self.rows * self.channels[1]

    @property
    def operations(self) -> int:
        """Multiply-accumulates of one time step."""
        return self.weights * self.positions

    @property
    def inputs(self) -> int:
        """Values of the input map."""
        return self.channels[0] * self.input_positions

    @property
    def outputs(self) -> int:
        """Values of the stored output map, after pooling."""
        return self.channels[1] * self.stored_positions

    @property
    def neurons(self) -> int:
        """Neurons: one a stored position where pooling precedes them, else one a position.

        Of several populations, all.
        """
        positions = self.stored_positions if self.pool_kind == "average" else self.positions
        return self.channels[1] * positions * self.populations


class ConvLayer(Layer):
    """A convolution in one, two or three dimensions; sizes have one entry a dimension.

    `out_size` is the size before pooling. It is taken as given: it need not follow from `in_size`.
    `stride` defaults to 1, `padding` to 0, `groups` to 1.
    """

    kind: Literal["conv1d", "conv2d", "conv3d"]
    in_channels: Count
    out_channels: Count
    kernel: tuple[Count, ...]
    stride: tuple[Count, ...] = ()
    padding: tuple[Natural, ...] = ()
    groups: Count = 1
    in_size: tuple[Count, ...]
    out_size: tuple[Count, ...]

    @model_validator(mode="before")
    @classmethod
    def _fill_by_dimension(cls, data: Any) -> Any:
        """Give `stride`, `padding` and `pool` the kind's dimension where they are left out."""
        if not isinstance(data, Mapping) or data.get("kind") not in ("conv1d", "conv2d", "conv3d"):
            return data
        dimensions = int(data["kind"][4])
        filled = {"stride": (1,) * dimensions, "padding": (0,) * dimensions} | dict(data)
        if filled.get("pool") is None:
            filled["pool"] = (1,) * dimensions
        return filled

    @model_validator(mode="after")
    def _check(self) -> Self:
        dimensions = int(self.kind[4])
        for field in ("kernel", "stride", "padding", "in_size", "out_size", "pool"):
            value = getattr(self, field)
            if len(value) != dimensions:
                allowed = f"{dimensions} numbers, as the kind is {self.kind}"
                raise RequestError(field, list(value), allowed)
        if any(window > size for window, size in zip(self.pool or (), self.out_size, strict=True)):
            allowed = f"at most out_size {list(self.out_size)} in every dimension"
            raise RequestError("pool", list(self.pool or ()), allowed)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            allowed = (
                f"a divisor of in_channels {self.in_channels} and out_channels {self.out_channels}"
            )
            raise RequestError("groups", self.groups, allowed)
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output channels."""
        return self.in_channels, self.out_channels

    @property
    def group_count(self) -> int:
        """Groups of the convolution."""
        return self.groups

    @property
    def kernel_size(self) -> int:
        """Kernel positions: the product of the kernel's sides."""
        return prod(self.kernel)

    @property
    def input_positions(self) -> int:
        """Positions of the input map."""
        return prod(self.in_size)

    @property
    def positions(self) -> int:
        """Output positions before pooling."""
        return prod(self.out_size)

    @property
    def stored_positions(self) -> int:
        """Output positions after pooling: the product of floor(out_size / pool)."""
        return prod(
            size // window for size, window in zip(self.out_size, self.pool or (), strict=True)
        )


class LinearLayer(Layer):
    """A fully connected layer, applied once a time step."""

    kind: Literal["linear"]
    in_features: Count
    out_features: Count

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(window != 1 for window in self.pool or ()):
            raise RequestError("pool", list(self.pool or ()), "nothing, as the kind is linear")
        return self

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output features."""
        return self.in_features, self.out_features


AnyLayer = Annotated[ConvLayer | LinearLayer, Field(discriminator="kind")]


#: Fields that a document leaves out where they are at their defaults.
_RARE = {
    "current_inputs": 0,
    "populations": 1,
    "executed": 1.0,
    "column_share": 1.0,
    "column_rows": COLUMN_ROWS,
}


class Workload(BaseModel):
    """Matrix layers in the order of execution, and the time steps of one inference.

    Attributes:
        timesteps: Time steps of one inference; the most, where confident inferences stop early.
        mean_timesteps: Time steps that an inference takes on average, with early exits; None
            where every inference takes all of them. Energy and latency are those of the mean.
        layers: At least one layer. Names need not differ, though a breakdown reads better so.
        schema_: Name of the format, ``"schema"`` in JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["evo-snn workload 1"] = Field(default=SCHEMA, alias="schema")
    timesteps: Annotated[Whole, Field(ge=1, le=1_000_000)]
    mean_timesteps: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    layers: Annotated[tuple[AnyLayer, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mean_timesteps is not None and self.mean_timesteps > self.timesteps:
            allowed = f"at most timesteps {self.timesteps}"
            raise RequestError("mean_timesteps", self.mean_timesteps, allowed)
        return self

    @property
    def steps(self) -> float:
        """Time steps that an inference takes on average."""
        return self.timesteps if self.mean_timesteps is None else self.mean_timesteps

    @field_serializer("layers", mode="wrap")
    def _write_layers(self, layers: Any, write: Any) -> Any:
        """Leave out a linear layer's pooling, which it cannot have, and what few layers have."""
        return [
            {k: v for k, v in layer.items() if v is not None and (k not in _RARE or v != _RARE[k])}
            for layer in write(layers)
        ]

    @classmethod
    def from_json(cls, source: str | Path) -> Workload:
        """Read one workload from JSON text or from a file.

        Args:
            source: A path, or text: a str that names no file is taken as JSON text.

        Raises:
            RequestError: Not readable, no JSON, or not a valid workload.
        """
        return cls.from_document(read_json(source))

    @classmethod
    def from_document(cls, document: Any, field: str = "") -> Workload:
        """Validate one parsed JSON document; `field` says in errors where it was found.

        Raises:
            RequestError: The document is not a valid workload.
        """
        place = field or "workload"
        if not isinstance(document, Mapping):
            raise RequestError(place, document, "a JSON object with schema, timesteps and layers")
        if document.get("schema") != SCHEMA:
            shown = document.get("schema", "nothing")
            raise RequestError(field_path((field, "schema")), shown, repr(SCHEMA))
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise _workload_error(error, field, document) from None

    def to_document(self) -> dict[str, Any]:
        """Return the workload as a JSON-able dict; `from_document` is the inverse."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json(self) -> str:
        """Return the workload as JSON text; `from_json` is the inverse."""
        return json.dumps(self.to_document(), indent=1)

    def with_rates(self, rates: Mapping[str, tuple[float, float]]) -> Workload:
        """Return the workload with other spike rates.

        Args:
            rates: Layer name to its `input_rate` and `output_rate`. Layers that are not named
                keep theirs; all layers of one name get the same, and so do ``NAME/1``, ``NAME/2``,
                … (a layer's parts) where they have no rates of their own.

        Raises:
            RequestError: A name that no layer has, or a rate outside 0 to 1.
        """
        names = {name for layer in self.layers for name in _names(layer)}
        for name in rates:
            if name not in names:
                raise unknown_name("rates", name, names)
        for name, pair in rates.items():
            if not all(0.0 <= rate <= 1.0 for rate in pair):
                raise RequestError(f"rates.{name}", pair, "two numbers from 0 to 1")
        layers = tuple(
            _with_rates(layer, next((rates[name] for name in _names(layer) if name in rates), None))
            for layer in self.layers
        )
        return self.model_copy(update={"layers": layers})


AnyWorkload = Workload | Mapping[str, Any] | str | Path
"""A workload, its document, or its JSON: the path of a file, or text."""


def as_workload(given: object) -> Workload:
    """Return a workload that is given as it is, as its document, or as JSON.

    Raises:
        RequestError: None of these, or not a valid workload.
    """
    if isinstance(given, Workload):
        return given
    if isinstance(given, Mapping):
        return Workload.from_document(given)
    if isinstance(given, str | Path):
        is_text = isinstance(given, str) and given.lstrip().startswith("{")
        return Workload.from_json(given if is_text else Path(given))
    raise RequestError("workload", given, "a Workload, its document, or the path of its file")


def as_workloads(given: object) -> list[Workload]:
    """Return workloads given one by one as `as_workload` takes them; one alone is a list of one.

    Raises:
        RequestError: As `as_workload`.
    """
    if isinstance(given, Iterable) and not isinstance(given, Workload | Mapping | str):
        return [as_workload(each) for each in given]
    return [as_workload(given)]


def load_workloads(path: str | Path) -> list[Workload]:
    """Read a file that holds one workload or a list of them.

    Raises:
        RequestError: Not readable, no JSON, or a workload is not valid (its place is named).
    """
    document = read_json(Path(path))
    if not isinstance(document, list):
        return [Workload.from_document(document)]
    if not document:
        raise RequestError(str(path), document, "a workload or a list of at least one")
    return [Workload.from_document(item, f"[{index}]") for index, item in enumerate(document)]


def _names(layer: Layer) -> tuple[str, ...]:
    """A layer's own name; of a part, that of the whole layer, too."""
    whole, _, number = layer.name.rpartition("/")
    return (layer.name, whole) if whole and number.isdecimal() else (layer.name,)


def _with_rates(
    layer: ConvLayer | LinearLayer, pair: tuple[float, float] | None
) -> ConvLayer | LinearLayer:
    if pair is None:
        return layer
    return layer.model_copy(update={"input_rate": float(pair[0]), "output_rate": float(pair[1])})


def _workload_error(error: ValidationError, field: str, document: Any) -> RequestError:
    """Name the place without pydantic's union tag, and suggest from the fields known there."""
    first = first_error(error)
    location = first["loc"]
    if first["type"].startswith("union_tag"):
        layer = document["layers"][location[1]]
        shown = layer.get("kind", "nothing") if isinstance(layer, Mapping) else layer
        return unknown_name(field_path((field, *location, "kind")), shown, KINDS)
    tag = location[2:3]
    in_layer = location[:1] == ("layers",) and tag and tag[0] in KINDS
    clean = location[:2] + location[3:] if in_layer else location
    if first["type"] == "extra_forbidden":
        layer_model = LinearLayer if tag == ("linear",) else ConvLayer
        model = layer_model if in_layer else Workload
        known = [info.alias or name for name, info in model.model_fields.items()]
        return unknown_name(field_path((field, *clean[:-1])) or "workload", clean[-1], known)
    cause = (first.get("ctx") or {}).get("error")
    last = (cause.field,) if isinstance(cause, RequestError) else ()
    plain = request_error(error)
    path = field_path((field, *clean, *last))
    return RequestError(path, plain.value, plain.allowed, plain.remedy)
