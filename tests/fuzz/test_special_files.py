"""Files that are none: folders, pipes, devices, circles of links, wherever a file can be named.

In processes of their own, with a bound on memory, as a user has them; a command that waits for a
pipe or fills the memory fails here.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "tests" / "data" / "vgg9_workload.json"
DIGITS = ROOT / "runs" / "digits.toml"

KINDS = ("folder", "fifo", "socket", "loop", "dangling", "null", "zero", "full", "memory")

PLACES = {
    "config": ("evolve", "FILE", "--out", "OUT"),
    "workload": ("estimate", "FILE"),
    "chip": ("estimate", WORKLOAD, "--chip", "FILE"),
    "chips": ("chips", "FILE"),
    "hardware.chip": ("evolve", DIGITS, "--out", "OUT", "--set", "hardware.chip=FILE"),
    "data.path": (
        *("evolve", DIGITS, "--out", "OUT", "--set", "data.name=npz", "--set", "data.path=FILE"),
    ),
    "plugins": ("evolve", DIGITS, "--out", "OUT", "--set", "objectives.plugins=['FILE']"),
    "plugin": ("objectives", "--plugin", "FILE"),
    "front": ("front", "FILE"),
    "show": ("show", "FILE", "KEY"),
    "train": ("train", "FILE", "KEY"),
    "candidates": ("candidates", "FILE"),
}


def special(folder, kind):
    """A path that ends in .toml, so that it is taken for a chip's file too."""
    path = folder / "x.toml"
    devices = {"null": "null", "zero": "zero", "full": "full"}
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "loop":
        path.symlink_to("x.toml")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "memory":
        path.symlink_to("/proc/self/mem")
    else:
        path.symlink_to(f"/dev/{devices[kind]}")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_no_file_is_refused_wherever_it_is_named(command, tmp_path, place, kind):
    path = special(tmp_path, kind)
    line = [str(word).replace("FILE", str(path)) for word in PLACES[place]]
    outcome = command(*(word.replace("OUT", str(tmp_path / "out")) for word in line))
    outcome.assert_refused()
    assert [each.name for each in tmp_path.iterdir()] == ["x.toml"]


PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))
from evo_snn.commands import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "line",
    [
        ("estimate", "/dev/zero"),
        ("chips", "ZERO"),
        ("estimate", "FIFO"),
        ("evolve", "FIFO", "--out", "OUT"),
        ("evolve", DIGITS, "--out", b"\xff/\xfe", "--set", "search.space=x"),
        (b"\xff\xfe",),
        ("estimate", "BOMB"),
    ],
    ids=lambda line: str(line[:2])[:40],
)
def test_in_a_process_with_little_memory(tmp_path, line):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "bomb.json").write_text("[" * 10**6)
    names = {"FIFO": "fifo", "ZERO": "zero.toml", "OUT": "out", "BOMB": "bomb.json"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(names.get(word, word) for word in line)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    err = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b""), err
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    found = sorted(each.name for each in tmp_path.iterdir())
    assert found == ["bomb.json", "fifo", "zero.toml"]
