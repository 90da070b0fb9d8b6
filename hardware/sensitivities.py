"""Sensitivity: what each parameter of a chip does to the cost of one workload."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from genomes.errors import RequestError
from genomes.workload import AnyWorkload, Workload, as_workload
from hardware.chip import DEFAULT_CHIP, Chip
from hardware.chip_file import TOGETHER
from hardware.estimator import is_lossless, totals
from hardware.parameter import Parameter, Value
from hardware.variants import ChipVariants

#: The costs whose changes are told.
COSTS = ("area_mm2", "energy_uj", "latency_ms")

_STEP = 0.1
_LEAST_MOVE = 0.5  # of a whole number by a small step: less is rounded up to 1
_NODE = "technology_nm"


@dataclass(frozen=True)
class Step:
    """A workload's cost with one parameter at another value.

    Attributes:
        value: The parameter's value.
        costs: Area, energy and latency by name, see `COSTS`.
        changes: The same as relative changes: 0.1 is 10 % more than on the chip itself.
        lossless: Whether the chip then still computes what the network does.
    """

    value: Value
    costs: Mapping[str, float]
    changes: Mapping[str, float]
    lossless: bool


@dataclass(frozen=True)
class Sensitivity:
    """What one parameter does.

    Attributes:
        name: The parameter's key, or one of `TOGETHER`.
        value: Its value on the chip.
        unit: Its unit.
        low: At the lower value, or the choice before; None where there is none.
        high: At the higher value, or the choice after; None where there is none.
        refused: Why the chip's model takes one of the two values no more; "" otherwise.
        is_coarse: Whether its steps are no small ones: neighbouring choices, or whole numbers next
            to a small one.
    """

    name: str
    value: Value
    unit: str
    low: Step | None
    high: Step | None
    refused: str = ""
    is_coarse: bool = False

    @property
    def effect(self) -> float:
        """The largest change of any cost either way, as a factor's natural logarithm."""
        steps = [step for step in (self.low, self.high) if step is not None]
        return max((_size(change) for step in steps for change in step.changes.values()), default=0)


def sensitivity(
    workload: AnyWorkload,
    chip: Chip | str = DEFAULT_CHIP,
    overrides: Mapping[str, Value] | None = None,
    step: float = _STEP,
) -> list[Sensitivity]:
    """Step every parameter of a chip down and up, one at a time.

    A number steps by the relative `step` (a whole number by at least 1, a list of numbers all at
    once); a value out of its range is left out, and so is a number that is 0. Of choices, the
    neighbours in their order are taken. All else stays as it is: a figure that in truth follows
    from another one, as a cell's area from the node, does not move with it.

    Args:
        workload: What to cost: a workload, its document, or the path of its file.
        chip: A chip, the name of a preset, or the path of a chip's TOML file. The technology node
            steps only where the chip is given by name or path.
        overrides: Parameters of the chip.
        step: Relative step, between 0 and 1.

    Returns:
        Every parameter that can step, the largest effect on area, energy or latency first.

    Raises:
        RequestError: No such chip or workload, or a step outside its range.
    """
    workload = as_workload(workload)
    if not 0 < step < 1:
        raise RequestError("step", step, "a number between 0 and 1")
    variants = ChipVariants(chip, overrides)
    base = _costs(workload, variants.base)
    found = [
        _stepped(workload, variants, base, name, parameters, neighbours, step)
        for name, parameters, neighbours in _all_neighbours(variants, step)
    ]
    return sorted(found, key=lambda each: -each.effect)


Neighbours = tuple[Value | None, Value | None]


def _all_neighbours(
    variants: ChipVariants, step: float
) -> Iterator[tuple[str, tuple[Parameter, ...], Neighbours]]:
    """What steps: its name, its parameters, their lower and higher value.

    Parameters that one key stands for also step together where they are equal: some models refuse
    crossbars that are not square.
    """
    by_name = {each.name: each for each in variants.base.parameters}
    groups: dict[str, tuple[Parameter, ...]] = {name: (each,) for name, each in by_name.items()}
    for key, names in TOGETHER.items():
        parts = tuple(by_name[name] for name in names if name in by_name)
        if len(parts) == len(names) and len({part.value for part in parts}) == 1:
            groups[key] = parts
    for name, group in groups.items():
        if name == _NODE and not variants.has_nodes:
            continue
        neighbours = _neighbours(group[0], step)
        if neighbours != (None, None):
            yield name, group, neighbours


def _neighbours(parameter: Parameter, step: float) -> Neighbours:
    """The values below and above a parameter's, where it may have them."""
    value = parameter.value
    if parameter.choices is not None:
        place = parameter.choices.index(value)
        below = parameter.choices[place - 1] if place else None
        above = parameter.choices[place + 1 :][:1]
        return below, above[0] if above else None
    if isinstance(value, bool | str):
        return None, None
    return _moved(parameter, -step), _moved(parameter, step)


def _moved(parameter: Parameter, step: float) -> Value | None:
    """A number or list moved by a relative step; None where it may not, or does not, move."""
    value = parameter.value
    moved: Value
    if isinstance(value, tuple):
        moved = tuple(item * (1 + step) for item in value)
    elif isinstance(value, int):
        least = math.copysign(max(1.0, abs(value * step)), step)
        moved = value + round(least) if value else value
    else:
        moved = value * (1 + step)  # type: ignore[operator]
    try:
        return None if moved == value else parameter.checked(moved)
    except RequestError:
        return None


def _stepped(
    workload: Workload,
    variants: ChipVariants,
    base: Mapping[str, float],
    name: str,
    parameters: tuple[Parameter, ...],
    neighbours: Neighbours,
    step_size: float,
) -> Sensitivity:
    steps: list[Step | None] = []
    refused = ""
    for value in neighbours:
        step = None
        if value is not None:
            try:
                chip = variants.make({each.name: value for each in parameters})
                costs = _costs(workload, chip)
                changes = {name: _change(costs[name], base[name]) for name in COSTS}
                step = Step(value, costs, changes, is_lossless(chip))
            except RequestError as error:
                refused = str(error)
        steps.append(step)
    first = parameters[0]
    is_coarse = first.choices is not None or (
        isinstance(first.value, int) and abs(first.value) * step_size < _LEAST_MOVE
    )
    return Sensitivity(name, first.value, first.unit, steps[0], steps[1], refused, is_coarse)


def _costs(workload: Workload, chip: Chip) -> dict[str, float]:
    found = totals([workload], chip)
    return {name: float(found[name][0]) for name in COSTS}


def _change(value: float, base: float) -> float:
    return value / base - 1 if base else 0.0


def _size(change: float) -> float:
    """A relative change as the size of its factor's logarithm; all gone is the largest."""
    return abs(math.log1p(change)) if change > -1 else math.inf
