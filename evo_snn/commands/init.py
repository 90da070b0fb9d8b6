"""``init``: the example configurations and scripts, in a folder of the user's own."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from evo_snn.commands.output import print_lines
from genomes.errors import RequestError


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write them.", metavar="DIR")] = Path(),
) -> None:
    """Write the example configurations and scripts into a folder."""
    sources = example_files()
    try:
        _refuse_occupied(folder, sources)
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copyfile(source, folder / source.name)
    except OSError as error:
        reason = f"{error.strerror}."
        raise RequestError("DIR", str(folder), "a folder to write in", reason) from None
    print_lines(*(str(folder / source.name) for source in sources))
    print_lines("", "next:", f"  evo-snn evolve {folder / 'digits.toml'}")


def _refuse_occupied(folder: Path, sources: Sequence[Path]) -> None:
    occupied = [source.name for source in sources if (folder / source.name).exists()]
    if occupied:
        remedy = f"{folder} has {', '.join(occupied)}; nothing was written."
        raise RequestError("DIR", str(folder), "a folder without the example files", remedy)
    if folder.exists() and not folder.is_dir():
        raise RequestError("DIR", str(folder), "a folder")


def example_files() -> list[Path]:
    """The files: of `runs/` in a checkout, of ``evo_snn.examples`` where the wheel put them."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "examples"
    folder = packaged if packaged.is_dir() else package.parent / "runs"
    return sorted([*folder.glob("*.toml"), *folder.glob("*.py")])
