"""Whose plug-ins run: what a user's own search named, or what was accepted by its hash."""

import hashlib
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from evo_snn import trust as module
from evo_snn.plugins import PluginRecord
from evo_snn.trust import require_trusted, trust, trusted_hashes
from genomes.errors import RequestError

SOURCE = "raise SystemExit('it was run')\n"
DIGEST = hashlib.sha256(SOURCE.encode()).hexdigest()
FILE = PluginRecord("objectives", "mine.py", "/home/a/mine.py", DIGEST, SOURCE)
PACKAGE = PluginRecord("spaces", "wide", "acme-wide 1.0", "a" * 64)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "evo_snn" / "trusted_plugins"


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Hash of what is installed, by name."""
    hashes = {"wide": "a" * 64}

    def record_of(kind: str, name: str) -> PluginRecord:
        if name not in hashes:
            raise RequestError("search.space", name, "plain")
        return PluginRecord(kind, name, "acme-wide 1.1", hashes[name])

    monkeypatch.setattr(module, "record_of", record_of)
    return hashes


def test_a_strangers_file_is_refused_with_all_that_is_needed_to_decide() -> None:
    with pytest.raises(RequestError) as caught:
        require_trusted([FILE])
    text = str(caught.value)
    assert "/home/a/mine.py" in text
    assert DIGEST in text
    assert f"--accept {DIGEST[:12]}" in text
    assert "\n" not in text
    assert trusted_hashes() == frozenset()


def test_what_ones_own_search_named_is_trusted() -> None:
    trust([FILE, PACKAGE])
    require_trusted([FILE])
    assert trusted_hashes() == {DIGEST}  # a package is checked, not trusted


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_an_accepted_hash_is_trusted_from_then_on(digits: int) -> None:
    require_trusted([FILE], [DIGEST[:digits].upper()])
    require_trusted([FILE])


@pytest.mark.parametrize("text", ["", "1234567", "z" * 12, DIGEST + "0", DIGEST[1:13], "*" * 8])
def test_what_is_no_hash_of_the_run_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--accept"):
        require_trusted([FILE], [text])
    assert trusted_hashes() == frozenset()


def test_accepting_one_file_does_not_accept_another() -> None:
    other = replace(FILE, name="b.py", source="x = 1\n", origin="b.py")
    other = replace(other, sha256=hashlib.sha256(b"x = 1\n").hexdigest())
    with pytest.raises(RequestError, match=r"b\.py"):
        require_trusted([FILE, other], [DIGEST])
    assert trusted_hashes() == frozenset()  # it takes all or nothing


def test_a_trusted_hash_does_not_cover_another_source() -> None:
    trust([FILE])
    with pytest.raises(RequestError, match="changed"):
        require_trusted([replace(FILE, source="import os\n")])
    with pytest.raises(RequestError, match="changed"):
        require_trusted([replace(FILE, source="import os\n")], [DIGEST])


def test_a_source_of_any_bytes_keeps_its_hash() -> None:
    content = b"# -*- coding: latin-1 -*-\nname = '\xe9'\r\n"
    digest = hashlib.sha256(content).hexdigest()
    text = content.decode(errors="surrogateescape")
    record = PluginRecord("objectives", "a.py", "a.py", digest, text)
    assert PluginRecord.from_document(record.to_document()).file.source == content
    require_trusted([record], [digest[:8]])


def test_an_installed_package_has_to_be_the_runs(present: dict[str, str]) -> None:
    require_trusted([PACKAGE])
    present["wide"] = "b" * 64
    with pytest.raises(RequestError, match=r"acme-wide 1\.0.*--accept bbbbbbbbbbbb ") as caught:
        require_trusted([PACKAGE])
    assert "b" * 64 in str(caught.value)
    require_trusted([PACKAGE], ["bbbbbbbb"])
    require_trusted([PACKAGE])
    # It was this change that was accepted: neither the next one, nor another run's.
    present["wide"] = "c" * 64
    with pytest.raises(RequestError, match="--accept cccc"):
        require_trusted([PACKAGE])
    present["wide"] = "b" * 64
    with pytest.raises(RequestError, match="--accept bbbb"):
        require_trusted([replace(PACKAGE, sha256="d" * 64)])


def test_two_plugins_of_one_package_are_checked_both(present: dict[str, str]) -> None:
    present["deep"] = "a" * 64
    other = replace(PACKAGE, name="deep", sha256="e" * 64)
    for both in ([PACKAGE, other], [other, PACKAGE]):
        with pytest.raises(RequestError, match="deep"):
            require_trusted(both)


def test_a_package_that_is_not_installed_is_named(present: dict[str, str]) -> None:
    del present["wide"]
    with pytest.raises(RequestError, match=r"Install acme-wide 1\.0"):
        require_trusted([PACKAGE], ["aaaaaaaa"])


def test_a_home_that_cannot_be_used_trusts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    trust([FILE])
    with pytest.raises(RequestError, match="--accept"):
        require_trusted([FILE])
    require_trusted([FILE], [DIGEST])  # said at each resume


def test_without_a_home_nothing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setattr(Path, "home", homeless)
    trust([FILE])
    assert trusted_hashes() == frozenset()


def test_the_default_home_is_the_xdg_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    trust([FILE])
    assert DIGEST in (tmp_path / ".local/state/evo_snn/trusted_plugins").read_text()


def test_the_list_survives_what_is_in_it(state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(b"\xff\xfe nonsense\n" + b"f" * 40)  # a torn last line
    trust([replace(FILE, origin="/home/two\nlines " + "0" * 64)])
    assert trusted_hashes() == {DIGEST}
    assert stat.S_IMODE(state.stat().st_mode) & 0o002 == 0


def test_a_new_list_is_the_users_alone(state: Path) -> None:
    trust([FILE])
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_nothing_is_written_for_a_run_without_plugins(state: Path) -> None:
    trust([])
    require_trusted([])
    assert not state.exists()
    with pytest.raises(RequestError, match="it has none"):
        require_trusted([], ["12345678"])
