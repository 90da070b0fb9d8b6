"""Hyperspectral scenes in files: the one array of three axes, and the one of two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.reading import bad, check_finite, check_fits, numeric_arrays, read_as
from genomes.errors import RequestError

_SUFFIXES = (".mat", ".npz")
_MATLAB_73 = b"MATLAB 7.3"
_CUBE_AXES = 3
_BYTES = 8  # of a value while it is scaled


@dataclass(frozen=True)
class Scene:
    """A scene with its ground truth.

    Attributes:
        cube: Reflectance, shape (rows, columns, bands).
        truth: Class of each pixel, int64, shape (rows, columns); 0 where it is not known.
        names: What the classes are called, in the order of their labels; may be empty.
    """

    cube: NDArray[Any]
    truth: NDArray[np.int64]
    names: tuple[str, ...]


def read_scene(path: Path, files: Sequence[str] = ()) -> Scene:
    """The scene of a file, or of files in a folder.

    Args:
        path: One ``.mat`` or ``.npz`` file with both arrays, or a folder.
        files: Names of files in the folder that are taken; any ``.mat`` and ``.npz`` otherwise.

    Raises:
        RequestError: There is not one array of three axes and one of two, their sizes differ, or
            the cube has values that are no numbers.
    """
    found = [each for file in _chosen(path, files) for each in _arrays(file)]
    cubes = [(name, array) for name, array in found if array.ndim == _CUBE_AXES]
    truths = [
        (name, array)
        for name, array in found
        if array.ndim == 2 and min(array.shape) > 1  # noqa: PLR2004
    ]
    for kind, several in (("three axes, the cube", cubes), ("two axes, the truth", truths)):
        if len(several) != 1:
            there = ", ".join(name for name, _ in several) or "none"
            remedy = "data.options.files = ['CUBE.mat', 'TRUTH.mat'] names the files to take."
            raise bad(path, f"one array of {kind}", f"Has {there}. {remedy}")
    cube, truth = _aligned(cubes[0][1], truths[0][1])
    check_fits(path, cube.size * _BYTES)
    check_finite(cubes[0][0], cube)
    check_finite(truths[0][0], truth)
    if (truth != np.floor(truth)).any() or truth.min() < 0:
        raise RequestError(truths[0][0], "other values", "whole numbers, 0 for unlabelled pixels")
    names = next((array for _, array in found if array.dtype.kind == "U"), np.array([]))
    return Scene(cube, truth.astype(np.int64), tuple(map(str, names.reshape(-1))))


def _chosen(path: Path, names: Sequence[str]) -> list[Path]:
    allowed = "a .mat or .npz file, or a folder with them"
    with read_as(path, allowed):
        if path.is_file():
            return [path]
        missing = [name for name in names if not (path / name).is_file()]
        if missing and path.is_dir():
            raise bad(path, f"a folder with {' and '.join(names)}", f"Has no {missing[0]}.")
        found = [path / name for name in names] or sorted(
            one for one in path.glob("*") if one.suffix.lower() in _SUFFIXES
        )
    if not found:
        raise bad(path, allowed)
    return found


def _arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays of a file: numbers of any axes, and one list of names of classes."""
    if path.suffix.lower() == ".npz":
        arrays = numeric_arrays(path, ())
    else:
        with read_as(path, "a whole MATLAB file", Exception):
            with path.open("rb") as handle:
                new = handle.read(len(_MATLAB_73)) == _MATLAB_73
            arrays = _matlab_73(path) if new else _matlab(path)
    for name, array in arrays.items():
        if array.dtype.kind in "buif" or name == "class_names":
            yield name, array


def _matlab(path: Path) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat

    found = loadmat(path)
    return {name: one for name, one in found.items() if isinstance(one, np.ndarray)}


def _matlab_73(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an HDF5 file; MATLAB writes their axes in the opposite order."""
    try:
        import h5py
    except ImportError:
        remedy = "Install it: pip install 'evo_snn[scenes]'; or save the file with -v7."
        raise bad(path, "a MATLAB 7.3 file only where h5py is installed", remedy) from None
    with h5py.File(path, "r") as file:
        return {
            name: one[()].T
            for name, one in file.items()
            if isinstance(one, h5py.Dataset) and one.dtype.kind in "buif"
        }


def _aligned(cube: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The cube with its bands last."""
    if cube.shape[:2] == truth.shape:
        return cube, truth
    if cube.shape[1:] == truth.shape:
        return np.moveaxis(cube, 0, 2), truth
    raise RequestError(
        "data", f"a ground truth of {truth.shape} pixels", f"that of the cube, {cube.shape}"
    )
