"""Kernels: ways to compute the same neurons.

- ``numba``: loops over the tensors' memory, compiled at first use and cached; on the CPU.
- ``torch``: all time steps as one autograd function of tensor operations; on any device.
- ``norse``: Norse's own step in a Python loop, the reference that the others are held to.

Of equal currents spikes are the same, and gradients but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from evo_snn.snn.kernels.dynamics import ALPHAS, SURROGATE, SYNAPTIC_LEAK, Dynamics
from evo_snn.snn.kernels.once import first_spikes
from genomes.errors import RequestError, unknown_name

__all__ = [
    "ALPHAS",
    "KERNELS",
    "SURROGATE",
    "SYNAPTIC_LEAK",
    "Chosen",
    "Dynamics",
    "choose",
    "fire",
    "first_spikes",
]

KERNELS = ("numba", "torch", "norse")

Kernel = Callable[[Dynamics, Tensor, int, Tensor, Tensor | None, Tensor | None], Tensor]


class Chosen(NamedTuple):
    """A kernel, and why it."""

    name: str
    reason: str


def choose(requested: str, device: str) -> Chosen:
    """The kernel to use on a device.

    Args:
        requested: ``auto``, or the name of one.
        device: torch's name of where the network is.

    Raises:
        RequestError: there is no such kernel, or it cannot work here.
    """
    if requested not in ("auto", *KERNELS):
        raise unknown_name("training.kernel", requested, ("auto", *KERNELS))
    if requested in ("torch", "norse"):
        return Chosen(requested, "asked for")
    problem = _problem_of_numba(device)
    if problem is None:
        return Chosen("numba", "asked for" if requested == "numba" else "the fastest on a CPU")
    if requested == "numba":
        raise RequestError("training.kernel", requested, "auto, torch or norse", f"{problem}.")
    return Chosen("torch", problem)


def _problem_of_numba(device: str) -> str | None:
    if device.partition(":")[0] != "cpu":
        return f"numba's loops run on the CPU alone, and the device is {device}"
    try:
        from evo_snn.snn.kernels import compiled  # noqa: F401 - whether it can be
    except ModuleNotFoundError:
        return "numba is not installed: pip install numba"
    except (ImportError, RuntimeError) as error:  # versions that do not fit; nowhere to keep code
        return f"numba cannot be used ({' '.join(str(error).split())})"
    return None


def fire(
    dynamics: Dynamics,
    current: Tensor,
    time_steps: int,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
    *,
    kernel: str,
) -> Tensor:
    """Spikes (T, batch, channels, …) of neurons that start from rest, 0 or 1.

    Args:
        dynamics: of the neurons.
        current: (T, batch, channels, …), or (1, batch, channels, …) where all steps are equal.
        time_steps: T.
        threshold: scalar.
        leak: scalar, dt/tau of the membrane; None for ``iaf``.
        state_step: (channels,), what the lowest bit of a stored state is worth; None for states
            that are not rounded.
        kernel: one of ``KERNELS``.

    Raises:
        RequestError: there is no such kernel.
    """
    spikes = _function(kernel)(dynamics, current, time_steps, threshold, leak, state_step)
    return first_spikes(spikes) if dynamics.once else spikes


def _function(kernel: str) -> Kernel:
    if kernel == "numba":
        from evo_snn.snn.kernels import fused

        return fused.fire
    if kernel == "torch":
        from evo_snn.snn.kernels import unrolled

        return unrolled.fire
    if kernel == "norse":
        from evo_snn.snn.kernels import reference

        return reference.fire
    raise unknown_name("kernel", kernel, KERNELS)
