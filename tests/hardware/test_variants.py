"""Other parameters of a chip, other facts of a workload."""

from typing import Any

import pytest

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import load_chip
from hardware.variants import FACTS, ChipVariants, changed, with_facts

ANALOG = {"name": "in", "kind": "linear", "in_features": 8, "out_features": 8, "input_bits": 8,
          "input_rate": 0.5, "output_rate": 0.2, "static_input": True}  # fmt: skip
SPIKES = {"name": "mid", "kind": "linear", "in_features": 8, "out_features": 8, "input_rate": 0.2,
          "output_rate": 0.4}  # fmt: skip
LAST = {"name": "out", "kind": "linear", "in_features": 8, "out_features": 4, "input_rate": 0.4,
        "output_rate": 0.0, "neuron_state_bits": 0}  # fmt: skip


@pytest.fixture
def workload() -> Workload:
    return Workload.from_document(
        {"schema": "evo-snn workload 1", "timesteps": 4, "layers": [ANALOG, SPIKES, LAST]}
    )


def of_layers(workload: Workload, field: str) -> list[Any]:
    return [getattr(layer, field) for layer in workload.layers]


def test_a_rate_is_that_of_all_spikes_and_of_nothing_else(workload: Workload) -> None:
    other = with_facts(workload, {"input_rate": 0.05})
    assert of_layers(other, "input_rate") == [0.5, 0.05, 0.05]
    assert of_layers(other, "output_rate") == [0.05, 0.05, 0.0]


def test_a_factor_keeps_proportions_up_to_one(workload: Workload) -> None:
    other = with_facts(workload, {"rate_scale": 2})
    assert of_layers(other, "input_rate") == [0.5, 0.4, 0.8]
    assert of_layers(other, "output_rate") == [0.4, 0.8, 0.0]
    assert of_layers(with_facts(workload, {"rate_scale": 10}), "output_rate") == [1.0, 1.0, 0.0]


def test_other_facts_are_set_in_all_layers(workload: Workload) -> None:
    other = with_facts(workload, {"timesteps": 9, "weight_bits": 3, "neuron_state_bits": 7})
    assert other.timesteps == 9
    assert of_layers(other, "weight_bits") == [3, 3, 3]
    assert of_layers(other, "neuron_state_bits") == [7, 7, 0]
    assert with_facts(workload, {"mean_timesteps": 2.5}).steps == 2.5
    assert with_facts(with_facts(workload, {"mean_timesteps": 2.5}), {"timesteps": 3}).steps == 3
    assert with_facts(workload, {}) == workload


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("input_rate", 1.5),
        ("input_rate", float("nan")),
        ("rate_scale", -1),
        ("rate_scale", True),
        ("rate_scale", "x"),
        ("timesteps", 0),
        ("timesteps", 2.5),
        ("mean_timesteps", 5),
        ("weight_bits", 33),
        ("neuron_state_bits", -1),
    ],
)
def test_what_no_workload_takes_is_told_by_its_fact(
    workload: Workload, fact: str, value: object
) -> None:
    with pytest.raises(RequestError) as error:
        with_facts(workload, {fact: value})
    assert error.value.field == fact
    assert error.value.value is value
    assert fact in FACTS


def test_a_changed_chip_is_the_one_that_is_loaded_so() -> None:
    values = {"crossbar_rows": 32, "sum_toggle": 0.25, "adc_kind": "flash"}
    chip = changed(load_chip("rram_32nm"), values)
    assert chip == load_chip("rram_32nm", values)
    assert chip.values["crossbar_rows"] == 32


@pytest.mark.parametrize(
    "values",
    [
        {"crossbar_row": 32},
        {"crossbar_rows": 1},
        {"crossbar_rows": 32, "rows_per_read": 64},
        {"technology_nm": 22},
    ],
)
def test_what_the_chip_does_not_take_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        changed(load_chip("rram_32nm"), values)


def test_another_node_comes_from_the_chips_file() -> None:
    named = ChipVariants("rram_32nm", {"crossbar_rows": 32})
    assert named.has_nodes
    small = named.make({"technology_nm": 22, "cell_bits": 2})
    assert small == load_chip(
        "rram_32nm", {"crossbar_rows": 32, "technology_nm": 22, "cell_bits": 2}
    )
    loaded = ChipVariants(load_chip("rram_32nm"), {"crossbar_rows": 32})
    assert not loaded.has_nodes
    assert loaded.make({}) is loaded.base
    assert loaded.base.values["crossbar_rows"] == 32
    with pytest.raises(RequestError, match="by its name"):
        loaded.make({"technology_nm": 22})


@pytest.mark.parametrize("name", ["rram_32nm", "rram_neurosim_22nm"])
def test_one_key_changes_both_sides_of_a_crossbar(name: str) -> None:
    chip = changed(load_chip(name), {"crossbar_size": 128})
    assert (chip.values["crossbar_rows"], chip.values["crossbar_columns"]) == (128, 128)
    assert chip == load_chip(name, {"crossbar_size": 128})


def test_a_chip_without_crossbars_has_no_size_of_one() -> None:
    with pytest.raises(RequestError, match="chip parameter: got 'crossbar_size'") as error:
        changed(load_chip("digital_horowitz_isscc_2014"), {"crossbar_size": 128})
    assert "crossbar_size" not in error.value.allowed
