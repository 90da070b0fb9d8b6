"""Training with noise: every step meets the weights that a freshly drawn chip has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from evo_snn.config import OnChipSection
from evo_snn.seeds import derived_seed
from evo_snn.snn import TrainableNetwork
from evo_snn.snn.on_chip import noisy_levels
from genomes.architecture import Layer
from hardware import Chip
from hardware.conditions import Conditions
from hardware.conductance import kernel_layers

_STREAM = "6e6f697365"
"""Keeps these draws apart from those of batches: "noise", in hexadecimal digits."""


@dataclass(frozen=True)
class WeightNoise:
    """What training steps meet in place of ideal weights: the cells of freshly drawn chips.

    Attributes:
        chip: what is drawn.
        conditions: what is not ideal.
    """

    chip: Chip
    conditions: Conditions

    @contextmanager
    def on(self, network: TrainableNetwork, seed: int) -> Iterator[None]:
        """Let every training step of a block meet a chip of its own, drawn from the seed."""
        generator = torch.Generator().manual_seed(derived_seed(seed, _STREAM))

        architecture = network.architecture
        by_kernel: dict[str, list[bool]] = {}
        for (layer, _), mapped in zip(
            architecture.parts, kernel_layers(architecture.workload, self.chip), strict=True
        ):
            by_kernel.setdefault(layer.name, []).append(mapped)

        def perturb(layer: Layer, levels: Tensor) -> Tensor:
            return noisy_levels(
                levels,
                layer,
                self.chip,
                self.conditions,
                generator,
                by_kernel=by_kernel[layer.name],
            )

        in_memory = {
            layer.name: work.domain == "memory"
            for (layer, _), work in zip(
                architecture.parts, architecture.workload.layers, strict=True
            )
        }
        for one in network.trainable_layers():
            one.perturb = perturb if in_memory[one.layer.name] else None
        try:
            yield
        finally:
            for one in network.trainable_layers():
                one.perturb = None


def noise_of(section: OnChipSection | None) -> Conditions | None:
    """The conditions that training steps meet; None for training without noise."""
    if section is None or not section.train_with_noise:
        return None
    return section.conditions
