"""A run folder from a stranger: looking at it runs nothing of it, going on asks first."""

import hashlib
import json
from pathlib import Path

import pytest

EVIL = '''
from pathlib import Path

import evo_snn

Path("{marker}").write_text("it was run")


@evo_snn.objective(maximise=False, needs="cost")
def harmless(candidate):
    """Area, for all that one can see."""
    return candidate.cost.area_mm2
'''


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "was run"


@pytest.fixture
def strangers_run(evo_snn, config, tmp_path: Path, marker: Path, monkeypatch) -> Path:
    """A folder that somebody else's search made, and nothing of their file but what it stores."""
    plugin = tmp_path / "theirs.py"
    plugin.write_text(EVIL.format(marker=marker))
    names = "objectives.names=['accuracy', 'harmless']"
    plain = ["data.name=digits", "search.space=plain", "hardware.chip=rram_32nm", names]
    settings = [f"--set={each}" for each in (*plain, f"objectives.plugins=['{plugin}']")]
    done = evo_snn("evolve", config, "--out", tmp_path / "run", "--no-figures", *settings, path=())
    assert done.returncode == 0, done.stderr
    marker.unlink()
    plugin.unlink()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    return tmp_path / "run"


def test_it_runs_only_once_its_hash_is_accepted(evo_snn, strangers_run: Path, marker: Path):
    def command(*arguments: object):
        return evo_snn(*arguments, path=())

    found = json.loads(command("candidates", strangers_run, "--json").stdout)["candidates"]
    assert len(found) == 8
    for line in (
        ("front", strangers_run),
        ("candidates", strangers_run),
        ("show", strangers_run, found[0]["key"]),
        ("status", strangers_run),
        ("objectives",),
    ):
        done = command(*line)
        assert done.returncode == 0, done.stderr
        assert "harmless" in done.stdout or line[0] in ("status", "objectives")
        assert not marker.exists(), line

    refused = command("resume", strangers_run, "--generations", 3)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "theirs.py" in line
    assert "--accept" in line
    assert not marker.exists()

    # What has to be read before is in the folder, and so is its hash.
    read = command("objectives", "--run", strangers_run)
    digest = hashlib.sha256(EVIL.format(marker=marker).encode()).hexdigest()
    assert "it was run" in read.stdout
    assert digest in read.stdout
    assert digest in line
    assert not marker.exists()

    wrong = command("resume", strangers_run, "--generations", 3, "--accept", "0123456789ab")
    assert wrong.returncode == 2
    assert not marker.exists()

    done = command("resume", strangers_run, "--generations", 3, "--accept", digest[:12])
    assert done.returncode == 0, done.stderr
    assert marker.exists()
    marker.unlink()
    again = command("resume", strangers_run, "--generations", 4)
    assert again.returncode == 0, again.stderr
    found = json.loads(command("candidates", strangers_run, "--json").stdout)["candidates"]
    assert len(found) == 16
