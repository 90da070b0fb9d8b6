"""Presets by their published numbers, and that the documentation knows them all."""

from pathlib import Path

import numpy as np
import pytest

from genomes.workload import ConvLayer, Workload
from hardware import chip_names, estimate, is_lossless, load_chip
from hardware.chip_file import preset_names
from hardware.devices import load_device

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = Path(__file__).parents[2] / "hardware" / "presets" / "neurosim_v1_4_crossbars.npz"

LAYER = ConvLayer(
    name="conv", kind="conv2d", in_channels=32, out_channels=32, kernel=(3, 3), padding=(1, 1),
    in_size=(8, 8), out_size=(8, 8), weight_bits=8, input_rate=0.15, output_rate=0.1,
)  # fmt: skip
WORKLOAD = Workload(timesteps=4, layers=(LAYER, LAYER))


def test_the_table_of_chips_has_every_preset() -> None:
    text = (DOCS / "presets.md").read_text()
    for name in preset_names():
        short = name if name == "rram_neurosim_22nm" else name.removeprefix("rram_neurosim")
        assert f"`{name}`" in text or f"`{short}`" in text, name


@pytest.mark.parametrize(
    "name", ["rram_wan_nature_2022", "rram_milo_irps_2021", "rram_falcone_arxiv_2025"]
)
def test_cells_lie_within_what_their_device_file_knows(name: str) -> None:
    chip, device = load_chip(name), load_device(name)
    on, off = (1e6 / chip.number(key) for key in ("r_on_ohm", "r_off_ohm"))
    assert device.smallest_us <= off < on <= device.largest_us
    assert on == pytest.approx(device.largest_us, rel=1e-3)
    assert is_lossless(chip)


def test_cells_of_more_conductance_take_more_adc_energy() -> None:
    # Mean conductances: 2.1, 5.3, 20.5, 48.6 and 137.5 uS.
    names = ["rram_wan_nature_2022", "rram_falcone_arxiv_2025", "rram_milo_irps_2021"]
    energies = [estimate(WORKLOAD, name).energy_components_uj["adc"] for name in names]
    assert energies == sorted(energies)
    fefet, rram = (
        estimate(WORKLOAD, name).energy_components_uj["adc"]
        for name in ("fefet_neurosim_22nm", "rram_neurosim_22nm")
    )
    assert fefet < rram


@pytest.mark.parametrize(
    ("name", "energies_fj", "areas_um2"),
    [
        # components.json: hwcomponents_adc 1.0.21 at 100 MS/s, 5 bits
        ("rram_neurosim_adcsurvey_32nm", {22: 370.3, 32: 749.0, 65: 2838.5}, {32: 3287.3}),
        # 16 mW / (8 x 1.2 GS/s) for 8 bits; 0.99 pJ for 5
        ("rram_neurosim_adckull_32nm", {32: 990.0}, {32: 476.91}),
    ],
)
def test_published_adcs(
    name: str, energies_fj: dict[int, float], areas_um2: dict[int, float]
) -> None:
    for node, energy in energies_fj.items():
        chip = load_chip(name, {"technology_nm": node})
        assert chip.numbers("adc_table_energy_fj")[2] == energy
    for node, area in areas_um2.items():
        chip = load_chip(name, {"technology_nm": node})
        assert chip.numbers("adc_table_area_um2")[2] == area


def test_a_dearer_adc_costs_what_it_costs_more_for_each_conversion() -> None:
    plain = estimate(WORKLOAD, "rram_neurosim_32nm")
    survey = estimate(WORKLOAD, "rram_neurosim_adcsurvey_32nm")
    # 65 levels: 7 bits; 2 x 8 x 8 positions, 4 steps, 9 kernel positions, 256 columns.
    conversions = 2 * 64 * 4 * 9 * 256
    more = (1049.7 - 134.6) * 1e-9 * conversions
    found = survey.energy_components_uj["adc"] - plain.energy_components_uj["adc"]
    assert found == pytest.approx(more, rel=2e-3)
    assert survey.area_components_mm2["adc"] > 5 * plain.area_components_mm2["adc"]


def test_isaacs_crossbar_is_the_published_one() -> None:
    chip = load_chip("rram_isaac_isca_2016")
    # 8 crossbars in 0.0002 mm2; 8 ADCs of 1.2 GS/s in 16 mW and 0.0096 mm2
    assert 8 * 128 * 128 * chip.number("cell_area_um2") == pytest.approx(200, rel=1e-3)
    assert chip.numbers("adc_sar_energy_fj")[5] * 8 * 1.2e-3 == pytest.approx(16.0, rel=1e-3)
    assert chip.numbers("adc_sar_area_um2")[5] * 8 == 9600.0
    cost = estimate(WORKLOAD, chip)
    assert cost.crossbars % 96 == 0
    assert is_lossless(chip)


def test_scaled_resistances_are_as_far_off_as_the_documentation_says() -> None:
    """The 100 kOhm device at the same column current, for SAR ADCs: linear in active rows."""
    ratio = (1 / 2e4 + 1 / 2e5) / (1 / 1e5 + 1 / 1.7e6)
    assert ratio == pytest.approx(5.2, abs=0.01)
    with np.load(FIGURES) as grid:
        known, meant = (
            grid[f"{device}/adc_energy_pj"][:, 3, 7, :, 1].astype(float)
            for device in ("rram_100k_1.7M", "rram_20k_200k")
        )
        rows = grid["active_rows"].astype(float)
    slope = (known[..., -1] - known[..., 1]) / (rows[-1] - rows[1])
    scaled = known[..., 1:2] + slope[..., None] * (rows[1:] * ratio - 1)
    assert np.abs(scaled / meant[..., 1:] - 1).max() < 0.0075


@pytest.mark.parametrize("name", [name for name in chip_names() if "2" in name])
def test_a_networks_cost_is_of_a_plausible_size(name: str) -> None:
    cost = estimate(WORKLOAD, name)
    assert 1e-3 < cost.energy_uj < 1e3
    assert 1e-4 < cost.latency_ms < 1e2
    assert 1e-3 < cost.area_mm2 < 1e3
