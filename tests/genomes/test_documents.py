"""Reading what users wrote, wherever they say that it lies."""

import os
import threading
from pathlib import Path

import pytest

from genomes import documents
from genomes.documents import parse_toml, read_json, read_text
from genomes.errors import RequestError


def read(path: Path) -> str:
    return read_text(path, field="config", allowed="a TOML file", remedy="Make one.")


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1")
    assert read(path) == "a = 1"


def test_a_pipe_is_read_if_somebody_writes_and_never_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert read(path) == ""
    reading, writing = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(writing, b"x" * 100_000), os.close(writing)))
    writer.start()
    assert read(Path(f"/dev/fd/{reading}")) == "x" * 100_000
    writer.join()
    os.close(reading)


def test_what_has_no_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 2**22)
    with pytest.raises(RequestError, match="can be read. It has more than 4 MiB."):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "a TOML file that exists. Make one."),
        ("", "Is a directory."),
        ("loop", "Too many levels of symbolic links."),
        ("x" * 300, "File name too long."),
        ("a\0b", "embedded null byte."),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(RequestError) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith("config: got ")
    assert str(caught.value).endswith(reason)
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a"])
def test_toml_that_cannot_be_parsed_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_toml(text)


def test_json_with_a_key_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="the key 'a' is there twice"):
        read_json('[{"b": {"a": 1, "a": 2}}]')
