"""N-MNIST, as published and as arrays in one file; its sensor has 34 x 34 pixels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evo_snn.datasets.base import Parts, at_most
from evo_snn.datasets.events import EventOptions, Events, split_of
from evo_snn.datasets.loader import Count, OwnLoader
from evo_snn.datasets.reading import (
    bad,
    class_indices,
    content,
    folder,
    numeric_arrays,
    read_as,
    subfolders,
)

_SENSOR = (34, 34)
_EVENT = 5  # bytes
_OVERFLOW_ROW = 240  # an event that stands for a timer's overflow
_OVERFLOW_US = 2**13
_ARRAYS = ("x", "y", "p", "t_us", "offsets")


class EventsNpzOptions(EventOptions):
    """The options of events in one file."""

    rows: Count = Field(34, description="rows of the sensor")
    columns: Count = Field(34, description="columns of the sensor")


def read_events(path: Path) -> Events:
    """The events of an N-MNIST file.

    An event has 40 bits: column, row, one bit of polarity, 23 bits of time in microseconds, the
    most significant byte first (G. Orchard et al., Frontiers in Neuroscience 9:437, 2015). Row 240
    is no event: the timer overflowed, and 2^13 microseconds are added from there on.
    """
    with read_as(path, "a file of 5 bytes an event"):
        raw = np.frombuffer(content(path), np.uint8)
    if raw.size % _EVENT:
        raise bad(path, "a file of 5 bytes an event", f"It has {raw.size} bytes.")
    fields = raw.reshape(-1, _EVENT).astype(np.int64)
    x, y, p = fields[:, 0], fields[:, 1], fields[:, 2] >> 7
    t = (fields[:, 2] & 127) << 16 | fields[:, 3] << 8 | fields[:, 4]
    overflow = y == _OVERFLOW_ROW
    t = t + _OVERFLOW_US * np.cumsum(overflow)
    return Events(x[~overflow], y[~overflow], p[~overflow], t[~overflow], str(path))


def load_nmnist(path: Path, options: EventOptions) -> Parts:
    """Recordings of MNIST digits in three saccades, about 4,000 events each, as frames.

    x is (N, frames, polarity, 34, 34); with ``downsample`` it has fewer rows and columns.
    """
    folder(path, "Train and Test")
    (train, y_train), (test, y_test) = (_listed(path / part) for part in ("Train", "Test"))
    first, second, labels = class_indices(y_train, y_test)
    chosen = at_most(first, options.per_class)
    kept = [train[one] for one in chosen]
    return Parts(
        split_of(map(read_events, kept), first[chosen], _SENSOR, options, path),
        split_of(map(read_events, test), second, _SENSOR, options, path),
        labels,
        names=tuple(map(str, labels)),
        frames=options.frames,
    )


def load_events_npz(path: Path, options: EventsNpzOptions) -> Parts:
    """Events in one ``.npz`` file, as frames.

    For ``train`` and ``test`` each: ``train_x`` and ``train_y`` (column and row), ``train_p`` (0 or
    1), ``train_t_us`` (microseconds), all events one after the other; ``train_offsets``, where
    recording i has the events ``train_offsets[i]`` to ``train_offsets[i + 1]``; and ``y_train``,
    the label of each recording. x is (N, frames, polarity, rows, columns).
    """
    parts = ("train", "test")
    wanted = [f"{part}_{name}" for part in parts for name in _ARRAYS]
    arrays = numeric_arrays(path, [*wanted, *(f"y_{part}" for part in parts)])
    for name, array in arrays.items():
        if array.dtype.kind not in "bui" or array.ndim != 1:
            raise bad(path, f"{name}: whole numbers, one axis")
    y_train, y_test, labels = class_indices(arrays["y_train"], arrays["y_test"])
    chosen = at_most(y_train, options.per_class)
    splits = [
        split_of(
            _sliced(path, arrays, part, rows, len(y)),
            y[rows],
            (options.rows, options.columns),
            options,
            path,
        )
        for part, rows, y in (
            ("train", chosen, y_train),
            ("test", np.arange(len(y_test)), y_test),
        )
    ]
    return Parts(splits[0], splits[1], labels, frames=options.frames)


def _sliced(
    path: Path, arrays: dict[str, NDArray[np.int64]], part: str, rows: NDArray[np.int64], n: int
) -> Iterator[Events]:
    offsets = arrays[f"{part}_offsets"].astype(np.int64)
    x, y, p, t = (arrays[f"{part}_{name}"] for name in _ARRAYS[:-1])
    alike = len(x) == len(y) == len(p) == len(t)
    if not alike or len(offsets) != n + 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise bad(path, f"{part}: events of equal number, {n + 1} rising offsets from 0")
    if offsets[-1] != len(x):
        raise bad(path, f"{part}_offsets that end at {len(x)}", f"They end at {offsets[-1]}.")
    for row in rows:
        one = slice(offsets[row], offsets[row + 1])
        yield Events(x[one], y[one], p[one], t[one], f"recording {row} of {part}")


def _listed(place: Path) -> tuple[list[Path], NDArray[np.int64]]:
    """The files of a part, by class and name, and their digits."""
    with read_as(place, "a folder with folders 0 to 9"):
        found = [
            (file, int(each.name))
            for each in subfolders(place)
            if each.name.isdecimal()
            for file in sorted(each.glob("*.bin"))
        ]
    if not found:
        raise bad(place, "a folder with folders 0 to 9 of .bin files")
    return [file for file, _ in found], np.array([label for _, label in found])


NMNIST = OwnLoader(
    "N-MNIST: 70,000 recordings of digits by an event camera, 34 x 34 pixels",
    load_nmnist,
    files="the unpacked folder with Train/0 … Train/9 and Test/0 … Test/9, of .bin files",
    shape="(N, frames, 2, 34, 34)",
    source="G. Orchard et al., Front. Neurosci. 9:437, 2015, https://www.garrickorchard.com",
    licence="CC BY-SA 4.0",
    options=EventOptions,
)

EVENTS_NPZ = OwnLoader(
    "Recordings of an event camera in one .npz file",
    load_events_npz,
    files="an .npz file with train_x, train_y, train_p, train_t_us, train_offsets, y_train, test_…",
    shape="(N, frames, 2, rows, columns)",
    source="your own",
    licence="your own",
    options=EventsNpzOptions,
)
