"""The package's networks, as ``evo_snn.training.fit`` trains them, and with parts switched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor, nn

from evo_snn.snn.network import TrainableNetwork, build, deploy
from genomes.architecture import INPUT
from speed.plans import CLASSES, Plan
from speed.timing import Call


@dataclass(frozen=True)
class Variant:
    """The package's network with parts switched.

    Attributes:
        kernel: of the neurons.
        deployable: batch normalisation, and quantized weights, states and leaks, as in every
            search; otherwise layers and neurons are those of the obvious program.
        reuse: what direct encoding repeats is computed once.
    """

    kernel: str = "auto"
    deployable: bool = True
    reuse: bool = True


def package_network(plan: Plan, variant: Variant, *, deployed: bool = False) -> nn.Module:
    """The package's network of a plan; ``deployed`` is what a look at validation runs."""
    network = build(plan.architecture(), seed=0)
    if deployed:
        return deploy(network)
    return network if variant.reuse else without_reuse(network)


class Repeated(nn.Module):
    """A first layer that computes anew in every time step what is the same in all of them."""

    def __init__(self, inner: nn.Module, time_steps: int) -> None:
        super().__init__()
        self.inner, self.time_steps = inner, time_steps

    def forward(self, source: Tensor) -> Tensor:
        """(batch, *in_shape) → (T x batch, *out_shape)."""
        return self.inner(source.repeat(self.time_steps, *[1] * (source.ndim - 1)))

    def unit(self) -> Tensor:
        """As the inner layer's."""
        return self.inner.unit()


def without_reuse(network: TrainableNetwork) -> TrainableNetwork:
    """The same network, changed in place: the layers that read the input run in every step."""
    for layer, name in zip(network.architecture.layers, network.layers, strict=True):
        if layer.source == INPUT:
            inner = network.layers[name]
            network.layers[name] = Repeated(inner, network.architecture.time_steps)
    return network


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
