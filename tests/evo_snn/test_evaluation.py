"""One evaluation, and what is known before it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evo_snn import evaluation
from evo_snn.config import DataSection, LadderSection, TrainingSection
from evo_snn.costing import known_metrics, measured_metrics
from evo_snn.evaluation import EvaluationSettings, Outcome, Task, evaluate
from evo_snn.snn.tensors import read_tensors
from evo_snn.training import data_digest, dataset
from genomes.spaces import make_space
from genomes.training_work import training_work
from hardware import estimate, load_chip
from hardware.machines import load_machine

SPACE = make_space("plain", (1, 8, 8), 10, {"max_stages": 2, "widths": [4, 8]})
DATA = DataSection(name="digits")
SETTINGS = EvaluationSettings(
    data=DATA,
    training=TrainingSection(steps=4, batch_size=32, evaluations=2),
    data_digest=data_digest(dataset(DATA)),
)
CHIP = load_chip("rram_32nm", {"crossbar_rows": 32, "crossbar_columns": 32})


def task(seed: int = 0, sources: tuple[Path, ...] = ()) -> Task:
    genome = SPACE.sample(1, np.random.default_rng(seed))[0]
    return Task(SPACE.key(genome), tuple(genome.tolist()), SPACE.decode(genome), CHIP, sources, 7)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return evaluate(task(), SETTINGS)


def test_it_is_a_pure_function_of_the_task(outcome: Outcome) -> None:
    again = evaluate(task(), SETTINGS)
    assert outcome.failure is None
    assert again.metrics == outcome.metrics
    assert again.weights == outcome.weights
    other = evaluate(replace(task(), seed=8), SETTINGS)
    assert other.weights != outcome.weights


def test_the_cost_is_on_the_chip_of_the_task(outcome: Outcome) -> None:
    assert outcome.workload is not None
    on_chip = estimate(outcome.workload, CHIP)
    assert outcome.metrics["energy_uj"] == on_chip.energy_uj
    assert outcome.metrics["energy_uj"] != estimate(outcome.workload).energy_uj
    assert outcome.training_steps == 4


def test_sources_are_inherited(outcome: Outcome, tmp_path: Path) -> None:
    assert outcome.weights is not None
    path = tmp_path / "parent.safetensors"
    path.write_bytes(outcome.weights)
    child = evaluate(task(sources=(path,)), SETTINGS)
    assert child.failure is None
    assert child.metrics != outcome.metrics
    assert child.metrics["accuracy"] > outcome.metrics["accuracy"]  # four more steps of training
    tensors = read_tensors(path)
    assert tensors["readout/weight"].shape == task().architecture.layers[-1].weight_shape


def test_a_higher_rung_goes_on_where_the_lower_one_ended(tmp_path: Path) -> None:
    training = TrainingSection(steps=24, batch_size=32, evaluations=2)
    laddered = replace(SETTINGS, training=training, ladder=LadderSection(rungs=3, keep=0.5))
    assert laddered.rungs == (6, 12, 24)
    path, accuracies, order, operations = tmp_path / "own.safetensors", [], [], []
    for rung, steps in enumerate((6, 6, 12)):
        own = replace(task(sources=(path,) if rung else ()), rung=rung)
        found = evaluate(own, laddered)
        assert found.failure is None
        assert found.weights is not None
        assert found.training_steps == steps
        assert evaluate(own, laddered).weights == found.weights
        path.write_bytes(found.weights)
        accuracies.append(found.metrics["accuracy"])
        order.append(found.weights)
        operations.append(found.metrics["training_operations"])
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > accuracies[0]
    # of all rungs so far: 6, 12, 24 steps of 32 samples
    architecture = task().architecture
    by_sample = training_work(architecture, architecture.workload).operations
    assert operations == [steps * 32 * by_sample for steps in (6, 12, 24)]
    plain = evaluate(task(), replace(SETTINGS, training=TrainingSection(
        steps=6, batch_size=32, evaluations=2
    )))  # fmt: skip
    assert plain.weights == order[0]  # the lowest rung is a brief training as any other


def test_each_rung_sees_the_samples_in_an_order_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Outcome
) -> None:
    seeds = []
    original = evaluation.fit

    def spy(*args: Any, **settings: Any) -> Any:
        seeds.append(settings["seed"])
        return original(*args, **settings)

    monkeypatch.setattr(evaluation, "fit", spy)
    path = tmp_path / "own.safetensors"
    path.write_bytes(outcome.weights or b"")
    laddered = replace(SETTINGS, ladder=LadderSection(rungs=3, keep=0.5))
    for rung in range(3):
        evaluate(replace(task(sources=(path,)), rung=rung), laddered)
    assert seeds[0] == 7
    assert len(set(seeds)) == 3


def test_whatever_goes_wrong_is_an_outcome(tmp_path: Path) -> None:
    failed = evaluate(task(sources=(tmp_path / "missing",)), SETTINGS)
    assert failed.failure is not None
    assert "missing" in failed.failure
    assert failed.metrics == {}
    assert failed.weights is None


def test_what_is_known_before_holds_after() -> None:
    chip = load_chip("rram_32nm")
    rng = np.random.default_rng(3)
    architectures = [SPACE.decode(genome) for genome in SPACE.sample(40, rng)]
    exact, lower = known_metrics(architectures, [chip] * len(architectures))
    for architecture, known, bound in zip(architectures, exact, lower, strict=True):
        rates = {layer.name: tuple(rng.random(2)) for layer in architecture.layers}
        workload = architecture.workload.with_rates(rates)
        measured = measured_metrics(architecture, workload, estimate(workload, chip))
        assert {name: measured[name] for name in known} == known
        assert all(bound[name] <= measured[name] for name in bound)
        assert bound["energy_uj"] > 0


def test_energy_of_training_is_that_of_the_settings_machine(outcome: Outcome) -> None:
    dense = replace(SETTINGS, machine=load_machine("gpu_nvidia_a100"))
    found = evaluate(task(), dense).metrics
    assert found["training_operations"] == outcome.metrics["training_operations"]
    assert found["training_energy_j"] == pytest.approx(41e-12 * found["training_operations"])
    assert 0 < outcome.metrics["training_energy_j"] < found["training_energy_j"]


def test_spikes_are_counted_over_all_neurons_and_steps() -> None:
    genome = np.zeros(len(SPACE.genes), dtype=int)  # 2 steps, lif_box, one block of 4 channels
    architecture = SPACE.decode(genome)
    assert [layer.neurons for layer in architecture.workload.layers] == [4 * 64, 10]
    workload = architecture.workload.with_rates(
        {"stage1.block1": (0.5, 0.25), "readout": (0.25, 0.0)}
    )
    metrics = measured_metrics(architecture, workload, estimate(workload))
    assert metrics["spikes"] == 0.25 * 256 * 2
    assert metrics["spike_rate"] == 0.25
