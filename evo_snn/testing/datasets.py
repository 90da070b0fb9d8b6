"""The contract of a data set: numbers in range, disjoint parts, the same at every call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evo_snn.datasets import Dataset, Split, dataset_description, load_dataset
from evo_snn.datasets.base import Parts, make_dataset
from evo_snn.datasets.installed import needs_path, parts_fault
from evo_snn.testing.elsewhere import address_of, elsewhere, expect
from evo_snn.testing.generators import kept_global_generators, seed_global_generators
from genomes.errors import RequestError

_FRACTION = 0.2


def check_dataset(
    loader_or_name: Callable[..., Parts] | str, path: str | Path | None = None
) -> None:
    """Check a data set, by the function that loads it or by its name.

    Inputs are float32 in [0, 1], classes int64 from 0; every class is there in training and in
    test; no test sample is among those for training; it loads the same twice, whatever became of
    the arrays and of the global random generators, and in another process; validation is carved out
    without touching the rest; a missing file is one line.

    Args:
        loader_or_name: the loader, at the top level of a module, or the name.
        path: the file, where it is read from one.

    Raises:
        AssertionError: what is wrong.
    """
    subject = loader_or_name if isinstance(loader_or_name, str) else address_of(loader_or_name)
    place = None if path is None else str(Path(path).resolve())
    if isinstance(loader_or_name, str):
        expect(dataset_description(loader_or_name), f"{loader_or_name} has no description")
    else:
        expect(loader_or_name.__doc__, "the loader has no docstring; its first line is shown")
    with kept_global_generators():
        seed_global_generators(0)
        first = _loaded(loader_or_name, place)
        _check_parts(first)
        before = _digest(first)
        for split in (first.train, first.validation, first.test):
            if isinstance(split.x, np.ndarray):
                split.x.fill(0)  # a loader that gives one array to all would now give this
        seed_global_generators(1)
        second = _loaded(loader_or_name, place)
    expect(_digest(second) == before, "it loads something else the second time")
    _check_validation(loader_or_name, place, second)
    there = elsewhere(dataset_fingerprint, subject, path=place)
    expect(there == before, "another process loads something else")
    if place is not None:
        _check_missing_file(loader_or_name)


def dataset_fingerprint(loader_or_name: Callable[..., Parts] | str, path: str | None) -> str:
    """A hash of all that is loaded."""
    return _digest(_loaded(loader_or_name, path))


def _loaded(loader_or_name: Callable[..., Parts] | str, path: str | None, seed: int = 0) -> Dataset:
    if isinstance(loader_or_name, str):
        return load_dataset(loader_or_name, path, _FRACTION, seed)
    name = loader_or_name.__name__
    asks = needs_path(name, loader_or_name)
    expect(asks == (path is not None), f"{name} asks for {'a path' if asks else 'no path'}")
    parts = loader_or_name() if path is None else loader_or_name(Path(path))
    wrong = parts_fault(parts)
    expect(not wrong, f"{name}: {wrong}")
    return make_dataset(name, parts, _FRACTION, seed)


def _check_parts(data: Dataset) -> None:
    expect(all(isinstance(label, int) for label in data.labels), "a label is no whole number")
    every = set(range(data.classes))
    for split, where in ((data.train, "training"), (data.validation, "validation")):
        expect(set(split.y.tolist()) == every, f"a class is missing in {where}")
    expect(set(data.test.y.tolist()) <= every, "the test part has a class that training lacks")
    expect(len(data.test) > 0, "the test part is empty")
    for split in (data.train, data.validation, data.test):
        expect(split.x.shape[1:] == data.train.x.shape[1:], "the parts differ in shape")
        expect(split.x.dtype == np.float32 and split.y.dtype == np.int64, "float32 x, int64 y")
        expect(split.x.min() >= 0 and split.x.max() <= 1, "inputs are not within 0 and 1")
    expect(data.train.x.max() > data.train.x.min(), "all inputs are equal")
    known = _rows(data.train) | _rows(data.validation)
    shared = len(known & _rows(data.test))
    expect(not shared, f"{shared} test samples are among those for training")


def _rows(split: Split) -> set[bytes]:
    return {np.ascontiguousarray(row).tobytes() for row in split.x}


def _check_validation(
    loader_or_name: Callable[..., Parts] | str, path: str | None, data: Dataset
) -> None:
    other = _loaded(loader_or_name, path, seed=1)
    expect(
        not np.array_equal(other.validation.x, data.validation.x),
        "validation does not depend on the seed of the split",
    )
    expect(
        _digest(other, ("test",)) == _digest(data, ("test",)),
        "the test part depends on the seed of the split",
    )
    sizes = [len(one.train) + len(one.validation) for one in (data, other)]
    expect(sizes[0] == sizes[1], "samples are lost in the split")


def _check_missing_file(loader_or_name: Callable[..., Parts] | str) -> None:
    missing = str(Path(__file__).resolve().parent / "no such file")
    try:
        _loaded(loader_or_name, missing)
    except (RequestError, OSError):
        return
    except Exception as error:
        raise AssertionError(
            f"a missing file gives {type(error).__name__}: {error}; allowed: an OSError, or a"
            " RequestError that says what to do"
        ) from error
    raise AssertionError("a missing file is not noticed")


def _digest(data: Dataset, parts: tuple[str, ...] = ("train", "validation", "test")) -> str:
    digest = hashlib.sha256(repr((data.labels, data.input_shape)).encode())
    for name in parts:
        split: Any = getattr(data, name)
        for array in (split.x, split.y):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
