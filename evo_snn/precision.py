"""How few time steps and weight bits a trained design needs: its accuracy over a grid of both.

Each cell is the same weights in another network: that many time steps, all weights at that many
bits. *Post-training* nothing is trained for it; *tuned*, it is trained on with quantization in
every step. Cost is that of the run's chip with the rates that the cell's network has; with an exit,
of inferences as long as it has. Frames of an event stream are shared among any number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from evo_snn.config import TrainingSection
from evo_snn.costing import measured_workload
from evo_snn.from_cnn import FINE_TUNING
from evo_snn.measured import Measured
from evo_snn.seeds import derived_seed
from evo_snn.snn import TrainableNetwork, build, deploy
from evo_snn.snn.tensors import read_tensors, restore
from evo_snn.trained import weights_of_trained
from evo_snn.training import (
    Samples,
    checked_device,
    chosen_kernel,
    data_of,
    fit,
    make_reproducible,
    measure,
    on_device,
)
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.quantizers import MOST_BITS
from hardware import Chip, Cost, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from evo_snn.run import Run

STEPS = (1, 2, 3, 4, 6, 8)
BITS = (1, 2, 3, 4, 6, 8)
"""What is tried where nobody says, beside the design's own."""

MOST_STEPS = 1024
TUNING_LOOKS = 5


@dataclass(frozen=True)
class Precision:
    """A trained design at other precisions.

    Attributes:
        key: the design's.
        weights: where they are from: ``full training`` or ``search``.
        own: its own time steps, and the bits of its widest weights.
        cells: one row a cell: ``time_steps``, ``weight_bits``, ``accuracy`` (on the validation
            part), ``energy_uj``, ``latency_ms``; where cells were tuned ``tuned_accuracy`` and
            ``tuned_energy_uj``. Without exits time is the same in both.
    """

    key: str
    weights: str
    own: tuple[int, int]
    cells: pd.DataFrame


def precision(
    run: Run,
    key: str,
    steps: Sequence[int] | None = None,
    bits: Sequence[int] | None = None,
    *,
    train: int | None = None,
    accept: Sequence[str] = (),
) -> Precision:
    """Measure a trained design over time steps and weight bits, on the validation part.

    Args:
        run: the run.
        key: key of one of its candidates, or its beginning.
        steps: numbers of time steps.
        bits: widths of weights, of all layers alike.
        train: epochs that each cell is trained on for; None for post-training quantization alone.
        accept: as for `evo_snn.train`.

    Raises:
        RequestError: an unknown key, a design without weights, or no such steps, bits or epochs.
    """
    import pandas as pd

    candidate = run.candidate(key)
    architecture = Architecture.from_description(candidate.architecture)
    own = (architecture.time_steps, max(layer.weight_bits for layer in architecture.layers))
    grid = checked_grid(steps or {*STEPS, own[0]}, bits or {*BITS, own[1]})
    if train is not None and train < 1:
        raise RequestError("--train", train, "1 or more")
    origin, tensors = weights_of(run, candidate.key)
    settings = run.config.training
    device = str(checked_device(settings.device))
    data = data_of(run, accept)
    seed = derived_seed(run.config.search.seed, candidate.key)
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        make_reproducible(device)
        cell = partial(
            _cell,
            chip=run.chip_of(candidate.key),
            tensors=tensors,
            samples=(on_device(data.train, device), on_device(data.validation, device)),
            settings=settings,
            kernel=chosen_kernel(settings, run.environment.get("kernel")).name,
            epochs=train,
            seed=seed,
        )
        rows = [cell(at_precision(architecture, *place)) for place in grid]
    return Precision(candidate.key, origin, own, pd.DataFrame(rows))


def checked_grid(
    steps: Sequence[int] | set[int], bits: Sequence[int] | set[int]
) -> list[tuple[int, int]]:
    """All pairs of time steps and bits, ascending, each once.

    Raises:
        RequestError: a number that no network can have.
    """
    for one in steps:
        if not 1 <= one <= MOST_STEPS:
            raise RequestError("--steps", one, f"whole numbers from 1 to {MOST_STEPS}")
    for one in bits:
        if not 1 <= one <= MOST_BITS:
            raise RequestError("--bits", one, f"whole numbers from 1 to {MOST_BITS}")
    return [(step, width) for step in sorted(set(steps)) for width in sorted(set(bits))]


def at_precision(architecture: Architecture, steps: int, bits: int) -> Architecture:
    """The same network with other time steps, and all weights of so many bits."""
    layers = tuple(replace(layer, weight_bits=bits, group_bits=()) for layer in architecture.layers)
    return replace(architecture, time_steps=steps, layers=layers)


def weights_of(run: Run, key: str) -> tuple[str, Mapping[str, Tensor]]:
    """Where the best weights of a design are from, and they."""
    found = weights_of_trained(run.folder, key)
    if found is not None:
        return "full training", read_tensors(found)
    found = run.weights_path(key)
    if found is None:
        remedy = f"First: evo-snn train {run.folder} {key[:8]}"
        raise RequestError("key", key, "a design whose weights are kept", remedy)
    return "search", read_tensors(found)


def _cell(
    architecture: Architecture,
    *,
    chip: Chip,
    tensors: Mapping[str, Tensor],
    samples: tuple[Samples, Samples],
    settings: TrainingSection,
    kernel: str,
    epochs: int | None,
    seed: int,
) -> dict[str, float]:
    train, validation = samples
    network = build(architecture, seed, kernel).to(train.y.device)
    restore(network, tensors)
    measured = measure(deploy(network), validation)
    cost = _cost(architecture, measured, chip)
    row = {
        "time_steps": architecture.time_steps,
        "weight_bits": architecture.layers[0].weight_bits,
        "accuracy": measured.accuracy,
        "energy_uj": cost.energy_uj,
        "latency_ms": cost.latency_ms,
    }
    if epochs is not None:
        tuned = _tuned(network, train, validation, settings, epochs, seed)
        row["tuned_accuracy"] = tuned.accuracy
        row["tuned_energy_uj"] = _cost(architecture, tuned, chip).energy_uj
    return row


def _cost(architecture: Architecture, measured: Measured, chip: Chip) -> Cost:
    cost: Cost = estimate(measured_workload(architecture, measured), chip)
    return cost


def _tuned(
    network: TrainableNetwork,
    train: Samples,
    validation: Samples,
    settings: TrainingSection,
    epochs: int,
    seed: int,
) -> Measured:
    """The best look of a training that goes on from the design's weights."""
    return fit(
        network,
        train,
        validation,
        steps=epochs * max(1, len(train) // settings.batch_size),
        batch_size=settings.batch_size,
        learning_rate=FINE_TUNING * settings.learning_rate,
        warm_up=settings.warm_up,
        weight_decay=settings.weight_decay,
        looks=TUNING_LOOKS,
        seed=seed,
        goes_on=True,
        augment=settings.augment,
        best_by=settings.best_by,
        class_weights=settings.class_weights,
    ).measured
