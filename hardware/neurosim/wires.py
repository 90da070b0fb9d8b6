"""H-trees: their delay, the length that a bit drives, and the area of their repeaters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.arrays import Floats
from hardware.inventory import doublings
from hardware.neurosim.design import Design

#: By so much an H-tree's buses are folded.
TILE_FOLD, CHIP_FOLD = 16.0, 4.0


@dataclass(frozen=True)
class HTree:
    """An H-tree over units of some side.

    Attributes:
        delay: In s, root to leaf.
        energy_length: In m, over which a bit is driven.
        idle_length: In m of wires that leak.
    """

    delay: Floats
    energy_length: Floats
    idle_length: Floats


def h_tree(design: Design, levels: Floats, side: Floats) -> HTree:
    """An H-tree of `levels` levels over units of `side`, in m.

    Stage i goes side 2^levels / 2^i down and as far across; a main bus joins the halves. NeuroSim
    drives half of these lengths in its energy ("half").
    """
    unit = design.parts
    whole = side * np.exp2(levels)
    main = np.where(levels > 0, np.exp2(levels - 1), 0.0) * side
    delay, driven, idle = np.zeros_like(whole), np.zeros_like(whole), np.zeros_like(whole)
    last = whole
    for stage in range(1, int(levels.max(initial=0)) + 1):
        on = stage <= levels
        length = whole / 2.0**stage
        delay += on * 2 * unit.delay(length)
        driven += on * length
        idle += (stage < levels) * length
        last = np.where(on, length, last)
    factor = 1.0 if design.chip.word("h_tree_energy") == "half" else 2.0
    return HTree(
        delay=delay + unit.delay(main, of=last),
        energy_length=factor * driven + main,
        idle_length=idle + main,
    )


def h_tree_area(
    design: Design, levels: Floats, side: Floats, bus_bits: Floats, fold: float
) -> Floats:
    """Area in m2 of an H-tree's repeaters; its buses widen from stage to stage."""
    unit = design.parts
    bits = bus_bits / fold
    area = np.zeros_like(levels * side)
    for stage in range(1, int(levels.max(initial=0))):
        length = side * np.exp2(levels) / 2 / 2.0**stage
        pitch = (unit.repeater_width + unit.repeater_height) / 2
        area += (stage < levels) * stage * bits * pitch * length
    main = np.where(levels > 0, np.exp2(levels - 1), 0.0)
    return area + bits * unit.repeater_height * main * side


def tile_levels(design: Design) -> Floats:
    """Levels of the tiles' H-trees, (n, 2)."""
    floor = design.plan
    kernel_side = np.ceil(np.sqrt(floor.kernel))
    return doublings(np.concatenate([kernel_side, floor.side_pes], axis=1))
