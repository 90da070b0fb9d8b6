"""Data sets: a name → images in [0, 1] with class labels, in three fixed parts.

`load_dataset` is all that the rest needs. The parts are training, validation and test. Validation
is carved from the training part, stratified and with a fixed seed; the test part serves the final
figure alone.
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from evo_snn.datasets.base import Dataset, Parts, Split, make_dataset, split_stratified
from evo_snn.datasets.digits import load_digits
from evo_snn.datasets.installed import installed_loader, installed_parts, needs_path
from evo_snn.datasets.npz import load_npz
from genomes.errors import RequestError, unknown_name
from genomes.plugins import DATASETS, find, installed, left_out, origin, shadowed

__all__ = [
    "OWN_DATASETS",
    "Dataset",
    "Split",
    "dataset_description",
    "dataset_descriptions",
    "dataset_names",
    "dataset_origin",
    "load_dataset",
    "split_stratified",
]

# Data sets that come with a library, and those that are read from the file of `data.path`.
_BUNDLED: Mapping[str, Callable[[], Parts]] = {"digits": load_digits}
_FROM_FILE: Mapping[str, Callable[[Path], Parts]] = {"npz": load_npz}

OWN_DATASETS = frozenset({*_BUNDLED, *_FROM_FILE})
"""The names of evo_snn's own."""


def dataset_names() -> list[str]:
    """The names that ``data.name`` can have; no package is imported."""
    return sorted({*OWN_DATASETS, *installed(DATASETS)})


def dataset_description(name: str) -> str:
    """What data set ``name`` is and what it expects, in a few paragraphs; the first line sums up.

    Raises:
        RequestError: If there is no such data set, or its package does not work.
    """
    loader = {**_BUNDLED, **_FROM_FILE}.get(name) or installed_loader(_known(name))
    about = inspect.getdoc(inspect.getmodule(loader)) or ""
    details = inspect.getdoc(loader) or ""
    return f"{about}\n\n{details.partition('Raises:')[0]}".strip()


def dataset_descriptions() -> dict[str, str]:
    """Name → description of every data set; what does not work is left out, with a warning."""
    found = {name: dataset_description(name) for name in sorted(OWN_DATASETS)}
    for name in installed(DATASETS):
        if name in OWN_DATASETS:
            shadowed(DATASETS, name)
            continue
        try:
            found[name] = dataset_description(name)
        except RequestError as error:
            left_out(DATASETS, name, error)
    return found


def dataset_origin(name: str) -> str:
    """The package that a data set comes from, with its version; "" for evo_snn's own."""
    return "" if name in OWN_DATASETS else origin(find(DATASETS, name))


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
        RequestError: If the name is unknown, a path is missing or superfluous, the file is not as
            its loader describes, or the package that offers the data set does not work.
    """
    reads_file = name in _FROM_FILE or (
        name not in _BUNDLED and needs_path(name, installed_loader(_known(name)))
    )
    if reads_file and path is None:
        raise RequestError("data.path", "nothing", f"a file; {name} is read from one")
    if not reads_file and path is not None:
        raise RequestError("data.path", str(path), f"no path: {name} comes with a library")
    if name in _BUNDLED:
        parts = _BUNDLED[name]()
    elif name in _FROM_FILE:
        parts = _FROM_FILE[name](Path(str(path)))
    else:
        parts = installed_parts(name, path)
    return make_dataset(name, parts, validation_fraction, seed)


def _known(name: str) -> str:
    """The name of an installed package's data set, or an error that names all data sets."""
    if name not in installed(DATASETS):
        raise unknown_name("data.name", name, dataset_names())
    return name
