"""SAHD: how differently an untrained network spikes for different samples.

The score of SNASNet (Y. Kim, Y. Li, H. Park, Y. Venkatesha, P. Panda, "Neural Architecture Search
for Spiking Neural Networks", ECCV 2022, arXiv 2201.10355), which takes that of J. Mellor, J.
Turner, A. Storkey, E. J. Crowley ("Neural Architecture Search without Training", ICML 2021) to
spikes. The formulas are those of SNASNet's public code (``model_snn.py``).

Of the N neurons of a layer in one time step, c_i in {0, 1}^N is the *pattern* of sample i: which of
them fired, a share s_i. The sparsity-aware Hamming distance d_ij rescales the Hamming distance so
that two random patterns of whatever shares are N / 2 apart::

    e_ij = s_i (1 - s_j) + (1 - s_i) s_j            chance of one neuron to differ
    d_ij = 0.5 / (e_ij + 0.001) * Hamming(c_i, c_j)
    K_ij = N - d_ij                                 of one layer in one time step

The kernel of a network is the mean of K over all layers and time steps, and its score log |det K|:
large where all samples give different patterns, minus infinity where two give the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evo_snn.snn import Network
from evo_snn.snn.activity import Activity
from genomes.architecture import Layer, Node

FLOOR = 1e-3
"""Added to the distance that chance expects: silent neurons have none."""


def similarity(patterns: Tensor) -> NDArray[np.float64]:
    """K (samples, samples) of patterns (samples, neurons), 0 or 1: see the module."""
    neurons = patterns.shape[1]
    # sums of ones are exact in float32, up to 2^24 neurons
    both = (patterns @ patterns.T).double().cpu().numpy()
    fired = np.diagonal(both)
    hamming = fired[:, None] + fired[None, :] - 2 * both
    share = fired / neurons
    expected = np.outer(share, 1 - share) + np.outer(1 - share, share)
    kernel: NDArray[np.float64] = neurons - 0.5 / (expected + FLOOR) * hamming
    return kernel


def log_determinant(kernel: NDArray[np.float64]) -> float:
    """Log |det K| of a symmetric kernel (n, n) with one number > 0 on its diagonal.

    By eigenvalues of K / K_11, so that nothing over- or underflows, and a kernel that is singular
    to the precision of floats is told from one that is not.

    Returns:
        Minus infinity for a singular kernel.
    """
    size, scale = len(kernel), float(kernel[0, 0])
    magnitudes = np.abs(np.linalg.eigvalsh(kernel / scale))
    if magnitudes.min() <= size * np.finfo(np.float64).eps * magnitudes.max():
        return -inf
    return size * log(scale) + float(np.log(magnitudes).sum())


@dataclass
class Patterns:
    """An observer of ``Network.forward`` over one batch: its kernel, and spike rates.

    Attributes:
        batch: samples.
        activity: counts what layers read and fire.
        total: the sum of K over layers and time steps seen so far, (batch, batch).
        seen: how many they are.
    """

    batch: int
    activity: Activity
    total: NDArray[np.float64] = field(init=False)
    seen: int = 0

    def __post_init__(self) -> None:
        """Nothing is seen yet."""
        self.total = np.zeros((self.batch, self.batch))

    def __call__(self, layer: Layer | Node, source: Tensor | None, spikes: Tensor | None) -> None:
        """Add a layer's time steps: spikes (steps x batch, …)."""
        self.activity(layer, source, spikes)
        if spikes is not None:
            for step in spikes.flatten(1).split(self.batch):
                self.total += similarity(step)
                self.seen += 1

    def score(self) -> float:
        """Log |det| of the mean kernel; minus infinity for a network without neurons."""
        return log_determinant(self.total / self.seen) if self.seen else -inf


@torch.no_grad()
def patterns_of(network: Network, x: Tensor, activity: Activity) -> Patterns:
    """The kernel of a network over a batch (batch, …), normalised by the batch as in training."""
    network.train()
    patterns = Patterns(len(x), activity)
    network(x, patterns)
    return patterns
