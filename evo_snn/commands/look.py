"""``front``, ``candidates`` and ``show``: looking at a run; no torch, no plug-ins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from evo_snn.chip_genes import PREFIX
from evo_snn.commands.activity import print_activity
from evo_snn.commands.figures import FigureFile, check_figure, save_figure
from evo_snn.commands.output import (
    cell,
    print_json,
    print_lines,
    print_table,
    print_values,
    say,
    short,
)
from evo_snn.commands.whole import of_a_whole_run
from evo_snn.metrics import INITIAL
from genomes.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from evo_snn.candidate import Candidate
    from evo_snn.run import Run


def parse_folder(text: str) -> Path:
    """A folder that is named: a script's empty variable is not the current one."""
    if not text.strip():
        raise typer.BadParameter("a folder is allowed; a dot is the current one.")
    return Path(text)


Folder = Annotated[
    Path, typer.Argument(help="The run's folder.", metavar="DIR", parser=parse_folder)
]
Accept = Annotated[
    list[str] | None,
    typer.Option(help="Let a plug-in run that has this SHA-256.", metavar="HASH"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Key = Annotated[str, typer.Argument(help="A candidate's key, or its beginning.", metavar="KEY")]


@of_a_whole_run
def front(folder: Folder, json: Json = False) -> None:
    """The front: designs that no other beats, over everything evaluated."""
    from evo_snn.run import open_run

    run = open_run(folder)
    table = run.front()
    if json:
        print_json(document(run, table))
    else:
        print_front(run, table)


@of_a_whole_run
def candidates(folder: Folder, json: Json = False) -> None:
    """Everything that was evaluated, in that order."""
    from evo_snn.run import open_run

    run = open_run(folder)
    table = run.candidates()
    if json:
        print_json(document(run, table))
    else:
        print_candidates(f"{len(table)} candidates", run, table)


@of_a_whole_run
def show(folder: Folder, key: Key, json: Json = False, figure: FigureFile = None) -> None:
    """One candidate: architecture, metrics, lineage, activity, cost by layer and component."""
    check_figure(figure)
    from evo_snn.run import open_run

    run = open_run(folder)
    candidate = run.candidate(key)
    chip = run.chip_values(candidate.key)
    cost = None if candidate.workload is None else run.cost(candidate.key).to_dict()
    lineage = ancestors(run, candidate)
    if figure is not None:
        _draw_activity(candidate, figure)
    if json:
        print_json(
            {
                **candidate.summary(),
                **({"chip": chip} if chip else {}),
                **({"on_chip_path": run.on_chip_path} if run.on_chip_path else {}),
                **({"leaky": run.leaky} if run.leaky else {}),
                "violations": dict(candidate.violations),
                "failure": candidate.failure,
                "training_steps": candidate.training_steps,
                "rungs": [
                    {"steps": one.steps, "metrics": dict(one.metrics)} for one in candidate.rungs
                ],
                "architecture": candidate.architecture,
                "workload": candidate.workload,
                "cost": cost,
                "lineage": lineage,
                "seconds": dict(candidate.seconds),
            }
        )
        return
    print_values(f"candidate {candidate.key}", _facts(candidate))
    print_values("\nmetrics", candidate.metrics)
    print_leaky(run.leaky)
    if run.on_chip_path:
        print_lines(f"  accuracies on the chip by the {run.on_chip_path} path")
    _print_rungs(run, candidate)
    if candidate.violations:
        print_values("\nviolated constraints", candidate.violations)
    _print_architecture(candidate.architecture)
    if chip:
        print_values(f"\nchip: {run.chip.name}, with", chip)
    if candidate.trained:
        print_activity("\nactivity by layer on validation data", _rates(candidate))
    if cost is not None:
        _print_cost(cost)
    _print_lineage(run, lineage)
    if candidate.failure:
        say("failure", candidate.failure)


def document(run: "Run", table: "pd.DataFrame") -> dict[str, Any]:
    """The JSON document of ``front`` and ``candidates`` for a table of either."""
    metrics, chip, steps = metric_columns(table), chip_columns(table), _steps_column(table)
    rows = [
        {
            "key": row["key"],
            "genome": list(row["genome"]),
            "state": row["state"],
            "generation": row["generation"],
            "parents": list(row["parents"]),
            **{name: row[name] for name in steps},
            **({"chip": {name.removeprefix(PREFIX): row[name] for name in chip}} if chip else {}),
            "metrics": {name: row[name] for name in metrics if row[name] == row[name]},
        }
        for row in table.to_dict("records")
    ]
    objectives = [
        {"name": each.name, "maximise": each.maximise, "unit": each.unit} for each in run.objectives
    ]
    leaky = {"leaky": run.leaky} if run.leaky else {}
    return {"objectives": objectives, **leaky, "candidates": rows}


def print_front(run: "Run", table: "pd.DataFrame") -> None:
    """The front as a table, or a line that says why there is none."""
    if table.empty:
        say("note", "no candidate meets the constraints and has every objective: no front yet")
    else:
        print_candidates(f"front: {len(table)} designs", run, table)


def print_candidates(title: str, run: "Run", table: "pd.DataFrame") -> None:
    """Candidates as a table: keys, objectives with their units, and what their chips are."""
    objectives = {objective.name for objective in run.objectives}
    scores = [name for name in INITIAL if name in table and name not in objectives]
    steps, chip = [*_steps_column(table), *scores], chip_columns(table)
    names = [*steps, *(objective.name for objective in run.objectives), *chip]
    headers = [*steps, *(_header(each.name, each.unit) for each in run.objectives), *chip]
    rows = [
        (short(row["key"]), row["state"], row["generation"], *(row[name] for name in names))
        for row in table.to_dict("records")
    ]
    print_table(title, ("key", "state", "generation", *headers), rows)
    print_leaky(run.leaky)


def print_leaky(why: str) -> None:
    """Say beneath figures of accuracy that they flatter, where they do."""
    if why:
        print_lines(f"accuracies flatter: {why}")


def print_least_infeasible(run: "Run") -> None:
    """What came nearest to meeting all constraints, for a search that found nothing feasible."""
    table = run.least_infeasible()
    if table.empty:
        say("note", "no candidate was measured and found infeasible: all failed, or none was made")
        return
    metrics = [str(name) for name in table.columns[2:]]
    headers = [f"{name} ({_bound(run.constraints.get(name), table[name])})" for name in metrics]
    rows = [
        (short(row["key"]), row["violation"], *(row[name] for name in metrics))
        for row in table.to_dict("records")
    ]
    title = f"least infeasible: {len(table)} designs, each violation in units of its bound"
    print_table(title, ("key", "violation", *headers), rows)


def _bound(bound: "float | Mapping[str, float | None] | None", values: "pd.Series[float]") -> str:
    """What a constraint allows; a plain number bounds the side on which the values break it."""
    if bound is None:
        return "bounded"
    if isinstance(bound, Mapping):
        low, high = bound.get("min"), bound.get("max")
    else:
        broken_above = not (values < bound).any()
        low, high = (None, bound) if broken_above else (bound, None)
    if low is not None and high is not None:
        return f"{cell(low)} to {cell(high)}"
    return f"<= {cell(high)}" if low is None else f">= {cell(low)}"


def metric_columns(table: "pd.DataFrame") -> list[str]:
    """The metrics of a table of candidates."""
    fixed = {"key", "genome", "state", "generation", "parents", "training_steps"}
    fixed |= {*chip_columns(table)}
    return [str(name) for name in table.columns if name not in fixed]


def chip_columns(table: "pd.DataFrame") -> list[str]:
    """The chip genes of a table of candidates."""
    return [str(name) for name in table.columns if str(name).startswith(PREFIX)]


def _steps_column(table: "pd.DataFrame") -> list[str]:
    """The column of training steps, where candidates climbed a ladder to different rungs."""
    given = table["training_steps"]
    return ["training_steps"] if given[given > 0].nunique() > 1 else []


def ancestors(run: "Run", candidate: "Candidate") -> list[dict[str, Any]]:
    """All ancestors of a candidate, the youngest first, each with its own parents."""
    table = run.candidates()
    parents = dict(zip(table["key"], table["parents"], strict=True))
    generations = dict(zip(table["key"], table["generation"], strict=True))
    found: dict[str, None] = {}
    left = list(candidate.parents)
    while left:
        key = left.pop(0)
        if key not in found:
            found[key] = None
            left.extend(parents[key])
    ordered = sorted(found, key=lambda key: -generations[key])
    return [
        {"key": key, "generation": int(generations[key]), "parents": list(parents[key])}
        for key in ordered
    ]


def _header(name: str, unit: str) -> str:
    # Most names end in their unit already.
    plain = unit.lower().replace("µ", "u").replace("²", "2").replace(" ", "")
    return name if not unit or name.endswith(plain) else f"{name} [{unit}]"


def _rates(candidate: "Candidate") -> dict[str, tuple[float, float]]:
    """Layer → input and spike rate, as they were measured."""
    layers = (candidate.workload or {}).get("layers", ())
    return {one["name"]: (one["input_rate"], one["output_rate"]) for one in layers}


def _draw_activity(candidate: "Candidate", path: Path) -> None:
    """Draw the activity by layer.

    Raises:
        RequestError: The candidate was not trained, so that there is none.
    """
    if not (candidate.trained and candidate.workload):
        state = f"{candidate.key} ({candidate.state})"
        raise RequestError("--figure", state, "a candidate that was trained")
    from evo_snn.guard import require_own

    require_own("analysis")
    from analysis.activity import plot_activity

    figure = plot_activity(_rates(candidate)).figure
    save_figure(cast("Figure", figure), path)


def _facts(candidate: "Candidate") -> dict[str, Any]:
    return {
        "state": candidate.state,
        "generation": candidate.generation,
        "parents": ", ".join(map(short, candidate.parents)) or "none (a founder)",
        "genome": " ".join(map(str, candidate.genome)),
        "training steps": candidate.training_steps,
        **{f"{name} (seconds)": value for name, value in candidate.seconds.items()},
    }


def _print_architecture(architecture: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in architecture.items() if name != "layers"}
    print_values("\narchitecture", plain)
    layers = [_flat(layer) for layer in architecture.get("layers", ())]
    # Columns in the order of the layers' own values; what no layer has is left out.
    named = [name for layer in layers for name, value in layer.items() if value not in (None, [])]
    columns = list(dict.fromkeys(named))
    if columns:
        rows = [[layer.get(name) for name in columns] for layer in layers]
        print_table("\nlayers", columns, rows)


def _print_rungs(run: "Run", candidate: "Candidate") -> None:
    """What it had come to on each rung of the ladder, in the objectives."""
    if candidate.rungs:
        names = [objective.name for objective in run.objectives]
        rows = [
            [rung.steps, *(rung.metrics.get(name) for name in names)] for rung in candidate.rungs
        ]
        print_table("\nrungs of the ladder", ["steps", *names], rows)


def _flat(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer with its neuron's values beside its own."""
    flat: dict[str, Any] = {}
    for name, value in layer.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} {inner}": each for inner, each in value.items()}
        elif not (value is None and name == "neuron"):
            flat[name] = value
    return flat


def _print_cost(cost: Mapping[str, Any]) -> None:
    totals = {name: value for name, value in cost.items() if isinstance(value, int | float)}
    print_values("\ncost", totals)
    layers: Sequence[Mapping[str, Any]] = cost["layers"]
    if layers:
        print_table("\ncost by layer", list(layers[0]), [list(layer.values()) for layer in layers])
    for quantity in ("area_mm2", "energy_uj", "latency_ms"):
        metric, _, unit = quantity.partition("_")
        print_values(f"\n{metric} by component, {unit}", cost[f"{metric}_components_{unit}"])


def _print_lineage(run: "Run", lineage: Sequence[Mapping[str, Any]]) -> None:
    if not lineage:
        return
    first = run.objectives[0].name
    values = run.candidates().set_index("key")[first]
    rows = [
        (
            short(each["key"]),
            each["generation"],
            ", ".join(map(short, each["parents"])),
            float(values[each["key"]]),
        )
        for each in lineage
    ]
    print_table("\nancestors", ("key", "generation", "parents", first), rows)
