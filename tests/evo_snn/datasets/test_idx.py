"""idx files, written here from the format's description."""

import contextlib
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evo_snn.datasets import load_dataset
from evo_snn.datasets.idx import read_idx
from evo_snn.testing import check_dataset
from genomes.errors import RequestError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")


def idx(array):
    sizes = b"".join(struct.pack(">i", side) for side in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def arrays(rng, train=30, test=10):
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (train, 5, 4)),
        "train-labels-idx1-ubyte": np.arange(train) % 10,
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (test, 5, 4)),
        "t10k-labels-idx1-ubyte": np.arange(test) % 10,
    }


def write(folder, packed=False, **changes):
    content = arrays(np.random.default_rng(0)) | changes
    for name, array in content.items():
        data = array if isinstance(array, bytes) else idx(array)
        (folder / f"{name}{'.gz' if packed else ''}").write_bytes(
            gzip.compress(data) if packed else data
        )
    return content


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_those_of_the_files(tmp_path, packed):
    content = write(tmp_path, packed)

    data = load_dataset("mnist", tmp_path)

    assert data.input_shape == (1, 5, 4)
    assert data.names == tuple("0123456789")
    assert data.frames == 0
    np.testing.assert_array_equal(data.test.y, content["t10k-labels-idx1-ubyte"])
    expected = content["t10k-images-idx3-ubyte"][:, None] / 255
    np.testing.assert_allclose(data.test.x, expected, rtol=1e-6)
    assert (len(data.train), len(data.validation)) == (20, 10)
    assert sorted(data.validation.y) == list(range(10))


def test_the_contract_of_a_data_set_holds(tmp_path):
    write(tmp_path)
    check_dataset("fashion_mnist", tmp_path)


def test_fewer_examples_of_each_class_on_request(tmp_path):
    write(tmp_path)
    data = load_dataset("mnist", tmp_path, options={"per_class": 2})
    assert np.bincount(np.concatenate([data.train.y, data.validation.y])).tolist() == [2] * 10
    assert len(data.test) == 10


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (NAMES[0], lambda data: data[:-7], "593 of the 600 values"),
        (NAMES[0], lambda data: data + b"x", "more of the 600 values"),
        (NAMES[0], lambda data: data[:3], "It has 3 bytes"),
        (NAMES[0], lambda data: data[:9], "a whole idx file"),
        (NAMES[0], lambda data: b"PK" + data[2:], "begins otherwise"),
        (NAMES[0], lambda data: b"\x00\x00\x0d" + data[3:], "begins otherwise"),
        (NAMES[0], lambda data: data[:4] + b"\xff" * 12, "fit into memory"),
        (NAMES[1], lambda data: idx(np.arange(29) % 10), "'29 labels'; allowed: 30, one an image"),
        (NAMES[1], lambda data: idx(np.r_[7, np.zeros(29)]), "one example of class 7"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, name, change, message):
    content = write(tmp_path)
    broken = change(idx(content[name]))
    write(tmp_path, **{name: broken, "t10k-labels-idx1-ubyte": np.zeros(10)})

    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("mnist", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_cut_off_compressed_file_is_one_line(tmp_path):
    write(tmp_path, packed=True)
    path = tmp_path / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RequestError, match=f"{NAMES[0]}.*a whole idx file"):
        load_dataset("mnist", tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RequestError, match="train-images-idx3-ubyte or train-images-idx3-ubyte.gz"):
        load_dataset("mnist", tmp_path)
    with pytest.raises(RequestError, match="a folder with idx files"):
        load_dataset("mnist", tmp_path / "none")


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)), st.booleans())
def test_whatever_is_written_is_read(tmp_path_factory, array, packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    np.testing.assert_array_equal(read_idx(path), array)


@given(st.integers(0, 615), st.binary(min_size=1, max_size=4))
def test_no_change_of_a_file_is_a_traceback(tmp_path_factory, place, junk):
    path = tmp_path_factory.mktemp("idx") / "a"
    data = idx(np.zeros((30, 5, 4)))
    path.write_bytes(data[:place] + junk + data[place + len(junk) :])
    with contextlib.suppress(RequestError):
        assert read_idx(path).dtype == np.uint8


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian():
    data = load_dataset("fashion_mnist", DEBIAN)
    assert (len(data.train), len(data.validation), len(data.test)) == (48_000, 12_000, 10_000)
    assert data.input_shape == (1, 28, 28)
    mean = np.concatenate([data.train.x, data.validation.x]).mean()
    assert mean == pytest.approx(0.2860, abs=1e-4)  # the constant that everybody normalises it by
