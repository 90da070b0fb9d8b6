"""Sweeps and sensitivities as figures, against the numbers that they draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba

from analysis import style
from analysis.sweeps import figure_of_sensitivity, figure_of_sweep
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import sensitivity, sweep

VGG9 = Workload.from_json(Path(__file__).parents[1] / "data" / "vgg9_workload.json")
QUANTITIES = ("area_mm2", "energy_uj", "latency_ms")


def drawn(figure):
    figure.savefig("/dev/null", format="png")
    return figure.axes


def test_numbers_are_curves_from_zero_up() -> None:
    rates = [0.5, 0.02, 0.15]  # drawn in order, whatever the order given
    points = sweep(VGG9, "rram_32nm", {"input_rate": rates})
    axes = drawn(figure_of_sweep(points, "vgg9"))
    assert len(axes) == 3
    for ax, quantity in zip(axes, QUANTITIES, strict=True):
        (line,) = ax.lines
        x, y = line.get_data()
        order = np.argsort(rates)
        assert list(x) == sorted(rates)
        assert y == pytest.approx([getattr(points[row].cost, quantity) for row in order])
        assert ax.get_ylim()[0] == 0
        assert ax.get_xscale() == "linear"
        # The uppermost surface ends at the totals.
        top = max(
            vertex[1]
            for surface in ax.collections
            for path in surface.get_paths()
            for vertex in path.vertices
        )
        assert top == pytest.approx(max(y))
    assert axes[1].get_xlabel() == "Spikes per neuron and step"


def test_sizes_are_on_a_scale_of_powers_of_two() -> None:
    points = sweep(VGG9, "rram_32nm", {"crossbar_size": [16, 32, 64, 128, 256]})
    for ax in drawn(figure_of_sweep(points)):
        assert ax.get_xscale() == "log"
        assert [text.get_text() for text in ax.get_xticklabels()] == [
            "16", "32", "64", "128", "256"
        ]  # fmt: skip


@pytest.mark.parametrize(
    "grid", [{"adc_kind": ["sar", "flash"]}, {"timesteps": [1, 2]}, {"cell_bits": [1]}]
)
def test_words_and_few_numbers_are_bars(grid) -> None:
    points = sweep(VGG9, "rram_32nm", grid)
    (values,) = grid.values()
    for ax, quantity in zip(drawn(figure_of_sweep(points)), QUANTITIES, strict=True):
        stacks = np.sum([[bar.get_height() for bar in bars] for bars in ax.containers], axis=0)
        totals = [getattr(point.cost, quantity) for point in points]
        assert stacks == pytest.approx(totals)
        assert [text.get_text() for text in ax.texts] == [style.number(total) for total in totals]
        assert [text.get_text() for text in ax.get_xticklabels()] == [str(each) for each in values]


def test_two_keys_are_maps_with_a_hole_where_the_chip_refuses() -> None:
    grid = {"rows_per_read": [16, 64], "crossbar_rows": [32, 64]}
    points = sweep(VGG9, "rram_32nm", grid)
    for ax, quantity in zip(drawn(figure_of_sweep(points)), QUANTITIES, strict=True):
        (mesh,) = (each for each in ax.collections if isinstance(each, QuadMesh))
        cells = mesh.get_array().reshape(2, 2)
        assert cells.mask.tolist() == [[False, False], [True, False]]
        taken = [getattr(point.cost, quantity) for point in points if point.cost is not None]
        assert cells.compressed().tolist() == pytest.approx(taken)
        assert [text.get_text() for text in ax.texts] == [style.number(each) for each in taken]
        assert ax.get_xlabel() == "crossbar rows"
    assert drawn(figure_of_sweep(points))[0].get_ylabel() == "rows per read"


def test_large_maps_have_a_scale_in_place_of_numbers() -> None:
    grid = {"timesteps": list(range(1, 14)), "weight_bits": list(range(1, 14))}
    axes = drawn(figure_of_sweep(sweep(VGG9, "rram_32nm", grid)))
    assert len(axes) == 6  # three maps, three scales
    assert not any(ax.texts for ax in axes)


def test_nothing_or_too_much_to_draw_is_refused() -> None:
    with pytest.raises(RequestError, match="one or two keys"):
        figure_of_sweep([])
    three = {"timesteps": [1], "weight_bits": [8], "cell_bits": [1]}
    with pytest.raises(RequestError, match="one or two keys"):
        figure_of_sweep(sweep(VGG9, "rram_32nm", three))


def test_sensitivities_are_bars_either_way_the_largest_at_the_top() -> None:
    found = sensitivity(VGG9, "rram_32nm")
    axes = drawn(figure_of_sensitivity(found, "vgg9"))
    assert len(axes) == 6
    fine = [each for each in found if each.effect > 0 and not each.is_coarse][:12]
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert labels == [each.name for each in fine]
    for ax, quantity in zip(axes[:3], QUANTITIES, strict=True):
        low, high = ax.containers
        for bars, side, colour in ((low, "low", style.BLUE), (high, "high", style.ORANGE)):
            steps = [getattr(each, side) for each in fine]
            expected = [0 if step is None else 100 * step.changes[quantity] for step in steps]
            assert [bar.get_width() for bar in bars] == pytest.approx(expected)
            assert bars[0].get_facecolor() == to_rgba(colour)
    coarse = [text.get_text() for text in axes[3].get_yticklabels()]
    assert "technology_nm: 22 [32] 45" in coarse
    assert "adc_kind: [sar] flash" in coarse


def test_without_an_effect_it_says_so() -> None:
    (ax,) = drawn(figure_of_sensitivity([]))
    assert [text.get_text() for text in ax.texts] == ["no parameter has an effect"]
