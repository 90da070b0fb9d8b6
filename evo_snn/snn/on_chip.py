"""A network on one chip instance: its weights as conductances that are not ideal.

An *instance* is one drawn chip: every cell's programming error, its faults, what time and wires do
to it. The *fast* path folds all of that into one perturbed weight a layer; the *exact* path reads
row blocks, slices and input bits apart, through the chip's ADCs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from evo_snn.snn.network import DeployedNetwork, Network
from genomes.architecture import Layer
from hardware.chip import Chip
from hardware.conditions import Conditions


def on_chip(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    *,
    seed: int,
    instance: int = 0,
    seconds: float = 0.0,
    path: Literal["fast", "exact"] = "fast",
    calibration: Tensor | None = None,
    rates: Mapping[str, tuple[float, float]] | None = None,
) -> Network:
    """The network as one instance of the chip runs it: a pure function of its arguments.

    Args:
        network: What is to run, on any device.
        chip: Gives cells, crossbars, slices and ADCs.
        conditions: What is not ideal.
        seed, instance: The instance is drawn from these two alone; equal ones give equal chips,
            for both paths and at all times.
        seconds: Time since programming.
        path: ``fast`` or ``exact``.
        calibration: Samples (n, *input_shape) that set the range of each layer's ADCs in the exact
            path; without them the ADCs span every possible sum.
        rates: Layer name to (input rate, output rate) as ``measure`` gives them, for which wire
            resistance is worked out; without them ``conditions.wire_rate`` is.

    Raises:
        RequestError: as ``hardware.conditions.check_conditions``.
    """
    raise NotImplementedError


def noisy_levels(
    levels: Tensor,
    layer: Layer,
    chip: Chip,
    conditions: Conditions,
    generator: torch.Generator,
) -> Tensor:
    """Levels as a freshly drawn instance realises them, just after programming.

    The distribution is that of the fast path; the gradient passes to ``levels`` unchanged.

    Args:
        levels: ``layer.weight_shape``, whole numbers, as ``weight_levels`` gives them. A channel
            that deploying would flip (a negative gain) is to be flipped before and after.
        layer: Whose they are.
        chip, conditions: As for `on_chip`.
        generator: On the CPU.

    Returns:
        ``layer.weight_shape``: what takes the levels' place in the matrix product.
    """
    raise NotImplementedError
