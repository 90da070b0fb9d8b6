"""The cost models by name: what a chip's ``model = "..."`` refers to.

A model is a preset that has all of its parameters, and two functions over a chip: one refuses
combinations, the other costs many workloads at once. A further model is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from hardware import crossbar, digital, neurosim, spikesim, units

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
        design: The parameters that whoever designs a chip chooses, and a search may. The others
            say what things cost and how it is counted, which is not to be chosen by its result.
    """

    reference: str
    check: Callable[[Chip], None]
    breakdown: Callable[[LayerArrays, Chip], Breakdown]
    is_lossless: Callable[[Chip], bool]
    design: tuple[str, ...]


_CELLS = (
    *("crossbar_rows", "crossbar_columns", "cell_bits", "r_on_ohm", "r_off_ohm"),
    *("weight_encoding", "mapping", "adc_kind", "adc_levels", "rows_per_read", "columns_per_adc"),
    *("bus_bits", "digital_units"),
)

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "crossbar": Model(
            "rram_32nm",
            crossbar.check,
            crossbar.breakdown,
            units.is_lossless,
            (*_CELLS, "crossbars_per_tile", "duplication", "neurons_per_unit"),
        ),
        "digital": Model(
            "digital_horowitz_isscc_2014",
            digital.check,
            digital.breakdown,
            digital.is_lossless,
            ("digital_units", "weight_reuse", "memory_bank_kb", "silent_inputs"),
        ),
        "neurosim": Model(
            "neurosim_compat",
            neurosim.check,
            neurosim.breakdown,
            units.is_lossless,
            (
                *(*_CELLS, "memory", "parallel_read", "bus", "pipelined", "speed_up_degree"),
                *("static_inputs", "silent_reads", "spike_format", "schedule"),
            ),
        ),
        "spikesim": Model(
            "spikesim_65nm",
            spikesim.check,
            spikesim.breakdown,
            spikesim.is_lossless,
            (),  # a crossbar and an ADC cost the same whatever their size and how many share them
        ),
    }
)
