"""Search spaces: ordered genes, and what their values mean.

A *genome* is a vector of integers, one a gene. Its *canonical* form has every inactive gene at 0,
and its *key* is a content hash of that form. A *search space* is the ordered genes with ``decode``,
``canonical``, ``sample``, ``neighbours`` and ``describe``. Two genomes that decode to the same
architecture have the same canonical form and the same key, and are one candidate.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.genes import Choice, Gene

Genome = NDArray[np.int64]

_FEWEST_CLASSES = 2

IDLE_ROUNDS = 50
"""Rounds without a new genome after which sampling takes a space for exhausted."""


class SearchSpace(ABC):
    """The ordered genes of a space, for one shape of input and one number of classes.

    A subclass names itself, makes its genes, says which genes are active, and decodes.

    Raises:
        RequestError: a size of the input is below 1, or there are fewer than two classes.

    Attributes:
        name: the name under which a configuration asks for the space.
        version: raised whenever the same integers come to mean something else, as with another
            default of an option.
        Options: the model of the space's options, every one with a default.
        options: the validated options of the space.
        input_shape: (channels, *spatial) of one sample.
        classes: number of classes.
        frames: how many there are of an event stream, each of ``input_shape``; 0 for still samples.
        reads_frames: whether its networks can read such streams.
        example_shape: a shape of samples that the space is for, by which it is shown to people.
    """

    name: str
    version: int
    Options: ClassVar[type[BaseModel]]
    frames: int = 0
    reads_frames: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (1, 8, 8)

    def __init__(self, input_shape: Sequence[int], classes: int, options: BaseModel) -> None:
        self.input_shape = tuple(int(n) for n in input_shape)
        self.classes = int(classes)
        self.options = options
        if min(self.input_shape, default=0) < 1:
            raise RequestError(
                "data", f"samples of shape {self.input_shape}", "sizes of at least 1"
            )
        if self.classes < _FEWEST_CLASSES:
            raise RequestError("data", f"classes: {self.classes}", "two classes or more")

    @cached_property
    @abstractmethod
    def genes(self) -> tuple[Gene, ...]:
        """The genes, in the order of a genome's entries."""

    @abstractmethod
    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes the architecture feels, (genes,) bool, whatever the inactive ones hold."""

    @abstractmethod
    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,).

        Raises:
            RequestError: the genome is not one of this space.
        """

    @cached_property
    def choices(self) -> NDArray[np.int64]:
        """Number of choices of each gene, (genes,) int64."""
        return np.array([len(gene) for gene in self.genes], dtype=np.int64)

    @cached_property
    def _identity(self) -> str:
        """What fixes the meaning of a genome: everything that ``decode`` depends on.

        Options at their defaults are left out, so that a new option changes no key.
        """
        options = self.options.model_dump(mode="json", exclude_defaults=True)
        content = [self.name, self.version, self.input_shape, self.classes, options]
        if self.frames:
            content.append({"frames": self.frames})
        return json.dumps(content, sort_keys=True)

    def checked(self, genome: ArrayLike) -> Genome:
        """The genome (genes,) as int64.

        Raises:
            RequestError: wrong length, not integers, or a value without a choice.
        """
        try:
            array = np.asarray(genome)
        except (ValueError, TypeError, OverflowError):  # lists of several lengths, for one
            raise RequestError("genome", genome, "one integer a gene") from None
        if array.shape != self.choices.shape:
            raise RequestError(
                "genome",
                f"an array of shape {array.shape}",
                f"shape ({len(self.genes)},), one integer a gene of space {self.name!r}",
            )
        if not (
            np.issubdtype(array.dtype, np.integer)
            or (np.issubdtype(array.dtype, np.floating) and np.all(array == np.round(array)))
        ):
            raise RequestError("genome", array.tolist(), "integers")
        wrong = np.flatnonzero((array < 0) | (array >= self.choices))
        if wrong.size:
            gene = self.genes[wrong[0]]
            raise RequestError(
                f"genome[{wrong[0]}] ({gene.name})", array[wrong[0]].item(), f"0 to {len(gene) - 1}"
            )
        return array.astype(np.int64)

    def option_of(self, gene: Gene) -> str:
        """The option that says which choices a gene has; "" where none does.

        It is known by its name: ``stage1.pool`` is one of ``pools``, ``stages`` are up to
        ``max_stages``. A space that names its options otherwise says so here.
        """
        last = gene.name.rpartition(".")[-1]
        names = (last, f"{last}s", f"{last}es", f"max_{last}")
        return next((name for name in names if name in type(self.options).model_fields), "")

    def values(self, genome: ArrayLike) -> dict[str, Choice]:
        """The choice of every gene by name, inactive ones included."""
        checked = self.checked(genome)
        return {gene.name: gene.choices[k] for gene, k in zip(self.genes, checked, strict=True)}

    def canonical(self, genome: ArrayLike) -> Genome:
        """The genome (genes,) with every inactive gene at 0."""
        checked = self.checked(genome)
        return np.where(self.active(checked), checked, 0)

    def key(self, genome: ArrayLike) -> str:
        """The content hash of what the genome decodes to: 16 hexadecimal digits.

        It depends on the canonical form and on the space's name, version, input shape, classes
        and those options that are not at their defaults, and on nothing of the process or the
        machine.
        """
        text = self._identity + json.dumps(self.canonical(genome).tolist())
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def describe(self, genome: ArrayLike) -> dict[str, Choice]:
        """The choices of the active genes by name."""
        active = self.active(self.checked(genome))
        values = self.values(genome)
        return {g.name: values[g.name] for g, on in zip(self.genes, active, strict=True) if on}

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Up to ``n`` different canonical genomes (n, genes), drawn gene by gene.

        Fewer come back only where the space seems to hold no more: after 50 rounds in which
        nothing new was found.
        """
        found: dict[bytes, Genome] = {}
        idle = 0
        while len(found) < n and idle < IDLE_ROUNDS:
            before = len(found)
            for row in rng.integers(0, self.choices, size=(n, len(self.genes))):
                genome = self.canonical(row)
                if len(found) < n:
                    found.setdefault(genome.tobytes(), genome)
            idle = idle + 1 if len(found) == before else 0
        return np.array(list(found.values()), dtype=np.int64).reshape(-1, len(self.genes))

    def neighbours(self, genome: ArrayLike) -> NDArray[np.int64]:
        """The different canonical genomes one move of one active gene away, (k, genes)."""
        start = self.canonical(genome)
        found: dict[bytes, Genome] = {}
        for position in np.flatnonzero(self.active(start)):
            for value in self.genes[position].alternatives(int(start[position])):
                moved = start.copy()
                moved[position] = value
                moved = self.canonical(moved)
                if not np.array_equal(moved, start):
                    found.setdefault(moved.tobytes(), moved)
        return np.array(list(found.values()), dtype=np.int64).reshape(-1, len(self.genes))

    def networks(self, rng: np.random.Generator, samples: int = 1000) -> float:
        """About how many different networks there are.

        A network has as many genomes as its inactive genes have choices; their inverse is averaged
        over random genomes.
        """
        rows = rng.integers(0, self.choices, size=(samples, len(self.genes)))
        choices = self.choices.astype(float)
        shares = [np.prod(np.where(self.active(row), 1.0, 1 / choices)) for row in rows]
        return float(np.prod(choices) * np.mean(shares))

    def description(self) -> dict[str, Any]:
        """The space as a JSON document: name, version, options, genes with their choices."""
        return {
            "name": self.name,
            "version": self.version,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            **({"frames": self.frames} if self.frames else {}),
            "options": self.options.model_dump(mode="json"),
            "genes": [
                {"name": g.name, "kind": g.kind, "choices": list(g.choices)} for g in self.genes
            ],
        }
