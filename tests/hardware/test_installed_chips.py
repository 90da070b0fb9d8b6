"""Chips of installed packages: found without running them, like presets in all else."""

import logging

import pytest

from genomes.errors import RequestError
from genomes.plugins import CHIPS
from hardware import all_chips, chip_names, chip_origin, estimate, load_chip
from hardware.chip_file import preset_names

ROWS = '[parameters.crossbar_rows]\nvalue = 128\nsource = "a data sheet"\n'
NEVER_RUN = "raise RuntimeError('it was imported')"


def chip(parent="rram_32nm", rest=ROWS):
    return f'inherits = "{parent}"\nsummary = "A chip"\n{rest}'


def test_a_packages_chip_is_loaded_without_running_the_package(offer):
    offer(
        "acme-c",
        {CHIPS: {"wide": "acme_c.deep.chips"}},
        {"acme_c/__init__.py": NEVER_RUN, "acme_c/deep/chips/wide.toml": chip()},
    )
    found = load_chip("wide", {"crossbar_columns": 32})
    assert (found.name, found.values["crossbar_rows"]) == ("wide", 128)
    assert found.values["crossbar_columns"] == 32
    assert chip_origin("wide") == "acme-c 1.0"
    assert chip_origin("rram_32nm") == ""
    assert chip_names() == sorted([*preset_names(), "wide"])
    assert list(all_chips()) == [*preset_names(), "wide"]


def test_chips_inherit_from_installed_ones_and_from_files_beside_them(offer, tmp_path):
    offer(
        "acme-c",
        {CHIPS: {"heir": "acme_heirs"}},
        {
            "acme_heirs/__init__.py": NEVER_RUN,
            "acme_heirs/base.toml": chip(),
            "acme_heirs/heir.toml": chip("base.toml", rest=""),
        },
    )
    assert load_chip("heir").values["crossbar_rows"] == 128
    mine = tmp_path / "mine.toml"
    mine.write_text(chip("heir", rest=ROWS.replace("rows", "columns")))
    values = load_chip(mine).values
    assert (values["crossbar_rows"], values["crossbar_columns"]) == (128, 128)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "acme-c 1.0: there is no bad.toml in its package 'acme_bad'"),
        ({"acme_bad/__init__.py": NEVER_RUN}, "acme-c 1.0: there is no bad.toml"),
        ({"acme_bad/bad.toml": "name ="}, "TOML"),
        ({"acme_bad/bad.toml": chip("bad")}, "does not inherit this one"),
        ({"acme_bad/bad.toml": chip("nobody")}, "got 'nobody'"),
        ({"acme_bad/bad.toml": chip(rest="[parameters]\ncrossbar_row = 3\n")}, "crossbar_rows"),
        ({"acme_bad/bad.toml": 'model = "crossbar"\nparameters = {}\n'}, "nothing"),
    ],
)
def test_a_chip_that_does_not_work_is_told_and_left_out(offer, caplog, monkeypatch, files, says):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    offer("acme-c", {CHIPS: {"bad": "acme_bad", "good": "acme_good"}},
          {**files, "acme_good/good.toml": chip()})  # fmt: skip
    with pytest.raises(RequestError) as caught:
        load_chip("bad")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with caplog.at_level("WARNING", "evo_snn"):
        found = all_chips()
    assert list(found) == [*preset_names(), "good"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("warning: chip 'bad' is left out: ")


def test_presets_win(offer, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    before = load_chip("rram_32nm")
    offer("acme-c", {CHIPS: {"rram_32nm": "acme_o"}}, {"acme_o/rram_32nm.toml": chip()})
    with caplog.at_level("WARNING", "evo_snn"):
        assert all_chips()["rram_32nm"] == load_chip("rram_32nm") == before
    assert "acme-c 1.0 is left out: evo_snn has its own" in caplog.text


def test_an_unknown_chip_suggests_installed_ones(offer):
    offer("acme-c", {CHIPS: {"widest": "acme_w"}}, {"acme_w/widest.toml": chip()})
    with pytest.raises(RequestError, match=r"Did you mean 'widest'\?"):
        estimate([], "widset")
