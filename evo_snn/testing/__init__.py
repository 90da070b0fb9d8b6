"""Contract tests: what evo_snn relies on of an objective, a search space, a chip or a data set.

The author of a plug-in calls one in a test of their own::

    from evo_snn.testing import check_objective

    def test_the_contract():
        check_objective(my_package.hottest_layer_uj)

Each raises an AssertionError that says what is wrong, with an example. evo_snn's own spaces, chips,
data sets and examples pass the same tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evo_snn.testing.chips import check_chip
    from evo_snn.testing.datasets import check_dataset
    from evo_snn.testing.objectives import check_objective, example_candidates
    from evo_snn.testing.spaces import check_space

__all__ = [
    "check_chip",
    "check_dataset",
    "check_objective",
    "check_space",
    "example_candidates",
]

_HOMES = {
    "check_chip": "chips",
    "check_dataset": "datasets",
    "check_objective": "objectives",
    "check_space": "spaces",
    "example_candidates": "objectives",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: a chip's test needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evo_snn.testing' has no attribute {name!r}")
    return getattr(import_module(f"evo_snn.testing.{_HOMES[name]}"), name)
