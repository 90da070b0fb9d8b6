"""The same networks in SpikingJelly and in snnTorch: the extra ``bench``."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor, nn

from speed.norse_programs import in_order
from speed.plans import CLASSES, KERNEL, LEAK, THRESHOLD, Plan

PEERS = ("spikingjelly", "snntorch")


def missing() -> list[str]:
    """The peers that are not installed."""
    return [name for name in PEERS if find_spec(name) is None]


class SpikingJelly(nn.Module):
    """Multi-step modules: what has no state is folded by the library itself.

    Args:
        plan: what is run.
        reuse: compute the first convolution (and the pooling, where it comes next) once and repeat
            the result, as SpikingJelly's own models for images do; otherwise the image is repeated.
    """

    def __init__(self, plan: Plan, *, reuse: bool) -> None:
        from spikingjelly.activation_based import functional, layer, neuron, surrogate

        super().__init__()
        self.time_steps = plan.time_steps
        self.forget = functional.reset_net
        modules: list[nn.Module] = []
        for index, one in enumerate(plan.convolutions()):
            window = plan.window(index)
            cell = neuron.LIFNode(
                tau=1 / LEAK,
                v_threshold=THRESHOLD,
                v_reset=0.0,
                surrogate_function=surrogate.ATan(),
            )
            modules.append(layer.Conv2d(one.inputs, one.outputs, KERNEL, padding=1, bias=False))
            modules += in_order(plan, cell, layer.AvgPool2d(window), layer.MaxPool2d(window))
        stateless = 2 if plan.order == "average-first" else 1
        first = modules[:stateless] if reuse else []
        self.first = nn.Sequential(*first)  # step by step: no time here
        self.body = nn.Sequential(
            *modules[len(first) :], layer.Flatten(), layer.Linear(plan.features, CLASSES)
        )
        functional.set_step_mode(self.body, "m")

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *input_shape) → (batch, classes), the read-out's mean over time."""
        self.forget(self)
        current = self.first(x)
        return self.body(current.unsqueeze(0).repeat(self.time_steps, 1, 1, 1, 1)).mean(0)


class SnnTorch(nn.Module):
    """A Python loop over time, as in snnTorch's tutorials."""

    def __init__(self, plan: Plan) -> None:
        import snntorch

        super().__init__()
        self.time_steps = plan.time_steps
        self.blocks = nn.ModuleList()
        for index, one in enumerate(plan.convolutions()):
            window = plan.window(index)
            cell = snntorch.Leaky(beta=1 - LEAK, threshold=THRESHOLD, reset_mechanism="zero")
            convolution = nn.Conv2d(one.inputs, one.outputs, KERNEL, padding=1, bias=False)
            order = in_order(plan, cell, nn.AvgPool2d(window), nn.MaxPool2d(window))
            self.blocks.append(nn.ModuleList([convolution, *order]))
        self.readout = nn.Linear(plan.features, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *input_shape) → (batch, classes), the read-out's mean over time."""
        import snntorch

        cells = [one for one in self.modules() if isinstance(one, snntorch.Leaky)]
        membranes = {id(cell): cell.init_leaky() for cell in cells}
        total = torch.zeros(())
        for _ in range(self.time_steps):
            values = x
            for module in (one for block in self.blocks for one in block):
                if isinstance(module, snntorch.Leaky):
                    values, membranes[id(module)] = module(values, membranes[id(module)])
                else:
                    values = module(values)
            total = total + self.readout(values.flatten(1))
        return total / self.time_steps
