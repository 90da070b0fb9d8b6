"""What accuracy must feel: rules for searches on chips that do not compute what the network does.

Plain accuracy is that of the network. A gene or a chip that only lowers what the chip makes of it
would be free there: evolution would always take it. So it needs an accuracy on the chip among the
objectives or the constraints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from evo_snn.chip_genes import PREFIX, ChipGenes
from evo_snn.config import Config, OnChipSection
from evo_snn.constraints import Constraint
from evo_snn.metrics import ON_CHIP, is_accuracy_on_chip, seconds_of
from evo_snn.progress import LOGGER
from genomes.documents import read_text
from genomes.errors import RequestError, unknown_name
from hardware import Chip, is_lossless
from hardware.conditions import Conditions, check_conditions
from hardware.devices import IDEAL

PathName = Literal["fast", "exact"]

_OF_CONDUCTANCE = ("device", "variation", "wire_ohm")

FIDELITY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "adc_levels": (),
        "cell_bits": (*_OF_CONDUCTANCE, "stuck_on", "stuck_off"),
        "r_on_ohm": _OF_CONDUCTANCE,
        "r_off_ohm": _OF_CONDUCTANCE,
        "memory": _OF_CONDUCTANCE,
    }
)
"""Chip parameters whose cheap end costs nothing but fidelity, and the conditions of ``[on_chip]``
one of which lets an accuracy on the chip feel them; none for ADCs, which round by themselves."""

OF_READS = ("adc_levels", "rows_per_read", "parallel_read")
"""Chip parameters that only the exact path feels."""

_REMEDY = (
    "Add accuracy_on_chip to objectives.names, or a lower bound of it above chance to constraints,"
    " and say in [on_chip] what is not ideal."
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
    path: PathName
    instances: int
    samples: int
    calibration: int
    fresh: bool
    after: Mapping[str, float]


def checked_on_chip(
    config: Config,
    chips: ChipGenes,
    names: Sequence[str],
    constraints: Sequence[Constraint],
    classes: int,
) -> OnChip | None:
    """How the metrics of a search are measured on chips; None where none of them is.

    Args:
        config: the configuration.
        chips: the chips of the search.
        names: of all metrics that are objectives or are bounded.
        constraints: the constraints.
        classes: of the data set; an accuracy of one in so many is chance.

    Raises:
        RequestError: a chip or a gene lowers fidelity where no accuracy feels it, or the
            conditions do not go together with a chip or a metric.
    """
    lossy = _lossy(chips.chips())
    bounded = {
        one.metric for one in constraints if one.minimum is not None and one.minimum > 1 / classes
    }
    if not any(map(is_accuracy_on_chip, {*config.objectives.names, *bounded})):
        _refuse_unfelt(chips, lossy)
    after = {name: seconds for name in names if (seconds := seconds_of(name)) is not None}
    fresh = any(name in ON_CHIP for name in names)
    if config.on_chip is not None or fresh or after:
        section = config.on_chip or OnChipSection()
        _check_section(section, chips, names, after)
    if not fresh and not after:
        if config.on_chip is not None and not config.on_chip.train_with_noise:
            LOGGER.warning("warning: the search does not feel [on_chip]: no accuracy on the chip is"
                           " an objective or bounded; add accuracy_on_chip")  # fmt: skip
        return None
    _refuse_ideal(chips, section.conditions, lossy)
    path = path_of(section, chips)
    _warn(section.conditions, chips, path, lossy)
    return OnChip(
        conditions=section.conditions,
        path=path,
        instances=section.instances,
        samples=section.samples,
        calibration=section.calibration,
        fresh=fresh,
        after=after,
    )


def _warn(conditions: Conditions, chips: ChipGenes, path: PathName, lossy: str) -> None:
    """Say in one line what may surprise in accuracies on the chip."""
    if conditions.ideal_cells and not lossy:
        LOGGER.warning("warning: [on_chip] says nothing that is not ideal: accuracy on the chip is"
                       " accuracy; variation = 0.1 is a beginning")  # fmt: skip
    deviates = conditions.device != IDEAL or conditions.variation > 0
    is_offset = any(chip.word("weight_encoding") == "offset" for _, chip in chips.chips())
    if path == "fast" and deviates and is_offset:
        LOGGER.warning("warning: the fast path is pessimistic where conductances deviate and"
                       " weight_encoding is 'offset', as no ADC rounds deviations away:"
                       " on_chip.path = 'exact' reads through the ADCs")  # fmt: skip


def path_of(section: OnChipSection, chips: ChipGenes) -> PathName:
    """The path of a configuration; if it is not said, the one that feels what chips differ by."""
    if section.path != "auto":
        return section.path
    keys = {gene.name.removeprefix(PREFIX) for gene in chips.genes}
    return "exact" if keys & set(OF_READS) or _lossy(chips.chips()) else "fast"


def device_digest(section: OnChipSection | None) -> str | None:
    """The SHA-256 of a user's device file; None where the device is a named one.

    Raises:
        RequestError: the file cannot be read.
    """
    if section is None or not section.device.endswith(".toml"):
        return None
    text = read_text(section.device, field="on_chip.device", allowed="a device's TOML file")
    return hashlib.sha256(text.encode()).hexdigest()


def _lossy(chips: Iterable[tuple[Mapping[str, Any], Chip]]) -> str:
    """The first chip whose ADCs cannot tell all sums apart, in words; "" for none."""
    for values, chip in chips:
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


def _refuse_ideal(chips: ChipGenes, conditions: Conditions, lossy: str) -> None:
    """Refuse genes that an accuracy on chips as ideal as these does not feel either."""
    for gene in chips.genes:
        key = gene.name.removeprefix(PREFIX)
        causes = FIDELITY.get(key, ())
        felt = any(getattr(conditions, cause) not in (0, IDEAL) for cause in causes)
        if causes and not felt and not (key == "cell_bits" and lossy):
            allowed = "no gene that only lowers fidelity, where [on_chip] has nothing that feels it"
            remedy = f"Say one of {', '.join(causes)} in [on_chip]; variation = 0.1 is a beginning."
            raise RequestError(f"hardware.genes.{key}", list(gene.choices), allowed, remedy)


def _check_section(
    section: OnChipSection,
    chips: ChipGenes,
    names: Sequence[str],
    after: Mapping[str, float],
) -> None:
    """Refuse what does not go together with the chips or with a metric."""
    if after and section.device == IDEAL:
        allowed = "a device, as ideal cells do not change with time"
        raise RequestError("on_chip.device", IDEAL, allowed, f"{next(iter(after))} needs it.")
    if "accuracy_on_chip_std" in names and section.instances == 1:
        allowed = "2 or more for accuracy_on_chip_std"
        raise RequestError("on_chip.instances", section.instances, allowed)
    try:
        check_measured(section.conditions, section.path, chips.chips(), {0.0, *after.values()})
    except RequestError as error:
        raise _placed(error, after) from None


def check_measured(
    conditions: Conditions,
    path: str,
    chips: Iterable[tuple[Mapping[str, Any], Chip]],
    seconds: Iterable[float] = (0.0,),
) -> None:
    """Refuse what cannot be measured on chips.

    Args:
        conditions: what is not ideal.
        path: "auto", "fast" or "exact".
        chips: the chips, each with what tells it from the others.
        seconds: times after programming.

    Raises:
        RequestError: an unknown path, conditions that a chip does not go with, or a path that does
            not round where a chip's ADCs do.
    """
    if path not in ("auto", *get_args(PathName)):
        raise unknown_name("path", path, ["auto", *get_args(PathName)])
    listed, times = list(chips), list(seconds)
    for _, chip in listed:
        for time in times:
            check_conditions(chip, conditions, seconds=time)
    lossy = _lossy(listed)
    if lossy and (path == "fast" or not conditions.adc):
        key, value, allowed = ("path", path, "exact") if path == "fast" else ("adc", False, "True")
        raise RequestError(key, value, f"{allowed}, as the ADCs of {lossy} round")


def _placed(error: RequestError, after: Mapping[str, float]) -> RequestError:
    """An error of conditions at its place in the configuration."""
    field: str = error.field
    value: Any = error.value
    if field == "seconds":
        field = next((name for name, seconds in after.items() if seconds == value), field)
    elif field in OnChipSection.model_fields:
        field = f"on_chip.{field}"
    return RequestError(field, value, error.allowed, error.remedy)
