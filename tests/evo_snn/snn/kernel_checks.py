"""Running a kernel as its contract says, and comparing it with Norse."""

import torch

from evo_snn.snn.kernels import Dynamics, fire
from tests.evo_snn.snn.norse_reference import Fired, by_norse

TIGHT = {torch.float32: 1e-5, torch.float64: 1e-12}
"""How much of the largest gradient may differ."""

ERFC_TIGHT = 1e-7
"""The same for heavi_erfc in float64, whose root of pi Norse rounds to float32."""


NOTHING = 1e-25
"""Gradients of this size may be anything: the slopes of surrogates end in numbers so small that
their last bits are lost."""


def spikes_of(kernel, neurons, current, time_steps):
    """Spikes of a kernel, without gradients."""
    threshold = current.new_tensor(neurons.threshold)
    leak = current.new_tensor(neurons.leak) if neurons.has_leak else None
    return fire(
        _dynamics(neurons), current, time_steps, threshold, leak, neurons.step, kernel=kernel
    )


def by_kernel(kernel, neurons, current, time_steps, weight):
    """The spikes and the gradients of sum(weight · spikes) as a kernel gives them.

    The current's gradient is taken where it is, in whatever layout it has.
    """
    current = current.detach().requires_grad_()
    threshold = current.new_tensor(neurons.threshold, requires_grad=True)
    leak = current.new_tensor(neurons.leak, requires_grad=True) if neurons.has_leak else None
    spikes = fire(
        _dynamics(neurons), current, time_steps, threshold, leak, neurons.step, kernel=kernel
    )
    wanted = [one for one in (current, threshold, leak) if one is not None]
    gradients = torch.autograd.grad(spikes, wanted, weight)
    return Fired(spikes.detach(), *gradients, *[None] * (3 - len(gradients)))


def assert_as_norse(kernel, neurons, current, time_steps, weight=None, tight=None, least=NOTHING):
    """Equal spikes, equal gradients; what fired is returned.

    Gradients differ by ``tight`` of their size at most, which counts as ``least`` or more.
    """
    if weight is None:
        weight = random_weight(current, time_steps)
    theirs, sizes = by_norse(neurons, current, time_steps, weight)
    ours = by_kernel(kernel, neurons, current, time_steps, weight)
    if tight is None:
        tight = TIGHT[current.dtype]
        if neurons.surrogate == "heavi_erfc":
            tight = max(tight, ERFC_TIGHT)
    assert ours.spikes.dtype == current.dtype
    assert ours.spikes.shape == (time_steps, *current.shape[1:])
    assert torch.equal(ours.spikes, theirs.spikes)
    assert ours.current.shape == current.shape
    assert difference(ours.current, theirs.current, least) <= tight
    for mine, norses, size in zip(
        (ours.threshold, ours.leak), (theirs.threshold, theirs.leak), sizes, strict=False
    ):
        assert mine.shape == ()
        assert mine.dtype == current.dtype
        assert abs(mine.item() - norses.item()) <= tight * max(size, least)
    return ours


def difference(ours, theirs, least=NOTHING):
    """The largest difference as a share of the largest entry; 0 of nothing."""
    if not theirs.numel():
        return 0.0
    assert torch.isfinite(theirs).all()
    largest = max(theirs.abs().max().item(), least)
    return (ours - theirs).abs().max().item() / largest


def random_current(*shape, seed=0, dtype=torch.float64, mean=0.25, spread=0.8):
    """Currents under which neurons of threshold 0.5 fire now and then."""
    generator = torch.Generator().manual_seed(seed)
    return (mean + spread * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


def random_weight(current, time_steps, seed=1):
    """What a loss makes of each spike."""
    return random_current(
        time_steps, *current.shape[1:], seed=seed, dtype=current.dtype, mean=0.0, spread=1.0
    )


def random_step(channels, seed=2, dtype=torch.float64):
    """Steps of states that differ by channel; some are powers of two, most are not."""
    generator = torch.Generator().manual_seed(seed)
    step = 0.02 + 0.2 * torch.rand(channels, generator=generator, dtype=torch.float64)
    step[::3] = 0.125
    return step.to(dtype)


def _dynamics(neurons):
    return Dynamics(
        neurons.kind,
        neurons.bits,
        neurons.surrogate,
        neurons.alpha,
        reset=neurons.reset,
        once=neurons.once,
    )
