"""Full training: chosen designs of a run, from scratch, and how good they are on test data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from evo_snn.cnn_energy import cnn_energy
from evo_snn.config import TrainingSection
from evo_snn.datasets import Dataset
from evo_snn.filesystem import write_atomically
from evo_snn.folder import TRAINED, refuse_links, require_file_name
from evo_snn.fresh_chips import fresh_summary
from evo_snn.from_cnn import FINE_TUNING, convert
from evo_snn.noise import WeightNoise, noise_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import restore, to_bytes
from evo_snn.training import (
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
    ``KEY.json``.

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
        One row a design: key, validation_accuracy, test_accuracy, epochs, steps, seed; where the
        run has chips that are not ideal, also mean, worst and standard deviation of the test
        accuracy on 20 fresh instances of the design's chip (``test_accuracy_on_chip``, ``…_worst``,
        ``…_std``). From a CNN also test accuracies of the CNN, of the equally quantized CNN and of
        the converted network before it is trained (``cnn``, ``quantized_cnn``, ``converted``), the
        percentile that its thresholds are, and the kind of conversion. The stored file has spike
        rates by layer and the energies of the CNNs and the network beside these.

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
            row, more, content = _fully_trained(
                run, architecture, chip, data, device, epochs, own_seed, from_cnn=from_cnn
            )
            row = {"key": candidate.key, **row, "epochs": epochs, "seed": seed}
            _keep(run.folder / TRAINED, candidate.key, {**row, **more}, content)
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
) -> tuple[dict[str, object], dict[str, object], bytes]:
    """A row of the table, what is stored beside it, and the trained network as safetensors."""
    settings, noise = run.config.training, noise_of(run.config.on_chip)
    train, validation, test = (
        on_device(part, device) for part in (data.train, data.validation, data.test)
    )
    kernel = chosen_kernel(settings, run.environment.get("kernel")).name
    fitting = _fitting(settings, train, validation, epochs, seed)
    rate, told = settings.learning_rate, {}
    if from_cnn:
        found = convert(
            architecture, fitting, train, validation, settings, seed=seed, kernel=kernel
        )
        network, rate, told = found.network, rate * FINE_TUNING, found.told(test)
    else:
        network = build(architecture, seed, kernel).to(device)
    weight_noise = None if noise is None else WeightNoise(chip, noise)
    fitted = fitting(network, learning_rate=rate, goes_on=from_cnn, noise=weight_noise)
    restore(network, fitted.tensors)
    deployed = deploy(network)
    measured = measure(deployed, test)
    parts = {"train": train, "validation": validation, "test": test}
    row: dict[str, object] = {
        **told,
        "validation_accuracy": fitted.accuracy,
        "test_accuracy": measured.accuracy,
        "steps": fitted.steps,
        **fresh_summary(deployed, chip, run, **parts, seed=seed),
    }
    more: dict[str, object] = {"rates": {name: list(pair) for name, pair in measured.rates.items()}}
    if from_cnn:
        more["energies"] = cnn_energy(architecture, measured.rates).to_dict()
    about = {"architecture": json.dumps(architecture.describe()), "kernel": kernel}
    return row, more, to_bytes(fitted.tensors, about)


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
    )


def _keep(folder: Path, key: str, row: Mapping[str, object], content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / f"{key}.safetensors", content)
    write_atomically(folder / f"{key}.json", json.dumps(row, indent=1).encode())
