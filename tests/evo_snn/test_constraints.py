"""Constraints: which way a plain number bounds, and by how much a value misses."""

import pytest

from evo_snn.config import Bounds
from evo_snn.constraints import Constraint, make_constraints, violations
from evo_snn.objectives import BUILT_IN


@pytest.mark.parametrize(
    ("minimum", "maximum", "value", "expected"),
    [
        (None, 20.0, 25.0, 0.25),
        (None, 20.0, 20.0, 0.0),
        (None, 20.0, -5.0, 0.0),
        (0.8, None, 0.6, 0.25),
        (0.8, None, 0.8, 0.0),
        (2.0, 4.0, 3.0, 0.0),
        (2.0, 4.0, 5.0, 0.25),
        (2.0, 4.0, 1.0, 0.5),
        (None, 0.0, 3.0, 3.0),  # a bound of 0 counts as 1
        (0.0, None, -3.0, 3.0),
        (None, -2.0, -1.0, 0.5),
        (-2.0, None, -3.0, 0.5),
    ],
)
def test_violations_by_hand(minimum, maximum, value, expected):
    assert Constraint("m", minimum, maximum).violation(value) == pytest.approx(expected)


def test_a_plain_number_bounds_the_worse_side():
    made = make_constraints({"area_mm2": 10.0, "accuracy": 0.9, "utilisation": 0.5}, BUILT_IN)

    assert made == [
        Constraint("area_mm2", maximum=10.0),
        Constraint("accuracy", minimum=0.9),
        Constraint("utilisation", minimum=0.5),
    ]


def test_bounds_say_both_sides_themselves():
    section = {"area_mm2": Bounds(min=1.0, max=10.0), "accuracy": Bounds(max=0.5)}

    assert make_constraints(section, BUILT_IN) == [
        Constraint("area_mm2", 1.0, 10.0),
        Constraint("accuracy", None, 0.5),
    ]


CONSTRAINTS = [
    Constraint("area_mm2", maximum=10.0),
    Constraint("energy_uj", minimum=1.0, maximum=4.0),
    Constraint("accuracy", minimum=0.8),
]


def test_exact_metrics_violate_either_bound():
    found = violations(CONSTRAINTS, {"area_mm2": 15.0, "energy_uj": 0.5, "accuracy": 0.9})

    assert found == pytest.approx({"area_mm2": 0.5, "energy_uj": 0.5})


def test_lower_bounds_violate_a_maximum_alone():
    exact = {"area_mm2": 5.0}

    assert violations(CONSTRAINTS, exact, {"energy_uj": 5.0}) == {"energy_uj": 0.25}
    assert violations(CONSTRAINTS, exact, {"energy_uj": 0.5}) == {}  # it can still rise
    assert violations(CONSTRAINTS, exact, {"accuracy": 0.0}) == {}


def test_an_exact_value_counts_before_its_lower_bound():
    assert violations(CONSTRAINTS, {"energy_uj": 3.0}, {"energy_uj": 5.0}) == {}


def test_what_is_not_known_violates_nothing():
    assert violations(CONSTRAINTS, {}) == {}
    assert violations([], {"area_mm2": 1e9}) == {}
