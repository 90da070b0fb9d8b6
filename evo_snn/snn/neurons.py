"""Spiking neurons: Norse's feed-forward steps over all time steps, with trainable parameters.

The steps are ``norse.torch.functional``'s; they are the reference semantics. Between time steps a
state has the width that the chip stores (``quantization.quantized_state``), and a leak is a
multiple of 1/16.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from evo_snn.snn.quantization import (
    LEAK_STEPS,
    by_channel,
    quantized_leak,
    quantized_state,
    state_step,
)
from genomes.architecture import Neuron

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

SYNAPTIC_LEAK = 0.5
"""Share of a LIF neuron's synaptic current that is lost in a time step: one shift on a chip."""

SURROGATE = "super"
"""Norse's name of the surrogate gradient: 1 / (1 + |v - threshold|)^2 (Zenke & Ganguli 2018)."""

SMALLEST_THRESHOLD = 0.05
"""A trained threshold stays above this, so that a neuron never fires at rest."""

_STEPS: dict[str, tuple[Any, Any]] = {
    "lif_box": (lif_box_feed_forward_step, LIFBoxFeedForwardState),
    "lif": (lif_feed_forward_step, LIFFeedForwardState),
    "iaf": (iaf_feed_forward_step, IAFFeedForwardState),
}


class SpikingNeuron(nn.Module):
    """A layer of neurons of one kind; leak and threshold are trained and in the state dict.

    Attributes:
        threshold: scalar, firing threshold.
        leak: scalar, dt/tau of the membrane; None for ``iaf``.
        initial: (2,), threshold and leak as the genes gave them; a trained value is inherited only
            by a neuron that would have started from the same.
    """

    leak: nn.Parameter | None
    initial: Tensor

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.kind = neuron.kind
        self.state_bits = neuron.state_bits
        self.threshold = nn.Parameter(torch.tensor(neuron.threshold))
        has_leak = neuron.kind != "iaf"
        self.leak = nn.Parameter(torch.tensor(neuron.leak)) if has_leak else None
        self.register_buffer("initial", torch.tensor([neuron.threshold, neuron.leak]))

    def extra_repr(self) -> str:
        """Kind and state width, for ``print(network)``."""
        return f"{self.kind}, state_bits={self.state_bits}"

    @torch.no_grad()
    def project(self) -> None:
        """Bring trained parameters back to where they make sense: after each training step."""
        self.threshold.clamp_(min=SMALLEST_THRESHOLD)
        if self.leak is not None:
            self.leak.clamp_(1 / LEAK_STEPS, 1.0)

    def forward(self, current: Tensor, time_steps: int, unit: Tensor) -> Tensor:
        """Spikes (T, batch, channels, …) of an input current, 0 or 1, starting from rest.

        Args:
            current: (T, batch, channels, …), or (1, batch, channels, …) where it is the same in
                every time step.
            time_steps: T.
            unit: (channels,), what one unit of the integer product is worth in the current.
        """
        step, state_type = _STEPS[self.kind]
        parameters = self._norse_parameters()
        state_unit = by_channel(state_step(self.threshold, self.state_bits, unit), current[0].ndim)
        rest = torch.zeros_like(current[0])
        state = state_type(*[rest] * len(state_type._fields))
        spikes = []
        for t in range(time_steps):
            fired, state = step(current[t % current.shape[0]], state, parameters, 1.0)
            state = state_type(*(quantized_state(x, state_unit, self.state_bits) for x in state))
            spikes.append(fired)
        return torch.stack(spikes)

    def _norse_parameters(self) -> LIFBoxParameters | LIFParameters | IAFParameters:
        """Norse's parameters for a time step of length 1, in which 1/tau is the leak."""
        common = {"v_th": self.threshold, "method": SURROGATE}
        if self.leak is None:
            return IAFParameters(**common)
        leak = quantized_leak(self.leak)
        if self.kind == "lif":
            synaptic = leak.new_tensor(SYNAPTIC_LEAK)
            return LIFParameters(tau_mem_inv=leak, tau_syn_inv=synaptic, **common)
        return LIFBoxParameters(tau_mem_inv=leak, **common)
