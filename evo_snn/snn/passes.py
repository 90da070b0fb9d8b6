"""One forward pass of a network: the maps and currents that its layers and nodes have given so far.

Time is folded into the batch for everything without a state, the neurons run over all time steps,
and what direct encoding repeats (a layer on the analog input) is computed once. Only what lies in a
loop of temporal feedback runs time step by time step, with states carried along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from evo_snn.snn.layers import DeployedLayer, TrainableLayer
from genomes.architecture import INPUT, Architecture, Element, Layer, Link, Node

if TYPE_CHECKING:
    from evo_snn.snn.kernels.reference import State
    from evo_snn.snn.network import Network

_MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

Observer = Callable[[Layer | Node, Tensor | None, Tensor | None], None]
"""Called for each layer and node with what it reads, (N, *in_shape), None for a node; and with its
neurons' spikes, (N, *neuron_shape), None where it has none. N is the batch where nothing depends on
the time step, else steps x batch."""


@dataclass
class Pass:
    """What is known so far, every tensor (N, …): N is the batch, or steps x batch.

    Attributes:
        network: whose.
        batch: samples.
        steps: time steps that are run at once.
        kernel: what computes neurons over all of them.
        observe: called for what each layer reads and fires.
        maps: what layers read, by the name of who gives it.
        currents: what links bring, by the name of who gives it.
        scores: (1 or steps, batch, classes) of each read-out.
        weights: (steps,), what an input spike is worth in each step; None for 1.
    """

    network: Network
    batch: int
    steps: int
    kernel: str
    observe: Observer | None
    maps: dict[str, Tensor] = field(default_factory=dict)
    currents: dict[str, Tensor] = field(default_factory=dict)
    scores: dict[str, Tensor] = field(default_factory=dict)
    weights: Tensor | None = None

    @property
    def architecture(self) -> Architecture:
        """The network's."""
        return self.network.architecture

    def run(self) -> None:
        """Compute everything from the input's map on."""
        for elements, stepwise in self.architecture.blocks:
            if stepwise:
                self._run_by_step(elements)
            else:
                for element in elements:
                    self.compute(element)

    def compute(self, element: Element) -> None:
        """Compute one layer or node."""
        if isinstance(element, Node):
            self._sum(element)
        else:
            self._multiply(element)

    def map(self, name: str) -> Tensor:
        """The map of that name."""
        return self.maps[name]

    def link(self, link: Link) -> Tensor:
        """The current that a link brings, before averaging."""
        current = self.currents[link.source]
        if not link.delayed:
            return current
        steps = current.unflatten(0, (-1, self.batch))
        steps = steps.expand(self.steps, *steps.shape[1:])
        return torch.cat([torch.zeros_like(steps[:1]), steps[:-1]]).flatten(0, 1)

    def spikes(self, name: str, current: Tensor, unit: Tensor) -> Tensor:
        """Spikes (steps x batch, …) of the neurons of that name."""
        neuron = self.network.neuron(name)
        current = current.unflatten(0, (-1, self.batch))
        return neuron(current, self.steps, unit, self.kernel).flatten(0, 1)

    def _multiply(self, layer: Layer) -> None:
        source = self.map(layer.source)
        source = with_bands_folded(source) if layer.folded else source
        module = self.network.layer(layer.name)
        spikes: Tensor | None = None
        if layer.is_readout:
            self.scores[layer.name] = module(source).unflatten(0, (-1, self.batch))
        else:
            values, unit = module.product(source)
            if layer.source == INPUT and self.weights is not None:
                by_step = values.unflatten(0, (-1, self.batch))
                weights = self.weights.view(-1, *[1] * (by_step.ndim - 1))
                values = (by_step * weights).flatten(0, 1)
            if layer.neuron is None or layer.name in self.network.linked:
                self.currents[layer.name] = module.normalised(values, *self.part)
            if layer.neuron is not None:
                spikes = self._fire(layer, module, values, unit)
                self.maps[layer.name] = self._stored(layer, spikes)
        if self.observe:
            self.observe(layer, source, spikes)

    def _fire(
        self,
        layer: Layer,
        module: TrainableLayer | DeployedLayer,
        values: Tensor,
        unit: Tensor,
    ) -> Tensor:
        current = self.currents.get(layer.name)
        if current is None:
            if self.fuses and module.training and isinstance(module, TrainableLayer):
                neuron = self.network.neuron(layer.name)
                return neuron.fire_normalised(values, self.batch, self.steps, module, unit)
            current = module.normalised(values, *self.part)
        return self.spikes(layer.name, current, unit)

    @property
    def part(self) -> tuple[int, int]:
        """Which part of a batch's values a layer gives at once, and of how many."""
        return 0, 1

    @property
    def fuses(self) -> bool:
        """Whether normalisation and neurons of a training step are one."""
        return self.kernel == "numba"

    def _sum(self, node: Node) -> None:
        total: Tensor | None = None
        for link in node.links:
            current = self.map(link.source) if link.spikes else self.link(link)
            current = _averaged(current, link.window)
            current = current.unflatten(0, (-1, self.batch))  # of one step where all are equal
            total = current if total is None else total + current
        assert total is not None  # noqa: S101 - a node has a link
        current = self.currents[node.name] = total.flatten(0, 1)
        if node.neuron is None:
            return
        spikes = self.spikes(node.name, current, self.network.unit(node.name))
        self.maps[node.name] = self._pooled(spikes, node.pool)
        if self.observe:
            self.observe(node, None, spikes)

    def _stored(self, layer: Layer, spikes: Tensor) -> Tensor:
        """The map that later layers read: spikes, OR-pooled, with the skip links merged."""
        stored = self._pooled(spikes, layer.pool) if layer.pool_kind == "max" else spikes
        for skip in layer.skips:
            merge = torch.add if layer.skip_kind == "add" else torch.maximum
            stored = merge(stored, self.map(skip))
        return stored

    def _pooled(self, spikes: Tensor, window: tuple[int, ...]) -> Tensor:
        return _or_pooled(spikes, window, self.kernel) if max(window, default=1) > 1 else spikes

    def _run_by_step(self, elements: tuple[Element, ...]) -> None:
        states: dict[str, State] = {}
        done: list[_Step] = []
        for time in range(self.steps):
            step = _Step(
                self.network,
                self.batch,
                1,
                self.kernel,
                self.observe,
                weights=None if self.weights is None else self.weights[time : time + 1],
                outer=self,
                time=time,
                before=done[-1] if done else None,
                states=states,
            )
            for element in elements:
                step.compute(element)
            done.append(step)
        for gathered in ("maps", "currents"):
            for name in getattr(done[-1], gathered):
                steps = [getattr(step, gathered)[name] for step in done]
                getattr(self, gathered)[name] = torch.cat(steps)
        for name in done[-1].scores:
            self.scores[name] = torch.cat([step.scores[name] for step in done])


@dataclass
class _Step(Pass):
    """One time step of a part of a network; what lies outside of it is known for all of them.

    Attributes:
        outer: the pass of all time steps.
        time: of the step.
        before: the time step before; None for the first.
        states: of neurons, by name; they go on from step to step.
    """

    outer: Pass | None = None
    time: int = 0
    before: _Step | None = None
    states: dict[str, State] = field(default_factory=dict)

    @property
    def part(self) -> tuple[int, int]:
        """One time step of all."""
        return self.time, cast(Pass, self.outer).steps

    @property
    def fuses(self) -> bool:
        """A step's neurons begin where the last step's ended, which the fused loops do not."""
        return False

    def map(self, name: str) -> Tensor:
        """The map of that name in this time step."""
        if name in self.maps:
            return self.maps[name]
        return self._outside(cast(Pass, self.outer).maps[name], self.time)

    def link(self, link: Link) -> Tensor:
        """The current that a link brings to this time step."""
        outside = cast(Pass, self.outer).currents.get(link.source)
        if outside is not None:
            time = self.time - link.delayed
            known = self._outside(outside, max(time, 0))
            return known if time >= 0 else torch.zeros_like(known)
        if not link.delayed:
            return self.currents[link.source]
        if self.before is not None:
            return self.before.currents[link.source]
        shape = self.architecture.current_shapes[link.source]
        return self.network.unit(link.source).new_zeros(self.batch, *shape)

    def spikes(self, name: str, current: Tensor, unit: Tensor) -> Tensor:
        """Spikes (batch, …) of the neurons of that name, whose states go on."""
        neuron = self.network.neuron(name)
        state = self.states[name] if self.time else neuron.start(current)
        spikes, self.states[name] = neuron.step(current, state, unit)
        return spikes

    def _outside(self, steps: Tensor, time: int) -> Tensor:
        """The time step of what is known for all of them, or the same for each."""
        return steps if len(steps) == self.batch else steps[time * self.batch :][: self.batch]


def _averaged(current: Tensor, window: int) -> Tensor:
    """The mean of a window about each position, zeros beyond the border."""
    if window == 1:
        return current
    pool = _AVERAGE[current.ndim - 2]
    return pool(current, window, stride=1, padding=window // 2)


def _or_pooled(spikes: Tensor, window: tuple[int, ...], kernel: str) -> Tensor:
    if kernel == "numba":
        from evo_snn.snn.kernels.pooling import or_pooled

        return or_pooled(spikes, window)
    return _MAXIMUM[len(window)](spikes, window)


def with_bands_folded(x: Tensor) -> Tensor:
    """(N, C, B, *rest) as (N, C * B, *rest), its channels innermost in memory as they were."""
    spatial = range(3, x.ndim)
    ordered = x.permute(0, *spatial, 1, 2).flatten(-2)  # torch's own fold puts channels outermost
    return ordered.permute(0, ordered.ndim - 1, *range(1, ordered.ndim - 1))
