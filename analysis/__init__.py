"""Looking at runs: fronts, convergence and hardware breakdowns as figures for papers.

Every plot takes a run or a table of candidates and ``ax=None``, and returns the Axes it drew on.
:func:`save_figures` writes all of them into the run's folder. What is a figure of several axes, of
a cost, a sweep, a sensitivity or a recosting, is returned as a Figure. Importing this package loads
no plotting library; using a function does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.activity import plot_activity
    from analysis.architecture_figure import figure_of_architecture
    from analysis.breakdowns import figure_of_cost, figure_of_costs
    from analysis.class_maps import figure_of_class_map
    from analysis.convergence import plot_best, plot_hypervolume
    from analysis.costs import plot_components, plot_layers
    from analysis.effects import figure_of_effects, save_effects
    from analysis.exits import figure_of_exits
    from analysis.figures import save_figures
    from analysis.fronts import plot_front, plot_pairs, plot_parallel
    from analysis.precision import figure_of_precision
    from analysis.recosting import figure_of_recosting
    from analysis.sweeps import figure_of_sensitivity, figure_of_sweep

__all__ = [
    "figure_of_architecture",
    "figure_of_class_map",
    "figure_of_cost",
    "figure_of_costs",
    "figure_of_effects",
    "figure_of_exits",
    "figure_of_precision",
    "figure_of_recosting",
    "figure_of_sensitivity",
    "figure_of_sweep",
    "plot_activity",
    "plot_best",
    "plot_components",
    "plot_front",
    "plot_hypervolume",
    "plot_layers",
    "plot_pairs",
    "plot_parallel",
    "save_effects",
    "save_figures",
]

_HOMES = {
    "figure_of_architecture": "analysis.architecture_figure",
    "figure_of_class_map": "analysis.class_maps",
    "figure_of_cost": "analysis.breakdowns",
    "figure_of_costs": "analysis.breakdowns",
    "figure_of_effects": "analysis.effects",
    "figure_of_exits": "analysis.exits",
    "figure_of_precision": "analysis.precision",
    "figure_of_recosting": "analysis.recosting",
    "figure_of_sensitivity": "analysis.sweeps",
    "figure_of_sweep": "analysis.sweeps",
    "plot_activity": "analysis.activity",
    "plot_best": "analysis.convergence",
    "plot_components": "analysis.costs",
    "plot_front": "analysis.fronts",
    "plot_hypervolume": "analysis.convergence",
    "plot_layers": "analysis.costs",
    "plot_pairs": "analysis.fronts",
    "plot_parallel": "analysis.fronts",
    "save_effects": "analysis.effects",
    "save_figures": "analysis.figures",
}


def __getattr__(name: str) -> Any:
    """Load a plot on its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Show the lazy names too."""
    return sorted({*globals(), *__all__})
