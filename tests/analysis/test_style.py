"""Labels, numbers and scales as they are printed."""

from __future__ import annotations

import pytest

from analysis import style
from analysis.view import assumed
from evo_snn.candidate import ObjectiveRecord


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [
        ("accuracy", "", "Validation accuracy"),
        ("accuracy", "fraction", "Validation accuracy"),
        ("area_mm2", "mm2", "Area (mm²)"),
        ("area_mm2", "mm²", "Area (mm²)"),
        ("energy_uj", "uJ", "Energy per inference (µJ)"),
        ("leakage_energy_uj", "µJ", "Leakage energy (µJ)"),
        ("latency_ms", "", "Latency (ms)"),
        ("memory_kb", "kB", "Memory (kB)"),
        ("spikes_per_inference", "spikes", "Spikes per inference"),
        ("mean_rate", "Hz", "Mean rate (Hz)"),
        ("parameters", "", "Parameters"),
        ("adc_count", "", "ADC count"),
        ("energy_delay_uj_ms", "µJ·ms", "Energy delay (µJ·ms)"),
        ("energy_delay_area_uj_ms_mm2", "µJ·ms·mm²", "Energy delay area (µJ·ms·mm²)"),
    ],
)
def test_labels_name_the_unit_once(name: str, unit: str, label: str) -> None:
    assert style.label(ObjectiveRecord(name, maximise=False, unit=unit)) == label


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.98765, "0.988"),
        (0.5, "0.5"),
        (12.0, "12"),
        (123.456, "123"),
        (1200.0, "1200"),
        (0.0123, "0.0123"),
        (1e-5, "$10^{-5}$"),
        (2.5e6, r"$2.5\times10^{6}$"),
        (3e-4, r"$3\times10^{-4}$"),
        (-3.21, "-3.21"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert style.number(value) == text


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1.0, 10.0], "log"), ([0.0, 10.0], "linear"), ([-1.0, 1.0], "linear"), ([], "linear")],
)
def test_costs_are_on_a_log_scale_where_that_can_be(ax, values, scale) -> None:
    style.scale(ax, "x", assumed("area_mm2"), values)
    assert ax.get_xscale() == scale
    assert ax.get_yscale() == "linear"


def test_a_metric_that_is_no_cost_stays_linear(ax) -> None:
    style.scale(ax, "y", assumed("accuracy"), [0.1, 1.0])
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((1.0, 1000.0), {"1", "10", "100", "1000"}),
        ((1.0, 20.0), {"1", "3", "10"}),
        ((0.5, 6.0), {"0.5", "1", "2", "5"}),
        ((0.0157, 0.0957), {"0.02", "0.04", "0.06", "0.08"}),
        ((10.0, 20.0), {"10", "12", "14", "16", "18", "20"}),
    ],
)
def test_ticks_are_plain_numbers_for_any_range(ax, span, expected) -> None:
    ax.plot(span, span)
    style.scale(ax, "x", assumed("area_mm2"), span)
    ax.set_xlim(span)
    ax.figure.canvas.draw()
    shown = {text.get_text() for text in ax.get_xticklabels()}
    assert expected <= shown


def test_a_single_value_stands_in_the_middle(ax) -> None:
    style.scale(ax, "x", assumed("area_mm2"), [3.0, 3.0])
    low, high = ax.get_xlim()
    assert low * high == pytest.approx(9.0)
    assert high / low == pytest.approx(1.21)


def test_new_axes_are_pyplots_and_given_ones_are_left_alone(ax) -> None:
    from matplotlib import pyplot as plt

    assert style.axes(ax) is ax
    made = style.axes(None)
    assert plt.get_fignums() == [made.figure.number]
    plt.close(made.figure)
