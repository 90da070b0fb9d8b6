"""The ladder in real searches: who climbs, what is kept of each rung, stops and failures at any."""

import itertools
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evo_snn.candidate import Candidate, Rung
from evo_snn.constraints import Constraint
from evo_snn.generation import Generation
from evo_snn.integrity import check
from evo_snn.ladder import climbing
from evo_snn.objectives import chosen_metrics
from evo_snn.run import Run
from evo_snn.scores import Scores
from evo_snn.search import evolve, resume
from evo_snn.store import Store
from genomes.errors import RequestError
from tests.evo_snn.searches import TINY, assert_equal_runs, search

LADDER = {"ladder__rungs": 3, "ladder__keep": 0.5, "training__steps": 8}
STRATEGIES = ("none", "parents", "shared", "nearest")


class Stopped(BaseException):
    """What a test stops a search with: no code of ours expects it, as it expects no kill."""


def stop_after(monkeypatch: pytest.MonkeyPatch, calls: int, name: str) -> None:
    """Let a method of the store work so often, and then stop the search."""
    original, count = getattr(Store, name), itertools.count(1)

    def stopping(self: Store, *args: Any, **kwargs: Any) -> Any:
        if next(count) > calls:
            raise Stopped
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Store, name, stopping)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Uninterrupted searches on a ladder, by inheritance."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        strategy: search(folder / strategy, inheritance__strategy=strategy, **LADDER)
        for strategy in STRATEGIES
    }


def stored(run: Run) -> list[Candidate]:
    with Store.open(run.folder) as store:
        return store.candidates()


def trainings(run: Run) -> int:
    """How many trainings a run has paid for."""
    return sum(len(one.rungs) for one in stored(run))


def test_each_rung_is_kept_and_trains_so_many(whole: dict[str, Run]) -> None:
    for run in whole.values():
        for number in range(4):
            found = [one for one in stored(run) if one.generation == number]
            climbed = [sum(len(one.rungs) > rung for one in found) for rung in range(3)]
            if number == 0:
                assert climbed == [6, 3, 2]
            else:  # fewer where they are worse than the population was
                assert climbed[0] == 4
                assert climbed[1] <= 2
                assert climbed[2] <= (climbed[1] + 1) // 2
        for one in stored(run):
            steps = [rung.steps for rung in one.rungs]
            assert steps == [2, 4, 8][: len(steps)]
            assert one.training_steps == steps[-1]
            assert one.metrics == one.rungs[-1].metrics
            accuracies = [rung.metrics["accuracy"] for rung in one.rungs]
            assert accuracies == sorted(accuracies)  # the best so far
        assert not check(run.folder).problems


def test_training_went_on_and_was_worth_it(whole: dict[str, Run]) -> None:
    rungs = [one.rungs for one in stored(whole["parents"]) if len(one.rungs) == 3]
    gained = [b.metrics["accuracy"] - a.metrics["accuracy"] for a, _, b in rungs]
    assert np.mean(gained) > 0.02


def test_the_first_generation_climbs_by_all_objectives(whole: dict[str, Run]) -> None:
    run = whole["parents"]
    names = [objective.name for objective in run.objectives]
    scores = Scores(chosen_metrics(names), (), run.hypervolume_box)
    on = [one for one in stored(run) if one.generation == 0]
    for rung in (0, 1):
        as_then = [
            Candidate(one.key, one.genome, (), 0, "ok", metrics=one.rungs[rung].metrics)
            for one in on
        ]
        keys = [one.key for one in on]
        up = climbing(keys, scores.objectives(as_then), np.zeros(len(on)), (), 0.5)
        on = [one for one in on if len(one.rungs) > rung + 1]
        assert {one.key for one in on} == set(up)


@pytest.mark.parametrize("workers", [(2, "loky"), (3, "threading")])
def test_any_number_of_workers_climbs_alike(
    whole: dict[str, Run], tmp_path: Path, workers: tuple[int, str]
) -> None:
    jobs, backend = workers
    again = search(tmp_path / "run", workers__jobs=jobs, workers__backend=backend, **LADDER)
    assert_equal_runs(again, whole["parents"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stopped_on_any_rung_a_run_goes_on_to_the_same_end_and_trains_nothing_twice(
    whole: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    folder = tmp_path / "run"
    # within a rung, between two, at a generation's end, within the second generation's ladder
    stops = (3, 6, 8, 10, 13, 17) if strategy == "parents" else (7, 16)
    with monkeypatch.context() as patched:
        stop_after(patched, stops[0], "record")
        with pytest.raises(Stopped):
            search(folder, inheritance__strategy=strategy, **LADDER)
    for before, after in itertools.pairwise(stops):
        with monkeypatch.context() as patched:
            stop_after(patched, after - before, "record")
            with pytest.raises(Stopped):
                resume(folder)
        assert trainings(Run(folder)) == after
        assert not check(folder).problems
    assert_equal_runs(resume(folder), whole[strategy])


@pytest.mark.parametrize("removals", [0, 2])
def test_weights_of_a_lower_rung_that_a_killed_search_left_are_tidied(
    whole: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removals: int
) -> None:
    """Killed after a rung is stored, and before the file of the rung below is gone."""
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        stop_after(patched, 1 + removals, "_remove")  # the first is opening's
        with pytest.raises(Stopped):
            search(folder, **LADDER)
    (left,) = check(folder).problems
    assert left.kind == "leftover"
    assert_equal_runs(resume(folder), whole["parents"])
    assert not check(folder).problems


def failing(folder: Path, calls: int) -> str:
    """An objective that fails from a candidate's so-manieth evaluation on, for half of them."""
    path = folder / "odd.py"
    path.write_text(
        "from pathlib import Path\nimport evo_snn\n"
        "@evo_snn.objective(maximise=False)\n"
        "def odd(candidate):\n"
        f"    file = Path({str(folder)!r}) / candidate.key\n"
        "    text = (file.read_text() if file.exists() else '') + 'x'\n"
        "    file.write_text(text)\n"
        f"    if len(text) > {calls} and int(candidate.key, 16) % 2: raise ValueError('odd')\n"
        "    return 1.0\n"
    )
    return str(path)


def test_a_failure_on_a_higher_rung_is_a_failed_candidate(tmp_path: Path) -> None:
    run = search(
        tmp_path / "run",
        objectives__names=["accuracy", "area_mm2", "odd"],
        objectives__plugins=[failing(tmp_path, calls=1)],
        **LADDER,
    )
    failed = [one for one in stored(run) if one.state == "failed"]
    assert failed
    for one in failed:
        assert [rung.steps for rung in one.rungs] == [2]
        assert one.training_steps == 2
        assert "ValueError: odd" in str(one.failure)
        assert [each["kind"] for each in one.circumstances["attempts"]] == ["raised"] * 2
        assert run.weights_path(one.key) is None
    assert not {one.key for one in failed} & set(run.front()["key"])
    assert not check(run.folder).problems


def test_failures_of_an_unfinished_generation_begin_on_the_lowest_rung_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed on a rung and is tried again climbs as if it had not."""
    objectives = {"objectives__names": ["accuracy", "area_mm2", "odd"]}
    calm, folder = tmp_path / "calm", tmp_path / "run"
    calm.mkdir()
    plugin = failing(calm, calls=99)
    expected = search(calm / "run", objectives__plugins=[plugin], **objectives, **LADDER)
    with monkeypatch.context() as patched:
        from evo_snn import evaluation

        original = evaluation.restore

        def away(network: Any, tensors: Any) -> None:
            raise OSError("away for a moment")

        patched.setattr(evaluation, "restore", away)
        stop_after(patched, 8, "record")  # two failures on the second rung
        with pytest.raises(Stopped):
            search(folder, objectives__plugins=[plugin], **objectives, **LADDER)
    assert evaluation.restore is original
    assert [one.state for one in stored(Run(folder))].count("failed") == 2
    assert_equal_runs(resume(folder), expected)


def test_a_ladder_of_one_rung_is_none(tmp_path: Path) -> None:
    run = search(tmp_path / "run", search__generations=1, ladder__keep=0.1)
    assert all(one.rungs == () and one.training_steps == 4 for one in stored(run))


def test_without_training_there_is_no_ladder(tmp_path: Path) -> None:
    names = ["area_mm2", "latency_ms"]
    run = search(tmp_path / "run", search__generations=1, objectives__names=names, **LADDER)
    assert all(one.rungs == () and one.training_steps == 0 for one in stored(run))


@pytest.mark.parametrize(("rungs", "keep"), [(4, 0.5), (2, 0.9)])
def test_more_rungs_than_steps_are_refused(tmp_path: Path, rungs: int, keep: float) -> None:
    overrides = {"ladder.rungs": rungs, "ladder.keep": keep}
    with pytest.raises(RequestError, match=f"ladder.rungs: got {rungs}; allowed: so many that .*:"):
        evolve(TINY, tmp_path / "run", overrides=overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE rung SET steps = 9 WHERE position = 0", "its rungs are|ends after 9 steps, not"),
        ("UPDATE candidate SET training_steps = 5", "its last rung ends after [248] steps, not 5"),
        ("UPDATE rung SET metrics = '3'", "its metrics on a rung are no JSON object"),
        ("DELETE FROM rung WHERE position = 0", r"its rungs are \(1,"),
    ],
)
def test_rungs_that_cannot_be_are_found(tmp_path: Path, change: str, says: str) -> None:
    run = search(tmp_path / "run", search__generations=1, **LADDER)
    with closing(sqlite3.connect(run.folder / "run.sqlite")) as database, database:
        database.execute(change)
    found = [one for one in check(run.folder).problems if one.kind == "candidate"]
    assert found
    assert all(re.search(says, one.text) for one in found)


METRICS = chosen_metrics(["accuracy", "area_mm2"])
BOX = {"accuracy": (1.0, 0.1), "area_mm2": (0.1, 10.0)}


def on_rungs(key: str, *rungs: tuple[float, float], state: Any = "ok") -> Candidate:
    """A candidate of that accuracy and area on each rung."""
    kept = tuple(
        Rung(15 * 2**k, {"accuracy": accuracy, "area_mm2": area})
        for k, (accuracy, area) in enumerate(rungs)
    )
    return Candidate(key, (), (), 0, state, metrics=dict(kept[-1].metrics), rungs=kept)


def climbers(
    rung: int,
    generation: list[Candidate],
    population: Sequence[Candidate] = (),
    constraints: tuple[Constraint, ...] = (),
) -> str:
    """Who climbs of a generation, with half of them to keep."""
    missing: Any = None
    plan: Any = SimpleNamespace(
        constraints=constraints,
        config=SimpleNamespace(ladder=SimpleNamespace(keep=0.5)),
        settings=SimpleNamespace(scoring=None),
    )
    made = Generation(
        number=1,
        asked={one.key: missing for one in generation},
        places={},
        population=population,
        known={one.key: one for one in generation},
        plan=plan,
        store=missing,
        strategy=missing,
        scores=Scores(METRICS, constraints, BOX),
    )
    return "".join(made._climbing(rung))


FOUR = [
    on_rungs("a", (0.9, 2.0)),
    on_rungs("b", (0.8, 1.0)),
    on_rungs("c", (0.7, 3.0)),
    on_rungs("d", (0.6, 4.0)),
]


def test_those_that_nobody_beats_climb() -> None:
    assert climbers(1, FOUR) == "ab"


def test_the_population_pushes_back_as_it_was_on_the_same_rung() -> None:
    early = [on_rungs(key, (0.95, 0.5), (0.96, 0.5)) for key in "wxyz"]
    assert climbers(1, FOUR, early) == ""
    late = [on_rungs(key, (0.2, 5.0), (0.99, 0.5)) for key in "wxyz"]  # slow starters
    assert climbers(1, FOUR, late) == "ab"
    assert climbers(2, [on_rungs("a", (0.9, 2.0), (0.95, 2.0))], late) == ""


def test_whoever_was_not_on_a_rung_has_no_say_there() -> None:
    low = [on_rungs(key, (0.95, 0.5)) for key in "wxyz"]
    pair = [on_rungs("a", (0.1, 9.0), (0.2, 9.0)), on_rungs("b", (0.1, 9.0))]
    assert climbers(2, pair, low) == "a"


def test_failed_candidates_do_not_climb() -> None:
    failed = on_rungs("a", (0.9, 2.0), state="failed")
    assert climbers(1, [failed, *FOUR[1:]]) == "bc"
    assert climbers(1, [failed]) == ""


def test_who_breaks_no_constraint_climbs_first() -> None:
    small = (Constraint("area_mm2", maximum=3.5), Constraint("accuracy", minimum=0.65))
    assert climbers(1, FOUR, constraints=small) == "ab"
    tiny = (Constraint("area_mm2", maximum=1.5),)
    assert climbers(1, FOUR, constraints=tiny) == "ba"  # a is the nearest to meeting it
    known_by_then = [on_rungs("a", (0.6, 1.0), (0.9, 1.0)), on_rungs("b", (0.7, 9.0), (0.7, 9.0))]
    accurate = (Constraint("accuracy", minimum=0.65),)
    assert climbers(1, known_by_then, constraints=accurate) == "b"
    assert climbers(2, known_by_then, constraints=accurate) == "a"
