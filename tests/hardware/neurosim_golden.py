"""Figures of NeuroSim V1.4, and how far the model is from them.

`tests/data/neurosim.json` holds some of the runs, so that the tests need nothing else; all of them
lie beside the checkout, where that material is at hand.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genomes.workload import Workload
from hardware import load_chip
from hardware.arrays import pack
from hardware.breakdown import Breakdown
from hardware.models import MODELS

OWN = Path(__file__).parents[1] / "data" / "neurosim.json"
ALL = Path(__file__).parents[3] / "shared" / "golden" / "neurosim.json"

#: Printed figures have six digits; energies of ADCs are expected ones here, of one random draw of
#: spikes and weights there. SRAM cells' own leakage is one figure, of 22 nm.
LIMITS = {
    "tiles": 0.0,
    "speed-up": 0.0,
    "utilisation": 5e-6,
    "area": 1e-4,
    "latency": 1e-4,
    "energy accumulation": 3e-4,
    "energy buffer": 3e-4,
    "energy interconnect": 3e-4,
    "energy adc": 2e-2,
    "energy total": 1e-2,
    "leakage": 5e-4,
    "leakage of SRAM": 5e-2,
}

_AREAS = {
    "array": "array",
    "adc": "adc",
    "accumulation": "accum",
    "interconnect": "ic",
    "other": "other",
}
_LATENCIES = {
    "adc": "ADC_latency_ns",
    "accumulation": "accum_latency_ns",
    "buffer": "bufferLatency_ns",
    "interconnect": "icLatency_ns",
}
#: What NeuroSim's "other" holds.
_OTHERS = ("other", "buffer", "interconnect")


def cases(path: Path) -> list[dict[str, Any]]:
    """All cases of a file; none where it is missing."""
    return list(json.loads(path.read_text())["cases"]) if path.exists() else []


def costs(case: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Breakdown:
    """The model's costs of a case, on its chip with other parameters where told."""
    overrides = dict(case["chip"]) | dict(changes or {})
    chip = load_chip(overrides.pop("preset"), overrides)
    return MODELS[chip.model].breakdown(pack([Workload.from_document(case["workload"])]), chip)


def errors(case: Mapping[str, Any], found: Breakdown) -> dict[str, float]:
    """Relative errors by figure; the name's first words say which limit is meant.

    Layer-serial, the chip's latency is the sum over layers. Pipelined, it is the longest layer,
    which is the interval between inferences; each part is the longest of its own, so parts are
    compared by layer.
    """
    expected = case["expected"]
    chip, layers = expected["chip"], expected["layers"]
    energy = {name: values.sum() * 1e12 for name, values in found.energy.items()}
    result = {
        "tiles": _error(found.layer_tiles[0].tolist(), expected["tiles_per_layer"]),
        "speed-up": _error(found.speed_up[0].tolist(), expected["speedup_per_layer"]),
        "utilisation": _error([found.utilisation[0] * 100], [expected["mem_util_pct"]]),
        "area": _error([found.total_area[0] * 1e12], [chip["area_um2"]]),
        "latency of the chip": _error([found.interval[0] * 1e9], [chip["latency_ns"]]),
        "energy total": _error([sum(energy.values())], [chip["dynamic_energy_pJ"]]),
        "energy adc": _error([energy["adc"]], [chip["ADC_energy_pJ"]]),
        "energy accumulation": _error([energy["accumulation"]], [chip["accum_energy_pJ"]]),
        "energy buffer": _error([energy["buffer"]], [chip["buffer_energy_pJ"]]),
        "energy interconnect": _error([energy["interconnect"]], [chip["ic_energy_pJ"]]),
        "energy total, other": _error(
            [sum(energy[name] for name in _OTHERS)], [chip["other_energy_pJ"]]
        ),
    }
    leakage = "leakage of SRAM" if case["chip"]["memory"] == "sram" else "leakage"
    result[leakage] = _error([found.leakage.sum() * 1e12], [chip["leakage_energy_pJ"]])
    for name, printed in _AREAS.items():
        area = found.area[name][0] * 1e12
        result[f"area {name}"] = _error([area], [chip[f"area_{printed}_um2"]])
    times = {name: values[0] * 1e9 for name, values in found.latency.items()}
    for name, printed in _LATENCIES.items():
        result[f"latency {name}"] = _error(times[name], [layer[printed] for layer in layers])
    other = sum(times[name] for name in _OTHERS)
    result["latency other"] = _error(other, [layer["other_latency_ns"] for layer in layers])
    result["latency of layers"] = _error(
        sum(times.values()), [layer["readLatency_ns"] for layer in layers]
    )
    return result


def beyond(found: Mapping[str, float]) -> dict[str, float]:
    """The errors that are beyond their limits."""
    return {name: error for name, error in found.items() if not error <= _limit(name)}


def _limit(name: str) -> float:
    """The limit whose name is the longest beginning of `name`."""
    return LIMITS[max((key for key in LIMITS if name.startswith(key)), key=len)]


def _error(values: Any, expected: Any) -> float:
    """Largest relative error; infinite where the numbers of values differ."""
    pairs = list(zip(values, expected, strict=False))
    if len(values) != len(expected):
        return float("inf")
    return max(abs(value - wanted) / (abs(wanted) or 1.0) for value, wanted in pairs)
