"""Configurations as files: read, overridden, checked, and written whole.

What a configuration holds is in `evo_snn.config`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from evo_snn.config import Config, config_error
from genomes.documents import parse_toml, read_text
from genomes.errors import RequestError

_MOST_DOTS = 10  # in a key; none of a configuration has as many
_ENVIRONMENT = "environment"  # the table that a run folder's config.toml has beside the sections


def load_config(
    source: str | Path | Mapping[str, Any] | Config,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Read a configuration, apply overrides, and check it.

    Args:
        source: A TOML file, the same as a mapping, or a configuration already made. Relative paths
            in a file are taken from the file's folder, in a mapping from the current one.
        overrides: Dotted key → value, as `parse_set` returns them, e.g.
            ``{"training.steps": 300, "space.widths": [8, 16]}``; relative paths in them are taken
            from the current folder. A mapping as the value of a section's name changes only the
            keys that it has.

    Raises:
        RequestError: If the file cannot be read, a key is unknown or missing, or a value is not
            allowed.
    """
    if isinstance(source, Config):
        document, folder = source.model_dump(exclude_none=True), Path.cwd()
    elif isinstance(source, Mapping):
        document, folder = _plain(source), Path.cwd()
    else:
        document, folder = _read(Path(source)), Path(source).resolve().parent
    document.pop(_ENVIRONMENT, None)
    document = _with_absolute_paths(document, folder)
    for key, value in (overrides or {}).items():
        if key.count(".") > _MOST_DOTS:
            raise RequestError("--set", key, "a key of the configuration")
        document = _with_absolute_paths(_with_override(document, key, value), Path.cwd())
    return _validated(document)


def parse_set(text: str) -> tuple[str, Any]:
    """Split ``KEY=VALUE`` of ``--set``; VALUE is TOML, or else a bare string.

    >>> parse_set("space.widths=[8, 16]")
    ('space.widths', [8, 16])
    >>> parse_set("hardware.chip=spikesim_65nm")
    ('hardware.chip', 'spikesim_65nm')

    Raises:
        RequestError: If there is no ``=``, or VALUE starts like a TOML list, table or string and is
            none.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(part.strip() for part in key.split(".")):
        raise RequestError("--set", text, "KEY=VALUE", "For example --set training.steps=300.")
    return key, parse_value(value, field=f"--set {key}")


def parse_value(text: str, *, field: str) -> Any:
    """The TOML value that ``text`` is, or ``text`` itself; `field` names it in an error."""
    try:
        document = parse_toml(f"value = {text}")
    except ValueError:
        document = {}
    value = document.get("value")
    if len(document) == 1 and isinstance(value, bool | int | float | str | list | dict):
        return value
    if not text or text[0] in "[{\"'":
        remedy = 'Words in it need quotes, and it all for the shell: \'KEY=["a", "b"]\'.'
        raise RequestError(field, text, "a TOML value or a bare word", remedy)
    return _number(text)


def _number(text: str) -> float | str:
    """The number that a person writes and TOML does not take, such as ``.5`` or ``05``."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def to_toml(config: Config) -> str:
    """The whole resolved configuration as TOML; `load_config` reads it back equal."""
    # Not pydantic's JSON mode, which has no infinity for the options of a space.
    return tomli_w.dumps(_as_toml(config.model_dump(exclude_none=True)))


def _read(path: Path) -> dict[str, Any]:
    text = read_text(
        path, field="config", allowed="a TOML file", remedy="evo-snn init DIR writes examples."
    )
    try:
        return parse_toml(text)
    except ValueError as error:
        raise RequestError("config", str(path), "valid TOML", f"{error}.") from None


def _plain(value: Any) -> Any:
    """A copy of nested mappings as dictionaries."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _as_toml(value: Any) -> Any:
    """The same with paths as text."""
    if isinstance(value, Mapping):
        return {key: _as_toml(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_toml(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _with_override(document: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    head, _, rest = (part.strip() for part in key.partition("."))
    old = document.get(head, {})
    if not rest and isinstance(value, Mapping) and isinstance(old, Mapping):
        return {**document, head: {**old, **_plain(value)}}
    if not rest:
        return {**document, head: _plain(value)}
    # A number in the way, e.g. constraints.area_mm2 = 5 under constraints.area_mm2.max = 9, yields.
    inner = dict(old) if isinstance(old, Mapping) else {}
    return {**document, head: _with_override(inner, rest, value)}


def _with_absolute_paths(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    def absolute(value: Any) -> Any:
        if not isinstance(value, str | Path) or not str(value):
            return value
        with suppress(RuntimeError):  # "~NAME" of nobody is a name like any other
            value = Path(value).expanduser()
        return str(folder / value)

    changes: list[tuple[str, str, Callable[[Any], Any]]] = [
        ("data", "path", absolute),
        ("data", "options", lambda value: _at(value, "cache_folder", absolute)),
        ("objectives", "plugins", lambda value: _each(absolute, value)),
        ("hardware", "chip", lambda value: absolute(value) if _is_file(value) else value),
        ("on_chip", "device", lambda value: absolute(value) if _is_file(value) else value),
    ]
    for section, key, change in changes:
        table = document.get(section)
        if isinstance(table, Mapping) and key in table:
            document = {**document, section: {**table, key: change(table[key])}}
    return document


def _each(function: Callable[[Any], Any], values: Any) -> Any:
    return [function(value) for value in values] if isinstance(values, list | tuple) else values


def _at(table: Any, key: str, function: Callable[[Any], Any]) -> Any:
    """A table with one value changed, where it has it."""
    if not isinstance(table, Mapping) or key not in table:
        return table
    return {**table, key: function(table[key])}


def _is_file(name: Any) -> bool:
    """Whether a chip or a device is a user's own, given by its file."""
    return isinstance(name, str) and name.endswith(".toml")


def _said(value: Any) -> Any:
    """The same without what is None, which no TOML file can say: then the default holds."""
    if isinstance(value, Mapping):
        return {key: _said(item) for key, item in value.items() if item is not None}
    return value


def _validated(document: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(_said(document))
    except ValidationError as error:
        raise config_error(error, Config, field="section") from None
