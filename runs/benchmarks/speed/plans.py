"""Networks to time: convolutions of 3 x 3 with 2 x 2 pooling behind each, and a linear read-out.

A is made for 8 x 8 images of one channel, B for 32 x 32 of three. Time folded or not, pooled here
or there, every program of a table runs the same layers in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from genomes.architecture import INPUT, Architecture, Layer, Neuron, NeuronKind

Order = Literal["average-first", "max-after", "average-after"]
ORDERS: dict[Order, str] = {
    "average-first": "convolution, 2x2 average, neuron",
    "max-after": "convolution, neuron, 2x2 maximum of the spikes",
    "average-after": "convolution, neuron, 2x2 average of the spikes",
}
"""Where the pooling is. The package's networks have the first two: an average of spikes is no
spike, and the next layer would have to read it bit by bit."""

LEAK = 0.5
THRESHOLD = 0.5
CLASSES = 10
KERNEL = 3


@dataclass(frozen=True)
class Convolution:
    """A convolution of a plan: channels in and out, side of its square maps."""

    inputs: int
    outputs: int
    side: int

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.inputs * self.outputs * KERNEL**2

    def operations(self, images: int) -> int:
        """Floating-point operations of one pass over some images: 2 a multiplication and sum."""
        return 2 * self.weights * self.side**2 * images


@dataclass(frozen=True)
class Plan:
    """A network to time.

    Attributes:
        name: "A", "B" or what it grew from.
        input_shape: (channels, side, side).
        widths: channels of each convolution.
        order: where the pooling is.
        time_steps, batch: of a training step.
        pooled: how many of the convolutions, from the first on, have pooling behind them.
    """

    name: str
    input_shape: tuple[int, int, int]
    widths: tuple[int, ...]
    order: Order = "average-first"
    time_steps: int = 4
    batch: int = 64
    pooled: int = 99

    def convolutions(self) -> Iterator[Convolution]:
        """The convolutions, from the input on."""
        channels, side, _ = self.input_shape
        for index, width in enumerate(self.widths):
            yield Convolution(channels, width, side)
            channels, side = width, side // self.window(index)

    def window(self, index: int) -> int:
        """Side of the pooling's window behind a convolution; 1 where nothing is pooled."""
        return 2 if index < self.pooled else 1

    @property
    def features(self) -> int:
        """What the read-out reads."""
        last = list(self.convolutions())[-1]
        return last.outputs * (last.side // self.window(len(self.widths) - 1)) ** 2

    @property
    def operations(self) -> int:
        """Operations of the convolutions in a training step, the first one computed once.

        Forward, gradient of the weights, and gradient of the input but for the first.
        """
        first, *others = self.convolutions()
        later = sum(one.operations(self.batch * self.time_steps) for one in others)
        return 2 * first.operations(self.batch) + 3 * later

    @property
    def parameters(self) -> int:
        """Weights of the convolutions and of the read-out."""
        return sum(one.weights for one in self.convolutions()) + self.features * CLASSES

    def architecture(
        self, neuron: NeuronKind = "lif_box", weight_bits: int = 8, state_bits: int = 12
    ) -> Architecture:
        """The plan as an architecture of the package.

        Raises:
            ValueError: the package has no such order.
        """
        if self.order == "average-after":
            raise ValueError("the package's networks do not average spikes")
        leak = 0.0 if neuron == "iaf" else LEAK
        cell = Neuron(neuron, leak, THRESHOLD, state_bits)
        layers: list[Layer] = []
        for index, width in enumerate(self.widths):
            before = layers[-1] if layers else None
            layers.append(
                Layer(
                    name=f"block{index + 1}",
                    source=before.name if before else INPUT,
                    in_shape=before.stored_shape if before else self.input_shape,
                    out_channels=width,
                    kernel=(KERNEL, KERNEL),
                    stride=(1, 1),
                    padding=(KERNEL // 2, KERNEL // 2),
                    weight_bits=weight_bits,
                    input_bits=1 if before else 8,
                    pool=(self.window(index),) * 2,
                    pool_kind="average" if self.order == "average-first" else "max",
                    neuron=cell,
                )
            )
        layers.append(_readout(layers[-1], weight_bits))
        assert prod(layers[-1].in_shape) == self.features  # noqa: S101 - one geometry, told twice
        return Architecture(self.input_shape, CLASSES, self.time_steps, 8, tuple(layers))


def _readout(source: Layer, weight_bits: int) -> Layer:
    return Layer(
        name="readout",
        source=source.name,
        in_shape=source.stored_shape,
        out_channels=CLASSES,
        kernel=(),
        stride=(),
        padding=(),
        weight_bits=weight_bits,
        input_bits=1,
        pool=(),
        pool_kind="max",
        neuron=None,
        peak=0,
    )


A = Plan("A", (1, 8, 8), (16, 32))
B = Plan("B", (3, 32, 32), (32, 64, 64, 128))
PLANS = {plan.name: plan for plan in (A, B)}


def small(plan: Plan) -> Plan:
    """The plan with few channels and samples: the same code, hardly any work."""
    return replace(plan, widths=tuple(4 for _ in plan.widths), batch=4, time_steps=2)
