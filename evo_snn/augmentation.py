"""Augmentation of images: what a training step sees of them, flipped and moved at random."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from evo_snn.config import Augment
from genomes.errors import RequestError

_SHARE = 8  # of the sides, by which an image moves at most: 4 pixels of 32
_IMAGE_AXES = 3  # of an input: channels, rows, columns


def check_augment(how: Augment, input_shape: tuple[int, ...]) -> None:
    """Refuse to augment what is no image.

    Args:
        how: ``training.augment``.
        input_shape: of one sample, or of a frame of it.

    Raises:
        RequestError: the inputs are signals or volumes.
    """
    if how != "none" and len(input_shape) != _IMAGE_AXES:
        allowed = f"none: inputs of shape {input_shape} are no images"
        raise RequestError("training.augment", how, allowed)


def augmented(x: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """A batch as a training step sees it.

    ``flip_crop`` mirrors each image left to right with a chance of one half, and moves it by up to
    an eighth of its sides, with zeros where nothing was: for images of 32 x 32 what K. He et al.,
    CVPR 2016, section 4.2, did with CIFAR-10. All frames of a sample are changed alike.

    Args:
        x: (N, channels, rows, columns) or (N, frames, channels, rows, columns).
        how: ``none`` or ``flip_crop``.
        generator: on the CPU; the only source of chance.
    """
    if how == "none":
        return x
    count, (rows, columns) = len(x), x.shape[-2:]
    down, right = rows // _SHARE, columns // _SHARE
    flip = torch.rand(count, generator=generator) < 0.5  # noqa: PLR2004 - one half
    top = torch.randint(0, 2 * down + 1, (count, 1), generator=generator)
    left = torch.randint(0, 2 * right + 1, (count, 1), generator=generator)
    row = top + torch.arange(rows)  # of the padded image, (N, rows)
    column = left + torch.arange(columns)
    column = torch.where(flip[:, None], column.flip(1), column)
    padded = F.pad(x.flatten(1, -3), (right, right, down, down))
    sample = torch.arange(count)[:, None, None]
    first, second, third = (
        one.to(x.device) for one in (sample, row[:, :, None], column[:, None, :])
    )
    # the indexed axes come first: (N, rows, columns, channels)
    moved = padded[first, :, second, third].movedim(-1, 1)
    return moved.reshape(x.shape)
