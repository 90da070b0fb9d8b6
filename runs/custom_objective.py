"""An objective that asks for the trained network: accuracy on cells that are not quite as written.

Run this file to search for networks of the digits that bear such cells, or name it in a
configuration of your own:

    [objectives]
    names = ["accuracy_with_variation", "area_mm2", "energy_uj"]
    plugins = ["custom_objective.py"]
"""

import copy
from pathlib import Path

import torch

import evo_snn

VARIATION = 0.3
"""Standard deviation of the conductance of a cell that is on, relative to its mean. It is an
example: put your device's here."""

CHIPS = 4
"""How many chips are written with the same weights; accuracy is their mean."""

MAGNITUDE_BITS = 7
"""Bits of the largest weight, its sign apart: weights have 8 bits at most."""


@evo_snn.objective(maximise=True, needs="network")
def accuracy_with_variation(candidate):
    """Validation accuracy when the conductance of each cell varies; the mean of four chips."""
    # A generator of the candidate's own: the same draws in every worker and after every resume.
    generator = torch.Generator().manual_seed(candidate.seed)
    correct = 0
    for _ in range(CHIPS):
        chip = copy.deepcopy(candidate.network)  # the candidate itself stays as it is
        for layer in chip.layers.values():
            layer.levels = as_written(layer.levels, generator)
        correct += correct_classes(chip, candidate.validation)
    return correct / (CHIPS * len(candidate.validation))


def as_written(levels, generator):
    """What a chip holds of integer weights: each bit on a cell, those that are on with an error."""
    magnitude = levels.abs().int().cpu()
    written = torch.zeros(levels.shape)
    for bit in range(MAGNITUDE_BITS):
        is_on = (magnitude >> bit) & 1
        conductance = 1 + VARIATION * torch.randn(levels.shape, generator=generator)
        written += is_on * conductance * 2**bit
    return levels.sign() * written.to(levels.device)


@torch.no_grad()
def correct_classes(network, samples):
    """How many samples the network puts into their class."""
    batches = zip(samples.x.split(256), samples.y.split(256), strict=True)
    return sum(int((network(x).argmax(1) == y).sum()) for x, y in batches)


if __name__ == "__main__":
    here = Path(__file__).resolve()
    names = ["accuracy_with_variation", "area_mm2", "energy_uj"]
    run = evo_snn.evolve(
        here.with_name("digits.toml"),
        seed=0,
        overrides={"objectives.names": names, "objectives.plugins": [here]},
        progress=True,
    )
    front = run.front()
    front["lost"] = front["accuracy"] - front["accuracy_with_variation"]
    print(front[["key", "accuracy", "lost", *names]].to_string(index=False))
