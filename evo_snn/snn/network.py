"""Networks: the graph of an architecture, run with trainable or with deployed layers.

Time is folded into the batch for everything without a state, the neurons run over all time steps,
and what direct encoding repeats (the first layer on the analog input) is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor, nn

from evo_snn.snn.kernels import choose
from evo_snn.snn.layers import DeployedLayer, TrainableLayer, folded
from evo_snn.snn.neurons import SpikingNeuron
from evo_snn.snn.quantization import quantized_input
from genomes.architecture import INPUT, Architecture, Layer

_MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}

Observer = Callable[[Layer, Tensor, Tensor | None], None]
"""Called for each layer with what it reads, (N, *in_shape), and its neurons' spikes,
(N, *neuron_shape), None for the read-out. N is the batch for the static input, else T x batch."""


class Network(nn.Module):
    """The graph of an architecture. Subclasses give the layers.

    Attributes:
        architecture: what is run.
        layers, neurons: by ``slot(name)``; a read-out has no neurons.

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
            fresh = {one.name: SpikingNeuron(one.neuron) for one in specifications if one.neuron}
            neurons = nn.ModuleDict({slot(name): neuron for name, neuron in fresh.items()})
        self.neurons = neurons

    def forward(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """Class scores (batch, classes) of samples (batch, *input_shape) in [0, 1].

        The scores are the read-out's sum over all time steps, divided by their number.
        """
        batch = x.shape[0]
        kernel = choose(self.kernel, x.device.type).name
        x = x[(slice(None), *(slice(*part) for part in self.architecture.window))]
        maps = {INPUT: in_channels_last(quantized_input(x, self.architecture.input_bits))}
        scores = x.new_zeros(batch, self.architecture.classes)
        for layer in self.architecture.layers:
            source = with_bands_folded(maps[layer.source]) if layer.folded else maps[layer.source]
            module = cast(TrainableLayer | DeployedLayer, self.layers[slot(layer.name)])
            spikes: Tensor | None = None
            if layer.neuron is None:
                scores = scores + module(source).unflatten(0, (-1, batch)).mean(0)
            else:
                spikes = self._fire(layer, module, source, batch, kernel)
                maps[layer.name] = stored_map(layer, spikes, maps, kernel)
            if observe:
                observe(layer, source, spikes)
        return scores

    def _fire(
        self,
        layer: Layer,
        module: TrainableLayer | DeployedLayer,
        source: Tensor,
        batch: int,
        kernel: str,
    ) -> Tensor:
        """Spikes (T x batch, *neuron_shape) of a layer."""
        neuron = cast(SpikingNeuron, self.neurons[slot(layer.name)])
        steps = self.architecture.time_steps
        if isinstance(module, TrainableLayer):
            values, unit = module.product(source)
            if kernel == "numba" and module.training:
                return neuron.fire_normalised(values, batch, steps, module, unit)
            current = module.normalised(values)
        else:
            current, unit = module(source), module.unit()
        return neuron(current.unflatten(0, (-1, batch)), steps, unit, kernel).flatten(0, 1)


class TrainableNetwork(Network):
    """A network whose weights, batch normalisation, leaks and thresholds are trained."""

    def __init__(
        self, architecture: Architecture, generator: torch.Generator, kernel: str = "auto"
    ) -> None:
        layers = [TrainableLayer(layer, generator) for layer in architecture.layers]
        super().__init__(architecture, layers, kernel=kernel)

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


def stored_map(layer: Layer, spikes: Tensor, maps: Mapping[str, Tensor], kernel: str) -> Tensor:
    """The map that later layers read: spikes, OR-pooled, with the skip links merged."""
    stored = spikes
    if layer.pool_kind == "max" and max(layer.pool, default=1) > 1:
        stored = _or_pooled(spikes, layer.pool, kernel)
    for skip in layer.skips:
        merge = torch.add if layer.skip_kind == "add" else torch.maximum
        stored = merge(stored, maps[skip])
    return stored


def _or_pooled(spikes: Tensor, window: tuple[int, ...], kernel: str) -> Tensor:
    if kernel == "numba":
        from evo_snn.snn.kernels.pooling import or_pooled

        return or_pooled(spikes, window)
    return _MAXIMUM[len(window)](spikes, window)


def in_channels_last(x: Tensor) -> Tensor:
    """The same (N, channels, …), its channels innermost in memory: what convolutions like best."""
    order = range(x.ndim)
    # cloned, for "contiguous" would leave the strides of a single channel as they are
    ordered = x.permute(0, *order[2:], 1).clone(memory_format=torch.contiguous_format)
    return ordered.permute(0, x.ndim - 1, *order[1:-1])


def with_bands_folded(x: Tensor) -> Tensor:
    """(N, C, B, *rest) as (N, C * B, *rest), its channels innermost in memory as they were."""
    spatial = range(3, x.ndim)
    ordered = x.permute(0, *spatial, 1, 2).flatten(-2)  # torch's own fold puts channels outermost
    return ordered.permute(0, ordered.ndim - 1, *range(1, ordered.ndim - 1))


def build(architecture: Architecture, seed: int, kernel: str = "auto") -> TrainableNetwork:
    """The trainable network of an architecture, on the CPU; equal seeds give equal weights."""
    return TrainableNetwork(architecture, torch.Generator().manual_seed(seed), kernel)


def deploy(network: TrainableNetwork) -> DeployedNetwork:
    """The network as the chip runs it; in evaluation the same scores as the trained one."""
    layers = [folded(layer) for layer in network.trainable_layers()]
    first = next(network.parameters())
    deployed = DeployedNetwork(network.architecture, layers, network.neurons, network.kernel)
    return deployed.to(device=first.device, dtype=first.dtype)
