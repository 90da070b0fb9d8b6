import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evo_snn.datasets import dataset_description, dataset_names, load_dataset
from evo_snn.datasets.base import split_stratified
from genomes.errors import RequestError

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


def save(folder, **changes):
    """A small valid file, with some arrays changed or (None) left out."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (20, 5, 6, 3), dtype=np.uint8),
        "y_train": np.repeat([-7, 3, 500, 4], 5),
        "x_test": rng.integers(0, 256, (8, 5, 6, 3), dtype=np.uint8),
        "y_test": np.tile([3, 500], 4),
    } | changes
    path = folder / "data.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path, arrays


def test_digits_are_split_by_class_without_overlap():
    data = load_dataset("digits")

    assert data.input_shape == (1, 8, 8)
    assert data.classes == 10
    assert data.labels == tuple(range(10))
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    assert sizes == [1151, 287, 359]
    for part in (data.train, data.validation, data.test):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert (part.x.min(), part.x.max()) == (0, 1)
        shares = np.bincount(part.y) / len(part)
        assert np.abs(shares - 0.1).max() < 0.01
    # The 1797 images are all different, so equal images would be leaks.
    parts = (data.train, data.validation, data.test)
    images = np.concatenate([part.x.reshape(len(part), -1) for part in parts])
    assert len(np.unique(images, axis=0)) == 1797


def test_the_seed_moves_validation_and_never_the_test_part():
    first, again, other = (load_dataset("digits", seed=seed) for seed in (0, 0, 1))

    assert np.array_equal(first.validation.x, again.validation.x)
    assert not np.array_equal(first.validation.x, other.validation.x)
    assert np.array_equal(first.test.x, other.test.x)
    assert len(load_dataset("digits", validation_fraction=0.5).validation) == pytest.approx(719, 5)


def test_npz_remaps_labels_and_puts_channels_first(tmp_path):
    path, arrays = save(tmp_path)

    data = load_dataset("npz", path)

    assert data.labels == (-7, 3, 4, 500)
    assert data.input_shape == (3, 5, 6)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 8)
    assert np.array_equal(data.test.y, np.tile([1, 3], 4))
    expected = np.moveaxis(arrays["x_test"], -1, 1) / 255
    np.testing.assert_allclose(data.test.x, expected, rtol=1e-6)
    assert sorted(data.validation.y) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((8, 8), (1, 8, 8)),
        ((8, 8, 3), (3, 8, 8)),
        ((3, 8, 8), (3, 8, 8)),
        ((1, 8, 8), (1, 8, 8)),
        ((2, 34, 34), (2, 34, 34)),
        ((8, 9, 1), (1, 8, 9)),
        ((8, 8, 16), (16, 8, 8)),
        ((16, 8, 8), (16, 8, 8)),
        ((8, 8, 8), (8, 8, 8)),
        ((7, 8, 9), (9, 7, 8)),
        ((3, 3, 3), (3, 3, 3)),
        ((20,), (1, 20)),
        ((3,), (1, 3)),
        ((3, 20), (1, 3, 20)),
        ((2, 5, 6, 7), (2, 5, 6, 7)),
        ((5, 6, 7, 2), (2, 5, 6, 7)),
        ((16, 8, 8, 8), (16, 8, 8, 8)),
        ((8, 8, 8, 16), (16, 8, 8, 8)),
        ((9, 5, 6, 7), (7, 9, 5, 6)),
        ((1, 1, 3), (3, 1, 1)),
    ],
)
def test_the_channel_axis_is_found(tmp_path, shape, expected):
    rng = np.random.default_rng(0)
    path, arrays = save(
        tmp_path,
        x_train=rng.integers(0, 256, (20, *shape), dtype=np.uint8),
        x_test=rng.integers(0, 256, (8, *shape), dtype=np.uint8),
    )

    data = load_dataset("npz", path)

    assert data.input_shape == expected
    assert data.test.x.sum() == pytest.approx(arrays["x_test"].sum() / 255, rel=1e-5)


@pytest.mark.parametrize(
    ("axes", "shape", "order"),
    [
        ("NL", (9,), (0,)),
        ("NCL", (3, 9), (0, 1)),
        ("NLC", (9, 3), (1, 0)),
        ("NHW", (5, 6), (0, 1)),
        ("NWH", (5, 6), (1, 0)),
        ("NCHW", (5, 6, 3), (0, 1, 2)),  # where the guess is that the last are channels
        ("NHWC", (3, 5, 6), (2, 0, 1)),
        ("NHCW", (5, 3, 6), (1, 0, 2)),
        ("NDHW", (5, 6, 3), (0, 1, 2)),
        ("NDHWC", (2, 5, 6, 7), (3, 0, 1, 2)),
        ("NDCHW", (5, 2, 6, 7), (1, 0, 2, 3)),
    ],
)
def test_a_file_can_say_what_its_axes_are(tmp_path, axes, shape, order):
    x = np.random.default_rng(0).integers(0, 256, (20, *shape), dtype=np.uint8)
    path, _ = save(tmp_path, x_train=x, x_test=x[:8], axes=np.array(axes))

    data = load_dataset("npz", path)

    expected = x[:8].transpose(0, *(1 + np.array(order)))
    if "C" not in axes:
        expected = expected[:, np.newaxis]
    np.testing.assert_allclose(data.test.x, expected / 255, rtol=1e-6)
    assert data.input_shape == expected.shape[1:]
    assert data.train.x.shape == (16, *expected.shape[1:])


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("NHW", r"x_train: got 'shape .*allowed: 3 axes, as axes = 'NHW' says"),
        ("CHWN", "axes: got 'CHWN'; allowed: one string such as"),
        ("NCHWW", "axes: got 'NCHWW'"),
        ("NCH", "axes: got 'NCH'"),
        ("NTHW", "axes: got 'NTHW'"),
        ("NC", "axes: got 'NC'"),
        ("", "axes: got"),
        (["N", "H", "W", "C"], r"axes: got array\(\['N'"),
        (3, r"axes: got array\(3\)"),
    ],
)
def test_axes_that_mean_nothing_are_named(tmp_path, axes, message):
    path, _ = save(tmp_path, axes=np.array(axes))
    with pytest.raises(RequestError, match=message):
        load_dataset("npz", path)


def test_what_the_axes_mean_is_documented():
    text = dataset_description("npz")
    for form in ("(N, L)", "(N, H, W)", "(N, C, H, W)", "(N, C, D, H, W)", 'axes="NCL"'):
        assert form in text


def test_other_ranges_are_scaled_by_the_training_part(tmp_path):
    train = np.linspace(-10, 30, 20 * 4).reshape(20, 2, 2)
    path, _ = save(tmp_path, x_train=train, x_test=np.full((8, 2, 2), 40.0))

    data = load_dataset("npz", path)

    both = np.concatenate([data.train.x, data.validation.x])
    assert (both.min(), both.max()) == (0, 1)
    assert (data.test.x == 1).all()


def test_floats_between_0_and_1_stay_as_they_are(tmp_path):
    train = np.linspace(0.25, 0.75, 20 * 4).reshape(20, 2, 2)
    path, _ = save(tmp_path, x_train=train, x_test=train[:8])

    assert load_dataset("npz", path).test.x.max() == np.float32(train[:8].max())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "x_train, y_train, x_test, y_test"),
        ({"y_train": np.zeros(19, int)}, r"y_train: .*allowed: shape \(20,\)"),
        ({"y_train": np.zeros((20, 4), int)}, "y_train"),
        ({"y_train": np.zeros(20)}, "y_train: .*integer labels"),
        ({"y_train": np.zeros(20, int)}, "y_train: got '1 class'"),
        ({"y_test": np.full(8, 9)}, r"y_test: got \[9\]; allowed: labels that are in y_train"),
        ({"x_train": np.zeros(20)}, "x_train: got .*at least one input"),
        ({"x_train": np.zeros((20, 1, 2, 3, 4, 5))}, "x_train: got .*at least one input"),
        ({"x_train": np.zeros((0, 5, 6, 3))}, "x_train"),
        ({"x_train": np.full((20, 5, 6, 3), np.nan)}, "x_train: got '1800 values that are NaN"),
        ({"x_test": np.full((8, 5, 6, 3), np.inf)}, "x_test: got .*infinite"),
        ({"x_train": np.zeros((20, 5, 6, 3))}, "x_train: got .*everywhere.*images that differ"),
        ({"x_train": np.zeros((20, 5, 6, 3), complex)}, "x_train: got .*real numbers"),
        ({"x_train": np.full((20, 5, 6, 3), "a")}, "x_train: got .*real numbers"),
        ({"x_test": np.zeros((8, 5, 5, 3), np.uint8)}, "x_test: got .*as x_train"),
        ({"x_train": np.full((20, 5, 6, 3), None)}, "pickled objects are never loaded"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, changes, message):
    path, _ = save(tmp_path, **changes)
    with pytest.raises(RequestError, match=message):
        load_dataset("npz", path)


def test_files_that_are_no_npz_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with pytest.raises(RequestError, match="that exists"):
        load_dataset("npz", path)
    for content in (b"", b"hello", b"x_train,y_train\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"data.path: .*It is no \.npz file"):
            load_dataset("npz", path)
    whole = save(tmp_path)[0].read_bytes()
    for content in (whole[:200], whole[:-200]):
        path.write_bytes(content)
        with pytest.raises(RequestError, match="data.path"):
            load_dataset("npz", path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(RequestError, match="data.path"):
        load_dataset("npz", tmp_path / "one.npy")


def test_a_member_that_is_no_array_is_named(tmp_path):
    path, _ = save(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("axes.npy", "NCHW")
    with pytest.raises(RequestError, match="an array of numpy.savez as axes"):
        load_dataset("npz", path)


@pytest.mark.parametrize(
    "header", ["{'descr': '|u1', 'fortran_order': False, 'shape': (10**15,), }", "{" * 80]
)
def test_a_header_that_claims_too_much_or_makes_no_sense_is_refused(tmp_path, header):
    path, arrays = save(tmp_path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "x_train"})
    with zipfile.ZipFile(path, "a") as archive:
        content = header.replace("10**15", str(10**15)).encode()
        archive.writestr("x_train.npy", b"\x93NUMPY\x01\x00" + bytes([len(content), 0]) + content)
    with pytest.raises(RequestError, match="data.path: .*(fit into memory|a whole .npz file)"):
        load_dataset("npz", path)


@pytest.mark.parametrize("free", [1_000, 30_000])
def test_what_would_take_all_memory_is_refused_before_it_does(tmp_path, monkeypatch, free):
    path, _ = save(tmp_path)  # 2.8 kB to read, 12 bytes a value to scale
    monkeypatch.setattr("evo_snn.datasets.npz.free_memory", lambda: free)
    with pytest.raises(RequestError, match=r"fit into memory. It takes .* GB, and .* are free"):
        load_dataset("npz", path)


def test_what_only_long_doubles_hold_is_not_finite(tmp_path):
    x = np.full((20, 5, 6, 3), np.finfo(np.longdouble).max)
    with pytest.raises(RequestError, match="x_train: got '1800 values that are NaN or infinite'"):
        load_dataset("npz", save(tmp_path, x_train=x)[0])


def test_a_path_that_no_system_has_is_refused(tmp_path):
    with pytest.raises(RequestError, match="data.path: got .*File name too long"):
        load_dataset("npz", tmp_path / ("x" * 5000))


def test_one_example_a_class_leaves_nothing_to_validate_on(tmp_path):
    x = np.random.default_rng(0).random((2, 4, 4))
    path, _ = save(tmp_path, x_train=x, y_train=np.arange(2), x_test=x, y_test=np.arange(2))
    with pytest.raises(RequestError, match="data: got 'one example of class 0.*two or more"):
        load_dataset("npz", path)


def test_names_and_paths_are_checked():
    with pytest.raises(RequestError, match="Did you mean 'digits'"):
        load_dataset("digit")
    with pytest.raises(RequestError, match="no path"):
        load_dataset("digits", "a.npz")
    with pytest.raises(RequestError, match="data.path: got nothing"):
        load_dataset("npz")
    with pytest.raises(RequestError, match="Did you mean 'npz'"):
        dataset_description("npy")
    assert all(dataset_description(name) for name in dataset_names())


@given(
    hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(-3, 3)),
    st.floats(0.05, 0.5),
    st.integers(0, 9),
)
def test_a_stratified_split_is_a_partition_with_every_class_on_both_sides(y, fraction, seed):
    kept, held = split_stratified(y, fraction, seed)

    assert sorted([*kept, *held]) == list(range(len(y)))
    for label in np.unique(y):
        members, out = np.count_nonzero(y == label), np.count_nonzero(y[held] == label)
        assert (out == 0) == (members == 1)
        assert out < members
        assert abs(out - fraction * members) <= 1 or members == 1


numbers = hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "buif" and dtype.itemsize <= 8)


@given(st.data(), numbers)
def test_whatever_the_numbers_are_inputs_end_in_the_unit_interval(tmp_path_factory, data, dtype):
    elements = hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    train = data.draw(hnp.arrays(dtype, (6, 3, 3), elements=elements))
    test = data.draw(hnp.arrays(dtype, (2, 3, 3), elements=elements))
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez(path, x_train=train, y_train=[0, 0, 0, 1, 1, 1], x_test=test, y_test=[0, 1])
    if train.min() == train.max() and dtype != np.uint8:
        with pytest.raises(RequestError, match="images that differ"):
            load_dataset("npz", path)
        return

    loaded = load_dataset("npz", path)

    for part in (loaded.train, loaded.validation, loaded.test):
        assert part.x.dtype == np.float32
        assert np.isfinite(part.x).all()
        assert part.x.min() >= 0
        assert part.x.max() <= 1
    images = np.concatenate([loaded.train.x, loaded.validation.x])
    assert images.shape == (6, 1, 3, 3)
    if dtype.kind != "f" and dtype != np.uint8:
        assert (images.min(), images.max()) == (0, 1)


@pytest.mark.skipif(
    not (SHARED_DATA / "cifar10_10k2k.npz").exists(),
    reason="the material beside the checkout (shared/data) is absent",
)
def test_cifar10_as_published():
    data = load_dataset("npz", SHARED_DATA / "cifar10_10k2k.npz")

    assert data.input_shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (8000, 2000, 2000)
    both = np.concatenate([data.train.x, data.validation.x])
    # The constants that everybody normalises CIFAR-10 by: channels are where they should be.
    np.testing.assert_allclose(both.mean((0, 2, 3)), [0.4914, 0.4822, 0.4465], atol=0.005)
