"""Networks of linear layers alone: a search space for evo_snn."""

from functools import cached_property

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from genomes.architecture import INPUT, Architecture, Layer, Neuron
from genomes.genes import Gene
from genomes.space import SearchSpace


class DenseOptions(BaseModel):
    """The options of the ``dense`` space."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_layers: int = Field(2, ge=1, le=8, description="most hidden layers")
    widths: tuple[int, ...] = Field((8, 16, 32), min_length=1, description="neurons of a layer")
    weight_bits: tuple[int, ...] = Field((2, 4, 8), min_length=1, description="bits of a weight")
    time_steps: tuple[int, ...] = Field((2, 4), min_length=1, description="time steps")


class DenseSpace(SearchSpace):
    """Hidden linear layers of spiking neurons, one after the other, for samples of any shape."""

    name = "dense"
    version = 1
    Options = DenseOptions
    options: DenseOptions

    @cached_property
    def genes(self):
        """Time steps, number of layers, width and bits of each, bits of the read-out."""
        each = range(1, self.options.max_layers + 1)
        return (
            Gene("time_steps", self.options.time_steps),
            Gene("layers", tuple(each)),
            Gene("readout.weight_bits", self.options.weight_bits),
            *(Gene(f"layer{k}.width", self.options.widths) for k in each),
            *(Gene(f"layer{k}.weight_bits", self.options.weight_bits) for k in each),
        )

    def active(self, genome):
        """All but the genes of layers that are not there."""
        hidden = [f"layer{k}." for k in range(1, self.values(genome)["layers"] + 1)]
        shared = ("time_steps", "layers", "readout.weight_bits")
        return np.array([g.name in shared or g.name.startswith(tuple(hidden)) for g in self.genes])

    def decode(self, genome):
        """The architecture of a genome (genes,)."""
        values = self.values(self.canonical(genome))
        layers, source, shape, bits = [], INPUT, self.input_shape, 8
        neuron = Neuron("lif_box", leak=0.5, threshold=0.5, state_bits=12)
        for k in range(1, values["layers"] + 1):
            width, weight_bits = values[f"layer{k}.width"], values[f"layer{k}.weight_bits"]
            layers.append(_linear(f"layer{k}", source, shape, width, weight_bits, bits, neuron))
            source, shape, bits = f"layer{k}", layers[-1].stored_shape, 1
        weight_bits = values["readout.weight_bits"]
        layers.append(_linear("readout", source, shape, self.classes, weight_bits, bits, None))
        return Architecture(self.input_shape, self.classes, values["time_steps"], 8, tuple(layers))


def _linear(name, source, in_shape, width, weight_bits, input_bits, neuron):
    return Layer(
        name=name,
        source=source,
        in_shape=in_shape,
        out_channels=width,
        kernel=(),
        stride=(),
        padding=(),
        weight_bits=weight_bits,
        input_bits=input_bits,
        pool=(),
        pool_kind="average",
        neuron=neuron,
        peak=1 if neuron else 0,
    )
