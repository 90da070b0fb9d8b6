"""Data sets: a name → images in [0, 1] with class labels, in three fixed parts.

`load_dataset` is all that the rest needs. The parts are training, validation and test. Validation
is carved from the training part, stratified and with a fixed seed; the test part serves the final
figure alone.
"""

import inspect
from collections.abc import Callable
from pathlib import Path

from evo_snn.datasets.base import Dataset, Split, split_stratified
from evo_snn.datasets.digits import load_digits
from evo_snn.datasets.npz import load_npz
from genomes.errors import RequestError, unknown_name

__all__ = ["Dataset", "Split", "dataset_description", "dataset_names", "load_dataset"]

# Data sets that come with a library, and those that are read from the file of `data.path`.
_Parts = tuple[Split, Split, tuple[int, ...]]
_BUNDLED: dict[str, Callable[[], _Parts]] = {"digits": load_digits}
_FROM_FILE: dict[str, Callable[[Path], _Parts]] = {"npz": load_npz}


def dataset_names() -> list[str]:
    """The names that ``data.name`` can have."""
    return sorted({**_BUNDLED, **_FROM_FILE})


def dataset_description(name: str) -> str:
    """What data set ``name`` is and what it expects, in a few paragraphs; the first line sums up.

    Raises:
        RequestError: If there is no such data set.
    """
    loader = {**_BUNDLED, **_FROM_FILE}.get(name)
    if loader is None:
        raise unknown_name("data.name", name, dataset_names())
    about = inspect.getdoc(inspect.getmodule(loader)) or ""
    details = inspect.getdoc(loader) or ""
    return f"{about}\n\n{details.partition('Raises:')[0]}".strip()


def load_dataset(
    name: str, path: str | Path | None = None, validation_fraction: float = 0.2, seed: int = 0
) -> Dataset:
    """Load a data set by name.

    Args:
        name: One of `dataset_names`.
        path: The file, for data sets that are read from one; None for the others.
        validation_fraction: Share of each class of the training part held out for validation.
        seed: Decides which examples are held out.

    Raises:
        RequestError: If the name is unknown, a path is missing or superfluous, or the file is not
            as its loader describes.
    """
    if name in _BUNDLED:
        if path is not None:
            raise RequestError("data.path", str(path), f"no path: {name} comes with a library")
        whole, test, labels = _BUNDLED[name]()
    elif name in _FROM_FILE:
        if path is None:
            raise RequestError("data.path", "nothing", f"a file; {name} is read from one")
        whole, test, labels = _FROM_FILE[name](Path(path))
    else:
        raise unknown_name("data.name", name, dataset_names())
    train, validation = split_stratified(whole.y, validation_fraction, seed)
    if len(validation) == 0:
        raise RequestError(
            "y_train", "one image a class", "two images of some class, for validation"
        )
    return Dataset(name, whole.take(train), whole.take(validation), test, labels)
