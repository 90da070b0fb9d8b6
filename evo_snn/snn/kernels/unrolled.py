"""All time steps as one autograd function of tensor operations: any device, no compiler.

Autograd would keep about ten tensors a step; here the backward pass is written down, and keeps the
membranes before and after the reset.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evo_snn.snn.kernels.dynamics import Dynamics
from evo_snn.snn.kernels.memory import stacked
from evo_snn.snn.quantization import by_channel


def fire(
    dynamics: Dynamics,
    current: Tensor,
    time_steps: int,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
) -> Tensor:
    """As ``evo_snn.snn.kernels.fire``."""
    unit = None if state_step is None else by_channel(state_step.detach(), current.ndim - 1)
    spikes: Tensor = _Fire.apply(current, threshold, leak, unit, time_steps, dynamics)
    return spikes


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        threshold: Tensor,
        leak: Tensor | None,
        unit: Tensor | None,
        time_steps: int,
        dynamics: Dynamics,
    ) -> Tensor:
        subtracted = dynamics.reset == "subtract"
        v, i = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        spikes, kept = [], []
        for t in range(time_steps):
            now = current[t % len(current)]
            before = v
            if leak is None:
                u = v + now
            elif dynamics.kind == "lif":
                now = i + now
                u = (now - v).mul_(leak).add_(v)
                i = now - dynamics.synaptic_leak * now
            else:
                u = (now - v).mul_(leak).add_(v)
            fired = u > threshold
            after = torch.where(fired, u - threshold, u) if subtracted else u.masked_fill(fired, 0)
            v, v_inside = _stored(after, unit, dynamics.state_bits)
            i_inside = None
            if dynamics.kind == "lif":
                i, i_inside = _stored(i, unit, dynamics.state_bits)
            spikes.append(fired)
            kept.append((before, now, u, v_inside, i_inside))
        ctx.save_for_backward(current, threshold, leak)
        ctx.kept, ctx.dynamics = kept, dynamics
        return stacked(spikes).to(current.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        current, threshold, leak = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        subtracted = dynamics.reset == "subtract"
        of_spikes = gradients[0]
        of_current, once = torch.zeros_like(current), len(current) == 1
        of_threshold = torch.zeros_like(threshold) if ctx.needs_input_grad[1] else None
        of_leak = torch.zeros_like(leak) if ctx.needs_input_grad[2] else None
        gv, gi = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        for t in reversed(range(len(of_spikes))):
            v, now, u, v_inside, i_inside = ctx.kept[t]
            if v_inside is not None:
                gv.mul_(v_inside)
            taken = threshold if subtracted else u  # by a spike
            gs = torch.addcmul(of_spikes[t], gv, taken, value=-1)
            gs.mul_(slopes(dynamics, u - threshold))
            if of_threshold is not None:
                of_threshold -= gs.sum()
                if subtracted:
                    of_threshold -= gv[u > threshold].sum()
            if not subtracted:
                gv.masked_fill_(u > threshold, 0.0)
            gv.add_(gs)  # u's
            gc = gv
            if leak is not None:
                if of_leak is not None:
                    of_leak += (now - v).mul_(gv).sum()
                gc = gv * leak
                gv.sub_(gc)
            if dynamics.kind == "lif":
                if i_inside is not None:
                    gi.mul_(i_inside)
                gc = gi.mul_(1 - dynamics.synaptic_leak).add_(gc)
            of_current[0 if once else t] += gc
        return of_current, of_threshold, of_leak, None, None, None


def slopes(dynamics: Dynamics, x: Tensor) -> Tensor:
    """Norse's surrogate gradients of a spike, at the membrane's distance from the threshold."""
    alpha = dynamics.alpha
    if dynamics.surrogate == "super":
        return x.abs().add_(1).square_().reciprocal_()
    if dynamics.surrogate == "triangle":
        return alpha * (1 - x.abs()).relu()
    if dynamics.surrogate == "tanh":
        return 1 - (x * alpha).tanh().square()
    if dynamics.surrogate == "circ":
        root = (alpha**2 + x.square()).sqrt()
        return (1 / (2 * root) - x.square() / (2 * root**3)) * 2 * alpha
    return 2 * torch.exp(-(alpha * x).square()) / torch.pi**0.5


def _stored(state: Tensor, unit: Tensor | None, bits: int) -> tuple[Tensor, Tensor | None]:
    """A state as the chip stores it, and where it does not saturate."""
    if unit is None:
        return state, None
    half = 2 ** (bits - 1)
    levels = (state / unit).round_()
    clamped = levels.clamp(-half, half - 1)
    inside = levels == clamped
    return clamped.mul_(unit), inside
