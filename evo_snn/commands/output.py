"""What commands print: one JSON document, or compact tables; messages go to standard error."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

KEY_LENGTH = 8  # of keys in tables; commands accept any beginning that is unique

_ABSENT = "-"
_PIPE_WIDTH = 200  # columns where standard output is no terminal
_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def console() -> Console:
    """Standard output; wide enough for whole tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def say(kind: str, text: str) -> None:
    """One line on standard error, e.g. ``error: …``; coloured on a terminal."""
    line = Text.assemble((f"{kind}:", _COLOURS.get(kind, "bold")), f" {visible(text)}")
    Console(stderr=True, highlight=False, soft_wrap=True).print(line)


def busy(text: str) -> Status:
    """A spinner on standard error for a ``with`` block; silent where that is no terminal."""
    return Console(stderr=True).status(text)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def print_lines(*lines: str) -> None:
    """Plain lines on standard output; they may be long, and are not wrapped."""
    sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True
) -> None:
    """A table on standard output; columns of numbers are set flush right."""
    cells = [[cell(value) for value in row] for row in rows]
    table = Table(show_header=header, box=None, pad_edge=False)
    for index, name in enumerate(columns):
        right = header and all(_is_number(row[index]) for row in cells)
        table.add_column(Text(visible(name)), justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(value) for value in row))
    if title:
        print_lines(title)
    console().print(table)


def print_values(title: str, values: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    print_table(title, ("", ""), values.items(), header=False)


def cell(value: Any) -> str:
    """A value as a table shows it: floats with four digits, "-" for what is absent."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "x".join(map(cell, value)) if value else _ABSENT
    return visible(str(value))


def visible(text: str) -> str:
    """Text with everything in sight: no character of it moves, hides or turns others.

    A run may be a stranger's, and all of what it holds is shown: names, failures, hosts. Lines stay
    lines.
    """
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character)[0] not in "CZ" or character == " "
        else character.encode("unicode_escape").decode("ascii")
        for character in text.replace("\r\n", "\n")
    )


def shown_origin(origin: str) -> str:
    """Where something that can be named comes from: a package, a file, or evo_snn itself."""
    return origin or "evo_snn"


def short(key: str) -> str:
    """The beginning of a key that tables show."""
    return key[:KEY_LENGTH]


def shown(path: Path) -> str:
    """A path as a user in the current folder would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _is_number(text: str) -> bool:
    if text == _ABSENT:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
