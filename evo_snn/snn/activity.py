"""Spike rates of a network, measured while it runs.

Rates are what a chip's energy depends on. The *input rate* of a layer is the mean share of its
input's bit lines that are 1: for spikes, spikes per input and time step; for a map or an analog
input of b bits, which a chip reads bit by bit, set bits over b. The *output rate* is spikes per
neuron and time step.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from genomes.architecture import INPUT, Layer, Node


class Activity:
    """An observer of ``Network.forward`` that adds up what each layer reads and fires.

    Args:
        carriers: node → the layer with which its neurons' spikes are counted, the architecture's.
    """

    def __init__(self, carriers: Mapping[str, str] | None = None) -> None:
        self._carriers = dict(carriers or {})
        self._set_bits: dict[str, int] = {}
        self._bits: dict[str, int] = {}
        self._spikes: dict[str, int] = {}
        self._neurons: dict[str, int] = {}

    def __call__(self, layer: Layer | Node, source: Tensor | None, spikes: Tensor | None) -> None:
        """Count one batch of a layer's input (N, …) and spikes (N, …); a node has no input."""
        name = layer.name if isinstance(layer, Layer) else self._carriers[layer.name]
        if isinstance(layer, Layer) and source is not None:
            self._set_bits[name] = self._set_bits.get(name, 0) + set_bits(layer, source)
            self._bits[name] = self._bits.get(name, 0) + layer.input_bits * source.numel()
        if spikes is not None:
            self._spikes[name] = self._spikes.get(name, 0) + ones(spikes)
            self._neurons[name] = self._neurons.get(name, 0) + spikes.numel()

    def rates(self) -> dict[str, tuple[float, float]]:
        """Layer name → (input rate, output rate), both in [0, 1]; a read-out's output rate is 0."""
        return {
            name: (
                self._set_bits[name] / bits,
                self._spikes[name] / self._neurons[name] if name in self._spikes else 0.0,
            )
            for name, bits in self._bits.items()
        }


def set_bits(layer: Layer, source: Tensor) -> int:
    """Number of ones in the binary form of everything that a layer reads, (N, *in_shape)."""
    if layer.input_bits == 1:
        return ones(source)
    largest = 2**layer.input_bits - 1
    codes = (source * largest if layer.source == INPUT else source).round().int()
    return sum(int((codes >> bit & 1).sum()) for bit in range(layer.input_bits))


def ones(spikes: Tensor) -> int:
    """Number of ones among spikes (N, …), 0 or 1; exact, which a float32 sum of all is not."""
    return int(spikes.flatten(1).sum(1).long().sum())
