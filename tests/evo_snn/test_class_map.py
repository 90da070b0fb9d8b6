"""Class maps: their file, and `train` on a scene from search to picture."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import evo_snn
from evo_snn.class_map import PARTS, ClassMap
from evo_snn.training import dataset
from genomes.errors import RequestError

MAPS = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int64, shape, elements=st.integers(-1, 2)),
        hnp.arrays(np.int64, shape, elements=st.integers(0, 2)),
        hnp.arrays(np.int64, shape, elements=st.integers(0, len(PARTS) - 1)),
    )
)
# numpy ends texts at trailing zeros
NAMES = st.tuples(*[st.text(st.characters(exclude_characters="\0"), max_size=8)] * 3)


@given(maps=MAPS, names=NAMES, leaky=st.sampled_from(["", "patches overlap"]))
def test_a_map_is_in_its_file_as_it_was(tmp_path_factory, maps, names, leaky):
    path = tmp_path_factory.mktemp("map") / "a.npz"
    before = ClassMap(*maps, names, leaky)
    path.write_bytes(before.to_bytes())
    after = ClassMap.read(path)

    for name in ("truth", "predicted", "part"):
        assert getattr(after, name).tolist() == getattr(before, name).tolist()
    assert (after.names, after.leaky) == (names, leaky)


@pytest.mark.parametrize(
    "content",
    [
        b"nothing",
        b"PK\3\4 torn",
        ClassMap(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros((2, 2)), ("a",)).to_bytes(),
        ClassMap(np.ones((2, 2)), np.zeros((2, 2)), np.zeros((2, 2)), ("a",)).to_bytes(),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(RequestError, match="class map"):
        ClassMap.read(path)


@pytest.fixture(scope="module")
def scene_run(tmp_path_factory):
    """A search of two candidates on stripes of three classes."""
    folder = tmp_path_factory.mktemp("scene")
    rng = np.random.default_rng(0)
    truth = (np.arange(24) // 4 % 4)[np.newaxis].repeat(20, 0)
    cube = rng.normal(size=(4, 3))[truth] + 0.2 * rng.normal(size=(20, 24, 3))
    np.savez(folder / "scene.npz", cube=cube, gt=truth, class_names=["oats", "rye", "spelt"])
    return evo_snn.evolve(
        {
            "data": {
                "name": "scene",
                "path": str(folder / "scene.npz"),
                "options": {"patch": 3, "split": "random"},
            },
            "search": {"space": "hyperspectral", "population": 2, "generations": 1},
            "training": {"steps": 10, "best_by": "balanced_accuracy", "class_weights": "balanced"},
            "objectives": {"names": ["balanced_accuracy", "kappa", "energy_uj"]},
            "workers": {"backend": "sequential", "jobs": 1},
        },
        folder / "run",
    )


def test_a_search_has_the_figures_of_every_candidate_and_says_that_they_flatter(scene_run, command):
    assert scene_run.leaky == "random pixels: patches of all parts overlap"
    table = scene_run.candidates()
    assert table[["accuracy", "balanced_accuracy", "kappa"]].notna().all(axis=None)
    status, out, _ = command("front", scene_run.folder)
    assert status == 0
    assert f"accuracies flatter: {scene_run.leaky}" in out
    assert json.loads(command("front", scene_run.folder, "--json")[1])["leaky"] == scene_run.leaky
    key = table["key"][0]
    assert f"accuracies flatter: {scene_run.leaky}" in command("show", scene_run.folder, key)[1]
    assert scene_run.leaky in command("status", scene_run.folder)[1]
    assert json.loads(command("status", scene_run.folder, "--json")[1])["leaky"] == scene_run.leaky
    _, _, err = command("recost", scene_run.folder, "--chip", "rram_32nm")
    assert f"accuracies flatter: {scene_run.leaky}" in err


def test_training_on_a_scene_ends_with_its_map(scene_run, command):
    key = scene_run.candidates()["key"][0]
    status, out, err = command("train", scene_run.folder, key, "--epochs", 2, "--json")
    assert status == 0, err
    (row,) = json.loads(out)
    picture = scene_run.folder / "figures" / f"class_map_{key[:8]}.png"
    assert picture.is_file()
    assert picture.name in err
    found = ClassMap.read(scene_run.folder / "trained" / f"{key}.map.npz")
    data = dataset(scene_run.config.data)
    assert found.names == ("oats", "rye", "spelt") == tuple(row["test_recalls"])
    assert row["leaky"] == found.leaky == scene_run.leaky
    # the map's test pixels are those of the figures
    tested = found.tested
    assert tested.sum() == len(data.test)
    right = found.truth[tested] == found.predicted[tested]
    assert right.mean() == row["test_accuracy"]
    recalls = [right[found.truth[tested] == one].mean() for one in range(3)]
    assert row["test_recalls"] == pytest.approx(dict(zip(found.names, recalls, strict=True)))
    assert row["test_balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert (found.part == PARTS.index("train")).sum() == len(data.train)
    assert (found.part == PARTS.index("validation")).sum() == len(data.validation)

    status, out, _ = command("train", scene_run.folder, key, "--epochs", 1)
    assert "test recall by class" in out
    assert "spelt" in out
    assert "accuracies flatter" in out


def test_a_picture_is_not_written_through_a_link(scene_run, command, tmp_path):
    key = scene_run.candidates()["key"][1]
    figures = scene_run.folder / "figures"
    if figures.is_dir():
        figures.rename(tmp_path / "before")
    figures.symlink_to(tmp_path)
    try:
        status, _, err = command("train", scene_run.folder, key, "--epochs", 1)
    finally:
        figures.unlink()
    assert status == 2
    assert "no symbolic link" in err
    assert not list(tmp_path.glob("class_map*"))
