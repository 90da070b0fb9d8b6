"""What all loaders need: files that are there, memory that suffices, labels as class indices."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.limits import free_memory
from genomes.errors import RequestError, shortened

_LONGEST_REASON = 200


def bad(path: Path | str, allowed: str, remedy: str = "") -> RequestError:
    """The error for a file or a folder that is not what a loader reads."""
    return RequestError("data.path", str(path), allowed, remedy)


@contextmanager
def read_as(path: Path | str, allowed: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what a broken file makes a library raise into one line that names the file.

    Args:
        path: the file.
        allowed: what it should be.
        kinds: what may be raised beside OSError, ValueError and the errors of compressed files.
    """
    known: tuple[type[Exception], ...] = (
        OSError,
        ValueError,
        EOFError,
        MemoryError,
        OverflowError,
        zlib.error,
        *kinds,
    )
    try:
        yield
    except RequestError:
        raise
    except known as error:
        reason = shortened(str(error), _LONGEST_REASON)
        raise bad(path, allowed, f"{reason}." if reason else "") from None


def folder(path: Path, holds: str) -> Path:
    """The path, which has to be a folder."""
    with read_as(path, f"a folder with {holds}"):
        if not path.is_dir():
            raise bad(path, f"a folder with {holds}")
    return path


def first_file(place: Path, names: Iterable[str]) -> Path:
    """The first of these files that a folder has, as it is or with ``.gz`` at its end."""
    tried = [f"{name}{ending}" for name in names for ending in ("", ".gz")]
    found = [place / name for name in tried if (place / name).is_file()]
    if not found:
        raise bad(place, f"a folder with {' or '.join(tried)}")
    return found[0]


def subfolders(place: Path) -> list[Path]:
    """The folders in a folder, by name; hidden ones are left out."""
    return sorted(one for one in place.iterdir() if one.is_dir() and not one.name.startswith("."))


def content(path: Path, most: int | None = None) -> bytes:
    """The bytes of a file, unpacked where it ends in ``.gz``; at most so many."""
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else raw as handle:
        return handle.read(-1 if most is None else most)


def check_fits(path: Path, wanted: int) -> None:
    """Refuse what would take all memory before the first array is made."""
    free = free_memory()
    if free is not None and wanted > free:
        amount = f"It takes {wanted / 1e9:.3g} GB, and {free / 1e9:.3g} are free."
        raise bad(path, "data that fit into memory", amount)


def check_finite(name: str, x: NDArray[Any]) -> None:
    """Refuse what is no number."""
    if x.dtype.kind not in "buif":
        raise RequestError(name, f"dtype {x.dtype}", "real numbers")
    wrong = x.size - int(np.count_nonzero(np.isfinite(x)))
    if wrong:
        raise RequestError(name, f"{wrong} values that are NaN or infinite", "finite numbers")


def class_indices(
    train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, ...]]:
    """Labels of two parts as class indices, and the label of each index.

    Raises:
        RequestError: The training part has fewer than two classes, or lacks one of the test part.
    """
    labels = np.unique(train)
    if len(labels) <= 1:
        raise RequestError("data", f"{len(labels)} class for training", "two classes or more")
    unseen = sorted({int(one) for one in np.unique(test)} - {int(one) for one in labels})
    if unseen:
        raise RequestError("data", f"test labels {unseen}", "labels of the training part")
    if len(test) == 0:
        raise RequestError("data", "no test examples", "one or more")
    first, second = (np.searchsorted(labels, y).astype(np.int64) for y in (train, test))
    return first, second, tuple(int(one) for one in labels)


def numeric_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` file by name; pickled objects are never loaded.

    Raises:
        RequestError: The file is no whole ``.npz`` file, or lacks one of the names.
    """
    import zipfile

    names = tuple(names)
    with (
        read_as(path, "a whole .npz file of numpy.savez", zipfile.BadZipFile, KeyError),
        path.open("rb") as handle,
        np.load(handle, allow_pickle=False) as archive,
    ):
        if not hasattr(archive, "zip"):
            raise bad(path, "an .npz file of numpy.savez")
        missing = [name for name in names if name not in archive]
        if missing:
            found = ", ".join(sorted(archive)) or "no arrays"
            raise bad(path, f"a file with {', '.join(names)}", f"Has {found}.")
        check_fits(path, sum(member.file_size for member in archive.zip.infolist()))
        return {name: archive[name] for name in archive if name in names or not names}
