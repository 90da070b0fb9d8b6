"""Other people's programs in a process of their own, as whoever writes them runs them.

A worker of this package sets the C library's memory allocator, which speeds up everything in its
process; no other program does. So those run in another process, which waits while this one works:
still one program at a time, every one in every round.
"""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from speed.plans import Plan
from speed.timing import Timed, seconds


class Elsewhere:
    """The other process; a context manager."""

    def __enter__(self) -> Self:
        """Start it."""
        context = get_context("spawn")  # a fork would have this process' allocator
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._connection.close()
        self._process.join()

    def timed(self, what: str, plan: Plan, name: str) -> Timed:
        """The time there of a program of `speed.programs.rivals`; ``what`` as for `rival_call`."""

        def run(times: int) -> float:
            self._connection.send((what, plan, name, times))
            found: float = self._connection.recv()
            return found

        return run


def _serve(connection: Connection) -> None:
    import torch

    from speed.programs import rival_call

    torch.set_num_threads(1)
    calls = {}
    while True:
        try:
            what, plan, name, times = connection.recv()
        except EOFError:
            return
        calls = {key: call for key, call in calls.items() if key[1] == plan}
        key = (what, plan, name)
        if key not in calls:
            calls[key] = rival_call(*key)
        connection.send(seconds(calls[key], times))
