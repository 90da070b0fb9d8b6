"""Machines that networks are trained on: what an operation takes there.

Each is a file beside this one, every number with its source, conditions and range. A machine is no
chip of the search: it trains, and says nothing about inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from genomes.documents import parse_toml
from genomes.errors import unknown_name
from genomes.training_work import TrainingWork
from hardware.parameter import Parameter

DEFAULT_MACHINE = "digital_horowitz_isscc_2014"

_PJ = 1e-12


@dataclass(frozen=True)
class Machine:
    """A machine that trains networks.

    Attributes:
        name: of its file.
        summary: one line.
        parameters: by key: ``mac_pj``, ``accumulate_pj``, ``skips_silent``, ``share_of_peak``.
    """

    name: str
    summary: str
    parameters: Mapping[str, Parameter]

    def __getitem__(self, key: str) -> float:
        """The value of a parameter; 0 or 1 for false or true."""
        value = self.parameters[key].value
        assert isinstance(value, bool | int | float)  # noqa: S101 - no parameter is a word or list
        return float(value)

    def energy_j(self, work: TrainingWork, samples: int) -> float:
        """Energy in joules of the forward and backward passes of so many samples.

        (M mac_pj + A accumulate_pj) / share_of_peak a sample, with M the multiply-accumulates of
        synapses and neurons, and A the additions of spikes: of those that are there, where the
        machine skips silent ones, else of all.
        """
        macs = work.products + work.neuron_operations
        additions = work.active_additions if self["skips_silent"] else work.additions
        pj = (macs * self["mac_pj"] + additions * self["accumulate_pj"]) / self["share_of_peak"]
        return samples * pj * _PJ


def machine_names() -> list[str]:
    """Names of all machines, sorted."""
    entries = resources.files("hardware").joinpath("machines").iterdir()
    return sorted(
        entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")
    )


def load_machine(
    name: str = DEFAULT_MACHINE,
    overrides: Mapping[str, Any] | None = None,
    *,
    field: str = "machine",
) -> Machine:
    """A machine by name, with some of its parameters changed.

    Args:
        name: of a machine.
        overrides: parameter → value, in the parameter's unit.
        field: what errors call the machine.

    Raises:
        RequestError: no machine or parameter of that name, or a value outside a range.
    """
    machine = _machine(name, field)
    changed = dict(machine.parameters)
    for key, value in (overrides or {}).items():
        if key not in changed:
            raise unknown_name(field, key, changed)
        known = changed[key]
        named = replace(known, name=f"{field}.{key}")  # as the user wrote it, for an error
        changed[key] = replace(known, value=named.checked(value), overridden=True)
    return replace(machine, parameters=changed)


def _machine(name: str, field: str) -> Machine:
    if name not in machine_names():
        raise unknown_name(f"{field}.name", name, machine_names())
    return _read(name)


@cache  # a file of the package does not change
def _read(name: str) -> Machine:
    entry = resources.files("hardware").joinpath("machines", f"{name}.toml")
    document = parse_toml(entry.read_text(encoding="utf-8"))
    return Machine(
        document["name"],
        document["summary"],
        {key: _parameter(key, table) for key, table in document["parameters"].items()},
    )


def _parameter(key: str, table: Mapping[str, Any]) -> Parameter:
    fields: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in table.items()
    }
    fields["name"] = key
    return Parameter(**fields)
