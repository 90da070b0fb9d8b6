"""Accuracy over time steps and weight bits, and the command that tells it."""

import json
from dataclasses import replace

import pytest

from evo_snn.full_training import train
from evo_snn.precision import _cell as precision_cell
from evo_snn.precision import at_precision, precision
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import read_tensors, restore
from evo_snn.training import data_of, measure, on_device
from genomes.architecture import Architecture, Exit
from genomes.errors import RequestError
from hardware import estimate
from tests.chain import chain


@pytest.fixture
def smallest(finished_run):
    """The design of the run with the fewest operations."""
    ok = [one for one in finished_run.candidates().itertuples() if one.state == "ok"]
    candidates = [finished_run.candidate(one.key) for one in ok]
    return min(
        candidates, key=lambda one: Architecture.from_description(one.architecture).operations
    )


@pytest.fixture
def trained(finished_run, smallest):
    """The run after full training of its smallest design."""
    train(finished_run, [smallest.key], epochs=1)
    return finished_run


def test_a_cell_is_the_network_at_its_precision(trained, smallest):
    found = precision(trained, smallest.key[:8], [2, 3], [8, 4])
    assert found.key == smallest.key
    assert found.weights == "full training"
    cells = found.cells
    assert [*zip(cells["time_steps"], cells["weight_bits"], strict=True)] == [
        (2, 4), (2, 8), (3, 4), (3, 8)
    ]  # fmt: skip

    architecture = at_precision(Architecture.from_description(smallest.architecture), 3, 4)
    assert architecture.time_steps == 3
    assert {layer.weight_bits for layer in architecture.layers} == {4}
    network = build(architecture, 0)
    restore(network, read_tensors(trained.folder / "trained" / f"{smallest.key}.safetensors"))
    measured = measure(deploy(network), on_device(data_of(trained).validation, "cpu"))
    cost = estimate(architecture.workload.with_rates(measured.rates), trained.chip)
    cell = cells.iloc[2]
    assert cell["accuracy"] == measured.accuracy
    assert cell["energy_uj"] == cost.energy_uj
    assert cell["latency_ms"] == cost.latency_ms


def test_cells_of_a_design_that_ends_early_cost_what_early_ends_cost(trained, smallest):
    whole = Architecture.from_description(smallest.architecture)
    early = replace(whole, exit=Exit("time", 0.01))  # any decision is that sure
    tensors = read_tensors(trained.folder / "trained" / f"{smallest.key}.safetensors")
    validation = on_device(data_of(trained).validation, "cpu")
    found = [
        precision_cell(
            one,
            chip=trained.chip,
            tensors=tensors,
            samples=(validation, validation),
            settings=trained.config.training,
            kernel="torch",
            epochs=None,
            seed=0,
        )
        for one in (whole, early)
    ]
    assert whole.time_steps > 1
    assert found[1]["energy_uj"] < found[0]["energy_uj"]
    assert found[1]["latency_ms"] < found[0]["latency_ms"]


def test_a_designs_own_precision_changes_nothing():
    network = chain(steps=3, bits=(4, 4, 4))
    assert at_precision(network, 3, 4) == network
    grouped = replace(network.layers[0], weight_bits=8, group_bits=(2, 8))
    mixed = replace(network, layers=(grouped, *network.layers[1:]))
    assert at_precision(mixed, 3, 4) == network


def test_the_usual_grid_has_the_designs_own_precision(finished_run, smallest):
    train(finished_run, [smallest.key], epochs=1)
    architecture = Architecture.from_description(smallest.architecture)
    found = precision(finished_run, smallest.key)
    widest = max(layer.weight_bits for layer in architecture.layers)
    assert found.own == (architecture.time_steps, widest)
    cells = {*zip(found.cells["time_steps"], found.cells["weight_bits"], strict=True)}
    assert found.own in cells
    assert {(1, 1), (8, 8)} <= cells


def test_tuning_never_ends_with_less(trained, smallest):
    cells = precision(trained, smallest.key, [2], [2, 6], train=1).cells
    assert (cells["tuned_accuracy"] >= cells["accuracy"]).all()
    assert (cells["tuned_energy_uj"] > 0).all()
    assert cells["tuned_accuracy"].max() > 0.15  # ten classes


def test_what_is_wrong_is_told(finished_run, smallest, trained):
    del trained
    for options, told in (
        ({"steps": [0]}, "--steps: got 0; allowed: whole numbers from 1 to 1024"),
        ({"bits": [9]}, "--bits: got 9; allowed: whole numbers from 1 to 8"),
        ({"train": 0}, "--train: got 0"),
    ):
        with pytest.raises(RequestError, match=told):
            precision(finished_run, smallest.key, **options)


def test_a_design_without_weights_is_refused(finished_run, smallest):
    other = next(
        one for one in finished_run.candidates()["key"] if not finished_run.weights_path(one)
    )
    with pytest.raises(RequestError, match="allowed: a design whose weights are kept"):
        precision(finished_run, other, [2], [4])


def test_the_command(command, trained, smallest, tmp_path):
    line = ("precision", trained.folder, smallest.key, "--steps", "2,1", "--bits", "3")
    picture = tmp_path / "map.png"
    status, out, err = command(*line, "--json", "--figure", picture)
    assert status == 0
    assert "map.png" in err
    assert picture.stat().st_size > 1000
    document = json.loads(out)
    assert document["key"] == smallest.key
    assert [(one["time_steps"], one["weight_bits"]) for one in document["cells"]] == [
        (1, 3), (2, 3)
    ]  # fmt: skip
    status, out, _ = command(*line)
    assert status == 0
    assert "validation accuracy, post-training" in out
    assert "bits  1 steps  2 steps" in out


@pytest.mark.parametrize("text", ["2,x", "", "1.5", "2,,3"])
def test_what_is_no_list_of_numbers(command, finished_run, smallest, text):
    status, _, err = command("precision", finished_run.folder, smallest.key, "--bits", text)
    assert status == 2
    assert err.startswith("error: --bits: got ")
    assert err.count("\n") == 1
