"""What linear models and neighbours reach on the data of a configuration, with its own splits.

python runs/benchmarks/linear_baselines.py runs/ecg.toml --set data.path=/data/mitdb

Logistic regression on all inputs, and on their first principal components; the nearest and the five
nearest neighbours. Fitted on the training part, as a search is; all are reported, none is chosen.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evo_snn.config_file import load_config, parse_set
from evo_snn.datasets import Split
from evo_snn.training import dataset

COMPONENTS = 100


def flat(part: Split) -> NDArray[np.float32]:
    """Inputs of a part as rows, shape (N, features)."""
    return np.asarray(part.x[:]).reshape(len(part), -1)


def models(features: int, class_weight: str | None) -> Mapping[str, ClassifierMixin]:
    """Name → model, not fitted yet."""

    def regression() -> LogisticRegression:
        return LogisticRegression(max_iter=300, class_weight=class_weight)

    found = {
        "LR": make_pipeline(StandardScaler(), regression()),
        "1-NN": KNeighborsClassifier(1),
        "5-NN": KNeighborsClassifier(5),
    }
    if features > COMPONENTS:
        pca = PCA(COMPONENTS, random_state=0)
        found["PCA+LR"] = make_pipeline(pca, StandardScaler(), regression())
    return found


def main() -> None:
    """Print a table: model, accuracy and balanced accuracy on validation and test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    told = parser.parse_args()
    config = load_config(told.config, dict(map(parse_set, told.set)))
    data = dataset(config.data)
    print(f"{len(data.train)} for training, {len(data.validation)}, test {len(data.test)}")
    x, weights = flat(data.train), config.training.class_weights
    print("| model | validation | balanced | test | balanced |\n| --- | --- | --- | --- | --- |")
    for name, model in models(x.shape[1], None if weights == "none" else weights).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, data.train.y)
        cells = []
        for part in (data.validation, data.test):
            guess = model.predict(flat(part))
            cells += [accuracy_score(part.y, guess), balanced_accuracy_score(part.y, guess)]
        print(f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
