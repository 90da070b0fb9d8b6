"""Matrix layers: the trainable one, and what is left of it on a chip.

Both turn the map that they read into the membrane input, average pooling included (or, for the
read-out, into what is accumulated), and both are followed by the same neurons and skip links
(``network.py``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from numpy.typing import NDArray
from torch import Tensor, nn

from evo_snn.snn.columns import kept_weights
from evo_snn.snn.products import membrane_input
from evo_snn.snn.quantization import by_channel, straight_through, weight_levels
from genomes.architecture import INPUT, Layer

MOMENTUM = 0.1
"""Least weight of the newest batch in the running statistics of batch normalisation."""

VARIANCE_FLOOR = 1e-5
"""Added to a variance by batch normalisation, torch's default."""


Perturb = Callable[[Layer, Tensor], Tensor]
"""What a chip makes of a layer's levels, ``layer.weight_shape``."""


def input_codes(layer: Layer) -> int:
    """How many units make 1.0 in what a layer reads: the analog input is n / (2^bits - 1)."""
    return 2**layer.input_bits - 1 if layer.source == INPUT else 1


def quantized(layer: Layer, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Levels ``layer.weight_shape`` and scales of a layer's latent weight, see `weight_levels`.

    A read-out has one scale for all its channels, another layer one a channel.
    """
    kept = kept_weights(layer, weight)
    each = [
        weight_levels(
            weight[part.start : part.stop],
            part.weight_bits,
            per_channel=not layer.is_readout,
            quantizer=layer.quantizer,
            kept=None if kept is None else kept[part.start : part.stop],
        )
        for part in layer.parts
    ]
    if len(each) == 1:
        return each[0]
    levels, scales = zip(*each, strict=True)
    return torch.cat(levels), torch.cat(scales)


class TrainableLayer(nn.Module):
    """Quantized weights and batch normalisation; a read-out has a bias in its place.

    Attributes:
        weight: ``layer.weight_shape``, the latent weights that training moves.
        scale, shift: (out,), batch normalisation's gain and offset; a read-out has ``shift`` alone.
        mean, variance: (out,), batch normalisation's running statistics.
        perturb: what becomes of the levels in a training step, see `Perturb`; None for nothing.
        batches_seen: how many batches are in them.
        floor: added to a variance.
    """

    floor = VARIANCE_FLOOR
    mean: Tensor
    variance: Tensor

    def __init__(self, layer: Layer, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = layer
        self.perturb: Perturb | None = None
        self.batches_seen = 0
        fan_in = layer.weights // layer.out_channels
        weight = torch.empty(layer.weight_shape).normal_(generator=generator)
        self.weight = nn.Parameter(weight * (2 / fan_in) ** 0.5)
        self.shift = nn.Parameter(torch.zeros(layer.out_channels))
        if not layer.is_readout:
            self.scale = nn.Parameter(torch.ones(layer.out_channels))
            self.register_buffer("mean", torch.zeros(layer.out_channels))
            self.register_buffer("variance", torch.ones(layer.out_channels))

    def forward(self, source: Tensor) -> Tensor:
        """(N, *in_shape) → (N, *neuron_shape)."""
        values, _ = self.product(source)
        return values + self.shift if self.layer.is_readout else self.normalised(values)

    def product(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(N, *in_shape) → (N, *neuron_shape) before normalisation, and ``unit()``."""
        weight, scale = self._present_weight()
        return membrane_input(self.layer, source, weight), self._unit(scale)

    def normalised(self, values: Tensor, step: int = 0, steps: int = 1) -> Tensor:
        """Batch normalisation of what neurons see, (N, *neuron_shape).

        Args:
            values: of a batch, or of one of its time steps.
            step: which of them, from 0.
            steps: in how many parts the batch comes, one after the other.
        """
        return F.batch_norm(
            values,
            self.mean,
            self.variance,
            self.scale,
            self.shift,
            training=self.training,
            momentum=self._counted(step, steps),
            eps=self.floor,
        )

    def follow(self, moments: NDArray[np.float64], number: int) -> None:
        """Let the running statistics follow a training batch on the CPU, as `normalised` does.

        Args:
            moments: (2, out), mean and variance, the variance divided by the number.
            number: of values a channel.
        """
        from evo_snn.snn.kernels import compiled_normalisation

        mean, variance = self.mean.numpy(), self.variance.numpy()
        compiled_normalisation.follow(mean, variance, moments, number, self._counted())

    def _counted(self, step: int = 0, steps: int = 1) -> float:
        """Count a training batch at its first step; a step's weight in the running statistics.

        In the end all steps of a batch weigh alike, and together as a batch that comes at once.
        """
        self.batches_seen += self.training and step == 0
        newest = max(1 / max(1, self.batches_seen), MOMENTUM)  # of few batches the plain average
        return newest / (steps - (steps - 1 - step) * newest)

    def _present_weight(self) -> tuple[Tensor, Tensor]:
        """The weight at its own bits, in a training step with noise what a chip makes of it.

        And the scales of its levels, (out, 1, …) or (1, 1, …).
        """
        per_channel = not self.layer.is_readout
        levels, scale = quantized(self.layer, self.weight)
        if self.training and self.perturb is not None:
            sign = torch.ones_like(levels)
            if per_channel:  # a chip holds the levels that deploying flips
                flipped = (self.scale.detach() < 0).view(-1, *[1] * (levels.ndim - 1))
                sign = torch.where(flipped, -sign, sign)
            levels = self.perturb(self.layer, levels * sign) * sign
        return straight_through(self.weight, levels * scale), scale

    @torch.no_grad()
    def unit(self) -> Tensor:
        """(out,) > 0: what one unit of the integer product will be worth once deployed."""
        _, scale = quantized(self.layer, self.weight)
        return self._unit(scale)

    @torch.no_grad()
    def _unit(self, scale: Tensor) -> Tensor:
        readout = self.layer.is_readout
        scale = scale.flatten() if readout else scale.flatten() * self.gain().abs()
        return scale.expand(self.layer.out_channels) / input_codes(self.layer)

    def gain(self) -> Tensor:
        """(out,): the factor a of batch normalisation in evaluation, which is a·y + b."""
        return self.scale / (self.variance + VARIANCE_FLOOR).sqrt()


class DeployedLayer(nn.Module):
    """What a chip holds of a layer: integer weights, one scale and one bias a channel.

    Attributes:
        levels: ``layer.weight_shape`` int8, see ``genomes.quantizers``.
        scale: (out,), > 0: what one unit of the integer weights is worth. A read-out has the same
            scale for all its channels, so that the largest sum needs no multiplication.
        bias: (out,), added in every time step.
    """

    levels: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, layer: Layer, levels: Tensor, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("levels", levels.to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    def unit(self) -> Tensor:
        """(out,) > 0: what one unit of the integer product is worth."""
        return self.scale / input_codes(self.layer)

    def forward(self, source: Tensor) -> Tensor:
        """(N, *in_shape) → (N, *neuron_shape)."""
        return self.normalised(self.product(source)[0])

    def product(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(N, *in_shape) → (N, *neuron_shape) in units of the integer weights, and ``unit()``."""
        return membrane_input(self.layer, source, self.present(source.dtype)), self.unit()

    def present(self, dtype: torch.dtype) -> Tensor:
        """What stands in the cells, ``layer.weight_shape``."""
        return self.levels.to(dtype)

    def normalised(self, values: Tensor, step: int = 0, steps: int = 1) -> Tensor:  # noqa: ARG002
        """What neurons see of integer products, (N, *neuron_shape), in every step the same."""
        return values * by_channel(self.scale, values.ndim) + by_channel(self.bias, values.ndim)


@torch.no_grad()
def folded(trained: TrainableLayer) -> DeployedLayer:
    """The deployed form of a trained layer, in evaluation mode the same function.

    Batch normalisation in evaluation is a·y + b with a = scale / sqrt(variance + floor) and
    b = shift - a·mean. Its magnitude joins the scale of the weights, its sign the integer levels.
    """
    layer = trained.layer
    readout = layer.is_readout
    levels, scale = quantized(layer, trained.weight)
    scale = scale.flatten().expand(layer.out_channels)
    if readout:
        return DeployedLayer(layer, levels, scale.clone(), trained.shift.clone())
    gain = trained.gain()
    sign = torch.where(gain < 0, -1.0, 1.0).to(gain.dtype).view(-1, *[1] * (levels.ndim - 1))
    bias = trained.shift - gain * trained.mean
    return DeployedLayer(layer, levels * sign, scale * gain.abs(), bias)
