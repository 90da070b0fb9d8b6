"""Energy of a spiking network against the CNN of the same architecture, by operation counts.

As the literature on conversion compares them (G. Datta et al., ACE-SNN, Front. Neurosci. 16,
815258, 2022): a multiply-accumulate for each product of a CNN, an accumulate for each spike that
reaches a weight, at the energy that an operation takes in one digital technology; memories, neurons
and control are left out. A layer of the spiking network that reads the analog input multiplies too,
once an inference, and may do so in memory instead.

- *Full precision* has 32-bit weights, activations and sums.
- *Equally quantized* is `genomes.cnn`'s: a product of a weight of b and an activation of c bits is
  added to a sum of b + c + ceil(log2 fan-in) bits.
- A spike adds a weight of b bits to a sum of b + ceil(log2 fan-in) bits. A map that adds up spikes
  is read bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2

from genomes.architecture import Architecture
from genomes.cnn import read_bits, require_static
from genomes.errors import RequestError
from genomes.workload import ConvLayer, LinearLayer, Workload
from hardware import Chip, details, load_chip
from hardware.digital import operation_pj

TECHNOLOGY = "digital_horowitz_isscc_2014"
"""The digital technology: 45 nm."""

MEMORY = "rram_neurosim_45nm"
"""What computes the first layer in memory: crossbars at the same node."""

FULL_PRECISION = 32
"""Bits of everything in a full-precision CNN; integers, as the technology has them."""

_NEURONS = ("neuron", "membrane")
_UJ_PER_PJ = 1e-6

AnyLayer = ConvLayer | LinearLayer


@dataclass(frozen=True)
class CNNEnergy:
    """Energies of one inference in uJ by layer, of operations alone.

    Attributes:
        technology, memory: names of the chips that give an operation's energy.
        cnn: of the full-precision CNN.
        quantized_cnn: of the equally quantized one.
        snn: of the spiking network, all of it digital.
        in_memory: of the layers whose input is analog, in memory instead, with converters, wires
            and leakage but without neurons; by name.
    """

    technology: str
    memory: str
    cnn: Mapping[str, float]
    quantized_cnn: Mapping[str, float]
    snn: Mapping[str, float]
    in_memory: Mapping[str, float]

    @property
    def totals_uj(self) -> dict[str, float]:
        """By network."""
        return {
            "full-precision CNN": sum(self.cnn.values()),
            "equally quantized CNN": sum(self.quantized_cnn.values()),
            "SNN": sum(self.snn.values()),
            "SNN, first layer in memory": sum({**self.snn, **self.in_memory}.values()),
        }

    @property
    def ratios(self) -> dict[str, float]:
        """How many times the spiking network's energy each CNN takes."""
        full, equal, snn, moved = self.totals_uj.values()
        return {
            "full-precision CNN / SNN": full / snn,
            "equally quantized CNN / SNN": equal / snn,
            "full-precision CNN / SNN, first layer in memory": full / moved,
            "equally quantized CNN / SNN, first layer in memory": equal / moved,
        }

    def to_dict(self) -> dict[str, object]:
        """As a JSON document."""
        return {
            "technology": self.technology,
            "memory": self.memory,
            "energy_uj": self.totals_uj,
            "ratios": self.ratios,
            "layers": [
                {
                    "name": name,
                    "cnn_uj": self.cnn[name],
                    "quantized_cnn_uj": self.quantized_cnn[name],
                    "snn_uj": self.snn[name],
                    "in_memory_uj": self.in_memory.get(name),
                }
                for name in self.snn
            ],
        }


def cnn_energy(
    architecture: Architecture,
    rates: Mapping[str, tuple[float, float]],
    technology: Chip | str = TECHNOLOGY,
    memory: Chip | str = MEMORY,
    ends: Sequence[float] = (),
) -> CNNEnergy:
    """Compare a spiking network with the CNNs of its architecture.

    Args:
        architecture: of the spiking network.
        rates: layer name → (input rate, output rate), as measured.
        technology: a chip of the digital model.
        memory: the chip that the first layer may be computed on.
        ends: share of the spiking network's inferences that end at each decision; empty where all
            are whole, as the CNNs' are.

    Raises:
        RequestError: the architecture has no CNN, or the technology is no digital one.
    """
    require_static(architecture)
    digital = load_chip(technology) if isinstance(technology, str) else technology
    if digital.model != "digital":
        raise RequestError("technology", digital.name, "a chip of the model 'digital'")
    workload = architecture.workload.with_rates(rates)
    workload = architecture.ended(workload, ends) if ends else workload
    read = read_bits(architecture)
    # a layer with groups of channels of other bits is several in a workload
    bits = {part.name: read[one.name] for one in architecture.layers for part in one.parts}
    return CNNEnergy(
        technology=digital.name,
        memory=memory if isinstance(memory, str) else memory.name,
        cnn={one.name: _multiplied(one, digital, None) for one in workload.layers},
        quantized_cnn={
            one.name: _multiplied(one, digital, bits[one.name]) for one in workload.layers
        },
        snn={
            one.name: _multiplied(one, digital, one.input_bits)
            if one.static_input
            else _accumulated(one, digital, workload.steps * one.executed)
            for one in workload.layers
        },
        in_memory={
            one.name: _in_memory(one, memory) for one in workload.layers if one.static_input
        },
    )


def _multiplied(layer: AnyLayer, chip: Chip, input_bits: int | None) -> float:
    """Each product once; None for full precision."""
    if input_bits is None:
        each = operation_pj(chip, FULL_PRECISION, (FULL_PRECISION, FULL_PRECISION))
    else:
        widths = (layer.weight_bits, input_bits)
        each = operation_pj(chip, sum(widths) + _growth(layer), widths)
    return layer.operations * each * _UJ_PER_PJ


def _accumulated(layer: AnyLayer, chip: Chip, steps: float) -> float:
    """An addition for each input line that is 1."""
    each = operation_pj(chip, layer.weight_bits + _growth(layer))
    lines = layer.input_bits * layer.input_rate
    return layer.operations * lines * steps * each * _UJ_PER_PJ


def _growth(layer: AnyLayer) -> int:
    """Bits that a sum over a layer's inputs has more than what is added."""
    return ceil(log2(layer.rows))


def _in_memory(layer: AnyLayer, memory: Chip | str) -> float:
    """What the products of a layer take that is read once, without its neurons."""
    (found,) = details([Workload(timesteps=1, layers=(layer,))], memory)
    return sum(sum(parts) for name, parts in found.energy_uj.items() if name not in _NEURONS)
