"""Signals, images or volumes in a file: ``x_train``, ``y_train``, ``x_test``, ``y_test``."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.base import Parts, Split
from evo_snn.datasets.loader import OwnLoader
from evo_snn.limits import free_memory
from genomes.errors import RequestError, shortened

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_AXES = "axes"
_SPATIAL = ("L", "HW", "DHW")
_MAGIC = b"PK"  # how a zip archive begins
_MOST_CHANNELS = 4  # an axis this short is one of channels: grey, two polarities, RGB, RGBA
_WHITE = 255  # of 8-bit images
_BYTES_OF_A_VALUE = 12  # while it is scaled: a float64, then a float32
_LONGEST_REASON = 200
_DOUBLE = 8  # bytes of a float64
_CLASSES = 2  # the fewest that can be told apart


def load_npz(path: Path) -> Parts:
    """The training part, the test part and the labels of a file.

    ``x_train`` and ``x_test`` hold N inputs, ``y_train`` and ``y_test`` (N,) their labels, integers
    of any values. What the axes of the inputs mean follows from their number:

    - (N, L): signals of one channel;
    - (N, H, W): grey images;
    - (N, C, H, W) or (N, H, W, C): images;
    - (N, C, D, H, W) or (N, D, H, W, C): volumes.

    Of the last two, the channels are the one of at most 4 among the second and the last axis;
    failing that, the one that leaves equal sizes (a square image, a cube); failing that, the last.

    Where that guess is wrong, the file says what its axes are: ``axes``, a string with a letter an
    axis, for ``x_train`` and ``x_test`` alike. N comes first; then, in any order, L, or H and W, or
    D, H and W, and C where there are channels. Signals of several channels need it, ``axes="NCL"``
    or ``"NLC"``, as (N, C, L) looks like grey images; so do grey volumes, ``axes="NDHW"``. Write it
    as ``numpy.savez(file, x_train=…, y_train=…, x_test=…, y_test=…, axes="NCL")``.

    ``uint8`` is divided by 255; floating-point values that already lie in [0, 1] stay; anything
    else is scaled by the smallest and largest value of ``x_train``, and ``x_test`` is clipped to
    [0, 1].

    Raises:
        RequestError: If the file or an array is missing, unreadable, or not as described. Files
            with pickled objects are refused, never executed.
    """
    arrays = _read(path)
    axes = _stated_axes(arrays[_AXES]) if _AXES in arrays else None
    for part in ("train", "test"):
        _check_inputs(f"x_{part}", arrays[f"x_{part}"], axes)
        arrays[f"y_{part}"] = _checked_labels(part, arrays[f"x_{part}"], arrays[f"y_{part}"])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        shape = arrays["x_train"].shape[1:]
        raise RequestError("x_test", arrays["x_test"].shape, f"inputs of shape {shape} as x_train")
    labels = _labels(arrays["y_train"], arrays["y_test"])
    axes = axes or _guessed_axes(arrays["x_train"].shape)
    train, test = (
        Split(_channels_first(x, axes), np.searchsorted(labels, y).astype(np.int64))
        for x, y in zip(
            _scaled(arrays["x_train"], arrays["x_test"]),
            (arrays["y_train"], arrays["y_test"]),
            strict=True,
        )
    )
    return Parts(train, test, tuple(int(label) for label in labels))


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if not path.is_file():
            raise RequestError("data.path", str(path), "an .npz file that exists")
        with path.open("rb") as handle:
            if handle.read(len(_MAGIC)) != _MAGIC:
                remedy = "It is no .npz file, whatever its name is."
                raise RequestError("data.path", str(path), "an .npz file of numpy.savez", remedy)
        # Opening by handle rather than by name: numpy leaves a broken file's handle open.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            missing = [name for name in _ARRAYS if name not in archive]
            if missing:
                found = ", ".join(sorted(archive)) or "no arrays"
                needed = ", ".join(_ARRAYS)
                raise RequestError("data.path", str(path), f"a file with {needed}", f"Has {found}.")
            _check_fits(path, sum(member.file_size for member in archive.zip.infolist()))
            arrays = {name: archive[name] for name in (*_ARRAYS, _AXES) if name in archive}
    except RequestError:
        raise
    except MemoryError as error:
        raise _too_large(path, str(error)) from None
    except Exception as error:  # noqa: BLE001 - zipfile and numpy raise anything on a broken file
        if "pickle" in str(error):
            remedy = "Save arrays of numbers; pickled objects are never loaded."
            raise RequestError("data.path", str(path), "arrays of numbers", remedy) from None
        reason = f"{shortened(str(error), _LONGEST_REASON)}." if str(error) else ""
        allowed = "a whole .npz file of numpy.savez"
        raise RequestError("data.path", str(path), allowed, reason) from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that begins like no array
            raise RequestError("data.path", str(path), f"an array of numpy.savez as {name}")
    values = sum(array.size for array in arrays.values())
    _check_fits(path, values * _BYTES_OF_A_VALUE)
    return arrays


def _check_fits(path: Path, wanted: int) -> None:
    """Refuse what would take all memory before the first array is made."""
    free = free_memory()
    if free is not None and wanted > free:
        raise _too_large(path, f"It takes {wanted / 1e9:.3g} GB, and {free / 1e9:.3g} are free")


def _too_large(path: Path, reason: str) -> RequestError:
    return RequestError("data.path", str(path), "arrays that fit into memory", f"{reason}.")


def _stated_axes(axes: NDArray[Any]) -> str:
    text = str(axes) if axes.dtype.kind == "U" and axes.ndim == 0 else ""
    spatial = "".join(sorted(set(text) - set("NC")))
    if not text.startswith("N") or len(set(text)) < len(text) or spatial not in _SPATIAL:
        allowed = "one string such as 'NL', 'NCL', 'NHWC' or 'NDHW': N, then each other axis once"
        raise RequestError(_AXES, text or axes, allowed)
    return text


def _check_inputs(name: str, x: NDArray[Any], axes: str | None) -> None:
    if axes is not None and x.ndim != len(axes):
        raise RequestError(
            name, f"shape {x.shape}", f"{len(axes)} axes, as {_AXES} = {axes!r} says"
        )
    if x.ndim not in (2, 3, 4, 5) or x.size == 0:
        shapes = "at least one input as (N, L), (N, H, W), (N, C, H, W) or (N, C, D, H, W)"
        raise RequestError(name, f"shape {x.shape}", shapes)
    if x.dtype.kind not in "buif":
        raise RequestError(name, f"dtype {x.dtype}", "real numbers")
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what only long doubles hold is infinite
            finite = np.isfinite(x if x.dtype.itemsize <= _DOUBLE else x.astype(np.float64))
        if not finite.all():
            bad = int(np.count_nonzero(~finite))
            raise RequestError(name, f"{bad} values that are NaN or infinite", "finite numbers")


def _checked_labels(part: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    name = f"y_{part}"
    if y.dtype.kind not in "iu":
        raise RequestError(name, f"dtype {y.dtype}", "integer labels", "Use y.astype(int).")
    if y.shape not in ((len(x),), (len(x), 1)):
        allowed = f"shape ({len(x)},), one label an image of x_{part}"
        raise RequestError(name, f"shape {y.shape}", allowed)
    return y.reshape(-1)


def _labels(y_train: NDArray[Any], y_test: NDArray[Any]) -> NDArray[Any]:
    labels = np.unique(y_train)
    if len(labels) < _CLASSES:
        raise RequestError("y_train", f"{len(labels)} class", "two classes or more")
    unseen = sorted({int(label) for label in np.unique(y_test)} - {int(label) for label in labels})
    if unseen:
        raise RequestError("y_test", unseen, "labels that are in y_train too")
    return labels


def _scaled(
    train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if train.dtype == np.uint8 and test.dtype == np.uint8:
        return np.divide(train, _WHITE, dtype=np.float32), np.divide(test, _WHITE, dtype=np.float32)
    low, high = np.float64(train.min()), np.float64(train.max())
    if low == high:
        raise RequestError("x_train", f"{low} everywhere", "images that differ")
    if train.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = np.float64(0), np.float64(1)

    def scale(x: NDArray[Any]) -> NDArray[np.float32]:
        # Halves, so that the span of the largest floating-point numbers is finite too.
        ratio = (x.astype(np.float64) / 2 - low / 2) / (high / 2 - low / 2)
        return np.clip(ratio, 0, 1).astype(np.float32)

    return scale(train), scale(test)


def _guessed_axes(shape: tuple[int, ...]) -> str:
    """What the axes of inputs mean where the file does not say it: a letter each."""
    if len(shape) <= 3:  # noqa: PLR2004 - no channels
        return ("NL", "NHW")[len(shape) - 2]
    sizes, spatial = shape[1:], _SPATIAL[len(shape) - 3]
    if (sizes[0] <= _MOST_CHANNELS) != (sizes[-1] <= _MOST_CHANNELS):
        leading = sizes[0] <= _MOST_CHANNELS
    else:
        leading = len(set(sizes[1:])) == 1 and len(set(sizes[:-1])) > 1
    return f"NC{spatial}" if leading else f"N{spatial}C"


def _channels_first(x: NDArray[np.float32], axes: str) -> NDArray[np.float32]:
    """Inputs as (N, C, *spatial), the spatial axes in the order D, H, W."""
    if "C" not in axes:
        x, axes = x[..., np.newaxis], f"{axes}C"
    order = "NC" + "".join(sorted(set(axes) - set("NC")))
    return np.ascontiguousarray(x.transpose([axes.index(letter) for letter in order]))


NPZ = OwnLoader(
    "Signals, images or volumes in a file: ``x_train``, ``y_train``, ``x_test``, ``y_test``.",
    load_npz,
    files="an .npz file of numpy.savez",
    shape="(N, C, L), (N, C, H, W) or (N, C, D, H, W)",
    source="your own",
    licence="your own",
)
