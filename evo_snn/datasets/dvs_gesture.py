"""DVS128 Gesture: recordings of people, as published (AEDAT 3.1) and as tonic's arrays."""

import csv
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.base import Parts, Split, at_most
from evo_snn.datasets.events import EventOptions, Events, split_of
from evo_snn.datasets.loader import OwnLoader
from evo_snn.datasets.reading import bad, class_indices, content, folder, read_as

_SENSOR = (128, 128)
_HEADER = struct.Struct("<hhiiiiii")  # of a packet
_POLARITY = 1  # the type of packets that matter
_EVENT = 8  # bytes
_TONIC = ("ibmGestureTrain", "ibmGestureTest")
_WHOLE = "a whole AEDAT 3.1 file"
_ALLOWED = (
    "a folder with trials_to_train.txt, trials_to_test.txt, their .aedat files and"
    " _labels.csv, or one with ibmGestureTrain and ibmGestureTest"
)
_NAMES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)


@dataclass(frozen=True)
class _Gesture:
    """One gesture: who made it, which it is (0 to 10), and what reads its events."""

    user: int
    label: int
    read: Callable[[], Events]


def load_dvs_gesture(path: Path, options: EventOptions) -> Parts:
    """Gestures of 29 people under changing light, 128 x 128 pixels, as frames.

    The parts are those of the authors, of different people; validation is of whole people too. A
    gesture is what lies between the two times that a line of the labels gives. Gestures are
    numbered from 0. x is (N, frames, polarity, 128, 128): ``downsample = 4`` makes it 32 x 32.
    """
    folder(path, "the recordings")
    if all((path / name).is_dir() for name in _TONIC):
        listed = [_of_tonic(path / name) for name in _TONIC]
    else:
        listed = [_of_authors(path, f"trials_to_{part}.txt") for part in ("train", "test")]
    train, test = listed
    y_train, y_test, labels = class_indices(
        *(np.array([one.label for one in part], dtype=np.int64) for part in (train, test))
    )
    chosen = at_most(y_train, options.per_class)
    kept = [train[one] for one in chosen]

    def split(part: list[_Gesture], y: NDArray[np.int64]) -> Split:
        recordings = (one.read() for one in part)
        return split_of(recordings, y, _SENSOR, options, path)

    return Parts(
        split(kept, y_train[chosen]),
        split(test, y_test),
        labels,
        groups=np.array([one.user for one in kept], dtype=np.int64),
        names=tuple(_NAMES[label] for label in labels) if max(labels) < len(_NAMES) else (),
        frames=options.frames,
    )


def read_aedat(path: Path) -> Events:
    """All valid polarity events of an AEDAT 3.1 file.

    Lines that begin with ``#``; then packets of a 28-byte header (type, source, size of an event,
    offset of its time, overflows of the timer, capacity, number, valid ones; little-endian) and
    events. One of polarity is 32 bits (column 15, row 15, polarity 1, valid 1, from the top) and 32
    of time (https://docs.inivation.com, AEDAT 3.1).
    """
    with read_as(path, _WHOLE, struct.error):
        data = content(path)
        start = _after_lines(path, data)
        found = []
        while start < len(data):
            kind, _, size, _, overflows, _, number, _ = _HEADER.unpack_from(data, start)
            start += _HEADER.size
            end = start + size * number
            if size < 0 or number < 0 or end > len(data):
                raise bad(path, _WHOLE, "A packet is cut off.")
            if kind == _POLARITY and size == _EVENT:
                words = np.frombuffer(data[start:end], "<u4").reshape(-1, 2).astype(np.int64)
                found.append(np.column_stack([words[:, 0], words[:, 1] + (overflows << 31)]))
            start = end
    word, t = np.concatenate(found).T if found else np.zeros((2, 0), np.int64)
    valid = (word & 1) == 1
    word, t = word[valid], t[valid]
    return Events(word >> 17, word >> 2 & 0x7FFF, word >> 1 & 1, t, str(path))


def _after_lines(path: Path, data: bytes) -> int:
    """Where the packets begin."""
    if not data.startswith(b"#!AER-DAT3.1"):
        raise bad(path, _WHOLE, "It begins otherwise.")
    ended = re.search(rb"^#!END-HEADER\r?\n", data, re.MULTILINE)
    if ended:
        return ended.end()
    lines = re.match(rb"(#[^\n]*\n)*", data)
    return lines.end() if lines else 0


def _of_authors(path: Path, trials: str) -> list[_Gesture]:
    """The gestures of the recordings that a file lists."""
    with read_as(path / trials, _ALLOWED):
        names = content(path / trials).decode("ascii").split()
    read = lru_cache(maxsize=1)(read_aedat)  # a recording holds a dozen gestures in a row
    found = []
    for name in names:
        recording = path / name
        labels = recording.with_name(f"{recording.stem}_labels.csv")
        with read_as(labels, "lines of class, startTime_usec, endTime_usec", csv.Error):
            rows = list(csv.DictReader(content(labels).decode("ascii").splitlines()))
            if not rows or not {"class", "startTime_usec", "endTime_usec"} <= set(rows[0]):
                raise bad(labels, "lines of class, startTime_usec, endTime_usec")
            spans = [
                (int(row["class"]), int(row["startTime_usec"]), int(row["endTime_usec"]))
                for row in rows
            ]
        found += [
            _Gesture(_user(recording), label - 1, partial(_between, read, recording, start, end))
            for label, start, end in spans
        ]
    return found


def _between(read: Callable[[Path], Events], path: Path, start: int, end: int) -> Events:
    """The events of a recording from one time to another, in microseconds."""
    events = read(path)
    inside = (events.t >= start) & (events.t < end)
    x, y, p, t = (one[inside] for one in (events.x, events.y, events.p, events.t))
    return Events(x, y, p, t, f"{path} from {start} to {end} us")


def _of_tonic(place: Path) -> list[_Gesture]:
    """The gestures of a folder of tonic's: ``user01_light/LABEL.npy``, (n, 4): x, y, p, t in ms."""
    files = sorted(place.glob("user*/*.npy"), key=lambda file: (file.parent.name, int(file.stem)))
    if not files:
        raise bad(place, "folders userNN_LIGHT with LABEL.npy")
    return [
        _Gesture(_user(file.parent), int(file.stem), partial(_tonic_events, file)) for file in files
    ]


def _tonic_events(path: Path) -> Events:
    with read_as(path, "an array (n, 4) of x, y, polarity, milliseconds"), path.open("rb") as file:
        events = np.load(file, allow_pickle=False)
        if events.ndim != 2 or events.shape[1] != 4 or events.dtype.kind not in "uif":  # noqa: PLR2004
            raise bad(path, "an array (n, 4) of x, y, polarity, milliseconds")
    x, y, p = (events[:, column].astype(np.int64) for column in range(3))
    return Events(x, y, p, (events[:, 3] * 1000.0).astype(np.int64), str(path))


def _user(path: Path) -> int:
    number = re.match(r"user(\d+)_", path.name)
    if number is None:
        raise bad(path, "a name that begins with userNN_")
    return int(number[1])


DVS_GESTURE = OwnLoader(
    "DVS128 Gesture: 11 hand and arm gestures of 29 people, by an event camera",
    load_dvs_gesture,
    files=_ALLOWED,
    shape="(N, frames, 2, 128, 128)",
    source="A. Amir et al., CVPR 2017, https://research.ibm.com/interactive/dvsgesture/",
    licence="CC BY 4.0",
    options=EventOptions,
)
