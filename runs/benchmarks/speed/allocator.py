"""The C library's allocator as a user's program has it, and as the package's workers set it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Literal

Allocator = Literal["default", "worker"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MEGABYTE = 1 << 20
_SETTLED = {_MMAP_THRESHOLD: 32 * _MEGABYTE, _TRIM_THRESHOLD: 64 * _MEGABYTE}
"""Where glibc's own thresholds end in a process that has freed large tensors: man 3 mallopt,
``DEFAULT_MMAP_THRESHOLD_MAX`` and twice that."""


def use(setting: Allocator) -> None:
    """Set the allocator of this process; nothing where the C library has no such settings."""
    mallopt = _mallopt()
    if mallopt is None:
        return
    if setting == "worker":
        _keep(mallopt)
    else:
        for parameter, value in _SETTLED.items():
            mallopt(parameter, value)


def _keep(mallopt: Callable[[int, int], int]) -> None:
    mallopt(_MMAP_THRESHOLD, 1 << 30)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _mallopt() -> Callable[[int, int], int] | None:
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return None
