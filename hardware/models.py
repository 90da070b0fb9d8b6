"""The cost models by name: what a chip's ``model = "..."`` refers to.

A model is a preset that has all of its parameters, and two functions over a chip: one refuses
combinations, the other costs many workloads at once. A further model is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from hardware import crossbar, digital, neurosim, spikesim

if TYPE_CHECKING:
    from hardware.arrays import LayerArrays
    from hardware.breakdown import Breakdown
    from hardware.chip import Chip


@dataclass(frozen=True)
class Model:
    """One cost model.

    Attributes:
        reference: The preset whose parameters every chip of this model has.
        check: Raises a RequestError where parameters do not go together.
        breakdown: Costs packed workloads on a chip.
        is_lossless: Whether the chip computes exactly what the network does, as far as the model
            knows: False where its ADCs cannot tell all sums apart.
    """

    reference: str
    check: Callable[[Chip], None]
    breakdown: Callable[[LayerArrays, Chip], Breakdown]
    is_lossless: Callable[[Chip], bool]


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "crossbar": Model("rram_32nm", crossbar.check, crossbar.breakdown, crossbar.is_lossless),
        "digital": Model(
            "digital_horowitz_isscc_2014", digital.check, digital.breakdown, digital.is_lossless
        ),
        "neurosim": Model(
            "neurosim_compat", neurosim.check, neurosim.breakdown, neurosim.is_lossless
        ),
        "spikesim": Model(
            "spikesim_65nm", spikesim.check, spikesim.breakdown, spikesim.is_lossless
        ),
    }
)
