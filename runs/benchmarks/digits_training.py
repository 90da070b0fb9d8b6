"""What scripts about digits share: a network of chosen genes, and its training on digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evo_snn.config import TrainingSection
from evo_snn.datasets import Dataset
from evo_snn.snn import build
from evo_snn.training import Fitted, Samples, fit, on_device
from genomes.architecture import Architecture
from genomes.genes import Choice
from genomes.spaces import make_space

LOOKS = 20


def network_of(options: Mapping[str, Any], chosen: Mapping[str, Choice]) -> Architecture:
    """The network of space ``plain`` with chosen genes, and the first choice of all others."""
    space = make_space("plain", (1, 8, 8), 10, options)
    genes = [(gene.choices, chosen.get(gene.name, gene.choices[0])) for gene in space.genes]
    return space.decode([choices.index(choice) for choices, choice in genes])


def trained(
    architecture: Architecture, data: Dataset, epochs: int, seed: int
) -> tuple[Fitted, Samples]:
    """The best of the looks at validation, and the test part."""
    train, validation, test = (
        on_device(part, "cpu") for part in (data.train, data.validation, data.test)
    )
    settings = TrainingSection()
    fitted = fit(
        build(architecture, seed),
        train,
        validation,
        steps=epochs * (len(train) // settings.batch_size),
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warm_up=settings.warm_up,
        looks=LOOKS,
        seed=seed,
    )
    return fitted, test
