"""Early exits: an inference ends at the first decision that is confident enough.

Confidence is the softmax probability of the best class. DT-SNN (Li et al., DAC 2023) ends in time
and takes the entropy of the same probabilities; both are monotone for two classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

if TYPE_CHECKING:
    from evo_snn.snn.network import Network
    from evo_snn.snn.passes import Observer


class Ended(NamedTuple):
    """Where inferences ended.

    Attributes:
        classes: (batch,), what was decided.
        places: (batch,), the number of the decision, from 0.
    """

    classes: Tensor
    places: Tensor


def ended(scores: Tensor, confidence: float) -> Ended:
    """Inferences by the first decision that is sure, else by the last.

    Args:
        scores: (decisions, batch, classes).
        confidence: least probability of the best class; with 1 no inference ends early, though
            rounding may make a probability 1.
    """
    best, classes = scores.softmax(2).max(2)
    sure = (best >= confidence) & (confidence < 1)
    sure[-1] = True
    places = sure.int().argmax(0)
    return Ended(classes.gather(0, places.unsqueeze(0)).squeeze(0), places)


def decided(network: Network, x: Tensor, observe: Observer | None = None) -> Ended:
    """What a network decides of samples, and at which decision; without an exit at the last.

    Args:
        network: in evaluation mode.
        x: (batch, *input_shape), of an event stream (batch, frames, *input_shape).
        observe: as for the network.
    """
    left = network.architecture.exit
    return ended(network.decisions(x, observe), left.confidence if left else 1.0)


def loss_of_decisions(scores: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over all decisions: each has to be able to be the last.

    Args:
        scores: (decisions, batch, classes).
        y: (batch,).
        weight: (classes,) of classes; None for 1.
    """
    return torch.stack([F.cross_entropy(one, y, weight) for one in scores]).mean()
