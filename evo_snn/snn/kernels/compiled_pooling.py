"""OR pooling of spikes as loops over memory, compiled by Numba when first called, then cached.

The *key* of a spike is the window's size minus the spike's place in its window, in row-major order,
so that it is at least 1; where nothing fired it is 0. The largest key of a window is the key of its
first spike, which is where torch's maximum pooling sends the gradient. One number a neuron thus
tells the result and the place, and a maximum of long vectors finds it: first over the window's
rows, then over neighbours within what is left.

Maps lie channels last; one and two spatial dimensions are three, some of size 1. Some rows of
windows at a time stay in the processor's first cache. See ``compiled`` for what makes such loops
fast. ``numbers`` are 0, 1, … up to the window's size, in the type of the data.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[Any]
Window = tuple[int, int, int]

VECTOR = 8
"""Values that a processor handles at once, about: shorter loops are not worth one."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _position(row: int, shape: Window) -> tuple[int, int, int]:  # pragma: no cover
    """Sample, plane and row of a row of windows, of its number."""
    _, rows, _ = shape
    return row // rows // shape[0], row // rows % shape[0], row % rows


@_compiled
def _over_rows(
    maps: Numbers, window: Window, shape: Window, first: int, numbers: Numbers, keys: Numbers
) -> None:  # pragma: no cover
    """Largest keys over the rows of windows: ``keys`` (rows of windows, length).

    ``shape`` is that of the pooled maps, but for channels; ``first`` the number of the first row.
    """
    depth, height, width = window
    many, length = keys.shape
    for r in range(many):
        n, d, h = _position(first + r, shape)
        one, two = numbers[-1], numbers[-1 - width]
        start = min(height, 2)  # two rows at once, where a window's plane has them
        if start == 1:
            for j in range(length):
                keys[r, j] = maps[n, d * depth, h * height, j] * one
        else:
            for j in range(length):
                x = maps[n, d * depth, h * height, j] * one
                y = maps[n, d * depth, h * height + 1, j] * two
                keys[r, j] = x if x > y else y
        for k in range(start, depth * height):
            a, b = d * depth + k // height, h * height + k % height
            key = numbers[(depth * height - k) * width]
            for j in range(length):
                x = maps[n, a, b, j] * key
                keys[r, j] = keys[r, j] if keys[r, j] > x else x


@_compiled
def _over_neighbours(keys: Numbers, numbers: Numbers, out: Numbers) -> None:  # pragma: no cover
    """Largest keys of windows (pixels, channels), of those by column (pixels, width, channels)."""
    pixels, width, channels = keys.shape
    if width == 1:
        out[:] = keys[:, 0]
        return
    number = numbers[1]
    for p in range(pixels):
        for c in range(channels):
            other = keys[p, 1, c] - number
            out[p, c] = keys[p, 0, c] if keys[p, 0, c] > other else other
    for k in range(2, width):
        number = numbers[k]
        for p in range(pixels):
            for c in range(channels):
                other = keys[p, k, c] - number
                out[p, c] = out[p, c] if out[p, c] > other else other


@_compiled
def _told(keys: Numbers, one: Any, out: Numbers, kept: Numbers) -> None:  # pragma: no cover
    """Spikes of keys, and the keys as integers."""
    for j in range(len(keys)):
        out[j] = keys[j] if keys[j] < one else one
    for j in range(len(keys)):
        kept[j] = np.int32(keys[j])


@_compiled
def pool(
    maps: Numbers,
    window: Window,
    shape: Window,
    channels: int,
    numbers: Numbers,
    group: int,
    out: Numbers,
    kept: Numbers,
) -> None:  # pragma: no cover
    """Pooled spikes.

    Args:
        maps: (samples, depth, height, width x channels), 0 or 1.
        window: depth, height, width.
        shape: depth, height, width of the pooled maps.
        channels: number of them.
        numbers: see above.
        group: rows of windows at a time.
        out: (samples x pooled pixels x channels); is written.
        kept: as ``out``, integers: keys; is written.
    """
    width, length = window[2], shape[2] * channels
    rows = len(maps) * shape[0] * shape[1]
    keys = np.empty((group, width * length), maps.dtype)
    largest = np.empty(group * length, maps.dtype)
    for first in range(0, rows, group):
        many = min(group, rows - first)
        columns, of_windows = keys[:many], largest[: many * length]
        _over_rows(maps, window, shape, first, numbers, columns)
        pixels = many * shape[2]
        _over_neighbours(
            columns.reshape(pixels, width, channels),
            numbers,
            of_windows.reshape(pixels, channels),
        )
        part = slice(first * length, (first + many) * length)
        _told(of_windows, numbers[1], out[part], kept[part])


@_compiled
def _places(kept: Numbers, zero: Any, first: Any, out: Numbers) -> None:  # pragma: no cover
    """Keys, where nothing fired that of the window's first place."""
    for j in range(len(out)):
        out[j] = np.int32(kept[j])
    for j in range(len(out)):
        out[j] = out[j] if out[j] > zero else first


@_compiled
def _to_pixels(
    gradient: Numbers,
    keys: Numbers,
    window: Window,
    shape: Window,
    first: int,
    numbers: Numbers,
    out: Numbers,
) -> None:  # pragma: no cover
    """Gradients to where they belong, pixel by pixel.

    ``gradient`` and ``keys`` are (rows of windows, pixels, channels), ``out`` (samples, depth,
    height, width, channels).
    """
    depth, height, width = window
    zero = numbers[0]
    many, pixels, channels = keys.shape
    for r in range(many):
        n, d, h = _position(first + r, shape)
        for k in range(depth * height):
            a, b = d * depth + k // height, h * height + k % height
            for p in range(pixels):
                for j in range(width):
                    key, at = numbers[(depth * height - k) * width - j], p * width + j
                    for c in range(channels):
                        out[n, a, b, at, c] = gradient[r, p, c] if keys[r, p, c] == key else zero


@_compiled
def _spread(x: Numbers, steps: Numbers, out: Numbers) -> None:  # pragma: no cover
    """Of each pixel a copy for each column, and a step added: (pixels, width, channels)."""
    pixels, width, channels = out.shape
    for p in range(pixels):
        for j in range(width):
            step = steps[j]
            for c in range(channels):
                out[p, j, c] = x[p, c] + step


@_compiled
def _to_rows(
    gradient: Numbers,
    keys: Numbers,
    window: Window,
    shape: Window,
    first: int,
    numbers: Numbers,
    out: Numbers,
) -> None:  # pragma: no cover
    """Gradients to where they belong, row by row.

    ``gradient`` and ``keys`` are (rows of windows, length), `_spread`; ``out`` is as in `pool`.
    """
    depth, height, width = window
    zero = numbers[0]
    many, length = keys.shape
    for r in range(many):
        n, d, h = _position(first + r, shape)
        for k in range(depth * height):
            a, b = d * depth + k // height, h * height + k % height
            key = numbers[(depth * height - k) * width]
            for j in range(length):
                out[n, a, b, j] = gradient[r, j] if keys[r, j] == key else zero


@_compiled
def _clear_the_rest(
    out: Numbers, window: Window, shape: Window, zero: Any
) -> None:  # pragma: no cover
    """Zeros where no window is: ``out`` (samples, depth, height, width, channels)."""
    planes, rows, pixels = shape[0] * window[0], shape[1] * window[1], shape[2] * window[2]
    for n in range(len(out)):
        out[n, planes:] = zero
        for d in range(planes):
            out[n, d, rows:] = zero
            for h in range(rows):
                out[n, d, h, pixels:] = zero


@_compiled
def unpool(
    gradient: Numbers,
    kept: Numbers,
    window: Window,
    shape: Window,
    channels: int,
    numbers: Numbers,
    group: int,
    out: Numbers,
) -> None:  # pragma: no cover
    """Gradients of maps.

    Args:
        gradient: of the pooled maps, (samples x pooled pixels x channels).
        kept: keys that `pool` gave.
        window: as in `pool`, like all that have a name there.
        shape: as in `pool`.
        channels: as in `pool`.
        numbers: as in `pool`.
        group: as in `pool`.
        out: (samples, depth, height, width x channels); is written.
    """
    samples, planes, rows, _ = out.shape
    pixels_of = out.reshape(samples, planes, rows, -1, channels)
    width, length = window[2], shape[2] * channels
    if len(gradient) * window[0] * window[1] * window[2] < out.size:
        _clear_the_rest(pixels_of, window, shape, numbers[0])
    keys = np.empty(group * length, out.dtype)
    by_column = np.empty((2, group * width * length), out.dtype)
    none = np.zeros_like(numbers)
    every = samples * shape[0] * shape[1]
    for first in range(0, every, group):
        many = min(group, every - first)
        part = slice(first * length, (first + many) * length)
        of_windows, k = gradient[part], keys[: many * length]
        _places(kept[part], numbers[0], numbers[-1], k)
        pixels = many * shape[2]
        if channels % VECTOR == 0:
            by_pixel = (many, shape[2], channels)
            _to_pixels(
                of_windows.reshape(by_pixel),
                k.reshape(by_pixel),
                window,
                shape,
                first,
                numbers,
                pixels_of,
            )
            continue
        values = many * width * length
        g, k2 = by_column[0, :values], by_column[1, :values]
        by_window = (pixels, width, channels)
        _spread(of_windows.reshape(pixels, channels), none, g.reshape(by_window))
        _spread(k.reshape(pixels, channels), numbers, k2.reshape(by_window))
        by_row = (many, width * length)
        _to_rows(g.reshape(by_row), k2.reshape(by_row), window, shape, first, numbers, out)
