"""Machines that train: their files, and joules by hand."""

import pytest

from genomes.errors import RequestError
from genomes.training_work import TrainingWork
from hardware.machines import DEFAULT_MACHINE, load_machine, machine_names

WORK = TrainingWork(products=100, additions=50, active_additions=10, neuron_operations=20)


def test_an_event_driven_machine_pays_for_spikes_that_are_there():
    machine = load_machine("digital_horowitz_isscc_2014")

    # (120 x 4.6 pJ + 10 x 0.9 pJ) x 1000 samples
    assert machine.energy_j(WORK, 1000) == pytest.approx(561e-9)


def test_a_dense_machine_pays_for_every_operation():
    machine = load_machine("gpu_nvidia_a100")

    assert machine.energy_j(WORK, 1000) == pytest.approx(170 * 41e-12 * 1000)


def test_a_share_of_the_peak_makes_all_dearer():
    machine = load_machine("cpu_amd_epyc_7763", {"share_of_peak": 0.1})

    assert machine.energy_j(WORK, 1) == pytest.approx(10 * 170 * 112e-12)


def test_figures_of_machines_follow_from_their_sources():
    gpu = 400 / (19.5e12 / 2) * 1e12  # W, multiply-accumulates a second, pJ
    assert load_machine("gpu_nvidia_a100")["mac_pj"] == pytest.approx(gpu, rel=0.01)
    cpu = 280 / (64 * 2.45e9 * 2 * 8) * 1e12
    assert load_machine("cpu_amd_epyc_7763")["mac_pj"] == pytest.approx(cpu, rel=0.01)
    horowitz = load_machine()
    assert horowitz["mac_pj"] == pytest.approx(3.7 + 0.9)
    assert horowitz["accumulate_pj"] == 0.9


@pytest.mark.parametrize("name", machine_names())
def test_every_number_has_its_source_and_range(name):
    machine = load_machine(name)

    assert machine.name == name
    assert set(machine.parameters) == {
        "mac_pj", "accumulate_pj", "skips_silent", "share_of_peak"
    }  # fmt: skip
    for parameter in machine.parameters.values():
        assert parameter.source
        assert parameter.description
        assert parameter.range or parameter.choices
        assert parameter.checked(parameter.value) == parameter.value


def test_the_default_is_a_machine():
    assert DEFAULT_MACHINE in machine_names()
    assert load_machine().name == DEFAULT_MACHINE


@pytest.mark.parametrize(
    ("name", "overrides", "text"),
    [
        ("gpu_nvidia_a10", {}, r"training_machine\.name: got 'gpu_nvidia_a10'.*gpu_nvidia_a100"),
        ("gpu_nvidia_a100", {"mac": 1.0}, r"training_machine.*mac_pj"),
        ("gpu_nvidia_a100", {"mac_pj": 0}, r"training_machine\.mac_pj: got 0"),
        ("gpu_nvidia_a100", {"mac_pj": "4"}, r"training_machine\.mac_pj: got '4'"),
        ("gpu_nvidia_a100", {"skips_silent": 1}, r"training_machine\.skips_silent: got 1"),
        ("gpu_nvidia_a100", {"share_of_peak": 1.5}, r"share_of_peak: got 1\.5"),
    ],
)
def test_what_is_no_machine_is_refused(name, overrides, text):
    with pytest.raises(RequestError, match=text):
        load_machine(name, overrides, field="training_machine")
