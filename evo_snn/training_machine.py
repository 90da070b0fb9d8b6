"""The machine of a configuration that energy of training is counted for."""

from evo_snn.config import TrainingMachineSection
from hardware.machines import Machine, load_machine


def machine_of(section: TrainingMachineSection) -> Machine:
    """The machine that ``[training_machine]`` names, with what it changes.

    Raises:
        RequestError: no such machine or parameter, or a value outside its range.
    """
    return load_machine(section.name, section.overrides, field="training_machine")
