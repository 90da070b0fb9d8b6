"""The compatible face against its rules restated in plain scalars, on networks of all kinds."""

import math
from typing import Any

import numpy as np
import pytest

from genomes.workload import Workload
from hardware import load_chip
from hardware.arrays import pack
from hardware.models import MODELS
from tests.hardware.neurosim_golden import OWN, cases
from tests.hardware.neurosim_text import FIELDS, Network
from tests.hardware.neurosim_text_plan import Layer

NETWORKS = 160
SCALES = (4, 40, 300, 300)


def drawn_layers(rng: np.random.Generator) -> list[Layer]:
    """A network: convolutions of one or several kernels and strides, pooled or not, then linear."""
    kind = rng.choice(["plain", "plain", "mixed", "linear", "convolutions", "pointwise"])
    layers = []
    size, width = int(rng.integers(9, 70)), int(rng.integers(9, 40))
    channels, side = int(rng.integers(1, 40)), int(rng.choice([2, 3, 3, 5]))
    for _ in range(0 if kind == "linear" else int(rng.integers(1, 7))):
        kernel = (side, side)
        if kind == "mixed":
            kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        elif kind == "pointwise" or rng.random() < 0.15:
            kernel = (1, 1)
        if size < kernel[0] + 2 or width < kernel[1] + 2:
            break
        stride = int(rng.choice([1, 1, 1, 2]))
        outputs = int(rng.integers(1, 2 * rng.choice(SCALES)))
        pooled = bool(rng.random() < 0.4)
        rate = float(rng.uniform(0, 0.6))
        layers.append(Layer(size, width, channels, *kernel, outputs, pooled, stride, rate))
        fold = stride * (2 if pooled else 1)
        size = max(1, (size - kernel[0] + 1) // fold)
        width = max(1, (width - kernel[1] + 1) // fold)
        channels = outputs
    if kind != "convolutions" or not layers:
        features = size * width * channels if layers else int(rng.integers(1, 2000))
        for outputs in (int(rng.integers(1, 3 * rng.choice(SCALES))), 10)[
            int(rng.integers(0, 2)) :
        ]:
            layers.append(Layer(1, 1, features, 1, 1, outputs, rate=float(rng.uniform(0, 0.6))))
            features = outputs
    return layers


def drawn_chip(rng: np.random.Generator) -> dict[str, Any]:
    """Any setting of the compatible face for which there is a crossbar."""
    memory = rng.choice(["rram", "rram", "sram", "fefet", "low"])
    resistances = {"fefet": (2.4e5, 2.4e7), "low": (2e4, 2e5)}.get(memory, (1e5, 1.7e6))
    rows = int(rng.choice([32, 32, 32, 64, 64, 128, 256]))
    return {
        "technology_nm": int(rng.choice([22, 32, 45, 65])),
        "memory": "rram" if memory == "low" else str(memory),
        "r_on_ohm": resistances[0],
        "r_off_ohm": resistances[1],
        "crossbar_rows": rows,
        "crossbar_columns": rows,
        "cell_bits": 1 if memory == "sram" else int(rng.choice([1, 2, 4])),
        "adc_kind": str(rng.choice(["flash", "sar"])),
        "adc_levels": int(rng.choice([8, 16, 32, 64, 128, 256])),
        "columns_per_adc": int(rng.choice([4, 8, 16])),
        "mapping": str(rng.choice(["kernel", "kernel", "flat"])),
        "bus": str(rng.choice(["xy", "xy", "htree"])),
        "pipelined": bool(rng.random() < 0.6),
        "speed_up_degree": int(rng.choice([1, 2, 4, 8, 16, 64])),
    }


def workload(layers: list[Layer], weight_bits: int, input_bits: int) -> Workload:
    documents = []
    for index, one in enumerate(layers):
        document: dict[str, Any] = {
            "name": f"layer{index}",
            "weight_bits": weight_bits,
            "input_bits": input_bits,
            "input_rate": one.rate,
        }
        if one.height == one.width == one.kernel == 1 and not one.pooled:
            document |= {
                "kind": "linear", "in_features": one.inputs, "out_features": one.outputs
            }  # fmt: skip
        else:
            size = [one.height - one.kernel_height + 1, one.width - one.kernel_width + 1]
            out = [math.ceil(side / one.stride) for side in size]
            document |= {
                "kind": "conv2d",
                "in_channels": one.inputs,
                "out_channels": one.outputs,
                "kernel": [one.kernel_height, one.kernel_width],
                "stride": [one.stride] * 2,
                "in_size": [one.height, one.width],
                "out_size": out,
                "pool": [min(2, side) for side in out] if one.pooled else [1, 1],
            }
        documents.append(document)
    return Workload.model_validate({"timesteps": 1, "layers": documents})


def assert_agrees(layers: list[Layer], chip_values: dict[str, Any], bits: tuple[int, int]) -> None:
    chip = load_chip("neurosim_compat", chip_values)
    network = Network(layers, chip, *bits)
    found = MODELS["neurosim"].breakdown(pack([workload(layers, *bits)]), chip)
    spent = network.run()
    clock = network.clock

    def close(name: str, values: Any, expected: Any, rel: float) -> None:
        assert np.asarray(values).tolist() == pytest.approx(
            np.asarray(expected).tolist(), rel=rel, abs=1e-30
        ), name

    assert found.layer_tiles[0].tolist() == network.tiles
    copies = [row * column for row, column in zip(network.gr, network.gc, strict=True)]
    assert found.speed_up[0].tolist() == copies
    share = sum(u * t for u, t in zip(network.used, network.tiles, strict=True))
    close("utilisation", found.utilisation[0], share / sum(network.tiles), 1e-9)
    for name in FIELDS:
        cycles = [one.cycles[name] * clock for one in spent]
        close(f"latency {name}", found.latency[name][0] * 1e9, cycles, 1e-9)
        energy = [one.energy[name] for one in spent]
        # the expectation over active rows is from a table of spike rates
        rel = 1e-3 if name == "adc" else 1e-9
        close(f"energy {name}", found.energy[name][0] * 1e15, energy, rel)
    close("area", found.total_area[0] * 1e12, network.area(), 1e-6)
    times = [sum(one.cycles.values()) * clock for one in spent]
    whole = max(times) if network.pipelined else sum(times)
    close("interval", found.interval[0] * 1e9, whole, 1e-9)
    if chip.word("memory") != "sram":  # its cells' leakage is one measured figure
        close("leakage", found.leakage.sum() * 1e15, network.leakage(times), 1e-6)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_networks_and_settings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = int(rng.integers(1, 9)), int(rng.choice([1, 1, 2, 4, 7]))
    chip = drawn_chip(rng)
    chip["cell_bits"] = min(chip["cell_bits"], 1 << (bits[0].bit_length() - 1))
    assert_agrees(drawn_layers(rng), chip, bits)


def test_the_draws_hold_what_the_golden_cases_do_not() -> None:
    seen = {"extra": 0, "no N": 0, "no C": 0, "uneven": 0, "dropped": 0, "one tile": 0}
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        bits = int(rng.integers(1, 9)), int(rng.choice([1, 1, 2, 4, 7]))
        chip = drawn_chip(rng)
        chip["cell_bits"] = min(chip["cell_bits"], 1 << (bits[0].bit_length() - 1))
        layers = drawn_layers(rng)
        network = Network(layers, load_chip("neurosim_compat", chip), *bits)
        first = [
            math.ceil((one.inputs if n else rows) / (network.sN if n else network.T))
            for one, n, rows in zip(layers, network.is_n, network.WR, strict=True)
        ]
        seen["extra"] += any(tr > need for tr, need in zip(network.tr, first, strict=True))
        # a size is kept only where it fills tiles better than half of it, so no layer that is left
        # has room for more copies on smaller PEs
        assert network.K == 2
        seen["no N"] += not any(network.is_n)
        seen["no C"] += all(network.is_n)
        seen["uneven"] += any(
            n and one.inputs > network.sN and one.inputs % network.sN
            for one, n in zip(layers, network.is_n, strict=True)
        )
        seen["dropped"] += network.S > network.M
        seen["one tile"] += sum(network.tiles) == 1
    assert all(count >= 3 for count in seen.values()), seen


@pytest.mark.parametrize("case", cases(OWN), ids=lambda case: case["name"])
def test_the_restated_rules_have_neurosims_figures(case: dict[str, Any]) -> None:
    chip_values = {key: value for key, value in case["chip"].items() if key != "preset"}
    chip, layers = load_chip("neurosim_compat", chip_values), []
    for one in case["workload"]["layers"]:
        if one["kind"] == "linear":
            layers.append(Layer(1, 1, one["in_features"], 1, 1, one["out_features"]))
            continue
        sizes = (*one["in_size"], one["in_channels"], *one["kernel"], one["out_channels"])
        layers.append(Layer(*sizes, math.prod(one["pool"]) > 1, one["stride"][0]))
    for layer, one in zip(layers, case["workload"]["layers"], strict=True):
        layer.rate = one["input_rate"]
    network = Network(layers, chip, case["workload"]["layers"][0]["weight_bits"], 1)
    spent = network.run()
    expected = case["expected"]

    assert network.tiles == expected["tiles_per_layer"]
    assert network.area() == pytest.approx(expected["chip"]["area_um2"], rel=1e-5)
    for one, wanted in zip(spent, expected["layers"], strict=True):
        time = sum(one.cycles.values()) * network.clock
        assert time == pytest.approx(wanted["readLatency_ns"], rel=1e-5)
        for name, key in (("buffer", "bufferEnergy_pJ"), ("interconnect", "icEnergy_pJ")):
            assert one.energy[name] / 1e3 == pytest.approx(wanted[key], rel=1e-4)
        wanted_energy = wanted["accum_energy_pJ"]
        assert one.energy["accumulation"] / 1e3 == pytest.approx(wanted_energy, rel=1e-4)
