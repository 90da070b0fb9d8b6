"""The designed sample of an ablation: random bases, each with all choices of some of its genes.

A *base* is a random genome. In each *block* one active gene of a base takes every one of its
choices while all else stays, so that any two members of a block differ by that choice alone. The
genes of one *role* (``stage1.pool``, ``stage2.pool``) are drawn from: a base has one block a role.
Why the sample is so: docs/ablation.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from evo_snn.algorithms import Affordable, Algorithm, Asked
from evo_snn.design_space import DesignSpace
from evo_snn.variation import first_genomes
from genomes.errors import RequestError, unknown_name
from genomes.genes import Gene, GeneKind, role_of
from genomes.space import Genome

DESIGN = "ablation"  # name among the store's meta data

Value = bool | int | float | str  # of a choice, as JSON keeps it apart

_MOST_DRAWS = 100  # for a base that was not drawn before


class Role(BaseModel):
    """Genes that decide the same in different places.

    Attributes:
        name: theirs, without the numbers of their slots.
        genes: names of those that are measured.
        choices: what each can be; the same for all.
        kind: of all of them.
        key: of the configuration that says which choices they have; "" where none does.
        configured: what it says now: the choices, or the largest of them.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    genes: tuple[str, ...]
    choices: tuple[Value, ...]
    kind: GeneKind
    key: str = ""
    configured: tuple[Value, ...] | int | None = None


class Block(BaseModel):
    """One gene of one base, with every choice.

    Attributes:
        base: the number of the base, from 0.
        role: the place of the gene's role among the design's.
        gene: its name.
        among: from how many active genes of the role it was drawn.
        keys: of the candidate with each choice; None where there is no such design.
    """

    model_config = ConfigDict(frozen=True)

    base: int
    role: int
    gene: str
    among: int
    keys: tuple[str | None, ...]


class Record(BaseModel):
    """What a run keeps of its design.

    Attributes:
        roles: that are measured.
        unmeasured: role → key of the configuration, of genes that are not measured.
        blocks: in the order of bases.
    """

    model_config = ConfigDict(frozen=True)

    roles: tuple[Role, ...]
    unmeasured: dict[str, str]
    blocks: tuple[Block, ...]

    @classmethod
    def of_run(cls, document: Any) -> Record:
        """The record that a run keeps.

        Raises:
            RequestError: it keeps none, or what it keeps is none.
        """
        try:
            return cls.model_validate(document)
        except ValidationError:
            raise RequestError(
                "run folder", "a run without an ablation's design", "one that evo-snn ablate made"
            ) from None


@dataclass(frozen=True)
class Design:
    """A designed sample.

    Attributes:
        bases: canonical genomes.
        samples: of each base the genomes to evaluate, the base first.
        record: what the run keeps.
    """

    bases: tuple[tuple[int, ...], ...]
    samples: tuple[tuple[tuple[int, ...], ...], ...]
    record: Record

    @property
    def candidates(self) -> int:
        """How many different genomes are evaluated."""
        return len({genome for sample in self.samples for genome in sample})


class DesignedSample(Algorithm):
    """Asks for the genomes of a design, base by base; learns nothing."""

    def __init__(self, design: Design) -> None:
        self._pairs = zip(design.bases, design.samples, strict=True)

    def ask(self) -> list[Asked]:
        """The next base and its changes, which all take the base's seed; none at the end."""
        base, sample = next(self._pairs, ((), ()))
        return [Asked(genome, twin=base) for genome in sample]

    def tell(self, objectives: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        """Learns nothing."""

    def population(self) -> list[tuple[int, ...]]:
        """None breeds."""
        return []


def make_design(
    space: DesignSpace, patterns: Sequence[str], bases: int, seed: int, affordable: Affordable
) -> Design:
    """The designed sample of a space.

    Base k depends on the seed and on k alone, so that a larger design begins with a smaller one.

    Args:
        space: to draw from.
        patterns: of genes or roles, with ``*`` and ``?``.
        bases: how many; there are fewer where the space has no more.
        seed: of all draws.
        affordable: which genomes are within the budgets known before training; bases are, where
            such are found.

    Raises:
        RequestError: a pattern that no gene has, or none of them has two choices.
    """
    places = _roles(space, patterns)
    roles = tuple(_role(space, name, genes) for name, genes in places.items())
    found: dict[tuple[int, ...], tuple[tuple[int, ...], ...]] = {}
    blocks: list[Block] = []
    for number in range(bases):
        rng = np.random.default_rng([seed, number])
        base = _new_base(space, affordable, rng, found)
        if base is None:
            break
        members = {tuple(base.tolist()): None}
        for role, (block, genomes) in _blocks(space, list(places.values()), base, rng):
            blocks.append(block.model_copy(update={"base": number, "role": role}))
            members |= dict.fromkeys(tuple(one.tolist()) for one in genomes)
        found[tuple(base.tolist())] = tuple(members)
    measured = {name for role in roles for name in role.genes}
    others = [gene for gene in space.genes if gene.name not in measured and len(gene) > 1]
    keys = {role_of(gene.name): space.configured_by(gene) for gene in others}
    record = Record(roles=roles, unmeasured=keys, blocks=tuple(blocks))
    return Design(tuple(found), tuple(found.values()), record)


def _roles(space: DesignSpace, patterns: Sequence[str]) -> dict[str, list[int]]:
    """Role → the places of its genes, of those that a pattern names and that have two choices.

    Genes of one role have the same choices; those that do not are each a role of their own.
    """
    names = [gene.name for gene in space.genes]
    for pattern in patterns:
        if not any(_is_named(name, pattern) for name in names):
            raise unknown_name("--genes", pattern, [*names, *map(role_of, names)])
    chosen = [
        (place, gene)
        for place, gene in enumerate(space.genes)
        if len(gene) > 1 and any(_is_named(gene.name, pattern) for pattern in patterns)
    ]
    if not chosen:
        allowed = "patterns of genes, of which one has two choices or more"
        raise RequestError("--genes", list(patterns), allowed)
    alike: dict[str, set[tuple[Any, ...]]] = {}
    for _, gene in chosen:
        alike.setdefault(role_of(gene.name), set()).add((gene.choices, gene.kind))
    roles: dict[str, list[int]] = {}
    for place, gene in chosen:
        role = role_of(gene.name)
        roles.setdefault(role if len(alike[role]) == 1 else gene.name, []).append(place)
    return roles


def _is_named(gene: str, pattern: str) -> bool:
    return fnmatchcase(gene, pattern) or fnmatchcase(role_of(gene), pattern)


def _role(space: DesignSpace, name: str, places: Sequence[int]) -> Role:
    genes = [space.genes[place] for place in places]
    key = space.configured_by(genes[0])
    return Role(
        name=name,
        genes=tuple(gene.name for gene in genes),
        choices=genes[0].choices,
        kind=genes[0].kind,
        key=key,
        configured=_configured(space, genes[0], key),
    )


def _configured(space: DesignSpace, gene: Gene, key: str) -> tuple[Value, ...] | int | None:
    """What the configuration says of a gene's choices: a list, or the largest of them."""
    section, _, option = key.partition(".")
    if section != "space":
        return gene.choices if key else None
    value = getattr(space.options, option)
    if isinstance(value, tuple | list):
        return tuple(value)
    return value if isinstance(value, int) else None


def _new_base(
    space: DesignSpace,
    affordable: Affordable,
    rng: np.random.Generator,
    taken: dict[tuple[int, ...], Any],
) -> Genome | None:
    """A random canonical genome that is no base yet; None where none is found."""
    for _ in range(_MOST_DRAWS):
        drawn = first_genomes(space, 1, affordable, rng)
        if len(drawn) and tuple(drawn[0].tolist()) not in taken:
            base: Genome = drawn[0]
            return base
    return None


def _blocks(
    space: DesignSpace, roles: Sequence[Sequence[int]], base: Genome, rng: np.random.Generator
) -> Iterator[tuple[int, tuple[Block, list[Genome]]]]:
    """A block of each role that a base feels, with the place of the role and the genomes."""
    active = space.active(base)
    # a choice may wake inactive genes: they are random too, not all at their first choice
    full = np.where(active, base, rng.integers(0, space.choices))
    for role, places in enumerate(roles):
        felt = [place for place in places if active[place]]
        if felt:
            yield role, _block(space, full, felt[rng.integers(len(felt))], len(felt))


def _block(space: DesignSpace, full: Genome, place: int, among: int) -> tuple[Block, list[Genome]]:
    gene = space.genes[place]
    keys: list[str | None] = []
    genomes = []
    for choice in range(len(gene)):
        changed = full.copy()
        changed[place] = choice
        canonical = space.canonical(changed)  # which may write the same network otherwise
        if (canonical != changed)[len(space.network.genes) :].any():
            keys.append(None)  # a chip that cannot be made was repaired: another gene moved too
            continue
        keys.append(space.key(canonical))
        genomes.append(canonical)
    return Block(base=0, role=0, gene=gene.name, among=among, keys=tuple(keys)), genomes
