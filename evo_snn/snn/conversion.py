"""From a CNN to a spiking network: thresholds from activations, and what a neuron's gain changes.

The firing rate of an integrate-and-fire neuron with reset by subtraction follows the clipped ReLU
whose upper bound is the threshold, in steps of 1/T (B. Rueckauer et al., Front. Neurosci. 11:682,
2017). So weights and batch normalisation are copied, and

- the threshold is a percentile of the positive currents over training data (robust normalisation,
  same source), in place of the bound that the CNN was trained with;
- half a step of the rate, threshold / 2T, is added to the current, so that the rate is rounded to
  the nearest step instead of down (S. Deng & S. Gu, ICLR 2021), and what half a threshold leaks;
- the neuron leaks as little as a chip's leak can. Norse's leak scales the current too,
  v += leak (i - v), so the current is divided by it.

A neuron with hard reset loses what exceeds its threshold, a `lif` neuron's synaptic current lags
behind, and one that fires once has no rate: of these the conversion is a warm start for training,
not the same function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evo_snn.snn.kernels.dynamics import SYNAPTIC_LEAK
from evo_snn.snn.network import TrainableNetwork, build, slot
from evo_snn.snn.quantization import LEAK_STEPS
from evo_snn.snn.relu import ReLUNetwork
from evo_snn.snn.tensors import named_tensors
from genomes.architecture import Layer, Neuron, Node

PERCENTILES = (90.0, 95.0, 99.0, 99.9)
"""Percentiles that are tried. Rueckauer et al. recommend 99.0 to 99.999 for many time steps; of few
steps a lower one wastes fewer of them."""

LEAST_LEAK = 1 / LEAK_STEPS
"""The leak of a converted neuron."""


@torch.no_grad()
def thresholds(cnn: ReLUNetwork, batches: Iterable[Tensor], percentile: float) -> dict[str, float]:
    """A percentile of the positive currents by ``slot(name)``.

    Args:
        cnn: in evaluation mode.
        batches: of training samples, (batch, *input_shape) each.
        percentile: from 0 to 100.

    Returns:
        The bound that the CNN has where no current is positive.
    """
    seen: dict[str, list[np.ndarray[Any, np.dtype[np.float32]]]] = {}

    with ExitStack() as stack:
        for name, neuron in cnn.activations().items():
            found = seen.setdefault(name, [])

            def keep(_module: object, given: tuple[Any, ...], found: Any = found) -> None:
                current = given[0]
                found.append(current[current > 0].cpu().numpy())

            stack.callback(neuron.register_forward_pre_hook(keep).remove)
        for x in batches:
            cnn(x)
    bounds = {name: float(neuron.bound) for name, neuron in cnn.activations().items()}
    values = {name: np.concatenate(parts) for name, parts in seen.items()}
    return {
        name: float(np.percentile(values[name], percentile)) if values[name].size else bound
        for name, bound in bounds.items()
    }


@torch.no_grad()
def rebound(cnn: ReLUNetwork, batches: list[Tensor], bounds: Mapping[str, float]) -> None:
    """Give a CNN other upper bounds, and have what reads its activations follow.

    An activation is a share of its bound, so all of them change in size: batch normalisation is
    estimated anew, and the read-out's weights are scaled by what the mean of its input lost.
    """
    before = _mean_input_of_readouts(cnn, batches)
    for name, neuron in cnn.activations().items():
        neuron.bound.fill_(bounds[name])
    for layer in cnn.trainable_layers():
        layer.batches_seen = 0
    was_training = cnn.training
    cnn.train()
    for x in batches:
        cnn(x)
    cnn.train(was_training)
    after = _mean_input_of_readouts(cnn, batches)
    for layer in cnn.trainable_layers():
        name = layer.layer.name
        if name in after and after[name] > 0:
            layer.weight.mul_(before[name] / after[name])


def _mean_input_of_readouts(cnn: ReLUNetwork, batches: list[Tensor]) -> dict[str, float]:
    """The mean of what each layer without batch normalisation reads, by its name."""
    sums: dict[str, float] = {}
    plain = {layer.name for layer in cnn.architecture.readouts}

    def add(layer: Layer | Node, source: Tensor | None, _spikes: Tensor | None) -> None:
        if layer.name in plain and source is not None:
            sums[layer.name] = sums.get(layer.name, 0.0) + float(source.mean())

    was_training = cnn.training
    cnn.eval()
    for x in batches:
        cnn(x, observe=add)
    cnn.train(was_training)
    return sums


@torch.no_grad()
def converted(cnn: ReLUNetwork, seed: int, kernel: str = "auto") -> TrainableNetwork:
    """The spiking network of a CNN: its architecture's neurons, the CNN's weights.

    Each layer's current is scaled so that its neurons start from the threshold of their genes, but
    for currents that nodes add up.

    Args:
        cnn: the trained CNN, in whose place the network fires at rates that follow its activations.
        seed: of what the network would begin with, all of which is replaced.
        kernel: what computes the neurons.
    """
    architecture = cnn.architecture
    network = build(architecture, seed, kernel).to(next(cnn.parameters()).device)
    own, found = named_tensors(network), named_tensors(cnn)
    for name in own.keys() & found.keys():
        own[name].copy_(found[name])
    steps = architecture.time_steps
    bounds = {name: float(neuron.bound) for name, neuron in cnn.activations().items()}
    for element in architecture.order:
        if element.neuron is None:
            continue
        name, gain = element.name, _gain(element.neuron)
        if isinstance(element, Node) or name in network.linked:
            # others add up the same current, so the threshold follows it here
            own[f"{name}/threshold"].fill_(bounds[slot(name)] * gain)
        else:
            factor = element.neuron.threshold / bounds[slot(name)] / gain
            more = bounds[slot(name)] * _half_a_step(element.neuron, steps)
            own[f"{name}/scale"].mul_(factor)
            own[f"{name}/shift"].add_(more).mul_(factor)
        if f"{name}/leak" in own:
            own[f"{name}/leak"].fill_(LEAST_LEAK)
    return network


def is_same_function(neurons: Iterable[Neuron]) -> bool:
    """Whether neurons' rates follow a clipped ReLU as the steps grow many; else a warm start."""
    return all(one.kind != "lif" and one.reset == "subtract" and not one.once for one in neurons)


def _half_a_step(neuron: Neuron, steps: int) -> float:
    """What is added to a current, as a share of the bound, for rates to be rounded to the nearest.

    A membrane that is between 0 and the threshold also leaks away half of it on average.
    """
    leaked = 0.0 if neuron.kind == "iaf" else LEAST_LEAK
    return (1 / steps + leaked) / 2


def _gain(neuron: Neuron) -> float:
    """What a constant current of 1 adds to the membrane in a time step, before it leaks."""
    if neuron.kind == "iaf":
        return 1.0
    return LEAST_LEAK / SYNAPTIC_LEAK if neuron.kind == "lif" else LEAST_LEAK
