"""A clock that jumps back, two processes at once, and a folder that nobody may write in."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

Document = dict[str, Any]

LOOKS = ("front", "candidates", "show", "status", "check")


def numbers(value: Any) -> Iterator[float]:
    """All numbers of a JSON document."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, int | float):
        yield value


@pytest.mark.parametrize("moment", [0, 1])
def test_a_clock_that_jumps_back_changes_nothing(outcomes: Document, moment: int) -> None:
    found = outcomes["clock"][moment]
    assert (found["status"], found["difference"], found["problems"]) == (0, "", [])
    before, *_, after = (one["time"] for one in found["seen"])
    assert -86400 < after - before < -86000  # it did jump
    assert not re.search(r"-\d+ s", found["said"])


@pytest.mark.parametrize("moment", [0, 1])
def test_status_makes_sense_while_the_clock_jumps_back(outcomes: Document, moment: int) -> None:
    *running, finished = outcomes["clock"][moment]["seen"]
    afterwards = outcomes["clock"][moment]["afterwards"]
    for one in (*running, finished, afterwards):
        assert all(math.isfinite(number) and number >= 0 for number in numbers(one))
    assert [one["state"] for one in running] == ["running"] * 6
    assert [one["evaluated"] for one in running] == list(range(6))
    assert (finished["state"], afterwards["state"]) == ("finished", "finished")
    left = [one["seconds_left"] for one in running]
    assert left[:4] == [None] * 4
    assert all(seconds < 3600 for seconds in left[4:])
    assert not re.search(r"[ (]-\d", outcomes["clock"][moment]["shown"])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_of_two_processes_at_once_one_goes_on(outcomes: Document, number: int) -> None:
    found = outcomes["two"][number]
    refused, went_on = found["refused"], found["went_on"]
    assert (went_on["status"], refused["status"]) == (0, 2), (went_on["said"], refused["said"])
    lines = refused["said"].splitlines()
    assert len(lines) == 1
    holder = f"It is process {went_on['process']} on {found['host']}: wait until it ends."
    # of two new searches, one may come after the other has made its run
    taken = "allowed: a folder without a run" if found["command"] == "evolve" else holder
    assert holder in lines[0] or taken in lines[0]
    assert (found["difference"], found["problems"]) == ("", [])


@pytest.mark.parametrize("command", LOOKS)
@pytest.mark.parametrize("run", ["finished", "stopped"])
def test_a_read_only_folder_can_be_looked_at(outcomes: Document, run: str, command: str) -> None:
    found = outcomes["read_only"][run]
    there, elsewhere = found["found"][command], found["writable"][command]
    assert (there["status"], there["said"]) == (0, "")
    assert there["printed"] == elsewhere["printed"] != ""


@pytest.mark.parametrize("run", ["finished", "stopped"])
def test_a_run_in_a_read_only_folder_does_not_go_on(outcomes: Document, run: str) -> None:
    found = outcomes["read_only"][run]
    resumed = found["found"]["resume"]
    assert resumed["status"] == 2
    assert resumed["said"] == (
        f"error: run folder: got '{found['folder']}'; allowed: a folder to write in."
        " Permission denied.\n"
    )
    assert not found["changed"]
