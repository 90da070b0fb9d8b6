"""Accuracy of a trained network on chip instances: mean, worst, spread, and after some time."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, prod

import torch
from torch import Tensor

from evo_snn.fidelity import OnChip
from evo_snn.snn import DeployedNetwork, Network
from evo_snn.snn.exits import decided
from evo_snn.snn.on_chip import Rates, chip_instances
from evo_snn.training import Samples
from hardware import Chip

ELEMENTS_AT_ONCE = 2**19
"""Values of the largest map in a forward pass: few passes for small networks, whose time is that of
calls, and maps that stay in the processor's cache for large ones."""


def metrics_on_chip(
    network: DeployedNetwork,
    chip: Chip,
    how: OnChip,
    *,
    train: Samples,
    validation: Samples,
    rates: Rates,
    seed: int,
) -> dict[str, float]:
    """What ``[on_chip]`` metrics a candidate has: a pure function of the arguments.

    Args:
        network: the trained network, deployed.
        chip: the candidate's.
        how: what is measured.
        train: the training part, for the range of ADCs.
        validation: the validation part, for accuracy.
        rates: spike rates, as ``measure`` gives them.
        seed: instances are drawn from it and their numbers, from 0.
    """
    samples = fixed_part(validation, how.samples)
    times = {**({"": 0.0} if how.fresh else {}), **how.after}
    found: dict[str, float] = {}
    for name, seconds in times.items():
        hits = hits_on_chip(
            network,
            chip,
            how,
            samples,
            instances=range(how.instances),
            seed=seed,
            seconds=seconds,
            calibration=fixed_part(train, how.calibration).x[:],
            rates=rates,
        )
        found |= {name: hits.double().mean().item()} if name else summary(hits, len(validation))
    return found


def hits_on_chip(
    network: DeployedNetwork,
    chip: Chip,
    how: OnChip,
    samples: Samples,
    *,
    instances: Iterable[int],
    seed: int,
    seconds: float = 0.0,
    calibration: Tensor | None = None,
    rates: Rates | None = None,
) -> Tensor:
    """Which samples each instance classifies correctly, (instances, samples) bool, on the CPU.

    Args:
        network: what runs on the chips.
        chip: what they are instances of.
        how: conditions and path.
        samples: what is classified.
        instances: numbers of the instances.
        seed: that they are drawn from, with their numbers.
        seconds: after programming.
        calibration: samples (n, *input_shape) that set the range of ADCs, in the exact path.
        rates: for wire resistance, see ``on_chip``.
    """
    drawn = chip_instances(
        network,
        chip,
        how.conditions,
        seed=seed,
        instances=instances,
        seconds=seconds,
        path=how.path,
        calibration=calibration if how.path == "exact" else None,
        rates=rates,
    )
    return torch.stack([_hits(one, samples) for one in drawn])


@torch.no_grad()
def _hits(network: Network, samples: Samples) -> Tensor:
    largest = max(prod(layer.out_shape) for layer in network.architecture.layers)
    parts = ceil(len(samples) * largest / ELEMENTS_AT_ONCE)
    batches = zip(samples.x.chunk(parts), samples.y.chunk(parts), strict=True)
    return torch.cat([decided(network, x).classes == y for x, y in batches]).cpu()


def fixed_part(samples: Samples, size: int) -> Samples:
    """So many of the samples, the same ones wherever they are asked for; all for 0."""
    if size == 0 or size >= len(samples):
        return samples
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    chosen = order[:size].sort().values.to(samples.y.device)
    return Samples(samples.x[chosen], samples.y[chosen])


def summary(hits: Tensor, population: int) -> dict[str, float]:
    """Mean, worst, standard deviation over instances, and the mean's standard error.

    With the variance a of accuracies over K instances, and the variance b over n of N samples of
    the share of instances that get a sample right, both unbiased, the standard error is
    sqrt(a / K + b / n (1 - n / N)): instances are a sample of all chips, and the samples one of the
    validation part without replacement (Cochran, Sampling Techniques, 3rd ed. 1977, section 2.6).
    What an instance and a sample have to do with each other is in both terms, so that it is rather
    too large than too small. One instance has no variance; then the first term is left out.

    Args:
        hits: (K, n) bool.
        population: N.
    """
    instances, samples = hits.shape
    right = hits.double()
    accuracies = right.mean(1)
    mean = accuracies.mean().item()
    between = accuracies.var().item() if instances > 1 else 0.0
    within = right.mean(0).var().item() if samples > 1 else 0.0
    error = between / instances + within / samples * (1 - samples / population)
    return {
        "accuracy_on_chip": mean,
        "accuracy_on_chip_worst": accuracies.min().item(),
        "accuracy_on_chip_std": between**0.5,
        "accuracy_on_chip_stderr": error**0.5,
    }
