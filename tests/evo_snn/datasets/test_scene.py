"""Scenes: the files that people have, and that nothing leaks from one part to another."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from threadpoolctl import threadpool_limits

from evo_snn.datasets import load_dataset
from evo_snn.datasets.blocks import by_blocks
from evo_snn.datasets.cubes import Scene
from evo_snn.datasets.scene import SceneOptions, principal_components, scene_parts
from evo_snn.testing import check_dataset
from genomes.errors import RequestError

SHARED = Path(__file__).parents[4] / "shared" / "data"
real = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the material beside the checkout (shared/data) is absent"
)


def cube(rows=40, columns=37, bands=6, seed=0):
    """A cube whose bands correlate, and classes in stripes with unlabelled pixels between."""
    rng = np.random.default_rng(seed)
    truth = (np.arange(columns) // 4 % 4)[np.newaxis].repeat(rows, 0)
    mixed = rng.normal(size=(4, bands))[truth] + rng.normal(size=(rows, columns, 2)) @ rng.normal(
        size=(2, bands)
    )
    return (100 * mixed).astype(np.int16), truth.astype(np.uint8)


def matlab_73(path, **arrays):
    """As MATLAB 7.3 writes: HDF5 behind 512 bytes of text, axes in the opposite order."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
    with path.open("r+b") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))


def write(folder, form, x, gt):
    if form == "two files":
        savemat(folder / "a_corrected.mat", {"whatever": x})
        savemat(folder / "a_gt.mat", {"some_gt": gt})
    elif form == "one file":
        savemat(folder / "both.mat", {"data": x, "map": gt})
    elif form == "compressed":
        savemat(folder / "both.mat", {"data": x, "map": gt}, do_compression=True)
    elif form == "7.3":
        matlab_73(folder / "a.mat", cube=x)
        matlab_73(folder / "b.mat", gt=gt)
    elif form == "bands first":
        np.savez(folder / "both.npz", pc=np.moveaxis(x, 2, 0), gt=gt)
    return folder


def same(one, other):
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(one, part).x, getattr(other, part).x)
        np.testing.assert_array_equal(getattr(one, part).y, getattr(other, part).y)


@pytest.mark.parametrize("form", ["two files", "one file", "compressed", "7.3", "bands first"])
def test_every_form_of_file_gives_the_same(tmp_path, form):
    x, gt = cube()
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz" / "a.npz", cube=x, gt=gt, class_names=["a", "b", "c"])
    expected = load_dataset("scene", tmp_path / "npz" / "a.npz")
    (tmp_path / "mat").mkdir()

    same(load_dataset("scene", write(tmp_path / "mat", form, x, gt)), expected)
    assert expected.names == ("a", "b", "c")
    assert expected.labels == (1, 2, 3)
    assert expected.input_shape == (1, 6, 5, 5)


def test_named_scenes_take_their_own_files_among_others(tmp_path):
    x, gt = cube()
    savemat(tmp_path / "SalinasA_corrected.mat", {"salinasA_corrected": x})
    savemat(tmp_path / "SalinasA_gt.mat", {"salinasA_gt": gt * 5 - 4 * (gt > 0)})
    savemat(tmp_path / "SalinasA.mat", {"salinasA": np.zeros((40, 37, 9))})

    data = load_dataset("salinas_a", tmp_path)

    assert data.labels == (1, 6, 11)
    assert data.names == ("Brocoli_green_weeds_1", "Stubble", "Lettuce_romaine_4wk")
    with pytest.raises(RequestError, match="one array of three axes.*Has salinasA, salinasA_corr"):
        load_dataset("scene", tmp_path)
    options = {"files": ["SalinasA_corrected.mat", "SalinasA_gt.mat"]}
    same(load_dataset("scene", tmp_path, options=options), data)


def test_the_contract_of_a_data_set_holds(tmp_path):
    x, gt = cube(90, 70)  # with fewer blocks the best division is the same for all seeds
    np.savez(tmp_path / "a.npz", cube=x, gt=gt)
    check_dataset("scene", tmp_path / "a.npz")


def lazily(monkeypatch):
    """Have patches stay patches, with their positions."""
    monkeypatch.setattr("evo_snn.datasets.lazy.EAGER_BYTES", 0)


@pytest.mark.parametrize("components", [0, 3])
@pytest.mark.parametrize("split", ["blocks", "random"])
def test_patches_are_cut_around_their_pixels_with_edges_mirrored(monkeypatch, split, components):
    lazily(monkeypatch)
    x, gt = cube()
    options = SceneOptions(split=split, components=components)
    parts = scene_parts(Scene(x, gt.astype(np.int64), ()), options)
    patches = parts.train.x
    inner = patches.cube[2:-2, 2:-2]
    seen = set()
    for row, position in enumerate(patches.rows):
        r, c = divmod(int(position), 37)
        at = [np.array([abs(k) if k < n else 2 * n - 2 - k for k in range(m - 2, m + 3)])
              for m, n in ((r, 40), (c, 37))]  # fmt: skip
        expected = inner[np.ix_(*at)]
        np.testing.assert_array_equal(patches[row][0], np.moveaxis(expected, 2, 0))
        assert parts.labels[parts.train.y[row]] == gt[r, c]
        seen.add((r < 2 or r > 37, c < 2 or c > 34))
    at_edges = {(False, False), (True, False)}  # blocks at the right edge are too thin
    assert seen >= (at_edges if split == "blocks" else {*at_edges, (False, True), (True, True)})
    middle = patches[:][:, 0, :, 2, 2]
    assert (middle.min(0) == 0).all()
    assert (middle.max(0) == 1).all()
    eager = np.asarray(patches)
    assert eager.shape == patches.shape


def covered(rows, columns, patch, shape):
    """The pixels of patches, marked one by one."""
    marked = np.zeros(shape, dtype=bool)
    reach = patch // 2
    for r, c in zip(rows, columns, strict=True):
        marked[max(0, r - reach) : r + reach + 1, max(0, c - reach) : c + reach + 1] = True
    return marked


@settings(max_examples=20)
@given(st.sampled_from([1, 3, 5, 7]), st.sampled_from([0, 9, 12]), st.integers(0, 5))
def test_no_pixel_is_in_patches_of_two_parts(patch, block, seed):
    shape = (60, 66)
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, shape)
    options = SceneOptions(patch=patch, block=block)
    parts = scene_parts(Scene(rng.random((*shape, 2)), truth, ()), options)
    pixels = by_blocks(truth, patch, block, options.test_fraction, 0, drop=False)
    np.testing.assert_array_equal(parts.groups, pixels.blocks)

    sets = [pixels.test, *(pixels.train[pixels.blocks == one] for one in np.unique(pixels.blocks))]
    counted = sum(covered(*np.divmod(one, 66), patch, shape).astype(int) for one in sets)

    assert counted.max() == 1  # the test's patches and each block's lie apart
    assert len(pixels.train) + len(pixels.test) > 100


@pytest.mark.parametrize("components", [0, 3])
def test_training_does_not_change_with_test_pixels(monkeypatch, components):
    lazily(monkeypatch)
    x, gt = cube()
    options = SceneOptions(components=components)
    parts = scene_parts(Scene(x, gt.astype(np.int64), ()), options)
    other = x.copy()
    other.reshape(-1, 6)[parts.test.x.rows] = 9999
    again = scene_parts(Scene(other, gt.astype(np.int64), ()), options)

    np.testing.assert_array_equal(np.asarray(parts.train.x), np.asarray(again.train.x))
    assert not np.array_equal(np.asarray(parts.test.x), np.asarray(again.test.x))
    assert again.test.x.max() == 1  # clipped


def test_principal_components_are_those_of_the_training_pixels(monkeypatch):
    from sklearn.decomposition import PCA

    lazily(monkeypatch)
    x, gt = cube()
    options = SceneOptions(components=3, patch=1)
    parts = scene_parts(Scene(x, gt.astype(np.int64), ()), options)
    known = x.reshape(-1, 6)[parts.train.x.rows].astype(float)
    pca = PCA(3, svd_solver="full").fit(known)
    largest = pca.components_[np.arange(3), np.abs(pca.components_).argmax(1)]
    theirs = pca.transform(known) * np.sign(largest)
    theirs = (theirs - theirs.min(0)) / np.ptp(theirs, axis=0)
    np.testing.assert_allclose(np.asarray(parts.train.x)[:, 0, :, 0, 0], theirs, atol=1e-5)


def with_threads(count, function):
    with threadpool_limits(limits=count, user_api="blas"):
        return function()


def test_parts_do_not_change_with_the_number_of_threads():
    truth = (np.arange(60) // 4 % 4)[np.newaxis].repeat(60, 0)  # many blocks are equally good
    pixels = [with_threads(n, lambda: by_blocks(truth, 1, 0, 0.4, 0, drop=False)) for n in (1, 2)]
    np.testing.assert_array_equal(pixels[0].test, pixels[1].test)


def test_components_do_not_change_with_the_number_of_threads():
    x = np.random.default_rng(0).normal(size=(3000, 204))
    found = [with_threads(n, lambda: principal_components(x, x[:1500], 20)) for n in (1, 2)]
    np.testing.assert_array_equal(found[0], found[1])


def test_few_labels_are_spread_and_the_random_split_says_that_it_leaks():
    x, gt = cube()
    scene = Scene(x, gt.astype(np.int64), ())
    few = scene_parts(scene, SceneOptions(labelled=6, patch=3))
    assert np.bincount(few.train.y).tolist() == [6, 6, 6]
    assert min(len(np.unique(few.groups[few.train.y == one])) for one in range(3)) >= 2
    assert few.leaky == ""
    leaky = scene_parts(scene, SceneOptions(labelled=6, split="random"))
    assert leaky.groups is None
    assert "overlap" in leaky.leaky
    assert len(leaky.train) + len(leaky.test) == np.count_nonzero(gt)


def test_rare_classes_are_refused_or_dropped():
    x, gt = cube()
    gt[0, 0:3] = 9
    scene = Scene(x, gt.astype(np.int64), ())
    with pytest.raises(RequestError, match=r"classes 9 in fewer than 3 blocks.*rare = 'drop'"):
        scene_parts(scene, SceneOptions())
    assert scene_parts(scene, SceneOptions(rare="drop")).labels == (1, 2, 3)
    gt[0, 0:2] = 0
    scene = Scene(x, gt.astype(np.int64), ())
    with pytest.raises(RequestError, match="class 9 with 1 labelled pixels.*three or more"):
        scene_parts(scene, SceneOptions(split="random"))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda x, gt: (x, gt[:, :-1]), {}, r"ground truth of \(40, 36\) pixels.*\(40, 37, 6\)"),
        (lambda x, gt: (np.where(x > 150, np.nan, x), gt), {}, "cube: got .*NaN or infinite"),
        (lambda x, gt: (x, gt * 0.5), {}, "gt: got 'other values'; allowed: whole numbers"),
        (lambda x, gt: (x, np.minimum(gt, 1)), {}, "1 class in the scene"),
        (lambda x, gt: (x[..., 0], gt), {}, "one array of three axes, the cube. Has none"),
        (lambda x, gt: (x, gt), {"patch": 4}, "data.options.patch: got 4; allowed: an odd"),
        (lambda x, gt: (x, gt), {"patch": 39}, "allowed: at most 37, the scene's shorter side"),
        (lambda x, gt: (x, gt), {"components": 7}, "at most 6, the bands"),
        (lambda x, gt: (x, gt), {"block": 3}, "data.options.block: got 3; allowed: 0, or 5"),
        (lambda x, gt: (x, gt), {"labelled": 1}, "0, or two or more"),
        (lambda x, gt: (x, gt), {"componets": 7}, "Did you mean 'components'"),
        (lambda x, gt: (x, gt), {"split": "block"}, "'blocks' or 'random'"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, change, options, message):
    x, gt = change(*cube())
    np.savez(tmp_path / "a.npz", cube=x, gt=gt)
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("scene", tmp_path / "a.npz", options=options)
    assert "\n" not in str(caught.value)


def test_broken_and_missing_files_are_one_line(tmp_path):
    with pytest.raises(RequestError, match="a .mat or .npz file, or a folder"):
        load_dataset("scene", tmp_path)
    for content in (b"", b"no matlab", b"MATLAB 7.3 MAT-file" + bytes(600)):
        (tmp_path / "a.mat").write_bytes(content)
        with pytest.raises(RequestError, match=r"a\.mat.*a whole MATLAB file"):
            load_dataset("scene", tmp_path / "a.mat")


def test_spectra_are_divided_by_class(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 9)), np.repeat([3, 4, 8], 20)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    data = load_dataset("spectra", tmp_path / "a.npz")
    assert data.input_shape == (1, 9)
    assert [len(one) for one in (data.train, data.validation, data.test)] == [33, 9, 18]
    assert "without positions" in data.leaky
    check_dataset("spectra", tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", x=np.where(x > 0.9, np.nan, x), y=y)
    with pytest.raises(RequestError, match="x: got .*NaN"):
        load_dataset("spectra", tmp_path / "a.npz")


@real
def test_salinas_a_as_published():
    data = load_dataset("salinas_a", SHARED / "hsi_salinasA.npz", options={"patch": 9})
    assert data.labels == (1, 10, 11, 12, 13, 14)
    assert data.input_shape == (1, 204, 9, 9)
    for part in (data.train, data.validation, data.test):
        assert set(part.y.tolist()) == set(range(6))


@real
def test_indian_pines_in_blocks_has_to_leave_classes_out():
    path = SHARED / "hsi_indian_pines_2pc_map.npz"
    with pytest.raises(RequestError, match=r"classes 7, 9 in fewer than 3 blocks"):
        load_dataset("indian_pines", path)
    data = load_dataset("indian_pines", path, options={"rare": "drop"})
    assert data.classes == 14
    assert data.names[0] == "Alfalfa"
    spectra = load_dataset("spectra", SHARED / "hsi_indian_pines_train695_pixels.npz")
    assert spectra.input_shape == (1, 200)
    assert spectra.classes == 16


@pytest.mark.parametrize("split", ["blocks", "random"])
def test_the_ground_knows_where_examples_lie(tmp_path, split):
    x, gt = cube()
    np.savez(tmp_path / "scene.npz", x=x, gt=gt)
    data = load_dataset("scene", tmp_path / "scene.npz", options={"patch": 3, "split": split})

    assert data.ground.truth.shape == gt.shape
    assert (data.ground.truth == gt.astype(int) - 1).all()  # classes 1, 2, 3
    assert len(data.ground.inputs) == gt.size
    for part in ("train", "validation", "test"):
        places = getattr(data.ground, part)
        assert len(places)
        assert (data.ground.inputs[places] == np.asarray(getattr(data, part).x)).all()
        assert (data.ground.truth.reshape(-1)[places] == getattr(data, part).y).all()
