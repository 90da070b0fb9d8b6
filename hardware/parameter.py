"""One parameter of a chip: its value, what it means, and which other values it may have."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

from genomes.errors import RequestError, unknown_name

Scalar = bool | int | float | str
Value = Scalar | tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chip.

    Attributes:
        name: Its key, which overrides use.
        value: A number, a word, or a tuple of numbers.
        unit: Unit of the value; empty for words and ratios.
        source: Where the value comes from.
        description: What it is.
        conditions: Under which conditions the value holds.
        range: Lowest and highest value allowed, or None.
        choices: The only values allowed, or None.
        overridden: Whether the value is not the file's.
    """

    name: str
    value: Value
    unit: str
    source: str
    description: str = ""
    conditions: str = ""
    range: tuple[float, float] | None = None
    choices: tuple[Scalar, ...] | None = None
    overridden: bool = False

    def checked(self, value: Any) -> Value:
        """Return `value` in this parameter's type.

        Raises:
            RequestError: Wrong type, outside the range, none of the choices, or not finite.
        """
        if self.choices is not None:
            return self._choice(value)
        if isinstance(self.value, tuple):
            if not isinstance(value, list | tuple) or len(value) != len(self.value):
                raise RequestError(self.name, value, f"a list of {len(self.value)} numbers")
            return tuple(float(self._number(item)) for item in value)
        number = self._number(value)
        return int(number) if isinstance(self.value, int) else float(number)

    def _choice(self, value: Any) -> Scalar:
        for choice in self.choices or ():
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                return choice
        if isinstance(self.value, str):
            raise unknown_name(self.name, value, map(str, self.choices or ()))
        if isinstance(self.value, bool):
            raise RequestError(self.name, value, "true or false")
        allowed = ", ".join(map(str, self.choices or ()))
        raise RequestError(self.name, value, allowed, _as_number(value))

    def _number(self, value: Any) -> float:
        whole = isinstance(self.value, int)
        allowed = ("a whole number" if whole else "a number") + self._range_text()
        is_number = isinstance(value, numbers.Integral if whole else numbers.Real)
        if not is_number or isinstance(value, bool):
            raise RequestError(self.name, value, allowed, _as_number(value))
        low, high = self.range or (-math.inf, math.inf)
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond all floats
            number = math.inf
        if not math.isfinite(number) or not low <= number <= high:
            raise RequestError(self.name, value, allowed)
        return number

    def _range_text(self) -> str:
        if self.range is None:
            return ""
        return f" from {self.range[0]:g} to {self.range[1]:g} {self.unit}".rstrip()


def _as_number(value: Any) -> str:
    """Remedy where a number was given as text."""
    return "It is text: give a number, without quotes." if isinstance(value, str) else ""
