import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from evo_snn import sessions
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.commands.status import duration, next_command, size
from evo_snn.reader import GenerationRecord
from evo_snn.sessions import SessionRecord
from evo_snn.status import read_status, run_state, seconds_left
from evo_snn.store import DATABASE, Store
from genomes.errors import RequestError

OBJECTIVES = [
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
]


def create(folder):
    return Store.create(
        folder,
        config_toml='[data]\nname = "digits"\n[search]\nspace = "plain"\n',
        environment={"torch": "2.0"},
        space={},
        objectives=OBJECTIVES,
        constraints={},
    )


def candidate(key, generation=0, state="ok", accuracy=0.5, area=2.0, **changes):
    metrics = {"accuracy": accuracy, "area_mm2": area} if state == "ok" else {}
    return Candidate(key, (0,), (), generation, state, metrics, **changes)


@pytest.fixture
def run(tmp_path):
    """A store with two of five generations, and one candidate of the third."""
    with create(tmp_path / "run") as store:
        store.start_session(5, {"jobs": 2}, {"torch": "2.0", "cpu": "a"})
        store.record(candidate("aa", accuracy=0.9, area=4.0, trained=True), b"x" * 5000)
        store.record(candidate("bb", accuracy=0.6, area=1.0, trained=True))
        store.record_generation(0, ["aa", "bb"], 0.25, 10.0)
        store.record(candidate("cc", 1, accuracy=0.5, area=3.0, trained=True))
        store.record(candidate("dd", 1, "infeasible", violations={"area_mm2": 1.0}))
        store.record_event("failure", "attempt 1: its worker died", "dd")
        store.record_generation(1, ["cc", "dd"], 0.5, 30.0)
        store.record(candidate("ee", 2, "failed", failure="Oops"))
        yield store


def test_what_a_run_has_done_is_counted(run):
    found = read_status(run.folder)

    assert (found.state, found.reason) == ("running", "")
    assert found.writer == f"process {os.getpid()} on {platform.node()}"
    assert (found.finished, found.generations, found.begun) == (2, 5, 1)
    counts = (found.evaluated, found.trained, found.infeasible, found.failed)
    assert counts == (5, 3, 1, 1)
    assert found.events == {"failure": 1}
    assert found.front == 2
    assert [(one.name, one.value) for one in found.best] == [("accuracy", 0.9), ("area_mm2", 1.0)]
    assert found.hypervolume == 0.5
    # A generation takes 20 s and has two new candidates, of which one is done of the third.
    assert found.generation_seconds == 20.0
    assert found.seconds_left == 50.0
    assert found.disk_bytes == sum(
        path.stat().st_size for path in run.folder.rglob("*") if path.is_file()
    )
    assert found.sessions[0].environment == {"torch": "2.0", "cpu": "a"}


def test_a_run_is_followed_while_it_is_written(run):
    before = read_status(run.folder).evaluated
    run.record(candidate("ff", 2))
    assert read_status(run.folder).evaluated == before + 1


@pytest.mark.parametrize(
    ("outcome", "state", "reason", "next_"),
    [
        ("finished", "finished", "", "front"),
        ("interrupted", "interrupted", "", "resume"),
        ("failed: disk: full", "failed", "disk: full", "resume"),
        (None, "stopped", "", "resume"),
    ],
)
def test_the_last_session_says_how_a_run_ended(run, outcome, state, reason, next_):
    if outcome is not None:
        run.end_session(outcome)
    run.close()

    found = read_status(run.folder)

    assert (found.state, found.reason, found.writer) == (state, reason, None)
    assert next_command(found) == f"evo-snn {next_} {run.folder}"
    assert (found.seconds_left is None) == (state == "finished")


def session(outcome=None):
    ended = None if outcome is None else "2001-01-01T00:00:00+00:00"
    return SessionRecord(1, "2002-02-02T00:00:00+00:00", "h", 1, 3, {}, {}, ended, outcome)


@pytest.mark.parametrize(
    ("outcomes", "writer", "state"),
    [
        ([], None, "stopped"),  # killed before its first session
        ([], "process 1 on h", "running"),
        ([None], "process 1 on h", "running"),
        (["finished"], "process 1 on h", "running"),  # one that goes on further, and has just begun
        ([None, "finished"], None, "finished"),
        (["finished", None], None, "stopped"),
        (["finished", "failed: no"], None, "failed"),
        (["failed"], None, "failed"),
    ],
)
def test_who_holds_the_lock_and_how_the_last_session_ended_are_the_state(outcomes, writer, state):
    assert run_state([session(one) for one in outcomes], writer)[0] == state


def generation(number, seconds):
    return GenerationRecord(number, (), None, seconds)


@pytest.mark.parametrize(
    ("seconds", "born", "planned", "left"),
    [
        ([], [0, 0], 4, None),
        ([8.0], [0, 0], None, None),
        ([8.0], [0, 0], 4, 24.0),
        ([8.0, 2.0, 4.0], [0, 0, 1, 1, 2, 2], 4, 4.0),
        ([8.0], [0, 0, 0, 0, 1], 3, 14.0),
        ([8.0], [0, 0, 1, 1, 1, 1, 1], 3, 8.0),  # no more than one generation is under way
        ([8.0], [0], 1, 0.0),
        ([8.0, 8.0], [0], 1, 0.0),  # a run that was cut short by its configuration
        ([8.0], [], 2, 8.0),  # a generation of designs that were known
    ],
)
def test_what_is_left_is_estimated_from_measured_generations(seconds, born, planned, left):
    generations = [generation(number, each) for number, each in enumerate(seconds)]
    candidates = [candidate(str(k), each) for k, each in enumerate(born)]
    assert seconds_left(generations, candidates, planned) == left


def test_a_clock_that_jumped_back_changes_nothing(tmp_path, monkeypatch):
    times = iter(["2026-05-01T12:00:00+00:00", "2026-05-01T11:00:00+00:00", "1970-01-01T00:00:00"])
    monkeypatch.setattr(sessions, "_now", lambda: next(times))
    with create(tmp_path / "run") as store:
        store.start_session(2, {"jobs": 1}, {})
        store.record(candidate("aa"))
        store.record_generation(0, ["aa"], 0.5, 6.0)
        store.end_session("interrupted")
        store.start_session(4, {"jobs": 1}, {})

    found = read_status(tmp_path / "run")

    assert (found.state, found.generations) == ("stopped", 4)
    assert (found.generation_seconds, found.seconds_left) == (6.0, 18.0)
    assert [one.number for one in found.sessions] == [1, 2]


def test_a_run_before_its_first_candidate_has_a_status(tmp_path):
    with create(tmp_path / "run"):
        found = read_status(tmp_path / "run")
    assert (found.state, found.evaluated, found.front, found.generations) == ("running", 0, 0, None)
    assert [one.value for one in found.best] == [None, None]
    assert (found.hypervolume, found.generation_seconds, found.seconds_left) == (None, None, None)
    assert read_status(tmp_path / "run").state == "stopped"


def test_damage_is_said_in_one_line(run):
    run.close()
    database = sqlite3.connect(run.folder / DATABASE)
    database.execute("UPDATE candidate SET genome = '[1'")
    database.commit()
    database.close()

    with pytest.raises(RequestError, match="a run without damage. evo-snn check .* says what"):
        read_status(run.folder)


WRITER = """
    import sys
    from evo_snn.candidate import Candidate, ObjectiveRecord
    from evo_snn.store import Store
    with Store.create(sys.argv[1], config_toml="", environment={}, space={}, constraints={},
                      objectives=[ObjectiveRecord("accuracy", True)]) as store:
        store.start_session(3, {"jobs": 1}, {})
        store.record(Candidate("aa", (0,), (), 0, "ok", {"accuracy": 0.5}))
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_a_killed_run_is_running_before_and_stopped_after(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        found = read_status(tmp_path / "run")
        assert (found.state, found.evaluated) == ("running", 1)
        assert found.writer.startswith(f"process {process.pid} on ")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
    found = read_status(tmp_path / "run")
    assert (found.state, found.evaluated, found.writer) == ("stopped", 1, None)


def test_the_command_says_it_in_lines(command, run):
    status, out, err = command("status", run.folder)

    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    here = f"process {os.getpid()} on {platform.node()}"
    for line in (
        f"run {run.folder}",
        f"state running: {here}",
        "generations 2 of 5 finished, 1 evaluated of the next",
        "evaluated 5: 3 trained, 1 infeasible, 1 failed",
        "failed attempts 1",
        "front 2 designs",
        "best accuracy 0.9",
        "best area_mm2 1",
        "hypervolume 0.5",
        "a generation 20 s (median)",
        "left about 50 s",
        "torch 2.0",
    ):
        assert line in lines
    (row,) = [line for line in lines if line.startswith("1 ") and "on " in line]
    assert row.split()[1:5] == [str(os.getpid()), "on", platform.node(), "2"]
    assert row.endswith(" running")
    assert lines[-1] == f"evo-snn front {run.folder}"


def test_a_later_session_in_another_environment_shows_what_differs(command, run):
    run.end_session("interrupted")
    run.start_session(8, {"jobs": 1}, {"torch": "3.0", "cpu": "a"})
    run.close()

    status, out, _ = command("status", run.folder)

    assert status == 0
    assert "session 2: torch: was 2.0, is 3.0" in out.splitlines()
    assert "cpu: was" not in out
    assert out.splitlines()[-1].split() == ["evo-snn", "resume", str(run.folder)]


def test_the_command_as_json(command, run, monkeypatch):
    run.end_session("finished")
    run.close()
    folder = run.folder.rename(run.folder.with_name("my run"))
    monkeypatch.chdir(folder.parent)

    status, out, err = command("status", "my run", "--json")

    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["state"] == "finished"
    assert document["seconds_left"] is None
    assert document["best"][1] == {
        "name": "area_mm2",
        "unit": "mm²",
        "maximise": False,
        "value": 1.0,
    }
    assert document["sessions"][0]["outcome"] == "finished"
    assert document["next"] == "evo-snn front 'my run'"


def test_a_finished_run_without_a_front_leads_to_its_candidates(tmp_path):
    with create(tmp_path / "run") as store:
        store.start_session(1, {}, {})
        store.record(candidate("dd", 0, "infeasible", violations={"area_mm2": 1.0}))
        store.end_session("finished")
    assert next_command(read_status(tmp_path / "run")).startswith("evo-snn candidates ")


def test_where_there_is_no_run_it_is_a_wrong_request(command, tmp_path):
    for arguments in (("status", tmp_path), ("status", tmp_path / "none", "--json")):
        status, out, err = command(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("error: run folder: got ")
        assert len(err.splitlines()) == 1


def test_looking_writes_nothing(run):
    run.close()
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    read_status(run.folder)
    assert {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()} == before


@pytest.fixture
def read_only(run, tmp_path):
    """The finished folder, where nobody can write, root neither."""
    run.end_session("finished")
    run.close()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    point = tmp_path / "mounted"
    point.mkdir()
    done = mount and subprocess.run(
        [mount, "--bind", "-o", "ro", run.folder, point], capture_output=True, check=False
    )
    if not done or done.returncode:
        pytest.skip("this process may not mount a folder read-only")
    yield point
    subprocess.run([umount, point], check=True)


def test_a_read_only_folder_has_a_status(read_only):
    assert not os.access(read_only, os.W_OK)
    found = read_status(read_only)
    assert (found.state, found.evaluated) == ("finished", 5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.25, "0.25 s"),
        (45.4, "45 s"),
        (59.7, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (2_345_678, "2.35 MB"), (10**16, "1e+04 TB")],
)
def test_sizes_are_said_in_a_fitting_unit(count, text):
    assert size(count) == text
