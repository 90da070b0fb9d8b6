"""What the compiled loops refuse, and the moments that batch normalisation works with."""

import numpy as np
import pytest
import torch

from evo_snn.snn.kernels import Dynamics, compiled, fire, fused
from genomes.errors import RequestError


@pytest.mark.parametrize("kernel", ["numba", "torch"])
def test_second_derivatives_are_refused_rather_than_wrong(kernel):
    current = torch.rand(2, 3, 4, dtype=torch.float64).requires_grad_()
    threshold = torch.tensor(0.5, dtype=torch.float64)
    spikes = fire(Dynamics("iaf", 12), current, 2, threshold, None, None, kernel=kernel)
    (gradient,) = torch.autograd.grad(spikes.square().sum(), current, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_a_single_value_a_channel_has_no_variance():
    """As torch's batch normalisation says."""
    ones, half = torch.ones(3), torch.tensor(0.5)
    with pytest.raises(ValueError, match="more than one value"):
        fused.fire_normalised(
            Dynamics("iaf", 12), torch.rand(1, 3), 1, 4, (ones, ones), 1e-5, half, None, None
        )


def test_moments_of_maps_that_begin_with_an_outlier():
    maps = torch.randn(4096, 3, generator=torch.Generator().manual_seed(0))
    maps[0] = 512.0
    moments = np.zeros((2, 3))
    compiled.moments(maps.flatten().numpy(), 96, moments)
    assert moments[0] == pytest.approx(maps.double().mean(0).numpy(), rel=1e-6)
    assert moments[1] == pytest.approx(maps.double().var(0, correction=0).numpy(), rel=1e-6)


def test_an_unknown_kernel_is_refused():
    half = torch.tensor(0.5)
    with pytest.raises(RequestError, match="numba"):
        fire(Dynamics("iaf", 12), torch.rand(1, 2, 3), 2, half, None, None, kernel="numbra")
