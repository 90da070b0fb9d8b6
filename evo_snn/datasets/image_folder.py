"""Images in folders, one folder a class; and Tiny ImageNet's own layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from evo_snn.datasets.base import Parts, Split, at_most, split_stratified
from evo_snn.datasets.lazy import counts
from evo_snn.datasets.loader import OwnLoader, Share
from evo_snn.datasets.pictures import SUFFIXES, PictureOptions, decoded
from evo_snn.datasets.reading import bad, content, folder, read_as, subfolders
from genomes.errors import RequestError

_TEST_SEED = 0  # the test part is the same for every run, whatever its seed

_Labelled = tuple[list[Path], list[str]]  # files, and the class of each


class FolderOptions(PictureOptions):
    """The options of a folder of images."""

    test_fraction: Share = Field(
        0.2, description="share of each class for the test, where there is no test folder"
    )


def load_image_folder(path: Path, options: FolderOptions) -> Parts:
    """Images in ``train/CLASS/``, ``val/CLASS/`` and ``test/CLASS/``, or in ``CLASS/`` alone.

    With ``test`` and ``val`` both are taken as they are. With one of them it is the test part, and
    validation is carved from ``train``. With class folders alone the test part is a share of every
    class, always the same. Classes are numbered in the order of the folders' names. Files that do
    not end like an image are passed over; folders within a class are searched.
    """
    folder(path, "a folder of images a class")
    parts = {
        part: _labelled(path / part) for part in ("train", "val", "test") if (path / part).is_dir()
    }
    if "train" not in parts:
        if parts and set(parts) == {one.name for one in subfolders(path)}:
            raise bad(path, "a folder with train", f"Has {' and '.join(parts)} alone.")
        return _divided(_labelled(path), options)
    held = [part for part in ("test", "val") if part in parts]
    if not held:
        return _divided(parts["train"], options)
    validation = parts["val"] if len(held) > 1 else None
    return _parts(parts["train"], parts[held[0]], validation, options)


def load_tiny_imagenet(path: Path, options: PictureOptions) -> Parts:
    """Tiny ImageNet as it is published: ``train/WNID/images/``, ``val/`` with its annotations.

    The labels of its own test part were never published, so its validation part is the test part
    here, as in the literature, and validation is carved from the training part. With 100,000
    images, ``cache_folder`` spares each worker the decoding.
    """
    folder(path, "wnids.txt, train and val")
    wnids = _lines(path / "wnids.txt")
    words = dict(_pairs(path / "words.txt")) if (path / "words.txt").is_file() else {}
    train = [(file, wnid) for wnid in wnids for file in _images(path / "train" / wnid / "images")]
    listed = _pairs(path / "val" / "val_annotations.txt")
    test = [(path / "val" / "images" / name, rest.split("\t")[0]) for name, rest in listed]
    return _parts(_unzipped(train), _unzipped(test), None, options, words)


def _unzipped(pairs: Sequence[tuple[Path, str]]) -> _Labelled:
    return [file for file, _ in pairs], [label for _, label in pairs]


def _labelled(place: Path) -> _Labelled:
    """The images of the class folders in a folder."""
    found = [(file, each.name) for each in subfolders(place) for file in _images(each)]
    return _unzipped(found)


def _images(place: Path) -> list[Path]:
    """The images in a folder and below, by path.

    Raises:
        RequestError: There is none.
    """
    found = sorted(
        one
        for one in place.rglob("*")
        if one.suffix.lower() in SUFFIXES and not one.name.startswith(".") and one.is_file()
    )
    if not found:
        raise bad(place, f"a folder with images ({', '.join(sorted(SUFFIXES))})")
    return found


def _divided(whole: _Labelled, options: FolderOptions) -> Parts:
    """Parts of folders that know no parts."""
    files, labels = whole
    _, y = np.unique(labels, return_inverse=True)
    kept, held = split_stratified(y, options.test_fraction, _TEST_SEED)
    train, test = (
        ([files[one] for one in chosen], [labels[one] for one in chosen]) for chosen in (kept, held)
    )
    return _parts(train, test, None, options)


def _parts(
    train: _Labelled,
    test: _Labelled,
    validation: _Labelled | None,
    options: PictureOptions,
    words: Mapping[str, str] | None = None,
) -> Parts:
    names = sorted(set(train[1]))
    strange = sorted({*test[1], *(validation or test)[1]} - set(names))
    if strange:
        raise RequestError("data.path", f"class {strange[0]}", "classes with images for training")
    number = {name: index for index, name in enumerate(names)}
    y_train = np.array([number[one] for one in train[1]], dtype=np.int64)
    if len(names) <= 1:
        raise RequestError("data.path", f"{len(names)} class for training", "two or more")
    chosen = at_most(y_train, options.per_class)
    files = [train[0][one] for one in chosen]
    first = decoded(files, options)
    alike = options.model_copy(update={"size": first.shape[2:]})

    def split(part: _Labelled) -> Split:
        y = np.array([number[one] for one in part[1]], dtype=np.int64)
        return Split(counts(decoded(part[0], alike)), y)

    return Parts(
        Split(counts(first), y_train[chosen]),
        split(test),
        tuple(range(len(names))),
        names=tuple((words or {}).get(name, name) for name in names),
        validation=None if validation is None else split(validation),
    )


def _lines(path: Path) -> list[str]:
    with read_as(path, "a list of class names"):
        return content(path).decode("utf-8").split()


def _pairs(path: Path) -> list[tuple[str, str]]:
    """The first column of a table with tabs, and the rest of each line."""
    with read_as(path, "lines of columns with tabs between them"):
        lines = [line for line in content(path).decode("utf-8").splitlines() if line.strip()]
        parted = [line.partition("\t") for line in lines]
        if not parted or not all(rest for _, _, rest in parted):
            raise bad(path, "lines of columns with tabs between them")
    return [(first, rest.strip()) for first, _, rest in parted]


IMAGE_FOLDER = OwnLoader(
    "Images in folders, one folder a class, with or without folders train, val and test",
    load_image_folder,
    files="a folder of class folders, or of train, val and test with class folders",
    shape="(N, 3, rows, columns), or (N, 1, rows, columns) for grey ones",
    source="your own",
    licence="your own",
    options=FolderOptions,
)

TINY_IMAGENET = OwnLoader(
    "Tiny ImageNet: 110,000 labelled colour images of 200 classes, 64 x 64 pixels",
    load_tiny_imagenet,
    files="the unpacked folder tiny-imagenet-200, with wnids.txt, words.txt, train and val",
    shape="(N, 3, 64, 64)",
    source="Stanford CS231n, http://cs231n.stanford.edu/tiny-imagenet-200.zip; from ImageNet",
    licence="ImageNet's terms: research and teaching",
    options=PictureOptions,
)
