"""Parts of a training step alone, and a network without neurons: what there is to gain at most."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor, nn

from speed.norse_programs import Cell, norse_cell
from speed.plans import CLASSES, KERNEL, Plan
from speed.timing import Call


class FoldedReLU(nn.Module):
    """The plan's layers with a ReLU in place of each neuron, time folded into the batch."""

    def __init__(self, plan: Plan, *, reuse: bool, channels_last: bool) -> None:
        super().__init__()
        self.plan, self.reuse = plan, reuse
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.convolutions = nn.ModuleList(
            nn.Conv2d(one.inputs, one.outputs, KERNEL, padding=1, bias=False)
            for one in plan.convolutions()
        )
        self.readout = nn.Linear(plan.features, CLASSES)
        self.to(memory_format=self.format)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *input_shape) → (batch, classes), the mean over copies of the sample."""
        steps, order = self.plan.time_steps, self.plan.order
        x = x.contiguous(memory_format=self.format)
        if not self.reuse:
            x = x.repeat(steps, 1, 1, 1)
        for index, convolution in enumerate(self.convolutions):
            window = self.plan.window(index)
            x = convolution(x)
            if order == "average-first":
                x = F.avg_pool2d(x, window)
            if index == 0 and self.reuse:
                x = x.repeat(steps, 1, 1, 1)
            x = F.relu(x)
            if order == "max-after":
                x = F.max_pool2d(x, window)
            if order == "average-after":
                x = F.avg_pool2d(x, window)
        return self.readout(x.flatten(1)).unflatten(0, (steps, -1)).mean(0)


def convolutions_alone(plan: Plan, *, reuse: bool = True, channels_last: bool = True) -> Call:
    """A call with all convolutions of a training step, as they are written, and nothing else.

    Forward, gradient of the weights, and gradient of the input but for the first: with ``reuse``
    these are `Plan.operations`.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    work = []
    for index, one in enumerate(plan.convolutions()):
        images = plan.batch * (1 if reuse and index == 0 else plan.time_steps)
        shapes = (
            (images, one.inputs, one.side, one.side),
            (one.outputs, one.inputs, KERNEL, KERNEL),
            (images, one.outputs, one.side, one.side),
        )
        x, weight, gradient = (torch.rand(shape).to(memory_format=layout) for shape in shapes)
        work.append((x, weight, gradient, index > 0))

    def call() -> None:
        for x, weight, gradient, needs_input in work:
            F.conv2d(x, weight, padding=1)
            backward(x, weight, gradient, needs_input=needs_input)

    return call


def backward(
    x: Tensor,
    weight: Tensor,
    gradient: Tensor,
    *,
    needs_input: bool = True,
    needs_weight: bool = True,
) -> None:
    """The gradients of a convolution of stride 1, padding half a kernel."""
    ones, padding = [1, 1], [weight.shape[-1] // 2] * 2
    mask = [needs_input, needs_weight, False]
    torch.ops.aten.convolution_backward(
        gradient, x, weight, None, ones, padding, ones, False, [0, 0], 1, mask
    )


def norse_neurons_alone(plan: Plan, cell: Cell = "LIFBoxCell") -> Call:
    """A call with the neurons of all layers, Norse's step in a loop, forward and backward."""
    work = []
    for index, one in enumerate(plan.convolutions()):
        side = one.side // (plan.window(index) if plan.order == "average-first" else 1)
        shape = (plan.time_steps, plan.batch, one.outputs, side, side)
        work.append((torch.randn(shape), norse_cell(cell)))

    def call() -> None:
        for values, neuron in work:
            current = values.detach().requires_grad_()
            state, spikes = None, []
            for t in range(plan.time_steps):
                fired, state = neuron(current[t], state)
                spikes.append(fired)
            torch.stack(spikes).sum().backward()

    return call
