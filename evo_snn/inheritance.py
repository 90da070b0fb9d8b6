"""Inheritance: where the first weights of a candidate come from.

A strategy names, for each new candidate, the weight files that its network may copy from (its
*sources*, best first), and what to share after a finished generation. A worker copies what
overlaps; it needs to know nothing of the strategy. Only finished generations are ever read, so the
order in which workers finish changes nothing.

- ``none``: every candidate starts afresh.
- ``parents``: from the parents' trained weights, the more similar parent first.
- ``shared``: from one bank with the largest tensor of every slot, into which each generation's
  trained weights are written back in a fixed order.
- ``nearest``: from the most alike network of those whose weights are kept, parent or not.

A copy is meant to compute what its source did: gains follow the thresholds and leaks that a child
begins with, a read-out follows the size of the map that it reads, as does a convolution that reads
a map's bands as channels, and a convolution that no source has begins near the identity (as net2net
does: Chen, Goodfellow & Shlens, ICLR 2016).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from math import log
from pathlib import Path
from types import EllipsisType

import torch
from torch import Tensor

from evo_snn.candidate import Candidate
from evo_snn.snn import Network
from evo_snn.snn.quantization import quantized_leak
from evo_snn.snn.tensors import named_tensors, read_tensors, to_bytes
from evo_snn.store import Store
from genomes.architecture import INPUT, Architecture, Element, Layer, Node

Tensors = Mapping[str, Tensor]


class Strategy(ABC):
    """Where first weights come from. Used by the driver of a search alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    def sources(
        self, architecture: Architecture, network: Sequence[int], parents: Sequence[Candidate]
    ) -> tuple[Path, ...]:
        """The weight files that a new candidate may copy from, best first.

        Args:
            architecture: of its network.
            network: the genes of its network, without those of its chip.
            parents: with all of theirs.
        """

    def shared_bank(self, trained: Sequence[Candidate]) -> bytes | None:
        """The shared weights after a generation's newly trained candidates; None keeps the last."""
        return None


class NoInheritance(Strategy):
    """Every candidate starts afresh."""

    def sources(
        self, architecture: Architecture, network: Sequence[int], parents: Sequence[Candidate]
    ) -> tuple[Path, ...]:
        """Nothing."""
        return ()


class FromParents(Strategy):
    """From the parents' trained weights, the parent with fewer differing genes first."""

    def sources(
        self, architecture: Architecture, network: Sequence[int], parents: Sequence[Candidate]
    ) -> tuple[Path, ...]:
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

    def sources(
        self, architecture: Architecture, network: Sequence[int], parents: Sequence[Candidate]
    ) -> tuple[Path, ...]:
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
                layers = candidate.architecture.get("layers", ())
                folding = {f"{one['name']}/weight" for one in layers if one.get("folded")}
                _write_back(bank, read_tensors(weights), folding)
        return to_bytes(bank) if bank else None


class Nearest(Strategy):
    """From the most alike of all trained networks of finished generations that are kept.

    Alike is who computes the same: `unlikeness` of architectures. Of equally alike ones the more
    accurate comes first.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._known: dict[str, tuple[Architecture, float]] = {}
        self._finished = 0

    def sources(
        self, architecture: Architecture, network: Sequence[int], parents: Sequence[Candidate]
    ) -> tuple[Path, ...]:
        """The weight file of the most alike network."""
        self._learn()
        if not self._known:
            return ()

        def rank(key: str) -> tuple[float, float, str]:
            source, accuracy = self._known[key]
            return unlikeness(architecture, source), -accuracy, key

        path = self._store.weights_path(min(self._known, key=rank))
        return () if path is None else (path,)

    def _learn(self) -> None:
        """Look at what is kept of finished generations, once a generation."""
        finished = self._store.finished_generations()
        if finished == self._finished:
            return
        self._finished = finished
        ever = {key for one in self._store.generations() for key in one.keys}
        kept = ever & set(self._store.weights_digests())
        self._known = {key: self._known.get(key) or self._looked_up(key) for key in sorted(kept)}

    def _looked_up(self, key: str) -> tuple[Architecture, float]:
        candidate = self._store.candidate(key)
        architecture = Architecture.from_description(candidate.architecture)
        return architecture, candidate.metrics.get("accuracy", 0.0)


def unlikeness(child: Architecture, source: Architecture) -> float:
    """How much of what a source computes is lost when a child copies it: 0 for nothing.

    The weights are about the accuracy that children of trained digits networks lost at once by a
    change of one gene (``docs/inheritance.md``): all of it where the layers are others, half of it
    where a layer reads a map of another size, little for widths, and next to nothing for neurons,
    bits and time steps.
    """
    theirs = {layer.name: layer for layer in source.layers}
    ours = {layer.name for layer in child.layers}
    total = float(len(theirs.keys() - ours))
    for layer in child.layers:
        other = theirs.get(layer.name)
        total += 1.0 if other is None else _unlikeness_of_layers(layer, other)
    return total


def _unlikeness_of_layers(child: Layer, source: Layer) -> float:
    pooled = max((*child.pool, *source.pool), default=1) > 1
    differs = (
        (0.5, child.source != source.source),
        (0.6, (child.in_shape[1:], child.folded) != (source.in_shape[1:], source.folded)),
        (0.4, child.kernel != source.kernel),
        (0.3, pooled and child.pool_kind != source.pool_kind),
        (0.1, (child.skips, child.skip_kind) != (source.skips, source.skip_kind)),
        (0.03, child.neuron != source.neuron),
    )
    wider = abs(log(child.out_channels / source.out_channels))
    return sum(share for share, does in differs if does) + 0.1 * wider


STRATEGIES: Mapping[str, Callable[[Store], Strategy]] = {
    "none": NoInheritance,
    "parents": FromParents,
    "shared": SharedBank,
    "nearest": Nearest,
}


@torch.no_grad()
def inherit(network: Network, sources: Sequence[Tensors]) -> float:
    """Copy what overlaps into a network, layer by layer.

    A layer comes from the first source that has it and that gave what the layer reads too, for
    channels of different networks mean different things; where there are sources and none is such
    a one, a convolution begins near the identity. Channels overlap from the first on, kernels about
    their centre, and a copied channel has nothing besides. A read-out of a map of another size is
    resampled. A trained leak or threshold is copied only where the genes gave the same initial
    value; gain and offset of a channel keep their ratio to what makes its neuron fire.

    Returns:
        The share of the network's weights that was copied. Statistics of batch normalisation are
        not: they are stale wherever anything before them differs, and are measured anew.
    """
    copied = total = 0
    own = named_tensors(network)
    givers: dict[str, Tensors | None] = {}
    for layer in network.architecture.order:
        if isinstance(layer, Node):
            found = (givers.get(link.source) for link in layer.links)
            givers[layer.name] = next((one for one in found if one is not None), None)
            _copy_neuron(network, layer, givers[layer.name] or {})
            continue
        weight = own[f"{layer.name}/weight"]
        total += weight.numel()
        before = givers.get(layer.source)
        fit = (one for one in sources if layer.source == INPUT or one is before)
        name = f"{layer.name}/weight"
        source = next((one for one in fit if name in one and one[name].ndim == weight.ndim), None)
        givers[layer.name] = before if source is None else source  # an identity passes it on
        if source is not None:
            copied += _copy_weight(weight, _fitted(layer, source[name]))
            _copy_neuron(network, layer, source)
            _copy_channels(layer, own, source)
        elif sources:
            _pass_on(weight, layer)
    return copied / total


def _fitted(layer: Layer, weight: Tensor) -> Tensor:
    """A source's weight, resampled to the map that the layer reads where it is one by position."""
    sizes = (layer.folded,) if layer.folded else () if layer.kernel else layer.weight_shape[2:]
    for dimension, size in enumerate(sizes, start=2):
        weight = _resampled(weight, dimension, size)
    return weight


def _resampled(weight: Tensor, dimension: int, size: int) -> Tensor:
    """Weights by position for a map of another size: positions that become one are added up.

    A position that becomes several is shared out among them, so that a map of equal values gives
    equal scores.
    """
    old = weight.shape[dimension]
    if size < old:
        place = torch.arange(old) * size // old
        shape = [*weight.shape[:dimension], size, *weight.shape[dimension + 1 :]]
        return weight.new_zeros(shape).index_add(dimension, place, weight)
    place = torch.arange(size) * old // size
    share = 1 / torch.bincount(place, minlength=old)[place].to(weight.dtype)
    by_place = share.view(-1, *[1] * (weight.ndim - 1 - dimension))
    return weight.index_select(dimension, place) * by_place


def _pass_on(weight: Tensor, layer: Layer) -> None:
    """Turn fresh weights of a convolution into nearly the identity: each channel to its own."""
    if layer.kernel:
        weight.mul_(BESIDE_IDENTITY)
        centre = tuple(size // 2 for size in layer.kernel)
        for channel in range(min(weight.shape[:2])):
            place: tuple[int | EllipsisType, ...] = (channel, channel, ..., *centre)
            weight[place] += 1.0  # of folded bands, in all


BESIDE_IDENTITY = 0.02
"""What is left of a fresh convolution's weights beside the identity, so that channels differ.

Little, since quantization clips the identity to a few times the root mean square.
"""


def _copy_channels(layer: Layer, own: Tensors, source: Tensors) -> None:
    """Gain and offset of a layer's channels, in proportion to what makes a neuron fire."""
    ratio = _drive(own, layer.name) / _drive(source, layer.name)
    for name in (f"{layer.name}/scale", f"{layer.name}/shift"):
        if name in own and name in source:
            _copy_overlap(own[name], source[name] * ratio)


def _drive(tensors: Tensors, layer: str) -> float:
    """The input current at which a layer's neuron fires in one step, as it is trained now."""
    if f"{layer}/threshold" not in tensors:
        return 1.0
    leak = tensors.get(f"{layer}/leak")
    share = 1.0 if leak is None else float(quantized_leak(leak))
    return float(tensors[f"{layer}/threshold"]) / share


def _copy_neuron(network: Network, layer: Element, source: Tensors) -> None:
    if layer.neuron is None:
        return
    neuron = network.neuron(layer.name)
    name = f"{layer.name}/initial"
    if name in source and torch.equal(source[name], neuron.initial.cpu()):
        for trained in ("threshold", "leak"):
            value = source.get(f"{layer.name}/{trained}")
            if value is not None and getattr(neuron, trained) is not None:
                getattr(neuron, trained).copy_(value)


def _copy_weight(target: Tensor, source: Tensor) -> int:
    """Copy a weight; of output channels that the source has, nothing else remains."""
    channels = min(len(target), len(source))
    known = torch.isfinite(source[:channels]).flatten(1).any(1).to(target.device)
    target[:channels][known] = 0.0
    return _copy_overlap(target, source)


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


def _write_back(bank: dict[str, Tensor], trained: Tensors, folding: Collection[str]) -> None:
    """Write trained tensors into a bank, whose tensors grow to the largest of their slot.

    ``folding`` names the weights that read a map's bands as channels. What the bank holds of gains
    and offsets comes to stand for the neurons that are written now.
    """
    for layer in {name.rpartition("/")[0] for name in trained} & {
        name.rpartition("/")[0] for name in bank
    }:
        ratio = _drive(trained, layer) / _drive(bank, layer)
        for name in (f"{layer}/scale", f"{layer}/shift"):
            if f"{layer}/threshold" in bank and name in bank:
                bank[name] = bank[name] * ratio
    for name, tensor in trained.items():
        held = bank.get(name)
        if held is None or held.ndim != tensor.ndim or not _same_map(name, held, tensor, folding):
            bank[name] = tensor.clone()
            continue
        shape = [max(a, b) for a, b in zip(held.shape, tensor.shape, strict=True)]
        grown = torch.full(shape, torch.nan, dtype=held.dtype)
        for part in (held, tensor):
            _copy_overlap(grown, part)
        bank[name] = grown


def _same_map(name: str, held: Tensor, tensor: Tensor, folding: Collection[str]) -> bool:
    """Whether two weights of a slot may share a tensor: those by position for maps of one size."""
    read_out = name.startswith(("readout/", "exit"))
    positions = slice(2, None) if read_out else slice(2, 3)
    by_position = read_out or name in folding
    return not by_position or held.shape[positions] == tensor.shape[positions]
