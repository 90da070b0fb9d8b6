"""Folders of small images, written with Pillow; Tiny ImageNet's layout as it is published."""

import numpy as np
import pytest
from PIL import Image

from evo_snn.datasets import load_dataset
from evo_snn.testing import check_dataset
from genomes.errors import RequestError

CLASSES = ("ant", "bee")


def pixels(*seed, shape=(6, 5)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write(folder, parts=("train", "val", "test"), count=5):
    for number, part in enumerate(parts):
        for label, name in enumerate(CLASSES):
            for one in range(count):
                save(folder / part / name / f"{one}.png", pixels(number, label, one))
    return folder


def test_parts_in_folders_are_taken_as_they_are(tmp_path):
    data = load_dataset("image_folder", write(tmp_path))

    assert data.names == CLASSES
    assert data.input_shape == (3, 6, 5)
    for number, split in enumerate((data.train, data.validation, data.test)):
        assert split.y.tolist() == [0] * 5 + [1] * 5
        expected = np.moveaxis(pixels(number, 1, 3), 2, 0) / 255
        np.testing.assert_allclose(split.x[8], expected, rtol=1e-6)


def test_without_a_test_folder_validation_is_the_test(tmp_path):
    data = load_dataset("image_folder", write(tmp_path, ("train", "val")))
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 2, 10)
    np.testing.assert_allclose(data.test.x[0], np.moveaxis(pixels(1, 0, 0), 2, 0) / 255, rtol=1e-6)


@pytest.mark.parametrize("parts", [("",), ("train",)])
def test_class_folders_alone_are_divided(tmp_path, parts):
    write(tmp_path, parts, count=10)
    data = load_dataset("image_folder", tmp_path, options={"test_fraction": 0.3})
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 2, 6)
    check_dataset("image_folder", tmp_path)


@pytest.mark.parametrize("rule", ["stretch", "crop"])
def test_other_sizes_follow_the_rule(tmp_path, rule):
    write(tmp_path)
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200  # the middle of three equal parts
    save(tmp_path / "test" / "ant" / "9.png", wide)

    data = load_dataset("image_folder", tmp_path, options={"size": 4, "resize": rule})

    assert data.input_shape == (3, 4, 4)
    odd = data.test.x[5]
    if rule == "crop":
        np.testing.assert_allclose(odd, 200 / 255, rtol=1e-6)
    else:
        assert odd[0, 0, 0] < 0.3 < odd[0, 0, 1]


def test_grey_and_per_class(tmp_path):
    options = {"channels": "grey", "per_class": 3}
    data = load_dataset("image_folder", write(tmp_path), options=options)
    assert data.input_shape == (1, 6, 5)
    assert (len(data.train), len(data.test)) == (6, 10)
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as Pillow's documentation says
    np.testing.assert_allclose(data.test.x[0, 0] * 255, pixels(2, 0, 0) @ weights, atol=1)


def test_a_cache_gives_the_same_and_notices_changes(tmp_path):
    folder, cache = write(tmp_path / "images"), tmp_path / "cache"
    options = {"cache_folder": str(cache)}
    plain = load_dataset("image_folder", folder)
    for _ in range(2):
        cached = load_dataset("image_folder", folder, options=options)
        np.testing.assert_array_equal(cached.train.x, plain.train.x)
    assert len(list(cache.glob("*.npy"))) == 3
    assert list(cache.glob("*.part")) == []

    save(folder / "test" / "ant" / "0.png", np.full((6, 5, 3), 255, np.uint8))

    assert (load_dataset("image_folder", folder, options=options).test.x[0] == 1).all()


def test_large_sets_stay_bytes(tmp_path, monkeypatch):
    write(tmp_path)
    eager = load_dataset("image_folder", tmp_path)
    monkeypatch.setattr("evo_snn.datasets.lazy.EAGER_BYTES", 0)
    lazy = load_dataset("image_folder", tmp_path)
    assert lazy.train.x.store.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(lazy.train.x), eager.train.x)


def test_one_unreadable_file_is_one_line(tmp_path):
    write(tmp_path)
    path = tmp_path / "train" / "bee" / "3.png"
    for content in (b"", b"no image", path.read_bytes()[:60]):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"bee/3.png.*an image file that can be read") as one:
            load_dataset("image_folder", tmp_path)
        assert "\n" not in str(one.value)


def test_what_does_not_fit_is_named(tmp_path):
    write(tmp_path)
    save(tmp_path / "test" / "ant" / "9.png", pixels(0, shape=(7, 5)))
    with pytest.raises(RequestError, match=r"7 x 5 pixels in .*9.png.*6 x 5.*'stretch' or 'crop'"):
        load_dataset("image_folder", tmp_path)
    (tmp_path / "train" / "cow").mkdir()
    with pytest.raises(RequestError, match="cow.*a folder with images"):
        load_dataset("image_folder", tmp_path)
    (tmp_path / "train" / "cow").rmdir()
    save(tmp_path / "val" / "cow" / "1.png", pixels(0))
    with pytest.raises(RequestError, match="class cow.*classes with images for training"):
        load_dataset("image_folder", tmp_path)


def test_a_class_with_one_image_is_one_line(tmp_path):
    write(tmp_path, ("train", "test"))
    save(tmp_path / "train" / "cow" / "1.png", pixels(0))
    with pytest.raises(RequestError, match=r"one example of class 2 \(cow\) for training"):
        load_dataset("image_folder", tmp_path)


def write_tiny(folder):
    wnids = ("n02", "n01")
    (folder / "val").mkdir()
    (folder / "wnids.txt").write_text("\n".join(wnids) + "\n")
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius\nn02\tbull frog\nn99\tnone\n")
    for wnid in wnids:
        for one in range(4):
            save(folder / "train" / wnid / "images" / f"{wnid}_{one}.JPEG", pixels(one))
    lines = []
    for one in range(4):
        save(folder / "val" / "images" / f"val_{one}.JPEG", pixels(9, one))
        lines.append(f"val_{one}.JPEG\t{wnids[one % 2]}\t0\t32\t44\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))


def test_tiny_imagenet_as_published(tmp_path):
    write_tiny(tmp_path)
    data = load_dataset("tiny_imagenet", tmp_path)
    assert data.names == ("goldfish, Carassius", "bull frog")
    assert data.test.y.tolist() == [1, 0, 1, 0]
    assert (len(data.train), len(data.validation)) == (6, 2)
    first = np.asarray(Image.open(tmp_path / "val" / "images" / "val_2.JPEG"))
    np.testing.assert_allclose(data.test.x[2], np.moveaxis(first, 2, 0) / 255, rtol=1e-6)


def test_broken_annotations_are_one_line(tmp_path):
    write_tiny(tmp_path)
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG n02\n")
    with pytest.raises(RequestError, match=r"val_annotations.txt.*columns with tabs"):
        load_dataset("tiny_imagenet", tmp_path)
    (tmp_path / "wnids.txt").unlink()
    with pytest.raises(RequestError, match=r"wnids.txt"):
        load_dataset("tiny_imagenet", tmp_path)


@pytest.mark.parametrize("channels", ["grey", "rgb"])
def test_wide_values_keep_their_high_byte_and_those_of_no_range_are_refused(tmp_path, channels):
    write(tmp_path)
    wide = (np.arange(30).reshape(6, 5) * 2000).astype(np.uint16)
    save(tmp_path / "test" / "ant" / "9.png", wide)
    data = load_dataset("image_folder", tmp_path, options={"channels": channels})
    np.testing.assert_allclose(data.test.x[5][0], (wide >> 8) / 255, rtol=1e-6)

    save(tmp_path / "test" / "ant" / "9.tif", np.full((6, 5), 0.5, np.float32))
    with pytest.raises(RequestError, match=r"9\.tif.*8 or 16 bits. Its values are floating-point"):
        load_dataset("image_folder", tmp_path)


def test_parts_without_training_are_no_classes(tmp_path):
    write(tmp_path, ("val", "test"))
    with pytest.raises(RequestError, match="a folder with train. Has val and test alone"):
        load_dataset("image_folder", tmp_path)
    save(tmp_path / "cat" / "1.png", pixels(1))
    save(tmp_path / "cat" / "2.png", pixels(2))
    save(tmp_path / "cat" / "3.png", pixels(3))
    assert load_dataset("image_folder", tmp_path).names == ("cat", "test", "val")
