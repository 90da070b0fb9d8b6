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
    step, state_type = _STEPS[dynamics.kind]
    parameters = _parameters(dynamics, threshold, leak)
    rest = torch.zeros_like(current[0])
    state = state_type(*[rest] * len(state_type._fields))
    unit = None if state_step is None else by_channel(state_step, rest.ndim)
    spikes = []
    for t in range(time_steps):
        fired, state = step(current[t % len(current)], state, parameters, 1.0)
        if unit is not None:
            state = state_type(*(quantized_state(x, unit, dynamics.state_bits) for x in state))
        spikes.append(fired)
    return stacked(spikes)


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
    return LIFBoxParameters(tau_mem_inv=leak, **common)
