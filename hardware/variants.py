"""The same chip with other parameters, and the same workload with other facts.

What a sweep and a sensitivity vary. A chip's keys are its parameters; a workload's are `FACTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware.chip import Chip, load_chip
from hardware.chip_file import checked_overrides, separate, unknown_parameter
from hardware.models import MODELS

_NODE = "technology_nm"
_MOST_SCALE = 1e6

Document = dict[str, Any]


def changed(chip: Chip, values: Mapping[str, Any]) -> Chip:
    """Return a chip with other values of some parameters.

    Args:
        chip: The chip; its technology node stays, since only its file has the values of another.
        values: Parameter key, or one of `TOGETHER`, to value.

    Raises:
        RequestError: An unknown key, a wrong value, another node, or a combination that the chip's
            model refuses.
    """
    known = chip.values
    values = separate(values, known)
    for key in values:
        if key not in known:
            raise unknown_parameter("chip parameter", key, known)
    if _NODE in values and values[_NODE] != known.get(_NODE):
        remedy = "Only the chip's file has the values of another node: give the chip by its name."
        raise RequestError(_NODE, values[_NODE], str(known[_NODE]), remedy)
    parameters = (
        replace(each, value=each.checked(values[each.name]), overridden=True)
        if each.name in values
        else each
        for each in chip.parameters
    )
    other = replace(chip, parameters=tuple(parameters))
    MODELS[other.model].check(other)
    return other


class ChipVariants:
    """A chip with other values of parameters, from its file where a node changes.

    Attributes:
        base: The chip itself.
    """

    def __init__(self, chip: Chip | str, overrides: Mapping[str, Any] | None = None) -> None:
        """Take a chip, or load it by name with overrides as `load_chip` does.

        Raises:
            RequestError: No such chip, or an override that it does not take.
        """
        if isinstance(chip, Chip):
            self._name, self._overrides = None, {}
            self.base = changed(chip, overrides) if overrides else chip
        else:
            self._name, self._overrides = chip, checked_overrides(overrides)
            self.base = load_chip(chip, overrides)

    @property
    def has_nodes(self) -> bool:
        """Whether another technology node can be had."""
        return self._name is not None

    def make(self, values: Mapping[str, Any]) -> Chip:
        """Return the chip with other values.

        Raises:
            RequestError: As `changed`; of a chip given by name, any of its nodes is allowed.
        """
        if not values:
            return self.base
        if self._name is not None and _NODE in values:
            return load_chip(self._name, self._overrides | dict(values))
        return changed(self.base, values)


def _set_rate(document: Document, value: Any) -> None:
    for layer in document["layers"]:
        if layer["input_bits"] == 1:
            layer["input_rate"] = value
        if layer["output_rate"] != 0:
            layer["output_rate"] = value


def _scale_rates(document: Document, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _MOST_SCALE:
        raise RequestError("rate_scale", value, f"a number from 0 to {_MOST_SCALE:g}")
    for layer in document["layers"]:
        if layer["input_bits"] == 1:
            layer["input_rate"] = min(1.0, layer["input_rate"] * value)
        layer["output_rate"] = min(1.0, layer["output_rate"] * value)


def _set_timesteps(document: Document, value: Any) -> None:
    document["timesteps"] = value
    document.pop("mean_timesteps", None)  # of early exits among other steps


def _set_mean_timesteps(document: Document, value: Any) -> None:
    document["mean_timesteps"] = value


def _set_weight_bits(document: Document, value: Any) -> None:
    for layer in document["layers"]:
        layer["weight_bits"] = value


def _set_state_bits(document: Document, value: Any) -> None:
    for layer in document["layers"]:
        if layer["neuron_state_bits"] > 0:
            layer["neuron_state_bits"] = value


#: What can be varied of a workload. ``input_rate`` sets the spike rate of every layer: its inputs
#: where these are spikes (an analog input or a sum of spikes has several bits and keeps its own),
#: its outputs where it has any. ``rate_scale`` multiplies them, at most to 1, and so keeps the
#: layers' proportions. ``timesteps`` sets the steps that every inference takes, ``mean_timesteps``
#: the mean where some stop early. ``weight_bits`` and ``neuron_state_bits`` (of layers that have
#: state) set what they say, in all layers.
FACTS: Mapping[str, Callable[[Document, Any], None]] = MappingProxyType(
    {
        "input_rate": _set_rate,
        "rate_scale": _scale_rates,
        "timesteps": _set_timesteps,
        "mean_timesteps": _set_mean_timesteps,
        "weight_bits": _set_weight_bits,
        "neuron_state_bits": _set_state_bits,
    }
)


def with_facts(workload: Workload, facts: Mapping[str, Any]) -> Workload:
    """Return a workload with other facts, see `FACTS`.

    Raises:
        RequestError: A value that no workload takes; it names the fact.
    """
    if not facts:
        return workload
    document = workload.to_document()
    for key, value in facts.items():
        FACTS[key](document, value)
        try:
            workload = Workload.from_document(document)
        except RequestError as error:
            raise RequestError(key, value, error.allowed, error.remedy) from None
    return workload
