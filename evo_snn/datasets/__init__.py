"""Data sets: a name → inputs in [0, 1] with class labels, in three fixed parts.

`load_dataset` is all that the rest needs. The parts are training, validation and test. Validation
is carved from the training part, stratified and with a fixed seed, of whole groups where examples
belong together; the test part serves the final figure alone.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evo_snn.datasets import (
    cifar,
    digits,
    dvs_gesture,
    ehu_scenes,
    idx,
    image_folder,
    mitbih,
    nmnist,
    npz,
    scene,
)
from evo_snn.datasets.base import Dataset, Parts, Split, make_dataset, split_stratified
from evo_snn.datasets.installed import installed_loader, installed_parts, needs_path
from evo_snn.datasets.lazy import Lazy
from evo_snn.datasets.loader import Options, OwnLoader, checked_options
from genomes.errors import RequestError, unknown_name
from genomes.plugins import DATASETS, find, installed, left_out, origin, shadowed

__all__ = [
    "OWN_DATASETS",
    "Dataset",
    "Lazy",
    "Parts",
    "Split",
    "dataset_description",
    "dataset_descriptions",
    "dataset_facts",
    "dataset_names",
    "dataset_options",
    "dataset_origin",
    "load_dataset",
    "split_stratified",
]

_OWN: Mapping[str, OwnLoader] = {
    "cifar10": cifar.CIFAR10,
    "cifar100": cifar.CIFAR100,
    "digits": digits.DIGITS,
    "dvs_gesture": dvs_gesture.DVS_GESTURE,
    "events_npz": nmnist.EVENTS_NPZ,
    "fashion_mnist": idx.FASHION_MNIST,
    "image_folder": image_folder.IMAGE_FOLDER,
    "indian_pines": ehu_scenes.INDIAN_PINES,
    "mitbih": mitbih.MITBIH,
    "mnist": idx.MNIST,
    "nmnist": nmnist.NMNIST,
    "npz": npz.NPZ,
    "pavia_university": ehu_scenes.PAVIA_UNIVERSITY,
    "salinas": ehu_scenes.SALINAS,
    "salinas_a": ehu_scenes.SALINAS_A,
    "scene": scene.SCENE,
    "spectra": scene.SPECTRA,
    "tiny_imagenet": image_folder.TINY_IMAGENET,
}

OWN_DATASETS = frozenset(_OWN)
"""The names of evo_snn's own."""


def dataset_names() -> list[str]:
    """The names that ``data.name`` can have; no package is imported."""
    return sorted({*OWN_DATASETS, *installed(DATASETS)})


def dataset_description(name: str) -> str:
    """What data set ``name`` is and what it expects, in a few paragraphs; the first line sums up.

    Raises:
        RequestError: If there is no such data set, or its package does not work.
    """
    if name in _OWN:
        about, details = _OWN[name].summary, inspect.getdoc(_OWN[name].load) or ""
    else:
        loader = installed_loader(_known(name))
        about = inspect.getdoc(inspect.getmodule(loader)) or ""
        details = inspect.getdoc(loader) or ""
    return f"{about}\n\n{details.partition('Raises:')[0]}".strip()


def dataset_facts(name: str) -> dict[str, str]:
    """Files, shape, source and licence of one of evo_snn's own; nothing for a package's."""
    if name not in _OWN:
        return {}
    own = _OWN[name]
    return {
        "path": own.files or "none: it comes with a library",
        "inputs": own.shape,
        "source": own.source,
        "licence": own.licence,
    }


def dataset_options(name: str) -> type[Options]:
    """The model of the options that ``[data.options]`` can have; without any for a package's."""
    return _OWN[name].options if name in _OWN else Options


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
    name: str,
    path: str | Path | None = None,
    validation_fraction: float = 0.2,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Dataset:
    """Load a data set by name.

    Args:
        name: One of `dataset_names`.
        path: The file or folder, for data sets that are read from one; None for the others.
        validation_fraction: Share of each class of the training part held out for validation.
        seed: Decides which examples are held out.
        options: The data set's own; what is not said has its default.

    Raises:
        RequestError: If the name is unknown, a path is missing or superfluous, an option is
            unknown, the data are not as their loader describes, or the package that offers the
            data set does not work.
    """
    options = dict(options or {})
    if name in _OWN:
        own = _OWN[name]
        _check_path(name, path, own.files)
        parts = own.parts(None if path is None else Path(path), options, name)
    else:
        asks = needs_path(name, installed_loader(_known(name)))
        _check_path(name, path, "a file" if asks else "")
        checked_options(Options, options, name)
        parts = installed_parts(name, path)
    return make_dataset(name, parts, validation_fraction, seed)


def _check_path(name: str, path: str | Path | None, files: str) -> None:
    if files and path is None:
        raise RequestError("data.path", "nothing", f"{files}; {name} is read from there")
    if not files and path is not None:
        raise RequestError("data.path", str(path), f"no path: {name} comes with a library")


def _known(name: str) -> str:
    """The name of an installed package's data set, or an error that names all data sets."""
    if name not in installed(DATASETS):
        raise unknown_name("data.name", name, dataset_names())
    return name
