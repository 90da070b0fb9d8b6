"""Threads that can be ended before their work is done."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PATIENCE = 5.0  # seconds that a thread is given to end


class Threads:
    """Calls, each in a thread of its own, which can all be ended.

    Those of ``ThreadPoolExecutor`` let no interpreter end before their work is done.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def submit(
        self, function: Callable[_P, _T], /, *args: _P.args, **keywords: _P.kwargs
    ) -> Future[_T]:
        """Begin a call at once."""
        future: Future[_T] = Future()

        def work() -> None:
            try:
                future.set_result(function(*args, **keywords))
            except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
                future.set_exception(error)

        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()
        return future

    def end(self) -> None:
        """End all threads as soon as each comes back to the interpreter, or leave it behind.

        One that is left does not keep the process, but had better be the exception: the library
        that it is in may not bear that the interpreter ends.
        """
        for thread in self._threads:
            _raise_in(thread, SystemExit)
        for thread in self._threads:
            thread.join(_PATIENCE)


def _raise_in(thread: threading.Thread, kind: type[BaseException]) -> None:
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(kind))
