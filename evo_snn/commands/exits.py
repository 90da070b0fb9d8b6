"""``exits``: a trained design whose confident inferences end early."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evo_snn.commands.figures import check_figure, save_figure
from evo_snn.commands.look import Accept, Folder, Json, Key
from evo_snn.commands.output import busy, print_json, print_table, short
from evo_snn.commands.whole import of_a_whole_run
from genomes.errors import RequestError

if TYPE_CHECKING:
    from evo_snn.early_exits import Exits


@of_a_whole_run
def exits(
    folder: Folder,
    key: Key,
    confidences: Annotated[
        str | None,
        typer.Option(help="Least probabilities at which an inference ends.", metavar="0.8,0.9,…"),
    ] = None,
    accept: Accept = None,
    json: Json = False,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", help="Draw curves: a .png, .svg or .pdf file.", metavar="FILE"),
    ] = None,
) -> None:
    """A trained design's accuracy and cost where confident inferences end early."""
    check_figure(figure)
    asked = _reals("--confidences", confidences)
    from evo_snn.run import open_run

    run = open_run(folder)
    chosen = run.candidate(key).key
    from evo_snn import early_exits

    with busy("measuring"):
        found = early_exits.exits(run, chosen, asked, accept=accept or ())
    if figure is not None:
        from evo_snn.guard import require_own

        require_own("analysis")
        from analysis.exits import figure_of_exits

        title = f"{short(found.key)} on {run.chip_of(found.key).name}"
        save_figure(figure_of_exits(found.rows, found.kind, found.own, title), figure)
    if json:
        print_json(
            {
                "key": found.key,
                "weights": found.weights,
                "kind": found.kind,
                "confidence": found.own,
                "rows": found.rows.to_dict("records"),
            }
        )
    else:
        _print(found)


def _reals(field: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        remedy = f"For example {field} 0.8,0.9,0.95."
        raise RequestError(field, text, "numbers with commas between", remedy) from None


def _print(found: "Exits") -> None:
    own = f", searched with {found.own:g}" if found.own else ""
    title = (
        f"exits in {found.kind} of {short(found.key)}{own}, with the weights of its {found.weights}"
    )
    where = "mean_time_steps" if found.kind == "time" else "mean_layers"
    columns = ["confidence", "accuracy", where, "energy_uj", "latency_ms"]
    print_table(title, columns, found.rows[columns].to_numpy().tolist())
