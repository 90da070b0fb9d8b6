"""What a run's numbers depend on beside its configuration: versions, platform, processor."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "norse", "pymoo", "moocore", "numpy", "scikit-learn", "numba", "llvmlite")

# Variables that choose among a library's instruction sets, and so change bits.
_CHOOSING = (
    "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES",
)  # fmt: skip


def current_environment(kernel: str) -> dict[str, str]:
    """The environment of this process, as recorded with a run; imports torch.

    Equal environments give a run bit for bit the same results.

    Args:
        kernel: what computes neurons, one of `evo_snn.snn.kernels.KERNELS`.
    """
    import torch

    import evo_snn
    from evo_snn.snn.matrices import library

    return {
        "evo_snn": evo_snn.__version__,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu_settings": " ".join(f"{k}={os.environ[k]}" for k in _CHOOSING if k in os.environ),
        "kernel": kernel,
        "convolutions": "oneDNN" if torch.backends.mkldnn.is_available() else "torch",
        "matrices": library(),
        "cuda": _cuda_device(),
    }


def installed_version(package: str) -> str:
    """The installed version of a distribution, found without importing it; "absent" if none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def differences(stored: dict[str, str], current: dict[str, str]) -> list[str]:
    """One line for each thing that differs, e.g. to warn before a run goes on elsewhere."""
    names = sorted({*stored, *current})
    pairs = {name: (stored.get(name, "absent"), current.get(name, "absent")) for name in names}
    return [f"{name}: was {old}, is {new}" for name, (old, new) in pairs.items() if old != new]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _cuda_device() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return f"{torch.cuda.get_device_name(0)} (CUDA {torch.version.cuda}, visible: {visible})"
