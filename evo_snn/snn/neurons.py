"""Spiking neurons with trainable parameters; what computes them is a kernel (``kernels/``).

Between time steps a state has the width that the chip stores (``quantization.quantized_state``),
and a leak is a multiple of 1/16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evo_snn.snn.kernels import Dynamics, fire, first_spikes
from evo_snn.snn.quantization import LEAK_STEPS, quantized_leak, state_step
from genomes.architecture import Neuron

if TYPE_CHECKING:
    from evo_snn.snn.kernels.reference import State
    from evo_snn.snn.layers import TrainableLayer

SMALLEST_THRESHOLD = 0.05
"""A trained threshold stays above this, so that a neuron never fires at rest."""


class SpikingNeuron(nn.Module):
    """A layer of neurons of one kind; leak and threshold are trained and in the state dict.

    Attributes:
        threshold: scalar, firing threshold.
        leak: scalar, dt/tau of the membrane; None for ``iaf``.
        initial: (4,), threshold and leak as the genes gave them, and whether a spike subtracts the
            threshold and is the only one; a trained value is inherited only by a neuron that would
            have started from the same.
    """

    leak: nn.Parameter | None
    initial: Tensor

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.dynamics = Dynamics.of(neuron)
        self.threshold = nn.Parameter(torch.tensor(neuron.threshold))
        has_leak = neuron.kind != "iaf"
        self.leak = nn.Parameter(torch.tensor(neuron.leak)) if has_leak else None
        flags = [float(neuron.reset == "subtract"), float(neuron.once)]
        self.register_buffer("initial", torch.tensor([neuron.threshold, neuron.leak, *flags]))

    def extra_repr(self) -> str:
        """Kind, state width and what is special, for ``print(network)``."""
        one = self.dynamics
        parts = [one.kind, f"state_bits={one.state_bits}"]
        parts += [f"reset={one.reset}"] if one.reset != "hard" else []
        parts += ["once"] if one.once else []
        return ", ".join(parts)

    @torch.no_grad()
    def project(self) -> None:
        """Bring trained parameters back to where they make sense: after each training step."""
        self.threshold.clamp_(min=SMALLEST_THRESHOLD)
        if self.leak is not None:
            self.leak.clamp_(1 / LEAK_STEPS, 1.0)

    def forward(
        self, current: Tensor, time_steps: int, unit: Tensor, kernel: str = "norse"
    ) -> Tensor:
        """Spikes (T, batch, channels, …) of an input current, 0 or 1, starting from rest.

        Args:
            current: (T, batch, channels, …), or (1, batch, channels, …) where it is the same in
                every time step.
            time_steps: T.
            unit: (channels,), what one unit of the integer product is worth in the current.
            kernel: what computes them, one of ``kernels.KERNELS``.
        """
        step = state_step(self.threshold, self.dynamics.state_bits, unit)
        leak = self._deployed_leak()
        return fire(self.dynamics, current, time_steps, self.threshold, leak, step, kernel=kernel)

    def start(self, current: Tensor) -> State:
        """The state at rest, for `step`.

        Args:
            current: (batch, channels, …), one time step of it.
        """
        from evo_snn.snn.kernels import reference

        state = reference.start(self.dynamics, current)
        return (*state, torch.ones_like(current)) if self.dynamics.once else state

    def step(self, current: Tensor, state: State, unit: Tensor) -> tuple[Tensor, State]:
        """One time step of what ``forward`` does, for networks whose time steps go one by one.

        Args:
            current: (batch, channels, …).
            state: what `start` or the step before gave.
            unit: as for ``forward``.

        Returns:
            Spikes (batch, channels, …), 0 or 1, and the state after the step.
        """
        from evo_snn.snn.kernels import reference

        step = state_step(self.threshold, self.dynamics.state_bits, unit)
        leak = self._deployed_leak()
        arguments = (self.threshold, leak, step)
        if not self.dynamics.once:
            return reference.step(self.dynamics, current, state, *arguments)
        *variables, waiting = state  # 1 where a neuron has not fired yet
        fired, after = reference.step(self.dynamics, current, tuple(variables), *arguments)
        return fired * waiting, (*after, waiting * (1 - fired.detach()))

    def fire_normalised(
        self, values: Tensor, batch: int, time_steps: int, layer: TrainableLayer, unit: Tensor
    ) -> Tensor:
        """Spikes (T x batch, channels, …) of what a layer in training gives, (N, channels, …).

        The same as ``forward`` of ``layer.normalised(values)``, in compiled loops.
        """
        from evo_snn.snn.kernels import fused

        spikes, moments = fused.fire_normalised(
            self.dynamics,
            values,
            len(values) // batch,
            time_steps,
            (layer.scale, layer.shift),
            layer.floor,
            self.threshold,
            self._deployed_leak(),
            state_step(self.threshold, self.dynamics.state_bits, unit),
        )
        layer.follow(moments, values.numel() // values.shape[1])
        if self.dynamics.once:
            return first_spikes(spikes.unflatten(0, (time_steps, batch))).flatten(0, 1)
        return spikes

    def _deployed_leak(self) -> Tensor | None:
        return None if self.leak is None else quantized_leak(self.leak)
