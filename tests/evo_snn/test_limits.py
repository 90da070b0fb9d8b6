"""Bounds of worker processes: memory, time, and a driver that is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from joblib.externals.loky import ProcessPoolExecutor

from evo_snn import limits
from evo_snn.config import WorkersSection
from evo_snn.config_file import load_config
from evo_snn.limits import memory_share_gb, prepare_process
from genomes.errors import RequestError

GIGABYTE = 10**9
NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")


def run(code: str) -> subprocess.CompletedProcess[str]:
    code = f"import os, time\nfrom pathlib import Path\nfrom evo_snn.limits import *\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("machine", "container", "share"),
    [
        (25.3, "max", 12.5),
        (25.9, "max", 12.5),  # the same machine under another kernel
        (25.3, str(8 * GIGABYTE), 4.0),
        (4.1, str(64 * GIGABYTE), 2.0),
        (1.0, "max", 2.0),  # the least that anything runs in
        (None, "max", None),
    ],
)
def test_a_workers_share_is_half_of_all_memory_whatever_is_free(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: float | None,
    container: str,
    share: float | None,
) -> None:
    (tmp_path / "memory.max").write_text(f"{container}\n")
    amount = None if machine is None else int(machine * GIGABYTE)
    monkeypatch.setattr(limits, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(limits, "_of_machine", lambda: amount)
    for free in (1, 10**12):
        monkeypatch.setattr(limits, "_free_of_machine", lambda free=free: free)
        assert memory_share_gb() == share
        assert {WorkersSection(jobs=jobs).memory_gb for jobs in (1, 64)} == {share}


def test_a_limit_that_nothing_runs_in_is_refused() -> None:
    config = {"data": {"name": "digits"}, "search": {"space": "plain"}}
    with pytest.raises(RequestError, match=r"workers.memory_gb: got 1.9; allowed: .* to 2"):
        load_config(config, {"workers.memory_gb": 1.9})
    assert load_config(config, {"workers.memory_gb": 2.0}).workers.memory_gb == 2.0


def test_a_process_that_starts_above_its_limit_has_a_watch_all_the_same() -> None:
    result = run("prepare_process(os.getppid(), '/nowhere', 1)\nos.write(1, b'alive')")
    assert (result.returncode, result.stdout, result.stderr) == (0, "alive", "")


@pytest.mark.parametrize("diary", ["missing/diary", "diary"])
def test_what_takes_too_long_is_ended_also_where_no_diary_can_be_opened(
    tmp_path: Path, diary: str
) -> None:
    path = tmp_path / diary
    result = run(f"with ended_after(1, Path({str(path)!r})):\n    time.sleep(10 ** 6)")
    assert (result.returncode, result.stderr) == (1, "")
    if diary == "diary":
        assert path.read_text().startswith("Timeout")


WORKER = """
import os, sys
from evo_snn.limits import prepare_process
prepare_process(os.getppid(), sys.argv[1], None)
print(input("ready\\n"), flush=True)
sum(range(10 ** 12))  # and never gives the interpreter back
"""


@NEEDS_LINUX
def test_a_worker_lives_as_long_as_the_process_that_started_it_not_its_thread() -> None:
    reader, writer = os.pipe()
    started: list[subprocess.Popen[str]] = []

    def start() -> None:
        command = [sys.executable, "-c", WORKER, f"/proc/{os.getpid()}/fd/{reader}"]
        pipe = subprocess.PIPE
        started.extend(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)
        )
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    try:
        for one in started:
            assert one.stdin is not None
            assert one.stdout is not None
            print("still here", file=one.stdin, flush=True)
            assert one.stdout.readline() == "still here\n"
        os.close(writer)  # as the kernel does when the driver is gone
        assert [one.wait(timeout=300) for one in started] == [-signal.SIGKILL] * 2
    finally:
        os.close(reader)
        for one in started:
            one.kill()
            one.communicate()


_held = []


def _grown():
    _held.append(b"1" * (400 << 20))
    return os.getpid()


def _waited():
    time.sleep(1.1)  # loky looks once a second
    return os.getpid()


def test_a_worker_that_has_grown_stays(tmp_path):
    """loky replaces workers that grow by 300 MB after their first task."""
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    with lifeline.open("rb+", buffering=0):
        pool = ProcessPoolExecutor(
            1, initializer=prepare_process, initargs=(os.getpid(), str(lifeline), None)
        )
        with pool:
            jobs = (_waited, _grown, _waited, _waited, _waited)
            assert len({pool.submit(job).result() for job in jobs}) == 1
