"""``status``: how a run stands, also from another terminal while it goes on."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evo_snn.commands.look import Folder, Json
from evo_snn.commands.output import cell, print_json, print_lines, print_table, print_values, shown
from evo_snn.commands.whole import of_a_whole_run

if TYPE_CHECKING:
    from evo_snn.sessions import SessionRecord
    from evo_snn.status import Status


@of_a_whole_run
def status(folder: Folder, json: Json = False) -> None:
    """How a run stands: state, progress, what is left, sessions, and what to type next."""
    from evo_snn.status import read_status

    found = read_status(folder)
    if json:
        print_json({**found.to_document(), "next": next_command(found)})
        return
    print_values(f"run {shown(found.folder)}", dict(_facts(found)))
    _print_sessions(found)
    print_lines("", "next:", f"  {next_command(found)}")


def next_command(status: "Status") -> str:
    """What its user most likely wants to type now."""
    folder = shlex.quote(shown(status.folder))
    if status.state in ("interrupted", "stopped", "failed"):
        return f"evo-snn resume {folder}"
    return f"evo-snn {'front' if status.front else 'candidates'} {folder}"


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.2g} s" if seconds < 10 else f"{whole} s"  # noqa: PLR2004 - two digits
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not hours:
        return f"{minutes} min {whole % 60} s"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"


def size(count: int) -> str:
    """A number of bytes."""
    if count < 1000:  # noqa: PLR2004 - of the next unit
        return f"{count} B"
    value, units = float(count), iter(("kB", "MB", "GB", "TB"))
    while True:
        value, unit = value / 1000, next(units)
        if value < 1000 or unit == "TB":  # noqa: PLR2004 - of the next unit
            return f"{value:.3g} {unit}"


def _facts(status: "Status") -> Iterator[tuple[str, str]]:
    yield "state", _state(status)
    planned = "" if status.generations is None else f" of {status.generations}"
    begun = f", {status.begun} evaluated of the next" if status.begun else ""
    yield "generations", f"{status.finished}{planned} finished{begun}"
    counts = f"{status.trained} trained, {status.infeasible} infeasible, {status.failed} failed"
    yield "evaluated", f"{status.evaluated}: {counts}"
    yield "failed attempts", str(status.events.get("failure", 0))
    if "repair" in status.events:
        yield "repairs", str(status.events["repair"])
    yield "front", f"{status.front} designs"
    for best in status.best:
        yield f"best {best.name}", cell(best.value)
    if status.leaky:
        yield "accuracies flatter", status.leaky
    yield "hypervolume", cell(status.hypervolume)
    if status.generation_seconds is not None:
        yield "a generation", f"{duration(status.generation_seconds)} (median)"
    if status.seconds_left is not None:
        yield "left", f"about {duration(status.seconds_left)}"
    yield "disk", size(status.disk_bytes)


def _state(status: "Status") -> str:
    detail = {
        "running": f": {status.writer}",
        "stopped": ": it was killed, or never began; nobody works on it",
        "failed": f": {status.reason}" if status.reason else "",
    }
    return status.state + detail.get(status.state, "")


def _print_sessions(status: "Status") -> None:
    from evo_snn.environment import differences

    if not status.sessions:
        return
    rows = [
        (
            one.number,
            f"{one.process} on {one.host}",
            one.workers.get("jobs"),
            one.generations,
            one.started,
            one.outcome or ("running" if _is_writer(status, one) else "killed"),
        )
        for one in status.sessions
    ]
    print_table("\nsessions", ("", "process", "jobs", "generations", "started", "outcome"), rows)
    first, *later = status.sessions
    print_values("\nenvironment", first.environment)
    stored = dict(first.environment)
    for one in later:
        for line in differences(stored, dict(one.environment)):
            print_lines(f"session {one.number}: {line}")
        stored = dict(one.environment)


def _is_writer(status: "Status", session: "SessionRecord") -> bool:
    """Whether a session is that of who works on the run now."""
    return status.writer == f"process {session.process} on {session.host}"
