"""The network of ordinary neurons with the graph of a spiking one: a CNN without time.

A clipped ReLU with a trainable upper bound stands in each neuron's place (PACT: J. Choi et al.,
arXiv 1805.06085, 2018), and gives a share of that bound, from 0 to 1, where a spiking neuron gives
its rate: min(1, max(0, current / bound)). So weights and batch normalisation mean the same in both.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from evo_snn.snn.layers import TrainableLayer
from evo_snn.snn.network import TrainableNetwork, slot
from evo_snn.snn.neurons import SMALLEST_THRESHOLD
from evo_snn.snn.quantization import straight_through
from genomes.architecture import Architecture
from genomes.cnn import activation_bits, require_static

FIRST_BOUND = 3.0
"""Upper bound before training: of a normal current, as batch normalisation first gives it, hardly
anything is above three standard deviations."""


class ClippedReLU(nn.Module):
    """What stands in the place of a layer of spiking neurons, and is called as they are.

    Attributes:
        bound: scalar, the current from which on the activation is 1; trained.
        bits: of an activation; None for full precision.
    """

    def __init__(self, bits: int | None) -> None:
        super().__init__()
        self.bits = bits
        self.bound = nn.Parameter(torch.tensor(FIRST_BOUND))

    @torch.no_grad()
    def project(self) -> None:
        """Keep the bound above zero: after each training step."""
        self.bound.clamp_(min=SMALLEST_THRESHOLD)

    def forward(
        self, current: Tensor, _time_steps: int, _unit: Tensor, _kernel: str = "torch"
    ) -> Tensor:
        """Activations in [0, 1] of a current, both (1, batch, channels, …).

        Time steps, the unit of the integer product and the kernel are a spiking neuron's alone.
        """
        activation = (current / self.bound).clamp(0, 1)
        if self.bits is None:
            return activation
        largest = 2**self.bits - 1
        return straight_through(activation, (activation * largest).round() / largest)


class FullPrecisionLayer(TrainableLayer):
    """A layer whose weights are used as they are."""

    def _present_weight(self) -> tuple[Tensor, Tensor]:
        _, scale = super()._present_weight()
        return self.weight, scale


class ReLUNetwork(TrainableNetwork):
    """The CNN of an architecture: the same layers and links, read once instead of in time steps.

    Args:
        architecture: of the spiking network; its time steps and neurons play no part.
        generator: of the initial weights, which are the spiking network's own.
        quantized: whether weights have the bits that the architecture gives them, and activations
            those of the weights that make them; otherwise neither is rounded. The network's input
            has the architecture's bits in both.

    Raises:
        RequestError: the architecture has no such network.
    """

    def __init__(
        self, architecture: Architecture, generator: torch.Generator, *, quantized: bool
    ) -> None:
        require_static(architecture)
        kind = TrainableLayer if quantized else FullPrecisionLayer
        layers = [kind(layer, generator) for layer in architecture.layers]
        # not TrainableNetwork's own, which has quantized layers only
        super(TrainableNetwork, self).__init__(architecture, layers, kernel="torch")
        bits = {slot(name): bits for name, bits in activation_bits(architecture).items()}
        self.neurons = nn.ModuleDict(
            {name: ClippedReLU(bits[name] if quantized else None) for name in self.neurons}
        )

    def activations(self) -> dict[str, ClippedReLU]:
        """The neurons by ``slot(name)``."""
        return {name: cast(ClippedReLU, neuron) for name, neuron in self.neurons.items()}


def build_cnn(architecture: Architecture, seed: int, *, quantized: bool) -> ReLUNetwork:
    """The CNN of an architecture, on the CPU; equal seeds give equal weights.

    Raises:
        RequestError: the architecture has no such network.
    """
    return ReLUNetwork(architecture, torch.Generator().manual_seed(seed), quantized=quantized)
