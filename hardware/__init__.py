"""Chips and their costs: area, energy and latency of a workload on an RRAM compute-in-memory chip.

A chip is technology plus circuit parameters, a named preset or a file. A cost is what one
inference of a workload takes on it, with the breakdown by layer and by component.
"""

from hardware.chip import DEFAULT_CHIP, Chip, all_chips, load_chip
from hardware.chip_file import chip_names, chip_origin
from hardware.cost import Cost, LayerCost
from hardware.detail import Detail, details
from hardware.estimator import estimate, is_lossless, lower_bounds, totals
from hardware.merit import Merit, figures_of_merit
from hardware.parameter import Parameter
from hardware.sensitivities import Sensitivity, sensitivity
from hardware.sweeps import Point, sweep

__all__ = [
    "DEFAULT_CHIP",
    "Chip",
    "Cost",
    "Detail",
    "LayerCost",
    "Merit",
    "Parameter",
    "Point",
    "Sensitivity",
    "all_chips",
    "chip_names",
    "chip_origin",
    "details",
    "estimate",
    "figures_of_merit",
    "is_lossless",
    "load_chip",
    "lower_bounds",
    "sensitivity",
    "sweep",
    "totals",
]
