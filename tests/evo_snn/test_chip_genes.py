"""Chip genes: which chips a search may choose from, and which one a setting is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.chip_genes import MOST_CHIPS, chip_genes, chosen_values, stored_chip
from evo_snn.config import HardwareSection
from evo_snn.config_file import load_config
from genomes.errors import RequestError
from hardware import Chip, load_chip
from hardware.models import MODELS

STUDY = {
    "adc_levels": [16, 32, 64, 128],
    "cell_bits": [1, 2],
    "crossbar_size": [64, 128],
    "columns_per_adc": [4, 8, 16],
}
# 100 rows at once are too many for 64.
PARTLY_REFUSED = {
    "crossbar_rows": [64, 128],
    "rows_per_read": [16, 100],
    "adc_kind": ["sar", "flash"],
}


def made(genes, **overrides):
    sections = {"data": {"name": "digits"}, "search": {"space": "plain"}}
    hardware = {"chip": "rram_32nm", "genes": genes, **overrides}
    config = load_config({**sections, "hardware": hardware})
    return chip_genes(config.hardware)


@pytest.mark.parametrize("model", MODELS)
def test_what_designs_a_chip_is_a_parameter_of_its_model(model):
    chip = load_chip(MODELS[model].reference)
    assert set(MODELS[model].design) <= set(chip.values)


@pytest.mark.parametrize(
    ("chip", "key", "values"),
    [
        ("rram_neurosim_22nm", "leakage", ["neurosim", "whole"]),
        ("rram_neurosim_22nm", "adc_figures", ["circuit", "table"]),
        ("rram_neurosim_22nm", "wire_energy_fj_per_um", [0.001, 0.1]),
        ("rram_neurosim_22nm", "technology_nm", [22, 32]),
        ("rram_32nm", "clock_mhz", [100.0, 500.0]),
        ("digital_horowitz_isscc_2014", "energy_scale", [0.1, 1.0]),
        ("spikesim_65nm", "crossbar_size", [64, 1024]),
    ],
)
def test_a_search_does_not_choose_how_costs_are_counted(chip, key, values):
    with pytest.raises(
        RequestError, match=rf"hardware\.genes: got '{key}'.*hardware\.{key}\."
    ) as no:
        made({key: values}, chip=chip)
    assert "\n" not in str(no.value)
    design = MODELS[load_chip(chip).model].design
    assert all(name in str(no.value) for name in design)


def test_a_value_that_never_makes_a_chip_is_named():
    message = r"hardware\.genes\.crossbar_rows: got 128; allowed: values that make a chip.*columns"
    with pytest.raises(RequestError, match=message):
        made({"crossbar_rows": [64, 128]}, chip="rram_neurosim_22nm")
    with pytest.raises(RequestError, match=r"genes\.rows_per_read: got 100.*0 to crossbar_rows 32"):
        made({"crossbar_size": [32, 64], "rows_per_read": [16, 100]})


@pytest.mark.parametrize("key", ["adc_levels", "rows_per_read"])
def test_what_the_chip_chooses_has_no_place_among_numbers(key):
    with pytest.raises(
        RequestError, match=rf"genes\.{key}: got \[0, 16\]; allowed: values above 0"
    ):
        made({key: [0, 16]})
    assert made({key: [0]}).genes[0].choices == (0,)


def test_without_genes_there_is_the_chip_of_the_section():
    genes = made({}, chip="rram_32nm", crossbar_rows=32)
    assert genes.base == load_chip("rram_32nm", {"crossbar_rows": 32})
    assert genes.genes == ()
    assert genes.repaired(()) == ()
    assert genes.chip(()) is genes.base
    assert list(genes.chips()) == [({}, genes.base)]


def test_numbers_are_ordered_and_words_are_not():
    genes = made({"cell_bits": [1, 2], "adc_kind": ["sar", "flash"]}).genes
    assert [(one.name, one.choices, one.kind) for one in genes] == [
        ("chip.cell_bits", (1, 2), "ordered"),
        ("chip.adc_kind", ("sar", "flash"), "categorical"),
    ]


def test_a_setting_is_the_chip_with_these_parameters():
    genes = made(STUDY)
    setting = (1, 0, 1, 2)
    assert genes.values(setting) == {
        "adc_levels": 32, "cell_bits": 1, "crossbar_size": 128, "columns_per_adc": 16
    }  # fmt: skip
    loaded = load_chip(
        genes.base.name,
        {
            "adc_levels": 32, "cell_bits": 1, "crossbar_rows": 128, "crossbar_columns": 128,
            "columns_per_adc": 16,
        },
    )  # fmt: skip
    assert genes.chip(setting).values == loaded.values
    assert genes.chip(setting) is genes.chip(list(setting))
    assert len(list(genes.chips())) == 4 * 2 * 2 * 3


def test_what_a_run_keeps_makes_the_same_chips():
    genes = made(STUDY)
    kept = {"chip": genes.base.to_document()}
    assert stored_chip(kept.get) == genes.base
    assert stored_chip({}.get) is None
    section = HardwareSection(chip="gone.toml", genes={"cell_bits": (1, 2)})
    again = chip_genes(section, stored_chip(kept.get))
    assert again.chip((1,)).values == genes.base.values | {"cell_bits": 2}


@given(st.data())
def test_a_refused_setting_is_repaired_to_the_nearest_that_makes_a_chip(data):
    genes = made(PARTLY_REFUSED)
    setting = tuple(data.draw(st.integers(0, len(gene) - 1)) for gene in genes.genes)
    values = genes.values(setting)
    repaired = genes.repaired(setting)
    assert isinstance(genes.chip(repaired), Chip)
    if values["rows_per_read"] <= values["crossbar_rows"]:
        assert repaired == setting
    else:  # one step away there are two: fewer rows at once, which has the lower indices
        assert repaired == (0, 0, setting[2])
        with pytest.raises(RequestError, match="rows_per_read: got 100; allowed: 0 to"):
            genes.chip(setting)
    assert genes.repaired(repaired) == repaired


@pytest.mark.parametrize(
    ("genes", "message"),
    [
        ({"cell_bit": [1]}, r"hardware\.genes: got 'cell_bit'.*Did you mean 'cell_bits'"),
        ({"cell_bits": [1, 9]}, r"hardware\.genes\.cell_bits: got 9; allowed: a whole number"),
        ({"cell_bits": [2, 1]}, r"hardware\.genes\.cell_bits.*ascending"),
        ({"cell_bits": [1, 1]}, r"hardware\.genes\.cell_bits.*different"),
        ({"cell_bits": ["1"]}, r"hardware\.genes\.cell_bits.*without quotes"),
        ({"cell_bits": [1.5]}, r"hardware\.genes\.cell_bits: got 1\.5"),
        ({"adc_kind": ["sar", "sar"]}, r"hardware\.genes\.adc_kind.*different"),
        ({"adc_kind": ["sar", "slow"]}, r"hardware\.genes\.adc_kind: got 'slow'"),
        (
            {"technology_nm": [22, 28]},
            r"hardware\.genes: got .technology_nm.*hardware\.technology_nm",
        ),
        (
            {"crossbar_size": [64], "crossbar_rows": [32]},
            r"hardware\.genes\.crossbar_rows.*what hardware\.genes\.crossbar_size does not say too",
        ),
        ({"adc_sar_delay_ns": [[1.0] * 6]}, r"genes\.adc_sar_delay_ns.*numbers or words"),
        ({"adc_sar_delay_ns": [1.0]}, r"hardware\.genes: got 'adc_sar_delay_ns'"),
        (
            {"adc_levels": [8], "cell_bits": [4]},
            r"hardware\.genes: got .*of which some combination makes a chip.*adc_levels",
        ),
        (
            {"r_off_ohm": [1e6 + k for k in range(150)], "bus_bits": [*range(100, 250)]},
            f"22500 combinations'; allowed: at most {MOST_CHIPS}",
        ),
    ],
)
def test_wrong_genes_are_named(genes, message):
    with pytest.raises(RequestError, match=message):
        made(genes)


def test_a_parameter_is_said_once():
    message = r"hardware\.genes\.cell_bits: got 'cell_bits'; allowed: what hardware\.cell_bits"
    with pytest.raises(RequestError, match=message):
        made({"cell_bits": [1, 2]}, cell_bits=1)


def test_a_chip_may_begin_with_what_its_genes_allow():
    genes = made({"crossbar_size": [200, 256]}, rows_per_read=200)
    assert [chip.number("crossbar_rows") for _, chip in genes.chips()] == [200, 256]


def test_a_genome_says_what_its_chip_genes_chose():
    space = {
        "genes": [
            {"name": "width", "choices": [4, 8]},
            {"name": "chip.cell_bits", "choices": [1, 2]},
            {"name": "chip.adc_kind", "choices": ["sar", "flash"]},
        ]
    }
    assert chosen_values(space, (1, 1, 0)) == {"cell_bits": 2, "adc_kind": "sar"}
    assert chosen_values({}, (1, 1, 0)) == {}
    for wrong in ((0,), (0, 2, 0), (0, 0, -1)):
        with pytest.raises(RequestError, match="genome"):
            chosen_values(space, wrong)
