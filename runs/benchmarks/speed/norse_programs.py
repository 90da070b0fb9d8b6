"""The program that a user of Norse would write: its modules in a row, a Python loop over time."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor, nn

from speed.plans import CLASSES, KERNEL, LEAK, THRESHOLD, Plan

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # Norse scripts its functions
    import norse.torch as norse

Cell = Literal["LIFBoxCell", "LIFCell"]
NORSE_STEP = 1e-3
"""Norse's dt: a leak of 0.5 a step is a tau_mem_inv of 500 per second."""


class ObviousNorse(nn.Module):
    """``SequentialState`` of convolutions, neurons and pooling, called once a time step."""

    def __init__(self, plan: Plan, cell: Cell) -> None:
        super().__init__()
        self.time_steps = plan.time_steps
        modules: list[nn.Module] = []
        for index, one in enumerate(plan.convolutions()):
            window = plan.window(index)
            convolution = nn.Conv2d(one.inputs, one.outputs, KERNEL, padding=1, bias=False)
            modules.append(convolution)
            modules += in_order(plan, norse_cell(cell), nn.AvgPool2d(window), nn.MaxPool2d(window))
        readout = nn.Linear(plan.features, CLASSES)
        self.body = norse.SequentialState(*modules, nn.Flatten(), readout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *input_shape) → (batch, classes), the read-out's mean over time."""
        state = None
        total = torch.zeros(())
        for _ in range(self.time_steps):
            scores, state = self.body(x, state)
            total = total + scores
        return total / self.time_steps


def in_order(
    plan: Plan, neuron: nn.Module, average: nn.Module, maximum: nn.Module
) -> list[nn.Module]:
    """Neuron and pooling in the plan's order."""
    if plan.order == "average-first":
        return [average, neuron]
    return [neuron, maximum if plan.order == "max-after" else average]


def norse_cell(kind: Cell) -> nn.Module:
    """A Norse neuron with the leak and the threshold of all programs."""
    tau, threshold = torch.tensor(LEAK / NORSE_STEP), torch.tensor(THRESHOLD)
    if kind == "LIFBoxCell":
        return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=tau, v_th=threshold))
    return norse.LIFCell(norse.LIFParameters(tau_mem_inv=tau, v_th=threshold))
