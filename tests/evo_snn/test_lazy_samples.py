"""Large sets: what is made batch by batch is what an array would be, for training and digests."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evo_snn.chip_accuracy import fixed_part
from evo_snn.config import DataSection
from evo_snn.datasets import Split, load_dataset
from evo_snn.datasets.lazy import Counts, chunks, counts
from evo_snn.snn import build
from evo_snn.training import data_digest, dataset, fit, on_device
from genomes.spaces import make_space


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 4))),
    st.integers(1, 255),
    st.data(),
)
def test_lazy_inputs_index_as_arrays_do(store, most, data):
    store = np.minimum(store, most)
    lazy, array = Counts(np.arange(len(store)), store, most), counts(store, most)
    assert isinstance(array, np.ndarray)
    index = data.draw(
        st.integers(0, len(store) - 1)
        | st.slices(len(store))
        | st.lists(st.integers(0, len(store) - 1), min_size=1).map(np.array)
        | hnp.arrays(bool, len(store))
    )
    np.testing.assert_array_equal(lazy[index], array[index])
    assert (lazy.shape, lazy.ndim, lazy.dtype, len(lazy)) == (
        array.shape,
        3,
        np.float32,
        len(array),
    )
    assert (lazy.min(), lazy.max()) == (array.min(), array.max())
    taken = lazy.take(np.arange(len(store))[::-1]).take(np.arange(len(store)))
    np.testing.assert_array_equal(np.asarray(taken), array[::-1])
    np.testing.assert_array_equal(np.stack(list(lazy)), array)
    np.testing.assert_array_equal(np.concatenate(list(chunks(lazy))), array)


@pytest.fixture
def both():
    """The same images as an array and lazily, on the CPU."""
    rng = np.random.default_rng(0)
    store, y = rng.integers(0, 256, (120, 1, 8, 8), dtype=np.uint8), np.arange(120) % 3
    lazy = Counts(np.arange(120), store, 255)
    return [on_device(Split(x, y), "cpu") for x in (lazy[:], lazy)]


def test_tensors_are_the_same(both):
    whole, lazy = both
    chosen = torch.tensor([5, 0, 99])
    assert torch.equal(lazy.x[chosen], whole.x[chosen])
    assert torch.equal(lazy.x.clone(), whole.x)
    assert (lazy.x.shape, lazy.x.device) == (whole.x.shape, whole.x.device)
    for parts in (1, 7, 120):
        ours, theirs = list(lazy.x.chunk(parts)), whole.x.chunk(parts)
        assert [len(one) for one in ours] == [len(one) for one in theirs]
    assert torch.equal(torch.cat(list(lazy.x.split(50))), whole.x)
    assert torch.equal(fixed_part(lazy, 10).x, fixed_part(whole, 10).x)
    assert torch.equal(fixed_part(lazy, 0).x[:], whole.x)


def test_training_gives_the_same_bits(both):
    space = make_space("plain", (1, 8, 8), 3, {})
    architecture = space.decode(space.sample(1, np.random.default_rng(0))[0])
    found = []
    for samples in both:
        network = build(architecture, 0)
        found.append(
            fit(
                network,
                samples,
                samples,
                steps=4,
                batch_size=16,
                learning_rate=0.01,
                weight_decay=0.0,
                looks=1,
                seed=0,
            )
        )
    assert found[0].accuracy == found[1].accuracy
    assert found[0].rates == found[1].rates
    for name, tensor in found[0].tensors.items():
        assert torch.equal(tensor, found[1].tensors[name])


def test_the_digest_is_of_the_values_and_of_what_options_change(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    truth = (np.arange(40) // 4 % 3)[np.newaxis].repeat(40, 0)
    path = tmp_path / "a.npz"
    np.savez(path, cube=rng.random((40, 40, 3)), gt=truth)
    section = DataSection(name="scene", path=path)
    digest = data_digest(dataset(section))

    other = DataSection(name="scene", path=path, options={"patch": 3})
    assert data_digest(dataset(other)) != digest
    assert data_digest(dataset(section)) == digest
    monkeypatch.setattr("evo_snn.datasets.lazy.EAGER_BYTES", 0)
    assert data_digest(dataset(section)) == digest


def test_the_digest_of_old_runs_still_holds():
    # what a search stored before data sets had frames, names and options
    import hashlib

    data = load_dataset("digits")
    before = hashlib.sha256(repr((data.input_shape, data.labels)).encode())
    for array in (data.train.x, data.train.y, data.validation.x, data.validation.y):
        before.update(array.tobytes())
    assert data_digest(data) == before.hexdigest()
