"""Average pooling as part of the convolution, and the order of memory."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.snn.layers import average_pooled, membrane_input, product
from evo_snn.snn.network import in_channels_last
from genomes.architecture import Layer, Neuron

NEURON = Neuron("lif_box", 0.5, 0.5, 12)
CONVOLVED = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
POOLED = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def pooling_layer(in_shape, out_channels, kernel, pool=2, stride=1):
    dimensions = len(in_shape) - 1
    return Layer(
        name="one",
        source="input",
        in_shape=in_shape,
        out_channels=out_channels,
        kernel=(kernel,) * dimensions,
        stride=(stride,) * dimensions,
        padding=(kernel // 2,) * dimensions,
        weight_bits=4,
        input_bits=1,
        pool=(pool,) * dimensions,
        pool_kind="average",
        neuron=NEURON,
    )


@given(
    st.lists(st.integers(2, 9), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([1, 3, 5]),
    st.integers(0, 2**31),
)
def test_a_pooled_kernel_is_convolution_and_then_pooling(sizes, inputs, outputs, kernel, seed):
    layer = pooling_layer((inputs, *sizes), outputs, kernel)
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, *layer.in_shape, generator=generator, dtype=torch.float64)
    weight = torch.randn(layer.weight_shape, generator=generator, dtype=torch.float64)
    weight.requires_grad_()

    dimensions = len(sizes)
    convolved = CONVOLVED[dimensions](x, weight, padding=layer.padding)
    expected = POOLED[dimensions](convolved, 2)
    found = membrane_input(layer, in_channels_last(x), weight)

    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)
    towards = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    (of_found,) = torch.autograd.grad(found, weight, towards)
    (of_expected,) = torch.autograd.grad(expected, weight, towards)
    assert torch.allclose(of_found, of_expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("sizes", [(9,), (8, 7), (4, 5, 6)])
def test_of_spikes_and_levels_a_pooled_kernel_is_exact_in_float32(sizes):
    layer = pooling_layer((5, *sizes), 7, 3)
    generator = torch.Generator().manual_seed(3)
    spikes = torch.randint(0, 2, (4, *layer.in_shape), generator=generator).float()
    levels = torch.randint(-127, 128, layer.weight_shape, generator=generator).float()
    found = membrane_input(layer, spikes, levels)
    assert torch.equal(found, average_pooled(layer, product(layer, spikes, levels)))
    assert (found != found.round()).any()


@pytest.mark.parametrize(("pool", "stride"), [(3, 1), (2, 2)])
def test_other_windows_and_strides_are_pooled_as_they_are(pool, stride):
    layer = pooling_layer((2, 12, 11), 3, 3, pool=pool, stride=stride)
    x, weight = torch.rand(2, 2, 12, 11), torch.randn(3, 2, 3, 3)
    expected = F.avg_pool2d(F.conv2d(x, weight, stride=stride, padding=1), pool)
    assert torch.allclose(membrane_input(layer, x, weight), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (3, 4, 9), (2, 3, 4, 5, 6), (2, 7)])
def test_channels_are_innermost_in_memory(shape):
    x = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    ordered = in_channels_last(x)
    assert torch.equal(ordered, x)
    assert ordered.stride(1) == 1
    assert ordered.movedim(1, -1).is_contiguous()
