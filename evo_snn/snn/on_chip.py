"""A network on one chip instance: its weights as conductances that are not ideal.

An *instance* is one drawn chip: every cell's programming error, its faults, what time and wires do
to it. The *fast* path folds all of that into one perturbed weight a layer, and costs what the
deployed network costs; the *exact* path reads row groups, slices and input bits apart, through the
chip's ADCs (``reads.py``). Both are drawn from the same cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from evo_snn.snn.layers import DeployedLayer
from evo_snn.snn.network import DeployedNetwork, Network, slot
from evo_snn.snn.places import Place
from evo_snn.snn.quantization import straight_through
from evo_snn.snn.reads import PartedLayer, ReadLayer
from genomes.architecture import Layer
from genomes.errors import unknown_name
from hardware.chip import Chip
from hardware.conditions import Conditions
from hardware.conductance import (
    cell_table,
    kernel_layers,
)
from hardware.nonideal import Streams

PathName = Literal["fast", "exact"]

Rates = Mapping[str, tuple[float, float]]
"""Layer name to (input rate, output rate), as ``Activity.rates`` gives them."""


def on_chip(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    *,
    seed: int,
    instance: int = 0,
    seconds: float = 0.0,
    path: PathName = "fast",
    calibration: Tensor | None = None,
    rates: Rates | None = None,
) -> Network:
    """The network as one instance of the chip runs it: a pure function of its arguments.

    With ideal cells and ADCs that tell all sums apart, both paths give the deployed network's
    spikes and scores bit for bit. Layers in the digital domain, and all neurons, are the deployed
    network's own.

    Args:
        network: What is to run, on any device.
        chip: Gives cells, crossbars, slices and ADCs.
        conditions: What is not ideal.
        seed: The instance is drawn from it and `instance` alone: equal ones give equal cells, in
            both paths and at all times.
        instance: Number of the instance.
        seconds: Time since programming.
        path: ``fast`` or ``exact``; the ADCs are part of the exact path only, so that a chip whose
            ADCs cannot tell all sums apart is another one by the fast path.
        calibration: Samples (n, *input_shape) that set the range of each layer's ADCs in the exact
            path, layer by layer; without them the ADCs span every sum of ideal cells.
        rates: Spike rates for which wire resistance is worked out; without them
            ``conditions.wire_rate`` is.

    Raises:
        RequestError: as ``hardware.conditions.check_conditions``; or there is no such path.
    """
    drawn = chip_instances(
        network,
        chip,
        conditions,
        seed=seed,
        instances=[instance],
        seconds=seconds,
        path=path,
        calibration=calibration,
        rates=rates,
    )
    return next(drawn)


def chip_instances(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    *,
    seed: int,
    instances: Iterable[int],
    seconds: float = 0.0,
    path: PathName = "fast",
    calibration: Tensor | None = None,
    rates: Rates | None = None,
) -> Iterator[Network]:
    """What `on_chip` gives for each of some instances, sooner: what they share is made once.

    Args:
        network: As for `on_chip`, like all the others.
        chip: As for `on_chip`.
        conditions: As for `on_chip`.
        seed: As for `on_chip`.
        instances: Numbers of the instances.
        seconds: As for `on_chip`.
        path: As for `on_chip`.
        calibration: As for `on_chip`.
        rates: As for `on_chip`.

    Raises:
        RequestError: as `on_chip`.
    """
    if path not in get_args(PathName):
        raise unknown_name("path", path, get_args(PathName))
    with torch.no_grad():
        places = _places(network, chip, conditions, seconds, rates)
    for instance in instances:
        with torch.no_grad():
            layers = [
                _on_instance(deployed, parts, seed, instance, path) if parts else deployed
                for deployed, parts in places
            ]
            drawn = Network(network.architecture, layers, network.neurons, network.kernel)
            if path == "exact" and calibration is not None:
                _calibrate(drawn, calibration)
        yield drawn.eval()


def noisy_levels(
    levels: Tensor,
    layer: Layer,
    chip: Chip,
    conditions: Conditions,
    generator: torch.Generator,
    *,
    by_kernel: Sequence[bool],
) -> Tensor:
    """Levels as a freshly drawn instance realises them, just after programming.

    The distribution is that of the fast path; the gradient passes to ``levels`` unchanged.

    Args:
        levels: ``layer.weight_shape``, whole numbers, as ``weight_levels`` gives them. A channel
            that deploying would flip (a negative gain) is to be flipped before and after.
        layer: Whose they are, one on crossbars.
        chip: As for `on_chip`.
        conditions: As for `on_chip`.
        generator: On the CPU; it goes on.
        by_kernel: Whether each of its kernel positions has crossbars of its own, for each of its
            parts, see ``hardware.conductance.kernel_layers``.

    Returns:
        ``layer.weight_shape``: what takes the levels' place in the matrix product.

    Raises:
        RequestError: as ``hardware.conditions.check_conditions``.
    """
    table = cell_table(chip, conditions)
    with torch.no_grad():
        places = [
            Place.of(levels, layer, part, chip, table, conditions, by_kernel=one)
            for part, one in zip(layer.parts, by_kernel, strict=True)
        ]
        drawn = [place.drawn(lambda _: generator).levels(place.encoding) for place in places]
        effective = torch.cat(drawn)
    return straight_through(levels, effective.view(levels.shape).to(levels))


class PerturbedLayer(DeployedLayer):
    """A deployed layer with the weights that one chip instance has (the fast path).

    Attributes:
        weight: ``layer.weight_shape``: what has become of the levels; not whole numbers.
    """

    weight: Tensor

    def __init__(self, deployed: DeployedLayer, levels: Tensor) -> None:
        super().__init__(deployed.layer, deployed.levels, deployed.scale, deployed.bias)
        self.register_buffer("weight", levels.to(deployed.scale).view(deployed.levels.shape))

    def present(self, dtype: torch.dtype) -> Tensor:
        """What stands in the cells, ``layer.weight_shape``."""
        return self.weight.to(dtype)


def _on_instance(
    deployed: DeployedLayer, places: Sequence[Place], seed: int, instance: int, path: PathName
) -> PerturbedLayer | ReadLayer | PartedLayer:
    """A layer on one instance, by its parts' places."""
    drawn = [place.drawn(_streams(seed, instance, place.part.name)) for place in places]
    if path == "fast":
        levels = [one.levels(place.encoding) for place, one in zip(places, drawn, strict=True)]
        return PerturbedLayer(deployed, torch.cat(levels))
    readers = [place.reader(deployed, one) for place, one in zip(places, drawn, strict=True)]
    layer = readers[0] if len(readers) == 1 else PartedLayer(deployed, readers)
    return layer.to(deployed.levels.device)


def _places(
    network: DeployedNetwork,
    chip: Chip,
    conditions: Conditions,
    seconds: float,
    rates: Rates | None,
) -> list[tuple[DeployedLayer, list[Place]]]:
    """Every layer with its parts' places on the chip; none where it is in the digital domain."""
    table = cell_table(chip, conditions, seconds)
    architecture = network.architecture
    workload = architecture.workload
    places: dict[str, list[Place]] = {slot(layer.name): [] for layer in architecture.layers}
    for (layer, part), work, by_kernel in zip(
        architecture.parts, workload.layers, kernel_layers(workload, chip), strict=True
    ):
        if work.domain == "memory":
            rate = None if rates is None else rates[layer.name][0]
            levels = cast(DeployedLayer, network.layers[slot(layer.name)]).levels
            place = Place.of(
                levels, layer, part, chip, table, conditions, by_kernel=by_kernel, rate=rate
            )
            places[slot(layer.name)].append(place)
    return [(cast(DeployedLayer, network.layers[name]), own) for name, own in places.items()]


def _streams(seed: int, instance: int, layer: str) -> Streams:
    """A generator for each cause in each layer of an instance."""

    def generator(cause: str) -> torch.Generator:
        text = repr((seed, instance, layer, cause)).encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)

    return generator


def _calibrate(network: Network, samples: Tensor) -> None:
    """Set the range of all ADCs, each layer's for what the layers before it really send."""
    readers = [layer for layer in network.modules() if isinstance(layer, ReadLayer)]
    for layer in readers:
        layer.calibrating = True
    network(samples)
    for layer in readers:
        layer.calibrating = False
