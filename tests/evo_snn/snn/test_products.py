"""Every way to compute a layer's product and average is the same function; the order of memory."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.snn import products
from evo_snn.snn.network import in_channels_last
from evo_snn.snn.products import average_pooled, membrane_input, product
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


@st.composite
def layers(draw, pools=(1, 2)):
    sizes = draw(st.lists(st.integers(2, 9), min_size=1, max_size=3))
    channels = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    kernel = draw(st.sampled_from([1, 2, 3, 5]))
    layer = pooling_layer((channels[0], *sizes), channels[1], kernel, draw(st.sampled_from(pools)))
    if draw(st.booleans()):
        layer = replace(layer, stride=tuple(draw(st.integers(1, 2)) for _ in sizes))
    if min(layer.stored_shape) < 1:
        layer = replace(layer, pool=(1,) * len(sizes))
    return layer


def as_written(layer, x, weight):
    dimensions = len(layer.kernel)
    convolved = CONVOLVED[dimensions](x, weight, stride=layer.stride, padding=layer.padding)
    return POOLED[dimensions](convolved, layer.pool)


def agree(way, layer, seed, dtype=torch.float64):
    """Values and both gradients of a way to compute a layer are those of convolving and pooling."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, *layer.in_shape, generator=generator, dtype=dtype)
    x = in_channels_last(x).requires_grad_()
    weight = torch.randn(layer.weight_shape, generator=generator, dtype=dtype)
    weight.requires_grad_()
    expected, found = as_written(layer, x, weight), way(layer, x, weight)

    near = {"rtol": 1e-11, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 0, "atol": 2e-3}
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, **near)
    towards = torch.randn(expected.shape, generator=generator, dtype=dtype)
    of_found = torch.autograd.grad(found, [x, weight], towards)
    of_expected = torch.autograd.grad(expected, [x, weight], towards)
    for one, other in zip(of_found, of_expected, strict=True):
        assert torch.allclose(one, other, **near)


@given(layers(), st.sampled_from(["input", "other"]), st.integers(0, 2**31))
def test_the_way_that_is_chosen_is_convolution_and_then_pooling(layer, source, seed):
    agree(membrane_input, replace(layer, source=source), seed)


@given(layers(), st.integers(0, 2**31))
def test_one_matrix_is_convolution_and_then_pooling(layer, seed):
    agree(products._dense, layer, seed)


@given(layers(pools=(2,)), st.integers(0, 2**31))
def test_a_pooled_kernel_is_convolution_and_then_pooling(layer, seed):
    if products._is_merged(replace(layer, source="input")):
        agree(products._merged, layer, seed)


@pytest.mark.parametrize("way", ["_merged", "_dense"])
@pytest.mark.parametrize("sizes", [(9,), (8, 7), (4, 5, 6)])
def test_of_spikes_and_levels_every_way_is_exact_in_float32(sizes, way):
    layer = pooling_layer((5, *sizes), 7, 3)
    generator = torch.Generator().manual_seed(3)
    spikes = torch.randint(0, 2, (4, *layer.in_shape), generator=generator).float()
    levels = torch.randint(-127, 128, layer.weight_shape, generator=generator).float()
    found = getattr(products, way)(layer, spikes, levels)
    assert torch.equal(found, average_pooled(layer, product(layer, spikes, levels)))
    assert (found != found.round()).any()


@pytest.mark.parametrize(
    ("in_shape", "source", "pool", "way"),
    [
        ((3, 4, 4), "input", 1, None),
        ((1, 4, 4), "input", 2, "_dense"),
        ((1, 8, 8), "input", 2, "_merged"),
        ((16, 4, 4), "one", 2, "_dense"),
        ((16, 2, 2), "one", 1, "_dense"),
        ((16, 4, 4), "one", 1, None),
        ((3, 32, 32), "input", 2, "_merged"),
        ((32, 16, 16), "one", 2, "_merged"),
        ((8, 6, 6), "one", 3, None),  # ninths are not exact
        ((512, 4, 4), "one", 2, "_merged"),  # the matrix would be too large
        ((1, 4, 2**14), "input", (4, 2**14), None),  # and here the table of places
    ],
)
def test_which_way_is_chosen(in_shape, source, pool, way, monkeypatch):
    layer = replace(pooling_layer(in_shape, 16, 3), source=source)
    layer = replace(layer, pool=pool if isinstance(pool, tuple) else (pool, pool))
    taken = []
    for name in ("_dense", "_merged"):
        monkeypatch.setattr(products, name, lambda *_, name=name: taken.append(name))
    membrane_input(layer, torch.zeros(256, *in_shape), torch.zeros(layer.weight_shape))
    assert taken == ([way] if way else [])


def test_of_few_samples_no_matrix_is_made():
    layer = replace(pooling_layer((16, 4, 4), 16, 3), source="one")
    layer = replace(layer, out_channels=64)
    assert products._is_dense(layer, 256)
    assert not products._is_dense(layer, 24)  # making it would cost a third of what it saves
    assert products._is_dense(layer, 4)  # what a convolution costs is more than its products


@pytest.mark.parametrize("way", ["_merged", "_dense"])
@pytest.mark.parametrize("samples", [0, 1])
def test_batches_of_nothing_and_of_one(samples, way):
    layer = pooling_layer((3, 4, 4), 5, 3)
    weight = torch.randn(layer.weight_shape, generator=torch.Generator().manual_seed(0))
    x = torch.ones(samples, *layer.in_shape)
    found = getattr(products, way)(layer, x, weight)
    assert found.shape == (samples, 5, 2, 2)
    assert torch.allclose(found, as_written(layer, x, weight), atol=1e-5)


def test_a_look_in_inference_mode_leaves_training_as_it_was():
    layer = replace(pooling_layer((16, 2, 2), 8, 3, pool=1), source="one")
    x, weight = torch.ones(64, 16, 2, 2), torch.ones(layer.weight_shape, requires_grad=True)
    products.places.cache_clear()
    with torch.inference_mode():
        membrane_input(layer, x, weight)
    membrane_input(layer, x, weight).sum().backward()
    assert weight.grad is not None


def test_on_another_device_the_matrix_is_not_made():
    layer = replace(pooling_layer((16, 2, 2), 8, 3, pool=1), source="one")
    x = torch.zeros(64, 16, 2, 2, device="meta")
    assert membrane_input(layer, x, torch.zeros(layer.weight_shape, device="meta")).is_meta


def test_places_by_hand():
    # a map of 4, a kernel of 3 with a border of 1, pairs averaged
    found = products.places((4,), (3,), (1,), (1,), (2,))
    assert found.shape == (4, 2, 3)
    assert found[:, 0].tolist() == [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 0.5], [0, 0, 0]]
    assert found[:, 1].tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]


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
