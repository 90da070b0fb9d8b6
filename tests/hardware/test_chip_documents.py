"""A chip's document holds all of it, whatever becomes of the file that it came from."""

import json
from pathlib import Path
from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import LinearLayer, Workload
from hardware import Chip, chip_names, estimate, load_chip

LAYER = LinearLayer(name="out", kind="linear", in_features=10, out_features=4)
WORKLOAD = Workload(timesteps=2, layers=(LAYER,))


def through_json(chip: Chip) -> Chip:
    return Chip.from_document(json.loads(json.dumps(chip.to_document())))


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        *((name, {}) for name in chip_names()),
        ("rram_32nm", {"technology_nm": 65, "adc_kind": "flash", "clock_mhz": 100}),
        ("rram_32nm", {"adc_sar_area_um2": [1, 2, 3, 4, 5, 6.5], "crossbar_rows": 128}),
        ("spikesim_65nm", {"memory": "sram", "waiting_fraction": 0}),
    ],
)
def test_a_chip_comes_back_equal_from_json(name: str, overrides: dict[str, Any]) -> None:
    chip = load_chip(name, overrides)
    back = through_json(chip)
    assert back == chip
    # Equal numbers may differ in type: 1 == 1.0.
    assert [repr(each) for each in back.parameters] == [repr(each) for each in chip.parameters]
    assert estimate(WORKLOAD, back) == estimate(WORKLOAD, chip)


def test_a_document_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("inherits = 'rram_32nm'\nsummary = 'Mine'\n[parameters]\ncrossbar_rows = 32")
    chip = load_chip(path, {"cell_bits": 2})
    text = json.dumps(chip.to_document())
    path.unlink()
    back = Chip.from_document(json.loads(text))
    assert (back.name, back.summary, back.number("crossbar_rows")) == ("mine", "Mine", 32)
    assert [each.name for each in back.parameters if each.overridden] == ["cell_bits"]


def changed(**fields: Any) -> dict[str, Any]:
    """The default chip's document with other fields in its second parameter, crossbar_rows."""
    document = load_chip("rram_32nm").to_document()
    document["parameters"][1] |= fields
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed() | {"schema": "evo-snn chip 2"}, "chip.schema: got 'evo-snn chip 2'"),
        (changed() | {"model": "crossbars"}, r"model: .* Did you mean 'crossbar'\?"),
        (changed() | {"colour": 3}, "got 'colour'"),
        (changed(value=4), "crossbar_rows: got 4; allowed: a whole number from 8 to 1024"),
        (changed(value=70.5), "crossbar_rows: got 70.5; allowed: a whole number"),
        (changed(value=[64.0]), "crossbar_rows: got .*; allowed: a whole number"),
        (changed(name="rows"), "chip.parameters.crossbar_rows: got nothing"),
        (changed(unit=None), r"chip.parameters\[1\].unit: got None"),
        ([], "chip: got"),
    ],
)
def test_what_is_no_document_is_named(document: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Chip.from_document(document)
