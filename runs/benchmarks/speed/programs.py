"""The subjects of the tables: who trains a plan, with which allocator and optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from speed.norse_programs import ObviousNorse
from speed.ours import Variant, inference_call, package_network, training_call
from speed.parts import FoldedReLU, convolutions_alone, norse_neurons_alone
from speed.peers import SnnTorch, SpikingJelly, missing
from speed.plans import Plan
from speed.timing import Subject

OBVIOUS = "Norse, LIFBoxCell"
REUSING = "SpikingJelly, first layer once"
PACKAGE = "evo_snn"
DEPLOYABLE = f"{PACKAGE}, normalised and quantized"
CONVOLUTIONS = "convolutions alone"
DEFAULT = ", default allocator"
"""Behind the name of what is timed with the allocator as the C library has it."""


VARIANTS: Mapping[str, Variant] = {
    PACKAGE: Variant(),
    f"{PACKAGE}, torch": Variant("torch"),
    f"{PACKAGE}, Norse's step": Variant("norse"),
    f"{PACKAGE}, first layer in every step": Variant(reuse=False),
    f"{PACKAGE}, average apart": Variant(merged=False),
    DEPLOYABLE: Variant(deployable=True),
    f"{DEPLOYABLE}, torch": Variant("torch", deployable=True),
    f"{DEPLOYABLE}, Norse's step": Variant("norse", deployable=True),
}
"""The package's network: the first with the layers of all the other programs."""

SHARES: Mapping[str, tuple[str, str]] = {
    "its kernel, against Norse's step": (f"{PACKAGE}, Norse's step", PACKAGE),
    "its kernel in torch, against Norse's step": (f"{PACKAGE}, Norse's step", f"{PACKAGE}, torch"),
    "first layer once": (f"{PACKAGE}, first layer in every step", PACKAGE),
    "average as part of the convolution": (f"{PACKAGE}, average apart", PACKAGE),
    "speed left with normalisation and quantization": (PACKAGE, DEPLOYABLE),
    "its kernel with normalisation and quantization": (f"{DEPLOYABLE}, Norse's step", DEPLOYABLE),
}
"""Ratios of two variants of the package's network: the first's time over the second's."""


@dataclass(frozen=True)
class Rival:
    """A program of somebody else: its network, and whether its optimizer is torch's fused one."""

    make: Callable[[Plan], nn.Module]
    fused: bool = False


RIVALS: Mapping[str, Rival] = {
    OBVIOUS: Rival(lambda plan: ObviousNorse(plan, "LIFBoxCell")),
    "Norse, LIFBoxCell, fused Adam": Rival(lambda plan: ObviousNorse(plan, "LIFBoxCell"), True),
    "Norse, LIFCell": Rival(lambda plan: ObviousNorse(plan, "LIFCell")),
}
PEERS: Mapping[str, Rival] = {
    "SpikingJelly": Rival(lambda plan: SpikingJelly(plan, reuse=False)),
    REUSING: Rival(lambda plan: SpikingJelly(plan, reuse=True)),
    "snnTorch": Rival(SnnTorch),
}
WITHOUT_NEURONS: Mapping[str, Rival] = {
    "ReLU, folded": Rival(lambda plan: FoldedReLU(plan, reuse=False, channels_last=False), True),
    "ReLU, folded, first layer once, channels last": Rival(
        lambda plan: FoldedReLU(plan, reuse=True, channels_last=True), True
    ),
}


def rivals() -> dict[str, Rival]:
    """The programs of others that can run here."""
    return {**RIVALS, **({} if missing() else PEERS), **WITHOUT_NEURONS}


def variants(plan: Plan) -> dict[str, Variant]:
    """The variants that there are for a plan."""
    return {
        name: variant
        for name, variant in VARIANTS.items()
        if (variant.merged or plan.order == "average-first")
        and not (variant.deployable and plan.order == "average-after")
    }


def training_subjects(plan: Plan) -> dict[str, Subject]:
    """All that is timed for the training table of a plan.

    The programs that ratios are taken to are timed with both allocators.
    """
    torch.manual_seed(0)  # the weights of other people's networks
    found: dict[str, Subject] = {}
    for name, rival in rivals().items():
        call = training_call(rival.make(plan), plan, adam="fused" if rival.fused else "plain")
        found[name] = Subject(call)
        if name in {OBVIOUS, REUSING}:
            found[name + DEFAULT] = Subject(call, "default")
    for name, variant in variants(plan).items():
        call = training_call(package_network(plan, variant), plan, adam="package")
        found[name] = Subject(call)
    found[CONVOLUTIONS] = Subject(convolutions_alone(plan))
    found["Norse's LIFBoxCell neurons alone"] = Subject(norse_neurons_alone(plan))
    return found


def inference_subjects(plan: Plan) -> dict[str, Subject]:
    """All that is timed for the inference table of a plan."""
    torch.manual_seed(0)
    found = {
        name: Subject(inference_call(rival.make(plan), plan))
        for name, rival in rivals().items()
        if not rival.fused
    }
    found[PACKAGE] = Subject(inference_call(package_network(plan, Variant()), plan))
    if plan.order != "average-after":
        deployed = package_network(plan, Variant(), deployed=True)
        found[f"{PACKAGE}, deployed"] = Subject(inference_call(deployed, plan))
    return found
