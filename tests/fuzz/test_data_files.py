"""Malformed .npz files: refused in one line, or read as inputs in [0, 1]; never executed."""

import io
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from evo_snn.datasets import load_dataset
from genomes.errors import RequestError

NAMES = ("x_train", "y_train", "x_test", "y_test", "axes")


def parts(rng):
    return {
        "x_train": rng.integers(0, 256, (20, 1, 6, 6), dtype=np.uint8),
        "y_train": np.arange(20) % 2,
        "x_test": rng.integers(0, 256, (6, 1, 6, 6), dtype=np.uint8),
        "y_test": np.arange(6) % 2,
    }


def npz(arrays, compressed=False):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of fields that an old numpy could not read
        (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def archive(members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def npy(header, content=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def read_or_refuse(path):
    """True where the file is read, and is then what a data set promises."""
    try:
        data = load_dataset("npz", path)
    except RequestError:
        return False
    for part in (data.train, data.validation, data.test):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert part.x.shape == (len(part.y), *data.input_shape)
        assert np.isfinite(part.x).all()
        assert ((part.x >= 0) & (part.x <= 1)).all()
        assert ((part.y >= 0) & (part.y < data.classes)).all()
    return True


def refused(command, path, untouched):
    arguments = ("--set", "data.name=npz", f"--set=data.path={path}")
    config = Path(__file__).parents[2] / "runs" / "digits.toml"
    outcome = command("evolve", config, "--out", untouched / "run", *arguments)
    outcome.assert_refused()
    return outcome.err


def test_bytes_of_a_data_file(tries, mutate, command, tmp_path, untouched):
    arrays = parts(np.random.default_rng(0))
    sources = [npz(arrays), npz(arrays, compressed=True), npz({**arrays, "axes": "NCHW"})]
    path = tmp_path / "d.npz"
    for number, rng in enumerate(tries.seeds()):
        path.write_bytes(mutate(rng.choice(sources), rng))
        if not read_or_refuse(path) and number % 10 == 0:
            refused(command, path, untouched)


def test_arrays_of_a_data_file(tries, tmp_path, untouched):
    path = tmp_path / "d.npz"
    kinds = st.one_of(
        nps.scalar_dtypes(),
        nps.unicode_string_dtypes(),
        nps.array_dtypes(),
        st.just(np.dtype(np.longdouble)),
    )
    arrays = nps.arrays(kinds, nps.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=5))
    close = st.one_of(
        nps.arrays(st.sampled_from(["f2", "f8", "g", "u1", "i8", "u8", "?"]), (20, 1, 6, 6)),
        nps.arrays(st.sampled_from(["i8", "u8", "i1"]), (20,)),
        st.sampled_from(["NCHW", "NHWC", "", "N", "NNNN", "CHWN", "é", "N" * 5000]).map(np.array),
    )

    @given(st.dictionaries(st.sampled_from(NAMES), close | arrays, min_size=1, max_size=2))
    def check(changes):
        path.write_bytes(npz({**parts(np.random.default_rng(0)), **changes}))
        read_or_refuse(path)

    tries.examples(check)


def test_headers_of_a_data_file(tries, command, tmp_path, untouched):
    path = tmp_path / "d.npz"
    shapes = st.one_of(
        st.sampled_from(
            ["(20,)", "()", "(-1,)", "(10**12,)", "(1000000000000,)", "(4294967296, 4294967296)",
             "(9223372036854775807, 8)", "(20, 1, 6, 6)", "(True,)", "(1.5,)", "[20]", "'x'",
             "None", "(" * 5000, "(" * 50 + ")" * 50, "20L", "(20L,)", "-" * 3000 + "1",
             "(0, 99999999999)", "(" + "9" * 5000 + ",)", "(" + "1," * 65 + ")"]
        ),
        st.text(max_size=12),
    )  # fmt: skip
    kinds = st.one_of(
        st.sampled_from(
            ["'<i8'", "'|u1'", "'|O'", "'<f16'", "'<U1'", "'<U99999999999'", "'<i8,<i8'", "'x'",
             "[('a','<i8')]", "[('a','|O')]", "[('','<i8',(9999999,))]", "None", "1", "{}", "'<M8'",
             "('<i8', (1000000, 1000000))", "'|S0'", "'|V0'", "'>i8'"]
        ),
        st.text(max_size=6),
    )  # fmt: skip
    orders = st.sampled_from(["False", "True", "2", "None", "'x'"])
    contents = st.sampled_from([b"", b"\0" * 160, b"\0" * 720, b"cos\nsystem\n(S'touch x'\ntR."])

    @given(shapes, kinds, orders, contents, st.sampled_from(NAMES), st.booleans())
    def check(shape, kind, order, content, name, whole):
        text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
        header = (text if whole else text[:-5]).encode("utf-8", "replace")[:60_000]
        with np.errstate(all="raise"):
            arrays = parts(np.random.default_rng(0))
        members = [(f"{each}.npy", npy_of(array)) for each, array in arrays.items() if each != name]
        path.write_bytes(archive([*members, (f"{name}.npy", npy(header, content))]))
        read_or_refuse(path)

    tries.examples(check)


def npy_of(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def bombs():
    rng = np.random.default_rng(0)
    members = {f"{name}.npy": npy_of(array) for name, array in parts(rng).items()}
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 1, 1000, 1000), }"
    yield "a header of terabytes", archive({**members, "x_train.npy": npy(header % 10**7)}.items())
    yield "a pickle", npz({**parts(rng), "y_train": np.array([Bomb()] * 20, dtype=object)})
    yield "a bare pickle", pickle.dumps(Bomb())
    yield "a pickle that says it is an archive", b"PK" + pickle.dumps(Bomb())
    yield "no array in a member", archive({**members, "x_train.npy": b"text"}.items())
    yield "no array as axes", archive({**members, "axes.npy": b"NCHW"}.items())
    yield "a member in place of an array", archive({**members, "x_train.npy": b""}.items())
    yield "folders", archive([(f"{name}/", b"") for name in NAMES])
    yield "an empty archive", archive([])
    yield "one array", npy_of(np.zeros(3))
    yield "an encrypted member", _encrypted(archive(members.items()))
    yield "an unknown compression", _method(archive(members.items()), 97)
    yield "lzma that is none", _method(archive(members.items()), 14)
    yield "bzip2 that is none", _method(archive(members.items()), 12)


class Bomb:
    """Pickled, it would write a file when it is loaded."""

    def __reduce__(self):
        return Path.write_text, (Path("pwned"), "yes")


def _everywhere(content, magic, offset, kind, value):
    """Another number in every header of an archive that begins with a magic."""
    content = bytearray(content)
    place = content.find(magic)
    while place >= 0:
        struct.pack_into(kind, content, place + offset, value)
        place = content.find(magic, place + 1)
    return bytes(content)


def _encrypted(content):
    return _everywhere(_everywhere(content, b"PK\x01\x02", 8, "<H", 1), b"PK\x03\x04", 6, "<H", 1)


def _method(content, method):
    content = _everywhere(content, b"PK\x01\x02", 10, "<H", method)
    return _everywhere(content, b"PK\x03\x04", 8, "<H", method)


@pytest.mark.parametrize(("what", "content"), list(bombs()), ids=lambda each: str(each)[:40])
def test_bombs(command, tmp_path, monkeypatch, what, content):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    line = refused(command, path, here)
    assert "data.path" in line or "axes" in line or "x_train" in line
    assert list(here.iterdir()) == []
