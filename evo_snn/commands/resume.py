"""``resume``: goes on with a search where it stopped, or further."""

from typing import Annotated

import typer

from evo_snn.commands.evolve import conclude, showing_what_came_nearest
from evo_snn.commands.look import Accept, Folder
from evo_snn.commands.whole import of_a_whole_run
from evo_snn.folder import FIGURES, refuse_links
from genomes.errors import RequestError


@of_a_whole_run
def resume(
    folder: Folder,
    generations: Annotated[
        int | None, typer.Option(min=1, help="How many the run is to have in all.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Overrides workers.jobs.")] = None,
    accept: Accept = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Overrides a key of workers, data.path, training.device or training.kernel.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures at the end.")] = True,
) -> None:
    """Go on with a search where it stopped, or for more generations."""
    from evo_snn.config_file import parse_set

    overrides = dict(parse_set(text) for text in settings or ())
    if "search.generations" in overrides:
        raise RequestError("--set", "search.generations", "--generations N", "It says how many.")
    if figures:
        refuse_links(folder, FIGURES)
    from evo_snn import search

    with showing_what_came_nearest():
        run = search.resume(
            folder,
            generations=generations,
            jobs=jobs,
            overrides=overrides,
            accept=accept or (),
            progress=True,
        )
    conclude(run, figures=figures)
