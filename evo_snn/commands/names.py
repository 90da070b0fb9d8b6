"""``spaces``, ``datasets``, ``objectives``: what a configuration can name, and what it means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.look import Json
from evo_snn.commands.output import print_json, print_lines, print_table, print_values
from genomes.errors import unknown_name

if TYPE_CHECKING:
    from evo_snn.objectives import Metric

Name = Annotated[str | None, typer.Argument(help="One of them, in full.", metavar="NAME")]


def spaces(name: Name = None, json: Json = False) -> None:
    """Search spaces, and the options that a configuration can set of each."""
    from genomes.spaces import space_names, space_options

    chosen = space_names() if name is None else [name]
    entries: list[dict[str, Any]] = [
        {
            "name": each,
            "description": _first_line(space_options(each).__doc__),
            "options": [
                {
                    "name": option,
                    "default": _json_value(field.get_default(call_default_factory=True)),
                    "description": field.description or "",
                }
                for option, field in space_options(each).model_fields.items()
            ],
        }
        for each in chosen
    ]
    if json:
        print_json(entries)
    elif name is None:
        _print_names(entries)
    else:
        print_lines(entries[0]["description"], "")
        print_table(
            f"options of [space] for {name}",
            ("option", "default", "meaning"),
            [
                (each["name"], _toml(each["default"]), each["description"])
                for each in entries[0]["options"]
            ],
        )


def datasets(name: Name = None, json: Json = False) -> None:
    """Data sets, and what each expects."""
    from evo_snn.datasets import dataset_description, dataset_names

    chosen = dataset_names() if name is None else [name]
    entries = [{"name": each, "description": dataset_description(each)} for each in chosen]
    if json:
        print_json(entries)
    elif name is None:
        _print_names(entries)
    else:
        print_lines(entries[0]["description"])


def objectives(
    name: Name = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(help="A Python file that defines more; it is run.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Metrics that can be objectives or constraints."""
    from evo_snn.objectives import list_objectives

    entries = [_objective_entry(each) for each in list_objectives(plugin or ())]
    if name is not None:
        entries = [each for each in entries if each["name"] == name] or _unknown(name, entries)
    if json:
        print_json(entries)
    elif name is None:
        columns = ("name", "unit", "better", "known before training", "meaning")
        rows = [
            (
                each["name"],
                each["unit"],
                "more" if each["maximise"] else "less",
                each["known_before_training"],
                each["description"],
            )
            for each in entries
        ]
        print_table("", columns, rows)
    else:
        print_values(name, entries[0])


def _objective_entry(metric: "Metric") -> dict[str, Any]:
    return {
        "name": metric.name,
        "unit": metric.unit,
        "maximise": metric.maximise,
        "known_before_training": metric.known_before_training,
        "description": metric.description,
    }


def _print_names(entries: list[dict[str, Any]]) -> None:
    rows = [(each["name"], _first_line(each["description"])) for each in entries]
    print_table("", ("name", "meaning"), rows)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    import tomli_w

    text = tomli_w.dumps({"x": value}).partition("=")[2]
    return " ".join(text.split()).replace("[ ", "[").replace(", ]", "]")


def _unknown(name: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    raise unknown_name("NAME", name, [each["name"] for each in entries])
