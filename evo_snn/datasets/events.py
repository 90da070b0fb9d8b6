"""Events of a sensor as frames, by a stated rule.

An event is a place (column x, row y), a polarity (0 off, 1 on) and a time in microseconds. A frame
counts them by polarity and place; counts above ``clip`` are clipped, and a count of ``clip`` is 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evo_snn.datasets.base import Split
from evo_snn.datasets.lazy import counts
from evo_snn.datasets.loader import SizeOptions
from evo_snn.datasets.reading import check_fits
from genomes.errors import RequestError

_POLARITIES = 2
_US_PER_MS = 1000
_MOST = 255  # that a frame's count can be: it is stored in a byte


@dataclass(frozen=True)
class Events:
    """The events of one recording.

    Attributes:
        x: Columns, shape (n,), integers.
        y: Rows.
        p: Polarities, 0 or 1.
        t: Times in microseconds, in any order.
        name: Of the recording, for messages.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    p: NDArray[Any]
    t: NDArray[Any]
    name: str

    @property
    def duration_us(self) -> int:
        """From the first event to the last, both included: what frames of equal length divide."""
        return int(self.t.max()) - int(self.t.min()) + 1 if len(self.t) else 0


class EventOptions(SizeOptions):
    """How events become frames."""

    frames: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        10, description="frames of a recording"
    )
    by: Literal["time", "count"] = Field(
        "time",
        description="time: frames of equal length from the first event to the last;"
        " count: frames of equally many events, in the order of time",
    )
    downsample: Annotated[int, Field(strict=True, ge=1)] = Field(
        1, description="rows and columns of the sensor that are one of a frame; events are summed"
    )
    clip: Annotated[int, Field(strict=True, ge=1, le=_MOST)] = Field(
        1, description="events of a place in a frame that count as 1; more are clipped"
    )


def split_of(
    recordings: Iterable[Events],
    y: NDArray[np.int64],
    sensor: tuple[int, int],
    options: EventOptions,
    path: Path,
) -> Split:
    """Recordings as inputs of shape (N, frames, polarity, rows, columns), and how long they are.

    Args:
        recordings: N recordings, one at a time.
        y: Their classes, shape (N,).
        sensor: Rows and columns of the sensor.
        options: The rule.
        path: Where the recordings are, for messages.

    Raises:
        RequestError: An event lies beyond the sensor, or the frames do not fit into memory.
    """
    shape = (len(y), *frame_shape(sensor, options))
    check_fits(path, int(np.prod(shape, dtype=np.int64)))
    store, durations = np.empty(shape, np.uint8), np.zeros(len(y))
    for row, events in enumerate(recordings):
        store[row] = one_of(events, sensor, options)
        durations[row] = events.duration_us / _US_PER_MS
    return Split(counts(store, options.clip), y, durations)


def frame_shape(sensor: tuple[int, int], options: EventOptions) -> tuple[int, int, int, int]:
    """(frames, polarity, rows, columns) of a recording."""
    rows, columns = (-(-side // options.downsample) for side in sensor)
    return options.frames, _POLARITIES, rows, columns


def one_of(events: Events, sensor: tuple[int, int], options: EventOptions) -> NDArray[np.uint8]:
    """The clipped counts of one recording, (frames, polarity, rows, columns)."""
    _check(events, sensor)
    shape = frame_shape(sensor, options)
    place = (
        _frame(events.t, options),
        events.p.astype(np.int64),
        events.y.astype(np.int64) // options.downsample,
        events.x.astype(np.int64) // options.downsample,
    )
    flat = np.ravel_multi_index(place, shape)
    found = np.bincount(flat, minlength=int(np.prod(shape)))
    return np.minimum(found, options.clip).astype(np.uint8).reshape(shape)


def _frame(t: NDArray[Any], options: EventOptions) -> NDArray[np.int64]:
    """The frame of each event."""
    if len(t) == 0:
        return np.zeros(0, np.int64)
    if options.by == "count":
        rank = np.empty(len(t), np.int64)
        rank[np.argsort(t, kind="stable")] = np.arange(len(t))
        return rank * options.frames // len(t)
    since = t.astype(np.int64) - int(t.min())
    return since * options.frames // (int(since.max()) + 1)


def _check(events: Events, sensor: tuple[int, int]) -> None:
    rows, columns = sensor
    bounds = (("x", events.x, columns), ("y", events.y, rows), ("p", events.p, _POLARITIES))
    for axis, values, most in bounds:
        wrong = np.flatnonzero((values < 0) | (values >= most))
        if len(wrong):
            first = wrong[0]
            got = f"{axis} = {values[first]} of event {first} in {events.name}"
            allowed = f"0 to {most - 1}: the sensor has {columns} columns and {rows} rows"
            raise RequestError("data", got, allowed)
