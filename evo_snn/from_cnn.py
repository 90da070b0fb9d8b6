"""ACE-SNN's training path: the CNN of an architecture is trained first, and then converted.

(G. Datta et al., Front. Neurosci. 16, 815258, 2022.) The converted network has the CNN's weights at
the bits of its architecture; it is then trained as any spiking network is, leaks and thresholds
with the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from evo_snn.config import TrainingSection
from evo_snn.snn import Network, TrainableNetwork, deploy
from evo_snn.snn.conversion import PERCENTILES, converted, is_same_function, rebound, thresholds
from evo_snn.snn.relu import ReLUNetwork, build_cnn
from evo_snn.snn.tensors import named_tensors, restore
from evo_snn.training import Fitted, Samples, measure, random_batches
from genomes.architecture import Architecture

FINE_TUNING = 0.25
"""Share of the learning rate that the converted network is trained with: it has learnt before."""

CALIBRATION_BATCHES = 10
"""Batches of training samples that thresholds are taken from."""

Fitting = Callable[..., Fitted]
"""`evo_snn.training.fit` with all but the network, its own form in evaluation and the peak of the
learning rate given."""


@dataclass(frozen=True)
class Converted:
    """A spiking network that was a CNN, and what is known of both.

    Attributes:
        network: to be trained further.
        percentile: that the thresholds are of: the one with the best validation accuracy.
        kind: ``rates follow``, or ``warm start`` where the neurons' rates do not.
        cnn, quantized_cnn: the trained CNNs, in evaluation mode.
    """

    network: TrainableNetwork
    percentile: float
    kind: str
    cnn: ReLUNetwork
    quantized_cnn: ReLUNetwork

    def told(self, samples: Samples) -> dict[str, object]:
        """By column of a table: the conversion, and accuracies of the three networks as they are.

        Columns: ``conversion``, ``percentile``, ``cnn``, ``quantized_cnn``, ``converted``.
        """
        return {
            "conversion": self.kind,
            "percentile": self.percentile,
            "cnn": measure(self.cnn, samples).accuracy,
            "quantized_cnn": measure(self.quantized_cnn, samples).accuracy,
            "converted": measure(deploy(self.network), samples).accuracy,
        }


def convert(
    architecture: Architecture,
    fitting: Fitting,
    train: Samples,
    validation: Samples,
    settings: TrainingSection,
    *,
    seed: int,
    kernel: str,
) -> Converted:
    """Train the CNNs of an architecture, and make a spiking network of the full-precision one.

    The quantized CNN goes on from the other, to compare with.

    Args:
        architecture: of the spiking network.
        fitting: trains a network, the CNNs as the spiking one.
        train: samples to take thresholds from.
        validation: samples to choose their percentile by.
        settings: learning rate, of what starts afresh, and batch size.
        seed: of the initial weights and the calibration's samples.
        kernel: what computes the spiking neurons.

    Raises:
        RequestError: the architecture has no CNN.
    """
    rate, device = settings.learning_rate, train.y.device
    cnn = build_cnn(architecture, seed, quantized=False).to(device)
    restore(cnn, fitting(cnn, learning_rate=rate, in_use=evaluated).tensors)
    quantized = build_cnn(architecture, seed, quantized=True).to(device)
    restore(quantized, named_tensors(cnn))
    tuned = fitting(quantized, learning_rate=FINE_TUNING * rate, goes_on=True, in_use=evaluated)
    restore(quantized, tuned.tensors)
    batches = calibration(train, settings.batch_size, seed)
    found = [
        (percentile, _at(cnn, batches, percentile, seed, kernel)) for percentile in PERCENTILES
    ]
    percentile, network = max(found, key=lambda one: measure(deploy(one[1]), validation).accuracy)
    neurons = [one.neuron for one in architecture.order if one.neuron]
    kind = "rates follow" if is_same_function(neurons) else "warm start"
    return Converted(network, percentile, kind, cnn.eval(), quantized.eval())


def evaluated(network: TrainableNetwork) -> Network:
    """A copy of a network in evaluation mode: what is measured of one that is never deployed."""
    return copy.deepcopy(network).eval()


def calibration(train: Samples, batch_size: int, seed: int) -> list[Tensor]:
    """Batches of training samples, each sample once as far as there are enough."""
    generator = torch.Generator().manual_seed(seed)
    batches = random_batches(len(train), batch_size, generator)
    return [train.x[next(batches).to(train.y.device)] for _ in range(CALIBRATION_BATCHES)]


def _at(
    cnn: ReLUNetwork, batches: list[Tensor], percentile: float, seed: int, kernel: str
) -> TrainableNetwork:
    """The converted network whose thresholds are a percentile of the currents."""
    own = copy.deepcopy(cnn).eval()
    rebound(own, batches, thresholds(own, batches, percentile))
    return converted(own, seed, kernel)
