"""What every cost model returns: costs of n candidates by component and by layer, in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from hardware.arrays import Floats, total


@dataclass(frozen=True)
class Breakdown:
    """Costs of n candidates of up to L layers; padding holds zeros.

    Attributes:
        area: Component to area in m2, (n,).
        layer_area: Area of each layer in m2, (n, L); NaN where a layer shares tiles.
        energy: Component to dynamic energy in J, (n, L).
        leakage: Leakage energy in J, attributed to the layer during which it flows, (n, L).
        latency: Component to time in s, (n, L); layers run one after the other.
        interval: Time between inferences where layers are pipelined, in s, (n,).
        crossbars: Crossbars allocated, (n,).
        tiles: Tiles allocated, (n,).
        utilisation: Fraction of the allocated cells that hold weights, (n,).
        memory_bits: Bits of weights and of membrane state that the chip holds, (n,).
        layer_tiles: Tiles that each layer touches, (n, L).
        speed_up: Copies of each layer that work in parallel, (n, L).
    """

    area: Mapping[str, Floats]
    layer_area: Floats
    energy: Mapping[str, Floats]
    leakage: Floats
    latency: Mapping[str, Floats]
    interval: Floats
    crossbars: Floats
    tiles: Floats
    utilisation: Floats
    memory_bits: Floats
    layer_tiles: Floats
    speed_up: Floats

    @cached_property
    def component_energy(self) -> dict[str, Floats]:
        """Dynamic energy in J by component, (n,)."""
        return {name: total(values) for name, values in self.energy.items()}

    @cached_property
    def component_latency(self) -> dict[str, Floats]:
        """Time in s by component, (n,)."""
        return {name: total(values) for name, values in self.latency.items()}

    @property
    def total_area(self) -> Floats:
        """Area in m2, (n,)."""
        return added(self.area)

    @property
    def dynamic_energy(self) -> Floats:
        """Dynamic energy in J, (n,): layers are added first, then components."""
        return added(self.component_energy)

    @property
    def leakage_energy(self) -> Floats:
        """Leakage energy in J, (n,)."""
        return total(self.leakage)

    @property
    def total_latency(self) -> Floats:
        """Latency in s, (n,): layers are added first, then components."""
        return added(self.component_latency)


def added(parts: Mapping[str, Floats]) -> Floats:
    """Add the components' arrays in their order."""
    return reduce(np.add, parts.values())
