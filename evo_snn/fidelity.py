"""What accuracy must feel: rules for searches on chips that do not compute what the network does.

Plain accuracy is that of the network. A gene or a chip that only lowers what the chip makes of it
would be free there: evolution would always take it. So it needs an accuracy on the chip among the
objectives or the constraints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evo_snn.chip_genes import PREFIX, ChipGenes
from evo_snn.config import Config, OnChipSection
from evo_snn.constraints import Constraint
from evo_snn.metrics import ON_CHIP, is_accuracy_on_chip, seconds_of
from evo_snn.progress import LOGGER
from genomes.documents import read_text
from genomes.errors import RequestError
from hardware import is_lossless
from hardware.conditions import Conditions, check_conditions

FIDELITY = ("adc_levels", "cell_bits")
"""Chip parameters whose cheap end costs nothing but fidelity."""

OF_READS = ("adc_levels", "rows_per_read", "parallel_read")
"""Chip parameters that only the exact path feels."""

_REMEDY = (
    "Add accuracy_on_chip to objectives.names, or a lower bound of it to constraints, and say in"
    " [on_chip] what is not ideal."
)


@dataclass(frozen=True)
class OnChip:
    """How candidates are measured on chips; small, for it travels with each task.

    Attributes:
        conditions: what is not ideal.
        path: see `evo_snn.snn.on_chip.on_chip`.
        instances: chips that a candidate is measured on.
        samples: of the validation part; 0 for all.
        calibration: samples of the training part that set the range of ADCs.
        fresh: whether accuracy just after programming is wanted.
        after: metric → seconds after programming, of what is wanted beside it.
    """

    conditions: Conditions
    path: Literal["fast", "exact"]
    instances: int
    samples: int
    calibration: int
    fresh: bool
    after: Mapping[str, float]


def checked_on_chip(
    config: Config, chips: ChipGenes, names: Sequence[str], constraints: Sequence[Constraint]
) -> OnChip | None:
    """How the metrics of a search are measured on chips; None where none of them is.

    Args:
        config: the configuration.
        chips: the chips of the search.
        names: of all metrics that are objectives or are bounded.
        constraints: the constraints.

    Raises:
        RequestError: a chip or a gene lowers fidelity where no accuracy feels it, or the
            conditions do not go together with a chip or a metric.
    """
    lossy = _lossy(chips)
    bounded = {one.metric for one in constraints if one.minimum is not None}
    if not any(map(is_accuracy_on_chip, {*config.objectives.names, *bounded})):
        _refuse_unfelt(chips, lossy)
    after = {name: seconds for name in names if (seconds := seconds_of(name)) is not None}
    fresh = any(name in ON_CHIP for name in names)
    if config.on_chip is not None or fresh or after:
        section = config.on_chip or OnChipSection()
        _check_section(section, chips, names, after, lossy)
    if not fresh and not after:
        return None
    if section.conditions.ideal_cells and not lossy:
        LOGGER.warning("warning: [on_chip] says nothing that is not ideal: accuracy on the chip is"
                       " accuracy; variation = 0.1 is a beginning")  # fmt: skip
    return OnChip(
        conditions=section.conditions,
        path=path_of(section, chips),
        instances=section.instances,
        samples=section.samples,
        calibration=section.calibration,
        fresh=fresh,
        after=after,
    )


def path_of(section: OnChipSection, chips: ChipGenes) -> Literal["fast", "exact"]:
    """The path of a configuration; if it is not said, the one that feels what chips differ by."""
    if section.path != "auto":
        return section.path
    keys = {gene.name.removeprefix(PREFIX) for gene in chips.genes}
    return "exact" if keys & set(OF_READS) or _lossy(chips) else "fast"


def device_digest(section: OnChipSection | None) -> str | None:
    """The SHA-256 of a user's device file; None where the device is a named one.

    Raises:
        RequestError: the file cannot be read.
    """
    if section is None or not section.device.endswith(".toml"):
        return None
    text = read_text(section.device, field="on_chip.device", allowed="a device's TOML file")
    return hashlib.sha256(text.encode()).hexdigest()


def _lossy(chips: ChipGenes) -> str:
    """The first chip whose ADCs cannot tell all sums apart, in words; "" for none."""
    for values, chip in chips.chips():
        if not is_lossless(chip):
            which = ", ".join(f"{key} = {value}" for key, value in values.items())
            return f"{chip.name}{' with ' if which else ''}{which}"
    return ""


def _refuse_unfelt(chips: ChipGenes, lossy: str) -> None:
    for gene in chips.genes:
        key = gene.name.removeprefix(PREFIX)
        if key in FIDELITY:
            allowed = "no gene that only lowers fidelity, where plain accuracy does not feel it"
            raise RequestError(f"hardware.genes.{key}", list(gene.choices), allowed, _REMEDY)
    if lossy:
        raise RequestError(
            "hardware",
            lossy,
            "chips whose ADCs round nothing, where plain accuracy does not feel it",
            f"Raise adc_levels or lower rows_per_read. Or: {_REMEDY}",
        )


def _check_section(
    section: OnChipSection,
    chips: ChipGenes,
    names: Sequence[str],
    after: Mapping[str, float],
    lossy: str,
) -> None:
    """Refuse what does not go together with the chips or with a metric."""
    for seconds in {0.0, *after.values()}:
        for _, chip in chips.chips():
            try:
                check_conditions(chip, section.conditions, seconds=seconds)
            except RequestError as error:
                raise _placed(error, after) from None
    if after and section.device == "none":
        allowed = "a device, as ideal cells do not change with time"
        raise RequestError("on_chip.device", "none", allowed, f"{next(iter(after))} needs it.")
    if "accuracy_on_chip_std" in names and section.instances == 1:
        allowed = "2 or more for accuracy_on_chip_std"
        raise RequestError("on_chip.instances", section.instances, allowed)
    if lossy and (section.path == "fast" or not section.adc):
        key, value = ("path", section.path) if section.path == "fast" else ("adc", section.adc)
        allowed = f"{'exact' if key == 'path' else True}, as the ADCs of {lossy} round"
        raise RequestError(f"on_chip.{key}", value, allowed)


def _placed(error: RequestError, after: Mapping[str, float]) -> RequestError:
    """An error of conditions at its place in the configuration."""
    field: str = error.field
    value: Any = error.value
    if field == "seconds":
        field = next((name for name, seconds in after.items() if seconds == value), field)
    elif field in Conditions.model_fields:
        field = f"on_chip.{field}"
    return RequestError(field, value, error.allowed, error.remedy)
