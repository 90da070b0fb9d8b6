"""What a kill or a broken disk makes of a run's database, at many random places."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from evo_snn.candidate import Candidate
from evo_snn.commands import main
from evo_snn.integrity import check
from evo_snn.repair import repair
from evo_snn.status import read_status
from evo_snn.store import DATABASE, Store
from genomes.spaces import make_space

# Goes on with a run, in a generation of its own, until it is killed.
WRITER = """
    import os, signal, sys
    import numpy as np
    import evo_snn.connection
    from evo_snn.candidate import Candidate
    from evo_snn.store import Store
    from genomes.spaces import make_space
    folder, journal, stop = sys.argv[1:]
    evo_snn.connection.is_local = lambda _: journal == "WAL"
    space = make_space("plain", (1, 8, 8), 10, {})
    metrics = dict.fromkeys(("accuracy", "area_mm2", "energy_uj"), 1.0)
    with Store.open(folder, read_only=False) as store:
        for number, genome in enumerate(space.sample(500, np.random.default_rng(1))):
            values = tuple(genome.tolist())
            new = Candidate(space.key(genome), values, (), 3, "ok", metrics)
            if number == int(stop):
                # Pages of the transaction are on the disk before it ends.
                database = store._database
                database.execute("PRAGMA cache_size = 1")
                database.execute("BEGIN IMMEDIATE")
                for page in range(40):
                    database.execute("INSERT INTO meta VALUES (?, ?)", (f"m{page}", '"' * 3000))
                os.kill(os.getpid(), signal.SIGKILL)
            store.record(new, new.key.encode())
            print(new.key, flush=True)
"""


def killed(folder, journal, after, *, inside=False):
    """Let a process write on and be killed; the keys that it had said were stored by then."""
    arguments = [str(folder), journal, str(after if inside else -1)]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = [process.stdout.readline().strip() for _ in range(after)]
        if not inside:
            process.send_signal(signal.SIGKILL)
        said += process.stdout.read().split()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    return said


def keys_of(folder):
    with Store.open(folder) as store:
        return [candidate.key for candidate in store.candidates()]


def copied(folder, place):
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    for name in ("run.lock", f"{DATABASE}-shm"):  # what dies with its process or its machine
        (place / name).unlink(missing_ok=True)
    return place


def assert_whole(folder, keys):
    """The run holds these candidates, each whole, and goes on."""
    assert keys_of(folder) == keys
    assert {one.kind for one in check(folder).problems} <= {"leftover"}
    assert read_status(folder).evaluated == len(keys)
    with Store.open(folder, read_only=False) as store:
        assert [candidate.key for candidate in store.candidates()] == keys
        for key in store.weights_digests():
            assert store.weights_path(key).is_file()
        space = make_space("plain", (1, 8, 8), 10, {})
        genome = space.sample(1, np.random.default_rng(2))[0]
        metrics = dict.fromkeys(("accuracy", "area_mm2", "energy_uj"), 1.0)
        store.record(Candidate(space.key(genome), tuple(genome.tolist()), (), 3, "ok", metrics))
    assert check(folder).problems == ()
    assert not list(folder.glob(f"{DATABASE}-*"))


def test_a_write_ahead_log_torn_anywhere_leaves_the_first_candidates_whole(finished_run, tmp_path):
    folder = finished_run.folder
    before = keys_of(folder)
    said = killed(folder, "WAL", 12)
    everything = keys_of(copied(folder, tmp_path / "copy"))
    # What was said to be stored is; one more may have been, whose writer could not say so.
    assert everything[: len(before) + len(said)] == before + said
    assert len(everything) <= len(before) + len(said) + 1
    log = (folder / f"{DATABASE}-wal").read_bytes()
    chance = np.random.default_rng(0)
    kept = set()
    for cut in [0, 1, 31, 32, len(log) - 1, *(chance.integers(len(log)) for _ in range(15))]:
        copy = copied(folder, tmp_path / "copy")
        (copy / f"{DATABASE}-wal").write_bytes(log[:cut])
        seen = keys_of(copy)
        assert seen == everything[: len(seen)]
        assert len(seen) >= len(before)
        assert_whole(copy, seen)
        kept.add(len(seen))
    assert len(kept) > 5  # the cuts fell between different candidates


def test_a_bit_flipped_in_the_log_ends_it_there(finished_run, tmp_path):
    folder = finished_run.folder
    before = keys_of(folder)
    killed(folder, "WAL", 8)
    everything = keys_of(copied(folder, tmp_path / "copy"))
    log = (folder / f"{DATABASE}-wal").read_bytes()
    chance = np.random.default_rng(1)
    for _ in range(8):
        copy = copied(folder, tmp_path / "copy")
        place = chance.integers(len(log))
        flipped = bytes([log[place] ^ (1 << int(chance.integers(8)))])
        (copy / f"{DATABASE}-wal").write_bytes(log[:place] + flipped + log[place + 1 :])
        seen = keys_of(copy)
        assert len(before) <= len(seen) <= len(everything)
        assert_whole(copy, everything[: len(seen)])


def test_a_transaction_that_a_kill_cut_short_is_taken_back_by_whoever_looks(finished_run):
    folder = finished_run.folder
    before = keys_of(folder)
    said = killed(folder, "DELETE", 3, inside=True)
    assert (folder / f"{DATABASE}-journal").stat().st_size > 0
    assert_whole(folder, before + said)


def test_a_rollback_journal_torn_anywhere_leaves_what_was_stored_whole(finished_run, tmp_path):
    """A journal that is not whole is of a transaction that had not touched the database yet."""
    folder = finished_run.folder
    untouched = (folder / DATABASE).read_bytes()
    before = keys_of(folder)
    assert killed(folder, "DELETE", 0, inside=True) == []
    journal = (folder / f"{DATABASE}-journal").read_bytes()
    assert (folder / DATABASE).read_bytes() != untouched
    chance = np.random.default_rng(2)
    for cut in [0, 1, 511, 512, *(chance.integers(len(journal)) for _ in range(8))]:
        copy = copied(folder, tmp_path / "copy")
        (copy / DATABASE).write_bytes(untouched)
        (copy / f"{DATABASE}-journal").write_bytes(journal[:cut])
        assert_whole(copy, before)


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_wherever_a_writer_is_killed_what_it_said_is_stored(finished_run, journal):
    folder = finished_run.folder
    before = keys_of(folder)
    said = killed(folder, journal, 5)
    seen = keys_of(folder)
    assert seen[: len(before) + len(said)] == before + said
    assert_whole(folder, seen)


# Broken disks, and strangers


def outcome(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return stop.value.code, captured.out, captured.err


def test_a_truncated_database_is_said_and_left_as_it_is(finished_run, capsys):
    folder = finished_run.folder
    (folder / "weights" / "zz.safetensors").touch()  # not deleted at a damaged database's word
    path = folder / DATABASE
    content = path.read_bytes()
    chance = np.random.default_rng(3)
    sizes = [0, 1, 99, 100, 4096, len(content) - 4096, len(content) - 1]
    for size in [*sizes, *(chance.integers(len(content)) for _ in range(12))]:
        path.write_bytes(content[:size])

        status, out, _ = outcome(capsys, "check", folder)
        assert status == 1, size
        assert out.startswith("problem: run.sqlite"), size
        assert outcome(capsys, "check", folder, "--repair")[0] == 1
        status, _, err = outcome(capsys, "status", folder)
        assert status in (0, 2)
        assert status == 0 or len(err.splitlines()) == 1

        assert path.read_bytes() == content[:size]
        assert (folder / "weights" / "zz.safetensors").exists()


def test_garbage_in_a_database_is_never_more_than_a_problem(finished_run, capsys):
    folder = finished_run.folder
    path = folder / DATABASE
    content = path.read_bytes()
    weights = set((folder / "weights").iterdir())
    chance = np.random.default_rng(4)
    found = 0
    for round_ in range(60):
        spoilt = bytearray(content)
        for _ in range(1 if round_ % 2 else 40):
            place = chance.integers(len(content))
            spoilt[place] = chance.integers(256)
        path.write_bytes(spoilt)
        checked, out, err = outcome(capsys, "check", folder)
        assert len(out.splitlines()) == 1 or checked == 1
        found += checked != 0
        status, _, err = outcome(capsys, "status", folder)
        assert status == 0 or (status == 2 and len(err.splitlines()) == 1)
        mended, _, _ = outcome(capsys, "check", folder, "--repair")
        assert mended <= checked
        if "problem: run.sqlite" in out:
            assert set((folder / "weights").iterdir()) == weights
        for each in weights:
            each.write_bytes(b"weights")
    assert found > 20


def test_files_of_another_kind_in_place_of_a_run_are_problems(finished_run, capsys):
    folder = finished_run.folder
    for content in (b"SQLite format 3\0", os.urandom(5000), b"{}", b"\0" * 8192):
        (folder / DATABASE).write_bytes(content)
        status, out, _ = outcome(capsys, "check", folder)
        assert status == 1
        assert out.startswith("problem: run.sqlite")
        assert repair(folder).done == ()
        assert outcome(capsys, "status", folder)[0] == 2
