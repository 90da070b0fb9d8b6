"""What the command line shows of a search that found nothing feasible."""

import pytest

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.commands.look import print_least_infeasible
from evo_snn.run import open_run
from evo_snn.store import Store


def run_of(folder, constraints, candidates):
    with Store.create(
        folder,
        config_toml='[data]\nname = "digits"\n[search]\nspace = "plain"\n',
        environment={},
        space={},
        objectives=[ObjectiveRecord("accuracy", maximise=True)],
        constraints=constraints,
    ) as store:
        for candidate in candidates:
            store.record(candidate)
    return open_run(folder)


def infeasible(key, violations, **metrics):
    return Candidate(key, (0,), (), 0, "infeasible", metrics, violations)


def test_each_violated_metric_stands_beside_what_is_allowed(tmp_path, capsys):
    run = run_of(
        tmp_path / "run",
        {
            "area_mm2": 3.0,
            "accuracy": 0.8,
            "energy_uj": 2.0,
            "latency_ms": {"min": None, "max": 4.0},
            "tiles": {"min": 2.0, "max": 8.0},
            "memory_kb": {"min": 1.5, "max": None},
        },
        [
            infeasible("a" * 16, {"area_mm2": 2.0, "latency_ms": 1.0}, area_mm2=9, latency_ms=8),
            infeasible("b" * 16, {"accuracy": 0.25, "memory_kb": 0.5}, accuracy=0.6, memory_kb=1),
            # Met bounds do not mislead about which side is bounded.
            infeasible("c" * 16, {"tiles": 0.5, "energy_uj": 9.0}, tiles=12, area_mm2=1),
        ],
    )

    print_least_infeasible(run)

    shown = capsys.readouterr()
    title, header, *rows = shown.out.splitlines()
    assert title == "least infeasible: 3 designs, each violation in units of its bound"
    for text in (
        "area_mm2 (<= 3)",
        "accuracy (>= 0.8)",
        "energy_uj (<= 2)",
        "latency_ms (<= 4)",
        "tiles (2 to 8)",
        "memory_kb (>= 1.5)",
    ):
        assert text in header
    assert [row.split()[:2] for row in rows] == [
        ["bbbbbbbb", "0.75"],
        ["aaaaaaaa", "3"],
        ["cccccccc", "9.5"],
    ]
    assert rows[2].split()[2:].count("12") == 1
    assert "1" not in rows[2].split()[2:]
    assert shown.err == ""


@pytest.mark.parametrize(
    "candidates", [[], [Candidate("no", (0,), (), 0, "failed", failure="Oops")]]
)
def test_where_nothing_is_infeasible_it_says_so(tmp_path, capsys, candidates):
    print_least_infeasible(run_of(tmp_path / "run", {}, candidates))

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("note: no candidate was measured and found infeasible")
