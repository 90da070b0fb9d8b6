"""Wire resistance: the plain sum and the fixed attenuation, held against the exact resistive mesh.

The first table is the mean relative error of a column's current: crossbars of random cells of 16
levels from a tenth of the on conductance up, 15 % of the rows active, a few spike vectors each.

The second one is the error of the difference of two such columns, which hold the two signs of a
weight, at several spike rates: in levels of a cell, which is the step of an ADC that loses nothing,
and in steps of an ADC of 256 levels that spans all rows. The attenuation is worked out for that
spike rate, and once more for 15 % whatever the rate.

    python runs/benchmarks/wire_resistance.py --out runs/out/wire_resistance.json
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hardware.nonideal import attenuation
from hardware.wires import column_currents

SIZES = (64, 128)
ON_OHM = (2e4, 1e5)
WIRE_OHM = (1.0, 2.5)
RATES = (0.02, 0.05, 0.15, 0.30, 0.50)
TYPICAL_RATE = 0.15
VECTORS = 4
CELL_LEVELS = 16
OFF_SHARE = 0.1  # conductance of a cell that is off, of one that is on
ADC_LEVELS = 256

Floats = NDArray[np.float64]


def cells(rng: np.random.Generator, size: int, on_ohm: float) -> Floats:
    """Conductances in siemens of a square crossbar with cells of random levels."""
    levels = rng.integers(0, CELL_LEVELS, (size, size)) / (CELL_LEVELS - 1)
    return (OFF_SHARE + (1 - OFF_SHARE) * levels) / on_ohm


def attenuated(conductance: Floats, wire_ohm: float, rate: float) -> Floats:
    """Conductances times their attenuation."""
    share = attenuation(torch.from_numpy(conductance), wire_ohm, rate, tolerance=1e-10)
    return conductance * share.numpy()


def column_errors() -> list[dict[str, Any]]:
    """One row a crossbar: mean and largest relative error of column currents."""
    rng = np.random.default_rng(0)
    rows = []
    for size, on_ohm, wire_ohm in product(SIZES, ON_OHM, WIRE_OHM):
        conductance = cells(rng, size, on_ohm)
        felt = attenuated(conductance, wire_ohm, TYPICAL_RATE)
        plain, fixed = [], []
        for _ in range(VECTORS):
            active = rng.random(size) < TYPICAL_RATE
            exact = column_currents(conductance, active, wire_ohm)
            plain.append(np.abs(active @ conductance / exact - 1))
            fixed.append(np.abs(active @ felt / exact - 1))
        rows.append(
            {
                "rows": size,
                "on_ohm": on_ohm,
                "wire_ohm": wire_ohm,
                "plain_mean": float(np.mean(plain)),
                "plain_largest": float(np.max(plain)),
                "attenuated_mean": float(np.mean(fixed)),
                "attenuated_largest": float(np.max(fixed)),
            }
        )
    return rows


def signed(rng: np.random.Generator, size: int, on_ohm: float) -> Floats:
    """Conductances of signed weights, each in two columns side by side, one of them off."""
    top = CELL_LEVELS - 1
    weights = rng.integers(-top, top + 1, (size, size // 2))
    levels = np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], axis=-1) / top
    return (OFF_SHARE + (1 - OFF_SHARE) * levels.reshape(size, size)) / on_ohm


def differential_errors() -> list[dict[str, Any]]:
    """One row a crossbar and spike rate: mean error of signed sums, in levels and ADC steps."""
    rng = np.random.default_rng(1)
    rows = []
    for size, on_ohm, wire_ohm in product(SIZES, ON_OHM, WIRE_OHM):
        conductance = signed(rng, size, on_ohm)
        level = (1 - OFF_SHARE) / on_ohm / (CELL_LEVELS - 1)
        step = size * (CELL_LEVELS - 1) / (ADC_LEVELS - 1)
        typical = attenuated(conductance, wire_ohm, TYPICAL_RATE)
        for rate in RATES:
            felt = attenuated(conductance, wire_ohm, rate)
            errors: dict[str, list[Floats]] = {"plain": [], "attenuated": [], "typical": []}
            for _ in range(VECTORS):
                active = rng.random(size) < rate
                exact = difference(column_currents(conductance, active, wire_ohm))
                for name, weights in zip(errors, (conductance, felt, typical), strict=True):
                    errors[name].append(np.abs(difference(active @ weights) - exact) / level)
            levels = {f"{name}_levels": float(np.mean(each)) for name, each in errors.items()}
            steps = {key.replace("levels", "steps"): value / step for key, value in levels.items()}
            case = {"rows": size, "on_ohm": on_ohm, "wire_ohm": wire_ohm, "rate": rate}
            rows.append(case | levels | steps)
    return rows


def difference(currents: Floats) -> Floats:
    """Positive columns less negative ones."""
    return currents[0::2] - currents[1::2]


def show(rows: list[dict[str, Any]]) -> None:
    """Print rows as a table."""
    print(" | ".join(rows[0]))
    for row in rows:
        print(" | ".join(f"{value:.4g}" for value in row.values()))


def main() -> None:
    """Print both tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns, differential = column_errors(), differential_errors()
    show(columns)
    print()
    show(differential)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {"columns": columns, "differential": differential}
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
