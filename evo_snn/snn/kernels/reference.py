"""Norse's functional steps in a loop over time: the reference semantics of all kernels.

Between time steps a state has the width that the chip stores (``quantization.quantized_state``).
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from evo_snn.snn.kernels.dynamics import Dynamics
from evo_snn.snn.kernels.memory import stacked
from evo_snn.snn.quantization import by_channel, quantized_state

with warnings.catch_warnings():
    # Norse 1.1.0 decorates with torch.jit.script, of which torch warns a user who cannot help it
    warnings.simplefilter("ignore", FutureWarning)
    from norse.torch.functional.iaf import (
        IAFFeedForwardState,
        IAFParameters,
        iaf_feed_forward_step,
    )
    from norse.torch.functional.lif import (
        LIFFeedForwardState,
        LIFParameters,
        lif_feed_forward_step,
    )
    from norse.torch.functional.lif_box import (
        LIFBoxFeedForwardState,
        LIFBoxParameters,
        lif_box_feed_forward_step,
    )
    from norse.torch.functional.reset import reset_subtract, reset_value

State = tuple[Tensor, ...]
"""State variables of neurons between two time steps, (batch, channels, …) each."""

_STEPS: dict[str, tuple[Any, Any]] = {
    "lif_box": (lif_box_feed_forward_step, LIFBoxFeedForwardState),
    "lif": (lif_feed_forward_step, LIFFeedForwardState),
    "iaf": (iaf_feed_forward_step, IAFFeedForwardState),
}


def fire(
    dynamics: Dynamics,
    current: Tensor,
    time_steps: int,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
) -> Tensor:
    """As ``evo_snn.snn.kernels.fire``."""
    state = start(dynamics, current[0])
    spikes = []
    for t in range(time_steps):
        now = current[t % len(current)]
        fired, state = step(dynamics, now, state, threshold, leak, state_step)
        spikes.append(fired)
    return stacked(spikes)


def start(dynamics: Dynamics, current: Tensor) -> State:
    """The state of neurons at rest.

    Args:
        dynamics: of the neurons.
        current: (batch, channels, …), one time step of it.
    """
    _, state_type = _STEPS[dynamics.kind]
    return (torch.zeros_like(current),) * len(state_type._fields)


def step(
    dynamics: Dynamics,
    current: Tensor,
    state: State,
    threshold: Tensor,
    leak: Tensor | None,
    state_step: Tensor | None,
) -> tuple[Tensor, State]:
    """One time step: spikes (batch, channels, …), 0 or 1, and the state after it.

    Args:
        dynamics: of the neurons.
        current: (batch, channels, …).
        state: what `start` or the step before gave.
        threshold: as for ``evo_snn.snn.kernels.fire``.
        leak: as there.
        state_step: as there.
    """
    norse_step, state_type = _STEPS[dynamics.kind]
    parameters = _parameters(dynamics, threshold, leak)
    fired, after = norse_step(current, state_type(*state), parameters, 1.0)
    if state_step is None:
        return fired, tuple(after)
    unit = by_channel(state_step, current.ndim)
    return fired, tuple(quantized_state(x, unit, dynamics.state_bits) for x in after)


def _parameters(
    dynamics: Dynamics, threshold: Tensor, leak: Tensor | None
) -> LIFBoxParameters | LIFParameters | IAFParameters:
    """Norse's parameters for a time step of length 1, in which 1/tau is the leak."""
    common = {
        "v_th": threshold,
        "method": dynamics.surrogate,
        "alpha": threshold.new_tensor(dynamics.alpha),
    }
    if leak is None:
        # Norse turns gradients on for a shared default of v_reset
        return IAFParameters(v_reset=threshold.new_zeros(()), **common)
    if dynamics.kind == "lif":
        synaptic = leak.new_tensor(dynamics.synaptic_leak)
        return LIFParameters(tau_mem_inv=leak, tau_syn_inv=synaptic, **common)
    reset = reset_subtract if dynamics.reset == "subtract" else reset_value
    return LIFBoxParameters(tau_mem_inv=leak, reset_method=reset, **common)
