"""What a person sees of bad data on the command line: one line, and a status of 2."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DIGITS = Path(__file__).parents[3] / "runs" / "digits.toml"


def truncated_idx(folder):
    head = b"\x00\x00\x08\x03" + struct.pack(">3i", 10, 8, 8)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(600)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            b"\x00\x00\x08\x01" + struct.pack(">i", 10) + bytes(range(10))
        )
    return "mnist", folder, "train-images-idx3-ubyte.gz"


def truth_of_another_size(folder):
    path = folder / "a.npz"
    np.savez(path, cube=np.ones((20, 21, 4)), gt=np.ones((20, 20), int))
    return "scene", path, "ground truth of (20, 20) pixels"


def unreadable_image(folder):
    for number in range(6):
        place = folder / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(place / f"{number}.png")
    (folder / "b" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    return "image_folder", folder, "b/3.png"


def events_beyond_the_sensor(folder):
    for part in ("Train", "Test"):
        for digit in "01":
            place = folder / part / digit
            place.mkdir(parents=True)
            for one in range(3):
                (place / f"{one}.bin").write_bytes(bytes([one, 35, 0, 0, 1]))
    return "nmnist", folder, "y = 35 of event 0"


def nan_pixels(folder):
    path = folder / "a.npz"
    cube = np.ones((20, 20, 4))
    cube[3, 3] = np.nan
    np.savez(path, cube=cube, gt=np.ones((20, 20), int))
    return "scene", path, "4 values that are NaN or infinite"


def class_with_one_sample(folder):
    path = folder / "a.npz"
    x, y = np.random.default_rng(0).random((9, 8, 8)), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    np.savez(path, x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])
    return "npz", path, "one example of class 2"


@pytest.mark.parametrize(
    "write",
    [
        truncated_idx,
        truth_of_another_size,
        unreadable_image,
        events_beyond_the_sensor,
        nan_pixels,
        class_with_one_sample,
    ],
)
def test_bad_data_is_one_line(tmp_path, command, write):
    folder = tmp_path / "data"
    folder.mkdir()
    name, path, expected = write(folder)

    status, out, err = command(
        "evolve", DIGITS, "--out", tmp_path / "run", "--set", f"data.name={name}",
        "--set", f"data.path={path}",
    )  # fmt: skip

    assert status == 2
    assert out == ""
    (line,) = err.strip().splitlines()
    assert line.startswith("error: ")
    assert expected in line
    assert not (tmp_path / "run").exists()
