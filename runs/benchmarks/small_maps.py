"""Where one matrix is faster than a convolution: what the limits of ``snn/products.py`` come from.

Each layer is computed in every way that it has, forward and backward, one thread, the ways in turn;
microseconds are medians. ``chosen`` is the way that the package takes.

    python runs/benchmarks/small_maps.py
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its threads

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from evo_snn.allocator import keep_freed_memory
from evo_snn.snn import products
from evo_snn.snn.network import in_channels_last
from genomes.architecture import INPUT, Layer, Neuron
from speed.document import written

Way = Callable[[Layer, Tensor, Tensor], Tensor]
CHANNELS = {"image": [(1, 8), (1, 32), (3, 16), (3, 64)], "map": [(8, 8), (16, 32), (32, 64)]}
IMAGES = 64
WAYS = ("apart", "merged", "dense")


def cases() -> Iterator[tuple[Layer, int]]:
    """Layers on small maps, and the samples that they read."""
    for kind, channels in CHANNELS.items():
        for rows in (IMAGES, 4 * IMAGES)[kind == "map" :]:
            for size in (2, 4, 8):
                for window in (1, 2):
                    for kernel in (3, 5):
                        for inputs, outputs in channels:
                            layer = _layer(kind, inputs, outputs, size, kernel, window)
                            yield layer, rows


def _layer(kind: str, inputs: int, outputs: int, size: int, kernel: int, window: int) -> Layer:
    return Layer(
        name="layer",
        source=INPUT if kind == "image" else "before",
        in_shape=(inputs, size, size),
        out_channels=outputs,
        kernel=(kernel, kernel),
        stride=(1, 1),
        padding=(kernel // 2, kernel // 2),
        weight_bits=8,
        input_bits=1,
        pool=(window, window),
        pool_kind="average",
        neuron=Neuron("lif_box", 0.5, 0.5, 12),
    )


def ways(layer: Layer) -> dict[str, Way]:
    """Every way that a layer can be computed in."""
    found: dict[str, Way] = {"apart": _apart, "dense": products._dense}  # noqa: SLF001 - its limits
    if layer.pool[0] > 1:
        found["merged"] = products._merged  # noqa: SLF001
    return found


def _apart(layer: Layer, source: Tensor, weight: Tensor) -> Tensor:
    return products.average_pooled(layer, products.product(layer, source, weight))


def measured(layer: Layer, rows: int, repeats: int) -> dict[str, Any]:
    """Microseconds of each way, and which is chosen."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 2, (rows, *layer.in_shape), generator=generator).float()
    x = in_channels_last(x).requires_grad_(layer.source != INPUT)
    weight = torch.randn(layer.weight_shape, generator=generator).requires_grad_()
    towards = in_channels_last(torch.randn(rows, *layer.neuron_shape, generator=generator))
    times: dict[str, list[float]] = {name: [] for name in ways(layer)}
    for _ in range(repeats + 1):
        for name, way in ways(layer).items():
            started = time.perf_counter()
            x.grad = weight.grad = None
            way(layer, x, weight).backward(towards)
            times[name].append(1e6 * (time.perf_counter() - started))
    return {
        "layer": f"{'x'.join(map(str, layer.in_shape))} to {layer.out_channels}",
        "reads": "image" if layer.source == INPUT else "map",
        "kernel": layer.kernel[0],
        "average": layer.pool[0],
        "rows": rows,
        "chosen": chosen(layer, rows),
        "microseconds": {name: median(found[1:]) for name, found in times.items()},
    }


def chosen(layer: Layer, rows: int) -> str:
    """The way that the package takes."""
    if products._is_dense(layer, rows):  # noqa: SLF001
        return "dense"
    return "merged" if products._is_merged(layer) else "apart"  # noqa: SLF001


def table(rows: list[dict[str, Any]]) -> Table:
    """One line a layer, the fastest way marked."""
    headings = ("layer", "reads", "kernel", "average", "rows")
    made = Table(*headings, *WAYS, "chosen", "lost")
    for row in rows:
        times = row["microseconds"]
        least = min(times.values())
        shown = [f"{times[way]:.0f}" if way in times else "" for way in WAYS]
        lost = f"{times[row['chosen']] / least - 1:.0%}"
        made.add_row(*(str(row[name]) for name in headings), *shown, row["chosen"], lost)
    return made


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--layers", type=int, help="the first so many alone")
    parser.add_argument("--out", type=Path, default=Path("runs/out/small_maps.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = [measured(*case, arguments.repeats) for case in list(cases())[: arguments.layers]]
    Console(width=110).print(table(rows))
    written(arguments.out, {"layers": rows})


if __name__ == "__main__":
    main()
