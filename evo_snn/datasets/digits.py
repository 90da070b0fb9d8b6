"""Scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, no download."""

import numpy as np

from evo_snn.datasets.base import Parts, Split, split_stratified
from evo_snn.datasets.loader import OwnLoader

_TEST_FRACTION = 0.2
_TEST_SEED = 0  # the test part is the same for every run, whatever its seed
_WHITE = 16.0  # pixels are counts of 0 to 16


def load_digits() -> Parts:
    """The training part, the test part and the labels 0 to 9.

    A fifth of every class is the test part. The images are the test set of E. Alpaydin and
    C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits as load

    images, target = load(return_X_y=True)
    x = (images.reshape(-1, 1, 8, 8) / _WHITE).astype(np.float32)
    everything = Split(x, target.astype(np.int64))
    train, test = split_stratified(everything.y, _TEST_FRACTION, _TEST_SEED)
    labels = tuple(range(10))
    return Parts(
        everything.take(train), everything.take(test), labels, names=tuple(map(str, labels))
    )


DIGITS = OwnLoader(
    "Scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, no download.",
    load_digits,
    files="",
    shape="(N, 1, 8, 8)",
    source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998; part of scikit-learn",
    licence="CC BY 4.0 at its home (https://archive.ics.uci.edu/dataset/80)",
)
