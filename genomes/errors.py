"""One kind of error for a user's mistakes: it names the field, the value, and what is allowed."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_TEXT_PREFIXES = ("Input should be ", "Value error, ")
_LONGEST_VALUE = 80
_LONGEST_FIELD = 200
_LONGEST_NAME = 100  # of names that are compared with others
_MOST_NAMES = 20  # that one line lists
_MOST_NEAR = 5


class RequestError(ValueError):
    """What a user asked for cannot be done; the text is one line that says what would be allowed.

    Attributes:
        field: Name of the field, key or argument, as the user wrote it.
        value: What was received.
        allowed: What is allowed there, as a phrase.
        remedy: What to do about it; may be empty.
    """

    def __init__(self, field: str, value: object, allowed: str, remedy: str = "") -> None:
        """Store the four parts; the message is ``FIELD: got VALUE; allowed: ALLOWED. REMEDY``."""
        self.field = field
        self.value = value
        self.allowed = allowed
        self.remedy = remedy
        place = shortened(field, _LONGEST_FIELD)
        text = f"{place}: got {_short(value)}; allowed: {allowed}. {remedy}".rstrip()
        super().__init__(printable(text))

    def __reduce__(self) -> tuple[type[RequestError], tuple[str, object, str, str]]:
        """Pickle by the four parts, so that the error crosses process borders intact."""
        return type(self), (self.field, self.value, self.allowed, self.remedy)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like `name`, or None if none resembles it."""
    return next(iter(_near(name, known)), None)


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The known names that look like `name`, at most `_MOST_NEAR`, the most alike first."""
    if len(name) > _LONGEST_NAME:
        return []
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=_MOST_NEAR, cutoff=0.5)
    return [by_lower[match] for match in matches]


def unknown_name(field: str, name: object, known: Iterable[str], lists: str = "") -> RequestError:
    """Return the error for a name that is none of `known`; it suggests the nearest one.

    Args:
        field: Where the name stands.
        name: What was received.
        known: All names; of more than 20 only the nearest are told.
        lists: Sentence that says what lists all names, told where the error does not.
    """
    names = sorted(known)
    close = nearest(str(name), names)
    remedy = f"Did you mean {close!r}?{_look_alike(str(name))}" if close else ""
    allowed = ", ".join(names) or "nothing"
    if len(names) > _MOST_NAMES:
        near = _near(str(name), names)
        told = ", ".join([*near, f"or one of {len(names) - len(near)} others"])
        allowed = told if near else f"one of {len(names)} names"
        remedy = f"{remedy} {lists}".strip()
    return RequestError(field, name, allowed, remedy)


def request_error(
    error: ValidationError, *, prefix: str = "", known: Iterable[str] = ()
) -> RequestError:
    """Turn the first error of a pydantic validation into one clear line.

    Args:
        error: What pydantic raised.
        prefix: Put before the field's name, e.g. ``"hardware"`` gives ``hardware.FIELD``.
        known: Field names to suggest from where a field is not known.
    """
    first = first_error(error)
    field = field_path((*((prefix,) if prefix else ()), *first["loc"]))
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, RequestError):
        inner = field_path((*((field,) if first["loc"] or prefix else ()), cause.field))
        return RequestError(inner, cause.value, cause.allowed, cause.remedy)
    if first["type"] == "extra_forbidden":
        return unknown_name(field_path((prefix,)) or "field", first["loc"][-1], known)
    if first["type"] == "missing":
        return RequestError(field, "nothing", "a value (this field is required)")
    allowed = _in_our_words(first) or _allowed(first["msg"])
    return RequestError(field or error.title, first["input"], allowed)


def first_error(error: ValidationError) -> ErrorDetails:
    """The first error, but a name that is not known before all else: what is missing may be it."""
    errors = error.errors(include_url=False)
    return next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])


def field_path(parts: Iterable[int | str]) -> str:
    """Join parts as a user writes them: ``("layers", 0, "kernel")`` is ``layers[0].kernel``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part:
            path += f".{part}" if path else part
    return path


def shortened(text: str, longest: int) -> str:
    """The text, or its beginning and end where it is longer than that."""
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2  # both ends say most: of a path, where it is and its name
    return f"{text[:half]}...{text[-half:]}"


def printable(text: str) -> str:
    """One line that a terminal shows as it is: no control characters, no line ends."""
    line = " ".join(text.split("\n"))
    return line if line.isprintable() else "".join(map(_escaped, line))


def _in_our_words(error: ErrorDetails) -> str:
    """What is allowed, where pydantic speaks of tuples and objects; "" where it says it well."""
    if error["type"] in ("tuple_type", "list_type"):
        return "a list in brackets"
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "an object of fields in braces"
    if error["type"] == "string_too_short":
        return "at least one character"
    if error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        return "at least one value" if least == 1 else f"at least {least} values"
    return ""


def _allowed(message: str) -> str:
    for prefix in _TEXT_PREFIXES:
        message = message.removeprefix(prefix)
    return message


def _short(value: object) -> str:
    if isinstance(value, str) and value == "nothing":
        return value
    if isinstance(value, str):  # the ends of a long text are enough
        value = shortened(value, 4 * _LONGEST_VALUE)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of too many digits, a list within lists
        text = f"a value of type {type(value).__name__} that is too large to show"
    return shortened(text, _LONGEST_VALUE)


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def _look_alike(name: str) -> str:
    """Name a letter that can be taken for another one; "" where there is none."""
    strange = next((each for each in name if each.isalpha() and not each.isascii()), "")
    if not strange:
        return ""
    return f" It has {strange!r}, {unicodedata.name(strange, 'a rare letter')}."
