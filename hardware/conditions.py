"""Conditions: what makes a chip's conductances and sums differ from the ideal ones.

The chip says what a cell should be (``r_on_ohm``, ``r_off_ohm``, ``cell_bits``); the conditions say
how far real cells are from it: deviations of programming, faults, time, wires, converters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from genomes.errors import RequestError, request_error
from hardware.conductance import cell_table

if TYPE_CHECKING:
    from hardware.chip import Chip


class Conditions(BaseModel):
    """Conditions under which a chip computes; the defaults are the ideal ones.

    Attributes:
        device: Name of a device file (`hardware.devices.device_names`), which gives the deviation
            after programming and what time does to conductances; ``none`` for ideal cells.
        rescale: Where the chip's conductances lie outside the device's published range, take its
            figures relative to the largest conductance. Without it such a chip is refused.
        variation: Relative standard deviation of every conductance, beside the device's.
        stuck_on: Share of cells that are stuck at the largest conductance.
        stuck_off: Share of cells that are stuck at the smallest conductance; no cell is both.
        wire_ohm: Resistance of the wire from one cell to the next, of rows and of columns, in ohm.
        wire_rate: Share of active rows for which wire resistance is worked out, where no measured
            spike rates are given.
        adc: Whether sums are rounded and clipped as the chip's ADCs do (exact path only).
        adc_quantile: Share of the reads of calibration samples that lie within an ADC's range.
        drift_compensation: Whether each layer's sums are multiplied by one factor that makes up
            for the mean drift of its conductances (Joshi et al., Nature Communications 11, 2473,
            2020).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "none"
    rescale: bool = False
    variation: float = Field(default=0.0, ge=0, le=1)
    stuck_on: float = Field(default=0.0, ge=0, le=1)
    stuck_off: float = Field(default=0.0, ge=0, le=1)
    wire_ohm: float = Field(default=0.0, ge=0, le=1e6)
    wire_rate: float = Field(default=0.15, ge=0, le=1)
    adc: bool = True
    adc_quantile: float = Field(default=0.999, gt=0, le=1)
    drift_compensation: bool = False

    def __init__(self, **values: Any) -> None:
        """Check the values.

        Raises:
            RequestError: An unknown name, or a value outside its range.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            known = type(self).model_fields
            raise request_error(error, prefix="conditions", known=known) from None

    # Only direct calls come through here: model_validate and sections that hold it keep pydantic's
    # errors, which say where in a document they arose.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _faults_are_exclusive(self) -> Conditions:
        if self.stuck_on + self.stuck_off > 1:
            allowed = f"at most {1 - self.stuck_on:g}, as stuck_on is {self.stuck_on:g}"
            raise RequestError("stuck_off", self.stuck_off, allowed)
        return self

    @property
    def ideal_cells(self) -> bool:
        """Whether every cell conducts what it should, and wires do not resist."""
        deviations = (self.variation, self.stuck_on, self.stuck_off, self.wire_ohm)
        return self.device == "none" and not any(deviations)


def check_conditions(chip: Chip, conditions: Conditions, *, seconds: float = 0.0) -> None:
    """Refuse conditions that say nothing about a chip.

    Args:
        chip: The chip.
        conditions: What is asked of it.
        seconds: Time after programming.

    Raises:
        RequestError: The chip has no cells of known conductance, there is no such device, the
            chip's conductances are outside its published range and `rescale` is not set, or
            `seconds` is beyond what is published of it.
    """
    cell_table(chip, conditions, seconds)
