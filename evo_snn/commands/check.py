"""``check``: whether a run's folder is whole; and, on request, repairs."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from evo_snn.commands.look import Folder, Json
from evo_snn.commands.output import print_json, print_lines, say, shown

if TYPE_CHECKING:
    from evo_snn.integrity import Report

_LOST = (
    "weights were lost: a search that goes on from here is no longer bit for bit the uninterrupted"
    " one"
)


def check(
    folder: Folder,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Forget damaged weights, delete what is left over."),
    ] = False,
    json: Json = False,
) -> None:
    """Whether a run's folder is whole; exit status 1 if anything is wrong."""
    from evo_snn import integrity
    from evo_snn.repair import Repair
    from evo_snn.repair import repair as mend

    found = mend(folder) if repair else Repair((), integrity.check(folder))
    if json:
        repaired = [problem.text for problem in found.done]
        lost = found.lost_weights
        print_json({**found.after.to_document(), "repaired": repaired, "lost_weights": lost})
    else:
        print_lines(*(f"repaired: {_line(problem.text)}" for problem in found.done))
        _print_report(found.after, repair=repair)
    if found.lost_weights:
        say("warning", _LOST)
    if found.after.problems:
        raise typer.Exit(1)


def _print_report(report: "Report", *, repair: bool) -> None:
    if not report.problems:
        print_lines(
            f"{shown(report.folder)}: all is well: {report.candidates} candidates,"
            f" {report.generations} generations, weights of {report.weights}"
        )
        return
    print_lines(*(f"problem: {_line(problem.text)}" for problem in report.problems))
    if not repair and any(problem.repairable for problem in report.problems):
        command = f"evo-snn check {shlex.quote(shown(report.folder))} --repair"
        say("note", f"{command} forgets weights that are damaged and deletes what is left over")
    if not all(problem.repairable for problem in report.problems):
        say("note", "what a run stores beside weights cannot be mended: go on from a copy of it")


def _line(text: str) -> str:
    return " ".join(text.split())
