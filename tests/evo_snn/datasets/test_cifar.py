"""CIFAR's two formats, written here as their home describes them."""

import contextlib
import pickle
import struct
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.datasets import load_dataset
from evo_snn.datasets.python_pickles import PickleError, read_table
from evo_snn.testing import check_dataset
from genomes.errors import RequestError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
CLASSES = [b"airplane", b"automobile", b"bird"]


def python2(table):
    """A dictionary as cPickle of Python 2 wrote it, protocol 2: strings are bytes there."""

    def string(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value):
        return b"J" + struct.pack("<i", value)

    def array(value):
        head = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85"
        dtype = b"cnumpy\ndtype\n" + string(b"u1") + number(0) + number(1) + b"\x87R"
        state = b"(" + number(3) + string(b"|") + b"NNN" + number(-1) * 2 + number(0) + b"tb"
        shape = b"(" + b"".join(number(side) for side in value.shape) + b"t"
        content = b"(" + number(1) + shape + dtype + state + b"\x89" + string(value.tobytes())
        return head + string(b"b") + b"\x87R" + content + b"tb"

    def item(value):
        if isinstance(value, np.ndarray):
            return array(value)
        if isinstance(value, list):
            return b"](" + b"".join(item(one) for one in value) + b"e"
        return number(value) if isinstance(value, int) else string(value)

    pairs = b"".join(string(key) + item(value) for key, value in table.items())
    return b"\x80\x02}(" + pairs + b"u."


def images(number, count=6):
    return np.random.default_rng(number).integers(0, 256, (count, 3072), dtype=np.uint8)


def pickled10(number):
    y = [label % 3 for label in range(6)]
    return python2({b"data": images(number), b"labels": y, b"batch_label": b"x"})


def binary10(number):
    labels = (np.arange(6) % 3).astype(np.uint8)[:, None]
    return np.concatenate([labels, images(number)], axis=1).tobytes()


def write10(folder, version):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(BATCHES):
        if version == "python":
            (folder / name).write_bytes(pickled10(number))
        else:
            (folder / f"{name}.bin").write_bytes(binary10(number))
    if version == "python":
        meta = python2({b"label_names": CLASSES})
        (folder / "batches.meta").write_bytes(meta)
    else:
        (folder / "batches.meta.txt").write_bytes(b"\n".join(CLASSES) + b"\n\n")


def whole(data):
    return [data.train.x, data.train.y, data.validation.x, data.validation.y, data.test.x]


def test_both_versions_give_the_same(tmp_path):
    loaded = []
    for version in ("python", "binary"):
        write10(tmp_path / version, version)
        loaded.append(load_dataset("cifar10", tmp_path / version))

    first, second = loaded
    assert first.names == second.names == ("airplane", "automobile", "bird")
    assert first.input_shape == (3, 32, 32)
    assert len(first.train) + len(first.validation) == 30
    for one, other in zip(whole(first), whole(second), strict=True):
        np.testing.assert_array_equal(one, other)
    expected = images(5).reshape(6, 3, 32, 32) / 255
    np.testing.assert_allclose(first.test.x, expected, rtol=1e-6)
    assert first.test.y.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("version", ["python", "binary"])
def test_the_archive_itself_is_read(tmp_path, version):
    folder = tmp_path / "cifar-10-batches"
    write10(folder, version)
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname="cifar-10-batches")

    packed = load_dataset("cifar10", tmp_path / "cifar.tar.gz")

    outer = load_dataset("cifar10", tmp_path)  # the folder that the archive was unpacked in
    for one, other in zip(whole(packed), whole(outer), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_copy_made_by_python_3_is_read_too():
    table = {b"data": images(0), b"labels": [1, 2]}
    for protocol in range(5):  # 5 has buffers out of band
        read = read_table(pickle.dumps(table, protocol=protocol))
        np.testing.assert_array_equal(read["data"], images(0))
        assert read["labels"] == [1, 2]


def test_the_contract_of_a_data_set_holds(tmp_path):
    write10(tmp_path, "python")
    check_dataset("cifar10", tmp_path)


@pytest.mark.parametrize("version", ["python", "binary"])
@pytest.mark.parametrize(("labels", "modulus"), [("fine", 4), ("coarse", 2)])
def test_cifar100_has_fine_and_coarse_labels(tmp_path, version, labels, modulus):
    y = np.arange(12)
    names = {"fine": [b"a", b"b", b"c", b"d"], "coarse": [b"x", b"y"]}
    for number, part in enumerate(("train", "test")):
        x, fine, coarse = images(number, 12), y % 4, y % 2
        if version == "python":
            table = {
                b"data": x,
                b"fine_labels": fine.tolist(),
                b"coarse_labels": coarse.tolist(),
            }
            (tmp_path / part).write_bytes(python2(table))
        else:
            records = np.concatenate([coarse[:, None], fine[:, None], x], axis=1)
            (tmp_path / f"{part}.bin").write_bytes(records.astype(np.uint8).tobytes())
    if version == "python":
        table = {f"{kind}_label_names".encode(): found for kind, found in names.items()}
        (tmp_path / "meta").write_bytes(python2(table))
    else:
        for kind, found in names.items():
            (tmp_path / f"{kind}_label_names.txt").write_bytes(b"\n".join(found))

    data = load_dataset("cifar100", tmp_path, options={"labels": labels})

    assert data.test.y.tolist() == (y % modulus).tolist()
    assert data.names == tuple(name.decode() for name in names[labels])
    np.testing.assert_allclose(data.test.x, images(1, 12).reshape(12, 3, 32, 32) / 255, rtol=1e-6)


class Boom:
    def __reduce__(self):
        return (eval, ("__import__('pathlib').Path('boom').touch()",))


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write10(tmp_path, "python")
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps({b"data": Boom()}, protocol=2))

    with pytest.raises(RequestError, match=r"data_batch_2.*asks for (__builtin__|builtins)\.eval"):
        load_dataset("cifar10", tmp_path)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickled10(0)[:-100], "data_batch_1.*a whole pickle"),
        (b"", "data_batch_1.*a whole pickle"),
        (pickle.dumps([1, 2]), "holds no dictionary"),
        (pickle.dumps({b"labels": [0]}), r"data of shape \(N, 3072\)"),
        (pickle.dumps({b"data": images(0).astype(np.int64)}), "none of bytes"),
        (pickle.dumps({b"data": images(0), b"labels": [0] * 5}, protocol=2), "labels: a list of 6"),
        (pickle.dumps({b"data": images(0), b"labels": ["a"] * 6}, protocol=2), "a list of 6"),
    ],
)
def test_a_broken_pickle_is_one_line(tmp_path, content, message):
    write10(tmp_path, "python")
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(RequestError, match=message):
        load_dataset("cifar10", tmp_path)


def test_a_cut_off_binary_file_is_one_line(tmp_path):
    write10(tmp_path, "binary")
    (tmp_path / "data_batch_3.bin").write_bytes(binary10(2)[:-1])
    with pytest.raises(RequestError, match=r"data_batch_3.bin.*whole records of 3073 bytes"):
        load_dataset("cifar10", tmp_path)


def test_what_is_missing_or_no_archive_is_named(tmp_path):
    with pytest.raises(RequestError, match="data_batch_1 or data_batch_1.bin"):
        load_dataset("cifar10", tmp_path)
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(RequestError, match=r"the \.tar\.gz of its home"):
        load_dataset("cifar10", tmp_path / "x.tar.gz")


@given(st.data())
def test_no_change_of_a_pickle_is_a_traceback(data):
    content = bytearray(python2({b"data": images(0, 1), b"labels": [3]}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PickleError):
        assert isinstance(read_table(bytes(content)), dict)
