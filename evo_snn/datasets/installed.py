"""Data sets of installed packages, offered through the entry point ``evo_snn.datasets``.

A plug-in is a loader: a function without arguments, or of one, the path that ``data.path`` gives.
It returns what evo_snn's own loaders do, `evo_snn.datasets.Parts`, or the first three of them as a
tuple: the training part (validation is carved from it), the test part, and the label of each class
index.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evo_snn.datasets.base import Parts, Split
from evo_snn.datasets.lazy import Lazy
from genomes.errors import RequestError
from genomes.plugins import DATASETS, broken, load

Loader = Callable[..., Parts | tuple[Split, Split, tuple[int, ...]]]


def installed_loader(name: str) -> Loader:
    """The loader that a package offers.

    Raises:
        RequestError: There is none of that name, or its package does not work.
    """
    loader = load(DATASETS, name)
    if not callable(loader):
        raise broken(DATASETS, name, "it is no function that loads a data set")
    needs_path(name, loader)
    return loader


def needs_path(name: str, loader: Loader) -> bool:
    """Whether a loader takes a path.

    Raises:
        RequestError: It takes something else.
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        asked = [
            each
            for each in inspect.signature(loader).parameters.values()
            if each.default is inspect.Parameter.empty
            and each.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):  # code without a signature
        asked = []
    if len(asked) > 1 or any(each.kind not in positional for each in asked):
        names = ", ".join(each.name for each in asked)
        raise broken(DATASETS, name, f"its loader asks for {names}; allowed: nothing, or a path")
    return len(asked) == 1


def installed_parts(name: str, path: str | Path | None) -> Parts:
    """What a package's loader gives, checked.

    Raises:
        RequestError: It fails, or gives no data set.
    """
    loader = installed_loader(name)
    try:
        parts = loader() if path is None else loader(Path(path))
    except RequestError:
        raise
    except Exception as error:
        raise broken(DATASETS, name, f"{type(error).__name__}: {error}") from error
    wrong = parts_fault(parts)
    if wrong:
        raise broken(DATASETS, name, wrong)
    return parts if isinstance(parts, Parts) else Parts(*parts)


def parts_fault(parts: Any) -> str:
    """What keeps the result of a loader from being a data set; "" for nothing."""
    try:
        whole, test, labels = parts  # a tuple, or Parts
    except (TypeError, ValueError):
        return "it gives something else than (training part, test part, labels)"
    if not isinstance(labels, tuple) or len(set(labels)) != len(labels) or not labels:
        return f"labels: got {labels!r}; allowed: a tuple of different labels"
    for part, where in ((whole, "training part"), (test, "test part")):
        wrong = _split_fault(part, len(labels))
        if wrong:
            return f"{where}: {wrong}"
    if whole.x.shape[1:] != test.x.shape[1:]:
        return f"the parts differ in shape: {whole.x.shape[1:]} and {test.x.shape[1:]}"
    groups = parts.groups if isinstance(parts, Parts) else None
    if groups is not None and (groups.shape != whole.y.shape or groups.dtype.kind not in "iu"):
        return f"groups: got {groups.dtype}, {groups.shape}; allowed: an integer an example"
    return ""


def _split_fault(part: Any, classes: int) -> str:
    if not isinstance(part, Split):
        return f"got a {type(part).__name__}; allowed: evo_snn.datasets.Split"
    for array, name, kind in ((part.x, "x", np.float32), (part.y, "y", np.int64)):
        if not isinstance(array, np.ndarray | Lazy) or array.dtype != kind:
            return f"{name} is no array of {np.dtype(kind).name}"
    if part.x.ndim < 2 or part.y.shape != part.x.shape[:1] or 0 in part.x.shape:  # noqa: PLR2004
        return f"x {part.x.shape} and y {part.y.shape}; allowed: (N, channels, ...) and (N,)"
    if not (part.x.min() >= 0 and part.x.max() <= 1):  # not so for NaN either
        return "x is not within [0, 1]"
    if part.y.min() < 0 or part.y.max() >= classes:
        return f"y is not within 0 to {classes - 1}"
    return ""
