"""SNASNet's and NeuroNAS's searches: everything scored, the best trained."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evo_snn import training_free
from evo_snn.candidate import Candidate
from evo_snn.commands import main
from evo_snn.config_file import load_config
from evo_snn.full_training import train
from evo_snn.integrity import check
from evo_snn.plan import make_plan
from evo_snn.run import Run
from evo_snn.search import NothingFeasible, resume
from evo_snn.snn import build
from evo_snn.store import Store
from evo_snn.training import Samples
from evo_snn.training_free import Scoring, at_start, best_scored
from genomes.errors import RequestError
from genomes.spaces import make_space
from tests.evo_snn.searches import TINY, assert_equal_runs, search
from tests.evo_snn.test_resume import Stopped, stop_after

BASE: Mapping[str, Any] = {
    "inheritance__strategy": "none",
    "search__population": 5,
    "search__offspring": 5,
    "search__generations": 2,
    "search__trained": 2,
    "scoring": {"samples": 16, "batches": 2},
}
BOUND = 2500  # parameters; some designs of the space have fewer, some have more


def baseline(folder: Path, algorithm: str, **changes: Any) -> Run:
    if algorithm == "neuronas":
        changes.setdefault("constraints__parameters", BOUND)
    return search(folder, search__algorithm=algorithm, **{**BASE, **changes})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("baselines")
    return {name: baseline(folder / name, name) for name in ("snasnet", "neuronas")}


def scored(key: str, score: float | None) -> Candidate:
    metrics = {} if score is None else {"sahd_score": score}
    return Candidate(key=key, genome=(), parents=(), generation=0, state="ok", metrics=metrics)


def test_the_best_come_first_and_what_has_no_score_last() -> None:
    found = [scored("a", None), scored("b", -7.0), scored("d", 3.0), scored("c", 3.0)]
    assert best_scored(found, 4) == ["c", "d", "b", "a"]
    assert best_scored(found, 1) == ["c"]
    assert best_scored(reversed(found), 3) == ["c", "d", "b"]


@pytest.mark.parametrize("algorithm", ["snasnet", "neuronas"])
def test_all_are_scored_and_of_each_generation_the_best_so_far_trained(
    runs: dict[str, Run], algorithm: str
) -> None:
    table = runs[algorithm].candidates()
    assert len(table) == 10
    assert table["sahd_score"].notna().sum() > 5  # some of the space are silent, and have none
    for generation in (0, 1):
        so_far = table[table["generation"] <= generation]
        best = {*so_far.nlargest(2, "sahd_score")["key"]}
        here = so_far[so_far["generation"] == generation]
        trained = set(here[here["training_steps"] > 0]["key"])
        assert trained == best & set(here["key"])
    trained = table["training_steps"] > 0
    assert (table["training_steps"][trained] == TINY["training"]["steps"]).all()
    assert table["accuracy"].notna().equals(trained)
    assert set(runs[algorithm].front()["key"]) <= set(table["key"][trained])
    assert not check(runs[algorithm].folder).problems


def test_a_trained_design_keeps_the_score_that_it_was_chosen_by(runs: dict[str, Run]) -> None:
    run = runs["snasnet"]
    for key in run.front()["key"]:
        candidate = run.candidate(key)
        before, after = candidate.rungs
        assert (before.steps, after.steps) == (0, candidate.training_steps)
        assert before.metrics["sahd_score"] == candidate.metrics["sahd_score"]
        assert "accuracy" not in before.metrics


def test_it_is_scored_as_the_network_that_its_training_begins_with(runs: dict[str, Run]) -> None:
    """With the seed of its own, on batches that are the same for all."""
    from evo_snn.evaluation import EvaluationSettings
    from evo_snn.seeds import derived_seed
    from evo_snn.training import device_samples

    run = runs["snasnet"]
    plan = make_plan(run.config)
    assert isinstance(plan.settings, EvaluationSettings)
    data, _ = device_samples(plan.settings.data, plan.settings.data_digest, "cpu")
    first = run.candidates().iloc[0]
    network = build(plan.space.decode(first["genome"]), derived_seed(1, first["key"]))
    found = at_start(network, data, Scoring(16, 2, 1))
    assert found.score == first["sahd_score"]


@pytest.mark.parametrize("algorithm", ["snasnet", "neuronas"])
@pytest.mark.parametrize(("backend", "jobs"), [("threading", 3), ("loky", 2)])
def test_workers_change_nothing(
    runs: dict[str, Run], tmp_path: Path, algorithm: str, backend: str, jobs: int
) -> None:
    workers = {"workers__backend": backend, "workers__jobs": jobs}
    assert_equal_runs(baseline(tmp_path / "run", algorithm, **workers), runs[algorithm])


@pytest.mark.parametrize("algorithm", ["snasnet", "neuronas"])
def test_stopped_anywhere_it_goes_on_to_the_same_end(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    """After 3 of 5 were scored, in the midst of training the best, and in the second generation."""
    stops = (0, 3, 6, 9)
    for before, after in itertools.pairwise(stops):
        with monkeypatch.context() as patched:
            stop_after(patched, after - before)
            with pytest.raises(Stopped):
                resume(tmp_path / "run") if before else baseline(tmp_path / "run", algorithm)
    with Store.open(tmp_path / "run") as store:
        stored = store.candidates(details=False)
    assert sum(len(one.rungs) for one in stored) == 9  # nothing was measured twice
    assert_equal_runs(resume(tmp_path / "run"), runs[algorithm])


def test_one_generation_extended_to_two_is_two_at_once(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    short = baseline(tmp_path / "run", "snasnet", search__generations=1)
    assert_equal_runs(resume(short.folder, generations=2), runs["snasnet"])


def test_neuronas_scores_and_trains_only_what_is_within_all_bounds(tmp_path: Path) -> None:
    """The space has 24 designs, 8 of them within: four of twelve have to be over it."""
    layers = {"max_stages": 1, "max_blocks": 1, "widths": [4, 8], "kernels": [3]}
    neurons = {"neurons": ["iaf"], "thresholds": [0.5], "time_steps": [2]}
    run = baseline(
        tmp_path / "run",
        "neuronas",
        space={**layers, **neurons, "weight_bits": [3, 4]},
        constraints__parameters=800,
        search__population=12,
        search__generations=1,
    )
    table = run.candidates()
    over = table["parameters"] > 800
    assert over.sum() == 4
    assert table["sahd_score"].isna()[over].all()
    assert table["spike_rate"].notna().equals(~over)  # which scoring measures
    assert (table["state"] == np.where(over, "infeasible", "ok")).all()
    assert (table["training_steps"] > 0).sum() == 2
    assert not (table["training_steps"][over] > 0).any()


def test_energy_is_judged_at_the_spike_rates_that_a_network_begins_with(tmp_path: Path) -> None:
    """A bound that spike rates alone can break: it is scored, found over it, and not trained."""
    free = baseline(tmp_path / "free", "neuronas", constraints__parameters=1e9)
    spent = free.candidates().query("training_steps == 0")["energy_uj"]
    bound = float(spent.median())
    run = baseline(tmp_path / "run", "neuronas", constraints={"energy_uj": bound})
    table = run.candidates()
    untrained = table[table["training_steps"] == 0]
    over = untrained[untrained["energy_uj"] > bound]
    assert (over["state"] == "infeasible").all()
    assert not over.empty
    for key in table["key"][table["training_steps"] > 0]:
        assert run.candidate(key).rungs[0].metrics["energy_uj"] <= bound


def test_snasnet_chooses_by_the_score_alone_and_is_judged_afterwards(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    free = runs["snasnet"].candidates()
    bound = float(free[free["training_steps"] > 0]["area_mm2"].min()) * 0.99
    with pytest.raises(NothingFeasible) as stopped:
        baseline(tmp_path / "run", "snasnet", constraints={"area_mm2": bound}, search__trained=1)
    table = stopped.value.run.candidates()
    assert table["genome"].tolist() == free["genome"].tolist()
    assert table["sahd_score"].equals(free["sahd_score"])
    trained = table[table["training_steps"] > 0]
    assert trained["key"].iloc[-1] == table.nlargest(1, "sahd_score")["key"].item()
    assert (trained["state"] == "infeasible").all()


def test_the_score_is_an_objective_of_any_search_and_needs_no_training(tmp_path: Path) -> None:
    run = search(
        tmp_path / "run",
        objectives__names=["sahd_score", "area_mm2"],
        inheritance__strategy="none",
        scoring={"samples": 16, "batches": 1},
    )
    table = run.candidates()
    assert (table["training_steps"] == 0).all()
    assert table["sahd_score"].notna().sum() > 12
    best = table.nlargest(1, "sahd_score")["key"].item()
    assert best in set(run.front()["key"])
    assert run.generations()["hypervolume"].iloc[-1] > 0
    assert not check(run.folder).problems


def test_it_is_measured_beside_accuracy_too_whatever_is_inherited(tmp_path: Path) -> None:
    changes = {"objectives__names": ["accuracy", "sahd_score"], "search__generations": 2}
    tables = [
        search(tmp_path / strategy, inheritance__strategy=strategy, **changes).candidates()
        for strategy in ("parents", "none")
    ]
    assert tables[0]["accuracy"].notna().all()
    both = tables[0].merge(tables[1], on="key", suffixes=("", "_none"))
    assert both["sahd_score"].equals(both["sahd_score_none"])


def test_a_network_that_tells_no_samples_apart_has_no_score_and_is_not_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every second network the neurons are silent: a kernel of equal numbers."""
    original = training_free.patterns_of
    calls = itertools.count()

    def silent(network: Any, x: Any, activity: Any) -> Any:
        if next(calls) % 2 == 0:
            for neuron in network.neurons.values():
                torch.nn.init.constant_(neuron.threshold, 1e6)
        return original(network, x, activity)

    monkeypatch.setattr(training_free, "patterns_of", silent)
    scoring = {"samples": 16, "batches": 1}
    run = baseline(tmp_path / "run", "snasnet", scoring=scoring, search__generations=1)
    table = run.candidates()
    assert 0 < table["sahd_score"].isna().sum() < len(table)
    assert (table["state"] == "ok").all()
    before = [run.candidate(key).rungs[0].metrics for key in table["key"]]
    chosen = table["training_steps"] > 0
    assert all("sahd_score" in metrics for metrics, one in zip(before, chosen, strict=True) if one)
    assert not check(run.folder).problems


def test_a_batch_is_all_samples_where_there_are_fewer() -> None:
    space = make_space("plain", (1, 8, 8), 10, TINY["space"])
    network = build(space.decode(space.sample(1, np.random.default_rng(0))[0]), 0)
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    samples = Samples(x, torch.zeros(6, dtype=torch.int64))
    found = [at_start(network, samples, Scoring(size, 1, 0)).score for size in (6, 256)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"search.algorithm": "neuronas"},
            r"^constraints: got 'none'.*snasnet is the same without",
        ),
        ({"ladder.rungs": 2}, r"^ladder\.rungs: got 2; allowed: 1 with snasnet"),
        ({"inheritance.strategy": "parents"}, r"^inheritance\.strategy: got 'parents'"),
        (
            {"search.algorithm": "nsga2", "search.trained": 3},
            r"^search\.trained: got 3; allowed: nothing with nsga2",
        ),
        ({"search.trained": 0}, r"^search\.trained: got 0"),
        ({"scoring.samples": 1}, r"^scoring\.samples: got 1"),
        ({"scoring.sample": 8}, r"^scoring: got 'sample'.*Did you mean 'samples'"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: Mapping[str, Any], message: str) -> None:
    plain = {**TINY, "search": {**TINY["search"], "algorithm": "snasnet"}}
    plain["inheritance"] = {"strategy": "none"}
    with pytest.raises(RequestError, match=message):
        make_plan(load_config(plain, changes))


def test_what_was_chosen_can_be_trained_fully(runs: dict[str, Run]) -> None:
    key = runs["neuronas"].front()["key"].iloc[0]
    row = train(runs["neuronas"], [key], epochs=1).iloc[0]
    assert 0 <= row["test_accuracy"] <= 1


@pytest.mark.parametrize("command", [("front",), ("candidates",), ("status",), ("recost",)])
def test_commands_show_a_run_whose_candidates_are_mostly_untrained(
    runs: dict[str, Run], capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    extra = ("--set", "crossbar_size=128") if command == ("recost",) else ()
    with pytest.raises(SystemExit) as stopped:
        main([*command, str(runs["snasnet"].folder), *extra])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert str(runs["snasnet"].front()["key"].iloc[0])[:8] in shown or command == ("status",)
    assert ("sahd_score" in shown) == (command in (("front",), ("candidates",)))
