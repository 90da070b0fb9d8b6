"""Chips' TOML files: presets, users' files, those of installed packages, and what they inherit.

A parameter's table holds ``value`` (a number, a word, or a list of numbers), ``unit``, ``source``
and, where they apply, ``description``, ``conditions``, ``range`` or ``choices``. Instead of
``value`` it may hold ``by_technology_nm``, a table of values by node; the chip's ``technology_nm``
chooses. A user's own file may say ``inherits = "PRESET"`` and give only what differs: values, and
their sources and conditions. What a parameter means is its model's, and stays.

A package offers a chip through the entry point ``evo_snn.chips``: ``NAME = "PACKAGE"`` says that
``NAME.toml`` lies in that package. No code of the package is run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from genomes.documents import parse_toml, read_text
from genomes.errors import RequestError, request_error, unknown_name
from genomes.plugins import CHIPS, broken, find, installed, origin, places
from hardware.models import MODELS
from hardware.parameter import Parameter, Scalar

_NODE = "technology_nm"
_VALUES = {"value", "by_technology_nm"}
_MOST_HEIRS = 16
_LISTS = "evo-snn chips NAME lists all of a chip."

#: Keys that stand for several parameters, which get the same value.
TOGETHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"crossbar_size": ("crossbar_rows", "crossbar_columns")}
)

#: What a file may repeat, but not change.
_MEANING = ("description", "unit", "range", "choices")


class ParameterTable(BaseModel):
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

    def at(self, node: Any) -> Any:
        """Value at a node, in nm; None where there is none."""
        return self.value if self.value is not None else (self.by_technology_nm or {}).get(node)


class ChipFile(BaseModel):
    """A chip's file, after inheritance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    model: str
    summary: str = ""
    parameters: dict[str, ParameterTable]


def preset_names() -> list[str]:
    """Return the names of hardware's own chips, sorted."""
    folder = resources.files("hardware").joinpath("presets")
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def chip_names() -> list[str]:
    """Return the names of the presets and of installed packages' chips, sorted."""
    return sorted({*preset_names(), *installed(CHIPS)})


def chip_origin(name: str) -> str:
    """Return a chip's file, or the package with its version; "" for a preset."""
    if name.endswith(".toml"):
        return name
    return "" if name in preset_names() else origin(find(CHIPS, name))


def _installed_file(name: str) -> str:
    """Path of the file of an installed package's chip; its package is not imported."""
    package = find(CHIPS, name).value
    for place in places(package):
        if place.joinpath(f"{name}.toml").is_file():
            return str(place / f"{name}.toml")
    raise broken(CHIPS, name, f"there is no {name}.toml in its package {package!r}")


def _document(name_or_path: str, heirs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a chip's file, with what it inherits merged in.

    Args:
        name_or_path: A chip's name, or a path that ends in ``.toml``.
        heirs: The files that inherit this one, so that a circle is found.
    """
    if not name_or_path.endswith(".toml") and name_or_path not in preset_names():
        name_or_path = _installed_file(_known(name_or_path))
    if name_or_path in heirs or len(heirs) >= _MOST_HEIRS:  # a circle may go by ever new names
        raise RequestError("inherits", name_or_path, "a chip that does not inherit this one")
    text, label = _text_of(name_or_path)
    try:
        document = parse_toml(text)
    except ValueError as error:
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
            raise unknown_name("chip.parameters", key, merged, _LISTS)
        merged[key] = _merged(merged[key], table)
    return base | {"name": label} | document | {"parameters": merged}


def _known(name: str) -> str:
    """The name of an installed package's chip, or an error that names all chips."""
    if name not in installed(CHIPS):
        error = unknown_name("chip", name, chip_names())
        remedy = error.remedy or "A file's name must end in .toml."
        raise RequestError("chip", name, error.allowed, remedy)
    return name


def _text_of(name_or_path: str) -> tuple[str, str]:
    """Text of a chip's file, and the chip's name where the file says none."""
    if not name_or_path.endswith(".toml"):
        entry = resources.files("hardware").joinpath("presets", f"{name_or_path}.toml")
        return entry.read_text(encoding="utf-8"), name_or_path
    path = Path(name_or_path)
    return read_text(path, field="chip", allowed="a chip's TOML file"), path.stem


def _as_table(value: Any, source: str) -> dict[str, Any]:
    """Let a user write ``key = value``; a value without a source has the file as its source."""
    table = value if isinstance(value, dict) else {"value": value}
    return {"source": source} | table if table.keys() & _VALUES else table


def _merged(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Replace fields of `base`; a value of one kind takes the other kind's place."""
    replaced = _VALUES if table.keys() & _VALUES else set()
    return {field: value for field, value in base.items() if field not in replaced} | table


def check_model(model: str) -> None:
    """Raise a RequestError where there is no such cost model."""
    if model not in MODELS:
        raise unknown_name("model", model, MODELS)


def reference(model: str) -> dict[str, Parameter]:
    """Return the parameters of a model by key, as its reference preset has them."""
    return dict(_reference(model))


@cache  # every chip and every override is checked against it, and a preset does not change
def _reference(model: str) -> Mapping[str, Parameter]:
    tables = ChipFile.model_validate(_document(MODELS[model].reference)).parameters
    node = tables[_NODE].value if _NODE in tables else None
    return {
        key: Parameter(
            name=key,
            value=_frozen(table.at(node)),
            unit=table.unit,
            source=table.source,
            description=table.description,
            conditions=table.conditions,
            range=table.range,
            choices=table.choices,
        )
        for key, table in tables.items()
    }


def read_file(name_or_path: str) -> ChipFile:
    """Read a chip's file, with what it inherits.

    Raises:
        RequestError: No such chip, or not a chip's file.
    """
    try:
        file = ChipFile.model_validate(_document(name_or_path))
    except ValidationError as error:
        raise request_error(error, prefix="chip", known=ParameterTable.model_fields) from None
    check_model(file.model)
    return file


def parameters_of(file: ChipFile, overrides: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Check a file's values and the overrides against its model's parameters.

    Raises:
        RequestError: A parameter that the model does not know or that is not there, a wrong
            value, or a file that changes what a parameter means.
    """
    known = reference(file.model)
    overrides = separate(overrides, known)
    for key in file.parameters:
        if key not in known:
            raise unknown_name("chip.parameters", key, known, _LISTS)
    for key in known:
        if key not in file.parameters:
            remedy = "Say inherits = PRESET to take what a preset has."
            raise RequestError(f"chip.parameters.{key}", "nothing", "a value", remedy)
    for key in overrides:
        if key not in known:
            raise unknown_parameter("chip parameter", key, known)
    for key, table in file.parameters.items():
        _check_table(known[key], table)
    node = None
    if _NODE in known:
        known[_NODE] = replace(known[_NODE], choices=_nodes(file, known[_NODE], overrides))
        node = known[_NODE].checked(overrides.get(_NODE, file.parameters[_NODE].value))
    return tuple(
        _parameter(known[key], table, node, overrides) for key, table in file.parameters.items()
    )


def separate(overrides: Any, known: Collection[str]) -> dict[str, Any]:
    """Return overrides with each parameter under its own key, see `TOGETHER`.

    Args:
        overrides: Key to value; None for no overrides.
        known: Keys of the chip's parameters.

    Raises:
        RequestError: No mapping.
    """
    single: dict[str, Any] = {}
    for key, value in checked_overrides(overrides).items():
        together = TOGETHER.get(key, (key,))
        names = together if all(name in known for name in together) else (key,)
        single |= dict.fromkeys(names, value)
    return single


def checked_overrides(overrides: Any) -> dict[str, Any]:
    """Return a chip's overrides as a dict, {} for None.

    Raises:
        RequestError: No mapping.
    """
    if overrides is None:
        return {}
    if not isinstance(overrides, Mapping):
        allowed = "a mapping of parameters to values"
        raise RequestError("overrides", overrides, allowed, "For example {'cell_bits': 2}.")
    return dict(overrides)


def unknown_parameter(field: str, key: str, known: Iterable[str]) -> RequestError:
    """Return the error for a key that is no parameter of a chip, nor one of `TOGETHER`."""
    names = set(known)
    together = {key for key, parts in TOGETHER.items() if names.issuperset(parts)}
    return unknown_name(field, key, names | together, _LISTS)


def _nodes(file: ChipFile, node: Parameter, overrides: Mapping[str, Any]) -> tuple[Scalar, ...]:
    """Nodes at which every parameter has a value."""
    tables = [
        table.by_technology_nm
        for key, table in file.parameters.items()
        if table.by_technology_nm is not None and key not in overrides
    ]
    return tuple(choice for choice in node.choices or () if all(choice in each for each in tables))


def _check_table(known: Parameter, table: ParameterTable) -> None:
    """Refuse a table without a value, with a wrong one at any node, or with another meaning."""
    place = f"chip.parameters.{known.name}"
    for field in _MEANING:
        given, meant = getattr(table, field), getattr(known, field)
        if given != meant:
            allowed = f"{meant!r}, which is the model's"
            remedy = "A chip's file may change value, by_technology_nm, source and conditions."
            raise RequestError(f"{place}.{field}", given, allowed, remedy)
    if table.value is not None:
        known.checked(table.value)
    elif not table.by_technology_nm:
        raise RequestError(place, "nothing", "value or by_technology_nm")
    for value in (table.by_technology_nm or {}).values():
        known.checked(value)


def _parameter(
    known: Parameter, table: ParameterTable, node: Any, overrides: Mapping[str, Any]
) -> Parameter:
    own = replace(known, source=table.source, conditions=table.conditions)
    if known.name in overrides:
        return replace(own, value=own.checked(overrides[known.name]), overridden=True)
    return replace(own, value=own.checked(table.at(node)))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
