"""What a trained design gains by ending confident inferences early: a sweep of the confidence.

Any network can end in time; one with read-outs on the way in depth. Nothing is trained for it: a
design that was trained with exits has learnt to decide early, others are seen as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from evo_snn.costing import mean_layers
from evo_snn.precision import weights_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import build, deploy
from evo_snn.snn.activity import Activity
from evo_snn.snn.exits import ended
from evo_snn.snn.tensors import restore
from evo_snn.training import (
    MEASURED_AT_ONCE,
    Samples,
    checked_device,
    chosen_kernel,
    data_of,
    make_reproducible,
    on_device,
)
from genomes.architecture import Architecture, Exit
from genomes.errors import RequestError
from hardware import Chip, estimate

if TYPE_CHECKING:
    import pandas as pd

    from evo_snn.run import Run
    from evo_snn.snn import Network

CONFIDENCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""What is tried where nobody says; with 1 no inference ends early."""


@dataclass(frozen=True)
class Exits:
    """A trained design that ends early.

    Attributes:
        key: the design's.
        weights: where they are from: ``full training`` or ``search``.
        kind: ``time`` or ``depth``.
        own: the confidence that it was searched with; None where it has no exit.
        rows: one a confidence: ``confidence``, ``accuracy`` (on the validation part),
            ``mean_time_steps``, ``mean_layers``, ``energy_uj``, ``latency_ms``, and ``ends``, the
            shares of inferences that end at each decision.
    """

    key: str
    weights: str
    kind: str
    own: float | None
    rows: pd.DataFrame


def exits(
    run: Run,
    key: str,
    confidences: Sequence[float] | None = None,
    *,
    accept: Sequence[str] = (),
) -> Exits:
    """Measure a trained design over confidences, on the validation part.

    Args:
        run: the run.
        key: key of one of its candidates, or its beginning.
        confidences: least probabilities of the best class at which an inference ends.
        accept: as for `evo_snn.train`.

    Raises:
        RequestError: an unknown key, a design without weights, or a confidence outside 0 to 1.
    """
    import pandas as pd

    bounds = sorted({*(confidences or CONFIDENCES)})
    for one in bounds:
        if not 0 < one <= 1:
            raise RequestError("--confidences", one, "numbers above 0, up to 1")
    candidate = run.candidate(key)
    architecture = Architecture.from_description(candidate.architecture)
    own = architecture.exit
    if architecture.time_steps == 1 and own is None:
        raise RequestError("key", candidate.key, "a design of several time steps, or with an exit")
    decided = replace(architecture, exit=own or Exit("time", 1.0))
    origin, tensors = weights_of(run, candidate.key)
    settings = run.config.training
    device = str(checked_device(settings.device))
    data = data_of(run, accept)
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        make_reproducible(device)
        seed = derived_seed(run.config.search.seed, candidate.key)
        kernel = chosen_kernel(settings, run.environment.get("kernel")).name
        network = build(decided, seed, kernel).to(device)
        restore(network, tensors)
        samples = on_device(data.validation, device)
        rows = swept(deploy(network), samples, run.chip_of(candidate.key), bounds)
    kind = own.kind if own else "time"
    searched_with = own.confidence if own else None
    return Exits(candidate.key, origin, kind, searched_with, pd.DataFrame(rows))


def swept(
    network: Network, samples: Samples, chip: Chip, confidences: Sequence[float]
) -> list[dict[str, object]]:
    """The rows of `Exits`: one a confidence, whatever that of the network's own exit is.

    Args:
        network: deployed, of an architecture with an exit.
        samples: that are classified, once for all confidences.
        chip: what it costs on.
        confidences: as for `exits`.
    """
    architecture = network.architecture
    scores, rates = _decisions(network, samples)
    rows: list[dict[str, object]] = []
    for confidence in confidences:
        found = ended(scores, confidence)
        counts = torch.bincount(found.places, minlength=len(scores))
        shares = (counts / counts.sum()).tolist()
        workload = architecture.ended(architecture.workload.with_rates(rates), shares)
        cost = estimate(workload, chip)
        rows.append(
            {
                "confidence": confidence,
                "accuracy": (found.classes == samples.y).float().mean().item(),
                "mean_time_steps": workload.steps,
                "mean_layers": mean_layers(architecture, workload),
                "energy_uj": cost.energy_uj,
                "latency_ms": cost.latency_ms,
                "ends": shares,
            }
        )
    return rows


@torch.no_grad()
def _decisions(network: Network, samples: Samples) -> tuple[Tensor, dict[str, tuple[float, float]]]:
    """Scores (decisions, N, classes) of all samples, and spike rates of whole inferences."""
    activity = Activity(network.architecture.carriers)
    scores = [network.decisions(x, activity) for x in samples.x.split(MEASURED_AT_ONCE)]
    return torch.cat(scores, dim=1), activity.rates()
