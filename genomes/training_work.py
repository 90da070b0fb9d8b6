"""What a gradient step computes: operations of the forward and backward passes of one sample.

Backpropagation through time computes three products of each matrix layer and time step: the
current (forward), the gradient of the weights, and the gradient of what the layer reads (R. Yin et
al., SATA: sparsity-aware training accelerator for SNNs, IEEE TCAD 42, 2023, arXiv:2204.05422).
Each takes as many operations as the layer has synaptic operations; what reads the input has no
third one. So the backward pass is about twice the forward one, as in other networks. A layer that
reads a static input computes its current once, and its weights' gradient once, from the sum over
time.

In the first two products one factor is what the layer reads. Where that is spikes, an operation is
an addition, and one whose spike is absent may be left out. All others multiply real numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from genomes.architecture import INPUT, Architecture
from genomes.workload import Workload

NEURON_OPERATIONS = 3
"""Multiply-accumulates a state variable and time step: v + leak (i - v) forward; backward the
gradient through the leak to the step before, and that through the surrogate of the spike."""


@dataclass(frozen=True)
class TrainingWork:
    """Operations of the forward and backward passes of one sample.

    Attributes:
        products: synaptic multiply-accumulates of real numbers.
        additions: synaptic operations on spikes, every input active.
        active_additions: those whose spike is there, at the workload's spike rates.
        neuron_operations: multiply-accumulates of neurons' states.
    """

    products: float
    additions: float
    active_additions: float
    neuron_operations: float

    @property
    def operations(self) -> float:
        """All operations, whether spikes are there or not."""
        return self.products + self.additions + self.neuron_operations


def training_work(architecture: Architecture, workload: Workload) -> TrainingWork:
    """What training takes for one sample, all time steps, whatever exits an inference has.

    Not counted: normalisation, pooling, sums of currents, the loss, the optimizer's update of each
    weight, looks at the validation part, and all transport of data.

    Args:
        architecture: what is trained.
        workload: of the same layers, with their spike rates.
    """
    products = additions = active = 0.0
    for (layer, _), load in zip(architecture.parts, workload.layers, strict=True):
        reads_input = layer.source == INPUT
        steps = 1 if reads_input and architecture.static else architecture.time_steps
        operations = float(load.operations * steps)
        if load.input_bits == 1:  # current, and gradient of the weights
            additions += 2 * operations
            active += 2 * operations * load.input_rate
        else:
            products += 2 * operations
        if not reads_input:
            products += operations
    neurons = NEURON_OPERATIONS * architecture.time_steps * _state_variables(architecture)
    return TrainingWork(products, additions, active, float(neurons))


def _state_variables(architecture: Architecture) -> int:
    """State variables of all neurons, those of nodes included."""
    layers = {layer.name: layer for layer in architecture.layers}
    own = sum(
        prod(layer.neuron_shape) * layer.neuron.variables
        for layer in architecture.layers
        if layer.neuron
    )
    return own + sum(
        prod(layers[architecture.carriers[node.name]].neuron_shape) * node.neuron.variables
        for node in architecture.nodes
        if node.neuron
    )
