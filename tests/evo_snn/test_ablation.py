"""Whole ablations: known effects are found, through the engine, the command line and a resume."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evo_snn
from evo_snn.ablation import ablation_of
from evo_snn.run import Run, open_run
from evo_snn.search import resume
from genomes.errors import RequestError
from tests.evo_snn.searches import assert_equal_runs

# Max pooling is worth 2 a layer and average pooling -1, a time step 0.5; a step also costs. What is
# drawn for each design stands for the noise of its training.
OBJECTIVES = """
import numpy as np

import evo_snn


@evo_snn.objective(maximise=True, needs="cost")
def merit(candidate):
    worth = {"max": 2.0, "average": -1.0}
    layers = candidate.architecture.layers
    pools = sum(worth[one.pool_kind] for one in layers if max(one.pool, default=1) > 1)
    noise = np.random.default_rng(int(candidate.key, 16)).normal(0, 0.3)
    return pools + 0.5 * candidate.architecture.time_steps + noise


@evo_snn.objective(unit="mW", maximise=False, log=True, needs="cost")
def power(candidate):
    return 1.1 ** candidate.architecture.time_steps


@evo_snn.objective(maximise=True, needs="cost")
def seed(candidate):
    return candidate.seed % 1000003
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(OBJECTIVES)
    path = tmp_path / "known.toml"
    path.write_text(
        """
[data]
name = "digits"
[search]
space = "plain"
seed = 5
[space]
max_stages = 2
time_steps = [2, 3, 4]
[objectives]
names = ["merit", "power"]
plugins = ["mine.py"]
[workers]
backend = "sequential"
[ladder]
rungs = 2
[inheritance]
strategy = "parents"
"""
    )
    return path


def row(effects: pd.DataFrame, choice: object, objective: str = "merit", gene: str = "") -> Any:
    chosen = effects.query("objective == @objective and gene == @gene")
    (found,) = chosen[chosen["choice"] == choice].to_dict("records")
    return found


def test_known_effects_are_found(config: Path, tmp_path: Path) -> None:
    effects = evo_snn.ablate(config, tmp_path / "run", bases=30, genes=["stage.pool", "time_steps"])
    truth = {"max": 2.0, "average": -1.0}
    for choice, effect in truth.items():
        found = row(effects, choice)
        assert found["against"] == "none"
        assert found["pairs"] >= 25
        assert found["effect"] == pytest.approx(effect, abs=0.3)
        assert found["low"] < effect < found["high"]
        assert found["outcome"] == ("helps" if effect > 0 else "harms")
        by_gene = [row(effects, choice, gene=f"stage{k}.pool") for k in (1, 2)]
        assert sum(one["pairs"] for one in by_gene) == found["pairs"]
        assert all(one["effect"] == pytest.approx(effect, abs=0.5) for one in by_gene)
    none = row(effects, "none")
    assert none["effect"] == pytest.approx(-0.5, abs=0.3)
    assert row(effects, 3)["effect"] == pytest.approx(0.5, abs=0.25)
    power = row(effects, 3, "power")
    assert (power["unit"], power["outcome"]) == ("%", "harms")
    assert [power[one] for one in ("effect", "low", "high")] == pytest.approx([10, 10, 10])
    assert row(effects, "max", "power")["outcome"] == "same"

    run = open_run(effects.attrs["folder"])
    found = ablation_of(run)
    pd.testing.assert_frame_equal(found.effects, effects)
    assert found.bases == 30
    assert found.left_out == 0
    (suggestion,) = found.suggestions
    assert suggestion.setting == '[space] pools = ["max"]'
    # it is a run, and what would favour some of its candidates is off
    assert run.config.ladder.rungs == 1
    assert run.config.inheritance.strategy == "none"
    assert len(run.front()) > 0
    assert run.candidates()["training_steps"].max() == 0


def test_intervals_cover_known_effects_at_their_rate(config: Path, tmp_path: Path) -> None:
    covered = []
    for seed in range(8):
        effects = evo_snn.ablate(
            config, tmp_path / f"run{seed}", bases=10, genes=["stage.pool"], seed=seed
        )
        for choice, effect in {"max": 2.0, "average": -1.0}.items():
            found = row(effects, choice)
            covered.append(found["low"] < effect < found["high"])
    assert sum(covered) >= 0.8 * len(
        covered
    )  # at a rate of 0.95 that is missed once in 100 by less


def test_pairs_have_the_seed_of_their_base(config: Path, tmp_path: Path) -> None:
    overrides = {"objectives.names": ["seed"], "search.seed": 3}
    effects = evo_snn.ablate(
        config, tmp_path / "run", bases=4, genes=["neuron", "leak"], overrides=overrides
    )
    table = Run(effects.attrs["folder"]).candidates()
    assert (table.groupby("generation")["seed"].nunique() == 1).all()
    assert table["seed"].nunique() == 4
    assert (effects["effect"].dropna() == 0).all()


def test_a_resumed_ablation_is_the_one_that_was_never_stopped(config: Path, tmp_path: Path) -> None:
    genes = ["stage.pool"]
    evo_snn.ablate(config, tmp_path / "one", bases=6, genes=genes)
    evo_snn.ablate(config, tmp_path / "two", bases=2, genes=genes)
    assert ablation_of(Run(tmp_path / "two")).bases == 2
    resume(tmp_path / "two", generations=6)
    assert_equal_runs(tmp_path / "one", tmp_path / "two")
    pd.testing.assert_frame_equal(
        ablation_of(Run(tmp_path / "one")).effects, ablation_of(Run(tmp_path / "two")).effects
    )


def test_trained_candidates_are_compared_too(config: Path, tmp_path: Path) -> None:
    overrides = {
        "objectives.names": ["accuracy", "energy_uj"],
        "training.steps": 2,
        "space.widths": [4, 8],
        "constraints.latency_ms": 1e9,
    }
    effects = evo_snn.ablate(
        config, tmp_path / "run", bases=2, genes=["readout.weight_bits"], overrides=overrides
    )
    assert set(effects["unit"]) == {"points", "%"}
    assert (effects["pairs"] == 2).all()
    assert effects["low"].isna().all()  # of two pairs
    assert effects.query("objective == 'energy_uj'")["effect"].abs().max() > 0


def test_what_is_over_a_budget_leaves_its_pairs_out(config: Path, tmp_path: Path) -> None:
    overrides = {"constraints.time_steps": 2, "objectives.names": ["merit", "spikes"]}
    overrides |= {"training.steps": 1, "space.widths": [4], "space.max_stages": 1}
    evo_snn.ablate(config, tmp_path / "run", bases=2, genes=["time_steps"], overrides=overrides)
    found = ablation_of(Run(tmp_path / "run"))
    assert (found.effects["pairs"] == 0).all()
    assert found.left_out == 2 * 2 * 2  # two bases, two choices, neither objective measured


def test_the_command_prints_a_table_a_suggestion_and_a_figure(
    config: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    options = ["--bases", 12, "--genes", "stage.pool", "--genes", "time_steps", "--jobs", 1]
    status, out, err = command("ablate", config, "--out", folder, *options)
    assert status == 0, err
    assert "merit" in out
    assert "power (%)" in out
    assert "stage.pool" in out
    assert "leave out average (stage.pool) against none: merit -" in out
    assert '[space] pools = ["max"]' in out
    assert (folder / "figures" / "effects.png").stat().st_size > 10_000
    assert "generation 12 of 12" in err

    status, again, _ = command("ablate", folder, "--by-gene")
    assert status == 0
    assert out.splitlines()[:7] == again.splitlines()[:7]
    assert "stage2.pool" in again

    status, out, _ = command("ablate", folder, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["bases"] == 12
    assert document["level"] == 0.95
    assert document["suggestions"][0]["value"] == ["max"]
    pooled = [one for one in document["effects"] if not one["gene"]]
    assert len(pooled) == (3 + 2) * 2
    assert all(isinstance(one["low"], float) for one in pooled)

    for words in (["front"], ["candidates"], ["status"], ["check"]):
        assert command(*words, folder)[0] == 0
    status, out, _ = command("resume", folder, "--generations", 13)
    assert status == 0
    assert "means over 13 bases" in out


def test_standard_output_is_one_document(config: Path, tmp_path: Path, command: Command) -> None:
    status, out, _ = command(
        *("ablate", config, "--out", tmp_path / "run", "--bases", 2, "--genes", "leak", "--json")
    )
    assert status == 0
    document = json.loads(out)
    assert {one["low"] for one in document["effects"]} == {None}  # too few pairs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--genes", "stage1.pol"], "stage1.pool"),
        (["--bases", 0], "--bases"),
        (["--genes", "neuron", "--set", 'space.neurons=["lif"]'], "two choices"),
        (["--out", " "], "--out"),
        (["--set", "ablation.gens=[]"], "genes"),
    ],
)
def test_wrong_requests_are_one_line_and_leave_nothing(
    config: Path, tmp_path: Path, command: Command, arguments: list[str], message: str
) -> None:
    given = ["--out", tmp_path / "run", *arguments]
    status, out, err = command("ablate", config, *given)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_is_looked_at_and_no_more(
    config: Path, tmp_path: Path, command: Command, finished_run: Run
) -> None:
    status, _, err = command("ablate", finished_run.folder)
    assert status == 2
    assert "evo-snn ablate" in err
    status, _, err = command("ablate", finished_run.folder, "--bases", 3)
    assert status == 2
    assert "evo-snn resume" in err
    status, _, err = command("ablate", tmp_path)
    assert status == 2
    with pytest.raises(RequestError, match="design"):
        ablation_of(finished_run)


def test_effects_are_the_same_with_any_number_of_workers(config: Path, tmp_path: Path) -> None:
    found = [
        evo_snn.ablate(
            config,
            tmp_path / backend,
            bases=3,
            genes=["stage.pool"],
            jobs=jobs,
            overrides={"workers.backend": backend},
        )
        for backend, jobs in (("sequential", 1), ("threading", 2))
    ]
    pd.testing.assert_frame_equal(*found)
    assert found[0].query("gene == ''")["effect"].notna().all()
