"""``chips``: what a workload can be costed on, every number of one, and how two differ."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.output import print_json, print_lines, print_table, shown_origin
from genomes.errors import RequestError

if TYPE_CHECKING:
    from hardware import Chip, Parameter

ChipArgument = Annotated[
    str | None, typer.Argument(help="One of them, or a chip's TOML file.", metavar="NAME")
]
Against = Annotated[
    str | None,
    typer.Option("--against", help="Another chip: show what differs.", metavar="NAME"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def chips(name: ChipArgument = None, against: Against = None, json: Json = False) -> None:
    """Chips that a workload can be costed on, and every number of one of them."""
    import hardware

    if against is not None:
        _compare(name, against, json=json)
        return
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


def _compare(name: str | None, other: str, *, json: bool) -> None:
    """Show the parameters in which two chips differ."""
    import hardware

    if name is None:
        raise RequestError(
            "--against", other, "what NAME is compared with", "Name two: chips A --against B."
        )
    first, second = hardware.load_chip(name), hardware.load_chip(other)
    ours, theirs = ({each.name: each for each in chip.parameters} for chip in (first, second))
    keys = list(dict.fromkeys([*ours, *theirs]))
    pairs = [(key, ours.get(key), theirs.get(key)) for key in keys]
    different = [(key, a, b) for key, a, b in pairs if a is None or b is None or a.value != b.value]
    if json:
        parameters = [
            {"name": key, "unit": (a or b).unit, "values": [a and a.value, b and b.value]}  # type: ignore[union-attr]
            for key, a, b in different
        ]
        chips = [{"name": chip.name, "model": chip.model} for chip in (first, second)]
        print_json({"chips": chips, "parameters": parameters})
        return
    both = [(a, b) for _, a, b in different if a is not None and b is not None]
    print_lines(
        f"{first.name} (model {first.model}) against {second.name} (model {second.model}):"
        f" {len(both)} parameters differ, {len(keys) - len(different)} are the same"
    )
    if both:
        rows = [
            (a.name, shown_value(a), shown_value(b), _common(a.unit, b.unit) or "-",
             _common(a.description, b.description))
            for a, b in both
        ]  # fmt: skip
        print_lines("")
        print_table("", ("key", first.name, second.name, "unit", "meaning"), rows)
    for chip, place in ((first, 1), (second, 2)):
        alone = [entry[0] for entry in different if entry[3 - place] is None]
        if alone:
            print_lines("", f"only {chip.name} has: {', '.join(alone)}")


def _common(first: str, second: str) -> str:
    """What two models say of a parameter: once where they agree."""
    return first if first == second else f"{first} / {second}"


def shown_value(parameter: "Parameter | None") -> str:
    """A parameter's value as a table shows it; "-" where a chip has no such parameter."""
    if parameter is None:
        return "-"
    value = parameter.value
    if isinstance(value, tuple):
        return ", ".join(f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


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
    meaning = "; ".join(part for part in (parameter.description, parameter.conditions) if part)
    return (
        parameter.name,
        shown_value(parameter),
        parameter.unit or "-",
        _allowed(parameter),
        meaning,
        parameter.source,
    )


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
