"""MNIST and its relatives: images and labels in idx files.

The format is at http://yann.lecun.com/exdb/mnist/: two zero bytes, one for the type of values (8:
unsigned bytes), one for the number of axes, their sizes as big-endian 32-bit integers, the values.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.base import Parts, Split, at_most
from evo_snn.datasets.lazy import counts
from evo_snn.datasets.loader import OwnLoader, SizeOptions
from evo_snn.datasets.reading import (
    bad,
    check_fits,
    class_indices,
    content,
    first_file,
    folder,
    read_as,
)
from genomes.errors import RequestError

_BYTES = 8  # the type of values that images and labels have
_MAGIC = struct.Struct(">HBB")
_WHOLE = "a whole idx file of unsigned bytes"
_IMAGE_AXES = 3

_FILES = (
    "a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and"
    " t10k-labels-idx1-ubyte, each as it is or with .gz"
)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file; mapped into memory where the file is not compressed.

    Raises:
        RequestError: The file is cut off, too long, or no idx file of unsigned bytes.
    """
    with read_as(path, _WHOLE, struct.error):
        head = content(path, _MAGIC.size)
        if len(head) < _MAGIC.size:
            raise bad(path, _WHOLE, f"It has {len(head)} bytes.")
        zero, kind, axes = _MAGIC.unpack(head)
        if zero or kind != _BYTES or not axes:
            raise bad(path, _WHOLE, "It begins otherwise.")
        start = _MAGIC.size + 4 * axes
        shape = struct.unpack(f">{axes}I", content(path, start)[_MAGIC.size :])
        size = 1
        for side in shape:
            size *= side
        check_fits(path, size)
        values: NDArray[np.uint8]
        if path.suffix == ".gz":
            values = np.frombuffer(content(path, start + size + 1), np.uint8)[start:]
        else:
            values = np.memmap(path, np.uint8, mode="r")[start:]
        if len(values) != size:
            more = "more" if len(values) > size else len(values)
            raise bad(path, _WHOLE, f"It has {more} of the {size} values that it announces.")
        return values.reshape(shape)


def load_mnist(path: Path, options: SizeOptions) -> Parts:
    """Grey images with the labels 0 to 9, in the training and test parts of their authors."""
    return _parts(path, options, tuple(str(digit) for digit in range(10)))


def load_fashion_mnist(path: Path, options: SizeOptions) -> Parts:
    """Grey images of clothes, in the training and test parts of their authors.

    Debian's package ``dataset-fashion-mnist`` puts the files into
    ``/usr/share/datasets/fashion-mnist``.
    """
    return _parts(path, options, _CLOTHES)


def _parts(path: Path, options: SizeOptions, names: tuple[str, ...]) -> Parts:
    folder(path, "idx files")
    x_train, y_train = _pair(path, "train")
    x_test, y_test = _pair(path, "t10k")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise bad(path, f"test images of {x_train.shape[1:]} pixels", f"Has {x_test.shape[1:]}.")
    train, test, labels = class_indices(y_train, y_test)
    chosen = at_most(train, options.per_class)
    return Parts(
        Split(counts(x_train), train).take(chosen),
        Split(counts(x_test), test),
        labels,
        names=names if labels == tuple(range(len(names))) else (),
    )


def _pair(path: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, 1, rows, columns) and labels (N,) of a part."""
    images, labels = (
        read_idx(first_file(path, [f"{part}-{kind}-idx{n}-ubyte", f"{part}-{kind}.idx{n}-ubyte"]))
        for kind, n in (("images", 3), ("labels", 1))
    )
    if images.ndim != _IMAGE_AXES or labels.ndim != 1 or images.size == 0:
        raise bad(path, f"{part}-images of three axes, {part}-labels of one")
    if len(images) != len(labels):
        raise RequestError(
            f"{part}-labels", f"{len(labels)} labels", f"{len(images)}, one an image"
        )
    return images[:, np.newaxis], labels


_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

MNIST = OwnLoader(
    "MNIST: 70,000 grey images of handwritten digits, 28 x 28 pixels",
    load_mnist,
    files=_FILES,
    shape="(N, 1, 28, 28)",
    source="Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/",
    licence="none stated at its home; often given as CC BY-SA 3.0",
    options=SizeOptions,
)

FASHION_MNIST = OwnLoader(
    "Fashion-MNIST: 70,000 grey images of clothes, 28 x 28 pixels",
    load_fashion_mnist,
    files=_FILES,
    shape="(N, 1, 28, 28)",
    source="H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747, 2017; Debian: dataset-fashion-mnist",
    licence="MIT",
    options=SizeOptions,
)
