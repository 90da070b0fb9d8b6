"""The pictures of docs/spaces/: a decoded network of each space.

python runs/benchmarks/space_pictures.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis import figure_of_architecture, style
from genomes.spaces import make_space

IMAGES = Path(__file__).parents[2] / "docs" / "images"

ACE = {"time_steps": 5, "patch": 5, "bands": 200, "*.weight_bits": 6, "cube1.spatial_kernel": 3}
"""ACE-SNN in kind: its first layer has kernels of 3 x 3 x 3."""

FIRST_TWO = {
    "*.spectral_kernel": 3,
    "cube1.width": 20,
    "cube2.width": 20,
    "cube2.spectral_stride": 2,
}

PICTURES: Mapping[str, tuple[str, tuple[int, ...], int, Mapping[str, Any]]] = {
    "hyperspectral_3d": (
        "hyperspectral",
        (1, 200, 9, 9),
        16,
        {
            **ACE,
            **FIRST_TWO,
            "cubes": 6,
            **{f"cube{k}.width": 35 for k in (3, 4, 5, 6)},
            "cube3.spatial_kernel": 3,
            "cube4.spectral_stride": 2,
            "cube6.spectral_kernel": 2,
            "cube6.spectral_stride": 2,
        },
    ),
    "hyperspectral_hybrid": (
        "hyperspectral",
        (1, 200, 9, 9),
        16,
        {
            **ACE,
            **FIRST_TWO,
            "cubes": 2,
            "planes": 1,
            "plane1.width": 64,
            "plane1.spatial_kernel": 3,
        },
    ),
    "spectrum": (
        "spectrum",
        (1, 200),
        16,
        {
            "time_steps": 4,
            "layers": 3,
            "*.weight_bits": 4,
            "*.width": 24,
            "layer1.width": 16,
            "layer1.kernel": 11,
            "layer1.stride": 2,
            "layer1.pool": "average",
            "layer2.kernel": 5,
            "layer2.pool": "max",
            "layer3.kernel": 3,
            "layer3.stride": 2,
        },
    ),
    "signal": (
        "signal",
        (1, 256),
        5,
        {
            "time_steps": 4,
            "stages": 3,
            "*.weight_bits": 4,
            "stage1.width": 8,
            "stage1.kernel": 31,
            "stage1.stride": 4,
            "stage1.pool": "max",
            "stage2.blocks": 2,
            "stage2.width": 16,
            "stage2.kernel": 15,
            "stage2.block2.skip": "add",
            "stage3.stride": 2,
            "stage3.width": 32,
        },
    ),
    "cell": (
        "cell",
        (3, 32, 32),
        10,
        {
            "time_steps": 5,
            "*.weight_bits": 8,
            "width": 16,
            "cell1.edge01": "conv3x3",
            "cell1.edge13": "avgpool3x3",
            "cell1.edge03": "skip",
            "cell1.back10": "conv1x1",
            "cell1.back31": "skip",
            "cell2.edge01": "conv3x3",
            "cell2.edge02": "skip",
            "cell2.edge12": "conv1x1",
            "cell2.edge23": "conv3x3",
            "cell2.edge13": "skip",
        },
    ),
    "spikenas_bench": (
        "spikenas_bench",
        (3, 32, 32),
        10,
        {
            "cell.edge01": "conv1.5",
            "cell.edge02": "conv0.5",
            "cell.edge03": "conv1.0",
            "cell.edge13": "conv0.5",
            "cell.edge23": "skip",
        },
    ),
    "blocks": (
        "blocks",
        (3, 32, 32),
        10,
        {
            "time_steps": 4,
            "*.weight_bits": 8,
            "width": 16,
            "stage1.slot1": "residual3x3",
            "stage2.slot1": "residual5x5",
            "stage2.slot2": "conv3x3",
            "stage3.slot2": "conv5x5",
        },
    ),
    "plain": (
        "plain",
        (1, 28, 28),
        10,
        {
            "time_steps": 4,
            "stages": 2,
            "*.weight_bits": 4,
            "*.kernel": 3,
            "stage1.width": 8,
            "stage1.blocks": 2,
            "stage1.block2.skip": "or",
            "stage2.width": 16,
            "stage2.pool": "average",
        },
    ),
}
"""File → space, shape of a sample, classes, and choices by gene name; ``*.`` for all layers'."""


def main() -> None:
    """Draw them."""
    for name, (kind, shape, classes, values) in PICTURES.items():
        space = make_space(kind, shape, classes)
        genome = []
        for gene in space.genes:
            general = f"*.{gene.name.rpartition('.')[2]}"
            choice = values.get(gene.name, values.get(general, gene.choices[0]))
            genome.append(gene.choices.index(choice))
        figure = figure_of_architecture(space.decode(genome))
        figure.savefig(IMAGES / f"space_{name}.png", dpi=style.DPI // 2)


if __name__ == "__main__":
    main()
