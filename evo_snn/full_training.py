"""Full training: chosen designs of a run, from scratch, and how good they are on test data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from evo_snn.class_map import PARTS, ClassMap, map_path
from evo_snn.cnn_energy import cnn_energy
from evo_snn.config import Config, TrainingSection
from evo_snn.costing import mean_layers, measured_workload, training_metrics
from evo_snn.datasets import Dataset
from evo_snn.filesystem import write_atomically
from evo_snn.folder import TRAINED, refuse_links, require_file_name
from evo_snn.fresh_chips import fresh_summary
from evo_snn.from_cnn import FINE_TUNING, convert
from evo_snn.lazy_samples import LazyTensor
from evo_snn.measured import Measured
from evo_snn.noise import WeightNoise, noise_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import Network, build, deploy
from evo_snn.snn.exits import decided
from evo_snn.snn.tensors import restore, to_bytes
from evo_snn.training import (
    MEASURED_AT_ONCE,
    Fitted,
    Samples,
    checked_device,
    chosen_kernel,
    data_of,
    fit,
    make_reproducible,
    measure,
    on_device,
)
from evo_snn.training_machine import machine_of
from genomes.architecture import Architecture
from genomes.errors import RequestError
from hardware import Chip

if TYPE_CHECKING:
    import pandas as pd

    from evo_snn.run import Run

FULL_TRAINING_LOOKS = 20
"""How often full training looks at the validation part."""

DEFAULT_EPOCHS = 100


def train(
    run: Run,
    keys: Sequence[str],
    epochs: int | None = None,
    *,
    seed: int | None = None,
    accept: Sequence[str] = (),
    from_cnn: bool = False,
) -> pd.DataFrame:
    """Train designs of a run fully, from scratch, and measure them on the test part.

    The best of 20 looks at the validation part is kept; the test part is used once, by the weights
    of that look. Results are written to ``DIR/trained/KEY.safetensors`` (the trainable network) and
    ``KEY.json``; of a scene, the classes of all pixels to ``KEY.map.npz`` (`evo_snn.class_map`).

    Args:
        run: the run.
        keys: keys of its candidates, or prefixes of them.
        epochs: passes through the training part, 100 by default.
        seed: of the initial weights and the order of samples; the run's by default.
        accept: SHA-256 hashes, or their beginnings, of installed data sets that may be used though
            they are not what the run was made with.
        from_cnn: train the CNN of the same architecture first, for as long, and convert it
            (`evo_snn.from_cnn`).

    Returns:
        One row a design: key, validation_accuracy, test_accuracy (of a scene, overall accuracy),
        test_balanced_accuracy (average accuracy), test_kappa, test_recalls (class → recall, None
        for one without test samples), test_rates (layer → input and spike rate), epochs, steps,
        seed, what training took (training_operations, training_energy_j); ``leaky`` says why the
        figures flatter, where they do; with an exit ``test_mean_time_steps`` or
        ``test_mean_layers``. Where the run has chips that are not ideal, also mean,
        worst and standard deviation of the test accuracy on 20 fresh instances of the design's
        chip (``test_accuracy_on_chip``, ``…_worst``, ``…_std``).
        From a CNN also ``conversion``, ``percentile`` and the test accuracies ``cnn``,
        ``quantized_cnn`` and ``converted`` (`evo_snn.from_cnn.Converted.told`), and ``energies``
        (`evo_snn.cnn_energy.CNNEnergy`); what training took is then that of the spiking network.

    Raises:
        RequestError: an unknown key, fewer than one epoch, a kernel that cannot work here, a data
            set that is not accepted or is not the one that the run began with, or results that
            would be written elsewhere.
    """
    import pandas as pd

    epochs = DEFAULT_EPOCHS if epochs is None else epochs
    if epochs < 1:
        raise RequestError("--epochs", epochs, "1 or more")
    candidates = [run.candidate(key) for key in keys]
    for candidate in candidates:
        require_file_name(candidate.key)
    refuse_links(run.folder, TRAINED)
    device = str(checked_device(run.config.training.device))
    data = data_of(run, accept)
    seed = run.config.search.seed if seed is None else seed
    rows = []
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        make_reproducible(device)
        for candidate in candidates:
            architecture = Architecture.from_description(candidate.architecture)
            own_seed = derived_seed(seed, candidate.key)
            chip = run.chip_of(candidate.key)
            row, content, drawn = _fully_trained(
                run, architecture, chip, data, device, epochs, own_seed, from_cnn=from_cnn
            )
            row = {"key": candidate.key, **row, "epochs": epochs, "seed": seed}
            _keep(run.folder / TRAINED, candidate.key, row, content, drawn)
            rows.append(row)
    return pd.DataFrame(rows)


def _fully_trained(
    run: Run,
    architecture: Architecture,
    chip: Chip,
    data: Dataset,
    device: str,
    epochs: int,
    seed: int,
    *,
    from_cnn: bool,
) -> tuple[dict[str, object], bytes, ClassMap | None]:
    """Accuracies, the trained network as safetensors, and the class map of a scene."""
    settings, noise = run.config.training, noise_of(run.config.on_chip)
    train, validation, test = (
        on_device(part, device) for part in (data.train, data.validation, data.test)
    )
    kernel = chosen_kernel(settings, run.environment.get("kernel")).name
    fitting = _fitting(settings, train, validation, epochs, seed)
    rate, told = settings.learning_rate, dict[str, object]()
    if from_cnn:
        start = convert(
            architecture, fitting, train, validation, settings, seed=seed, kernel=kernel
        )
        network, rate, told = start.network, rate * FINE_TUNING, start.told(test)
    else:
        network = build(architecture, seed, kernel).to(device)
    weight_noise = None if noise is None else WeightNoise(chip, noise)
    fitted = fitting(network, learning_rate=rate, goes_on=from_cnn, noise=weight_noise)
    restore(network, fitted.tensors)
    deployed = deploy(network)
    measured = measure(deployed, test)
    if from_cnn:
        told["energies"] = cnn_energy(architecture, measured.rates).to_dict()
    parts = {"train": train, "validation": validation, "test": test}
    row: dict[str, object] = {
        **told,
        "validation_accuracy": fitted.accuracy,
        **_test_figures(measured, data),
        **_lengths(architecture, measured),
        "steps": fitted.steps,
        "test_rates": {name: list(pair) for name, pair in measured.rates.items()},
        **_training_cost(run.config, architecture, fitted, len(train)),
        **fresh_summary(deployed, chip, run, **parts, seed=seed),
    }
    about = {"architecture": json.dumps(architecture.describe()), "kernel": kernel}
    return row, to_bytes(fitted.tensors, about), _class_map(deployed, data, device)


def _test_figures(measured: Measured, data: Dataset) -> dict[str, object]:
    return {
        **{f"test_{name}": value for name, value in measured.figures.items()},
        "test_recalls": dict(zip(_class_names(data), measured.recalls, strict=True)),
        **({"leaky": data.leaky} if data.leaky else {}),
    }


def _lengths(architecture: Architecture, measured: Measured) -> dict[str, float]:
    """How long test inferences are on average, where they may end early."""
    if architecture.exit is None:
        return {}
    workload = measured_workload(architecture, measured)
    if architecture.exit.kind == "time":
        return {"test_mean_time_steps": workload.steps}
    return {"test_mean_layers": mean_layers(architecture, workload)}


def _training_cost(
    config: Config, architecture: Architecture, fitted: Fitted, samples: int
) -> dict[str, float]:
    """What the gradient steps took, of so many samples for training."""
    return training_metrics(
        architecture,
        architecture.workload.with_rates(fitted.rates),
        fitted.steps * min(config.training.batch_size, samples),
        machine_of(config.training_machine),
    )


def _fitting(
    settings: TrainingSection, train: Samples, validation: Samples, epochs: int, seed: int
) -> Callable[..., Fitted]:
    """`fit` with all but the network and the learning rate given."""
    return partial(
        fit,
        train=train,
        validation=validation,
        steps=epochs * max(1, len(train) // settings.batch_size),
        batch_size=settings.batch_size,
        warm_up=settings.warm_up,
        weight_decay=settings.weight_decay,
        looks=FULL_TRAINING_LOOKS,
        seed=seed,
        augment=settings.augment,
        best_by=settings.best_by,
        class_weights=settings.class_weights,
    )


def _class_names(data: Dataset) -> tuple[str, ...]:
    """What to call each class: its name where each has one of its own, else its label."""
    if len(set(data.names)) == data.classes:
        return data.names
    return tuple(map(str, data.labels))


@torch.no_grad()
def _class_map(network: Network, data: Dataset, device: str) -> ClassMap | None:
    """What a network makes of the scene that a data set comes from; None where there is none."""
    ground = data.ground
    if ground is None:
        return None
    batches = LazyTensor(ground.inputs, device).split(MEASURED_AT_ONCE)
    predicted = torch.cat([decided(network, x).classes.cpu() for x in batches]).numpy()
    part = np.zeros(ground.truth.size, np.int64)
    for place, name in enumerate(PARTS[1:], start=1):
        part[getattr(ground, name)] = place
    shape = ground.truth.shape
    return ClassMap(
        ground.truth,
        predicted.reshape(shape),
        part.reshape(shape),
        _class_names(data),
        data.leaky,
    )


def _keep(
    folder: Path,
    key: str,
    row: Mapping[str, object],
    content: bytes,
    drawn: ClassMap | None,
) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / f"{key}.safetensors", content)
    if drawn is not None:
        write_atomically(map_path(folder, key), drawn.to_bytes())
    write_atomically(folder / f"{key}.json", json.dumps(row, indent=1).encode())
