"""Reading JSON that users wrote, with one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genomes.errors import RequestError


def read_json(source: str | Path) -> Any:
    """Parse JSON from a file or from text: a str that names no file is taken as text.

    Raises:
        RequestError: Not readable, or no JSON.
    """
    is_file = isinstance(source, Path) or _names_a_file(source)
    label = str(source) if is_file else "workload"
    try:
        text = Path(source).read_text(encoding="utf-8") if is_file else str(source)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RequestError("workload", label, f"a readable JSON file ({reason})") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(label, text[:40], f"JSON ({error})") from None


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
