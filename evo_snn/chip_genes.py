"""Chip genes: parameters of the chip that a search chooses, each from a list of allowed values.

A configuration lists them as ``[hardware.genes]``, key → values. A key is a parameter that designs
the chip (``hardware.models.Model.design``), or ``crossbar_size`` for its rows and columns together.
What a part costs and how costs are counted is no gene: evolution would choose the bill. Numbers
make an ordered gene, words and truth values a categorical one; its name is ``chip.KEY``. A
*setting* is one choice of each of them.

Settings that the chip's model refuses (more rows read at once than there are rows, too few ADC
levels for a cell's bits) are known before anything is trained, and are *repaired*: the nearest
setting that makes a chip stands for them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evo_snn.config import HardwareSection
from genomes.errors import RequestError, unknown_name
from genomes.genes import Choice, Gene
from hardware import Chip, Parameter, load_chip
from hardware.chip_file import TOGETHER
from hardware.models import MODELS
from hardware.variants import changed

PREFIX = "chip."
"""What the names of chip genes begin with."""

MOST_CHIPS = 20_000
"""Chips that genes may span: each is tried before a search, which takes some 50 µs."""

CHIP = "chip"  # its name among a run's meta data

_BY_ITSELF = ("adc_levels", "rows_per_read")
"""Parameters of which 0 is no number below the others: the chip chooses then."""

_SECTION = "hardware.genes"


@dataclass(frozen=True)
class ChipGenes:
    """The chips that a search chooses from; without genes, one.

    Attributes:
        base: the chip of a search without chip genes; with them, the one that they change.
        genes: in the order of the configuration.
    """

    base: Chip
    genes: tuple[Gene, ...] = ()
    _made: dict[tuple[int, ...], Chip] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of choices of each gene, (genes,) int64."""
        return np.array([len(gene) for gene in self.genes], dtype=np.int64)

    def values(self, setting: Iterable[int]) -> dict[str, Choice]:
        """Key → value of a setting, as the configuration names keys."""
        pairs = zip(self.genes, setting, strict=True)
        return {gene.name.removeprefix(PREFIX): gene.choices[int(k)] for gene, k in pairs}

    def chip(self, setting: Iterable[int]) -> Chip:
        """The chip of a setting; equal settings give the same object.

        Raises:
            RequestError: the chip's model refuses it.
        """
        indices = tuple(int(k) for k in setting)
        if indices not in self._made:
            self._made[indices] = self._make(self.values(indices))
        return self._made[indices]

    def _make(self, values: Mapping[str, Choice]) -> Chip:
        parameters = {
            parameter: value
            for key, value in values.items()
            for parameter in TOGETHER.get(key, (key,))
        }
        return changed(self.base, parameters) if parameters else self.base

    def refusal(self, setting: Iterable[int]) -> str:
        """Why the chip's model refuses a setting; "" where it does not."""
        try:
            self.chip(setting)
        except RequestError as error:
            return str(error)
        return ""

    @cached_property
    def allowed(self) -> NDArray[np.int64]:
        """The settings that make a chip, (n, genes) int64, in the order of their indices.

        Raises:
            RequestError: there is none.
        """
        found, refusal = [], None
        for setting in itertools.product(*(range(len(gene)) for gene in self.genes)):
            try:
                self.chip(setting)
            except RequestError as error:
                refusal = refusal or error
            else:
                found.append(setting)
        if not found:
            allowed = "values of which some combination makes a chip"
            raise RequestError(_SECTION, sorted(self._keys), allowed, f"The first: {refusal}")
        return np.array(found, dtype=np.int64).reshape(len(found), len(self.genes))

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(gene.name.removeprefix(PREFIX) for gene in self.genes)

    @cached_property
    def _is_allowed(self) -> frozenset[tuple[int, ...]]:
        return frozenset(map(tuple, self.allowed.tolist()))

    @cached_property
    def _is_ordered(self) -> NDArray[np.bool_]:
        return np.array([gene.kind == "ordered" for gene in self.genes], dtype=bool)

    def repaired(self, setting: Iterable[int]) -> tuple[int, ...]:
        """The setting itself, or the nearest that makes a chip: fewest steps, lowest indices.

        A step of an ordered gene is to the next value, of a categorical one to any other.
        """
        indices = tuple(int(k) for k in setting)
        if not indices or indices in self._is_allowed:
            return indices
        apart = np.abs(self.allowed - np.array(indices))
        steps = np.where(self._is_ordered, apart, apart > 0).sum(axis=1)
        return tuple(int(k) for k in self.allowed[steps.argmin()])

    def chips(self) -> Iterator[tuple[dict[str, Choice], Chip]]:
        """Every chip that the genes can make, with its values by key."""
        for setting in self.allowed:
            yield self.values(setting), self.chip(setting)


def chip_genes(section: HardwareSection, stored: Chip | None = None) -> ChipGenes:
    """The chips that a configuration lets a search choose from.

    Args:
        section: ``[hardware]``.
        stored: the ``base`` that a run keeps, whose genes were checked when it began; None loads
            what the section names.

    Raises:
        RequestError: an unknown key or value, a key that designs nothing or is given twice, too
            many combinations, or a value with which none makes a chip.
    """
    if not section.genes:
        return ChipGenes(stored or load_chip(section.chip, section.overrides))
    _check_keys(section)
    base = stored or _base(section)
    if stored is None:
        _check_designed(section, base)
    genes = tuple(_gene(key, values, base) for key, values in section.genes.items())
    combinations = math.prod(map(len, genes))
    if combinations > MOST_CHIPS:
        allowed = f"at most {MOST_CHIPS} combinations"
        raise RequestError(_SECTION, f"{combinations} combinations", allowed)
    made = ChipGenes(base, genes)
    _ = made.allowed  # raises where there is none
    if stored is None:
        _check_values(made)
    return made


def stored_chip(value: Callable[[str], Any]) -> Chip | None:
    """The ``ChipGenes.base`` that a run keeps; None where it keeps none.

    Args:
        value: the JSON value that a run keeps by a name, or None.

    Raises:
        RequestError: what is kept is no chip.
    """
    document = value(CHIP)
    return None if document is None else Chip.from_document(document)


def chosen_values(space: Mapping[str, Any], genome: Sequence[int]) -> dict[str, Choice]:
    """What the chip genes of a genome chose, by key; empty where the space has none.

    Args:
        space: the document of a `DesignSpace`, as a run keeps it.
        genome: one integer a gene of that space.

    Raises:
        RequestError: the genome is none of that space.
    """
    genes = [one for one in space.get("genes", ()) if one["name"].startswith(PREFIX)]
    indices = genome[len(genome) - len(genes) :] if len(genome) >= len(genes) else ()
    if len(indices) < len(genes) or not all(
        0 <= k < len(one["choices"]) for k, one in zip(indices, genes, strict=True)
    ):
        raise RequestError("genome", list(genome), "one of the run's space")
    return {
        one["name"].removeprefix(PREFIX): one["choices"][k]
        for one, k in zip(genes, indices, strict=True)
    }


def _check_keys(section: HardwareSection) -> None:
    """Refuse a parameter that is said twice: by two genes, or as an override too."""
    said = {key: f"hardware.{key}" for key in section.overrides}
    for key in section.genes:
        for parameter in TOGETHER.get(key, (key,)):
            if parameter in said:
                allowed = f"what {said[parameter]} does not say too"
                raise RequestError(f"{_SECTION}.{key}", parameter, allowed, "Leave one of them.")
            said[parameter] = f"{_SECTION}.{key}"


def _check_designed(section: HardwareSection, chip: Chip) -> None:
    """Refuse keys that are no parameter of the chip, and those that design nothing."""
    design = MODELS[chip.model].design
    together = [key for key, names in TOGETHER.items() if set(names) <= set(design)]
    for key in section.genes:
        names = TOGETHER.get(key, (key,))
        for name in names:
            if name not in chip.values:
                raise unknown_name(_SECTION, name, [*together, *design])
        if not set(names) <= set(design):
            allowed = ", ".join([*together, *design]) or f"none, with the model {chip.model!r}"
            remedy = f"{key} says what is there or how it is counted: set it as hardware.{key}."
            raise RequestError(_SECTION, key, allowed, remedy)


def _check_values(made: ChipGenes) -> None:
    """Refuse values that no combination makes a chip with, which a search would never meet."""
    for place, gene in enumerate(made.genes):
        missing = set(range(len(gene))) - set(made.allowed[:, place].tolist())
        if missing:
            setting = [0] * len(made.genes)
            setting[place] = first = min(missing)
            key = gene.name.removeprefix(PREFIX)
            allowed = "values that make a chip, with some values of the other genes"
            raise RequestError(
                f"{_SECTION}.{key}", gene.choices[first], allowed, made.refusal(setting)
            )


def _base(section: HardwareSection) -> Chip:
    """The chip, where need be at the genes' first or last values: one is enough to begin with."""
    ends = [
        {
            parameter: values[end]
            for key, values in section.genes.items()
            for parameter in TOGETHER.get(key, (key,))
        }
        for end in (0, -1)
    ]
    refusal: RequestError | None = None
    for values in ({}, *ends):
        try:
            return load_chip(section.chip, {**section.overrides, **values})
        except RequestError as error:
            refusal = refusal or error
    assert refusal is not None  # noqa: S101 - one of three was raised
    raise refusal


def _gene(key: str, values: Sequence[Any], chip: Chip) -> Gene:
    """A gene of a parameter, its values checked as the chip checks them."""
    place = f"{_SECTION}.{key}"
    parameters = [_parameter(name, chip) for name in TOGETHER.get(key, (key,))]
    choices: list[Choice] = []
    for value in values:
        try:
            checked, *_ = [parameter.checked(value) for parameter in parameters]
        except RequestError as error:
            raise _of_gene(key, error) from None
        if isinstance(checked, tuple):
            raise RequestError(place, value, "a parameter that is one number or one word")
        choices.append(checked)
    ordered = not any(isinstance(one, str | bool) for one in choices)
    if key in _BY_ITSELF and 0 in choices and len(choices) > 1:
        allowed = "values above 0, as 0 lets the chip choose and has no place in their order"
        raise RequestError(place, list(values), allowed)
    if ordered and choices != sorted(set(choices)):
        raise RequestError(place, list(values), "different values in ascending order")
    if len(set(choices)) < len(choices):
        raise RequestError(place, list(values), "different values")
    return Gene(f"{PREFIX}{key}", tuple(choices), "ordered" if ordered else "categorical")


def _parameter(name: str, chip: Chip) -> Parameter:
    for parameter in chip.parameters:
        if parameter.name == name:
            return parameter
    raise unknown_name(_SECTION, name, [*chip.values, *TOGETHER])


def _of_gene(key: str, error: RequestError) -> RequestError:
    """The same error at the gene's place in the configuration."""
    return RequestError(f"{_SECTION}.{key}", error.value, error.allowed, error.remedy)
