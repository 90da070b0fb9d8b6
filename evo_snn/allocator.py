"""The C library's memory allocator, set for training: what is freed stays with the process.

By default glibc gives large blocks back to the system as soon as they are freed, and every training
step then pays for thousands of page faults when it takes them again (man 3 mallopt).
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_… of glibc's malloc.h
_BLOCKS_FROM_THE_HEAP = 1 << 30  # bytes; larger ones are still mapped, and given back
_KEPT_AT_ITS_END = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, for good; False where the C library has no such thing.

    For worker processes, which do nothing else: the memory of a user's own process is the user's.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc; TypeError is Windows'
        return False
    blocks = mallopt(_MMAP_THRESHOLD, _BLOCKS_FROM_THE_HEAP)
    end = mallopt(_TRIM_THRESHOLD, _KEPT_AT_ITS_END)
    return bool(blocks and end)
