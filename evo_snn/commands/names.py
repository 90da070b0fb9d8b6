"""``spaces``, ``datasets``, ``objectives``: what a configuration can name, and what it means."""

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.genes import gene_rows, genes_entry, space_of_samples
from evo_snn.commands.look import Json
from evo_snn.commands.output import (
    print_json,
    print_lines,
    print_table,
    print_values,
    shown_origin,
)
from evo_snn.commands.whole import of_a_whole_run
from genomes.errors import RequestError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from evo_snn.objectives import Metric
    from genomes.space import SearchSpace

Name = Annotated[str | None, typer.Argument(help="One of them, in full.", metavar="NAME")]


def spaces(
    name: Name = None,
    shape: Annotated[
        str | None,
        typer.Option(help="A sample's shape that the genes are for.", metavar="CHANNELSxSIZE…"),
    ] = None,
    json: Json = False,
) -> None:
    """Search spaces, their genes, and the options that a configuration can set of each."""
    from genomes.spaces import space_class, space_classes

    with redirect_stdout(sys.stderr):  # a plug-in may print
        chosen = space_classes() if name is None else {name: space_class(name)}
        entries = [_space_entry(each, found) for each, found in chosen.items()]
        if name is not None:
            made = space_of_samples(name, shape)
            entries[0] |= {} if made is None else genes_entry(made)
    if json:
        print_json(entries)
    elif name is None:
        _print_names(entries)
    else:
        print_lines(entries[0]["description"], f"from: {entries[0]['origin']}", "")
        _print_options(f"options of [space] for {name}", entries[0]["options"])
        if "genes" in entries[0]:
            _print_genes(entries[0])


def _print_genes(entry: dict[str, Any]) -> None:
    sizes = "x".join(map(str, entry["input_shape"]))
    print_lines("")
    print_table(
        f"genes for samples of {sizes} (another shape: --shape)",
        ("gene", "number", "kind", "choices"),
        gene_rows(entry["genes"]),
    )
    genomes, networks = entry["genomes"], entry["networks"]
    print_lines("", f"{len(entry['genes'])} genes; {genomes:.1g} genomes, of which many are")
    print_lines(f"the same network: about {networks:.1g} different ones")


def _space_entry(name: str, found: "type[SearchSpace]") -> dict[str, Any]:
    from genomes.spaces import space_origin

    return {
        "name": name,
        "origin": shown_origin(space_origin(name)),
        "description": _first_line(found.__doc__),
        "options": _option_entries(found.Options),
    }


def datasets(name: Name = None, json: Json = False) -> None:
    """Data sets, and what each expects."""
    from evo_snn.datasets import dataset_description, dataset_descriptions

    with redirect_stdout(sys.stderr):
        chosen = dataset_descriptions() if name is None else {name: dataset_description(name)}
    entries = [_dataset_entry(each, text) for each, text in chosen.items()]
    if json:
        print_json(entries)
    elif name is None:
        _print_names(entries)
    else:
        only = entries[0]
        print_lines(f"from: {only['origin']}", "", only["description"], "")
        print_lines(*(f"{key}: {only[key]}" for key in ("path", *_FACTS) if key in only), "")
        _print_options(f"options of [data.options] for {name}", only["options"])


_FACTS = ("inputs", "source", "licence")


def _dataset_entry(name: str, text: str) -> dict[str, Any]:
    from evo_snn.datasets import dataset_facts, dataset_options, dataset_origin

    return {
        "name": name,
        "origin": shown_origin(dataset_origin(name)),
        "description": text,
        **dataset_facts(name),
        "options": _option_entries(dataset_options(name)),
    }


def _option_entries(model: "type[BaseModel]") -> list[dict[str, Any]]:
    """Name, default and meaning of each option; every one has a default."""
    defaults = model().model_dump(mode="json")
    return [
        {
            "name": option,
            "default": defaults.get(option),
            "description": field.description or "",
        }
        for option, field in model.model_fields.items()
    ]


def _print_options(title: str, options: list[dict[str, Any]]) -> None:
    rows = [(each["name"], _toml(each["default"]), each["description"]) for each in options]
    if rows:
        print_table(title, ("option", "default", "meaning"), rows)


def objectives(
    name: Name = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(help="A Python file that defines more; it is run.", metavar="FILE"),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Show the plug-ins stored in a run; nothing is run.", metavar="DIR"),
    ] = None,
    json: Json = False,
) -> None:
    """Metrics that can be objectives or constraints."""
    if run is not None:
        if name is not None or plugin:
            raise RequestError("--run", str(run), "neither NAME nor --plugin beside it")
        _plugins_of_a_run(folder=run, json=json)
        return
    entries = _objective_entries(name, plugin or ())
    if json:
        print_json(entries)
    elif name is None:
        columns = ("name", "unit", "better", "known before training", "from", "meaning")
        rows = [
            (
                each["name"],
                each["unit"],
                "more" if each["maximise"] else "less",
                each["known_before_training"],
                each["origin"],
                each["description"],
            )
            for each in entries
        ]
        print_table("", columns, rows)
    else:
        print_values(name, entries[0])


def _objective_entries(name: str | None, files: Iterable[Path]) -> list[dict[str, Any]]:
    from evo_snn.metrics import AFTER_SECONDS
    from evo_snn.objectives import chosen_metrics, list_objectives

    if name == AFTER_SECONDS.name:
        return [_objective_entry(AFTER_SECONDS)]
    with redirect_stdout(sys.stderr):
        metrics = (
            list_objectives(files) if name is None else chosen_metrics([name], files, "objective")
        )
    return [_objective_entry(each) for each in metrics]


def _objective_entry(metric: "Metric") -> dict[str, Any]:
    return {
        "name": metric.name,
        "unit": metric.unit,
        "maximise": metric.maximise,
        "known_before_training": metric.known_before_training,
        "needs": metric.needs,
        "origin": shown_origin(metric.origin),
        "description": metric.description,
    }


@of_a_whole_run
def _plugins_of_a_run(folder: Path, json: bool) -> None:
    """What somebody has to read before a stranger's run may go on."""
    from evo_snn.run import open_run

    records = open_run(folder).plugins
    if json:
        print_json([each.to_document() for each in records])
        return
    rows = [(one.kind, one.name, one.origin, one.sha256) for one in records]
    print_table("", ("kind", "name", "from", "sha256"), rows)
    for one in records:
        if one.source is not None:
            print_lines("", f"# {one.origin}", one.source)


def _print_names(entries: list[dict[str, Any]]) -> None:
    rows = [(each["name"], each["origin"], _first_line(each["description"])) for each in entries]
    print_table("", ("name", "from", "meaning"), rows)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _toml(value: Any) -> str:
    import tomli_w

    if value is None:
        return "-"
    text = tomli_w.dumps({"x": value}).partition("=")[2]
    return " ".join(text.split()).replace("[ ", "[").replace(", ]", "]")
