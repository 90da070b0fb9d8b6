"""``train``: full training of chosen designs, and their accuracy on test data."""

from pathlib import Path
from typing import Annotated

import typer

from evo_snn.commands.activity import print_activity, print_energies
from evo_snn.commands.look import Accept, Folder, Json
from evo_snn.commands.output import busy, print_json, print_lines, print_table, short
from evo_snn.commands.whole import of_a_whole_run


@of_a_whole_run
def train(
    folder: Folder,
    keys: Annotated[list[str], typer.Argument(help="Keys, or their beginnings.", metavar="KEY…")],
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.")
    ] = None,
    accept: Accept = None,
    from_cnn: Annotated[
        bool,
        typer.Option("--from-cnn", help="Train the CNN of the same architecture, and convert it."),
    ] = False,
    json: Json = False,
) -> None:
    """Train designs fully, and report their accuracy on test data."""
    from evo_snn.run import open_run

    run = open_run(folder)
    chosen = list(dict.fromkeys(run.candidate(key).key for key in keys))
    from evo_snn import full_training
    from evo_snn.fresh_chips import path_taken
    from evo_snn.trained import stored_result

    with busy(f"training {len(chosen)} design{'s' * (len(chosen) > 1)} fully"):
        table = full_training.train(
            run, chosen, epochs=epochs, accept=accept or (), from_cnn=from_cnn
        )
    records = [
        {name: value for name, value in record.items() if value == value}  # noqa: PLR0124 - no NaN
        for record in table.to_dict("records")
    ]
    found = [stored_result(run.folder, record["key"]) for record in records]
    stored = [one for one in found if one]
    if json:
        print_json([{**one, **(more or {})} for one, more in zip(records, found, strict=True)])
        return
    columns = [str(name) for name in table.columns]
    rows = [
        [short(row["key"]) if name == "key" else row.get(name) for name in columns]
        for row in records
    ]
    print_table("fully trained", columns, rows)
    for more in stored:
        name = short(more["key"])
        print_activity(f"\nactivity of {name} on test data", more["rates"])
        if "energies" in more:
            print_energies(f"\nenergy of an inference of {name} (µJ)", more["energies"])
    taken = path_taken(run)
    if taken:
        print_lines("", f"accuracies on the chip by the {taken} path")
    print_lines("", f"weights  {Path(run.folder, 'trained')}")
