"""Workloads as arrays over (candidate, layer), so that a model costs a population in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from math import prod
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from genomes.workload import Layer, Workload

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LayerArrays:
    """Layers of n workloads, padded to the longest; float64 (n, L) but where said otherwise.

    Padding has size 1 and rate 0; a model multiplies what it counts by `present`. Sizes are whole
    numbers well below 2**53, so float64 holds them exactly.

    Attributes:
        timesteps: Time steps of one inference, (n, 1).
        steps: Time steps that one inference takes in a layer on average, with early exits, (n, L).
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
        current_inputs: Further currents added to what drives the neurons.
        populations: Neurons an output value.
        executed: Share of the inferences that come to the layer.
        column_share: Share of the columns of each block of rows that exist.
        column_rows: Rows of such a block.
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
    current_inputs: Floats
    populations: Floats
    executed: Floats
    column_share: Floats
    column_rows: Floats

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
    def runs(self) -> Floats:
        """How often the product of one inference is computed: once where the input is static."""
        return np.where(self.static > 0, self.executed, self.steps)

    @property
    def driven(self) -> Floats:
        """Values that drive neurons; padding has 1."""
        pooled = self.average_pool > 0
        return self.out_channels * np.where(pooled, self.stored_positions, self.positions)

    @property
    def neurons(self) -> Floats:
        """Neurons of each layer, all populations; padding has 1."""
        return self.populations * self.driven

    @property
    def updates(self) -> Floats:
        """Additions to a membrane in a time step, a driven value: of each neuron and current."""
        return self.populations + self.current_inputs

    def silent(self) -> LayerArrays:
        """Return the same layers without a single spike."""
        zero = np.zeros_like(self.present)
        return replace(self, input_rate=zero, output_rate=zero)


#: The array fields by where they come from: a layer's own numbers, and its shape.
_OWN = (
    "in_channels", "out_channels", "groups", "weight_bits", "input_bits", "input_rate",
    "output_rate", "state_bits", "residual_inputs", "current_inputs", "populations", "executed",
    "column_share", "column_rows", "digital", "static", "average_pool",
)  # fmt: skip
_SHAPE = (
    "kernel", "kernel_height", "input_positions", "height", "positions", "unpadded_positions",
    "stored_positions", "window",
)  # fmt: skip
_ZERO = ("input_rate", "output_rate", "state_bits", "residual_inputs", "current_inputs", "digital",
         "static", "average_pool")  # fmt: skip

# one look into a layer's fields: a search costs populations, and attributes are slow one by one
_COMMON = itemgetter(
    "weight_bits", "input_bits", "input_rate", "output_rate", "neuron_state_bits",
    "residual_inputs", "current_inputs", "populations", "executed", "column_share", "column_rows",
    "domain", "static_input", "pool_kind",
)  # fmt: skip
_CHANNELS = itemgetter("in_channels", "out_channels", "groups")
_SIZES = itemgetter("kernel", "stride", "in_size", "out_size", "pool")

_Sizes = tuple[tuple[int, ...], ...]


def pack(workloads: Sequence[Workload]) -> LayerArrays:
    """Pack n workloads into arrays over (candidate, layer)."""
    counts = np.array([len(workload.layers) for workload in workloads], dtype=np.intp)
    longest = int(counts.max(initial=1))
    here = np.arange(longest) < counts[:, None]
    shapes: dict[_Sizes, int] = {(): 0}  # layers have few different shapes
    rows = [_row(layer, shapes) for workload in workloads for layer in workload.layers]
    width = len(_OWN) + 1
    flat = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width)
    own = np.ones((width, len(workloads), longest))
    for name in _ZERO:
        own[_OWN.index(name)] = 0.0
    own[-1] = 0.0
    own[:, here] = flat.reshape(-1, width).T
    table = np.array([_shape(sizes) for sizes in shapes], dtype=np.float64).T
    by_shape = table[:, own[-1].astype(np.intp)]
    by_name = dict(zip(_OWN, own[:-1], strict=True))
    return LayerArrays(
        timesteps=_column([one.timesteps for one in workloads]),
        steps=_column([one.steps for one in workloads]) * by_name["executed"],
        present=here.astype(np.float64),
        **by_name,
        **dict(zip(_SHAPE, by_shape, strict=True)),
    )


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def _row(layer: Layer, shapes: dict[_Sizes, int]) -> tuple[float, ...]:
    """A layer's own numbers in the order of `_OWN`, and the place of its shape in `shapes`."""
    values = layer.__dict__
    *numbers, domain, static, pool_kind = _COMMON(values)
    if "kernel" in values:
        channels = _CHANNELS(values)
        sizes = _SIZES(values)
    else:
        channels, sizes = (*layer.channels, 1), ()
    place = shapes.setdefault(sizes, len(shapes))
    digital, average = domain == "digital", pool_kind == "average"
    return (*channels, *numbers, digital, static, average, place)


@lru_cache(maxsize=4096)  # the layers of a search have few different shapes
def _shape(sizes: _Sizes) -> tuple[float, ...]:
    """What `_SHAPE` names, of a convolution's sizes; of a linear layer's, which has none."""
    if not sizes:
        return (1,) * len(_SHAPE)
    kernel, stride, in_size, out_size, pool = sizes
    steps = (
        (size - side + 1) / step for size, side, step in zip(in_size, kernel, stride, strict=True)
    )
    return (
        prod(kernel),
        kernel[0],
        prod(in_size),
        in_size[0],
        prod(out_size),
        max(1, int(prod(max(one, 0.0) for one in steps))),
        prod(out // window for out, window in zip(out_size, pool, strict=True)),
        prod(pool),
    )


def total(values: Floats) -> Floats:
    """Sum (n, L) over layers to (n,), strictly in order.

    The order makes a candidate's sum the same to the last bit whatever the padding is; numpy's own
    sum pairs terms in a way that depends on their number.
    """
    return values.cumsum(axis=1)[:, -1]
