"""Malformed inputs: how they are made, tried, judged and counted.

An input is right (status 0, its result checked) or refused: status 2, one line ``error: …`` on
standard error, nothing on standard output, and nothing written. Every draw is seeded, so that each
run of the suite tries the same inputs; `INPUTS` says how many each test tries, and `Tries` sees to
it that it does.
"""

import contextlib
import io
import logging
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from evo_snn.commands import main
from genomes.errors import RequestError

ROOT = Path(__file__).parents[2]

INPUTS = {
    "test_bytes_of_a_configuration": 300,
    "test_values_of_a_configuration": 300,
    "test_what_set_takes": 200,
    "test_bytes_of_a_workload": 300,
    "test_values_of_a_workload": 300,
    "test_what_sweep_takes": 200,
    "test_bytes_of_a_chip": 150,
    "test_values_of_a_chip": 200,
    "test_overrides_of_a_chip": 200,
    "test_bytes_of_a_data_file": 300,
    "test_arrays_of_a_data_file": 250,
    "test_headers_of_a_data_file": 150,
    "test_genomes": 300,
    "test_arguments": 250,
    "test_bytes_of_a_run": 150,
    "test_rows_of_a_run": 200,
}
"""How many inputs each of the larger tests tries; the smaller ones try some tens more."""

_SECONDS = 120  # an input that takes longer hangs; most take milliseconds


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    status: int
    out: str
    err: str

    def assert_refused(self) -> None:
        """Status 2, no result, and one short line that a terminal can show."""
        assert self.status == 2, self
        assert self.out == "", self
        assert self.err.startswith("error: "), self
        assert self.err.endswith("\n"), self
        assert self.err[:-1].isprintable(), self
        assert len(self.err) < 2000, self
        assert "Traceback" not in self.err, self


def run_command(*arguments: object) -> Outcome:
    """Run ``evo-snn`` in this process; a command that hangs is a failure."""
    out, err = io.StringIO(), io.StringIO()
    # What is printed must be possible to print.
    with (
        contextlib.redirect_stdout(_encodable(out)),
        contextlib.redirect_stderr(err),
        _own_logger(),
        _limit(),
    ):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
    return Outcome(0 if status is None else status, out.getvalue(), err.getvalue())


def _encodable(stream: io.StringIO) -> io.StringIO:
    write = stream.write

    def checked(text: str) -> int:
        text.encode()
        return write(text)

    stream.write = checked
    return stream


@contextlib.contextmanager
def _own_logger() -> Iterator[None]:
    """A logger as a new process has it, and for other tests as it was."""
    logger = logging.getLogger("evo_snn")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    logger.handlers = []
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    def stop(*_args: object) -> None:
        raise TimeoutError("it hangs")

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def tree(folder: Path) -> set[str]:
    """Everything below a folder, by name."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def mutant(content: bytes, rng: random.Random) -> bytes:
    """Content with one to three faults such as a broken disk, editor or person makes."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(_FAULTS)(content, rng)
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return content
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _cut(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randint(1, 40) :]


def _insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(_JUNK) + content[place:]


def _double(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    place = rng.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def _number(content: bytes, rng: random.Random) -> bytes:
    """Put something else in place of a number."""
    places = [k for k, byte in enumerate(content) if chr(byte).isdigit()]
    if not places:
        return content
    start = end = rng.choice(places)
    while end < len(content) and chr(content[end]).isdigit():
        end += 1
    return content[:start] + rng.choice(_JUNK) + content[end:]


_FAULTS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip,
    _flip,
    _truncate,
    _cut,
    _insert,
    _double,
    _number,
    _number,
]

_JUNK = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b'"',
    b"'",
    b"[",
    b"{",
    b"}" * 3,
    b"[" * 5000,
    b"-1",
    b"0",
    b"1e999",
    b"-1e-999",
    b"nan",
    b"NaN",
    b"inf",
    b"Infinity",
    b"null",
    b"true",
    b"9" * 30,
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"1.5",
    b'"x"',
    b"[]",
    b"{}",
    b"1979-05-27",
    "é".encode(),
    "\u202e".encode(),
    "\u0430".encode(),  # looks like an a
    b"\x1b[2J",
    b"x" * 3000,
]


@dataclass
class Tries:
    """The inputs of one test: made from seeds or by Hypothesis, and counted."""

    wanted: int
    done: int = field(default=0)

    def seeds(self) -> Iterator[random.Random]:
        """A generator for each input."""
        for seed in range(self.wanted):
            yield random.Random(seed)  # noqa: S311 - nothing secret
            self.done += 1

    def examples(self, check: Callable[..., None]) -> None:
        """Try what Hypothesis gives to a function that is decorated by ``given``."""
        chosen = settings(
            max_examples=self.wanted,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        inner = check.hypothesis.inner_test

        def counted(*args: object, **kwargs: object) -> None:
            self.done += 1
            inner(*args, **kwargs)

        check.hypothesis.inner_test = counted
        chosen(check)()


@pytest.fixture
def tries(request, record_property):
    """The inputs of this test, as many as `INPUTS` says."""
    tries = Tries(INPUTS[request.node.originalname])
    yield tries
    record_property("inputs", tries.done)
    assert tries.done >= tries.wanted


@pytest.fixture(scope="session")
def command():
    """Run a command line; see `run_command`."""
    return run_command


@pytest.fixture(scope="session")
def one_line():
    """Check that an error is one short line that a terminal can show."""

    def check(error: RequestError) -> None:
        assert str(error).isprintable()
        assert len(str(error)) < 2000

    return check


@pytest.fixture(scope="session")
def mutate():
    """Content with faults; see `mutant`."""
    return mutant


@pytest.fixture
def untouched(tmp_path):
    """A folder in which nothing may be written."""
    folder = tmp_path / "untouched"
    folder.mkdir()
    yield folder
    assert tree(folder) == set()
