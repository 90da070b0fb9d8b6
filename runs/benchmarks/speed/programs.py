"""The subjects of the tables: who trains a plan, with which allocator and optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from speed.elsewhere import Elsewhere
from speed.norse_programs import ObviousNorse
from speed.ours import Variant, inference_call, package_network, training_call
from speed.parts import FoldedReLU, convolutions_alone, norse_neurons_alone
from speed.peers import SnnTorch, SpikingJelly, missing
from speed.plans import Plan
from speed.timing import Call, Timed, here

OBVIOUS = "Norse, LIFBoxCell"
REUSING = "SpikingJelly, first layer once"
PACKAGE = "evo_snn"
DEPLOYABLE = f"{PACKAGE}, normalised and quantized"
CONVOLUTIONS = "convolutions alone"
KEPT = ", workers' allocator"
"""Behind the name of what others wrote, timed in this process as the package's workers are."""
FOLDED = "ReLU, folded, first layer once, channels last, workers' allocator"


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
    "against Norse with the workers' allocator": (OBVIOUS + KEPT, PACKAGE),
    "against SpikingJelly, first layer once, with it": (REUSING + KEPT, PACKAGE),
    "its kernel, against Norse's step": (f"{PACKAGE}, Norse's step", PACKAGE),
    "its kernel in torch, against Norse's step": (f"{PACKAGE}, Norse's step", f"{PACKAGE}, torch"),
    "first layer once": (f"{PACKAGE}, first layer in every step", PACKAGE),
    "convolution and average as one": (f"{PACKAGE}, average apart", PACKAGE),
    "speed left with normalisation and quantization": (PACKAGE, DEPLOYABLE),
    "its kernel with normalisation and quantization": (f"{DEPLOYABLE}, Norse's step", DEPLOYABLE),
}
"""Ratios within this process: the first's time over the second's."""


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
    "ReLU, folded": Rival(lambda plan: FoldedReLU(plan, reuse=False, channels_last=False)),
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


def rival_call(what: str, plan: Plan, name: str) -> Call:
    """A program of somebody else; ``what`` is ``training`` or ``inference``."""
    torch.manual_seed(0)  # its weights
    rival = rivals()[name]
    network = rival.make(plan)
    if what == "inference":
        return inference_call(network, plan)
    return training_call(network, plan, adam="fused" if rival.fused else "plain")


def training_subjects(plan: Plan, elsewhere: Elsewhere) -> dict[str, Timed]:
    """All that is timed for the training table of a plan.

    Other people's programs run elsewhere; those that ratios are taken to also here.
    """
    found = {name: elsewhere.timed("training", plan, name) for name in rivals()}
    for name in (OBVIOUS, REUSING):
        if name in found:
            found[name + KEPT] = here(rival_call("training", plan, name))
    for name, variant in variants(plan).items():
        found[name] = here(training_call(package_network(plan, variant), plan, adam="package"))
    found[FOLDED] = here(
        training_call(FoldedReLU(plan, reuse=True, channels_last=True), plan, adam="fused")
    )
    found[CONVOLUTIONS] = here(convolutions_alone(plan))
    found["Norse's LIFBoxCell neurons alone"] = here(norse_neurons_alone(plan))
    return found


def inference_subjects(plan: Plan, elsewhere: Elsewhere) -> dict[str, Timed]:
    """All that is timed for the inference table of a plan."""
    found = {
        name: elsewhere.timed("inference", plan, name)
        for name, rival in rivals().items()
        if not rival.fused
    }
    found[PACKAGE] = here(inference_call(package_network(plan, Variant()), plan))
    if plan.order != "average-after":
        deployed = package_network(plan, Variant(), deployed=True)
        found[f"{PACKAGE}, deployed"] = here(inference_call(deployed, plan))
    return found
