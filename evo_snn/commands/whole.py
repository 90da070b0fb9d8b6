"""Commands of a run say of a damaged folder that it is damaged, not where that was noticed."""

import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from evo_snn.filesystem import StoreWriteError
from genomes.errors import RequestError

# What SQLite says of tables that are not there, and of pages that make no sense.
_OF_CONTENT = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def of_a_whole_run(command: Callable[..., None]) -> Callable[..., None]:
    """Have a command that has a run's ``folder`` tell damage there as the user's to mend.

    What it raises is told as it is where ``evo-snn check`` finds nothing wrong with the folder, and
    so is a disk that takes no more, of which a folder looks damaged while nothing is lost.
    """

    @functools.wraps(command)
    def told(**arguments: Any) -> None:
        try:
            command(**arguments)
        except (RequestError, typer.Exit):
            raise
        except Exception as error:
            if not _is_of_the_disk(error) and (damage := _damage(arguments["folder"])):
                raise damage from error
            raise

    return told


def _is_of_the_disk(error: Exception) -> bool:
    """True where a write failed, unless for what the database itself holds."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return isinstance(error, StoreWriteError) and (code is None or code & 0xFF not in _OF_CONTENT)


def _damage(folder: Path) -> RequestError | None:
    from evo_snn.integrity import check

    # What can be repaired keeps nobody from reading a run.
    problems = [each for each in check(folder).problems if not each.repairable]
    if not problems:
        return None
    remedy = f"{problems[0].text.rstrip('.')}; evo-snn check says all of it."
    return RequestError("run folder", str(folder), "a run that is whole", remedy)
