"""``recost``: a run's candidates on other chips, in seconds; no training, no torch, no plug-ins."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.estimate import Overrides
from evo_snn.commands.figures import FigureFile, check_figure, save_figure
from evo_snn.commands.look import Folder, Json
from evo_snn.commands.output import busy, print_json, print_lines, print_table, say, short, shown
from evo_snn.commands.whole import of_a_whole_run

if TYPE_CHECKING:
    from evo_snn.recost import Recosting

Chips = Annotated[
    list[str] | None,
    typer.Option("--chip", help="A chip's name, or its TOML file; again for more.", metavar="NAME"),
]
IgnoreBounds = Annotated[
    bool,
    typer.Option("--ignore-bounds", help="Leave out the run's bounds on area, energy, latency …"),
]
_SHOWN = 20  # designs of a table


@of_a_whole_run
def recost(
    folder: Folder,
    chip: Chips = None,
    set_: Overrides = None,
    ignore_bounds: IgnoreBounds = False,
    figure: FigureFile = None,
    json: Json = False,
) -> None:
    """A run's candidates on other chips: new costs and fronts, the same accuracies."""
    from evo_snn.config_file import parse_set
    from evo_snn.run import open_run

    check_figure(figure)
    overrides = dict(parse_set(item) for item in set_ or ())
    run = open_run(folder)
    from evo_snn.recost import recost as cost_anew

    with busy("costing"):
        found = cost_anew(run, chip or (), overrides, ignore_bounds=ignore_bounds)
    if figure is not None:
        from analysis import recosting

        save_figure(recosting.figure_of_recosting(found), figure)
    _say_what_holds(found)
    if run.leaky:
        say("warning", f"accuracies flatter: {run.leaky}")
    if json:
        print_json(document(found))
    else:
        _print(found, shown(folder))


def document(found: "Recosting") -> dict[str, Any]:
    """A recosting as ``--json`` prints it."""
    from evo_snn.recost import RECOSTED

    on_front = [(one.label, frozenset(one.front)) for one in found.chips]
    first = found.chips[0].candidates
    return {
        "objectives": [
            {"name": each.name, "maximise": each.maximise, "unit": each.unit}
            for each in found.objectives
        ],
        "chips": [
            {
                "label": one.label,
                "model": None if one.chip is None else one.chip.model,
                "lossless": one.lossless,
                "ok": one.ok,
                "front": list(one.front),
            }
            for one in found.chips
        ],
        "stay": list(found.staying),
        "agreement": [
            {
                "metric": each.metric,
                "chips": [each.first, each.second],
                "kendall": each.kendall,
                "spearman": each.spearman,
                "designs": each.designs,
            }
            for each in found.agreements
        ],
        "recosted": list(RECOSTED),
        "kept": list(found.kept),
        "left_out": found.left_out,
        "chip_genes_replaced": found.has_chip_genes,
        "candidates": [
            {
                "key": candidate.key,
                "genome": list(candidate.genome),
                "generation": candidate.generation,
                "front": [label for label, keys in on_front if candidate.key in keys],
                "state": {one.label: one.candidates[row].state for one in found.chips},
                "metrics": {one.label: dict(one.candidates[row].metrics) for one in found.chips},
            }
            for row, candidate in enumerate(first)
        ],
    }


def _say_what_holds(found: "Recosting") -> None:
    """What a reader must know of these numbers, on standard error."""
    say("note", "accuracy was not measured anew: it is that of the run")
    for one in found.chips:
        if not one.lossless:
            text = f"{one.label} reads with loss: the accuracies do not hold on it"
            say("warning", text)
        if not one.ok:
            text = f"no candidate meets the run's bounds on {one.label}"
            say("note", f"{text}: --ignore-bounds leaves those on costs out")
    if found.has_chip_genes:
        say("note", "the run has chip genes: each candidate's own chip is replaced altogether")
    if found.kept:
        say("note", f"as the run measured them on its own chip: {', '.join(found.kept)}")
    if found.left_out:
        text = f"{found.left_out} candidates are left out: they were never trained, or failed"
        say("note", text)


def _print(found: "Recosting", folder: str) -> None:
    first = found.chips[0]
    mine = set(first.front)
    count = len(first.candidates)
    print_lines(f"{folder}: {count} candidates on {len(found.chips)} chips", "")
    print_table(
        "",
        ("chip", "model", "feasible", "on the front", "of the run's front"),
        [
            (
                one.label,
                None if one.chip is None else one.chip.model,
                one.ok,
                len(one.front),
                len(mine & set(one.front)),
            )
            for one in found.chips
        ],
    )
    print_lines("")
    _print_agreement(found)
    print_lines("")
    _print_staying(found)


def _print_agreement(found: "Recosting") -> None:
    print_table(
        "order of the candidates from chip to chip (1: the same, 0: unrelated, -1: reversed)",
        ("cost", "chip", "against", "Kendall's tau", "Spearman's rho"),
        [
            (each.metric, each.first, each.second, each.kendall, each.spearman)
            for each in found.agreements
        ],
    )


def _print_staying(found: "Recosting") -> None:
    """Designs on the front of every chip, the best in the first objective first."""
    from evo_snn.recost import RECOSTED

    if not found.staying:
        print_lines("no design is on the front on every chip")
        return
    by_chip = [{one.key: one for one in each.candidates} for each in found.chips]
    first = found.objectives[0]
    keys = sorted(
        found.staying, key=lambda key: by_chip[0][key].metrics[first.name], reverse=first.maximise
    )
    fixed = [each.name for each in found.objectives if each.name not in RECOSTED]
    changing = [each.name for each in found.objectives if each.name in RECOSTED]
    rows = [
        (
            short(key),
            *(by_chip[0][key].metrics[name] for name in fixed),
            chip.label,
            *(candidates[key].metrics[name] for name in changing),
        )
        for key in keys[:_SHOWN]
        for chip, candidates in zip(found.chips, by_chip, strict=True)
    ]
    title = f"on the front on every chip: {len(keys)} designs"
    if len(keys) > _SHOWN:
        title += f", of which the first {_SHOWN}"
    print_table(title, ("key", *fixed, "chip", *changing), rows)
