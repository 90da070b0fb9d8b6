"""Every error is one line that a terminal can show, whatever was received."""

import pytest

from genomes.errors import RequestError, nearest, unknown_name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1 << 20_000, "a value of type int that is too large to show"),
        ("x" * 10**7, "'" + "x" * 37 + "..." + "x" * 37 + "'"),
        ("a\nb\x1b", r"'a\nb\x1b'"),
    ],
    ids=["digits", "length", "lines"],
)
def test_values_are_shown_as_far_as_they_can_be(value: object, shown: str) -> None:
    assert str(RequestError("key", value, "less")) == f"key: got {shown}; allowed: less."


def test_a_list_within_lists_is_too_large_to_show() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    error = RequestError("key", nested, "less")
    while nested:  # taken apart from outside: at once, it would be as deep again
        nested = nested.pop()  # type: ignore[assignment]
    assert "type list that is too large to show" in str(error)


def test_control_characters_of_a_field_cannot_reach_the_terminal() -> None:
    error = RequestError("a\x1b[2J\r\nb", 1, "less")
    assert str(error) == r"a\x1b[2J\r b: got 1; allowed: less."
    assert error.field == "a\x1b[2J\r\nb"


def test_a_long_field_is_shortened() -> None:
    assert len(str(RequestError("x" * 10**6, 1, "less"))) < 300


def test_a_long_name_resembles_none() -> None:
    assert nearest("accuracy" * 10**6, ["accuracy"]) is None


def test_a_letter_that_looks_like_another_is_named() -> None:
    error = unknown_name("constraints", "\u0430rea_mm2", ["area_mm2"])
    assert str(error).endswith("Did you mean 'area_mm2'? It has '\u0430', CYRILLIC SMALL LETTER A.")


def test_of_many_names_only_those_that_look_alike_are_told() -> None:
    many = [*(f"key_{number}" for number in range(70)), "crossbar_rows", "crossbar_columns"]
    error = unknown_name("chip", "crossbar_row", many, "evo-snn chips lists them.")
    assert str(error) == (
        "chip: got 'crossbar_row'; allowed: crossbar_rows, crossbar_columns, or one of 70 others."
        " Did you mean 'crossbar_rows'? evo-snn chips lists them."
    )
    lost = unknown_name("chip", "zzz", many, "evo-snn chips lists them.")
    assert str(lost) == "chip: got 'zzz'; allowed: one of 72 names. evo-snn chips lists them."
    few = unknown_name("chip", "zzz", many[:20], "evo-snn chips lists them.")
    assert few.allowed == ", ".join(sorted(many[:20]))
    assert few.remedy == ""
