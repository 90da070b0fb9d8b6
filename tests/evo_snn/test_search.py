"""The search end to end, on real digits with a tiny budget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import evo_snn
from evo_snn.objectives import BUILT_IN
from evo_snn.run import Run
from evo_snn.search import NothingFeasible, SearchFailedError, evolve
from genomes.errors import RequestError

TINY: Mapping[str, Any] = {
    "data": {"name": "digits"},
    "search": {"space": "plain", "population": 6, "generations": 3, "seed": 1},
    "space": {"max_stages": 2, "max_blocks": 2, "widths": [4, 8], "time_steps": [2, 3]},
    "training": {"steps": 6, "batch_size": 32, "evaluations": 2},
    "inheritance": {"strategy": "parents"},
    "workers": {"jobs": 1, "backend": "sequential"},
}


def search(folder: Path, **overrides: Any) -> Run:
    keys = {name.replace("__", "."): value for name, value in overrides.items()}
    return evolve(TINY, folder, overrides=keys)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search(tmp_path_factory.mktemp("search") / "run")


def test_every_candidate_is_new_trained_and_measured(run: Run) -> None:
    table = run.candidates()
    assert len(table) == 18
    assert table["key"].is_unique
    assert (table["state"] == "ok").all()
    assert np.isfinite(table[list(BUILT_IN)].to_numpy()).all()
    stored = [run.candidate(key) for key in table["key"]]
    assert all(candidate.trained and candidate.training_steps == 6 for candidate in stored)


def test_parents_are_of_earlier_generations(run: Run) -> None:
    table = run.candidates().set_index("key")
    founders = table[table["generation"] == 0]
    assert not any(founders["parents"])
    for _, child in table[table["generation"] > 0].iterrows():
        assert child["parents"]
        for parent in child["parents"]:
            assert table.loc[parent, "generation"] < child["generation"]


def test_the_front_is_over_everything_evaluated(run: Run) -> None:
    table, front = run.candidates(), run.front()
    names = [objective.name for objective in run.objectives]
    signs = np.array([-1 if objective.maximise else 1 for objective in run.objectives])
    values = table[names].to_numpy() * signs
    beaten = [
        any((other <= row).all() and (other < row).any() for other in values) for row in values
    ]
    assert set(front["key"]) == set(table["key"][~np.array(beaten)])


def test_the_stored_cost_is_that_of_the_measured_spike_rates(run: Run) -> None:
    key = run.front()["key"].iloc[0]
    candidate = run.candidate(key)
    assert run.cost(key).energy_uj == candidate.metrics["energy_uj"]
    assert candidate.workload is not None
    rates = [layer["output_rate"] for layer in candidate.workload["layers"]]
    assert rates[-1] == 0.0  # the read-out does not fire
    assert any(rate not in (0.0, 0.15) for rate in rates[:-1])


def test_weights_of_the_front_are_kept_and_others_are_not(run: Run) -> None:
    files = {path.stem for path in (run.folder / "weights").glob("*.safetensors")}
    assert set(run.front()["key"]) <= files
    assert len(files) < len(run.candidates())


def test_hypervolume_grows_within_a_box_that_no_seed_changes(run: Run, tmp_path: Path) -> None:
    volumes = run.generations()["hypervolume"].to_numpy()
    assert (np.diff(volumes) >= 0).all()
    assert 0 < volumes[-1] < 1
    other = search(tmp_path / "other", search__seed=2, search__generations=1)
    assert other.hypervolume_box == run.hypervolume_box
    assert set(other.candidates()["key"]) != set(run.candidates().query("generation == 0")["key"])


@pytest.mark.parametrize("workers", [(2, "loky"), (2, "threading"), (3, "loky")])
def test_any_number_of_workers_gives_the_same_bits(
    run: Run, tmp_path: Path, workers: tuple[int, str]
) -> None:
    jobs, backend = workers
    again = search(tmp_path / "again", workers__jobs=jobs, workers__backend=backend)
    pd.testing.assert_frame_equal(again.candidates(), run.candidates(), check_exact=True)
    assert again.generations()["hypervolume"].tolist() == run.generations()["hypervolume"].tolist()


@pytest.mark.parametrize("strategy", ["none", "shared"])
def test_inheritance_strategies_differ_after_the_founders_and_repeat(
    run: Run, tmp_path: Path, strategy: str
) -> None:
    first = search(tmp_path / "first", inheritance__strategy=strategy)
    second = search(tmp_path / "second", inheritance__strategy=strategy)
    pd.testing.assert_frame_equal(first.candidates(), second.candidates(), check_exact=True)
    founders = run.candidates().query("generation == 0")
    pd.testing.assert_frame_equal(
        first.candidates().query("generation == 0"), founders, check_exact=True
    )
    assert first.candidates()["accuracy"].tolist() != run.candidates()["accuracy"].tolist()


def test_children_and_founders_are_told_apart_by_inheritance_alone(
    run: Run, tmp_path: Path
) -> None:
    without = search(tmp_path / "none", inheritance__strategy="none").candidates()
    both = run.candidates().merge(without, on="key", suffixes=("_with", "_without"))
    founder = both["generation_with"] == 0
    same = both["energy_uj_with"] == both["energy_uj_without"]
    assert same[founder].all()
    assert not same[~founder].any()  # other weights, other spikes, another energy


@pytest.mark.parametrize("algorithm", ["nsga3", "sms-emoa", "age-moea", "spea2", "random"])
def test_other_algorithms_search_by_name(tmp_path: Path, algorithm: str) -> None:
    found = search(tmp_path / "run", search__algorithm=algorithm, training__steps=2)
    assert len(found.candidates()) == 18
    assert not found.front().empty


BUDGETS = {"parameters": 3000, "area_mm2": 0.1, "latency_ms": 0.1, "energy_uj": 0.02}


def test_nothing_over_a_known_budget_is_trained_and_the_front_meets_all(tmp_path: Path) -> None:
    chip = {"hardware__chip": "rram_32nm"}
    found = search(tmp_path / "run", constraints=BUDGETS, search__population=12, **chip)
    table, front = found.candidates(), found.front()
    for name in ("parameters", "area_mm2", "latency_ms"):
        over = table[table[name] > BUDGETS[name]]
        assert (over["state"] == "infeasible").all()
        assert not any(found.candidate(key).trained for key in over["key"])
        assert over["accuracy"].isna().all()
    for name, bound in BUDGETS.items():
        assert (front[name] <= bound).all()
    assert (table["state"] == "ok").any()


# Each can be met, both together cannot.
CONTRARY = {"parameters": 400, "operations": {"min": 1e6}}


def test_where_no_design_meets_all_budgets_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(NothingFeasible) as caught:
        search(tmp_path / "run", constraints=CONTRARY)
    table = caught.value.run.candidates()
    assert len(table) == 18
    assert (table["state"] == "infeasible").all()
    assert not any(caught.value.run.candidate(key).trained for key in table["key"])
    assert not list((caught.value.run.folder / "weights").glob("*.safetensors"))


def test_a_constraint_known_after_training_is_judged_after_training(tmp_path: Path) -> None:
    with pytest.raises(NothingFeasible) as caught:
        search(tmp_path / "run", constraints={"accuracy": 1.0}, search__generations=1)
    table = caught.value.run.candidates()
    assert (table["state"] == "infeasible").all()
    assert table["accuracy"].notna().all()


PLUGIN = '''
import evo_snn

@evo_snn.objective(unit="neurons", maximise=False)
def silent_neurons(candidate):
    """Neurons times the share of steps in which they are silent."""
    layers = candidate.workload.layers
    return sum(layer.neurons * (1 - layer.output_rate) for layer in layers)

@evo_snn.objective(unit="", maximise=True)
def picky(candidate):
    """Works for one in a few."""
    if candidate.architecture.time_steps == 2:
        raise RuntimeError("two steps are too few for me")
    return float(candidate.cost.utilisation)

@evo_snn.objective(maximise=True)
def nothing(candidate):
    return float("nan")
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


def test_a_users_objective_is_minimised_in_workers(tmp_path: Path, plugin: Path) -> None:
    found = search(
        tmp_path / "run",
        objectives={"names": ["accuracy", "silent_neurons"], "plugins": [str(plugin)]},
        workers={"jobs": 2, "backend": "loky"},
    )
    record = found.objectives[1]
    assert (record.name, record.unit, record.maximise) == ("silent_neurons", "neurons", False)
    front = found.front()
    assert front["silent_neurons"].is_monotonic_decreasing  # as accuracy falls
    assert "silent_neurons" in found.hypervolume_box


def test_a_failing_objective_costs_its_candidates_alone(tmp_path: Path, plugin: Path) -> None:
    found = search(
        tmp_path / "run",
        objectives={"names": ["accuracy", "picky"], "plugins": [str(plugin)]},
    )
    table = found.candidates()
    failed = table[table["state"] == "failed"]
    assert 0 < len(failed) < len(table)
    assert not set(failed["key"]) & set(found.front()["key"])
    traceback = found.candidate(failed["key"].iloc[0]).failure
    assert traceback is not None
    assert "two steps are too few for me" in traceback


def test_a_generation_in_which_all_fail_stops_the_search(tmp_path: Path, plugin: Path) -> None:
    with pytest.raises(SearchFailedError, match="nothing.*finite"):
        search(
            tmp_path / "run",
            objectives={"names": ["accuracy", "nothing"], "plugins": [str(plugin)]},
        )
    assert len(evo_snn.open_run(tmp_path / "run").candidates()) == 6


@pytest.mark.parametrize("needs", ["cost", "training"])
def test_one_bad_design_does_not_stop_a_search_of_few(tmp_path: Path, needs: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import evo_snn\n"
        f"@evo_snn.objective(maximise=False, needs={needs!r})\n"
        "def odd(candidate):\n"
        "    if int(candidate.key, 16) % 2: raise ValueError('odd')\n"
        "    return 1.0\n"
    )
    found = search(
        tmp_path / "run",
        objectives={"names": ["area_mm2", "odd"], "plugins": [str(path)]},
        search__offspring=1,
        search__generations=9,
        training__steps=1,
    )
    table = found.candidates()
    alone = table[table["generation"] > 0].groupby("generation")["state"].agg(list)
    assert ["failed"] in alone.tolist()
    assert len(found.generations()) == 9


def test_designs_that_were_measured_and_over_a_budget_did_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import evo_snn\n"
        "@evo_snn.objective(maximise=False, needs='cost')\n"
        "def odd(candidate):\n"
        "    if int(candidate.key, 16) % 2: raise ValueError('odd')\n"
        "    return 2.0\n"
    )
    with pytest.raises(NothingFeasible):
        search(
            tmp_path / "run",
            objectives={"names": ["area_mm2", "odd"], "plugins": [str(path)]},
            constraints={"odd": 1.5},
        )
    assert len(evo_snn.open_run(tmp_path / "run").generations()) == 3


def test_a_tiny_space_is_exhausted_without_a_fault(tmp_path: Path) -> None:
    space = {
        "max_stages": 1, "max_blocks": 1, "widths": [4], "kernels": [3], "pools": ["none", "max"],
        "neurons": ["iaf"], "thresholds": [0.5], "weight_bits": [4, 5], "time_steps": [2],
    }  # fmt: skip
    found = search(tmp_path / "run", space=space, search__generations=9)
    assert len(found.candidates()) == 8  # pool, weight bits of the block, of the read-out


def test_a_folder_with_a_run_is_left_alone(run: Run) -> None:
    before = sorted(path.name for path in run.folder.iterdir())
    with pytest.raises(RequestError):
        search(run.folder)
    assert sorted(path.name for path in run.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"objectives.names": ["acuracy"]}, "objectives.names"),
        ({"constraints": {"area": 1}}, "constraints"),
        ({"search.space": "plian"}, "search.space"),
        ({"space.widhts": [1]}, "space"),
        ({"hardware.chip": "rram"}, "chip"),
        ({"training.device": "abacus"}, "training.device"),
        ({"data": {"name": "npz", "path": "/nowhere.npz"}}, "data.path"),
        ({"objectives.plugins": ["/nowhere.py"]}, "objectives.plugins"),
        ({"hypervolume.box": {"accuracy": [0.1, 1.0]}}, "hypervolume.box.accuracy"),
        ({"hypervolume.box": {"area_mm2": [0.0, 1.0]}}, "hypervolume.box.area_mm2"),
        ({"constraints": {"area_mm2": 1e-6}}, "constraints.area_mm2"),
        ({"constraints": {"energy_uj": 1e-9}}, "constraints.energy_uj"),
        ({"constraints": {"accuracy": 1.5}}, "constraints.accuracy"),
        ({"hardware.adc_levels": 8, "hardware.rows_per_read": 64}, "hardware"),
    ],
)
def test_a_wrong_request_is_known_before_anything_is_written(
    tmp_path: Path, overrides: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        evolve(TINY, tmp_path / "run", overrides=overrides)
    assert field in caught.value.field
    assert not (tmp_path / "run").exists()


def test_a_changed_chip_file_is_another_chip_also_in_the_same_process(tmp_path: Path) -> None:
    chip = tmp_path / "mine.toml"
    energies = []
    for rows in (32, 64):
        size = f"[parameters.crossbar_rows]\nvalue = {rows}\nsource = 'a test'\n"
        chip.write_text(f'inherits = "rram_32nm"\n{size}')
        found = search(tmp_path / str(rows), hardware__chip=str(chip), search__generations=1)
        key = found.front()["key"].iloc[0]
        assert found.cost(key).energy_uj == found.candidate(key).metrics["energy_uj"]
        energies.append(found.candidates()["energy_uj"].tolist())
    assert energies[0] != energies[1]
    chip.unlink()  # a run holds its own chip
    assert evo_snn.open_run(tmp_path / "32").cost(key).energy_uj > 0


def test_a_changed_data_file_is_read_anew_in_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    rng = np.random.default_rng(0)
    for classes in (2, 3):
        labels = np.arange(60) % classes
        images = rng.random((60, 6, 6), dtype=np.float32)
        np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
        data = {"name": "npz", "path": str(path)}
        found = search(tmp_path / str(classes), data=data, search__generations=1)
        assert (found.candidates()["state"] == "ok").all()


def test_a_list_among_a_chips_parameters_can_be_overridden(tmp_path: Path) -> None:
    from hardware import load_chip

    energies = list(load_chip("rram_32nm").numbers("adc_sar_energy_fj"))
    dearer = [2 * energy for energy in energies]
    chip = {"chip": "rram_32nm", "adc_sar_energy_fj": dearer}
    found = search(tmp_path / "run", hardware=chip, search__generations=1)
    assert (found.candidates()["state"] == "ok").all()


def test_a_plugin_that_exits_fails_its_candidates_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import evo_snn, sys\n"
        "@evo_snn.objective(maximise=False)\n"
        "def leaves(candidate):\n"
        "    return 1.0 if candidate.architecture.time_steps == 2 else sys.exit(3)\n"
    )
    found = search(
        tmp_path / "run", objectives={"names": ["accuracy", "leaves"], "plugins": [str(path)]}
    )
    assert set(found.candidates()["state"]) == {"ok", "failed"}


def test_the_users_threads_come_back(tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        search(tmp_path / "run", search__generations=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


LISTENING = '''
import torch
import evo_snn

@evo_snn.objective(maximise=True, needs="network")
def seen_accuracy(candidate):
    """Accuracy, measured by the objective itself."""
    with torch.no_grad():
        scores = candidate.network(candidate.validation.x)
    right = float((scores.argmax(1) == candidate.validation.y).float().mean())
    for parameter in [*candidate.network.parameters(), *candidate.network.buffers()]:
        parameter.data.zero_()  # what one does to its network is its own affair
    candidate.validation.x.zero_()
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    return right

@evo_snn.objective(maximise=True, needs="network")
def seen_again(candidate):
    return seen_accuracy(candidate)

@evo_snn.objective(unit="layers", maximise=False, needs="cost")
def depth(candidate):
    assert candidate.network is None
    return len(candidate.architecture.layers)
'''


def test_an_objective_sees_the_trained_network_and_the_validation_part(tmp_path: Path) -> None:
    path = tmp_path / "listening.py"
    path.write_text(LISTENING)
    names = ["accuracy", "seen_accuracy", "seen_again", "depth"]
    found = search(tmp_path / "run", objectives={"names": names, "plugins": [str(path)]})
    table = found.candidates()
    assert (table["state"] == "ok").all()
    # one division is in float32, the other is not
    np.testing.assert_allclose(table["seen_accuracy"], table["accuracy"], rtol=1e-6)
    assert table["seen_again"].tolist() == table["seen_accuracy"].tolist()
    calm = search(tmp_path / "calm", objectives={"names": ["accuracy", "parameters"]})
    founders = calm.candidates().query("generation == 0").set_index("key")["accuracy"]
    assert (
        founders.to_dict() == table.query("generation == 0").set_index("key")["accuracy"].to_dict()
    )
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_objectives_that_need_no_training_get_none(tmp_path: Path) -> None:
    path = tmp_path / "listening.py"
    path.write_text(LISTENING)
    found = search(
        tmp_path / "run",
        objectives={"names": ["area_mm2", "depth"], "plugins": [str(path)]},
        constraints={"parameters": 5000},
    )
    table = found.candidates()
    stored = [found.candidate(key) for key in table["key"]]
    assert not any(one.trained or one.training_steps for one in stored)
    assert "accuracy" not in table
    assert "energy_uj" not in table  # it depends on spike rates, and none were measured
    assert {"ok", "infeasible"} == set(table["state"])
    for one, depth in zip(stored, table["depth"], strict=True):
        assert one.state == "infeasible" or depth == len(one.architecture["layers"])
    assert not list((found.folder / "weights").iterdir())
    without = search(tmp_path / "other", objectives={"names": ["area_mm2", "latency_ms"]})
    assert not without.front().empty
