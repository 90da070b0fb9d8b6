"""Progress: how a search stands, in log lines where there is no terminal."""

import logging

import pytest

from evo_snn.candidate import Candidate
from evo_snn.progress import Reporter, Standing, make_reporter


def candidate(state: str, accuracy: float | None = None) -> Candidate:
    metrics = {} if accuracy is None else {"accuracy": accuracy}
    return Candidate("00", (0,), (), 0, state, metrics=metrics, trained=accuracy is not None)


def test_the_standing_counts_by_state() -> None:
    standing = Standing()
    for one in (
        candidate("ok", 0.5),
        candidate("ok", 0.25),
        candidate("infeasible"),
        candidate("infeasible", 0.9),
        candidate("failed"),
    ):
        standing = standing.with_candidate(one)
    assert (standing.evaluations, standing.trained) == (5, 3)
    assert (standing.infeasible, standing.failures) == (2, 1)
    assert standing.best_accuracy == 0.5
    assert str(standing) == "hypervolume –, best accuracy 0.500, 2 infeasible, 1 failed"


def test_without_a_terminal_a_generation_is_a_log_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)  # commands turn it off
    caplog.set_level(logging.INFO, logger="evo_snn")
    reporter = make_reporter(progress=True, generations=4, population=1, offspring=1)
    assert type(reporter) is Reporter
    with reporter:
        reporter.evaluated(candidate("ok", 0.5))
        reporter.generation(0, 0.125)
    line = caplog.records[-1].getMessage()
    assert "generation 1 of 4: 1 evaluations, hypervolume 0.125, best accuracy 0.500" in line
    assert "s left" in line
