"""The cost of workloads as figures, against the numbers that they draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import style
from analysis.breakdowns import figure_of_cost, figure_of_costs
from genomes.workload import Workload
from hardware import details, estimate

VGG9 = Workload.from_json(Path(__file__).parents[1] / "data" / "vgg9_workload.json")


def drawn(figure):
    """The axes of a figure, after everything is laid out."""
    figure.savefig("/dev/null", format="png")
    return figure.axes


@pytest.mark.parametrize("chip", ["rram_32nm", "spikesim_65nm"])
def test_bars_are_the_costs_by_component_and_by_layer(chip) -> None:
    cost, (detail,) = estimate(VGG9, chip), details([VGG9], chip)
    axes = drawn(figure_of_cost(cost, detail, "vgg9"))
    assert len(axes) == 6
    tables = (cost.area_components_mm2, cost.energy_components_uj, cost.latency_components_ms)
    for ax, table in zip(axes[:3], tables, strict=True):
        assert sum(bar.get_width() for bar in ax.patches) == pytest.approx(sum(table.values()))
        shares = [text.get_text() for text in ax.texts]
        assert len(shares) == sum(part > 0 for part in table.values())
    names = [text.get_text() for text in axes[0].get_yticklabels()]
    parts = {name for table in tables for name, part in table.items() if part > 0}
    assert sorted(names) == sorted(style.words(name) for name in parts)
    for ax, quantity in ((axes[4], "energy_uj"), (axes[5], "latency_ms")):
        stacks = np.sum([[bar.get_width() for bar in bars] for bars in ax.containers], axis=0)
        assert stacks == pytest.approx([getattr(layer, quantity) for layer in cost.layers])
    labels = [text.get_text() for text in axes[3].get_yticklabels()]
    assert labels == [layer.name for layer in VGG9.layers]
    low, high = axes[3].get_ylim()
    assert low > high  # the input is at the top


def test_a_layer_without_an_area_says_why() -> None:
    cost, (detail,) = estimate(VGG9, "rram_32nm"), details([VGG9], "rram_32nm")
    shared = replace(cost.layers[1], area_mm2=None)
    axes = drawn(
        figure_of_cost(replace(cost, layers=(cost.layers[0], shared, *cost.layers[2:])), detail)
    )
    assert [text.get_text() for text in axes[3].texts] == [" shares tiles"]
    assert len(axes[3].patches) == len(cost.layers)
    all_shared = tuple(replace(layer, area_mm2=None) for layer in cost.layers)
    axes = drawn(figure_of_cost(replace(cost, layers=all_shared), detail))
    assert ["layers share tiles" in text.get_text() for text in axes[3].texts] == [True]


def test_a_users_words_are_drawn_as_they_are() -> None:
    names = ["$\\frac$", "\x1b[2J", "a" * 200, "_^{"]
    layers = [
        layer.model_copy(update={"name": name})
        for layer, name in zip(VGG9.layers, names, strict=False)
    ]
    workload = VGG9.model_copy(update={"layers": tuple(layers)})
    cost, (detail,) = estimate(workload, "rram_32nm"), details([workload], "rram_32nm")
    axes = drawn(figure_of_cost(cost, detail, "$x$.json on a chip"))
    labels = [text.get_text() for text in axes[3].get_yticklabels()]
    assert labels[0] == "$\\frac$"
    assert labels[1] == "\\x1b[2J"
    assert len(labels[2]) <= 24


def test_very_many_layers_fit_on_a_page() -> None:
    workload = VGG9.model_copy(update={"layers": VGG9.layers * 40})
    cost, (detail,) = estimate(workload, "rram_32nm"), details([workload], "rram_32nm")
    figure = figure_of_cost(cost, detail)
    assert figure.get_figheight() < 12
    labels = drawn(figure)[3].get_yticklabels()
    assert 20 < len(labels) < 80


def test_several_workloads_are_a_bar_each() -> None:
    short = VGG9.model_copy(update={"timesteps": 1})
    costs = {"long": estimate(VGG9, "rram_32nm"), "short": estimate(short, "rram_32nm")}
    axes = drawn(figure_of_costs(costs, "on a chip"))
    assert len(axes) == 3
    for ax, quantity in zip(axes, ("area_mm2", "energy_uj", "latency_ms"), strict=True):
        stacks = np.sum([[bar.get_width() for bar in bars] for bars in ax.containers], axis=0)
        assert stacks == pytest.approx([getattr(cost, quantity) for cost in costs.values()])
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["long", "short"]
    figure = axes[0].figure
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "on a chip"
    named = [text.get_text() for text in legend.get_texts()]
    assert "ADC" in named
    assert len(named) == len(set(named))
