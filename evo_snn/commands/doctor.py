"""``doctor``: what a search would find on this machine, and whether it is as it should be."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from evo_snn.commands.look import Json, parse_folder
from evo_snn.commands.output import busy, console, print_json, print_lines, say, visible

if TYPE_CHECKING:
    from evo_snn.doctor import Finding

_COLOURS = {"well": "green", "note": "yellow", "broken": "bold red"}


def doctor(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A run, or the folder that runs are written to.",
            metavar="[DIR]",
            parser=parse_folder,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """What searches find here: versions, kernel, workers, folder; exit status 1 if it is broken."""
    from evo_snn.doctor import broken, examine

    with busy("asking this machine, and a worker"):
        findings = examine(folder or Path())
    wrong = broken(findings)
    if json:
        print_json({"well": not wrong, "findings": [one.to_document() for one in findings]})
    else:
        _print(findings)
    for one in wrong:
        say("error", f"{one.name}: {one.remedy or one.value}")
    if wrong:
        raise typer.Exit(1)
    if not json:
        print_lines("", "all is well")


def _print(findings: Sequence["Finding"]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for topic, found in groupby(findings, key=lambda one: one.topic):
        for number, one in enumerate(found):
            text = visible(f"{one.value}. {one.remedy}" if one.remedy else one.value)
            mark = "" if one.state == "well" else one.state
            table.add_row(
                Text("" if number else topic, "bold"),
                Text(visible(one.name)),
                Text(mark, _COLOURS[one.state]),
                Text(text),
            )
    console().print(table)
