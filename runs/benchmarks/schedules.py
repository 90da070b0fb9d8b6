"""What learning rate and schedule suit tens to a few hundred steps? Recipes on random designs.

Digits, random designs of the plain space. A design is trained from scratch, or on weights that it
inherits: then it is the grandchild of a random design, each of the two ancestors 60 steps old. A
recipe says everything about the training but its steps; each result is one JSON line, and what a
file holds already is not measured again.

    python runs/benchmarks/schedules.py --recipes "before;default" --steps 15,60
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from evo_snn.config import DataSection
from evo_snn.inheritance import inherit
from evo_snn.snn import TrainableNetwork, build, deploy
from evo_snn.snn.tensors import named_tensors, restore
from evo_snn.training import Samples, dataset, on_device, random_batches
from evo_snn.variation import GeneMutation
from genomes.architecture import Architecture
from genomes.space import SearchSpace
from genomes.spaces import make_space

ANCESTORS = 2
ANCESTOR_STEPS = 60


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        rate: the peak learning rate.
        inherited_rate: the same on inherited weights, as a factor of ``rate``.
        schedule: "cosine" or "linear".
        warm_up: share of the steps in which the rate rises linearly.
        smoothing: of labels.
        average: share of the steps, the last ones, whose weights are averaged for a look; 0 for the
            last weights alone.
        batch: samples a step.
        beta1, beta2, clip: AdamW's moments, the norm that gradients are clipped to (0: not).
        neuron_rate: of leaks and thresholds, as a factor of ``rate``.
        cycles: shares of the steps after which the schedule has come to its end, and begins anew.
        fresh: whether the optimizer's moments begin anew with it.
        looks: at validation within the steps; the best counts.
    """

    rate: float = 1e-2
    inherited_rate: float = 1.0
    schedule: str = "cosine"
    warm_up: float = 0.0
    smoothing: float = 0.0
    average: float = 0.0
    batch: int = 64
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 0.0
    neuron_rate: float = 1.0
    cycles: tuple[float, ...] = (1.0,)
    fresh: bool = False
    looks: int = 3


BEFORE = Recipe()
WARM = replace(BEFORE, warm_up=0.2, rate=4e-2)
DEFAULT = replace(WARM, beta1=0.7)

_CHANGES: dict[str, dict[str, Any]] = {
    **{f"rate {rate:g}": {"rate": rate} for rate in (2e-2, 3e-2, 6e-2)},
    **{f"warm {warm:g}": {"warm_up": warm} for warm in (0.0, 0.1, 0.3)},
    **{f"beta1 {beta:g}": {"beta1": beta} for beta in (0.3, 0.5, 0.7, 0.8)},
    **{f"beta2 {beta:g}": {"beta2": beta} for beta in (0.95, 0.99)},
    **{f"batch {batch}": {"batch": batch} for batch in (32, 128)},
    **{f"clip {norm:g}": {"clip": norm} for norm in (0.5, 1.0)},
    "line": {"schedule": "linear"},
    "smoothing 0.1": {"smoothing": 0.1},
    "average 0.15": {"average": 0.15},
    "neurons 0.3": {"neuron_rate": 0.3},
    "inherited 0.5": {"inherited_rate": 0.5},
    "on the way": {"looks": 4},
    "three schedules": {"cycles": (0.25, 0.5, 1.0), "fresh": True, "looks": 4},
    "three schedules, moments kept": {"cycles": (0.25, 0.5, 1.0), "looks": 4},
}
RECIPES: dict[str, Recipe] = {
    "before": BEFORE,
    **{f"before, rate {r:g}": replace(BEFORE, rate=r) for r in (2.5e-3, 5e-3, 2e-2, 3e-2, 4e-2)},
    "warm": WARM,
    **{f"warm, {name}": replace(WARM, **change) for name, change in _CHANGES.items()},
    "default": DEFAULT,
    **{f"default, {name}": replace(DEFAULT, **change) for name, change in _CHANGES.items()},
}
"""The default before; every change alone on its warm-up, and on the present default."""


@dataclass(frozen=True)
class Start:
    """Where a training begins: a design, and the tensors that it inherits (none from scratch)."""

    architecture: Architecture
    parent: dict[str, Tensor] | None


def cycle(recipe: Recipe, step: int, steps: int) -> tuple[int, int]:
    """Number of a step within its cycle (from 0), and the cycle's number of steps."""
    ends = [0, *(math.ceil(share * steps) for share in recipe.cycles)]
    k = next(k for k in range(1, len(ends)) if step < ends[k])
    return step - ends[k - 1], ends[k] - ends[k - 1]


def factor(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) of a cycle, as a share of its peak."""
    warm = round(recipe.warm_up * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    left = (step - warm) / max(1, steps - warm)
    return 1 - left if recipe.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * left))


def optimizer_of(recipe: Recipe, network: TrainableNetwork, rate: float) -> torch.optim.Optimizer:
    """The recipe's optimizer; each group keeps its own peak as ``peak``."""
    neurons = [*network.neurons.parameters()]
    known = {id(one) for one in neurons}
    others = [one for one in network.parameters() if id(one) not in known]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": neurons, "lr": rate * recipe.neuron_rate},
    ]
    betas = (recipe.beta1, recipe.beta2)
    made = torch.optim.AdamW(groups, rate, betas=betas, weight_decay=0.0, fused=True)
    for group in made.param_groups:
        group["peak"] = group["lr"]
    return made


def trained(
    network: TrainableNetwork,
    train: Samples,
    validation: Samples,
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    inherited: bool,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Train in place: (accuracy and loss at every look and at step 0, tensors at the best look)."""
    rate = recipe.rate * (recipe.inherited_rate if inherited else 1.0)
    optimizer = optimizer_of(recipe, network, rate)
    generator = torch.Generator().manual_seed(seed)
    batches = random_batches(len(train), recipe.batch, generator)
    look_after = {math.ceil(steps * k / recipe.looks) for k in range(1, recipe.looks + 1)}
    looks = [(0, *looked(network, validation))]
    best, kept = -1.0, {}
    mean: dict[str, Tensor] = {}
    averaged = 0
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor(recipe, *cycle(recipe, step, steps))
        if recipe.fresh and step and not cycle(recipe, step, steps)[0]:
            optimizer = optimizer_of(recipe, network, rate)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor(recipe, *cycle(recipe, step, steps))
        chosen = next(batches)
        scores = network(train.x[chosen])
        loss = F.cross_entropy(scores, train.y[chosen], label_smoothing=recipe.smoothing)
        optimizer.zero_grad()
        loss.backward()
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        network.project()
        here = step + 1
        last_look = min(one for one in look_after if one >= here)
        if recipe.average and here > last_look - recipe.average * steps:
            averaged = 1 if not mean else averaged + 1
            mean = moved(mean, named_tensors(network), 1 / averaged)
        if here in look_after:
            seen = network
            if mean:
                seen = deepcopy(network)
                restore(seen, mean)
                mean = {}
            looks.append((here, *looked(seen, validation)))
            if looks[-1][1] >= best:
                best = looks[-1][1]
                kept = {k: v.detach().clone() for k, v in named_tensors(seen).items()}
    return {"best": best, "looks": looks}, kept


def moved(mean: dict[str, Tensor], new: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """A running mean with a new member."""
    return {k: torch.lerp(mean.get(k, v.detach()), v.detach(), share) for k, v in new.items()}


@torch.no_grad()
def looked(network: TrainableNetwork, validation: Samples) -> tuple[float, float]:
    """Accuracy and cross-entropy of the deployed network."""
    scores = deploy(network)(validation.x)
    accuracy = float((scores.argmax(1) == validation.y).float().mean())
    return accuracy, float(F.cross_entropy(scores, validation.y))


def first_weights(start: Start, seed: int) -> TrainableNetwork:
    """A network at the beginning of its training."""
    network = build(start.architecture, seed)
    if start.parent is not None:
        inherit(network, [start.parent])
    return network


def starts(
    space: SearchSpace, designs: int, train: Samples, validation: Samples
) -> Iterator[tuple[int, str, Start]]:
    """(number, kind, start) of every design, from scratch and as a grandchild."""
    rng = np.random.default_rng(0)
    mutation = GeneMutation(space)
    for number, genome in enumerate(space.sample(designs, rng)):
        yield number, "scratch", Start(space.decode(genome), None)
        parent: dict[str, Tensor] | None = None
        child = genome
        for _ in range(ANCESTORS):
            start = Start(space.decode(child), parent)
            network = first_weights(start, number)
            _, parent = trained(
                network,
                train,
                validation,
                BEFORE,
                steps=ANCESTOR_STEPS,
                seed=number,
                inherited=parent is not None,
            )
            mutated = mutation._do(None, child[None], random_state=rng)  # noqa: SLF001 - pymoo's
            child = space.canonical(mutated[0])
        yield number, "inherited", Start(space.decode(child), parent)


def main() -> None:
    """Measure recipes, one line each design, start and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipes", default=";".join(RECIPES), help="names, separated by ';'")
    parser.add_argument("--steps", default="60")
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--first", type=int, default=None, help="measure so many of the designs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/out/schedules.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = dataset(DataSection(name="digits"))
    train, validation = on_device(data.train, "cpu"), on_device(data.validation, "cpu")
    space = make_space("plain", data.input_shape, data.classes, {})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {tuple(json.loads(line)["task"]) for line in lines}
    ways = starts(space, arguments.designs, train, validation)
    everything = [start for start in ways if start[0] < (arguments.first or arguments.designs)]
    for name in arguments.recipes.split(";"):
        for steps in map(int, arguments.steps.split(",")):
            for number, kind, start in everything:
                task = (name, kind, steps, number, arguments.seed)
                if task in done:
                    continue
                seed = 1000 * arguments.seed + number + 500
                network = first_weights(start, seed)
                row, _ = trained(
                    network,
                    train,
                    validation,
                    RECIPES[name],
                    steps=steps,
                    seed=seed,
                    inherited=start.parent is not None,
                )
                line = {"task": task, "recipe": asdict(RECIPES[name]), **row}
                with arguments.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
