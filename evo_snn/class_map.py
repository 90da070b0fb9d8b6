"""Class maps: what a network makes of every pixel of a scene, beside what is known of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from genomes.errors import RequestError

PARTS = ("unused", "train", "validation", "test")
"""What a pixel can be for; `ClassMap.part` holds places in it."""


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Classes of the pixels of a scene.

    Attributes:
        truth: class index of each pixel, (rows, columns); -1 where it is not known.
        predicted: what the network says, for every pixel, (rows, columns).
        part: what each pixel is for, a place in `PARTS`, (rows, columns).
        names: of the classes.
        leaky: why the figures flatter; "" where they do not.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    part: NDArray[np.int64]
    names: tuple[str, ...]
    leaky: str = ""

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file without pickles."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            truth=self.truth.astype(np.int16),
            predicted=self.predicted.astype(np.int16),
            part=self.part.astype(np.uint8),
            names=np.array(self.names),
            leaky=np.array(self.leaky),
        )
        return file.getvalue()

    @classmethod
    def read(cls, path: Path) -> ClassMap:
        """The map in a file.

        Raises:
            RequestError: it holds none.
        """
        try:
            # opened here, for numpy leaves a torn archive open
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                maps = [file[name].astype(np.int64) for name in ("truth", "predicted", "part")]
                names, leaky = tuple(map(str, file["names"].tolist())), str(file["leaky"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadZipFile):
            raise RequestError("class map", str(path), "a file that evo-snn train wrote") from None
        truth, predicted, part = maps
        fits = truth.ndim == 2 and truth.shape == predicted.shape == part.shape  # noqa: PLR2004
        if not fits or not truth.size or max(truth.max(), predicted.max()) >= len(names):
            raise RequestError("class map", str(path), "maps of one size with a name a class")
        return cls(truth, predicted, part, names, leaky)

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which pixels are the test's, (rows, columns)."""
        tested: NDArray[np.bool_] = self.part == PARTS.index("test")
        return tested


def map_path(folder: Path, key: str) -> Path:
    """The file of a design's class map in the folder of trained designs."""
    return folder / f"{key}.map.npz"
