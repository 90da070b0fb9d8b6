"""The contract of a chip: presets keep it, and a chip without sources does not."""

from dataclasses import replace
from pathlib import Path

import pytest

from evo_snn.testing import check_chip
from evo_snn.testing.chips import _check_cost
from genomes.errors import RequestError
from genomes.spaces import make_space
from hardware import chip_names, estimate

#: NeuroSim reads 128 rows at once with 32 levels: reproduced, not to be searched with.
LOSSY = {"neurosim_compat"}


@pytest.mark.parametrize("name", chip_names())
def test_every_preset_keeps_the_contract(name: str) -> None:
    check_chip(name, searchable=name not in LOSSY)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(f'inherits = "rram_32nm"\nsummary = "A chip"\n{text}')
    return path


def test_a_file_keeps_the_contract_where_it_says_its_sources(tmp_path: Path) -> None:
    check_chip(
        write(tmp_path, '[parameters.crossbar_rows]\nvalue = 128\nsource = "our own array"\n')
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[parameters]\ncrossbar_rows = 128\n", "'crossbar_rows' of .* has no source"),
        ('[parameters.crossbar_rows]\nvalue = 128\nsource = "TODO"\n', "has no source"),
    ],
)
def test_a_number_without_a_source_is_told(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_chip(write(tmp_path, text))


def test_a_chip_that_rounds_is_told_where_searches_are_meant(tmp_path: Path) -> None:
    few, many = (f'value = {n}\nsource = "ours"\n' for n in (8, 64))
    lossy = f"[parameters.adc_levels]\n{few}[parameters.rows_per_read]\n{many}"
    with pytest.raises(AssertionError, match="searches refuse it"):
        check_chip(write(tmp_path, lossy))
    check_chip(write(tmp_path, lossy), searchable=False)


def test_a_chip_that_does_not_load_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        check_chip(write(tmp_path, "[parameters]\ncrossbar_row = 3\n"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"area_mm2": 0.0}, "area_mm2 is 0.0"),
        ({"energy_uj": float("nan")}, "energy_uj is nan"),
        ({"latency_ms": float("inf")}, "latency_ms is inf"),
        ({"leakage_energy_uj": -1.0}, "leakage_energy_uj is -1.0"),
        ({"utilisation": 1.5}, "utilisation"),
        ({"crossbars": 0}, "0 crossbars"),
        ({"interval_ms": 1e9}, "an inference every"),
        ({"layers": ()}, "energy by layer"),
        ({"area_components_mm2": {"adc": 1e-9}}, "area by component"),
        ({"energy_components_uj": {"adc": -1.0}}, "a part is negative"),
    ],
)
def test_costs_that_do_not_hang_together_are_told(change: dict[str, object], says: str) -> None:
    space = make_space("plain", (1, 8, 8), 10)
    cost = estimate(space.decode([0] * len(space.genes)).workload)
    _check_cost(cost)
    with pytest.raises(AssertionError, match=says):
        _check_cost(replace(cost, **change))
