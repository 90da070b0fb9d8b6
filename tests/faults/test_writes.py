"""Every write may fail: one line says what to do, nothing stored is lost, and doing it works.

By default a well-spread part of all writes is tried, with the environment variable
EVO_SNN_EVERY_FAULT each of them.
"""

import re
from typing import Any

import pytest

Document = dict[str, Any]

ERRORS = ("ENOSPC", "EIO")
SCENARIOS = (
    "evolve-wal-parents",
    "evolve-delete-shared",
    "resume-wal-shared",
    "resume-delete-parents",
)
REASON = (
    "(No space left on device|Input/output error|database or disk is full|disk I/O error"
    "|unable to open database file|attempt to write a readonly database)"
)


def chosen(outcomes: Document, scenario: str, error: str, *, lasting: bool) -> list[Document]:
    found = [
        one
        for one in outcomes["writes"]
        if (one["scenario"], one["error"], one["lasting"]) == (scenario, error, lasting)
    ]
    assert found
    return found


def check(one: Document) -> None:
    folder = re.escape(one["folder"])
    lines = [line for line in one["said"].splitlines() if not line.startswith("generation ")]
    expected = {
        0: "",
        1: f"error: could not write in {folder}: {REASON}. What was stored before is intact: mend"
        rf" that, then evo-snn resume {folder} \(--debug shows where\)",
        2: rf"error: (out|run folder): got '{folder}'; allowed: a folder to write in. {REASON}.",
    }
    assert one["call"], "the fault did not strike"
    assert re.fullmatch(expected[one["status"]], "\n".join(lines))
    # a search that has made its run says how to go on with it
    assert one["status"] != 2 or not one["is_run"] or one["scenario"].startswith("resume")
    assert one["lost"] == []
    assert {kind for kind, _ in one["problems"]} <= {"leftover"}
    assert one["difference"] == ""  # after what the line says was done


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_write_that_fails_loses_nothing(outcomes: Document, scenario: str, error: str) -> None:
    for one in chosen(outcomes, scenario, error, lasting=False):
        check(one)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_disk_that_takes_no_more_loses_nothing(
    outcomes: Document, scenario: str, error: str
) -> None:
    for one in chosen(outcomes, scenario, error, lasting=True):
        check(one)


def test_the_faults_are_many_and_of_all_kinds(outcomes: Document) -> None:
    once = [one for one in outcomes["writes"] if not one["lasting"]]
    assert all(sum(one["error"] == error for one in once) >= 60 for error in ERRORS)
    calls, files = zip(*(one["call"].split(" ", 1) for one in once), strict=True)
    assert {"open", "write", "pwrite", "fsync", "fdatasync"} <= set(calls)
    struck = {file.rsplit("/", 1)[-1] for file in files}
    assert {"run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal"} <= struck
    assert any(file.startswith("/weights/") for file in files)
    assert {one["status"] for one in once} == {0, 1, 2}
