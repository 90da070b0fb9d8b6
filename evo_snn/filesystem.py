"""Writing files that are whole or absent, and locks that a dead process cannot keep."""

import fcntl
import hashlib
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

# File systems of one machine, where SQLite's write-ahead log (shared memory) is safe.
_LOCAL = frozenset({
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "ntfs", "ntfs3",
    "overlay", "ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs",
})  # fmt: skip
_TEMPORARY = ".tmp"
_CHUNK = 1 << 20
_LOCK_ATTEMPTS = 10
# A stranger's folder may have a link in the lock's place, and the lock is written to.
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class StoreWriteError(OSError):
    """Something could not be written: a full disk, a broken one. What was stored is intact."""

    def __init__(self, folder: Path, reason: object) -> None:
        """Store both; the message says what to do."""
        super().__init__(folder, reason)
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        """One line."""
        return (
            f"could not write in {self.folder}: {self.reason}. What was stored before is intact:"
            f" mend that, then evo-snn resume {self.folder}"
        )


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``path`` so that it holds all of ``content`` or what it held, also after a crash.

    The content goes to a temporary name beside it, reaches the disk, and is then renamed.
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        temporary.unlink(missing_ok=True)  # of a killed process, or a stranger's link to elsewhere
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):  # half a file is of no use, and the disk may be full
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's own entries (new names, renames) to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name(name: str) -> str:
    """What `write_atomically` calls a file until it is whole."""
    return f".{name}{_TEMPORARY}"


def fault_of(path: Path, digest: str | None) -> str | None:
    """What is wrong with a file that should be there, and have a SHA-256 where one is stored.

    A pipe, a device or a folder is no file, and is not opened; a file of any size fits in memory.
    """
    try:
        if not path.is_file():
            return f"{path.name} is no file" if path.exists() else f"{path.name} is missing"
        same = digest is None or _sha256(path) == digest
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    return None if same else f"{path.name} does not have its stored SHA-256"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_local(folder: Path) -> bool:
    """True only if ``folder`` is known to lie on a file system of this machine alone.

    Linux says it; elsewhere, as on macOS, it is not known.
    """
    return filesystem_type(folder.resolve()) in _LOCAL


def filesystem_type(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Type of the file system that an absolute ``folder`` lies on; "" where that is unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    longest, kind = -1, ""
    for line in lines:
        _, point, found, *_ = line.split(" ")
        # The kernel writes blanks in a mount point's name as octal escapes.
        mount = Path(point.encode("latin-1", "backslashreplace").decode("unicode_escape"))
        if folder.is_relative_to(mount) and len(mount.parts) >= longest:
            longest, kind = len(mount.parts), found
    return kind


class WriterLock:
    """A kernel lock on a file: held by at most one process, and gone when that process is.

    The file is there only while the lock is held, and says who holds it.

    Raises:
        BlockingIOError: On making it, if another writer holds it.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock of ``path``."""
        self._path = path
        self._descriptor: int | None = None
        while self._descriptor is None:
            descriptor = os.open(path, _LOCK_FLAGS, 0o644)
            try:
                _lock_soon(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            if _is_file_of(descriptor, path):
                self._descriptor = descriptor
            else:  # its last holder removed the file between the two steps: take the new one
                os.close(descriptor)
        with suppress(OSError):  # a full disk does not make the lock less of a lock
            os.truncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)

    def release(self) -> None:
        """Let the next writer in. Releasing twice is harmless."""
        if self._descriptor is not None:
            with suppress(OSError):  # a file without a lock on it bars nobody
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def lock_holder(path: Path) -> str | None:
    """Who holds the lock of ``path``: "process N on HOST"; None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
    except OSError:  # a file system without locks
        return None
    else:
        return None
    finally:
        os.close(descriptor)


def _lock_soon(descriptor: int) -> None:
    """Lock exclusively; try again for a moment, since `lock_holder` holds what it asks about."""
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == _LOCK_ATTEMPTS - 1:
                raise
            time.sleep(0.02)
        else:
            return


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
