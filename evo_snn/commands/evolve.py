"""``evolve``: a search, from a configuration to the front and its figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evo_snn.commands.look import print_front, print_least_infeasible
from evo_snn.commands.output import print_lines, short, shown
from genomes.errors import RequestError

if TYPE_CHECKING:
    from evo_snn.run import Run


def evolve(
    config: Annotated[Path, typer.Argument(help="A TOML file; evo-snn init writes examples.")],
    out: Annotated[
        str | None, typer.Option(help="The run's folder: new or empty.", metavar="DIR")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides search.seed.")] = None,
    generations: Annotated[
        int | None, typer.Option(min=1, help="Overrides search.generations.")
    ] = None,
    population: Annotated[
        int | None, typer.Option(min=2, help="Overrides search.population.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Overrides workers.jobs.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Overrides any key; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures at the end.")] = True,
) -> None:
    """Search: evolve designs, print the front, draw the figures."""
    from evo_snn.config_file import parse_set

    if out is not None and not out.strip():
        raise RequestError("--out", out, "a folder", "A dot is the current one.")
    overrides = dict(parse_set(text) for text in settings or ())
    from evo_snn import search

    with showing_what_came_nearest():
        run = search.evolve(
            config,
            out=None if out is None else Path(out),
            seed=seed,
            generations=generations,
            population=population,
            jobs=jobs,
            overrides=overrides,
            progress=True,
        )
    conclude(run, figures=figures)


@contextmanager
def showing_what_came_nearest() -> Iterator[None]:
    """Print the least infeasible designs where a search found no feasible one."""
    from evo_snn.search import NothingFeasible

    try:
        yield
    except NothingFeasible as error:
        print_least_infeasible(error.run)
        raise


def _figures(run: "Run") -> list[Path]:
    from analysis import save_figures

    return save_figures(run)


def conclude(run: "Run", *, figures: bool) -> None:
    """Print the front, or an ablation's effects, where figures are, and what can be done next."""
    if figures:
        from evo_snn.guard import require_own

        require_own("analysis")
    if run.config.ablation is not None:
        from evo_snn.commands.ablate import show_ablation

        show_ablation(run, figures=figures)
        return
    paths = _figures(run) if figures else []
    front = run.front()
    print_front(run, front)
    folder = shown(run.folder)
    print_lines("", f"run      {folder}", *(f"figure   {shown(path)}" for path in paths))
    if not front.empty:
        best = short(front["key"].iloc[0])
        print_lines(
            "",
            "next:",
            f"  evo-snn show {folder} {best}    # one design: architecture, cost by layer",
            f"  evo-snn train {folder} {best}   # train it fully; accuracy on test data",
            f"  evo-snn front {folder} --json",
        )
