"""Full training: chosen designs of a run, from scratch, and how good they are on test data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from evo_snn.datasets import Dataset
from evo_snn.filesystem import write_atomically
from evo_snn.folder import TRAINED, refuse_links, require_file_name
from evo_snn.fresh_chips import fresh_summary
from evo_snn.noise import WeightNoise, noise_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import named_tensors, to_bytes
from evo_snn.training import (
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

    Returns:
        One row a design: key, validation_accuracy, test_accuracy, epochs, steps, seed; where the
        run has chips that are not ideal, also mean, worst and standard deviation of the test
        accuracy on 20 fresh instances of the design's chip (``test_accuracy_on_chip``, ``…_worst``,
        ``…_std``).

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
            row, content = _fully_trained(run, architecture, chip, data, device, epochs, own_seed)
            row = {"key": candidate.key, **row, "epochs": epochs, "seed": seed}
            _keep(run.folder / TRAINED, candidate.key, row, content)
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
) -> tuple[dict[str, object], bytes]:
    """Accuracies and the trained network as safetensors."""
    settings, noise = run.config.training, noise_of(run.config.on_chip)
    samples, validation = on_device(data.train, device), on_device(data.validation, device)
    kernel = chosen_kernel(settings, run.environment.get("kernel")).name
    network = build(architecture, seed, kernel).to(device)
    fitted = fit(
        network,
        samples,
        validation,
        steps=epochs * max(1, len(samples) // settings.batch_size),
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warm_up=settings.warm_up,
        weight_decay=settings.weight_decay,
        looks=FULL_TRAINING_LOOKS,
        seed=seed,
        noise=None if noise is None else WeightNoise(chip, noise),
        augment=settings.augment,
    )
    with torch.no_grad():
        for name, tensor in named_tensors(network).items():
            tensor.copy_(fitted.tensors[name])
    deployed, test = deploy(network), on_device(data.test, device)
    test_accuracy = measure(deployed, test).accuracy
    row: dict[str, object] = {
        "validation_accuracy": fitted.accuracy,
        "test_accuracy": test_accuracy,
        "steps": fitted.steps,
        **fresh_summary(
            deployed, chip, run, train=samples, validation=validation, test=test, seed=seed
        ),
    }
    about = {"architecture": json.dumps(architecture.describe()), "kernel": kernel}
    return row, to_bytes(fitted.tensors, about)


def _keep(folder: Path, key: str, row: Mapping[str, object], content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / f"{key}.safetensors", content)
    write_atomically(folder / f"{key}.json", json.dumps(row, indent=1).encode())
