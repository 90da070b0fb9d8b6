"""``--figure``: where a figure goes, and whether it can, before anything is costed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evo_snn.commands.output import say, shown
from genomes.errors import RequestError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg", ".pdf")

FigureFile = Annotated[
    Path | None,
    typer.Option("--figure", help="Draw it: a .png, .svg or .pdf file.", metavar="FILE"),
]


def check_figure(path: Path | None) -> None:
    """Refuse a file that no figure can be written to.

    Raises:
        RequestError: Another ending, or no such folder.
    """
    if path is None:
        return
    if path.suffix.lower() not in _SUFFIXES:
        allowed = f"a file that ends in {', '.join(_SUFFIXES)}"
        raise RequestError("--figure", str(path), allowed)
    if not path.parent.is_dir():
        raise RequestError("--figure", str(path), "a file in a folder that exists")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure, and say so on standard error.

    Raises:
        RequestError: The file cannot be written.
    """
    from analysis import style

    try:
        with style.context():
            figure.savefig(path, dpi=style.DPI)
    except OSError as error:
        reason = f"{error.strerror or error}."
        raise RequestError("--figure", str(path), "a file that can be written", reason) from None
    say("figure", shown(path))
