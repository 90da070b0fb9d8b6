"""Curves of early exits against the rows that they draw."""

import pandas as pd
import pytest

from analysis.exits import figure_of_exits
from genomes.errors import RequestError

ROWS = pd.DataFrame(
    {
        "confidence": [0.9, 0.5, 1.0],  # in no order
        "accuracy": [0.92, 0.8, 0.93],
        "mean_time_steps": [2.0, 1.5, 4.0],
        "mean_layers": [3.0, 2.5, 4.0],
        "energy_uj": [0.6, 0.3, 1.2],
        "latency_ms": [0.1, 0.05, 0.2],
    }
)


def points(line):
    return [*zip(line.get_xdata(), line.get_ydata(), strict=True)]


def drawn(*arguments):
    figure = figure_of_exits(*arguments)
    figure.savefig("/dev/null", format="png")
    return figure.axes


def test_accuracy_over_length_and_costs_over_confidence():
    left, right = drawn(ROWS, "time", 0.9, "a design")
    (curve,) = left.lines
    assert points(curve) == [(1.5, 80), (2, 92), (4, 93)]
    assert [text.get_text() for text in left.texts] == ["0.5", "0.9", "1"]
    assert left.get_xlabel() == "Mean time steps"
    lines = {line.get_label(): line for line in right.lines}
    for name in ("Energy", "Latency"):
        assert [x for x, _ in points(lines[name])] == [0.5, 0.9, 1]
        assert [y for _, y in points(lines[name])] == pytest.approx([25, 50, 100])
    assert lines["As searched"].get_xdata()[0] == 0.9
    assert right.get_ylabel() == "Cost (% of confidence 1)"


def test_in_depth_the_length_is_in_layers():
    left, right = drawn(ROWS, "depth")
    assert left.get_xlabel() == "Mean layers"
    assert [x for x, _ in points(left.lines[0])] == [2.5, 3, 4]
    assert "As searched" not in {line.get_label() for line in right.lines}


def test_noise_looks_like_noise():
    alike = ROWS.assign(accuracy=[0.92, 0.921, 0.92])
    low, high = drawn(alike, "time")[0].get_ylim()
    assert high - low > 4  # points


def test_one_confidence_is_one_point():
    left, _ = drawn(ROWS[:1], "time")
    assert points(left.lines[0]) == [(2, 92)]


def test_nothing_is_no_figure():
    with pytest.raises(RequestError, match="exits: got 'no rows'"):
        figure_of_exits(ROWS[:0], "time")
