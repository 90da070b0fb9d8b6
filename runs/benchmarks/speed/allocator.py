"""The C library's allocator as a user's program has it, and as the package's workers set it."""

from __future__ import annotations

import ctypes
from typing import Literal

from evo_snn.allocator import keep_freed_memory

Allocator = Literal["default", "worker"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MEGABYTE = 1 << 20
_SETTLED = {_MMAP_THRESHOLD: 32 * _MEGABYTE, _TRIM_THRESHOLD: 64 * _MEGABYTE}
"""Where glibc's own thresholds end in a process that has freed large tensors: man 3 mallopt,
``DEFAULT_MMAP_THRESHOLD_MAX`` and twice that."""


def use(setting: Allocator) -> None:
    """Set the allocator of this process; nothing where the C library has no such settings."""
    if setting == "worker":
        keep_freed_memory()
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc; TypeError is Windows'
        return
    for parameter, value in _SETTLED.items():
        mallopt(parameter, value)
