"""Figures of merit against numbers worked out by hand."""

import pytest

from genomes.workload import Workload
from hardware import estimate, figures_of_merit
from hardware.cost import Cost

FIRST = {"name": "in", "kind": "linear", "in_features": 10, "out_features": 6, "input_bits": 8,
         "input_rate": 0.5, "static_input": True}  # fmt: skip
CONV = {"name": "conv", "kind": "conv2d", "in_channels": 4, "out_channels": 6, "kernel": [3, 3],
        "groups": 2, "in_size": [5, 5], "out_size": [5, 5], "input_rate": 0.1}  # fmt: skip


def workload(*layers: dict[str, object], **facts: object) -> Workload:
    document = {"schema": "evo-snn workload 1", "timesteps": 4, "layers": list(layers), **facts}
    return Workload.from_document(document)


def cost(area: float, energy: float, latency: float, interval: float) -> Cost:
    return Cost(area, energy, energy, 0.0, latency, interval, 1, 1, 1.0, 1.0, (), {}, {}, {})


def test_by_hand() -> None:
    # The analog input: 10 x 6 multiply-accumulates, once. The convolution: 2 x 9 weights of each
    # of 6 channels at 25 positions in 4 steps, 10,800 accumulates, a tenth of them with a spike.
    merit = figures_of_merit(workload(FIRST, CONV), cost(2.0, 3.0, 0.5, 0.25))
    assert merit.dense_synaptic_operations == 60 + 10_800
    assert merit.performed_synaptic_operations == pytest.approx(60 + 1_080)
    assert merit.dense_operations == 2 * 60 + 10_800
    assert merit.performed_operations == pytest.approx(2 * 60 + 1_080)
    assert merit.energy_delay_uj_ms == 1.5
    assert merit.energy_delay_area_uj_ms_mm2 == 3.0
    assert merit.power_mw == 6.0
    assert merit.inferences_per_second == 2_000
    assert merit.pipelined_inferences_per_second == 4_000
    # 10,920 operations in 3e-6 J are 3.64e9 a joule; in 5e-4 s on 2 mm2, 1.092e7 a second and mm2.
    assert merit.dense_tops_per_w == pytest.approx(3.64e-3)
    assert merit.dense_tops_per_mm2 == pytest.approx(1.092e-5)
    assert merit.performed_tops_per_w == pytest.approx(1_200 / 3e-6 / 1e12)
    assert merit.performed_tops_per_mm2 == pytest.approx(1_200 / 5e-4 / 2 / 1e12)
    assert merit.energy_per_dense_synaptic_operation_pj == pytest.approx(3e6 / 10_860)
    assert merit.energy_per_performed_synaptic_operation_pj == pytest.approx(3e6 / 1_140)


def test_early_exits_do_less_work() -> None:
    whole = figures_of_merit(workload(CONV), cost(1.0, 1.0, 1.0, 1.0))
    early = figures_of_merit(workload(CONV, mean_timesteps=3.0), cost(1.0, 1.0, 1.0, 1.0))
    assert early.dense_synaptic_operations == 0.75 * whole.dense_synaptic_operations


@pytest.mark.parametrize("layer", [FIRST, CONV])
def test_layers_that_few_inferences_come_to_do_less_work(layer: dict[str, object]) -> None:
    free = cost(1.0, 1.0, 1.0, 1.0)
    whole, quarter = (workload(layer | {"executed": share}) for share in (1.0, 0.25))
    expected = 0.25 * figures_of_merit(whole, free).dense_synaptic_operations
    assert figures_of_merit(quarter, free).dense_synaptic_operations == expected


def test_no_spikes_and_no_time_divide_nothing() -> None:
    merit = figures_of_merit(workload(CONV | {"input_rate": 0.0}), cost(1.0, 2.0, 0.0, 0.0))
    assert merit.energy_per_performed_synaptic_operation_pj is None
    assert merit.energy_per_dense_synaptic_operation_pj == pytest.approx(2e6 / 10_800)
    assert merit.performed_tops_per_w == 0
    assert merit.power_mw is None
    assert merit.inferences_per_second is None
    assert merit.pipelined_inferences_per_second is None
    assert merit.dense_tops_per_mm2 is None


@pytest.mark.parametrize("chip", ["rram_32nm", "spikesim_65nm"])
def test_figures_fit_together(chip: str) -> None:
    given = workload(FIRST, CONV)
    found = estimate(given, chip)
    merit = figures_of_merit(given, found)
    # TOPS/W x W / mm2 is TOPS/mm2, and energy is its share of every operation.
    assert merit.power_mw is not None
    assert merit.dense_tops_per_w is not None
    watts_per_mm2 = merit.power_mw / 1e3 / found.area_mm2
    assert merit.dense_tops_per_mm2 == pytest.approx(merit.dense_tops_per_w * watts_per_mm2)
    assert merit.energy_per_dense_synaptic_operation_pj is not None
    energy = merit.energy_per_dense_synaptic_operation_pj * merit.dense_synaptic_operations / 1e6
    assert energy == pytest.approx(found.energy_uj)
    assert set(merit.to_dict()) == set(merit.__dataclass_fields__)
