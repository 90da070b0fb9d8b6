"""What a run's database keeps by name: what each value must be, as pure functions."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evo_snn.plugins import PluginRecord
from genomes.errors import printable
from hardware import Chip

_ALWAYS = ("format_version", "created", "config", "environment", "space", "constraints")
_OF_A_SEARCH = ("chip", "data_digest", "first_hypervolume_box")
"""A search stores all of these; a run that was made otherwise has none."""

DAMAGED = object()
"""Stands for a value that is no JSON."""


def decoded(text: str) -> Any:
    """A JSON value, or `DAMAGED`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return DAMAGED


def meta_faults(meta: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the values, as lines; names that are not known may have any value."""
    needed = [*_ALWAYS, *(_OF_A_SEARCH if any(name in meta for name in _OF_A_SEARCH) else ())]
    yield from (f"there is no value of {name!r}" for name in needed if name not in meta)
    for name, text in meta.items():
        value = decoded(text)
        if value is DAMAGED:
            yield f"the value of {name!r} is no JSON"
        elif name in _RULES:
            allowed, holds = _RULES[name]
            if not holds(value):
                yield f"the value of {name!r} is not {allowed}"


def plugin_faults(documents: Any) -> Iterator[str]:
    """What is wrong with the stored plug-ins, as lines."""
    if documents is None:
        return
    if not isinstance(documents, list):
        yield "what is stored of plug-ins is no list"
        return
    for document in documents:
        try:
            record = PluginRecord.from_document(document)
            file = record.file
        except ValueError as error:  # other fields, or a source that no file can hold
            yield printable(str(error))
            continue
        if file is not None and file.sha256 != record.sha256:
            yield f"the stored source of the plug-in {record.name} does not have its stored hash"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == hashlib.sha256().digest_size * 2


def _is_box(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_pair, value.values()))


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(("best", "worst"))
        and all(type(one) in (int, float) and abs(one) <= sys.float_info.max for one in value)
    )


def _is_chip(value: Any) -> bool:
    try:
        Chip.from_document(value)
    except ValueError:
        return False
    return True


_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "format_version": ("a number", _is_count),
    "created": ("a text", _is_text),
    "config": ("a text", _is_text),
    "environment": ("a table of texts", _is_texts),
    "space": ("a table", _is_table),
    "constraints": ("a table", _is_table),
    "data_digest": ("a SHA-256", _is_digest),
    "device_digest": ("a SHA-256", _is_digest),
    "chip": ("a chip", _is_chip),
    "on_chip_path": ("fast or exact", lambda value: value in ("fast", "exact")),
    "hypervolume_box": ("a best and a worst number of each objective", _is_box),
    "first_hypervolume_box": ("a best and a worst number of each objective", _is_box),
    "shared_bank": ("the number of a generation", lambda one: one is None or _is_count(one)),
    "shared_bank_sha256": ("a SHA-256", _is_digest),
}
