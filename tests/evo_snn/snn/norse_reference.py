"""What a kernel has to equal: Norse's own steps and autograd, and a restatement in plain Python.

Nothing here comes from a kernel: the steps are ``norse.torch.functional``'s, states are stored by
``evo_snn.snn.quantization.quantized_state`` between them, gradients are autograd's.
"""

import warnings
from dataclasses import dataclass

import torch

from evo_snn.snn.quantization import by_channel, quantized_state

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # of torch.jit, at Norse's import
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

KINDS = ("lif_box", "lif", "iaf")
KERNELS = ("numba", "torch")
SYNAPTIC_LEAK = 0.5

ALPHAS = {"super": 100.0, "triangle": 0.3, "tanh": 2.0, "circ": 0.5, "heavi_erfc": 1.5}
"""Surrogates, with an alpha at which currents of the size of a threshold feel them."""

OTHERS = (
    {"kind": "lif_box", "reset": "subtract"},
    {"kind": "lif_box", "once": True},
    {"kind": "lif", "once": True},
    {"kind": "iaf", "once": True},
    {"kind": "lif_box", "reset": "subtract", "once": True},
)
"""What neurons can do beside resetting to 0 and firing again and again."""

_STEPS = {
    "lif_box": (lif_box_feed_forward_step, LIFBoxFeedForwardState),
    "lif": (lif_feed_forward_step, LIFFeedForwardState),
    "iaf": (iaf_feed_forward_step, IAFFeedForwardState),
}


@dataclass
class Fired:
    """Spikes, and what autograd gives for them.

    Attributes:
        spikes: (T, batch, channels, …).
        current, threshold, leak: gradients; None for what was not asked for, or is not there.
    """

    spikes: torch.Tensor
    current: torch.Tensor | None
    threshold: torch.Tensor | None
    leak: torch.Tensor | None


@dataclass(frozen=True)
class Neurons:
    """Neurons of one kind and what they are told; ``step`` (channels,) or None is of states."""

    kind: str = "lif_box"
    threshold: float = 0.5
    leak: float = 0.5
    step: torch.Tensor | None = None
    bits: int = 6
    surrogate: str = "super"
    alpha: float = 100.0
    reset: str = "hard"
    once: bool = False

    @property
    def has_leak(self):
        return self.kind != "iaf"


def norse_spikes(neurons, current, time_steps, threshold, leak, seen=None):
    """Spikes (T, batch, channels, …) by Norse's functional step; ``seen`` gets each state before it
    is stored.

    Threshold and leak may have any shape that broadcasts over a time step of the current.
    """
    step, state_type = _STEPS[neurons.kind]
    common = {
        "v_th": threshold,
        "v_reset": threshold.new_zeros(()),
        "method": neurons.surrogate,
        "alpha": neurons.alpha,
    }
    if neurons.kind == "iaf":
        parameters = IAFParameters(**common)
    elif neurons.kind == "lif":
        synaptic = leak.new_tensor(SYNAPTIC_LEAK)
        leaks = {"v_leak": leak.new_zeros(()), "tau_syn_inv": synaptic}
        parameters = LIFParameters(tau_mem_inv=leak, **leaks, **common)
    else:
        reset = {"hard": reset_value, "subtract": reset_subtract}[neurons.reset]
        leaks = {"tau_mem_inv": leak, "v_leak": leak.new_zeros(())}
        parameters = LIFBoxParameters(reset_method=reset, **leaks, **common)
    state = state_type(*[torch.zeros_like(current[0])] * len(state_type._fields))
    spikes = []
    for t in range(time_steps):
        fired, state = step(current[0 if len(current) == 1 else t], state, parameters, 1.0)
        if seen is not None:
            seen.append(state)
        if neurons.step is not None:
            unit = by_channel(neurons.step, current[0].ndim)
            state = state_type(*(quantized_state(x, unit, neurons.bits) for x in state))
        if neurons.once:
            before = sum(one.detach() for one in spikes) if spikes else torch.zeros_like(fired)
            fired = torch.where(before > 0, torch.zeros_like(fired), fired)
        spikes.append(fired)
    return torch.stack(spikes)


def by_norse(neurons, current, time_steps, weight):
    """The spikes and the gradients of sum(weight · spikes).

    Returns:
        What fired, and how much (threshold, leak) gradients are by size alone: the sums of what
        single neurons contribute, without their signs, of which rounding is a share.
    """
    current = current.detach().clone().requires_grad_()
    each = torch.ones_like(current[0])
    threshold = (neurons.threshold * each).requires_grad_()
    leak = (neurons.leak * each).requires_grad_()
    spikes = norse_spikes(neurons, current, time_steps, threshold, leak)
    wanted = (current, threshold, leak) if neurons.has_leak else (current, threshold)
    gradients = torch.autograd.grad((spikes * weight).sum(), wanted)
    sizes = [each.abs().sum().item() for each in gradients[1:]]
    totals = [each.sum() for each in gradients[1:]]
    fired = Fired(spikes.detach(), gradients[0], *totals, *[None] * (2 - len(totals)))
    return fired, sizes


# One neuron in plain Python, every derivative by hand


def surrogate_slope(name, alpha, x):
    """d spike / d x as Norse has it (its float32 root of pi aside), x = membrane - threshold."""
    from math import exp, pi, sqrt, tanh

    return {
        "super": lambda: 1 / (1 + abs(x)) ** 2,
        "triangle": lambda: alpha * max(0.0, 1 - abs(x)),
        "tanh": lambda: 1 - tanh(alpha * x) ** 2,
        "circ": lambda: alpha**3 / (alpha**2 + x**2) ** 1.5,
        "heavi_erfc": lambda: 2 / sqrt(pi) * exp(-((alpha * x) ** 2)),
    }[name]()


def stored(value, step, bits):
    """What is kept of a state, and whether the gradient passes."""
    if step is None:
        return value, 1.0
    level = round(value / step)  # half to even, as torch rounds
    half = 2 ** (bits - 1)
    return min(max(level, -half), half - 1) * step, float(-half <= level <= half - 1)


def by_hand(neurons, currents, weights):
    """One neuron, one current a time step: spikes, and the gradients of sum(weight · spike).

    Returns:
        (spikes, gradients to the currents, to the threshold, to the leak), plain numbers.
    """
    kind, leak, threshold = neurons.kind, neurons.leak, neurons.threshold
    step = None if neurons.step is None else neurons.step.item()
    v, i, past, silent = 0.0, 0.0, [], False
    for current in currents:
        jumped = i + current  # of a LIF neuron's synapse
        rise = {"iaf": current, "lif_box": leak * (current - v), "lif": leak * (jumped - v)}[kind]
        membrane = v + rise
        spike = float(membrane > threshold)
        left = membrane - threshold if neurons.reset == "subtract" else 0.0
        after, v_passes = stored(left if spike else membrane, step, neurons.bits)
        i, i_passes = stored(jumped * (1 - SYNAPTIC_LEAK), step, neurons.bits)
        past.append((v, jumped, current, membrane, spike, v_passes, i_passes, silent))
        v, silent = after, neurons.once and bool(silent or spike)
    to_v = to_i = to_threshold = to_leak = 0.0  # from what comes later
    to_currents = []
    for (before, jumped, current, membrane, spike, v_passes, i_passes, mute), weight in zip(
        reversed(past), reversed(weights), strict=True
    ):
        slope = surrogate_slope(neurons.surrogate, neurons.alpha, membrane - threshold)
        to_after = to_v * v_passes
        subtracts = neurons.reset == "subtract"
        # a spike takes the membrane away, or the threshold from it
        to_spike = weight * (not mute) - to_after * (threshold if subtracts else membrane)
        to_membrane = to_after * (1.0 if subtracts else 1 - spike) + to_spike * slope
        to_threshold -= to_spike * slope + (to_after * spike if subtracts else 0.0)
        if kind == "iaf":
            to_currents.append(to_membrane)
            to_v = to_membrane
        elif kind == "lif_box":
            to_currents.append(to_membrane * leak)
            to_leak += to_membrane * (current - before)
            to_v = to_membrane * (1 - leak)
        else:
            to_jumped = to_membrane * leak + to_i * i_passes * (1 - SYNAPTIC_LEAK)
            to_leak += to_membrane * (jumped - before)
            to_currents.append(to_jumped)
            to_v, to_i = to_membrane * (1 - leak), to_jumped
    spikes = [spike * (not mute) for *_, spike, _, _, mute in past]
    return spikes, to_currents[::-1], to_threshold, to_leak
