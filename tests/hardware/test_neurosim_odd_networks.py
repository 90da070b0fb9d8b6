"""Networks and settings that no reference has: what the clean face says of them."""

from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import Cost, estimate, load_chip


def conv(channels: int, out: int, size: int, **more: Any) -> dict[str, Any]:
    return {
        "name": "conv",
        "kind": "conv2d",
        "in_channels": channels,
        "out_channels": out,
        "kernel": [3, 3],
        "padding": [1, 1],
        "in_size": [size, size],
        "out_size": [size, size],
    } | more


def cost(*layers: dict[str, Any], timesteps: int = 2, **chip: Any) -> Cost:
    document = {"schema": "evo-snn workload 1", "timesteps": timesteps, "layers": list(layers)}
    return estimate(Workload.from_document(document), load_chip("rram_neurosim_22nm", chip))


LINEAR = {"name": "out", "kind": "linear", "in_features": 64, "out_features": 64}


@pytest.mark.parametrize("bus", ["xy", "htree"])
def test_a_pipeline_of_degree_1_copies_nothing(bus: str) -> None:
    layers = (LINEAR, conv(16, 16, 32), conv(16, 16, 8))
    serial, together = (cost(*layers, bus=bus, pipelined=one) for one in (False, True))

    assert together.crossbars == serial.crossbars
    assert together.latency_ms <= serial.latency_ms
    faster = cost(*layers, bus=bus, pipelined=True, speed_up_degree=2)
    # the largest map is 32 high, the smallest 8: heights of 16 at most, so 4 copies of the first
    assert [one.speed_up for one in faster.layers][1] >= 4
    assert faster.interval_ms < together.interval_ms


def test_a_pipeline_has_no_layer_that_waits_for_all_steps() -> None:
    with pytest.raises(RequestError, match="schedule: got 'layers'; allowed: steps"):
        cost(LINEAR, pipelined=True, schedule="layers")


def test_a_digital_layer_has_the_bus_too() -> None:
    layers = (conv(2, 16, 16, domain="digital", input_bits=8), conv(16, 16, 16))
    tree, straight = (cost(*layers, bus=bus) for bus in ("htree", "xy"))

    assert tree.layers[0].latency_ms < 2 * straight.layers[0].latency_ms


def test_a_chip_without_crossbars_keeps_its_buffer() -> None:
    found = cost(conv(2, 16, 16, domain="digital", input_bits=8))

    assert found.crossbars == 0
    assert found.area_components_mm2["other"] > 0


def test_utilisation_is_of_cells_that_hold_weights() -> None:
    # 64 channels of 9 x 8 cells, 7 of them along the diagonal of 64 x 64: 10 bundles, each on
    # a crossbar, two elements of which make a side of a tile
    found = cost(conv(64, 64, 16, groups=64, weight_bits=8))
    cells = found.crossbars * 64 * 64
    copies = found.layers[0].speed_up

    assert found.utilisation == pytest.approx(copies * 64 * 9 * 8 / cells)


def test_the_global_buffer_holds_what_is_written_to_it() -> None:
    # 64 x 64 positions of 4 inputs and 256 outputs: 65 register files of 16,384 bits, not 1
    maps, inputs = (
        cost(conv(4, 256, 64), global_buffer=held).area_components_mm2["other"]
        for held in ("maps", "inputs")
    )
    core = 16384 * 0.616 * 2.0064 + 147.1

    assert maps - inputs == pytest.approx(64 * core * 1e-6)


def test_neurons_without_state_take_no_time() -> None:
    found = cost(LINEAR | {"neuron_state_bits": 0}, timesteps=1)

    assert found.latency_components_ms["neuron"] == 0
    assert found.energy_components_uj["neuron"] == 0
