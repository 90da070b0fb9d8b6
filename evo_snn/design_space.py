"""The space of a search: the genes of a network, followed by those of its chip.

A design is a network and the chip that it runs on. Equal networks on equal chips are one design,
with one canonical form and one key. Without chip genes this is the network's space: the same
genomes, keys, samples and neighbours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evo_snn.chip_genes import PREFIX, ChipGenes
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.genes import Choice, Gene
from genomes.space import IDLE_ROUNDS, Genome, SearchSpace
from hardware import Chip


class DesignSpace(SearchSpace):
    """A network's space and the chips that its networks may run on.

    Args:
        network: the space of the networks.
        chips: the chips to choose from.

    Raises:
        RequestError: the network's space has a gene of a chip gene's name.
    """

    def __init__(self, network: SearchSpace, chips: ChipGenes) -> None:
        super().__init__(network.input_shape, network.classes, network.options)
        self.name, self.version = network.name, network.version
        self.network = network
        self.chips = chips
        taken = {gene.name for gene in network.genes} & {gene.name for gene in chips.genes}
        if taken:
            allowed = f"genes that space {network.name!r} does not have itself"
            raise RequestError("hardware.genes", min(taken), allowed)

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """The network's genes, then the chip's."""
        return (*self.network.genes, *self.chips.genes)

    def configured_by(self, gene: Gene) -> str:
        """The key of a configuration that says which choices a gene has; "" where none does."""
        if gene in self.chips.genes:
            return f"hardware.genes.{gene.name.removeprefix(PREFIX)}"
        option = self.network.option_of(gene)
        return f"space.{option}" if option else ""

    def network_part(self, genome: ArrayLike) -> Genome:
        """The genome of the network alone."""
        return self._parts(genome)[0]

    def _parts(self, genome: ArrayLike) -> tuple[Genome, Genome]:
        checked = self.checked(genome)
        cut = len(self.network.genes)
        return checked[:cut], checked[cut:]

    def chip(self, genome: ArrayLike) -> Chip:
        """The chip of a genome (genes,), canonical or not."""
        return self.chips.chip(self.chips.repaired(self._parts(genome)[1]))

    def active(self, genome: ArrayLike) -> NDArray[np.bool_]:
        """Which genes are felt, (genes,) bool: every one of the chip is."""
        network, chip = self._parts(genome)
        return np.concatenate([self.network.active(network), np.ones(len(chip), dtype=bool)])

    def decode(self, genome: ArrayLike) -> Architecture:
        """The architecture of a genome (genes,)."""
        return self.network.decode(self._parts(genome)[0])

    def designs(self, genomes: Iterable[ArrayLike]) -> tuple[list[Architecture], list[Chip]]:
        """The architectures and the chips of genomes."""
        rows = list(genomes)
        return [self.decode(one) for one in rows], [self.chip(one) for one in rows]

    def canonical(self, genome: ArrayLike) -> Genome:
        """The genome (genes,) with every inactive gene at 0, of a chip that can be made."""
        network, chip = self._parts(genome)
        return self._joined(self.network.canonical(network), chip)

    def _joined(self, network: Genome, chip: Genome) -> Genome:
        repaired = np.array(self.chips.repaired(chip), dtype=np.int64)
        return np.concatenate([network, repaired])

    def key(self, genome: ArrayLike) -> str:
        """The content hash of network and chip; without chip genes the network's own key."""
        network, chip = self._parts(genome)
        key = self.network.key(network)
        if not self.chips.genes:
            return key
        text = json.dumps([key, self.chips.values(self.chips.repaired(chip))], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def describe(self, genome: ArrayLike) -> dict[str, Choice]:
        """The choices of the active genes by name."""
        network, chip = self._parts(self.canonical(genome))
        chosen = self.chips.values(chip)
        return {
            **self.network.describe(network),
            **{f"{PREFIX}{key}": value for key, value in chosen.items()},
        }

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Up to ``n`` different canonical genomes (n, genes): networks as their space draws them.

        Each gets a chip at random; where there are fewer networks, they are drawn again with
        other chips.
        """
        networks = self.network.sample(n, rng)
        if not self.chips.genes:
            return networks
        found: dict[bytes, Genome] = {}
        idle = 0
        drawn = networks
        while len(found) < n and idle < IDLE_ROUNDS and len(networks):
            before = len(found)
            chips = rng.integers(0, self.chips.counts, size=(len(drawn), len(self.chips.genes)))
            joined = map(self._joined, drawn, chips)
            found |= {one.tobytes(): one for one in joined if one.tobytes() not in found}
            idle = idle + 1 if len(found) == before else 0
            drawn = networks[rng.integers(0, len(networks), size=n)]
        return self._stacked(list(found.values())[:n])

    def neighbours(self, genome: ArrayLike) -> NDArray[np.int64]:
        """The different canonical genomes one move of one active gene away, (k, genes)."""
        network, chip = self._parts(self.canonical(genome))
        start = np.concatenate([network, chip])
        moved = [np.concatenate([one, chip]) for one in self.network.neighbours(network)]
        for position, gene in enumerate(self.chips.genes):
            for value in gene.alternatives(int(chip[position])):
                other = chip.copy()
                other[position] = value
                moved.append(self._joined(network, other))
        found = {one.tobytes(): one for one in moved if not np.array_equal(one, start)}
        return self._stacked(found.values())

    def _stacked(self, genomes: Iterable[Genome]) -> NDArray[np.int64]:
        return np.array(list(genomes), dtype=np.int64).reshape(-1, len(self.genes))

    def description(self) -> dict[str, Any]:
        """The network's space as a JSON document, with the chip's genes after its own."""
        network = self.network.description()
        chip = [
            {"name": one.name, "kind": one.kind, "choices": list(one.choices)}
            for one in self.chips.genes
        ]
        return {**network, "genes": [*network["genes"], *chip]}
