"""Evolutionary, hardware-aware search of spiking neural networks for RRAM compute-in-memory chips.

One word for one thing, here and in ``genomes``, ``hardware`` and ``analysis``:

gene
    One integer decision with named choices, *ordered* (a width) or *categorical* (a neuron).
genome
    A vector with one entry a gene. Its *canonical* form has inactive genes at 0; its *key* is the
    content hash of that form and of the space.
search space
    The ordered genes, and how a genome decodes to an architecture.
architecture
    The immutable description of a network: layers, time steps, neurons, bits.
workload
    What a chip must execute: matrix layers with sizes, bits and spike rates.
network
    The torch module built from an architecture, of Norse neurons.
chip
    Technology and circuits of an RRAM compute-in-memory (CIM) accelerator.
cost
    Area, energy and latency of a workload on a chip, by layer and by component.
metric
    Any named number measured on a candidate; its unit is in its name.
objective, constraint
    A metric to minimise or maximise; a bound on a metric.
candidate
    A genome with its key, parents, metrics and state.
front
    The non-dominated candidates that meet all constraints, over everything evaluated.
run
    One search and its folder.

Importing this package is light: what it offers is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from evo_snn.guard import require_own

if TYPE_CHECKING:
    from evo_snn.ablation import ablate
    from evo_snn.candidate import Candidate
    from evo_snn.config import Config
    from evo_snn.config_file import load_config
    from evo_snn.datasets import load_dataset
    from evo_snn.fresh_chips import accuracy_on_chip
    from evo_snn.full_training import train
    from evo_snn.objectives import objective
    from evo_snn.run import Run, open_run
    from evo_snn.search import NothingFeasible, evolve, resume
    from genomes.errors import RequestError
    from hardware import estimate

__version__ = "0.1.0"
__all__ = [
    "Candidate",
    "Config",
    "NothingFeasible",
    "RequestError",
    "Run",
    "__version__",
    "ablate",
    "accuracy_on_chip",
    "estimate",
    "evolve",
    "load_config",
    "load_dataset",
    "objective",
    "open_run",
    "resume",
    "train",
]

require_own("genomes", "hardware")

_HOMES = {
    "Candidate": "evo_snn.candidate",
    "Config": "evo_snn.config",
    "NothingFeasible": "evo_snn.search",
    "RequestError": "genomes.errors",
    "Run": "evo_snn.run",
    "ablate": "evo_snn.ablation",
    "accuracy_on_chip": "evo_snn.fresh_chips",
    "estimate": "hardware",
    "evolve": "evo_snn.search",
    "load_config": "evo_snn.config_file",
    "load_dataset": "evo_snn.datasets",
    "objective": "evo_snn.objectives",
    "open_run": "evo_snn.run",
    "resume": "evo_snn.search",
    "train": "evo_snn.full_training",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evo_snn' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What the package offers, loaded or not."""
    return sorted({*globals(), *__all__})
