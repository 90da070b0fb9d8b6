"""Sweeps: one workload costed over values of chip parameters and of its own facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from genomes.errors import RequestError
from genomes.workload import AnyWorkload, Workload, as_workload
from hardware.chip import DEFAULT_CHIP, Chip
from hardware.chip_file import TOGETHER, unknown_parameter
from hardware.cost import Cost
from hardware.estimator import estimate
from hardware.variants import FACTS, ChipVariants, with_facts

#: Points of a grid; more is no question that a person asks.
MOST_POINTS = 10_000


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes:
        values: What was swept: key to value.
        workload: With the swept facts.
        chip: With the swept parameters; None where its model refuses them together.
        cost: None where the chip is.
        refused: Why the chip's model refuses the values; "" otherwise.
    """

    values: Mapping[str, Any]
    workload: Workload
    chip: Chip | None
    cost: Cost | None
    refused: str = ""


def sweep(
    workload: AnyWorkload,
    chip: Chip | str = DEFAULT_CHIP,
    grid: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> list[Point]:
    """Cost a workload at every point of a grid.

    Args:
        workload: What to cost: a workload, its document, or the path of its file.
        chip: A chip, the name of a preset, or the path of a chip's TOML file.
        grid: Key to the values that it takes, or to a single one. A key is a parameter of the chip,
            one of `FACTS`, or one of `TOGETHER`.
        overrides: Parameters of the chip that are not swept.

    Returns:
        One point for each combination, the last key's values following each other.

    Raises:
        RequestError: No workload, an unknown key, a value that its key never takes, more than
            `MOST_POINTS` points, or not one point that the chip's model accepts.
    """
    variants = ChipVariants(chip, overrides)
    workload, grid = as_workload(workload), _grid(grid)
    _check(grid, variants.base)
    points = [
        _point(dict(zip(grid, values, strict=True)), workload, variants)
        for values in product(*grid.values())
    ]
    if all(point.chip is None for point in points):
        raise RequestError("sweep", list(grid), "values that the chip takes", points[0].refused)
    return _costed(points)


def _grid(given: Any) -> dict[str, list[Any]]:
    """The values of each key; what is no sequence of values is a single one."""
    if given is not None and not isinstance(given, Mapping):
        raise RequestError("grid", given, "a mapping of keys to values")
    return {
        key: [values] if isinstance(values, str) or not isinstance(values, Iterable) else [*values]
        for key, values in (given or {}).items()
    }


def _check(grid: Mapping[str, Sequence[Any]], chip: Chip) -> None:
    """Refuse keys and values that are wrong whatever the others are."""
    parameters = {each.name: each for each in chip.parameters}
    together = {key for key, parts in TOGETHER.items() if set(parts) <= set(parameters)}
    seen: set[str] = set()
    for key, values in grid.items():
        if key not in FACTS and key not in parameters and key not in together:
            raise unknown_parameter("sweep", key, {*FACTS, *parameters})
        if not values:
            raise RequestError(f"sweep of {key}", values, "at least one value")
        parts = set(TOGETHER.get(key, (key,)))
        if parts & seen:
            raise RequestError("sweep", key, "each parameter once")
        seen |= parts
        for part in parts & set(parameters):
            for value in values:
                parameters[part].checked(value)
    count = prod(len(values) for values in grid.values())
    if count > MOST_POINTS:
        raise RequestError("sweep", f"{count} points", f"at most {MOST_POINTS}")


def _point(values: Mapping[str, Any], workload: Workload, variants: ChipVariants) -> Point:
    facts = {key: value for key, value in values.items() if key in FACTS}
    parts = {
        part: value
        for key, value in values.items()
        if key not in FACTS
        for part in TOGETHER.get(key, (key,))
    }
    other = with_facts(workload, facts)
    try:
        chip = variants.make(parts)
    except RequestError as error:
        return Point(values, other, None, None, str(error))
    return Point(values, other, chip, None)


def _costed(points: list[Point]) -> list[Point]:
    """Fill in costs, in one pass where points share a chip."""
    by_chip: dict[tuple[Any, ...], list[int]] = {}
    for index, point in enumerate(points):
        if point.chip is not None:
            by_chip.setdefault(tuple(point.chip.values.items()), []).append(index)
    costs: dict[int, Cost] = {}
    for indices in by_chip.values():
        chip = points[indices[0]].chip
        assert chip is not None  # noqa: S101 - only points with a chip are grouped
        found = estimate([points[index].workload for index in indices], chip)
        costs |= dict(zip(indices, found, strict=True))
    return [
        Point(point.values, point.workload, point.chip, costs.get(index), point.refused)
        for index, point in enumerate(points)
    ]
