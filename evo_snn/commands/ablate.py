"""``ablate``: what each choice contributes, and what a space can do without."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evo_snn.commands.look import Json
from evo_snn.commands.output import print_json, print_lines, print_table, say, shown
from genomes.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

    from evo_snn.ablation import Ablation
    from evo_snn.run import Run
    from evo_snn.suggestions import Suggestion

_MARKS = {"helps": " ✓", "harms": " ✗", "same": " =", "unclear": " ?"}


def ablate(
    config: Annotated[
        Path, typer.Argument(help="A search's TOML file, or the folder of an ablation to look at.")
    ],
    out: Annotated[
        str | None, typer.Option(help="The run's folder: new or empty.", metavar="DIR")
    ] = None,
    bases: Annotated[
        int | None,
        typer.Option(min=1, help="Random designs, each changed in one gene of each role; or 30."),
    ] = None,
    genes: Annotated[
        list[str] | None,
        typer.Option(help="Genes to change, such as '*.pool'; again for more.", metavar="PATTERN"),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides search.seed.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Overrides workers.jobs.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Overrides any key; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, help="Points of accuracy, and per cent of a cost, not worth having."),
    ] = 1.0,
    by_gene: Annotated[bool, typer.Option("--by-gene", help="Each gene by itself too.")] = False,
    json: Json = False,
    figures: Annotated[bool, typer.Option(help="Draw the figure at the end.")] = True,
) -> None:
    """What each choice of each gene contributes, and what a search can do without."""
    from evo_snn.config_file import parse_set

    if out is not None and not out.strip():
        raise RequestError("--out", out, "a folder", "A dot is the current one.")
    overrides = dict(parse_set(text) for text in settings or ())
    if config.is_dir():
        given = [out, bases, genes, seed, jobs, settings]
        if any(one is not None for one in given):
            remedy = f"evo-snn resume {shown(config)} --generations N adds bases."
            raise RequestError("config", str(config), "a TOML file, with these options", remedy)
        from evo_snn.run import open_run

        run = open_run(config)
        figures = False  # a run may be looked at where nothing can be written
    else:
        from evo_snn.ablation import BASES, run_ablation

        run = run_ablation(
            config,
            None if out is None else Path(out),
            bases=bases or BASES,
            genes=genes or (),
            seed=seed,
            jobs=jobs,
            overrides=overrides,
            progress=True,
        )
    show_ablation(run, margin=margin, by_gene=by_gene, json=json, figures=figures)


def show_ablation(
    run: "Run",
    *,
    margin: float = 1.0,
    by_gene: bool = False,
    json: bool = False,
    figures: bool = True,
) -> None:
    """Print what an ablation has found, and draw its figure."""
    from evo_snn.ablation import ablation_of

    found = ablation_of(run, margin)
    paths = _figure(run, found) if figures else []
    if json:
        print_json(document(run, found, margin))
        return
    _print(found, margin, by_gene=by_gene)
    print_lines(
        "",
        f"run      {shown(run.folder)}",
        *(f"figure   {shown(path)}" for path in paths),
    )


def document(run: "Run", found: "Ablation", margin: float) -> dict[str, Any]:
    """An ablation as ``--json`` prints it."""
    from evo_snn.effects import LEVEL
    from evo_snn.suggestions import to_document

    rows = found.effects.astype(object).where(found.effects.notna(), None)
    return {
        "folder": str(run.folder),
        "objectives": [
            {"name": each.name, "maximise": each.maximise, "unit": each.unit}
            for each in run.objectives
        ],
        "level": LEVEL,
        "margin": margin,
        "bases": found.bases,
        "effects": rows.to_dict("records"),
        "suggestions": [to_document(one) for one in found.suggestions],
    }


def _figure(run: "Run", found: "Ablation") -> list[Path]:
    from evo_snn.guard import require_own

    require_own("analysis")
    from analysis import save_effects

    return [save_effects(found.effects, run)]


def _print(found: "Ablation", margin: float, *, by_gene: bool) -> None:
    from evo_snn.effects import LEVEL

    title = f"effects of choices, all else equal: means over {found.bases} bases"
    _print_effects(f"{title}, with {LEVEL:.0%} intervals", found.effects.query("gene == ''"))
    if by_gene:
        print_lines("")
        _print_effects("gene by gene", found.effects.query("gene != ''"))
    print_lines(
        "  ✓ helps, ✗ harms: the whole interval is on the better or the worse side of 0",
        f"  = no difference worth having: all of it is within {margin:g} (--margin); ? unclear",
    )
    if found.left_out:
        text = "values are missing, of candidates that failed or are over a budget"
        say("note", f"{found.left_out} {text}; pairs with one are left out")
    print_lines("")
    if not found.suggestions:
        print_lines("no choice is shown to be needless; more bases make intervals narrower")
    for suggestion in found.suggestions:
        _print_suggestion(suggestion)


def _print_effects(title: str, effects: "pd.DataFrame") -> None:
    """A row a choice, a column an objective."""
    if effects.empty:
        print_lines(f"{title}: none yet")
        return
    objectives = effects[["objective", "unit"]].drop_duplicates().itertuples(index=False)
    headers = [f"{name} ({unit})" if unit else name for name, unit in objectives]
    rows = []
    for names, rest in effects.groupby(["role", "gene", "choice", "against"], sort=False):
        role, gene, choice, against = names
        cells = [_cell(row) for row in rest.to_dict("records")]
        rows.append((gene or role, str(choice), against, int(rest["pairs"].min()), *cells))
    print_table(title, ("gene", "choice", "against", "pairs", *headers), rows)


def _cell(row: "dict[Any, Any]") -> str:
    from evo_snn.effects import Effect
    from evo_snn.suggestions import shown as shown_effect

    effect = Effect(**{one.name: row[one.name] for one in fields(Effect)})
    return shown_effect(effect) + (_MARKS[effect.outcome] if effect.is_measured else "")


def _print_suggestion(suggestion: "Suggestion") -> None:
    from evo_snn.suggestions import in_words

    print_lines(*(f"leave out {in_words(one)}" for one in suggestion.needless))
    if suggestion.setting:
        print_lines(f"  {suggestion.setting}")
    if suggestion.unmeasured:
        names = ", ".join(suggestion.unmeasured)
        print_lines(f"  which changes genes too that were not measured: {names}")
