"""Is the first layer better in memory? ACE-SNN's comparison in kind, with its assumptions varied.

A direct-encoded network classifies hyperspectral patches: its first layer multiplies pixels of
several bits, all others add spikes. Everything runs on a digital accelerator; then the products of
the first layer move into crossbars, and nothing else changes. What that does to energy, delay and
their product stands next to the published figures; docs/ace_snn.md has the table and the reasons.

    python runs/benchmarks/ace_snn_first_layer.py
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genomes.workload import ConvLayer, LinearLayer, Workload
from hardware import Chip, details, estimate, load_chip

#: G. Datta et al., ACE-SNN, Frontiers in Neuroscience 16 (2022), abstract: change in energy, delay
#: and their product, averaged over three data sets, when the first layer moves into memory.
PAPER = (-0.30, -0.07, -0.38)

BANDS, PATCH, CLASSES = 200, 5, 16
"""Indian Pines: bands without those that water absorbs; side of a patch; classes."""

STEPS, WEIGHT_BITS = 5, 6
"""ACE-SNN's abstract."""

#: Components of a layer that are no part of its products.
NEURONS = ("neuron", "membrane")


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        name: What differs from the base case.
        hybrid: Whether the network goes from three dimensions to two after two layers.
        rate: Spikes per neuron and step.
        pixel_bits: Bits of an input.
        digital, memory: Chips and their overrides.
        at_once: Whether the crossbars take all bits of a pixel in one read, as an analog voltage.
    """

    name: str
    hybrid: bool = False
    rate: float = 0.1
    pixel_bits: int = 8
    digital: str = "digital_horowitz_isscc_2014"
    digital_overrides: Mapping[str, Any] = field(default_factory=dict)
    memory: str = "rram_neurosim_45nm"
    memory_overrides: Mapping[str, Any] = field(default_factory=lambda: {"adc_levels": 32})
    at_once: bool = False


#: What papers count that multiply numbers of operations by the energy of one.
OPERATIONS = {"memory_access_energy_pj": [0.0, 0.0, 0.0], "register_energy_fj": 0.0}

#: 3.1 pJ for a product of 6 by 8 bits and 0.1 pJ for any sum: the figures of 32 bits.
WIDE = {"multiplier_energy_pj": [3.1 * 64 / 48] * 2, "adder_energy_pj": [0.1, 0.1]}

BASE = Case("base: 45 nm, 5-bit ADCs for 27 rows")

CASES = (
    BASE,
    replace(BASE, name="3-D/2-D hybrid network", hybrid=True),
    replace(BASE, name="ADC: for all 64 rows of a crossbar (7 bits)", memory_overrides={}),
    replace(BASE, name="ADC: flash", memory_overrides={"adc_levels": 32, "adc_kind": "flash"}),
    replace(
        BASE,
        name="ADC: survey of published ones, 32 nm",
        memory="rram_neurosim_adcsurvey_32nm",
        digital_overrides={"technology_nm": 32},
    ),
    replace(
        BASE,
        name="ADC: Kull et al. (ISAAC's), 32 nm",
        memory="rram_neurosim_adckull_32nm",
        digital_overrides={"technology_nm": 32},
    ),
    *(
        replace(
            BASE,
            name=f"node: {node} nm",
            memory=f"rram_neurosim_{node}nm",
            digital_overrides={"technology_nm": node},
        )
        for node in (22, 32, 65)
    ),
    replace(BASE, name="digital: Aladdin's figures, 40 nm", digital="digital_aladdin_isca_2014"),
    replace(BASE, name="digital: no reuse of weights", digital_overrides={"weight_reuse": 1}),
    replace(BASE, name="digital: 16 units", digital_overrides={"digital_units": 16}),
    replace(BASE, name="digital: operations alone, no memories", digital_overrides=OPERATIONS),
    replace(
        BASE,
        name="digital: 32-bit operations alone (3.2 and 0.1 pJ)",
        digital_overrides=OPERATIONS | WIDE,
    ),
    replace(BASE, name="memory: SRAM cells, 22 nm", memory="sram_neurosim_22nm",
            digital_overrides={"technology_nm": 22}),
    replace(BASE, name="memory: 2-bit cells, 7-bit ADCs",
            memory_overrides={"adc_levels": 128, "cell_bits": 2}),
    replace(BASE, name="pixels of 4 bits", pixel_bits=4),
    replace(BASE, name="pixels of 12 bits", pixel_bits=12),
    replace(BASE, name="spike rate 2 %", rate=0.02),
    replace(BASE, name="spike rate 30 %", rate=0.3),
    replace(BASE, name="memory: a pixel in one analog read", at_once=True),
    replace(BASE, name="memory: the same, 4-bit cells, 8-bit ADCs", at_once=True,
            memory_overrides={"adc_levels": 256, "cell_bits": 4, "parallel_read": True}),
    replace(BASE, name="all that favours memory: one analog read, flash; 16 units, no reuse",
            at_once=True, digital_overrides={"digital_units": 16, "weight_reuse": 1},
            memory_overrides={"adc_levels": 32, "adc_kind": "flash", "columns_per_adc": 4}),
)  # fmt: skip


def network(case: Case) -> Workload:
    """The network's workload, sizes as (bands, height, width).

    The 3-D one is that of A. Ben Hamida et al., IEEE TGRS 56, 4420 (2018); convolutions with a
    stride of 2 take the place of pooling. The hybrid one replaces what follows its second layer
    with a 2-D convolution over all bands' channels (S. K. Roy et al., HybridSN, IEEE GRSL 17, 277,
    2020), and a fully connected layer.
    """
    side = PATCH - 2
    spikes = {"weight_bits": WEIGHT_BITS, "input_rate": case.rate, "output_rate": case.rate}

    def conv(
        name: str,
        channels: tuple[int, int],
        kernel: int,
        depth: tuple[int, int],
        sides: tuple[int, int] = (side, side),
        stride: int = 1,
        pad: int = 1,
    ) -> ConvLayer:
        """A convolution over `kernel` bands, and over 3 x 3 pixels where the sides shrink."""
        across = sides[0] - sides[1] + 1
        return ConvLayer(
            name=name, kind="conv3d", in_channels=channels[0], out_channels=channels[1],
            kernel=(kernel, across, across), stride=(stride, 1, 1), padding=(pad, 0, 0),
            in_size=(depth[0], sides[0], sides[0]), out_size=(depth[1], sides[1], sides[1]),
            **spikes,
        )  # fmt: skip

    first = conv("conv1", (1, 20), 3, (BANDS, BANDS - 2), (PATCH, side), pad=0).model_copy(
        update={"input_bits": case.pixel_bits, "input_rate": 0.5, "static_input": True}
    )
    layers: list[ConvLayer | LinearLayer] = [
        first, conv("pool1", (20, 20), 3, (198, 99), stride=2)
    ]  # fmt: skip
    if case.hybrid:
        layers += [
            ConvLayer(name="conv2", kind="conv2d", in_channels=20 * 99, out_channels=64,
                      kernel=(3, 3), in_size=(side, side), out_size=(1, 1), **spikes),
            LinearLayer(name="out", kind="linear", in_features=64, out_features=CLASSES, **spikes),
        ]  # fmt: skip
    else:
        layers += [
            conv("conv2", (20, 35), 3, (99, 99), (side, 1)),
            conv("pool2", (35, 35), 3, (99, 50), (1, 1), stride=2),
            conv("conv3", (35, 35), 3, (50, 50), (1, 1)),
            conv("conv4", (35, 35), 2, (50, 26), (1, 1), stride=2),
            LinearLayer(name="out", kind="linear", in_features=35 * 26, out_features=CLASSES,
                        **spikes),
        ]  # fmt: skip
    return Workload(timesteps=STEPS, layers=tuple(layers))


@dataclass(frozen=True)
class Result:
    """Energy in uJ and delay in ms of the whole network, and of the first layer's products."""

    digital_uj: float
    memory_uj: float
    digital_ms: float
    memory_ms: float
    products_digital_uj: float
    products_memory_uj: float
    products_digital_ms: float
    products_memory_ms: float

    @property
    def changes(self) -> tuple[float, float, float]:
        """Relative change in energy, delay and their product."""
        energy, delay = self.memory_uj / self.digital_uj, self.memory_ms / self.digital_ms
        return energy - 1, delay - 1, energy * delay - 1


def compare(case: Case) -> Result:
    """Cost the network with the first layer's products on either side.

    The products of a static input are computed once, so they are those of one step of the layer
    alone. Its sums, which are held for all steps, and its neurons stay where they are.
    """
    workload = network(case)
    digital = load_chip(case.digital, case.digital_overrides)
    memory = load_chip(case.memory, case.memory_overrides)
    first = workload.layers[0]
    read = first.model_copy(update={"input_bits": 1}) if case.at_once else first
    energy, delay = _costs(workload, digital)
    energy_out, delay_out = _costs(Workload(timesteps=1, layers=(first,)), digital, NEURONS)
    energy_in, delay_in = _costs(Workload(timesteps=1, layers=(read,)), memory, NEURONS)
    return Result(
        digital_uj=energy,
        memory_uj=energy - energy_out + energy_in,
        digital_ms=delay,
        memory_ms=delay - delay_out + delay_in,
        products_digital_uj=energy_out,
        products_memory_uj=energy_in,
        products_digital_ms=delay_out,
        products_memory_ms=delay_in,
    )


def _costs(workload: Workload, chip: Chip, without: tuple[str, ...] = ()) -> tuple[float, float]:
    """Energy in uJ and delay in ms, without some components."""
    (found,) = details([workload], chip)
    energy, delay = (
        sum(sum(values) for name, values in parts.items() if name not in without)
        for parts in (found.energy_uj, found.latency_ms)
    )
    return energy, delay


def table(results: Mapping[str, Result]) -> str:
    """Rows of a Markdown table, the published figures first."""
    lines = [
        "| case | first layer's products, digital > memory (uJ) | (ms) | energy | delay | EDP |",
        "| --- | --- | --- | --- | --- | --- |",
        "| **ACE-SNN** (published) | | | " + " | ".join(f"{each:+.0%}" for each in PAPER) + " |",
    ]
    for name, one in results.items():
        changes = " | ".join(f"{each:+.0%}" for each in one.changes)
        energies = f"{one.products_digital_uj:.3f} > {one.products_memory_uj:.3f}"
        energies += f" of {one.digital_uj:.2f}"
        times = f"{one.products_digital_ms:.4f} > {one.products_memory_ms:.4f}"
        times += f" of {one.digital_ms:.3f}"
        lines.append(f"| {name} | {energies} | {times} | {changes} |")
    return "\n".join(lines)


#: Chips whose crossbars hold all other layers, and that have digital units beside them.
CHIPS = (
    "rram_neurosim_22nm", "rram_neurosim_45nm", "rram_neurosim_adcsurvey_32nm",
    "sram_neurosim_22nm", "rram_32nm",
)  # fmt: skip


def moved(name: str) -> tuple[float, float, float]:
    """Changes where all other layers are on crossbars, and the first moves to them, too."""
    workload = network(BASE)
    first, *others = workload.layers
    layers = (first.model_copy(update={"domain": "digital"}), *others)
    digital, memory = estimate([workload.model_copy(update={"layers": layers}), workload], name)
    energy, delay = memory.energy_uj / digital.energy_uj, memory.latency_ms / digital.latency_ms
    return energy - 1, delay - 1, energy * delay - 1


def chips_table() -> str:
    """Rows of a Markdown table for `CHIPS`."""
    lines = ["| chip | energy | delay | EDP |", "| --- | --- | --- | --- |"]
    changes = [" | ".join(f"{each:+.0%}" for each in moved(name)) for name in CHIPS]
    lines += [f"| `{name}` | {row} |" for name, row in zip(CHIPS, changes, strict=True)]
    return "\n".join(lines)


def main() -> None:
    """Print the table; write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    results = {case.name: compare(case) for case in CASES}
    print(table(results), chips_table(), sep="\n\n")
    if arguments.out:
        figures = {name: vars(one) | {"changes": one.changes} for name, one in results.items()}
        arguments.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
