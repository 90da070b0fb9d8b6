"""Maps of precision, and bars of activity, against the numbers that they draw."""

import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle

from analysis.activity import plot_activity
from analysis.precision import figure_of_precision
from genomes.errors import RequestError

CELLS = pd.DataFrame(
    [
        {"time_steps": steps, "weight_bits": bits, "accuracy": (steps + bits) / 20,
         "energy_uj": steps * bits * 1e-4, "latency_ms": steps * 2.0}
        for steps in (1, 5) for bits in (2, 4, 6)
    ]
)  # fmt: skip


def drawn(figure):
    figure.savefig("/dev/null", format="png")
    return figure.axes


def test_maps_have_the_widest_weights_on_top_and_readable_units():
    accuracy, energy, latency = drawn(figure_of_precision(CELLS, (5, 4), "a design"))
    assert [text.get_text() for text in accuracy.get_yticklabels()] == ["6", "4", "2"]
    assert [text.get_text() for text in accuracy.get_xticklabels()] == ["1", "5"]
    assert energy.get_title() == "Energy per inference (nJ)"
    assert latency.get_title() == "Latency (ms)"
    (mesh,) = [one for one in energy.collections if isinstance(one, QuadMesh)]
    expected = [steps * bits * 0.1 for bits in (6, 4, 2) for steps in (1, 5)]
    assert mesh.get_array().ravel().tolist() == pytest.approx(expected)
    assert [text.get_text() for text in accuracy.texts] == ["35", "55", "25", "45", "15", "35"]


def test_the_designs_own_cell_has_a_frame():
    for ax in drawn(figure_of_precision(CELLS, (5, 4))):
        (frame,) = [one for one in ax.patches if isinstance(one, Rectangle)]
        assert frame.get_xy() == (1, 1)
    for ax in drawn(figure_of_precision(CELLS, (3, 4))):
        assert not ax.patches


def test_both_accuracies_share_their_colours():
    both = CELLS.assign(tuned_accuracy=0.95)
    first, second, *_ = drawn(figure_of_precision(both))
    ranges = [ax.collections[0].get_clim() for ax in (first, second)]
    assert ranges[0] == ranges[1] == pytest.approx((15, 95))


def test_nothing_is_no_figure():
    with pytest.raises(RequestError, match="precision: got 'no cells'"):
        figure_of_precision(CELLS[:0])
    with pytest.raises(RequestError, match="rates"):
        plot_activity({})


def test_activity_has_two_bars_a_layer_from_the_first_on_top():
    ax = plot_activity({"a": (0.5, 0.25), "out": (0.25, 0.0)})
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "out"]
    assert ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.25, 0.25, 0.0]
    assert [text.get_text().strip() for text in ax.texts] == ["0.5", "0.25", "0.25"]
