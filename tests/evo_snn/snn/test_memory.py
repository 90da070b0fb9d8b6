"""Spikes lie in memory as the current does, its channels innermost."""

import pytest
import torch

from evo_snn.snn.kernels import KERNELS, Dynamics, fire
from evo_snn.snn.kernels.memory import stacked
from evo_snn.snn.network import in_channels_last


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (3, 4, 5, 6), (3, 4, 5, 6, 7), (3, 1, 5)])
@pytest.mark.parametrize("ordered", [True, False])
def test_time_steps_are_stacked_as_they_lie(shape, ordered):
    steps = [torch.randn(shape) for _ in range(3)]
    given = [in_channels_last(step) for step in steps] if ordered else steps
    found = stacked(given)

    assert torch.equal(found, torch.stack(steps))
    assert (found.movedim(2, -1) if ordered else found).is_contiguous()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("given_steps", [1, 3])
def test_channels_stay_innermost(kernel, given_steps):
    current = in_channels_last(torch.randn(given_steps * 2, 4, 5, 6)).unflatten(0, (given_steps, 2))
    threshold, leak = torch.tensor(0.3), torch.tensor(0.5)
    spikes = fire(Dynamics("lif_box", 8), current, 3, threshold, leak, None, kernel=kernel)

    assert spikes.flatten(0, 1).movedim(1, -1).is_contiguous()
