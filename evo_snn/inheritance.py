"""Inheritance: where the first weights of a candidate come from.

A strategy names, for each new candidate, the weight files that its network may copy from (its
*sources*, best first), and what to share after a finished generation. A worker copies what
overlaps; it needs to know nothing of the strategy. Only finished generations are ever read, so the
order in which workers finish changes nothing.

- ``none``: every candidate starts afresh.
- ``parents``: from the parents' trained weights, the more similar parent first.
- ``shared``: from one bank with the largest tensor of every slot, into which each generation's
  trained weights are written back in a fixed order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from evo_snn.candidate import Candidate
from evo_snn.snn import Network
from evo_snn.snn.network import slot
from evo_snn.snn.neurons import SpikingNeuron
from evo_snn.snn.tensors import named_tensors, read_tensors, to_bytes
from evo_snn.store import Store
from genomes.architecture import Layer

Tensors = Mapping[str, Tensor]


class Strategy(ABC):
    """Where first weights come from. Used by the driver of a search alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    def sources(self, network: Sequence[int], parents: Sequence[Candidate]) -> tuple[Path, ...]:
        """The weight files that a new candidate may copy from, best first.

        Args:
            network: the genes of its network, without those of its chip.
            parents: with all of theirs.
        """

    def shared_bank(self, trained: Sequence[Candidate]) -> bytes | None:
        """The shared weights after a generation's newly trained candidates; None keeps the last."""
        return None


class NoInheritance(Strategy):
    """Every candidate starts afresh."""

    def sources(self, network: Sequence[int], parents: Sequence[Candidate]) -> tuple[Path, ...]:
        """Nothing."""
        return ()


class FromParents(Strategy):
    """From the parents' trained weights, the parent with fewer differing genes first."""

    def sources(self, network: Sequence[int], parents: Sequence[Candidate]) -> tuple[Path, ...]:
        """The weight files of the trained parents."""

        def differing(parent: Candidate) -> int:
            # a parent's chip genes stand behind its network's
            return sum(a != b for a, b in zip(network, parent.genome, strict=False))

        trained = sorted((parent for parent in parents if parent.trained), key=differing)
        paths = (self._store.weights_path(parent.key) for parent in trained)
        return tuple(dict.fromkeys(path for path in paths if path is not None))


class SharedBank(Strategy):
    """From one bank that holds, for every slot, the largest tensor seen so far.

    Cells that no candidate has written yet are NaN, and are not copied.
    """

    def sources(self, network: Sequence[int], parents: Sequence[Candidate]) -> tuple[Path, ...]:
        """The bank of the last finished generation."""
        path = self._store.shared_bank_path()
        return () if path is None else (path,)

    def shared_bank(self, trained: Sequence[Candidate]) -> bytes | None:
        """The bank with the trained weights written back, the most accurate candidate last."""
        if not trained:
            return None
        path = self._store.shared_bank_path()
        bank = dict(read_tensors(path)) if path else {}
        order = sorted(trained, key=lambda one: (one.metrics.get("accuracy", 0.0), one.key))
        for candidate in order:
            weights = self._store.weights_path(candidate.key)
            if weights is not None:
                _write_back(bank, read_tensors(weights))
        return to_bytes(bank) if bank else None


STRATEGIES: Mapping[str, Callable[[Store], Strategy]] = {
    "none": NoInheritance,
    "parents": FromParents,
    "shared": SharedBank,
}


@torch.no_grad()
def inherit(network: Network, sources: Sequence[Tensors]) -> float:
    """Copy what overlaps into a network, layer by layer, from the first source that has it.

    Channels overlap from the first on, kernels about their centre. A read-out is copied only from
    one that reads a map of the same spatial size, a trained leak or threshold only where the genes
    gave the same initial value.

    Returns:
        The share of the network's weights that was copied. Statistics of batch normalisation come
        along, and are stale wherever anything before them differs: measure them anew.
    """
    copied = total = 0
    own = named_tensors(network)
    for layer in network.architecture.layers:
        weight = own[f"{layer.name}/weight"]
        total += weight.numel()
        source = next((one for one in sources if _matches(layer, one)), None)
        if source is None:
            continue
        copied += _copy_overlap(weight, source[f"{layer.name}/weight"])
        for name in ("scale", "shift", "mean", "variance"):
            if f"{layer.name}/{name}" in own and f"{layer.name}/{name}" in source:
                _copy_overlap(own[f"{layer.name}/{name}"], source[f"{layer.name}/{name}"])
        _copy_neuron(network, layer, source)
    return copied / total


def _matches(layer: Layer, source: Tensors) -> bool:
    """Whether a source has a usable tensor in the slot of a layer."""
    weight = source.get(f"{layer.name}/weight")
    if weight is None or weight.ndim != len(layer.weight_shape):
        return False
    return bool(layer.kernel) or tuple(weight.shape[2:]) == layer.weight_shape[2:]


def _copy_neuron(network: Network, layer: Layer, source: Tensors) -> None:
    if layer.neuron is None:
        return
    neuron = cast(SpikingNeuron, network.neurons[slot(layer.name)])
    name = f"{layer.name}/initial"
    if name in source and torch.equal(source[name], neuron.initial.cpu()):
        for trained in ("threshold", "leak"):
            value = source.get(f"{layer.name}/{trained}")
            if value is not None and getattr(neuron, trained) is not None:
                getattr(neuron, trained).copy_(value)


def _copy_overlap(target: Tensor, source: Tensor) -> int:
    """Copy the finite cells of the overlap of two tensors of equal rank; the number of cells."""
    here, there = _overlap(target.shape, source.shape)
    known = torch.isfinite(source[there]).to(target.device)
    values = source[there].to(target.device, target.dtype)
    target[here] = torch.where(known, values, target[here])
    return int(known.sum())


def _overlap(
    target: Sequence[int], source: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The slices of two shapes that overlap: channels from the start, kernels about the centre."""
    here, there = [], []
    for dimension, (a, b) in enumerate(zip(target, source, strict=True)):
        size = min(a, b)
        shift_a, shift_b = ((a - size) // 2, (b - size) // 2) if dimension > 1 else (0, 0)
        here.append(slice(shift_a, shift_a + size))
        there.append(slice(shift_b, shift_b + size))
    return tuple(here), tuple(there)


def _write_back(bank: dict[str, Tensor], trained: Tensors) -> None:
    """Write trained tensors into a bank, whose tensors grow to the largest of their slot."""
    for name, tensor in trained.items():
        held = bank.get(name)
        if held is None or held.ndim != tensor.ndim or not _same_map(name, held, tensor):
            bank[name] = tensor.clone()
            continue
        shape = [max(a, b) for a, b in zip(held.shape, tensor.shape, strict=True)]
        grown = torch.full(shape, torch.nan, dtype=held.dtype)
        for part in (held, tensor):
            _copy_overlap(grown, part)
        bank[name] = grown


def _same_map(name: str, held: Tensor, tensor: Tensor) -> bool:
    """Whether two weights of a slot may share one tensor: read-outs only for maps of one size."""
    return not name.startswith("readout/") or held.shape[2:] == tensor.shape[2:]
