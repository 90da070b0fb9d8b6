"""Chips as data: a chip is a TOML file in which every number has a unit, a source and a range.

A parameter's table holds ``value`` (a number, a word, or a list of numbers), ``unit``, ``source``
and, where they apply, ``description``, ``conditions``, ``range`` or ``choices``. Instead of
``value`` it may hold ``by_technology_nm``, a table of values by node; the chip's ``technology_nm``
chooses. A user's own file may say ``inherits = "PRESET"`` and give only what differs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genomes.errors import RequestError, request_error, unknown_name
from hardware.models import MODELS
from hardware.parameter import Parameter, Scalar, Value

#: The chip that is used where none is named.
DEFAULT_CHIP = "rram_32nm"

#: Name of the format of `Chip.to_document`.
SCHEMA = "evo-snn chip 1"


class _ParameterTable(BaseModel):
    """One parameter as it stands in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    value: Scalar | list[float] | None = None
    by_technology_nm: dict[int, float | list[float]] | None = None
    unit: str
    source: str
    conditions: str = ""
    range: tuple[float, float] | None = None
    choices: tuple[Scalar, ...] | None = None


class _ChipFile(BaseModel):
    """A chip's file, after inheritance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    model: str
    summary: str = ""
    parameters: dict[str, _ParameterTable]


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

        Values are checked against the ranges in the document, not against any preset's.

        Raises:
            RequestError: Not such a document, a value outside its range, or a parameter that the
                model needs is not there.
        """
        try:
            given = _ChipDocument.model_validate(document)
        except ValidationError as error:
            known = [*_ChipDocument.model_fields, *_ParameterRecord.model_fields]
            raise request_error(error, prefix="chip", known=known) from None
        parameters = tuple(Parameter(**dict(record)) for record in given.parameters)
        for parameter in parameters:
            parameter.checked(parameter.value)
        _check_model(given.model)
        _check_has_all(given.model, {parameter.name for parameter in parameters})
        chip = cls(given.name, given.model, given.summary, parameters)
        MODELS[chip.model].check(chip)
        return chip


def chip_names() -> list[str]:
    """Return the names of the presets, sorted."""
    folder = resources.files("hardware").joinpath("presets")
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_chip(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Chip:
    """Read a preset or a user's TOML file, and override parameters by key.

    Args:
        name_or_path: Name of a preset (`chip_names`), or path of a file that ends in ``.toml``.
        overrides: Parameter key to value; checked against the parameter's type and range.

    Raises:
        RequestError: No such chip, an invalid file, an unknown key (the nearest is named), a
            wrong value, or a combination that the chip's model refuses.
    """
    document = _document(str(name_or_path))
    try:
        file = _ChipFile.model_validate(document)
    except ValidationError as error:
        raise request_error(error, prefix="chip", known=_ParameterTable.model_fields) from None
    _check_model(file.model)
    _check_complete(file)
    chip = _overridden(file, dict(overrides or {}))
    MODELS[chip.model].check(chip)
    return chip


def _document(name_or_path: str, heirs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a chip's file, with what it inherits merged in.

    Args:
        name_or_path: A preset's name, or a path that ends in ``.toml``.
        heirs: The files that inherit this one, so that a circle is found.
    """
    if name_or_path in heirs:
        raise RequestError("inherits", name_or_path, "a chip that does not inherit this one")
    text, label = _text_of(name_or_path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequestError("chip", name_or_path, f"TOML ({error})") from None
    given = document.get("parameters", {})
    if not isinstance(given, dict):
        raise RequestError("chip.parameters", given, "a table of parameters")
    tables = {key: _as_table(value, name_or_path) for key, value in given.items()}
    inherits = document.pop("inherits", None)
    if inherits is None:
        return {"name": label} | document | {"parameters": tables}
    parent = str(inherits)
    if parent.endswith(".toml"):
        parent = str(Path(name_or_path).parent / parent)
    base = _document(parent, (*heirs, name_or_path))
    merged = dict(base["parameters"])
    for key, table in tables.items():
        if key not in merged:
            raise unknown_name("chip.parameters", key, merged)
        merged[key] = _merged(merged[key], table)
    return base | {"name": label} | document | {"parameters": merged}


def _text_of(name_or_path: str) -> tuple[str, str]:
    """Text of a chip's file, and the chip's name where the file says none."""
    if not name_or_path.endswith(".toml"):
        if name_or_path not in chip_names():
            error = unknown_name("chip", name_or_path, chip_names())
            remedy = error.remedy or "A file's name must end in .toml."
            raise RequestError("chip", name_or_path, error.allowed, remedy)
        entry = resources.files("hardware").joinpath("presets", f"{name_or_path}.toml")
        return entry.read_text(encoding="utf-8"), name_or_path
    path = Path(name_or_path)
    try:
        return path.read_text(encoding="utf-8"), path.stem
    except OSError as error:
        raise RequestError("chip", str(path), f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise RequestError("chip", str(path), "TOML (not UTF-8 text)") from None


def _as_table(value: Any, source: str) -> dict[str, Any]:
    """Let a user write ``key = value`` for a table that has only a value."""
    return value if isinstance(value, dict) else {"value": value, "source": source}


def _merged(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Replace fields of `base`; a value of one kind takes the other kind's place."""
    kept = dict(base)
    if "value" in table:
        kept.pop("by_technology_nm", None)
    if "by_technology_nm" in table:
        kept.pop("value", None)
    return kept | table


def _check_model(model: str) -> None:
    if model not in MODELS:
        raise unknown_name("model", model, MODELS)


def _check_complete(file: _ChipFile) -> None:
    """Refuse a file that lacks a parameter of its model or has one that the model does not know."""
    known = _document(MODELS[file.model].reference)["parameters"]
    for key in file.parameters:
        if key not in known:
            raise unknown_name("chip.parameters", key, known)
    _check_has_all(file.model, set(file.parameters))


def _check_has_all(model: str, given: AbstractSet[str]) -> None:
    """Refuse a chip that lacks a parameter of its model."""
    for key in sorted(set(_document(MODELS[model].reference)["parameters"]) - given):
        remedy = "Say inherits = PRESET to take what a preset has."
        raise RequestError(f"chip.parameters.{key}", "nothing", "a value", remedy)


def _overridden(file: _ChipFile, overrides: dict[str, Any]) -> Chip:
    for key in overrides:
        if key not in file.parameters:
            raise unknown_name("chip parameter", key, file.parameters)
    node = None
    if "technology_nm" in file.parameters:
        table = file.parameters["technology_nm"]
        node = _parameter("technology_nm", table, None).checked(
            overrides.get("technology_nm", table.value)
        )
    parameters = []
    for key, table in file.parameters.items():
        parameter = _parameter(key, table, node)
        value = parameter.checked(overrides.get(key, parameter.value))
        parameters.append(replace(parameter, value=value, overridden=key in overrides))
    return Chip(file.name, file.model, file.summary, tuple(parameters))


def _parameter(key: str, table: _ParameterTable, node: Any) -> Parameter:
    value: Any = table.value
    if table.by_technology_nm is not None:
        if node not in table.by_technology_nm:
            allowed = ", ".join(str(known) for known in table.by_technology_nm)
            raise RequestError(f"chip.parameters.{key}", f"no value at {node} nm", allowed)
        value = table.by_technology_nm[node]
    if value is None:
        raise RequestError(f"chip.parameters.{key}", "nothing", "value or by_technology_nm")
    return Parameter(
        name=key,
        value=tuple(value) if isinstance(value, list) else value,
        unit=table.unit,
        source=table.source,
        description=table.description,
        conditions=table.conditions,
        range=table.range,
        choices=table.choices,
    )
