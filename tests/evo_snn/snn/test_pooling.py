"""OR pooling in compiled loops: torch's maximum pooling of spikes, value by value."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from evo_snn.snn.kernels.pooling import or_pooled
from evo_snn.snn.network import in_channels_last

MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
DTYPES = [torch.float32, torch.float64]


def random_spikes(shape, *, rate=0.3, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < rate).to(dtype)


def layouts(x):
    """The same numbers in other places of the memory."""
    wide = x.new_zeros(*x.shape[:-1], 2 * x.shape[-1])
    wide[..., ::2] = x
    return {
        "contiguous": x.contiguous(),
        "channels are innermost": in_channels_last(x),
        "samples are innermost": x.movedim(0, -1).contiguous().movedim(-1, 0),
        "every other": wide[..., ::2],
        "not at the start": in_channels_last(torch.cat([x[:1], x]))[1:],
    }


def pooled_with_gradient(pool, spikes, window, weight):
    spikes = spikes.detach().requires_grad_()
    pooled = pool(spikes, window)
    (gradient,) = torch.autograd.grad(pooled, spikes, weight)
    return pooled.detach(), gradient


def assert_as_torch(spikes, window, weight=None):
    maximum = MAXIMUM[len(window)]
    if weight is None:
        generator = torch.Generator().manual_seed(1)
        shape = maximum(spikes, window).shape
        weight = torch.randn(shape, generator=generator, dtype=spikes.dtype)
    pooled, gradient = pooled_with_gradient(or_pooled, spikes, window, weight)
    expected, of_expected = pooled_with_gradient(maximum, spikes, window, weight)

    assert pooled.dtype == spikes.dtype
    assert torch.equal(pooled, expected)
    assert torch.equal(gradient, of_expected)


@st.composite
def windows_in_maps(draw):
    """Spatial sizes, and a window that fits."""
    window = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    return [draw(st.integers(size, 9)) for size in window], window


@settings(deadline=None)
@given(
    windows_in_maps(),
    st.integers(1, 3),
    st.sampled_from([1, 2, 3, 8, 11, 16]),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from(DTYPES),
    st.integers(0, 2**31),
    st.sampled_from(["contiguous", "channels are innermost", "every other"]),
)
def test_pooling_is_torchs(sizes_and_window, samples, channels, rate, dtype, seed, layout):
    sizes, window = sizes_and_window
    spikes = random_spikes((samples, channels, *sizes), rate=rate, dtype=dtype, seed=seed)
    assert_as_torch(layouts(spikes)[layout], window)


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "window"),
    [
        ((2051,), (2,)),
        ((67, 45), (2, 2)),
        ((33, 1), (4, 1)),
        ((1, 700), (1, 3)),
        ((9, 40, 31), (2,) * 3),
    ],
)
def test_more_than_is_pooled_at_a_time_is_torchs(sizes, window, channels, dtype):
    assert_as_torch(random_spikes((3, channels, *sizes), dtype=dtype), window)


@pytest.mark.parametrize("window", [(16, 16), (20, 15), (1, 300), (300, 1)])
def test_windows_of_more_than_a_byte_are_torchs(window):
    assert_as_torch(random_spikes((2, 3, 301, 302), rate=0.004), window)


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("sizes", [(8,), (7, 6), (5, 4, 7)])
def test_layouts_in_memory_change_nothing(sizes, channels):
    spikes = random_spikes((3, channels, *sizes))
    window = (2,) * len(sizes)
    weight = torch.randn(MAXIMUM[len(sizes)](spikes, window).shape)
    for one in layouts(spikes).values():
        for other in layouts(weight).values():
            assert_as_torch(one, window, other)
    assert_as_torch(spikes, window, torch.ones(()).expand(weight.shape))
    assert_as_torch(spikes[:1].expand(4, *spikes.shape[1:]), window)


def test_gradients_go_to_the_first_spike_or_the_first_place():
    spikes = torch.tensor([[0, 0, 0, 1, 9], [0, 0, 1, 1, 9], [9, 9, 9, 9, 9]]).float() % 9
    pooled, gradient = pooled_with_gradient(
        or_pooled, spikes[None, None], (2, 2), torch.tensor([[[[5.0, 7.0]]]])
    )
    assert pooled.tolist() == [[[[0, 1]]]]
    assert gradient.tolist() == [[[[5, 0, 0, 7, 0], [0] * 5, [0] * 5]]]


def test_no_samples_are_no_pooled_ones():
    spikes = torch.zeros(0, 3, 4, 5, requires_grad=True)
    pooled = or_pooled(spikes, (2, 2))
    pooled.sum().backward()
    assert pooled.shape == (0, 3, 2, 2)
    assert spikes.grad.shape == spikes.shape


def test_without_gradients_nothing_is_tracked():
    spikes = random_spikes((2, 3, 5, 4))
    assert not or_pooled(spikes, (2, 2)).requires_grad
    with torch.inference_mode():
        assert torch.equal(or_pooled(spikes, (2, 2)), F.max_pool2d(spikes, 2))


@pytest.mark.parametrize("sizes", [(8,), (7, 6), (5, 4, 7)])
def test_channels_stay_innermost_in_memory(sizes):
    spikes = in_channels_last(random_spikes((2, 3, *sizes))).requires_grad_()
    pooled = or_pooled(spikes, (2,) * len(sizes))
    (gradient,) = torch.autograd.grad(pooled.sum(), spikes)
    for one in (pooled, gradient):
        assert one.movedim(1, -1).is_contiguous()


def test_a_window_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="window"):
        or_pooled(torch.zeros(1, 1, 3, 1), (2, 2))
