"""Threads that can be ended before their work is done."""

import threading
import time

import pytest

from evo_snn.threads import Threads


def test_calls_run_at_once_and_give_results_or_what_they_raise() -> None:
    threads, meeting = Threads(), threading.Barrier(2, timeout=300)
    futures = [threads.submit(meeting.wait) for _ in range(2)]
    assert {future.result() for future in futures} == {0, 1}
    with pytest.raises(KeyboardInterrupt):
        threads.submit(lambda: exec("raise KeyboardInterrupt")).result()  # noqa: S102
    threads.end()


def test_what_never_ends_is_ended() -> None:
    def forever() -> None:
        while True:
            begun.set()
            time.sleep(0.001)

    begun, threads = threading.Event(), Threads()
    future = threads.submit(forever)
    begun.wait()
    threads.end()
    assert isinstance(future.exception(), SystemExit)
