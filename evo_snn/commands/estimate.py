"""``estimate`` and ``chips``: what a workload costs, and on what it can run; no run needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.output import print_json, print_lines, print_table, shown_origin
from hardware.chip import DEFAULT_CHIP

if TYPE_CHECKING:
    from hardware import Chip, Cost, Parameter

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
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
ChipArgument = Annotated[
    str | None, typer.Argument(help="One of them, or a chip's TOML file.", metavar="NAME")
]


def estimate(
    workload: WorkloadFile,
    chip: ChipName = DEFAULT_CHIP,
    set_: Overrides = None,
    json_: Json = False,
) -> None:
    """Area, energy and latency of a workload, or of each in a list."""
    import hardware
    from evo_snn.config_file import parse_set
    from genomes.workload import load_workloads

    resolved = hardware.load_chip(chip, dict(parse_set(item) for item in set_ or ()))
    costs = hardware.estimate(load_workloads(workload), resolved)
    if json_:
        print_json([cost.to_dict() for cost in costs])
        return
    for index, cost in enumerate(costs):
        title = f"{workload.name} on {resolved.name}"
        _print_cost(title if len(costs) == 1 else f"{title}, workload {index}", cost)


def chips(name: ChipArgument = None, json: Json = False) -> None:
    """Chips that a workload can be costed on, and every number of one of them."""
    import hardware

    loaded = hardware.all_chips() if name is None else {name: hardware.load_chip(name)}
    if json:
        print_json([_chip_entry(key, chip) for key, chip in loaded.items()])
    elif name is None:
        rows = [
            (key, chip.model, shown_origin(hardware.chip_origin(key)), chip.summary)
            for key, chip in loaded.items()
        ]
        print_table("", ("name", "model", "from", "meaning"), rows)
    else:
        _print_chip(name, loaded[name])


def _print_cost(title: str, cost: "Cost") -> None:
    """Totals, then tables by layer and by component."""
    totals = (
        f"area {cost.area_mm2:.4g} mm2, energy {cost.energy_uj:.4g} uJ"
        f" (leakage {cost.leakage_energy_uj:.3g} uJ), latency {cost.latency_ms:.4g} ms,"
        f" interval {cost.interval_ms:.4g} ms"
    )
    built = (
        f"{cost.crossbars} crossbars in {cost.tiles} tiles, {cost.utilisation:.1%} of cells used,"
        f" {cost.memory_kb:.4g} KiB of weights and membrane state"
    )
    print_lines(title, totals, built, "")
    print_table(
        "by layer",
        ("layer", "area mm2", "energy uJ", "latency ms", "tiles", "speed-up"),
        [
            (each.name, each.area_mm2, each.energy_uj, each.latency_ms, each.tiles, each.speed_up)
            for each in cost.layers
        ],
    )
    if any(each.area_mm2 is None for each in cost.layers):
        print_lines("(no area where a layer shares tiles with others)")
    tables = (cost.area_components_mm2, cost.energy_components_uj, cost.latency_components_ms)
    names = dict.fromkeys(name for table in tables for name in table)
    print_table(
        "by component",
        ("component", "area mm2", "energy uJ", "latency ms"),
        [(name, *(table.get(name) for table in tables)) for name in names],
    )


def _print_chip(name: str, chip: "Chip") -> None:
    import hardware

    print_lines(
        f"{chip.name}: {chip.summary}",
        f"model: {chip.model}",
        f"from: {shown_origin(hardware.chip_origin(name))}",
        "",
    )
    print_table(
        "parameters (keys of --set)",
        ("key", "value", "unit", "allowed", "meaning", "source"),
        [_parameter_row(each) for each in chip.parameters],
    )


def _parameter_row(parameter: "Parameter") -> tuple[str, ...]:
    value = parameter.value
    shown = ", ".join(f"{item:g}" for item in value) if isinstance(value, tuple) else str(value)
    meaning = "; ".join(part for part in (parameter.description, parameter.conditions) if part)
    return (
        parameter.name, shown, parameter.unit or "-", _allowed(parameter), meaning, parameter.source
    )  # fmt: skip


def _allowed(parameter: "Parameter") -> str:
    if parameter.choices is not None:
        return ", ".join(map(str, parameter.choices))
    return "any" if parameter.range is None else "{:g} to {:g}".format(*parameter.range)


def _chip_entry(name: str, chip: "Chip") -> dict[str, Any]:
    import hardware

    parameters = [
        {
            "name": each.name,
            "value": each.value,
            "unit": each.unit,
            "range": each.range,
            "choices": each.choices,
            "source": each.source,
            "conditions": each.conditions,
            "description": each.description,
        }
        for each in chip.parameters
    ]
    return {
        "name": name,
        "model": chip.model,
        "origin": shown_origin(hardware.chip_origin(name)),
        "summary": chip.summary,
        "parameters": parameters,
    }
