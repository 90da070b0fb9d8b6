"""Whose code runs: a run folder may come from a stranger, and hold a plug-in that does harm.

What a user's own configuration names is trusted when a search starts. To go on with a run whose
plug-in files this user has not run on this machine, their hashes have to be accepted first.
Installed packages are the user's own; they have to be what the run was made with, or the difference
accepted. Looking at a run runs nothing and asks nothing.

Trusted hashes are lines of a text file, ``$XDG_STATE_HOME/evo_snn/trusted_plugins``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from evo_snn.plugins import PluginRecord, record_of
from genomes.errors import RequestError

LOGGER = logging.getLogger("evo_snn")

LEAST_DIGITS = 8
"""Digits of a hash that accept it."""

_SHOWN_DIGITS = 12
_HASH = re.compile(r"[0-9a-f]{64}")


def trust(records: Iterable[PluginRecord]) -> None:
    """Trust the plug-in files of a run from now on, on this machine and for this user.

    Where the user's state folder cannot be written, they are not remembered.
    """
    _remember({one.file.sha256: one.origin for one in records if one.file is not None})


def require_trusted(stored: Sequence[PluginRecord], accept: Sequence[str] = ()) -> None:
    """Check that what a run would have run may run; what is accepted is trusted from then on.

    Args:
        stored: the run's plug-ins, as it stored them.
        accept: hashes, or at least the first 8 digits of them.

    Raises:
        RequestError: a plug-in file is not trusted, a package is not installed or is not what the
            run was made with, or an accepted hash is none of theirs.
    """
    present = [(one, _asked_for(one)) for one in stored]
    accepted = _accepted(accept, [digest for _, digest in present])
    trusted = trusted_hashes()
    for record, digest in present:
        if digest not in accepted:
            _check(record, digest, trusted)
    news = {
        _token(record, digest): record.origin for record, digest in present if digest in accepted
    }
    _remember({token: name for token, name in news.items() if token not in trusted})


def trusted_hashes() -> frozenset[str]:
    """What this user trusts on this machine; nothing where that cannot be read."""
    try:
        lines = _store().read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(first for line in lines if _HASH.fullmatch(first := line.partition(" ")[0]))


def _store() -> Path:
    """The file of trusted hashes.

    Raises:
        RuntimeError: the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return folder / "evo_snn" / "trusted_plugins"


def _remember(hashes: dict[str, str]) -> None:
    """Append hashes, each with where it came from, in one write."""
    if not hashes:
        return
    # A line feed first: what is there may end in half a line. Names are escaped into one line.
    text = "\n" + "".join(f"{digest} {name!a}\n" for digest, name in hashes.items())
    try:
        path = _store()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:
        LOGGER.debug("trusted plug-ins are not remembered: %s", error)


def _asked_for(record: PluginRecord) -> str:
    """The hash of what would run now.

    Raises:
        RequestError: the run's record contradicts itself, or a package is not installed.
    """
    if record.file is not None:
        if record.file.sha256 != record.sha256:  # else a known hash could hide another source
            remedy = "The run folder is damaged, or was changed."
            raise RequestError("plug-in", record.origin, "a source that has its hash", remedy)
        return record.sha256
    try:
        return record_of(record.kind, record.name).sha256
    except RequestError as error:
        remedy = f"Install {record.origin}, which the run was made with. {error.remedy}".strip()
        allowed = f"one of the installed {record.kind}"
        raise RequestError(f"plug-in of {record.kind}", record.name, allowed, remedy) from None


def _accepted(accept: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """The hashes of a run's plug-ins that the user means.

    Raises:
        RequestError: what was given is no start of a hash, or of none of theirs.
    """
    accepted: set[str] = set()
    for text in accept:
        digits = text.strip().lower()
        if not re.fullmatch(rf"[0-9a-f]{{{LEAST_DIGITS},64}}", digits):
            allowed = f"{LEAST_DIGITS} to 64 hexadecimal digits, the start of a SHA-256"
            raise RequestError("--accept", text, allowed)
        found = {digest for digest in known if digest.startswith(digits)}
        if not found:
            theirs = ", ".join(digest[:_SHOWN_DIGITS] for digest in known) or "none, it has none"
            raise RequestError("--accept", text, f"the hash of a plug-in of the run: {theirs}")
        accepted |= found
    return frozenset(accepted)


def _check(record: PluginRecord, digest: str, trusted: frozenset[str]) -> None:
    """Refuse what is neither trusted nor what the run was made with."""
    if _token(record, digest) in trusted:
        return
    if record.file is not None:
        raise RequestError(
            "plug-in",
            record.origin,
            "a file that you trust",
            "The run would run its code, stored in the run folder, and you have not run it here:"
            " read it (evo-snn objectives --run DIR), then say"
            f" --accept {digest[:_SHOWN_DIGITS]} (sha256 {digest}).",
        )
    if digest != record.sha256:
        raise RequestError(
            f"plug-in of {record.kind}",
            record.name,
            f"{record.origin} as the run was made with, sha256 {record.sha256[:_SHOWN_DIGITS]}",
            f"Install that, or say --accept {digest[:_SHOWN_DIGITS]} to go on with what is"
            f" installed (sha256 {digest}); results may differ.",
        )


def _token(record: PluginRecord, digest: str) -> str:
    """What is remembered as trusted: a file's hash, or one change of a package, for this hash."""
    if record.file is not None or digest == record.sha256:
        return digest
    return hashlib.sha256(f"{record.sha256} {digest}".encode()).hexdigest()
