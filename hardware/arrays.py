"""Workloads as arrays over (candidate, layer), so that a model costs a population in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from genomes.workload import ConvLayer, Layer, Workload

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LayerArrays:
    """Layers of n workloads, padded to the longest; float64 (n, L) but where said otherwise.

    Padding has size 1 and rate 0; a model multiplies what it counts by `present`. Sizes are whole
    numbers well below 2**53, so float64 holds them exactly.

    Attributes:
        timesteps: Time steps of one inference, (n, 1).
        steps: Time steps that one inference takes on average, with early exits, (n, 1).
        present: 1 where there is a layer, else 0.
        digital: 1 where the layer is in the digital domain, else 0.
        static: 1 where the input is the same in every step, else 0.
        average_pool: 1 where pooling precedes the neuron, else 0.
        in_channels: Input channels (features) of all groups.
        out_channels: Output channels (features) of all groups.
        groups: Groups.
        kernel: Kernel positions.
        input_positions: Positions of the input map.
        height: First side of the input map; 1 for linear layers.
        kernel_height: First side of the kernel; 1 for linear layers.
        positions: Output positions before pooling.
        unpadded_positions: Output positions of the same layer without padding, at least 1.
        stored_positions: Output positions after pooling.
        window: Positions of one pooling window.
        weight_bits: Bits of a weight.
        input_bits: Bits of an input.
        input_rate: Fraction of input lines that are 1 in a read.
        output_rate: Spikes per output neuron and step.
        state_bits: State bits of a neuron.
        residual_inputs: Further spike maps combined with the output.
    """

    timesteps: Floats
    steps: Floats
    present: Floats
    digital: Floats
    static: Floats
    average_pool: Floats
    in_channels: Floats
    out_channels: Floats
    groups: Floats
    kernel: Floats
    input_positions: Floats
    height: Floats
    kernel_height: Floats
    positions: Floats
    unpadded_positions: Floats
    stored_positions: Floats
    window: Floats
    weight_bits: Floats
    input_bits: Floats
    input_rate: Floats
    output_rate: Floats
    state_bits: Floats
    residual_inputs: Floats

    @property
    def memory(self) -> Floats:
        """1 where a layer is on crossbars, else 0."""
        return self.present - self.digital

    @property
    def rows(self) -> Floats:
        """Weights of one output channel."""
        return self.in_channels / self.groups * self.kernel

    @property
    def weights(self) -> Floats:
        """Weights of each layer; padding has 1."""
        return self.rows * self.out_channels

    @property
    def neurons(self) -> Floats:
        """Neurons of each layer; padding has 1."""
        pooled = self.average_pool > 0
        return self.out_channels * np.where(pooled, self.stored_positions, self.positions)

    def silent(self) -> LayerArrays:
        """Return the same layers without a single spike."""
        zero = np.zeros_like(self.present)
        return replace(self, input_rate=zero, output_rate=zero)


#: The array fields that a layer fills, in the order of `_row`.
_FIELDS = tuple(
    field.name for field in fields(LayerArrays) if field.name not in {"timesteps", "steps"}
)
_PADDING = tuple(
    float(name not in {"present", "digital", "static", "average_pool", "input_rate",
                       "output_rate", "state_bits", "residual_inputs"})
    for name in _FIELDS
)  # fmt: skip

# one look into a layer's fields: a search costs populations, and attributes are slow one by one
_COMMON = itemgetter(
    "domain", "static_input", "pool_kind", "weight_bits", "input_bits", "input_rate",
    "output_rate", "neuron_state_bits", "residual_inputs",
)  # fmt: skip
_CONVOLUTION = itemgetter(
    "in_channels", "out_channels", "groups", "kernel", "stride", "in_size", "out_size", "pool"
)


def pack(workloads: Sequence[Workload]) -> LayerArrays:
    """Pack n workloads into arrays over (candidate, layer)."""
    counts = np.array([len(workload.layers) for workload in workloads], dtype=np.intp)
    flat = [number for one in workloads for layer in one.layers for number in _row(layer)]
    longest = int(counts.max(initial=1))
    present = np.arange(longest) < counts[:, None]
    table = np.empty((len(_FIELDS), len(workloads), longest))
    table[:] = np.array(_PADDING)[:, None, None]
    table[:, present] = np.fromiter(flat, np.float64, len(flat)).reshape(-1, len(_FIELDS)).T
    columns = dict(zip(_FIELDS, table, strict=True))
    timesteps = np.array([[float(one.timesteps)] for one in workloads]).reshape(-1, 1)
    steps = np.array([[float(one.steps)] for one in workloads]).reshape(-1, 1)
    return LayerArrays(timesteps=timesteps, steps=steps, **columns)


def total(values: Floats) -> Floats:
    """Sum (n, L) over layers to (n,), strictly in order.

    The order makes a candidate's sum the same to the last bit whatever the padding is; numpy's own
    sum pairs terms in a way that depends on their number.
    """
    return np.cumsum(values, axis=1)[:, -1]


def _row(layer: Layer) -> tuple[float, ...]:
    values = layer.__dict__
    domain, static, pool_kind, weight_bits, input_bits, rate, out_rate, state, residual = _COMMON(
        values
    )
    sizes: tuple[float, ...]
    if isinstance(layer, ConvLayer):
        inputs, outputs, groups, kernel, stride, in_size, out_size, pool = _CONVOLUTION(values)
        stored, unpadded = 1, 1.0
        for size, side, step, out, window in zip(
            in_size, kernel, stride, out_size, pool, strict=True
        ):
            stored *= out // window
            unpadded *= max(0, size - side + 1) / step
        sizes = (
            inputs,
            outputs,
            groups,
            prod(kernel),
            prod(in_size),
            in_size[0],
            kernel[0],
            prod(out_size),
            max(1, int(unpadded)),
            stored,
            prod(pool),
        )
    else:
        sizes = (*layer.channels, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    return (
        1.0,
        domain == "digital",
        static,
        pool_kind == "average",
        *sizes,
        weight_bits,
        input_bits,
        rate,
        out_rate,
        state,
        residual,
    )
