"""Adders, and trees of them: energy, area, leakage and delay.

An adder of b bits takes area b A, energy E + (b - 1) dE a use, time T + max(0, b - 2) dT; the
figures are NeuroSim V1.4's (commit ac828e6), its factor on adders included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hardware.arrays import Floats
from hardware.inventory import doublings

#: Words of the largest tree that is counted adder by adder; larger ones go on in proportion.
MOST_WORDS = 2**16


@dataclass(frozen=True)
class Adders:
    """Unit costs of adders in SI units.

    Attributes:
        area: Of one bit.
        first_energy, bit_energy: Of the first bit and of each further one, a use.
        delay, bit_delay: Of two bits and of each further one.
        leakage: Power of one bit.
    """

    area: float
    first_energy: float
    bit_energy: float
    delay: float
    bit_delay: float
    leakage: float

    def energy(self, bits: Floats) -> Floats:
        """Energy in J of one addition."""
        return self.first_energy + (bits - 1) * self.bit_energy

    def time(self, bits: Floats) -> Floats:
        """Delay in s of one addition."""
        return self.delay + np.maximum(0.0, bits - 2) * self.bit_delay


@dataclass(frozen=True)
class Tree:
    """A tree that adds words: how many adders, of how many bits altogether, how many stages."""

    words: Floats
    bits: Floats
    adders: Floats
    adder_bits: Floats
    stages: Floats

    def energy(self, unit: Adders) -> Floats:
        """Energy in J of adding all words once."""
        return self.adders * unit.first_energy + (self.adder_bits - self.adders) * unit.bit_energy

    def area(self, unit: Adders) -> Floats:
        """Area in m2."""
        return self.adder_bits * unit.area

    def leakage(self, unit: Adders) -> Floats:
        """Power in W."""
        return self.adder_bits * unit.leakage

    def delay(self, unit: Adders) -> Floats:
        """Time in s from words to sum: the first adder, then the carry of each further stage."""
        return unit.time(self.bits) + np.maximum(0.0, self.stages - 1) * unit.delay


def tree(words: Floats, bits: Floats, odd_words: str) -> Tree:
    """A tree over `words` words of `bits` bits; each stage adds a bit.

    Args:
        words: Words, at least 1; broadcasts with `bits`.
        bits: Width of a word.
        odd_words: "added", or "dropped" where a stage forgets a word without partner.
    """
    table = _table(odd_words)
    known = np.minimum(words, float(MOST_WORDS))
    place = known.astype(np.intp)
    adders, growth, stages = table[0][place], table[1][place], table[2][place]
    if words.max(initial=0.0) > MOST_WORDS:
        more = words / np.maximum(known, 1.0)
        adders, growth, stages = adders * more, growth * more, doublings(words)
    return Tree(words, bits, adders, adders * bits + growth, stages)


@cache
def _table(odd_words: str) -> tuple[Floats, Floats, Floats]:
    """Adders, bits by which later stages are wider, and stages, by the number of words."""
    words = np.arange(MOST_WORDS + 1.0)
    left, stages = words.copy(), doublings(words)
    adders, growth = np.zeros_like(words), np.zeros_like(words)
    for stage in range(int(stages[-1])):
        pairs = np.floor(left / 2)
        adders += pairs
        growth += stage * pairs
        left = pairs if odd_words == "dropped" else np.ceil(left / 2)
    return adders, growth, stages
