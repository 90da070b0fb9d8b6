"""Whether a kernel computes what Norse does, on a small case: seconds, on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor

from evo_snn.snn.kernels import ALPHAS, SURROGATE, Dynamics, fire
from genomes.architecture import NeuronKind

_SHAPE = (4, 6, 5, 7)  # time steps, batch, channels, positions
_STATE_BITS = 6
_CLOSE = 1e-5  # of the largest gradient, in float32


def disagreement(kernel: str, device: str) -> str:
    """What a kernel does otherwise than Norse's own step, as a phrase; "" where it does not.

    Spikes have to be the same, gradients equal to 1e-5 of their largest.
    """
    for dynamics in _cases():
        spikes, gradients = _outcome(dynamics, kernel, device)
        expected, of_norse = _outcome(dynamics, "norse", device)
        if not torch.equal(spikes, expected):
            different = int((spikes != expected).sum())
            return f"{different} of {spikes.numel()} spikes of {_said(dynamics)} differ"
        for mine, theirs in zip(gradients, of_norse, strict=True):
            if not (mine - theirs).abs().max() <= _CLOSE * theirs.abs().max():
                return f"gradients of {_said(dynamics)} differ"
    return ""


def _cases() -> Iterator[Dynamics]:
    """Every kind of neuron, reset, and surrogate gradient."""
    for kind in get_args(NeuronKind):
        yield Dynamics(kind, _STATE_BITS)
    yield Dynamics("lif_box", _STATE_BITS, once=True)
    for surrogate, alpha in ALPHAS.items():
        yield Dynamics("lif_box", _STATE_BITS, surrogate, alpha, reset="subtract")


def _said(dynamics: Dynamics) -> str:
    reset = " with reset by subtraction" if dynamics.reset == "subtract" else ""
    surrogate = "" if dynamics.surrogate == SURROGATE else f", surrogate {dynamics.surrogate},"
    return f"{dynamics.kind} neurons{reset}{surrogate}"


def _outcome(dynamics: Dynamics, kernel: str, device: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(_SHAPE, generator=generator).to(device).requires_grad_()
    threshold = torch.tensor(0.4, device=device, requires_grad=True)
    has_leak = dynamics.kind != "iaf"
    leak = torch.tensor(0.5, device=device, requires_grad=True) if has_leak else None
    step = torch.full(_SHAPE[2:3], 0.1, device=device)
    spikes = fire(dynamics, current, len(current), threshold, leak, step, kernel=kernel)
    trained = [one for one in (current, threshold, leak) if one is not None]
    return spikes.detach(), torch.autograd.grad(spikes.square().sum(), trained)
