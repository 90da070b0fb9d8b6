"""Genes: one integer decision each, with named choices.

A *gene* is one decision of a designer. Its value in a genome is the index of a choice. The choices
of an *ordered* gene have neighbours (a width, a number of bits); those of a *categorical* gene do
not (an operation, a kind of neuron).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

GeneKind = Literal["ordered", "categorical"]
Choice = int | float | str

_SLOT = re.compile(r"(?<=[^.\d_])(?:_?\d+)+(?=\.|$)")


def role_of(name: str) -> str:
    """The name of a gene without the numbers of its slot.

    >>> role_of("stage2.block1.weight_bits")
    'stage.block.weight_bits'
    """
    return _SLOT.sub("", name)


@dataclass(frozen=True)
class Gene:
    """One integer decision with named choices.

    Attributes:
        name: dotted name, unique in a search space, such as ``stage1.block2.kernel``.
        choices: what the integers 0, 1, … stand for; all different.
        kind: ``ordered`` where choice k lies between k - 1 and k + 1, else ``categorical``.

    Raises:
        ValueError: there is no choice, or a choice stands there twice.
    """

    name: str
    choices: tuple[Choice, ...]
    kind: GeneKind = "ordered"

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError(f"gene {self.name!r} needs at least one choice")
        if len(set(self.choices)) < len(self.choices):
            raise ValueError(f"gene {self.name!r} has a choice twice: {self.choices}")

    def __len__(self) -> int:
        """Number of choices."""
        return len(self.choices)

    def alternatives(self, index: int) -> tuple[int, ...]:
        """The indices one move away from ``index``.

        One step down or up for an ordered gene, every other choice for a categorical one.
        """
        if self.kind == "ordered":
            return tuple(k for k in (index - 1, index + 1) if 0 <= k < len(self.choices))
        return tuple(k for k in range(len(self.choices)) if k != index)
