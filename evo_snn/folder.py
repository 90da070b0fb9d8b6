"""The folder of a run: what lies in it, whether a new run may have it, who writes it."""

import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from evo_snn.connection import DATABASE
from evo_snn.filesystem import WriterLock, lock_holder, temporary_name
from genomes.errors import RequestError

CONFIG = "config.toml"
WEIGHTS = "weights"
TRAINED = "trained"  # of fully trained designs
FIGURES = "figures"

LOCK = "run.lock"

# What the creation of a run makes on its way to the database, which comes last.
_TEMPORARY = (temporary_name(CONFIG), temporary_name(DATABASE))
_OF_A_CREATION = frozenset({LOCK, WEIGHTS, CONFIG, *_TEMPORARY})
_NAME = r"([0-9a-f]{16}(\.[0-9]+)?|shared_[0-9]+)\.safetensors"
_OF_WEIGHTS = re.compile(rf"{_NAME}|\.{_NAME}\.tmp")
_OF_A_KEY = re.compile(r"[0-9A-Za-z_-]{1,200}")
_SHOWN = 3  # names of foreign files in an error


def resolved(folder: str | Path, field: str) -> Path:
    """The absolute path of a folder, which may be absent; `field` names it in an error.

    Raises:
        RequestError: If no folder can be there: a circle of links, a name that is too long.
    """
    try:
        path = Path(folder).resolve()
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(field, str(folder), "a folder", f"{reason}.") from None
    return path


def refuse_occupied(folder: Path, config: str) -> None:
    """Refuse a folder that holds anything but what a creation that was killed has left there.

    Args:
        folder: One that may be absent.
        config: What ``config.toml`` would hold; an equal one is a creation's.

    Raises:
        RequestError: If the folder holds anything else, or cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise RequestError("out", str(folder), "a folder")
    try:
        found = _names(folder)
        foreign = sorted(found - _OF_A_CREATION)
        weights = folder / WEIGHTS
        if WEIGHTS in found and (not weights.is_dir() or _names(weights)):
            foreign.append(WEIGHTS)
        if CONFIG in found and (folder / CONFIG).read_bytes() != config.encode():
            foreign.append(CONFIG)
    except OSError as error:
        reason = f"{error.strerror}."
        raise RequestError("out", str(folder), "a new or empty folder", reason) from None
    if DATABASE in found:
        raise RequestError("out", str(folder), "a folder without a run", "Choose another one.")
    if foreign:
        more = " and more" if len(foreign) > _SHOWN else ""
        remedy = f"It holds {', '.join(foreign[:_SHOWN])}{more}."
        raise RequestError("out", str(folder), "a new or empty folder", remedy)


def refuse_links(folder: Path, *names: str) -> None:
    """Refuse to write in a run that is partly elsewhere: its files would be overwritten there.

    Args:
        folder: The run's.
        names: What will be written in it; what a search writes by default.

    Raises:
        RequestError: If one of the names is a symbolic link.
    """
    for name in names or (WEIGHTS, CONFIG, DATABASE, LOCK):
        if (folder / name).is_symlink():
            remedy = "Put the file or folder itself in its place."
            raise RequestError("run folder", str(folder / name), "no symbolic link", remedy)


def require_database(folder: Path) -> None:
    """Refuse a folder without a run's database.

    Raises:
        RequestError: If there is none.
    """
    if not (folder / DATABASE).is_file():
        remedy = f"Give its folder: {folder.parent}." if folder.name == DATABASE else ""
        raise RequestError("run folder", str(folder), f"a folder with {DATABASE}", remedy)


def take_lock(folder: Path, *, make: bool) -> WriterLock:
    """Become the one writer of a run's folder; ``make`` it where it is absent.

    Raises:
        RequestError: If another process is writing, or the folder cannot be written.
    """
    field = "out" if make else "run folder"  # as a user named it
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        return WriterLock(folder / LOCK)
    except BlockingIOError:
        remedy = f"It is {lock_holder(folder / LOCK) or 'busy'}: wait until it ends."
        raise RequestError(
            field, str(folder), "a run that no other process is writing", remedy
        ) from None
    except OSError as error:
        reason = f"{error.strerror}."
        raise RequestError(field, str(folder), "a folder to write in", reason) from None


def is_file_name(key: str) -> bool:
    """Whether files may be named by a key; a stranger's database may hold any text as one."""
    return _OF_A_KEY.fullmatch(key) is not None


def require_file_name(key: str) -> None:
    """Refuse a key that might lead to any file of the machine.

    Raises:
        RequestError: If it is no plain name.
    """
    if not is_file_name(key):
        raise RequestError("key", key, "letters, digits, '_' and '-'")


def weights_name(key: str, rungs: int = 0) -> str:
    """The file of a candidate's weights, relative to the folder.

    Each rung of a ladder has a file of its own, so that the one before stays whole until the
    database refers to the next.
    """
    return f"{WEIGHTS}/{key}{f'.{rungs}' if rungs > 1 else ''}.safetensors"


def left_behind(folder: Path, wanted: Collection[str | None]) -> list[Path]:
    """What a killed writer left: temporary files, and weights that nothing refers to.

    These are names that a store gives; whatever else lies beside them is somebody's own.

    Args:
        folder: The run's.
        wanted: Weights that the database refers to, relative to the folder.
    """
    temporary = [folder / name for name in _TEMPORARY if os.path.lexists(folder / name)]
    weights = folder / WEIGHTS
    found = sorted(weights.iterdir()) if weights.is_dir() else []
    return temporary + [
        path
        for path in found
        if _OF_WEIGHTS.fullmatch(path.name) and f"{WEIGHTS}/{path.name}" not in wanted
    ]


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):  # a folder to be made
        return set()
