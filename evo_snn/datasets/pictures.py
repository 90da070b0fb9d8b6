"""Image files of any kind as arrays of bytes, all of one size, cached where that is asked for."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from evo_snn.datasets.loader import Count, SizeOptions
from evo_snn.datasets.reading import bad, check_fits, read_as
from genomes.errors import RequestError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff"})
"""Endings of the files that are taken for images, in small or capital letters."""


_WIDE = {"I": "32-bit integers", "F": "floating-point numbers"}  # Pillow's modes


def _pair(value: object) -> object:
    return (value, value) if isinstance(value, int) else value


class PictureOptions(SizeOptions):
    """How image files become inputs of one size."""

    size: Annotated[tuple[Count, Count] | None, BeforeValidator(_pair)] = Field(
        None, description="rows and columns, e.g. 32 or [32, 48]; not said: that of the first image"
    )
    resize: Literal["refuse", "stretch", "crop"] = Field(
        "refuse",
        description="images of another size: refuse them; stretch them; or scale them until they"
        " cover the size, and cut its middle out (bilinear, over all pixels that are covered)",
    )
    channels: Literal["rgb", "grey"] = Field("rgb", description="rgb: 3 channels; grey: 1")
    cache_folder: str = Field(
        "", description="folder that keeps the decoded images; they are then mapped, not loaded"
    )


def decoded(files: Sequence[Path], options: PictureOptions) -> NDArray[np.uint8]:
    """Images as an array (N, channels, rows, columns).

    Raises:
        RequestError: One of the files is no image that can be read, or has another size.
    """
    shape = _shape(files[0], options)
    check_fits(files[0].parent, len(files) * int(np.prod(shape)))
    if not options.cache_folder:
        store = np.empty((len(files), *shape), np.uint8)
        _decode_into(store, files, options)
        return store
    return _cached(files, options, shape)


def _shape(file: Path, options: PictureOptions) -> tuple[int, int, int]:
    size = options.size or _decode(file, options, None).shape[1:]
    return (1 if options.channels == "grey" else 3, size[0], size[1])


def _decode_into(store: NDArray[np.uint8], files: Sequence[Path], options: PictureOptions) -> None:
    size = (store.shape[2], store.shape[3])
    for row, file in enumerate(files):
        store[row] = _decode(file, options, size)


def _decode(file: Path, options: PictureOptions, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """One image as (channels, rows, columns)."""
    from PIL import Image

    kinds = (SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
    with read_as(file, "an image file that can be read", *kinds), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            pixels = _in_bytes(file, image).convert("L" if options.channels == "grey" else "RGB")
        if size is not None and (pixels.height, pixels.width) != size:
            pixels = _resized(file, pixels, size, options.resize)
        array = np.asarray(pixels, dtype=np.uint8)
    return array[np.newaxis] if array.ndim == 2 else np.moveaxis(array, 2, 0)  # noqa: PLR2004


def _in_bytes(file: Path, image: "Image") -> "Image":
    """The image with 8 bits a value: Pillow would clip wider ones, and so make nearly all white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        # the high byte, as Pillow itself reads colours of 16 bits
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in _WIDE:
        allowed = "an image of integers of 8 or 16 bits"
        raise bad(file, allowed, f"Its values are {_WIDE[image.mode]}, of no known range.")
    return image


def _resized(file: Path, image: "Image", size: tuple[int, int], rule: str) -> "Image":
    from PIL import Image, ImageOps

    rows, columns = size
    if rule == "refuse":
        got = f"{image.height} x {image.width} pixels in {file}"
        remedy = "data.options.resize = 'stretch' or 'crop' makes all images one size."
        raise RequestError("data.options.size", got, f"{rows} x {columns}, as others", remedy)
    if rule == "crop":
        return ImageOps.fit(image, (columns, rows), Image.Resampling.BILINEAR)
    return image.resize((columns, rows), Image.Resampling.BILINEAR)


def _cached(
    files: Sequence[Path], options: PictureOptions, shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The same array, mapped from a file that the first call makes.

    Its name is a hash of the files' names, sizes and times and of the options, so that changed
    images are read anew; it is put in place whole.
    """
    place = Path(options.cache_folder)
    wanted = (len(files), *shape)
    path = place / f"images-{_cache_key(files, options)}.npy"
    with read_as(place, "a folder that can be written to"):
        place.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            handle, name = tempfile.mkstemp(dir=place, suffix=".part")
            os.close(handle)
            try:
                store = np.lib.format.open_memmap(name, mode="w+", dtype=np.uint8, shape=wanted)
                _decode_into(store, files, options)
                store.flush()
                Path(name).replace(path)
            finally:
                Path(name).unlink(missing_ok=True)
        mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    if mapped.shape != wanted or mapped.dtype != np.uint8:
        raise bad(path, "a cache as it was written", "Delete it.")
    return mapped


def _cache_key(files: Sequence[Path], options: PictureOptions) -> str:
    chosen = options.model_dump(exclude={"cache_folder"})
    digest = hashlib.sha256(repr(chosen).encode())
    for file in files:
        about = file.stat()
        digest.update(f"{file.resolve()}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
