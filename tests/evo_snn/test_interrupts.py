"""Ctrl-C: who hears it, and when."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from evo_snn.interrupts import Interrupts, withheld

MASK = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What a test does to signals is over when it is."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_the_first_asks_the_second_stops_and_a_third_needs_nobody() -> None:
    with Interrupts() as interrupts:
        assert not interrupts.wanted
        send(signal.SIGTERM)
        assert interrupts.wanted
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        send(signal.SIGINT)
        assert not interrupts.wanted
        send(signal.SIGTERM)
        assert interrupts.wanted
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_what_is_not_pythons_to_handle_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal.getsignal
    before = real(signal.SIGTERM)
    with monkeypatch.context() as patched:
        # as Python tells of a handler that was there before it
        patched.setattr(signal, "getsignal", lambda number: None)
        with Interrupts():
            assert real(signal.SIGTERM) is before
            assert real(signal.SIGINT) is signal.default_int_handler
    assert real(signal.SIGTERM) is before


def test_what_is_started_while_it_is_withheld_is_deaf_and_nothing_is_lost() -> None:
    def child_is_deaf() -> bool:
        command = [sys.executable, "-c", MASK]
        return subprocess.run(command, capture_output=True, check=True).stdout == b"True\n"

    with Interrupts() as interrupts:
        with withheld():
            assert child_is_deaf()
            send(signal.SIGINT)
        assert interrupts.wanted
        assert not child_is_deaf()
