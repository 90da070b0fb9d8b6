"""Plug-ins: what a run uses that is not evo_snn's own, and what is recorded of it.

An objective comes from a user's *file*, named in the configuration, or from an installed package,
as search spaces, chips and data sets may. A file's code is read once: what runs is what was read
then, in every worker, whatever becomes of the file.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Self

from genomes.errors import RequestError
from genomes.plugins import (
    CHIPS,
    DATASETS,
    OBJECTIVES,
    SPACES,
    find,
    installed,
    origin,
    places,
    shadowed,
)

if TYPE_CHECKING:
    from evo_snn.config import Config

Kind = Literal["objectives", "spaces", "chips", "datasets"]

GROUPS: Mapping[Kind, str] = {
    "objectives": OBJECTIVES,
    "spaces": SPACES,
    "chips": CHIPS,
    "datasets": DATASETS,
}

_FIELD = "objectives.plugins"
_HASHED = ("*.py", "*.toml")

_loading = threading.RLock()  # workers may be threads, and a file is run once


@dataclass(frozen=True)
class PluginFile:
    """A user's file of objectives, as it was when it was read."""

    path: str
    source: bytes

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file's content."""
        return hashlib.sha256(self.source).hexdigest()


@dataclass(frozen=True)
class PluginRecord:
    """One plug-in of a run, as the run stores it.

    Attributes:
        kind: objectives, spaces, chips or datasets.
        name: of the file, or under which the package offers it.
        origin: the file's path, or the package with its version.
        sha256: of the file, or over the package's code.
        source: the file's text; None for an installed package.
    """

    kind: Kind
    name: str
    origin: str
    sha256: str
    source: str | None = None

    @property
    def file(self) -> PluginFile | None:
        """The plug-in file as it was recorded; None for an installed package."""
        if self.source is None:
            return None
        return PluginFile(self.origin, self.source.encode(errors="surrogateescape"))

    def to_document(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` gave.

        Raises:
            RequestError: it is no such document.
        """
        fields = {"kind": str, "name": str, "origin": str, "sha256": str}
        if (
            not isinstance(document, Mapping)
            or set(document) != {*fields, "source"}
            or not all(isinstance(document[key], kind) for key, kind in fields.items())
            or document["kind"] not in GROUPS
            or not isinstance(document["source"], str | None)
        ):
            raise RequestError("plugins", document, "records of plug-ins as a run stores them")
        return cls(**document)


def read_plugin(path: str | Path) -> PluginFile:
    """Read a plug-in file; nothing is run.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        if not Path(path).is_file() and Path(path).exists():
            raise RequestError(_FIELD, str(path), "a Python file")  # a device could never end
        return PluginFile(str(path), Path(path).read_bytes())
    except (OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise RequestError(_FIELD, str(path), "a Python file that can be read", reason) from None


def run_plugin(file: PluginFile) -> ModuleType:
    """The module that a plug-in file makes; it is run once a process and content.

    Raises:
        RequestError: it does not run; the line that failed is named.
    """
    with _loading:
        return _run(file)


@lru_cache(maxsize=32)
def _run(file: PluginFile) -> ModuleType:
    name = f"evo_snn_plugin_{file.sha256[:16]}"
    module = ModuleType(name)
    module.__file__ = file.path
    sys.modules[name] = module  # as dataclasses and pickling by reference need it
    try:
        exec(compile(file.source, file.path, "exec"), vars(module))  # noqa: S102 - what it is for
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _failing_line(error, file.path)
        reason = f"line {line}: " if line else ""
        reason += " ".join(f"{type(error).__name__}: {error}".split())
        raise RequestError(_FIELD, file.path, "a file that runs", reason) from error
    return module


def _failing_line(error: BaseException, path: str) -> int | None:
    """The last line of the file that was running, or that is no Python."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((one.lineno for one in reversed(frames) if one.filename == path), None)


def plugins_of(config: Config, files: Sequence[PluginFile]) -> tuple[PluginRecord, ...]:
    """All that a configuration uses from outside evo_snn.

    Args:
        config: whose names are known to exist.
        files: those of ``objectives.plugins``, as read.

    Raises:
        RequestError: an installed package cannot be found or read.
    """
    records = [
        PluginRecord(
            "objectives",
            Path(one.path).name,
            one.path,
            one.sha256,
            one.source.decode(errors="surrogateescape"),
        )
        for one in files
    ]
    for kind, names in _installed_names(config, files).items():
        records += [record_of(kind, name) for name in names]
    return tuple(records)


def record_of(kind: Kind, name: str) -> PluginRecord:
    """What is recorded of an installed plug-in; its package is not imported.

    Raises:
        RequestError: it is not installed, or its files cannot be read.
    """
    found = find(GROUPS[kind], name)
    return PluginRecord(kind, name, origin(found), package_sha256(found))


def package_sha256(plugin: EntryPoint) -> str:
    """The SHA-256 over the code of a plug-in's top-level package: names and contents of its files.

    Raises:
        RequestError: they are not found, or cannot be read.
    """
    top = plugin.module.partition(".")[0]
    files = [(path.relative_to(base).as_posix(), path) for base, path in _files_of(top)]
    digest = hashlib.sha256()
    try:
        for name, path in sorted(files):
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
    except OSError as error:
        reason = error.strerror or ""
        raise RequestError("plug-in", origin(plugin), "files that can be read", reason) from None
    if not files:
        allowed = f"a package whose module {top!r} is installed as files"
        raise RequestError("plug-in", origin(plugin), allowed)
    return digest.hexdigest()


def _files_of(top: str) -> list[tuple[Path, Path]]:
    """(the folder that names are relative to, the file) of every file of a top-level module."""
    found = []
    for place in places(top):
        if place.is_dir():
            found += [(place, path) for pattern in _HASHED for path in place.rglob(pattern)]
        elif place.is_file():
            found.append((place.parent, place))
    return found


def _installed_names(config: Config, files: Sequence[PluginFile]) -> dict[Kind, list[str]]:
    """Which installed plug-ins a configuration names; evo_snn's own names win, with a warning."""
    from evo_snn.datasets import OWN_DATASETS
    from evo_snn.metrics import package_metric
    from evo_snn.objectives import file_metrics
    from genomes.spaces import OWN_SPACES
    from hardware.chip_file import preset_names

    metrics = {*config.objectives.names, *config.constraints, *config.hypervolume.box}
    of_files = {metric.name for file in files for metric in file_metrics(file)}
    chip = config.hardware.chip
    named: dict[Kind, tuple[set[str], Iterable[str]]] = {
        "objectives": (metrics - of_files, [name for name in metrics if package_metric(name)]),
        "spaces": ({config.search.space}, OWN_SPACES),
        "chips": (set() if chip.endswith(".toml") else {chip}, preset_names()),
        "datasets": ({config.data.name}, OWN_DATASETS),
    }
    for kind, (names, own) in named.items():
        for name in sorted(names & set(own) & set(installed(GROUPS[kind]))):
            shadowed(GROUPS[kind], name)
    return {kind: sorted(names - set(own)) for kind, (names, own) in named.items()}
