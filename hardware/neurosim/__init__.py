"""The NeuroSim-structured cost model, with a compatible and a clean face.

One structure (docs/neurosim.md): layers on tiles, processing elements and crossbars, with buffers,
wires and adder trees at each level. Chip parameters switch between what NeuroSim V1.4 does, for
validation (preset ``neurosim_compat``), and what a search should believe (``rram_neurosim_22nm``
and its relatives).
"""

from hardware.neurosim.model import breakdown, check

__all__ = ["breakdown", "check"]
