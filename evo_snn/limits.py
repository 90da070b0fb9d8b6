"""What keeps worker processes in bounds: memory, time, and a driver that may die before them.

Called in a worker process alone; a limit that the system does not know is not set.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ASKED_EVERY = 0.5  # seconds between two looks at whether the driver lives
_SHARE = 0.9  # of what is free: the driver and the system need some
_LEAST_SHARE = 2 * 10**9  # bytes; with less, not even the libraries load
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def prepare_process(driver: int, memory_bytes: int | None) -> None:
    """Make this process a worker: deaf to Ctrl-C, bounded in memory, gone when its driver is.

    Args:
        driver: The number of the process that started this one.
        memory_bytes: What this process may take; None for no limit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what becomes of its workers
    if memory_bytes is not None:
        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    threading.Thread(target=_end_with, args=(driver,), daemon=True, name="driver watch").start()


def _end_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(_ASKED_EVERY)
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def ended_after(seconds: float, diary: Path) -> Iterator[None]:
    """End this process if the block takes longer, or crashes; ``diary`` then says where it was.

    The watch does not need the interpreter, so that it also ends code that never gives it back.
    """
    with diary.open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()


def memory_share(processes: int) -> int | None:
    """An equal share of the free memory in bytes; None where that is unknown."""
    free = [amount for amount in (_free_of_machine(), _free_of_container()) if amount is not None]
    return max(int(_SHARE * min(free) / processes), _LEAST_SHARE) if free else None


def _free_of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _free_of_container() -> int | None:
    """What a control group (version 2) leaves to its processes."""
    with suppress(OSError, ValueError):
        most = (_CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = (_CONTROL_GROUP / "memory.current").read_text(encoding="ascii").strip()
        if most != "max":
            return max(0, int(most) - int(used) + _cached_files())
    return None


def _cached_files() -> int:
    """Bytes that a control group gives back when they are wanted."""
    lines = (_CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
