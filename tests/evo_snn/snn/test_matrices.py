"""Products of matrices by oneDNN are torch's own."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.snn import matrices, products
from tests.evo_snn.snn.test_products import agree, layers


@pytest.fixture
def calls(monkeypatch):
    """Every product by oneDNN, in order; none is too small for it."""
    found, product = [], matrices._onednn_product
    assert matrices.library() == "oneDNN"  # of the torch that requirements.txt names, on x86

    def counted(rows, matrix):
        found.append((tuple(rows.shape), tuple(matrix.shape)))
        return product(rows, matrix)

    monkeypatch.setattr(matrices, "ONEDNN_FROM", 0)
    monkeypatch.setattr(matrices, "_onednn_product", counted)
    return found


def whole_numbers(*shape, generator):
    return torch.randint(-9, 10, shape, generator=generator).float()


def test_values_and_gradients(calls):
    generator = torch.Generator().manual_seed(0)
    rows = whole_numbers(7, 19, generator=generator).requires_grad_()
    matrix = whole_numbers(5, 19, generator=generator).requires_grad_()
    towards = whole_numbers(7, 5, generator=generator)
    found = matrices.multiplied(rows, matrix)
    gradients = torch.autograd.grad(found, [rows, matrix], towards)
    assert calls == [((7, 19), (5, 19)), ((7, 5), (19, 5)), ((5, 7), (19, 7))]

    expected = rows @ matrix.T  # whole numbers, so that no order of sums matters
    assert torch.equal(found, expected)
    for one, other in zip(
        gradients, torch.autograd.grad(expected, [rows, matrix], towards), strict=True
    ):
        assert torch.equal(one, other)


@given(layers(), st.integers(0, 2**31))
def test_layers_as_one_matrix_by_onednn(layer, seed):
    assert matrices.library() == "oneDNN"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrices, "ONEDNN_FROM", 0)
        agree(products._dense, layer, seed, torch.float32)


def test_small_products_other_types_and_a_switched_off_library_are_torchs(calls, monkeypatch):
    ones = torch.ones(3, 3)
    matrices.multiplied(ones.double(), ones.double())
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
        assert matrices.library() == "torch"
        matrices.multiplied(ones, ones)
    with torch.autocast("cpu", torch.bfloat16):
        assert matrices.multiplied(ones.bfloat16(), ones.bfloat16()).dtype == torch.bfloat16
    monkeypatch.setattr(matrices, "ONEDNN_FROM", 28)
    matrices.multiplied(ones, ones)
    assert not calls
    monkeypatch.setattr(matrices, "ONEDNN_FROM", 27)
    matrices.multiplied(ones, ones)
    assert len(calls) == 1


def test_a_torch_without_that_product_does_without(monkeypatch):
    def missing(*_):
        raise AttributeError("_linear_pointwise")

    matrices._has_onednn.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(matrices, "_onednn_product", missing)
        assert matrices.library() == "torch"
        assert torch.equal(matrices.multiplied(torch.eye(200), torch.eye(200)), torch.eye(200))
    matrices._has_onednn.cache_clear()


def test_a_default_type_does_not_decide():
    matrices._has_onednn.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        assert matrices.library() == "oneDNN"
    finally:
        torch.set_default_dtype(torch.float32)
