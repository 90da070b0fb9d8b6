"""``precision``: a trained design over time steps and weight bits."""

from typing import TYPE_CHECKING, Annotated

import typer

from evo_snn.commands.figures import FigureFile, check_figure, save_figure
from evo_snn.commands.look import Accept, Folder, Json, Key
from evo_snn.commands.output import busy, print_json, print_lines, print_table, short
from evo_snn.commands.whole import of_a_whole_run
from genomes.errors import RequestError

if TYPE_CHECKING:
    from evo_snn.precision import Precision


@of_a_whole_run
def precision(
    folder: Folder,
    key: Key,
    steps: Annotated[
        str | None, typer.Option(help="Numbers of time steps.", metavar="1,2,4,…")
    ] = None,
    bits: Annotated[
        str | None, typer.Option(help="Bits of all weights.", metavar="2,3,4,…")
    ] = None,
    train: Annotated[
        int | None,
        typer.Option(help="Train each cell on, for so many passes.", metavar="EPOCHS"),
    ] = None,
    accept: Accept = None,
    json: Json = False,
    figure: FigureFile = None,
) -> None:
    """A trained design's accuracy and cost at other time steps and weight bits."""
    check_figure(figure)
    asked = numbers("--steps", steps), numbers("--bits", bits)
    from evo_snn.run import open_run

    run = open_run(folder)
    chosen = run.candidate(key).key
    from evo_snn import precision as grid

    with busy("measuring"):
        found = grid.precision(run, chosen, *asked, train=train, accept=accept or ())
    if figure is not None:
        from evo_snn.guard import require_own

        require_own("analysis")
        from analysis.precision import figure_of_precision

        title = f"{short(found.key)} on {run.chip_of(found.key).name}"
        save_figure(figure_of_precision(found.cells, found.own, title), figure)
    if json:
        print_json(
            {
                "key": found.key,
                "weights": found.weights,
                "time_steps": found.own[0],
                "weight_bits": found.own[1],
                "cells": found.cells.to_dict("records"),
            }
        )
    else:
        _print(found)


def numbers(field: str, text: str | None) -> list[int] | None:
    """Whole numbers that are separated by commas; None where none are given.

    Raises:
        RequestError: something else stands there.
    """
    if text is None:
        return None
    try:
        return [int(one) for one in text.split(",")]
    except ValueError:
        remedy = f"For example {field} 2,4,6."
        raise RequestError(field, text, "whole numbers with commas between", remedy) from None


def _print(found: "Precision") -> None:
    """One table a figure: rows are bits, columns time steps."""
    cells = found.cells
    names = {
        "accuracy": "validation accuracy, post-training",
        "tuned_accuracy": "validation accuracy, tuned",
        "energy_uj": "energy_uj",
        "latency_ms": "latency_ms",
    }
    steps, own = found.own
    print_lines(
        f"precision of {short(found.key)}, with the weights of its {found.weights}; "
        f"its own are {steps} time steps and at most {own} bits",
    )
    for name, title in names.items():
        if name in cells:
            table = cells.pivot_table(index="weight_bits", columns="time_steps", values=name)
            rows = [[bits, *map(float, values)] for bits, values in table.iterrows()]
            columns = ["bits", *(f"{step} steps" for step in table.columns)]
            print_table(f"\n{title}", columns, rows)
