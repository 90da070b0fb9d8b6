"""Designs that end early, searched for end to end, and what they gain over confidences."""

import json
import shutil

import pytest

from evo_snn.early_exits import CONFIDENCES, exits
from evo_snn.full_training import train
from evo_snn.precision import precision
from evo_snn.recost import recost
from evo_snn.run import Run
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate
from tests.evo_snn.searches import search

STEPS = 4
SPACE = {
    "max_stages": 3,
    "max_blocks": 1,
    "widths": [4, 8],
    "kernels": [3],
    "weight_bits": [4],
    "time_steps": [STEPS],
    "codings": ["direct", "rate", "first_spike"],
    "first_layers": ["memory", "digital"],
    "time_exits": ["off", "on"],
    "depth_exits": ["off", "on"],
    "exit_confidences": [0.15, 0.2],
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A search with exits, codings and first layers as genes, which keeps all weights."""
    return search(
        tmp_path_factory.mktemp("exits") / "run",
        space=SPACE,
        search__population=20,
        search__offspring=12,
        search__generations=2,
        training__steps=12,
        weights__keep="all",
        hardware__chip="rram_32nm",
        objectives__names=["accuracy", "energy_uj", "latency_ms", "mean_time_steps"],
        constraints={"latency_ms": 1000},
    )


@pytest.fixture
def run(pristine, tmp_path):
    """A copy of it that a test may write to."""
    shutil.copytree(pristine.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def designs(run):
    rows = run.candidates()
    found = [run.candidate(key) for key in rows[rows["state"] == "ok"]["key"]]
    return [(one, Architecture.from_description(one.architecture)) for one in found]


def one_with(run, kind):
    """A design with that kind of exit, or with none."""
    return next(
        (one, architecture)
        for one, architecture in designs(run)
        if (architecture.exit.kind if architecture.exit else None) == kind
    )


def test_a_search_over_exits_codings_and_first_layers(pristine):
    rows = pristine.candidates()
    assert (rows["state"] == "ok").all()
    found = designs(pristine)
    kinds = {one.exit.kind if one.exit else None for _, one in found}
    assert kinds == {None, "time", "depth"}
    assert len({one.coding for _, one in found}) == 3
    assert {one.layers[0].domain for _, one in found} == {"memory", "digital"}


def test_what_is_stored_is_of_inferences_as_long_as_they_were(pristine):
    for candidate, architecture in designs(pristine):
        workload = Workload.model_validate(candidate.workload)
        metrics = candidate.metrics
        assert metrics["latency_ms"] == estimate(workload, pristine.chip).latency_ms
        assert metrics["mean_time_steps"] == workload.steps
        kind = architecture.exit.kind if architecture.exit else None
        assert 1 <= metrics["mean_time_steps"] <= STEPS
        assert (kind == "time") or metrics["mean_time_steps"] == STEPS
        assert (kind == "depth") or metrics["mean_layers"] == len(architecture.layers)
    early = [one.metrics for one, _ in designs(pristine)]
    assert min(one["mean_time_steps"] for one in early) < STEPS
    assert any(one["mean_layers"] % 1 for one in early)


def test_other_chips_cost_the_same_inferences(pristine):
    found = recost(pristine, "spikesim_65nm").on("spikesim_65nm")
    assert found.ok > 0
    stored = {one.key: one for one, _ in designs(pristine)}
    for one in found.candidates:
        workload = Workload.model_validate(stored[one.key].workload)
        cost = estimate(workload, found.chip)
        assert one.metrics["latency_ms"] == pytest.approx(cost.latency_ms)
        assert one.metrics["mean_time_steps"] == workload.steps


@pytest.mark.parametrize("kind", ["time", "depth"])
def test_at_its_own_confidence_a_design_is_as_searched(pristine, kind):
    candidate, architecture = one_with(pristine, kind)
    own = architecture.exit.confidence
    found = exits(pristine, candidate.key[:8], [1.0, own])

    assert (found.key, found.kind, found.own) == (candidate.key, kind, own)
    assert found.weights == "search"
    assert found.rows["confidence"].tolist() == [own, 1.0]
    for name in ("accuracy", "energy_uj", "latency_ms", "mean_time_steps", "mean_layers"):
        assert found.rows[name][0] == pytest.approx(candidate.metrics[name], rel=1e-6), name
    early, whole = (row for _, row in found.rows.iterrows())
    assert whole["ends"] == [*[0.0] * (architecture.decisions - 1), 1.0]
    assert sum(early["ends"]) == pytest.approx(1)
    length = "mean_time_steps" if kind == "time" else "mean_layers"
    assert whole[length] == (STEPS if kind == "time" else len(architecture.layers))


@pytest.mark.parametrize("kind", ["time", "depth", None])
def test_the_surer_an_end_has_to_be_the_longer_an_inference(pristine, kind):
    candidate, _ = one_with(pristine, kind)
    rows = exits(pristine, candidate.key).rows
    assert rows["confidence"].tolist() == list(CONFIDENCES)
    for name in ("mean_time_steps", "mean_layers", "latency_ms", "energy_uj"):
        assert rows[name].is_monotonic_increasing, name
    length = rows["mean_layers" if kind == "depth" else "mean_time_steps"]
    assert length.iloc[0] < length.iloc[-1]


def test_a_design_without_an_exit_can_end_in_time(pristine):
    candidate, _ = one_with(pristine, None)
    found = exits(pristine, candidate.key, [0.2, 1.0])
    assert (found.kind, found.own) == ("time", None)
    whole = found.rows.iloc[1]
    for name in ("accuracy", "energy_uj", "latency_ms", "mean_time_steps"):
        assert whole[name] == pytest.approx(candidate.metrics[name], rel=1e-6), name


@pytest.mark.parametrize("kind", ["time", "depth"])
def test_precision_is_of_inferences_that_end_early(pristine, kind):
    candidate, _ = one_with(pristine, kind)
    cells = precision(pristine, candidate.key, [1, STEPS], [4]).cells
    for name in ("accuracy", "energy_uj", "latency_ms"):
        assert cells[name][1] == pytest.approx(candidate.metrics[name], rel=1e-6), name
    assert cells["latency_ms"][0] <= cells["latency_ms"][1]


def test_full_training_tells_how_long_inferences_are(run):
    (in_time, _), (in_depth, architecture) = one_with(run, "time"), one_with(run, "depth")
    rows = train(run, [in_time.key, in_depth.key], epochs=1)
    assert 1 <= rows["test_mean_time_steps"][0] <= STEPS
    assert 2 <= rows["test_mean_layers"][1] <= len(architecture.layers)
    told = json.loads((run.folder / "trained" / f"{in_time.key}.json").read_text())
    assert told["test_mean_time_steps"] == rows["test_mean_time_steps"][0]
    assert exits(run, in_time.key, [0.5]).weights == "full training"


@pytest.mark.parametrize("kind", ["time", "depth"])
def test_there_is_no_cnn_of_a_design_with_an_exit(run, kind):
    candidate, _ = one_with(run, kind)
    with pytest.raises(
        RequestError, match=r"from_cnn: got .a network with .*(exit in|coded as).*without time"
    ):
        train(run, [candidate.key], epochs=1, from_cnn=True)


def test_what_is_wrong_is_told(pristine, finished_run):
    candidate, _ = one_with(pristine, "time")
    for confidence in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(RequestError, match="--confidences: got .*; allowed: numbers above 0"):
            exits(pristine, candidate.key, [0.5, confidence])
    other = next(
        key for key in finished_run.candidates()["key"] if not finished_run.weights_path(key)
    )
    with pytest.raises(RequestError, match="whose weights are kept|of several time steps"):
        exits(finished_run, other)


def test_a_single_step_without_an_exit_has_nothing_to_end(tmp_path):
    run = search(
        tmp_path / "run",
        space={"max_stages": 1, "max_blocks": 1, "widths": [4], "time_steps": [1]},
        search__generations=1,
        training__steps=2,
        weights__keep="all",
    )
    with pytest.raises(RequestError, match="allowed: a design of several time steps, or with an"):
        exits(run, run.candidates()["key"][0])


def test_the_command(command, pristine, tmp_path):
    candidate, architecture = one_with(pristine, "time")
    line = ("exits", pristine.folder, candidate.key[:8], "--confidences", "0.9,0.2")
    picture = tmp_path / "curves.png"
    status, out, err = command(*line, "--json", "--figure", picture)
    assert status == 0
    assert "curves.png" in err
    assert picture.read_bytes().startswith(b"\x89PNG")
    document = json.loads(out)
    assert set(document) == {"key", "weights", "kind", "confidence", "rows"}
    assert (document["key"], document["kind"]) == (candidate.key, "time")
    assert document["confidence"] == architecture.exit.confidence
    assert [row["confidence"] for row in document["rows"]] == [0.2, 0.9]
    assert [len(row["ends"]) for row in document["rows"]] == [STEPS, STEPS]

    status, out, _ = command(*line)
    assert status == 0
    title, columns, *rows = out.strip().splitlines()
    assert title.startswith(f"exits in time of {candidate.key[:8]}, searched with 0.")
    assert title.endswith("with the weights of its search")
    assert columns.split() == [
        "confidence", "accuracy", "mean_time_steps", "energy_uj", "latency_ms"
    ]  # fmt: skip
    assert [float(row.split()[0]) for row in rows] == [0.2, 0.9]


def test_of_exits_in_depth_the_command_tells_layers(command, pristine):
    candidate, _ = one_with(pristine, "depth")
    status, out, _ = command("exits", pristine.folder, candidate.key, "--confidences", "0.9")
    assert status == 0
    assert "exits in depth of" in out
    assert "mean_layers" in out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--confidences", "0.9,x"], "error: --confidences: got '0.9,x'"),
        (["--confidences", ""], "error: --confidences: got ''"),
        (["--confidences", "2"], "error: --confidences: got 2.0"),
        (["--confidences", "nan"], "error: --confidences: got nan"),
        (["--figure", "curves.txt"], "error: --figure: got 'curves.txt'"),
    ],
)
def test_wrong_options_are_one_line(command, pristine, more, told):
    candidate, _ = one_with(pristine, "time")
    status, out, err = command("exits", pristine.folder, candidate.key, *more)
    assert (status, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_an_unknown_design_is_one_line(command, pristine):
    status, _, err = command("exits", pristine.folder, "zzzz")
    assert status == 2
    assert err.startswith("error: key: got 'zzzz'")
    assert err.count("\n") == 1
