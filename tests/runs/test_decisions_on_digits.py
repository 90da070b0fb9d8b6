"""The table of what decisions reach on digits: every decision is made otherwise."""

import importlib.util
from pathlib import Path

import pytest

from genomes.options import CommonOptions, decisions

PATH = Path(__file__).parents[2] / "runs" / "benchmarks" / "decisions_on_digits.py"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("decisions_on_digits", PATH)
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PATH.parent))
        specification.loader.exec_module(module)
    return module


def test_every_case_is_another_network_of_the_same_layers(script):
    usual, *others = [script.architecture(options) for options in script.CASES.values()]

    assert [layer.out_channels for layer in usual.layers] == [16, 32, 10]
    assert len({usual, *others}) == len(script.CASES)
    for other in others:
        assert [layer.weight_shape for layer in other.layers] == [
            layer.weight_shape for layer in usual.layers
        ]


def test_all_resets_surrogates_and_codes_are_tried(script):
    tried = {name: set(some) for case in script.CASES.values() for name, some in case.items()}
    assert {"resets", "hidden_codes", "state_bits", "input_bits"} <= set(tried)
    surrogates = {one for case in script.CASES.values() for one in case.get("surrogates", ())}
    assert len(surrogates) == 4  # beside the usual one
    codings = {one for case in script.CASES.values() for one in case.get("codings", ())}
    assert len(codings) == 5
    assert {"reset", "surrogate"} <= {mark.gene for mark in decisions(CommonOptions())}


def test_a_short_run_prints_a_row_a_case(script, monkeypatch, capsys):
    cases = {"as it is": {}, "once": {"hidden_codes": ["once"]}}
    monkeypatch.setattr(script, "CASES", cases)
    monkeypatch.setattr("sys.argv", ["decisions_on_digits.py", "--epochs", "2"])
    script.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]

    assert [row[0] for row in rows] == list(cases)
    assert all(0.3 < float(row[1]) <= 1 for row in rows)
    assert 0 < float(rows[1][2]) <= 1  # one spike at most
