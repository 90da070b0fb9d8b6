"""What a search would find on this machine: versions, processor, kernel, workers, folder, extras.

Each `Finding` is one fact and whether it is as it should be. Nothing here changes anything; what is
true in workers is asked of one that starts as a search's do.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Literal

from evo_snn.config import DataSection, TrainingSection, WorkersSection, usable_cores
from evo_snn.environment import current_environment, differences, installed_version
from evo_snn.filesystem import WriterLock, filesystem_type, is_local
from evo_snn.limits import free_memory
from evo_snn.run import Run
from evo_snn.store import DATABASE
from genomes.errors import RequestError

State = Literal["well", "note", "broken"]

_GIGABYTE = 10**9
_LITTLE_DISK = _GIGABYTE  # a long search's folder is some hundred megabytes
_NO_DISK = _GIGABYTE // 20
_BLOCK = 1 << 24  # bytes; glibc maps and unmaps such a block anew each time, if nobody tells it
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)[^;]*(?:;.*extra == ['\"]([^'\"]+)['\"])?")


@dataclass(frozen=True)
class Finding:
    """One fact.

    Attributes:
        topic: "versions", "processor", "kernel", "worker", "run", "folder" or "extras".
        name: what is looked at.
        value: what was found, one line.
        state: "note" is worth knowing, "broken" keeps a search from working as promised.
        remedy: what to do, one line; "" where there is nothing to do.
    """

    topic: str
    name: str
    value: str
    state: State = "well"
    remedy: str = ""

    def to_document(self) -> dict[str, str]:
        """JSON values by name."""
        return asdict(self)


def examine(folder: Path) -> list[Finding]:
    """Everything that can be found out in a few seconds.

    Args:
        folder: where runs are written, or a run, whose device, kernel and limits are then meant.

    Raises:
        RequestError: there is a run that cannot be read.
    """
    run = Run(folder) if (folder / DATABASE).is_file() else None
    found = [*_imports()]
    if not broken(found):  # else nothing of the rest would load
        found += [*_processor(), *_of_searches(run)]
    return [*found, *_folder(folder), *_extras()]


def _of_searches(run: Run | None) -> Iterator[Finding]:
    """The kernel, a worker, and what is otherwise than when a run began."""
    from evo_snn.training import chosen_kernel

    training = TrainingSection() if run is None else run.config.training
    began = {} if run is None else run.environment
    try:
        kernel = chosen_kernel(training, began.get("kernel"))
    except RequestError as error:
        yield Finding("kernel", "kernel", str(error), "broken", error.remedy)
    else:
        yield Finding("kernel", "kernel", f"{kernel.name}: {kernel.reason}")
        yield from _numba()
        limits = WorkersSection() if run is None else run.config.workers
        yield from _worker(kernel.name, training, limits)
        remedy = "evo-snn resume goes on; bits may differ from those of an uninterrupted run."
        for line in differences(began, current_environment(kernel.name)) if began else ():
            yield Finding("run", "environment", line, "note", remedy)


def broken(findings: Sequence[Finding]) -> list[Finding]:
    """What keeps a search from working as promised."""
    return [one for one in findings if one.state == "broken"]


# Versions


def _imports() -> Iterator[Finding]:
    """Whether the libraries load, and their versions."""
    yield Finding("versions", "python", sys.version.split()[0])
    for package, module in (("torch", "torch"), ("norse", "evo_snn.snn"), ("pymoo", "pymoo")):
        try:
            __import__(module)
        except Exception as error:  # noqa: BLE001 - a library may fail at import in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            remedy = "Install the versions of requirements.txt, torch and torchvision together."
            yield Finding("versions", package, reason, "broken", remedy)
        else:
            yield Finding("versions", package, installed_version(package))
    for package in ("evo_snn", "torchvision", "numpy", "scikit-learn", "joblib", "safetensors"):
        yield Finding("versions", package, installed_version(package))


# Processor and devices


def _processor() -> Iterator[Finding]:
    import torch

    about = current_environment("")
    yield Finding("processor", "model", f"{about['cpu']} ({about['machine']})")
    yield Finding("processor", "instruction set", about["cpu_capability"])
    if about["cpu_settings"]:
        text = f"{about['cpu_settings']} chooses among instruction sets, and so changes bits"
        yield Finding("processor", "settings", text, "note")
    yield Finding("processor", "cores", f"{usable_cores()} usable of {os.cpu_count()}")
    threads = torch.get_num_threads()
    yield Finding("processor", "torch threads", f"{threads} here, 1 in each worker")
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [
            f"cuda:{number} ({torch.cuda.get_device_name(number)})"
            for number in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        devices.append("mps")
    yield Finding("processor", "devices", ", ".join(devices))


# The kernel, here


def _numba() -> Iterator[Finding]:
    version = installed_version("numba")
    if version == "absent":
        remedy = "pip install numba: without it a CPU trains more slowly."
        yield Finding("kernel", "numba", "absent", "note", remedy)
        return
    yield Finding("kernel", "numba", f"{version}, llvmlite {installed_version('llvmlite')}")
    folder = cache_folder()
    if folder is not None and _is_writable(folder):
        yield Finding("kernel", "compiled code", f"kept in {folder}")
        return
    text = "kept nowhere" if folder is None else f"cannot be kept in {folder}"
    remedy = "Set NUMBA_CACHE_DIR to a folder that you can write to: workers compile anew."
    yield Finding("kernel", "compiled code", text, "broken", remedy)


def cache_folder() -> Path | None:
    """Where compiled code is kept, so that workers need not compile it again; None for nowhere."""
    try:
        from evo_snn.snn.kernels.compiled import fire

        place = fire.stats.cache_path
    except (ImportError, RuntimeError):  # numba does not load, or finds no folder
        return None
    return None if place is None else Path(place)


# A worker


@dataclass(frozen=True)
class WorkerReport:
    """What a worker says of itself.

    Attributes:
        threads: of torch.
        memory_bytes: what it may take; None for no limit.
        keeps_memory: whether a large block that is freed stays with the process; None where that
            cannot be known.
        disagreement: what the kernel does otherwise than Norse; "" if nothing.
        seconds: of the comparison, compilation included.
    """

    threads: int
    memory_bytes: int | None
    keeps_memory: bool | None
    disagreement: str
    seconds: float


def report_of_worker(kernel: str, device: str) -> WorkerReport:
    """Look at this process, which is a worker."""
    import torch

    from evo_snn.snn.agreement import disagreement
    from evo_snn.training import make_reproducible

    make_reproducible(device)
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    started = time.perf_counter()
    fault = disagreement(kernel, device)
    seconds = time.perf_counter() - started
    memory = None if limit == resource.RLIM_INFINITY else limit
    return WorkerReport(torch.get_num_threads(), memory, _keeps_memory(), fault, seconds)


class _MallocInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33; ``hblks`` counts blocks that the system maps apart."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def _keeps_memory() -> bool | None:
    """Whether a block of 16 MiB comes from memory that the process keeps."""
    import torch

    try:
        info = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):  # another C library, or an older one
        return None
    info.restype = _MallocInfo
    before = info().hblks
    block = torch.empty(_BLOCK, dtype=torch.uint8)
    mapped = info().hblks - before
    del block
    return bool(mapped == 0)


def _worker(kernel: str, training: TrainingSection, limits: WorkersSection) -> Iterator[Finding]:
    from evo_snn.evaluation import EvaluationSettings
    from evo_snn.workers import Workers

    one = limits.model_copy(update={"jobs": 1, "backend": "loky"})
    try:
        settings = EvaluationSettings(DataSection(name="digits"), "", training)
        with Workers(one, settings) as workers:
            report = workers.ask(report_of_worker, kernel, training.device)
    except Exception as error:  # noqa: BLE001 - whatever keeps a worker from working
        text = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = "Try workers.backend = 'threading', and see what the worker says."
        yield Finding("worker", "a worker", text, "broken", remedy)
        return
    yield _agreement(kernel, report)
    yield Finding("worker", "torch threads", str(report.threads))
    keeps = {True: "kept for the next one", False: "given back each time", None: "unknown"}
    state: State = "note" if report.keeps_memory is False else "well"
    yield Finding("worker", "memory of a freed block", keeps[report.keeps_memory], state)
    limit, free = report.memory_bytes, free_memory()
    text = "none" if limit is None else f"{limit / _GIGABYTE:.3g} GB"
    yield Finding("worker", "memory limit", text)
    if free is not None:
        state = "note" if limit is not None and free < limit else "well"
        yield Finding("worker", "free memory", f"{free / _GIGABYTE:.3g} GB", state)


def _agreement(kernel: str, report: WorkerReport) -> Finding:
    took = f"({report.seconds:.2g} s)"
    if not report.disagreement:
        text = f"{kernel} gives Norse's spikes and gradients {took}"
        return Finding("worker", "self-check", text)
    remedy = "Set training.kernel = 'norse', and tell us what this table says."
    return Finding("worker", "self-check", f"{report.disagreement} {took}", "broken", remedy)


# The folder of runs


def _folder(folder: Path) -> Iterator[Finding]:
    place = folder.resolve()
    while not place.is_dir():  # it is made by a search
        place = place.parent
    yield Finding("folder", "path", str(place))
    kind = filesystem_type(place) or "unknown"
    if is_local(place):
        yield Finding("folder", "file system", f"{kind}: a write-ahead log is safe")
    else:
        text = f"{kind}: not known to be of this machine alone; a rollback journal is used"
        yield Finding("folder", "file system", text, "note")
    yield _writing(place)
    disk = shutil.disk_usage(place).free
    state: State = "broken" if disk < _NO_DISK else "note" if disk < _LITTLE_DISK else "well"
    remedy = "" if state == "well" else "Free space, or put runs elsewhere with --out."
    yield Finding("folder", "free disk", f"{disk / _GIGABYTE:.3g} GB", state, remedy)


def _is_writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _writing(place: Path) -> Finding:
    """Whether a file can be written and locked there."""
    try:
        with tempfile.TemporaryDirectory(prefix=".evo-snn-", dir=place) as fresh:
            WriterLock(Path(fresh) / "lock").release()
    except OSError as error:
        remedy = "Put runs where you can write, with --out."
        return Finding("folder", "writing", error.strerror or str(error), "broken", remedy)
    return Finding("folder", "writing", "files can be written and locked")


# Extras


def _extras() -> Iterator[Finding]:
    """What can be installed beside."""
    try:
        lines = requires("evo_snn") or []
    except PackageNotFoundError:
        yield Finding("extras", "evo_snn", "runs from a folder, is not installed", "note")
        return
    wanted: dict[str, list[str]] = {}
    for line in lines:
        package, extra = _REQUIREMENT.match(line).groups()  # type: ignore[union-attr]
        if extra:
            wanted.setdefault(extra, []).append(package)
    for extra, packages in sorted(wanted.items()):
        missing = [one for one in packages if installed_version(one) == "absent"]
        if missing:
            command = f"pip install 'evo_snn[{extra}]'"
            yield Finding("extras", extra, f"without {', '.join(missing)}", "note", command)
        else:
            yield Finding("extras", extra, "installed")
