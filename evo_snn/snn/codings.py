"""Input codings: how a static sample becomes trains of spikes, one a value.

Samples are values in [0, 1]; a train has T time steps. Some codings give a spike a weight that
depends on its time step alone: a power of two, so that a chip shifts the sums of that step.

=============== ================================================================== =================
coding          a spike in step t, from 0                                          weight of a spike
=============== ================================================================== =================
``rate``        with probability x, each step anew                                 1
``radix``       where bit T-1-t of round(x (2^T - 1)) is 1: the highest bit first  2^-t
                (of more than 24 steps, in the first 24 as if there were no others)
``phase``       the same with K = 4 bits for T, step t mod K: over and over        2^-(t mod K)
``burst``       at 0, i, 2i, …, ceil(T x) times, with i = ceil(T - (T - 1) x)      1
``first_spike`` once, in the first step with x >= 1 - t / T                        1
=============== ================================================================== =================

``rate``, ``phase``, ``burst`` and ``first_spike`` are those that Guo et al., "Neural coding in
spiking neural networks: a comparative study for robust neuromorphic systems", Front. Neurosci. 15
(2021), section 2.2, compare, with these differences: a period of phases is 4 where they have 8,
since trains are a few steps long; a burst may take all steps; the threshold of the first spike
falls linearly, not exponentially. ``radix`` is that of Wang et al., "Efficient spiking neural
networks with radix encoding", IEEE TNNLS (2022).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from genomes.architecture import PHASES, Coding

RADIX_BITS = 24
"""Most bits of the radix coding: the whole numbers that single precision tells apart."""

_FIXED_SEED = 0
"""Of the random numbers with which a deployed network draws its rate-coded input."""


def encoded(x: Tensor, coding: Coding, steps: int, generator: torch.Generator | None) -> Tensor:
    """Spikes (steps, batch, …), 0 or 1, of samples (batch, …) in [0, 1].

    Args:
        x: the samples.
        coding: which; not ``direct``.
        steps: T.
        generator: on the CPU, draws rate-coded spikes anew for every sample. Without one all
            samples meet the same random numbers, as a chip's generator of them gives after a
            reset, so that a network's scores are a function of its input.
    """
    t = torch.arange(steps, device=x.device).view(-1, *[1] * x.ndim)
    if coding == "rate":
        return (_uniform(x, steps, generator) < x).to(x.dtype)
    if coding == "radix":
        return _bits(x, min(steps, RADIX_BITS), t)
    if coding == "phase":
        return _bits(x, PHASES, t % PHASES)
    if coding == "burst":
        number = torch.ceil(steps * x)
        interval = torch.ceil(steps - (steps - 1) * x)
        return ((t % interval == 0) & (t < number * interval)).to(x.dtype)
    fires_from = torch.ceil(steps * (1 - x) - _ROUNDING)  # x = 0: never
    return (t == fires_from).to(x.dtype)


_ROUNDING = 1e-4
"""Far below a step, far above rounding: 1 - x may lie a little beside a multiple of 1/T."""


def step_weights(coding: Coding, steps: int) -> tuple[float, ...]:
    """What a spike of each time step is worth, (steps,): 1, or powers of two."""
    if coding == "radix":
        return tuple(2.0**-t for t in range(steps))
    if coding == "phase":
        return tuple(2.0 ** -(t % PHASES) for t in range(steps))
    return (1.0,) * steps


def regrouped(x: Tensor, steps: int) -> Tensor:
    """What each time step reads of an event stream's frames: (batch, F, …) → (steps, batch, …).

    Step t reads the mean of the frames from floor(t F / T) to floor((t + 1) F / T), without the
    last; the first of them alone where that is none, so that more steps than frames repeat frames.
    """
    frames = x.shape[1]
    edges = [t * frames // steps for t in range(steps + 1)]
    parts = [x[:, first : max(last, first + 1)].mean(1) for first, last in pairwise(edges)]
    return torch.stack(parts)


def _bits(x: Tensor, bits: int, place: Tensor) -> Tensor:
    """Bit ``place`` of the samples at so many bits, counted from the highest; 0 beyond the last."""
    levels = (x * (2**bits - 1)).round().long()
    found = (levels >> (bits - 1 - place).clamp(min=0)) & 1
    return (found * (place < bits)).to(x.dtype)


def _uniform(x: Tensor, steps: int, generator: torch.Generator | None) -> Tensor:
    """Random numbers in [0, 1), (steps, batch, …), or (steps, 1, …) for all samples the same."""
    shape = (steps, *x.shape) if generator else (steps, 1, *x.shape[1:])
    draws = generator or torch.Generator().manual_seed(_FIXED_SEED)
    return torch.rand(shape, generator=draws, dtype=x.dtype).to(x.device)
