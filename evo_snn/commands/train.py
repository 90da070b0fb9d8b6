"""``train``: full training of chosen designs, and their accuracy on test data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.activity import print_activity, print_energies
from evo_snn.commands.look import Accept, Folder, Json, print_leaky
from evo_snn.commands.output import (
    busy,
    print_json,
    print_lines,
    print_table,
    say,
    short,
    shown,
)
from evo_snn.commands.whole import of_a_whole_run

if TYPE_CHECKING:
    from evo_snn.run import Run

_MOST_CLASSES = 20  # whose recalls are printed
_IN_TABLES_OF_THEIR_OWN = ("test_recalls", "test_rates", "energies", "leaky")


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

    with busy(f"training {len(chosen)} design{'s' * (len(chosen) > 1)} fully"):
        table = full_training.train(
            run, chosen, epochs=epochs, accept=accept or (), from_cnn=from_cnn
        )
    records = [
        {str(name): value for name, value in record.items() if value == value}  # noqa: PLR0124 - no NaN
        for record in table.to_dict("records")
    ]
    if json:
        print_json(records)
    else:
        _print(run, records, [str(name) for name in table.columns])
    _draw_class_maps(run, chosen)


def _print(run: "Run", records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Figures of the designs, those by class, and where their weights are."""
    from evo_snn.fresh_chips import path_taken

    columns = [name for name in columns if name not in _IN_TABLES_OF_THEIR_OWN]
    rows = [
        [short(row["key"]) if name == "key" else row.get(name) for name in columns]
        for row in records
    ]
    print_table("fully trained", columns, rows)
    print_leaky(str(records[0].get("leaky", "")))
    taken = path_taken(run)
    if taken:
        print_lines("", f"accuracies on the chip by the {taken} path")
    classes = list(records[0]["test_recalls"])
    if len(classes) > _MOST_CLASSES:
        print_lines("", f"recalls of the {len(classes)} classes: --json")
    else:
        keys = [short(each["key"]) for each in records]
        recalls = [[name, *(each["test_recalls"][name] for each in records)] for name in classes]
        print_table("\ntest recall by class", ["class", *keys], recalls)
    for record in records:
        name = short(record["key"])
        print_activity(f"\nactivity of {name} on test data", record["test_rates"])
        if "energies" in record:
            print_energies(f"\nenergy of an inference of {name} (µJ)", record["energies"])
    print_lines("", f"weights  {Path(run.folder, 'trained')}")


def _draw_class_maps(run: "Run", keys: Sequence[str]) -> None:
    """Draw the class maps of designs that were trained on a scene, and say where they are."""
    from evo_snn.class_map import map_path
    from evo_snn.folder import FIGURES, TRAINED, refuse_links
    from evo_snn.guard import require_own

    maps = {key: map_path(run.folder / TRAINED, key) for key in keys}
    found = {key: path for key, path in maps.items() if path.is_file()}
    if not found:
        return
    require_own("analysis")
    from analysis.class_maps import save_class_map

    refuse_links(run.folder, FIGURES)
    for key, path in found.items():
        picture = run.folder / FIGURES / f"class_map_{short(key)}.png"
        say("figure", shown(save_class_map(path, picture)))
