"""Autograd over the compiled loops: batch normalisation and neurons in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from evo_snn.snn.kernels import compiled
from evo_snn.snn.kernels import compiled_normalisation as normalisation
from evo_snn.snn.kernels.dynamics import Dynamics

_KINDS = {"lif_box": compiled.LIF_BOX, "lif": compiled.LIF, "iaf": compiled.IAF}
_SURROGATES = {
    "super": compiled.SUPER,
    "triangle": compiled.TRIANGLE,
    "tanh": compiled.TANH,
    "circ": compiled.CIRC,
    "heavi_erfc": compiled.ERFC,
}

GROUP = 8192
"""Values of a group times time steps, about: all that a group needs stays in the first caches."""


def fire(
    dynamics: Dynamics,
    current: Tensor,
    time_steps: int,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
) -> Tensor:
    """Spikes (T, batch, channels, …) of neurons that start from rest.

    Args:
        dynamics: of the neurons.
        current: (T, batch, channels, …), or (1, batch, channels, …) where all steps are equal.
        time_steps: T.
        threshold: scalar.
        leak: scalar; None for ``iaf``.
        state_step: (channels,), what the lowest bit of a stored state is worth; None for states
            that are not rounded.
    """
    call = _Call(dynamics, current.flatten(0, 1), len(current), time_steps, state_step)
    spikes: Tensor = _Fire.apply(current.flatten(0, 1), threshold, leak, call)
    return spikes.unflatten(0, (time_steps, -1))


def fire_normalised(
    dynamics: Dynamics,
    maps: Tensor,
    steps_in: int,
    time_steps: int,
    affine: tuple[Tensor, Tensor],
    floor: float,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
) -> tuple[Tensor, NDArray[Any]]:
    """As `fire`, of maps that batch normalisation has normalised by their own moments.

    Args:
        dynamics: as for `fire`, like all that have a name there.
        maps: (steps_in x batch, channels, …).
        steps_in: T, or 1 where all steps are equal.
        time_steps: as for `fire`.
        affine: batch normalisation's gain and offset, (channels,) each.
        floor: what it adds to a variance.
        threshold: as for `fire`.
        leak: as for `fire`.
        state_step: as for `fire`.

    Returns:
        Spikes (T x batch, channels, …), and mean and variance of the maps, (2, channels) float64,
        the variance divided by the number.

    Raises:
        ValueError: as torch's batch normalisation, a channel has one value alone.
    """
    call = _Call(dynamics, maps, steps_in, time_steps, state_step)
    if len(call.flat) == call.channels:
        raise ValueError(f"expected more than one value a channel, got maps of {maps.shape}")
    call.moments = np.zeros((2, call.channels))
    spikes = _FireNormalised.apply(maps, *affine, threshold, leak, floor, call)
    return spikes, call.moments


class _Call:
    """One call's maps and settings, as the loops want them."""

    constants: NDArray[Any]
    moments: NDArray[np.float64]

    def __init__(
        self,
        dynamics: Dynamics,
        maps: Tensor,
        steps_in: int,
        time_steps: int,
        state_step: Tensor | None,
    ) -> None:
        self.dynamics, self.shape, self.steps = dynamics, maps.shape, time_steps
        self.channels = maps.shape[1]
        self.flat = flat_channels_last(maps)
        self.maps = self.flat.reshape(steps_in, -1)
        self.dtype = self.flat.dtype
        self.kind = _KINDS[dynamics.kind]
        self.subtract = dynamics.reset == "subtract"
        self.quantized = state_step is not None
        self.step = np.ones(self.channels, self.dtype) if state_step is None else _array(state_step)
        self.group = self.channels * max(1, GROUP // (self.channels * time_steps))

    def set_constants(self, threshold: Tensor, leak: Tensor | None) -> None:
        """What the loops need as numbers, by their places."""
        dynamics, p = self.dynamics, np.empty(compiled.PLACES, self.dtype)
        half = 2.0 ** (dynamics.state_bits - 1)
        p[compiled.ZERO], p[compiled.ONE], p[compiled.TWO] = 0, 1, 2
        p[compiled.THRESHOLD] = threshold.item()
        p[compiled.LEAK] = 1 if leak is None else leak.item()
        p[compiled.SYNAPTIC], p[compiled.ALPHA] = dynamics.synaptic_leak, dynamics.alpha
        p[compiled.LOWEST], p[compiled.HIGHEST] = -half, half - 1
        p[compiled.ROOT_OF_PI] = np.pi**0.5
        self.constants = p

    def spikes(self, scale: NDArray[Any], shift: NDArray[Any]) -> Tensor:
        """Run forward."""
        images = self.shape[0] // len(self.maps) * self.steps
        out = np.empty((images, *self.shape[2:], self.channels), self.dtype)
        compiled.fire(
            self.maps,
            self.kind,
            self.subtract,
            self.quantized,
            scale,
            shift,
            self.step,
            self.constants,
            self.group,
            out.reshape(self.steps, -1),
        )
        return _channels_first(out)

    def gradients(
        self, scale: NDArray[Any], shift: NDArray[Any], of_spikes: Tensor
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Of the currents, flat; and by channel of threshold, leak, shift and scale."""
        of_current = np.empty_like(self.maps)
        totals = np.zeros((4, self.channels))
        compiled.gradients(
            self.maps,
            self.kind,
            _SURROGATES[self.dynamics.surrogate],
            self.subtract,
            self.quantized,
            scale,
            shift,
            self.step,
            self.constants,
            self.group,
            flat_channels_last(of_spikes).reshape(self.steps, -1),
            of_current,
            totals,
        )
        return of_current.reshape(-1), totals


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, threshold: Tensor, leak: Tensor | None, call: _Call
    ) -> Tensor:
        call.set_constants(threshold, leak)
        ctx.save_for_backward(maps)  # so that a change in place is noticed
        ctx.call = call
        ctx.unit = np.ones(call.channels, call.dtype), np.zeros(call.channels, call.dtype)
        return call.spikes(*ctx.unit)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (maps,) = ctx.saved_tensors
        of_current, totals = ctx.call.gradients(*ctx.unit, gradients[0])
        return (
            _shaped(of_current, maps),
            _scalar(totals[0].sum(), maps),
            _scalar(totals[1].sum(), maps) if ctx.needs_input_grad[2] else None,
            None,
        )


class _FireNormalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        scale: Tensor,
        shift: Tensor,
        threshold: Tensor,
        leak: Tensor | None,
        floor: float,
        call: _Call,
    ) -> Tensor:
        call.set_constants(threshold, leak)
        compiled.moments(call.flat, call.group, call.moments)
        affine = np.empty((2, call.channels), call.dtype)
        by_channel = _array(scale), _array(shift)
        ctx.factors = normalisation.gain_and_offset(call.moments, floor, *by_channel, affine)
        ctx.save_for_backward(maps)  # so that a change in place is noticed
        ctx.call, ctx.affine = call, affine
        return call.spikes(affine[0], affine[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (maps,) = ctx.saved_tensors
        call: _Call = ctx.call
        gradient, totals = call.gradients(ctx.affine[0], ctx.affine[1], gradients[0])
        of_threshold, of_leak = totals[:2].sum(axis=1)
        factors = np.empty((3, call.channels), call.dtype)
        of_affine = np.empty((2, call.channels), call.dtype)
        number = len(call.flat) // call.channels
        normalisation.gradients(call.moments, ctx.factors, totals[2:], number, factors, of_affine)
        if ctx.needs_input_grad[0]:
            compiled.through_normalisation(call.flat, factors, call.group, gradient)
        return (
            _shaped(gradient, maps) if ctx.needs_input_grad[0] else None,
            torch.from_numpy(of_affine[0]),
            torch.from_numpy(of_affine[1]),
            _scalar(of_threshold, maps),
            _scalar(of_leak, maps) if ctx.needs_input_grad[4] else None,
            None,
            None,
        )


def flat_channels_last(x: Tensor) -> NDArray[Any]:
    """(N, channels, …) as a flat array, channels last; a view where the memory is so."""
    order = (0, *range(2, x.ndim), 1)
    array: NDArray[Any] = x.detach().permute(order).contiguous().view(-1).numpy()
    return array


def _shaped(flat: NDArray[Any], like: Tensor) -> Tensor:
    """A flat array, channels last, as (N, channels, …)."""
    return _channels_first(flat.reshape(len(like), *like.shape[2:], like.shape[1]))


def _channels_first(array: NDArray[Any]) -> Tensor:
    """(N, …, channels) as (N, channels, …), a view."""
    x = torch.from_numpy(array)
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def _array(x: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = x.detach().contiguous().numpy()
    return array


def _scalar(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=like.dtype)
