"""Neurons that fire once an inference at most, whatever kernel computes them.

A neuron's state after its first spike reaches nothing but later spikes, which are held back. So the
kernels run as ever, and what they fire is filtered.
"""

from __future__ import annotations

import torch
from torch import Tensor


def first_spikes(spikes: Tensor) -> Tensor:
    """Each neuron's first spike alone.

    The gradient is passed up to that step, and to none of those in which the neuron is silent
    because it has fired; of a neuron that never fires, to all steps.

    Args:
        spikes: (T, batch, channels, …), 0 or 1.

    Returns:
        As ``spikes``, in the same order of memory.
    """
    counted = torch.empty_like(spikes)
    waiting = torch.ones_like(spikes[0])
    for t, fired in enumerate(spikes.detach()):
        counted[t] = waiting
        waiting = waiting * (1 - fired)
    return spikes * counted
