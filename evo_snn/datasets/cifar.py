"""CIFAR-10 and CIFAR-100, in the Python and the binary version of their home.

The formats are at https://www.cs.toronto.edu/~kriz/cifar.html: an image is 3072 bytes, a plane of
32 x 32 each for red, green and blue.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evo_snn.datasets.base import Parts, Split, at_most
from evo_snn.datasets.lazy import counts
from evo_snn.datasets.loader import OwnLoader, SizeOptions
from evo_snn.datasets.python_pickles import PickleError, read_table
from evo_snn.datasets.reading import bad, check_fits, class_indices, content, read_as

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))

Read = Callable[[str], bytes | None]
"""Name of a file → its content; None where it is missing."""


class Cifar100Options(SizeOptions):
    """The options of CIFAR-100."""

    labels: Literal["fine", "coarse"] = Field(
        "fine", description="fine: 100 classes; coarse: their 20 superclasses"
    )


def load_cifar10(path: Path, options: SizeOptions) -> Parts:
    """Colour images of ten classes, 50,000 for training and 10,000 for the test.

    Pickles are read without running anything that they ask for: only byte strings, lists and arrays
    of bytes are known.
    """
    read = _reader(path)
    train, test = (
        _part(path, read, names, label="labels", header=1, column=0)
        for names in (_BATCHES, ("test_batch",))
    )
    names = _names(path, read, "batches.meta", "batches.meta.txt", "label_names")
    return _parts(train, test, names, options)


def load_cifar100(path: Path, options: Cifar100Options) -> Parts:
    """Colour images of 100 classes in 20 superclasses, 50,000 for training, 10,000 for the test.

    Pickles are read without running anything that they ask for: only byte strings, lists and arrays
    of bytes are known.
    """
    read = _reader(path)
    kind, column = options.labels, ("coarse", "fine").index(options.labels)
    train, test = (
        _part(path, read, (name,), label=f"{kind}_labels", header=2, column=column)
        for name in ("train", "test")
    )
    names = _names(path, read, "meta", f"{kind}_label_names.txt", f"{kind}_label_names")
    return _parts(train, test, names, options)


_Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def _parts(train: _Part, test: _Part, names: tuple[str, ...], options: SizeOptions) -> Parts:
    y_train, y_test, labels = class_indices(train[1], test[1])
    chosen = at_most(y_train, options.per_class)
    return Parts(
        Split(counts(train[0]), y_train).take(chosen),
        Split(counts(test[0]), y_test),
        labels,
        names=tuple(names[label] for label in labels) if len(names) > labels[-1] else (),
    )


def _reader(path: Path) -> Read:
    """What reads the files of a folder, or of the archive as it is published."""
    with read_as(path, "a folder, or the .tar.gz of CIFAR's home"):
        if path.is_dir():
            inner = [path, *sorted(path.glob("cifar-*"))]
            return lambda name: next(
                (content(one / name) for one in inner if (one / name).is_file()), None
            )
        members = _unpacked(path)
    return members.get


def _unpacked(path: Path) -> dict[str, bytes]:
    """File name → content of an archive; no file is written."""
    import tarfile

    found = {}
    allowed = "a folder with CIFAR's files, or the .tar.gz of its home"
    with read_as(path, allowed, tarfile.TarError), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            check_fits(path, member.size)
            handle = archive.extractfile(member) if member.isfile() else None
            if handle is not None:
                found[Path(member.name).name] = handle.read()
    return found


def _part(
    path: Path, read: Read, names: Sequence[str], *, label: str, header: int, column: int
) -> _Part:
    """Images (N, 3, 32, 32) and labels (N,) of the files of a part, of either version."""
    found = [_batch(path, read, name, label, header, column) for name in names]
    return np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found])


def _batch(path: Path, read: Read, name: str, label: str, header: int, column: int) -> _Part:
    pickled, binary = read(name), read(f"{name}.bin")
    if pickled is not None:
        return _pickled(path / name, pickled, label)
    if binary is None:
        raise bad(path, f"a folder or an archive with {name} or {name}.bin")
    size = header + _PIXELS
    if not binary or len(binary) % size:
        allowed = f"whole records of {size} bytes"
        raise bad(path / f"{name}.bin", allowed, f"It has {len(binary)} bytes.")
    records = np.frombuffer(binary, np.uint8).reshape(-1, size)
    return records[:, header:].reshape(-1, *_SHAPE), records[:, column].astype(np.int64)


def _pickled(path: Path, pickled: bytes, label: str) -> _Part:
    table = _table(path, pickled)
    x, y = table.get("data"), table.get(label)
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != _PIXELS:  # noqa: PLR2004
        raise bad(path, f"data of shape (N, {_PIXELS})")
    whole = isinstance(y, list) and all(isinstance(one, int) and 0 <= one < 256 for one in y)  # noqa: PLR2004
    if not isinstance(y, list) or not whole or len(y) != len(x):
        raise bad(path, f"{label}: a list of {len(x)} class numbers")
    return x.reshape(-1, *_SHAPE), np.array(y, dtype=np.int64)


def _table(path: Path, pickled: bytes) -> dict[str, Any]:
    try:
        return read_table(pickled)
    except PickleError as error:
        raise bad(path, "a whole pickle of CIFAR's home", f"{error}.") from None


def _names(path: Path, read: Read, pickle: str, text: str, key: str) -> tuple[str, ...]:
    """What the classes are called; nothing where no file says it."""
    pickled, plain = read(pickle), read(text)
    if pickled is not None:
        names = _table(path / pickle, pickled).get(key)
        if isinstance(names, list):
            return tuple(one.decode() if isinstance(one, bytes) else str(one) for one in names)
    return tuple((plain or b"").decode("ascii", "replace").split())


CIFAR10 = OwnLoader(
    "CIFAR-10: 60,000 colour images of ten classes, 32 x 32 pixels",
    load_cifar10,
    files=(
        "a folder with data_batch_1 … data_batch_5 and test_batch (Python version), or the same"
        " with .bin (binary version); or the .tar.gz of either"
    ),
    shape="(N, 3, 32, 32)",
    source="A. Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; its author asks to be cited",
    options=SizeOptions,
)

CIFAR100 = OwnLoader(
    "CIFAR-100: 60,000 colour images of 100 classes, 32 x 32 pixels",
    load_cifar100,
    files=(
        "a folder with train and test (Python version), or train.bin and test.bin (binary"
        " version); or the .tar.gz of either"
    ),
    shape="(N, 3, 32, 32)",
    source="A. Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; its author asks to be cited",
    options=Cifar100Options,
)
