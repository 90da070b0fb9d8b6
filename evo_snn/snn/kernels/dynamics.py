"""What neurons of a kind do in a time step, beside their trained parameters."""

from dataclasses import dataclass

from genomes.architecture import NeuronKind

SYNAPTIC_LEAK = 0.5
"""Share of a LIF neuron's synaptic current that is lost in a time step: one shift on a chip."""

SURROGATE = "super"
"""Norse's name of the surrogate gradient: 1 / (1 + |v - threshold|)^2 (Zenke & Ganguli 2018)."""


@dataclass(frozen=True)
class Dynamics:
    """A neuron's step.

    Attributes:
        kind: Norse's ``lif_box``, ``lif`` or ``iaf``, with hard reset to 0.
        state_bits: width of each stored state variable, where states are rounded.
        surrogate: Norse's name of the surrogate gradient.
        alpha: the surrogate's; ``super`` has none.
        synaptic_leak: see ``SYNAPTIC_LEAK``.
    """

    kind: NeuronKind
    state_bits: int
    surrogate: str = SURROGATE
    alpha: float = 100.0
    synaptic_leak: float = SYNAPTIC_LEAK
