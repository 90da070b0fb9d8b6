"""Ctrl-C, in two steps: the first lets a search end where it is whole, the second ends it at once.

A request to terminate (SIGTERM, as batch systems send it) counts as the first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from evo_snn.progress import LOGGER


class Interrupts:
    """Whether the user wants the search to end; a context manager around it.

    Signals reach the main thread alone: elsewhere nothing is caught. What whoever started this
    process wants ignored (``nohup``, a shell's ``&``) stays so, and what other than Python handles.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        """True after the first Ctrl-C."""
        return self._wanted.is_set()

    def __enter__(self) -> Self:
        """Catch signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave signals to whoever had them."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.wanted:
            for number in self._before:
                signal.signal(number, signal.SIG_DFL)  # a third one needs nobody's consent
            raise KeyboardInterrupt
        self._wanted.set()
        LOGGER.warning(
            "stopping when the evaluations that are running have finished; again (Ctrl-C) stops"
            " at once"
        )


@contextmanager
def withheld() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all, from processes and threads begun in the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
