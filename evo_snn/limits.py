"""What keeps worker processes in bounds: memory, time, and a driver that may die before them.

A limit that the system does not know is not set.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from evo_snn.allocator import keep_freed_memory

LEAST_MEMORY_GB = 2.0
"""With less, not even the libraries load: they map 1.1 GB before the first evaluation."""

_ASKED_EVERY = 0.5  # seconds between two looks at whether the driver lives
_SHARE = 0.5  # of all memory: one worker that goes astray leaves enough for the others
_USABLE = 0.9  # of what is free: the system needs some
_GIGABYTE = 10**9
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def prepare_process(driver: int, lifeline: str, memory_bytes: int | None) -> None:
    """Make this process a worker: deaf to Ctrl-C, bounded in memory, gone when its driver is.

    Args:
        driver: The number of the process that started this one.
        lifeline: A pipe's file; the driver alone can write to it, and holds it open while it lives.
        memory_bytes: What this process may take; None for no limit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what becomes of its workers
    keep_freed_memory()
    _stay_when_grown()
    _end_at_hangup(lifeline)
    # before the limit, under which a thread may find no memory to start in
    threading.Thread(target=_end_with, args=(driver,), daemon=True, name="driver watch").start()
    if memory_bytes is not None:
        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _stay_when_grown() -> None:
    """Have loky not replace this worker for having grown by 300 MB.

    It takes that for a leak; here memory is kept on purpose, and there is a limit.
    """
    from joblib.externals.loky import process_executor

    process_executor._USE_PSUTIL = False  # noqa: SLF001 - it has no other switch


def _end_at_hangup(lifeline: str) -> None:
    """Have the kernel kill this process when nobody can write to a pipe any more.

    That needs no interpreter, which an objective may never give back; Linux alone can do it.
    """
    with suppress(OSError, AttributeError):
        # opened anew, since who gets the signal is said for an opening, not for the pipe
        pipe = os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)


def _end_with(driver: int) -> None:
    """The same wherever there are threads, and for a driver that died while this began."""
    while os.getppid() == driver:
        time.sleep(_ASKED_EVERY)
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def ended_after(seconds: float, diary: Path) -> Iterator[None]:
    """End this process if the block takes longer, or crashes; ``diary`` then says where it was.

    The watch does not need the interpreter, so that it also ends code that never gives it back.
    """
    with _opened(diary) as file:
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()


def _opened(diary: Path) -> TextIO:
    try:
        return diary.open("w", encoding="utf-8")
    except OSError:  # somebody tidied the temporary files: the limit holds without a diary
        return Path(os.devnull).open("w", encoding="utf-8")


def memory_share_gb() -> float | None:
    """What a worker may take if nobody says it, in 10^9 bytes; None where that is unknown.

    A share of all memory of the machine or its container, whatever is free and however many workers
    there are: on equal machines, what runs out of memory is the same.
    """
    total = [amount for amount in (_of_machine(), _of_container()) if amount is not None]
    # whole gigabytes, since equal machines differ by what the system's kernel keeps
    return max(_SHARE * (min(total) // _GIGABYTE), LEAST_MEMORY_GB) if total else None


def free_memory() -> int | None:
    """How many bytes this process can still take; None where that is unknown."""
    free = [amount for amount in (_free_of_machine(), _free_of_container()) if amount is not None]
    return int(_USABLE * min(free)) if free else None


def _of_machine() -> int | None:
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_container() -> int | None:
    """What a control group (version 2) gives to its processes."""
    with suppress(OSError, ValueError):
        return int((_CONTROL_GROUP / "memory.max").read_text(encoding="ascii"))  # or "max"
    return None


def _free_of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _free_of_container() -> int | None:
    most = _of_container()
    with suppress(OSError, ValueError):
        used = int((_CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
        if most is not None:
            return max(0, most - used + _cached_files())
    return None


def _cached_files() -> int:
    """Bytes that a control group gives back when they are wanted."""
    lines = (_CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
