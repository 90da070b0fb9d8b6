"""What neurons of a kind do in a time step, beside their trained parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genomes.architecture import Neuron, NeuronKind, Reset, Surrogate

SYNAPTIC_LEAK = 0.5
"""Share of a LIF neuron's synaptic current that is lost in a time step: one shift on a chip."""

SURROGATE: Surrogate = "super"
"""Norse's name of the surrogate gradient: 1 / (1 + |v - threshold|)^2 (Zenke & Ganguli 2018)."""

ALPHAS: Mapping[Surrogate, float] = {
    "super": 100.0,
    "triangle": 1.0,
    "tanh": 2.0,
    "circ": 0.5,
    "heavi_erfc": 2.0,
}
"""Norse's alpha by surrogate: slopes whose integral over the membrane is 1, as the spike's step is.

At the threshold they are 1 (``heavi_erfc`` 1.13). Norse's default of 100 would leave a slope within
a hundredth of the threshold alone, or make ``triangle`` and ``circ`` a hundred times too steep.
``super`` is as it is whatever its alpha: 1 at the threshold, an integral of 2.
"""


@dataclass(frozen=True)
class Dynamics:
    """A neuron's step.

    Attributes:
        kind: Norse's ``lif_box``, ``lif`` or ``iaf``.
        state_bits: width of each stored state variable, where states are rounded.
        surrogate: Norse's name of the surrogate gradient.
        alpha: the surrogate's; ``super`` has none.
        synaptic_leak: see ``SYNAPTIC_LEAK``.
        reset: of the membrane by a spike: to 0 (``hard``), or by the threshold (``subtract``), of
            ``lif_box`` alone.
        once: whether spikes after a neuron's first are held back.
    """

    kind: NeuronKind
    state_bits: int
    surrogate: Surrogate = SURROGATE
    alpha: float = ALPHAS[SURROGATE]
    synaptic_leak: float = SYNAPTIC_LEAK
    reset: Reset = "hard"
    once: bool = False

    @classmethod
    def of(cls, neuron: Neuron) -> Dynamics:
        """What an architecture's neuron does."""
        return cls(
            neuron.kind,
            neuron.state_bits,
            neuron.surrogate,
            ALPHAS[neuron.surrogate],
            reset=neuron.reset,
            once=neuron.once,
        )
