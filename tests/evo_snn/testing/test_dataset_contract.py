"""The contract of a data set holds good loaders harmless and catches each kind of bad one."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from evo_snn.datasets import Split
from evo_snn.datasets.digits import load_digits
from evo_snn.datasets.npz import load_npz
from evo_snn.testing import check_dataset

_calls = itertools.count()


def parts(seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.random((90, 2, 5), dtype=np.float32)
    y = np.arange(90) % 3
    return Split(x[:60], y[:60]), Split(x[60:], y[60:]), (0, 1, 2)


def good():
    """Noise in three classes."""
    return parts()


def good_from_file(path):
    """Noise whose seed stands in a file."""
    return parts(int(path.read_text()))


def test_good_loaders_pass(tmp_path: Path) -> None:
    check_dataset(good)
    (tmp_path / "seed.txt").write_text("3")
    check_dataset(good_from_file, tmp_path / "seed.txt")


def test_evo_snns_own_pass(tmp_path: Path) -> None:
    check_dataset("digits")
    check_dataset(load_digits)
    whole, test, _ = parts()
    file = tmp_path / "a.npz"
    np.savez(file, x_train=whole.x[:, :, :, None], y_train=whole.y, x_test=test.x[..., None],
             y_test=test.y, axes="NCHW")  # fmt: skip
    check_dataset("npz", file)
    check_dataset(load_npz, file)


def forgetful():
    """Loads something else each time."""
    return parts(next(_calls))


def lucky():
    """Draws from numpy's global generator."""
    return parts(int(np.random.randint(1000)))  # noqa: NPY002 - what it must not do


def process():
    """Depends on the process."""
    return parts(os.getpid())


_kept = parts()


def cached():
    """Gives the same arrays to all."""
    return _kept


def leaking():
    """Has test samples among those for training."""
    whole, test, labels = parts()
    return whole, Split(np.concatenate([test.x, whole.x[:1]]), np.append(test.y, 0)), labels


def changed(**arrays):
    whole, test, labels = parts()
    return Split(**{"x": whole.x, "y": whole.y, **arrays}), test, labels


def bytes_as_they_are():
    """Has pixels from 0 to 255."""
    return changed(x=parts()[0].x * 255)


def doubles():
    """Has inputs of 64 bits."""
    return changed(x=parts()[0].x.astype(float))


def holes():
    """Has NaN."""
    x = parts()[0].x.copy()
    x[0, 0, 0] = np.nan
    return changed(x=x)


def beyond():
    """Has a class that has no label."""
    return changed(y=parts()[0].y + 1)


def lacking():
    """Lacks a class for training."""
    return changed(y=parts()[0].y % 2)


def shapeless():
    """Has inputs without channels."""
    return changed(x=parts()[0].x.reshape(-1))


def pair():
    """Gives two things."""
    return parts()[:2]


def undescribed():
    return parts()


def greedy(path, size):
    """Asks for two things."""
    return parts()


def blind(path):
    """Never looks at its file."""
    return parts()


def clumsy(path):
    """Falls over a missing file."""
    return {"3": parts()}[Path(path).read_text() if Path(path).exists() else "none"]


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (forgetful, "the second time"),
        (lucky, "the second time"),
        (process, "another process"),
        (cached, "the second time"),
        (leaking, "1 test samples are among"),
        (bytes_as_they_are, "within"),
        (doubles, "float32"),
        (holes, "within"),
        (beyond, "y is not within 0 to 2"),
        (lacking, "a class"),
        (shapeless, "allowed: \\(N, channels"),
        (pair, "something else than"),
        (undescribed, "docstring"),
    ],
)
def test_a_bad_loader_is_told_what_is_wrong(loader, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_dataset(loader)


@pytest.mark.parametrize(
    ("loader", "says"), [(blind, "not noticed"), (clumsy, "missing file gives KeyError")]
)
def test_a_missing_file_has_to_be_noticed(loader, says: str, tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text("3")
    with pytest.raises(AssertionError, match=says):
        check_dataset(loader, tmp_path / "seed.txt")


def test_a_path_is_for_those_that_ask_for_one(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="asks for a path"):
        check_dataset(blind)
    with pytest.raises(AssertionError, match="asks for no path"):
        check_dataset(good, tmp_path)
