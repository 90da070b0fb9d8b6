"""Noisy waves of three forms, sampled at 32 points: data sets for evo_snn."""

from pathlib import Path

import numpy as np

from evo_snn.datasets import Split

POINTS = 32
FORMS = (
    lambda phase: np.sin(2 * np.pi * phase),
    lambda phase: np.sign(np.sin(2 * np.pi * phase)),
    lambda phase: 2 * (phase % 1) - 1,
)


def load_waves():
    """Sine, square and sawtooth waves of random phase, made up anew and always the same."""
    return _parts(seed=0)


def load_recorded_waves(path):
    """The waves of the seed that stands in a file.

    Raises:
        OSError: the file cannot be read.
    """
    return _parts(seed=int(Path(path).read_text(encoding="ascii")))


def _parts(seed):
    rng = np.random.default_rng(seed)
    return _split(rng, 120), _split(rng, 30), (0, 1, 2)


def _split(rng, count):
    y = np.arange(count) % len(FORMS)
    phase = np.linspace(0, 2, POINTS) + rng.random((count, 1))
    waves = np.stack([FORMS[form](one) for form, one in zip(y, phase, strict=True)])
    noisy = 0.5 + 0.4 * waves + rng.normal(0, 0.05, waves.shape)
    return Split(noisy.clip(0, 1).astype(np.float32)[:, None], y.astype(np.int64))
