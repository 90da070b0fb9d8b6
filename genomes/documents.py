"""Reading text, JSON and TOML that users wrote, with one-line errors.

A path may be anything: a folder, a pipe that nobody writes to, a device that never ends. What is
read is bounded, and nothing waits for what may never come.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from genomes.errors import RequestError

MOST_BYTES = 2**28
"""The most that is read of one file of text: far more than any that a person would write."""

_BLOCK = 2**20


def read_text(path: str | Path, *, field: str, allowed: str, remedy: str = "") -> str:
    """The text of a file; a byte-order mark at its beginning is left out.

    Args:
        path: The file.
        field: What the path stands for, in an error.
        allowed: What the file should be, in an error.
        remedy: What to do where there is no such file.

    Raises:
        RequestError: There is no such file, or it cannot be read, is too large or no UTF-8 text.
    """
    try:
        return _content(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise RequestError(field, str(path), f"{allowed} that exists", remedy) from None
    except OSError as error:
        reason = f"{error.strerror or error}."
        raise RequestError(field, str(path), f"{allowed} that can be read", reason) from None
    except UnicodeDecodeError as error:
        reason = f"Byte {error.start} is none."
        raise RequestError(field, str(path), f"{allowed} in UTF-8", reason) from None
    except ValueError as error:  # a path that no system has
        raise RequestError(field, str(path), allowed, f"{error}.") from None


def _content(path: str | Path) -> bytes:
    # Not blocking, a pipe without a writer opens at once and is empty; one with a writer is read.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.set_blocking(descriptor, True)
        content = bytearray()
        while block := os.read(descriptor, _BLOCK):
            content += block
            if len(content) > MOST_BYTES:
                raise OSError(f"It has more than {MOST_BYTES // 2**20} MiB")
    finally:
        os.close(descriptor)
    return bytes(content)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: It is none, a number is too long, or tables are nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(source: str | Path) -> Any:
    """Parse JSON from a file or from text: a str that names no file is taken as text.

    Raises:
        RequestError: Not readable, no JSON, or an object that has a key twice.
    """
    label = "workload"
    if isinstance(source, Path) or _names_a_file(source):
        text = read_text(source, field="workload", allowed="a JSON file")
        label = str(source)
    else:
        text = source
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(label, text[:40], f"JSON ({reason})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a key that is there twice is a mistake, and neither value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
