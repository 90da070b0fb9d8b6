"""``estimate``: what a workload costs on a chip, and what that depends on; no run needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.costs import print_cost, print_sensitivity, print_sweep
from evo_snn.commands.figures import FigureFile, check_figure, save_figure
from evo_snn.commands.output import print_json, print_lines, say
from genomes.errors import RequestError
from hardware.chip import DEFAULT_CHIP

if TYPE_CHECKING:
    from genomes.workload import Workload
    from hardware import Cost, Detail, Point, Sensitivity

WorkloadFile = Annotated[
    Path, typer.Argument(help="JSON: one workload, or a list of them.", metavar="WORKLOAD.json")
]
ChipName = Annotated[
    str, typer.Option("--chip", help="A chip's name, or its TOML file.", metavar="NAME")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another value of a chip's parameter.", metavar="KEY=VALUE"),
]
Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        help="Values of a chip's parameter or crossbar_size, or of input_rate, rate_scale,"
        " timesteps, mean_timesteps, weight_bits, neuron_state_bits; twice for a grid.",
        metavar="KEY=A,B,…",
    ),
]
Sensitive = Annotated[
    bool, typer.Option("--sensitivity", help="Step every parameter of the chip by 10 %.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

_MOST_KEYS = 2


def estimate(
    workload: WorkloadFile,
    chip: ChipName = DEFAULT_CHIP,
    set_: Overrides = None,
    sweep: Sweeps = None,
    sensitivity: Sensitive = False,
    figure: FigureFile = None,
    json_: Json = False,
) -> None:
    """Area, energy and latency of a workload, or of each in a list, and what they depend on."""
    from evo_snn.config_file import parse_set
    from genomes.workload import load_workloads

    check_figure(figure)
    if sweep and sensitivity:
        raise RequestError("--sweep", sweep, "without --sensitivity", "Ask for one at a time.")
    grid = parse_sweeps(sweep or ())
    overrides = dict(parse_set(item) for item in set_ or ())
    workloads = load_workloads(workload)
    if figure is not None and len(workloads) > 1 and (grid or sensitivity):
        raise RequestError("--figure", f"{len(workloads)} workloads", "a file with one workload")
    if grid:
        _sweep(workload.name, workloads, chip, overrides, grid, figure, json=json_)
    elif sensitivity:
        _sensitivity(workload.name, workloads, chip, overrides, figure, json=json_)
    else:
        _estimate(workload.name, workloads, chip, overrides, figure, json=json_)


def parse_sweeps(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Key → values of ``KEY=A,B,…`` given several times.

    Raises:
        RequestError: Not of that form, a key twice, or too many keys.
    """
    from evo_snn.config_file import parse_value

    grid: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, rest = (part.strip() for part in text.partition("="))
        values = [part.strip() for part in rest.split(",")]
        if not equals or not key or not all(values):
            remedy = "For example --sweep crossbar_rows=32,64,128."
            raise RequestError("--sweep", text, "KEY=A,B,…", remedy)
        if key in grid:
            raise RequestError("--sweep", key, "each key once")
        grid[key] = [parse_value(value, field=f"--sweep {key}") for value in values]
    if len(grid) > _MOST_KEYS:
        raise RequestError("--sweep", list(grid), "one key, or two for a grid")
    return grid


def _estimate(
    name: str,
    workloads: list["Workload"],
    chip: str,
    overrides: dict[str, Any],
    figure: Path | None,
    *,
    json: bool,
) -> None:
    import hardware

    resolved = hardware.load_chip(chip, overrides)
    costs = hardware.estimate(workloads, resolved)
    merits = [hardware.figures_of_merit(*pair) for pair in zip(workloads, costs, strict=True)]
    titles = _titles(name, resolved.name, len(costs))
    if figure is not None:
        from analysis import breakdowns

        if len(costs) == 1:
            (detail,) = hardware.details(workloads, resolved)
            drawn = breakdowns.figure_of_cost(costs[0], detail, titles[0])
        else:
            named = {f"workload {index}": cost for index, cost in enumerate(costs)}
            drawn = breakdowns.figure_of_costs(named, f"{name} on {resolved.name}")
        save_figure(drawn, figure)
    if json:
        details = hardware.details(workloads, resolved)
        print_json(
            [
                {**document(cost, detail), "merit": merit.to_dict()}
                for cost, detail, merit in zip(costs, details, merits, strict=True)
            ]
        )
    else:
        for title, cost, merit in zip(titles, costs, merits, strict=True):
            print_cost(title, cost, merit)
        if not hardware.is_lossless(resolved):
            say("note", "the chip's ADCs cannot tell all sums apart: accuracy on it is another one")


def _titles(name: str, chip: str, count: int) -> list[str]:
    title = f"{name} on {chip}"
    return [title] if count == 1 else [f"{title}, workload {index}" for index in range(count)]


def document(cost: "Cost", detail: "Detail") -> dict[str, Any]:
    """A cost as JSON, each layer with its own components of energy and latency."""
    found = cost.to_dict()
    for index, layer in enumerate(found["layers"]):
        for key, table in (
            ("energy_components_uj", detail.energy_uj),
            ("latency_components_ms", detail.latency_ms),
        ):
            layer[key] = {name: parts[index] for name, parts in table.items()}
    return found


def _sweep(
    name: str,
    workloads: list["Workload"],
    chip: str,
    overrides: dict[str, Any],
    grid: dict[str, list[Any]],
    figure: Path | None,
    *,
    json: bool,
) -> None:
    import hardware

    resolved = hardware.load_chip(chip, overrides)
    found = [hardware.sweep(workload, chip, grid, overrides) for workload in workloads]
    titles = _titles(name, resolved.name, len(workloads))
    if figure is not None:
        from analysis import sweeps

        save_figure(sweeps.figure_of_sweep(found[0], titles[0]), figure)
    if json:
        print_json(
            [_point_entry(index, point) for index, points in enumerate(found) for point in points]
        )
    else:
        for title, workload, points in zip(titles, workloads, found, strict=True):
            print_sweep(title, points, hardware.estimate(workload, resolved))


def _point_entry(index: int, point: "Point") -> dict[str, Any]:
    import hardware

    entry = {"workload": index, "sweep": dict(point.values), "refused": point.refused or None}
    if point.cost is None:
        return entry
    merit = hardware.figures_of_merit(point.workload, point.cost)
    return {**entry, **point.cost.to_dict(), "merit": merit.to_dict()}


def _sensitivity(
    name: str,
    workloads: list["Workload"],
    chip: str,
    overrides: dict[str, Any],
    figure: Path | None,
    *,
    json: bool,
) -> None:
    import hardware

    resolved = hardware.load_chip(chip, overrides)
    found = [hardware.sensitivity(workload, chip, overrides) for workload in workloads]
    titles = _titles(name, resolved.name, len(workloads))
    if figure is not None:
        from analysis import sweeps

        save_figure(sweeps.figure_of_sensitivity(found[0], titles[0]), figure)
    if json:
        print_json(
            [
                {"workload": index, "parameters": [_sensitivity_entry(each) for each in rows]}
                for index, rows in enumerate(found)
            ]
        )
    else:
        for index, (title, rows) in enumerate(zip(titles, found, strict=True)):
            print_lines(*(("",) if index else ()))
            print_sensitivity(title, rows)


def _sensitivity_entry(found: "Sensitivity") -> dict[str, Any]:
    sides = {
        side: step
        and {
            "value": step.value,
            **step.costs,
            "changes": dict(step.changes),
            "lossless": step.lossless,
        }
        for side, step in (("low", found.low), ("high", found.high))
    }
    return {
        "name": found.name,
        "value": found.value,
        "unit": found.unit,
        **sides,
        "refused": found.refused or None,
    }
