"""Chips as data: a name, a cost model, and its parameters, each with unit, source and range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genomes.errors import RequestError, request_error
from genomes.plugins import CHIPS, installed, left_out, shadowed
from hardware.chip_file import (
    check_model,
    checked_overrides,
    parameters_of,
    preset_names,
    read_file,
    reference,
)
from hardware.models import MODELS
from hardware.parameter import Parameter, Scalar, Value

#: The chip that is used where none is named.
DEFAULT_CHIP = "rram_neurosim_22nm"

Made = TypeVar("Made")

#: Name of the format of `Chip.to_document`.
SCHEMA = "evo-snn chip 1"


class _ParameterRecord(BaseModel):
    """One parameter in a chip's document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: Scalar | tuple[float, ...]
    unit: str
    source: str
    description: str = ""
    conditions: str = ""
    range: tuple[float, float] | None = None
    choices: tuple[Scalar, ...] | None = None
    overridden: bool = False


class _ChipDocument(BaseModel):
    """A chip that stands alone: no file, preset or override is needed to read it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["evo-snn chip 1"] = Field(alias="schema")
    name: str
    model: str
    summary: str
    parameters: tuple[_ParameterRecord, ...]


@dataclass(frozen=True)
class Chip:
    """A chip: the name of its cost model and the model's parameters.

    Attributes:
        name: Name of the preset, or of the user's file.
        model: The cost model that reads the parameters, a key of `hardware.models.MODELS`.
        summary: One line about the chip.
        parameters: In the file's order.
    """

    name: str
    model: str
    summary: str
    parameters: tuple[Parameter, ...] = field(repr=False)

    @cached_property
    def values(self) -> dict[str, Value]:
        """Value of every parameter by its key."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    def number(self, key: str) -> float:
        """Return a numeric parameter."""
        return float(self.values[key])  # type: ignore[arg-type]

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a parameter that is a list of numbers."""
        return self.values[key]  # type: ignore[return-value]

    def word(self, key: str) -> str:
        """Return a parameter that is a word."""
        return str(self.values[key])

    def once(self, build: Callable[[Chip], Made]) -> Made:
        """What `build` makes of the chip, made at the first asking and kept with it.

        For tables that a model derives from the parameters alone: a search asks for them with
        every population.
        """
        if build not in self._made:
            self._made[build] = build(self)
        made: Made = self._made[build]
        return made

    @cached_property
    def _made(self) -> dict[Any, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is derived: a chip travels to workers with every candidate."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def to_document(self) -> dict[str, Any]:
        """Return the whole chip as a JSON-able dict; `from_document` is the inverse.

        It holds every value with its unit and source, so that a chip can be kept with what was
        costed on it and read when the preset or file that it came from is gone or changed.
        """
        parameters = [
            {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in asdict(parameter).items()
            }
            for parameter in self.parameters
        ]
        return {
            "schema": SCHEMA,
            "name": self.name,
            "model": self.model,
            "summary": self.summary,
            "parameters": parameters,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Chip:
        """Read what `to_document` gave.

        Values are checked against the ranges and choices in the document, not against any
        preset's; their types are those that the model reads.

        Raises:
            RequestError: Not such a document, a value outside its range, or a parameter that the
                model needs is not there.
        """
        try:
            given = _ChipDocument.model_validate(document)
        except ValidationError as error:
            known = [*_ChipDocument.model_fields, *_ParameterRecord.model_fields]
            raise request_error(error, prefix="chip", known=known) from None
        check_model(given.model)
        parameters = {record.name: Parameter(**dict(record)) for record in given.parameters}
        for key, meant in reference(given.model).items():
            if key not in parameters:
                raise RequestError(f"chip.parameters.{key}", "nothing", f"what {given.model} reads")
            replace(parameters[key], value=meant.value).checked(parameters[key].value)
        chip = cls(given.name, given.model, given.summary, tuple(parameters.values()))
        MODELS[chip.model].check(chip)
        return chip


def load_chip(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Chip:
    """Read a preset or a user's TOML file, and override parameters by key.

    Args:
        name_or_path: Name of a preset (`chip_names`), or path of a file that ends in ``.toml``.
        overrides: Parameter key to value; checked against the parameter's type and range.

    Raises:
        RequestError: No such chip, an invalid file, an unknown key (the nearest is named), a
            wrong value, overrides that are no mapping, or a combination that the chip's model
            refuses.
    """
    file = read_file(str(name_or_path))
    chip = Chip(
        file.name, file.model, file.summary, parameters_of(file, checked_overrides(overrides))
    )
    MODELS[chip.model].check(chip)
    return chip


def all_chips() -> dict[str, Chip]:
    """Return every chip by the name that it is asked for; what does not work is left out.

    Warnings on the logger ``evo_snn`` say which installed chip, and why.
    """
    found = {name: load_chip(name) for name in preset_names()}
    for name in installed(CHIPS):
        if name in found:
            shadowed(CHIPS, name)
            continue
        try:
            found[name] = load_chip(name)
        except RequestError as error:
            left_out(CHIPS, name, error)
    return found
