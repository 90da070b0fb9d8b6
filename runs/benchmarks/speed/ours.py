"""The package's networks, as ``evo_snn.training.fit`` trains them, and with parts switched."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evo_snn.snn.kernels import Dynamics, fire
from evo_snn.snn.layers import TrainableLayer
from evo_snn.snn.network import TrainableNetwork, build, deploy, slot
from evo_snn.snn.products import average_pooled, membrane_input, product
from genomes.architecture import INPUT, Layer, Neuron
from speed.plans import CLASSES, Plan
from speed.timing import Call


@dataclass(frozen=True)
class Variant:
    """The package's network with parts switched.

    Attributes:
        kernel: of the neurons.
        deployable: batch normalisation, and quantized weights, states and leaks, as in every
            search; otherwise layers and neurons are those of the obvious program.
        reuse: what direct encoding repeats is computed once. Only where not deployable.
        merged: a convolution and the average behind it are computed as one. Only where not
            deployable.
    """

    kernel: str = "auto"
    deployable: bool = False
    reuse: bool = True
    merged: bool = True


def package_network(plan: Plan, variant: Variant, *, deployed: bool = False) -> nn.Module:
    """The package's network of a plan; ``deployed`` is what a look at validation runs.

    Raises:
        ValueError: a network that averages spikes is to be deployable.
    """
    if plan.order == "average-after":
        if variant.deployable:
            raise ValueError("the package's networks do not average spikes")
        network = build(replace(plan, order="average-first").architecture(), 0, variant.kernel)
    else:
        network = build(plan.architecture(), 0, variant.kernel)
    if deployed:
        return deploy(network)
    return network if variant.deployable else bare(network, plan, variant)


def bare(network: TrainableNetwork, plan: Plan, variant: Variant) -> TrainableNetwork:
    """The same network, changed in place: the layers and neurons of the obvious program.

    The package's way through a network, its convolutions and its kernels are what they were.
    """
    average_after = plan.order == "average-after"
    for layer in network.architecture.layers:
        name = slot(layer.name)
        before = cast(TrainableLayer, network.layers[name])
        pooling = "none" if average_after else "merged" if variant.merged else "apart"
        repeats = plan.time_steps if layer.source == INPUT and not variant.reuse else 1
        network.layers[name] = BareLayer(layer, before.weight, pooling, repeats)
        if layer.neuron is not None:
            network.neurons[name] = BareNeuron(layer.neuron, layer.pool if average_after else ())
    return network


class BareLayer(nn.Module):
    """A convolution without batch normalisation and quantization, or a read-out with a bias.

    Args:
        layer: what it computes.
        weight: its first weights.
        pooling: whether an average behind it is merged with it, apart, or somebody else's.
        repeats: how often it computes the same.
    """

    def __init__(self, layer: Layer, weight: nn.Parameter, pooling: str, repeats: int) -> None:
        super().__init__()
        self.layer, self.pooling, self.repeats = layer, pooling, repeats
        self.weight = weight
        self.shift = nn.Parameter(torch.zeros(CLASSES)) if layer.neuron is None else None

    def forward(self, source: Tensor) -> Tensor:
        """(N, *in_shape) → (N, *neuron_shape), or what is left to be pooled."""
        values, _ = self.product(source)
        return values if self.shift is None else values + self.shift

    def product(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, before a read-out's bias, and `unit`."""
        return self._product(source), self.unit()

    def normalised(self, values: Tensor, *_: int) -> Tensor:
        """The same values, whatever step they are of: nothing is normalised here."""
        return values

    def _product(self, source: Tensor) -> Tensor:
        if self.repeats > 1:
            source = source.repeat(self.repeats, *[1] * (source.ndim - 1))
        if self.pooling == "merged":
            return membrane_input(self.layer, source, self.weight)
        values = product(self.layer, source, self.weight)
        return average_pooled(self.layer, values) if self.pooling == "apart" else values

    def unit(self) -> Tensor:
        """(out,): nothing here is an integer, so any unit will do."""
        return self.weight.new_ones(self.layer.out_channels)


class BareNeuron(nn.Module):
    """Neurons with a fixed leak and threshold, whose states are not rounded.

    Args:
        neuron: what they are.
        window: the spikes are averaged over, () for none.
    """

    def __init__(self, neuron: Neuron, window: tuple[int, ...]) -> None:
        super().__init__()
        self.dynamics, self.window = Dynamics.of(neuron), window
        self.register_buffer("threshold", torch.tensor(neuron.threshold))
        self.register_buffer("leak", torch.tensor(neuron.leak))

    def forward(self, current: Tensor, time_steps: int, unit: Tensor, kernel: str) -> Tensor:
        """Spikes (T, batch, channels, …) of an input current; the unit is not needed."""
        del unit
        spikes = fire(
            self.dynamics, current, time_steps, self.threshold, self.leak, None, kernel=kernel
        )
        if not self.window:
            return spikes
        return F.avg_pool2d(spikes.flatten(0, 1), self.window).unflatten(0, (time_steps, -1))

    def project(self) -> None:
        """Nothing here is trained."""


def samples(plan: Plan) -> tuple[Tensor, Tensor]:
    """A batch of random images and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(plan.batch, *plan.input_shape, generator=generator)
    return x, torch.randint(CLASSES, (plan.batch,), generator=generator)


def training_call(
    network: nn.Module, plan: Plan, *, adam: Literal["plain", "fused", "package"] = "plain"
) -> Call:
    """A call that is one training step on the same batch: forward, backward, Adam.

    Args:
        network: in training mode.
        plan: of the batch.
        adam: torch's as it comes, torch's fused one, or what the package's training does: the
            fused one with weight decay, and neurons' parameters brought back where they make sense.
    """
    x, y = samples(plan)
    optimizer = _optimizer(network, adam)

    def call() -> None:
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if isinstance(network, TrainableNetwork):
            network.project()

    return call


def operations_done(network: nn.Module, plan: Plan) -> int:
    """Operations that convolutions really take in a training step, as torch counts them.

    What runs as a product of matrices is counted too, but for the read-out's. Counted in double
    precision, of which torch knows all products.
    """
    network = copy.deepcopy(network).double()
    x, y = samples(plan)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(network(x.double()), y).backward()
    counts = {str(name): n for name, n in counter.get_flop_counts()["Global"].items()}
    found = sum(n for name, n in counts.items() if "convolution" in name or "mm" in name)
    return found - 3 * 2 * plan.batch * plan.time_steps * plan.features * CLASSES


def _optimizer(network: nn.Module, adam: str) -> torch.optim.Optimizer:
    rate = 1e-5  # so small that spike rates stay what they are, however long it is timed
    if adam == "package":
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0, fused=True)
    return torch.optim.Adam(network.parameters(), lr=rate, fused=adam == "fused" or None)


def inference_call(network: nn.Module, plan: Plan) -> Call:
    """A call that is the scores of one batch."""
    x, _ = samples(plan)
    network.eval()

    @torch.no_grad()
    def call() -> None:
        network(x)

    return call
