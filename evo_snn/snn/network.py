"""Networks: the graph of an architecture, run with trainable or with deployed layers.

What happens in a forward pass stands in ``passes.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from evo_snn.snn.codings import encoded, regrouped, step_weights
from evo_snn.snn.kernels import choose
from evo_snn.snn.layers import DeployedLayer, TrainableLayer, folded
from evo_snn.snn.neurons import SpikingNeuron
from evo_snn.snn.passes import Observer, Pass
from evo_snn.snn.quantization import quantized_input
from genomes.architecture import INPUT, Architecture, Element

__all__ = [
    "DeployedNetwork",
    "Network",
    "Observer",
    "TrainableNetwork",
    "build",
    "deploy",
    "in_channels_last",
    "slot",
]


class Network(nn.Module):
    """The graph of an architecture. Subclasses give the layers.

    Attributes:
        architecture: what is run.
        layers: by ``slot(name)``.
        neurons: of layers and nodes, by ``slot(name)``; a read-out has none.
        linked: the layers whose currents nodes add up.

    Args:
        architecture: what is run.
        layers: one for each of the architecture's.
        neurons: another network's, to be shared; new ones without them.
        kernel: what computes the neurons, ``auto`` or one of ``kernels.KERNELS``.
    """

    def __init__(
        self,
        architecture: Architecture,
        layers: Iterable[nn.Module],
        neurons: nn.ModuleDict | None = None,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.architecture = architecture
        specifications = architecture.layers
        self.layers = nn.ModuleDict(
            {slot(one.name): layer for one, layer in zip(specifications, layers, strict=True)}
        )
        if neurons is None:
            elements: tuple[Element, ...] = (*specifications, *architecture.nodes)
            fresh = {one.name: SpikingNeuron(one.neuron) for one in elements if one.neuron}
            neurons = nn.ModuleDict({slot(name): neuron for name, neuron in fresh.items()})
        self.neurons = neurons
        links = [link for node in architecture.nodes for link in node.links]
        self.linked = {link.source for link in links if not link.spikes}
        self._draws: torch.Generator | None = None

    def forward(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """Class scores (batch, classes) of samples (batch, *input_shape) in [0, 1].

        The scores are the read-out's sum over all time steps, divided by their number. Of an event
        stream a sample is (frames, *input_shape).
        """
        last = self.architecture.readouts[-1].name
        return self._run(x, observe).scores[last].mean(0)

    def decisions(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """Class scores (decisions, batch, classes) at each point where an inference can end.

        With an exit in time they are those after each time step, divided by the number of steps so
        far; with one in depth each read-out's; else there is one decision, at the end.
        """
        scores = self._run(x, observe).scores
        left = self.architecture.exit
        if left is None or left.kind == "depth":
            names = [layer.name for layer in self.architecture.readouts]
            return torch.stack([scores[name].mean(0) for name in names])
        steps = scores[self.architecture.readouts[-1].name]
        steps = steps.expand(self.architecture.time_steps, *steps.shape[1:])
        number = torch.arange(1, len(steps) + 1, device=x.device, dtype=steps.dtype)
        return steps.cumsum(0) / number.view(-1, 1, 1)

    def layer(self, name: str) -> TrainableLayer | DeployedLayer:
        """The layer of that name."""
        return cast(TrainableLayer | DeployedLayer, self.layers[slot(name)])

    def neuron(self, name: str) -> SpikingNeuron:
        """The neurons of the layer or node of that name."""
        return cast(SpikingNeuron, self.neurons[slot(name)])

    def unit(self, name: str) -> Tensor:
        """(channels,): what one unit of the integer products is worth in a current.

        Of a node's it is the least of all that it adds up.
        """
        layers = self.architecture.drivers.get(name, (name,))
        return torch.stack([self.layer(one).unit() for one in layers]).amin(0)

    def _run(self, x: Tensor, observe: Observer | None) -> Pass:
        one = self.architecture
        kernel = choose(self.kernel, x.device.type).name
        run = Pass(self, len(x), one.time_steps, kernel, observe)
        run.maps[INPUT] = in_channels_last(self._input(x))
        weights = step_weights(one.coding, one.time_steps)
        if set(weights) != {1.0}:
            run.weights = x.new_tensor(weights)
        run.run()
        return run

    def _input(self, x: Tensor) -> Tensor:
        """What the first layers read: (batch, …), or (steps x batch, …) where steps differ."""
        one = self.architecture
        before = (slice(None),) * (2 if one.frames else 1)
        x = x[(*before, *(slice(*part) for part in one.window))]
        if one.frames:
            return quantized_input(regrouped(x, one.time_steps), one.input_bits).flatten(0, 1)
        x = quantized_input(x, one.input_bits)
        if one.coding == "direct":
            return x
        draws = self._draws if self.training else None
        return encoded(x, one.coding, one.time_steps, draws).flatten(0, 1)


class TrainableNetwork(Network):
    """A network whose weights, batch normalisation, leaks and thresholds are trained."""

    def __init__(
        self, architecture: Architecture, generator: torch.Generator, kernel: str = "auto"
    ) -> None:
        layers = [TrainableLayer(layer, generator) for layer in architecture.layers]
        super().__init__(architecture, layers, kernel=kernel)
        self._draws = generator

    def trainable_layers(self) -> list[TrainableLayer]:
        """The layers in the architecture's order."""
        return [cast(TrainableLayer, layer) for layer in self.layers.values()]

    def project(self) -> None:
        """Bring leaks and thresholds back to where they make sense: after each training step."""
        for neuron in self.neurons.values():
            cast(SpikingNeuron, neuron).project()


class DeployedNetwork(Network):
    """A network as the chip runs it: integer weights, folded scales; nothing to train."""

    def __init__(
        self,
        architecture: Architecture,
        layers: Iterable[DeployedLayer],
        neurons: nn.ModuleDict,
        kernel: str = "auto",
    ) -> None:
        super().__init__(architecture, layers, kernel=kernel)
        self.neurons.load_state_dict(neurons.state_dict())
        self.requires_grad_(requires_grad=False)
        self.eval()


def slot(name: str) -> str:
    """The name of a layer as torch allows it for a module."""
    return name.replace(".", "_")


def in_channels_last(x: Tensor) -> Tensor:
    """The same (N, channels, …), its channels innermost in memory: what convolutions like best."""
    order = range(x.ndim)
    # cloned, for "contiguous" would leave the strides of a single channel as they are
    ordered = x.permute(0, *order[2:], 1).clone(memory_format=torch.contiguous_format)
    return ordered.permute(0, x.ndim - 1, *order[1:-1])


def build(architecture: Architecture, seed: int, kernel: str = "auto") -> TrainableNetwork:
    """The trainable network of an architecture, on the CPU; equal seeds give equal weights."""
    return TrainableNetwork(architecture, torch.Generator().manual_seed(seed), kernel)


def deploy(network: TrainableNetwork) -> DeployedNetwork:
    """The network as the chip runs it; in evaluation the same scores as the trained one."""
    layers = [folded(layer) for layer in network.trainable_layers()]
    first = next(network.parameters())
    deployed = DeployedNetwork(network.architecture, layers, network.neurons, network.kernel)
    return deployed.to(device=first.device, dtype=first.dtype)
