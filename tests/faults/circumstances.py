"""A clock that jumps back, two processes at once, a folder that nobody may write in."""

import json
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evo_snn.commands import main
from evo_snn.integrity import check
from evo_snn.status import read_status
from tests.evo_snn.searches import assert_equal_runs
from tests.faults.children import NEVER, Driver

Document = dict[str, Any]

NOBODY = 65534
DAY = 86400
PATIENCE = 60  # seconds after which a process that waits for another goes on, so that a test fails
LOOKS = ("front", "candidates", "status", "check")


def difference(one: Path, other: Path) -> str:
    """Between two runs; "" for none."""
    try:
        assert_equal_runs(one, other)
    except AssertionError as error:
        return str(error) or "AssertionError"
    return ""


# The clock


def clock_jumps(driver: Driver, whole: Path, strategy: str) -> Iterator[Document]:
    """Searches during which the clock goes back by a day: after a third, and after two thirds."""
    calls = _calls(driver, strategy)
    for call in (calls // 3, 2 * calls // 3):
        folder = driver.new_folder()
        notes = driver.base / f"notes-{folder.name}"
        ended = driver.run(_searching_as_the_clock_jumps(driver, folder, strategy, call, notes))
        seen = json.loads(notes.read_text()) if notes.exists() else {}
        line = ["status", str(folder)]
        status = driver.run(lambda: main([*line, "--json"]))  # noqa: B023 - called at once
        yield {
            "status": ended.status,
            "said": ended.said,
            **seen,
            "afterwards": json.loads(status.printed),
            "shown": driver.run(lambda: main(line)).printed,  # noqa: B023
            "difference": difference(folder, whole),
            "problems": [one.text for one in check(folder).problems],
        }


def _calls(driver: Driver, strategy: str) -> int:
    folder = driver.new_folder()

    def act() -> None:
        driver.shim.shim_watch(str(folder).encode(), NEVER, NEVER, 0)
        main(driver.arguments("evolve", folder, strategy))

    return driver.run(act).calls


def _searching_as_the_clock_jumps(
    driver: Driver, folder: Path, strategy: str, call: int, notes: Path
) -> Callable[[], None]:
    def look() -> None:
        seen.append({"time": time.time(), **read_status(folder).to_document()})

    def act() -> None:
        evaluations = driver.evaluations
        evaluations.before = look
        evaluations.forget()  # evaluations that are timed
        driver.shim.shim_shift_clock(call, -DAY)
        driver.shim.shim_watch(str(folder).encode(), NEVER, NEVER, 0)
        try:
            main(driver.arguments("evolve", folder, strategy))
        finally:
            look()
            notes.write_text(json.dumps({"seen": seen}, default=_plain))

    seen: list[Document] = []
    return act


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else str(value)


# Two at once


def two_at_once(driver: Driver, whole: Path, strategy: str, start: Path | None) -> Document:
    """Two processes that begin or resume the same run; who gets it waits until the other ended."""
    folder = start or driver.new_folder()
    command = "evolve" if start is None else "resume"
    go, going = os.pipe()
    over, ending = os.pipe()

    def wait() -> None:
        select.select([over], [], [], PATIENCE)

    def act() -> None:
        os.close(going)
        os.close(ending)
        driver.evaluations.before = wait
        select.select([go], [], [], PATIENCE)
        main(driver.arguments(command, folder, strategy))

    numbers = {driver.child(act) for _ in range(2)}
    os.close(going)
    first, status = os.wait()
    os.close(ending)
    refused = driver.gathered(first, status)
    went_on = driver.ended((numbers - {first}).pop())
    os.close(go)
    os.close(over)
    return {
        "command": command,
        "refused": asdict(refused),
        "went_on": asdict(went_on),
        "host": os.uname().nodename,
        "difference": difference(folder, whole),
        "problems": [one.text for one in check(folder).problems],
    }


# A folder that nobody may write in


def read_only(driver: Driver, folder: Path, public: Path) -> Document:
    """What each command makes of a run that is moved below ``public``, as a user without rights.

    Root may write everywhere, so commands run as nobody where root runs this.
    """
    place = folder.rename(public / folder.name)
    listed = json.loads(driver.run(lambda: main(["candidates", str(place), "--json"])).printed)
    lines = {name: [name, str(place), "--json"] for name in LOOKS}
    lines["show"] = ["show", str(place), listed["candidates"][0]["key"], "--json"]
    writable = {name: asdict(driver.run(lambda: main(line))) for name, line in lines.items()}  # noqa: B023
    lines["resume"] = ["resume", str(place), "--generations", "3", "--no-figures"]
    _permit(place, folders=0o555, files=0o444)
    before = _snapshot(place)
    found = {
        name: asdict(driver.run(lambda: _as_nobody(line)))  # noqa: B023 - called at once
        for name, line in lines.items()
    }
    changed = _snapshot(place) != before
    _permit(place, folders=0o755, files=0o644)
    return {"writable": writable, "found": found, "changed": changed, "folder": str(place)}


def _as_nobody(line: list[str]) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    main(line)


def _permit(place: Path, *, folders: int, files: int) -> None:
    for path in (place, *place.rglob("*")):
        path.chmod(folders if path.is_dir() else files)


def _snapshot(place: Path) -> list[tuple[str, int, bytes]]:
    paths = sorted((place, *place.rglob("*")))
    return [
        (str(path), path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in paths
    ]
