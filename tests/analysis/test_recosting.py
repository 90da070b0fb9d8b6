"""A run on other chips as a figure."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.recosting import figure_of_recosting
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.recost import CandidatesOnChip, Recosting

OBJECTIVES = (
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
)


def on(label: str, factor: float, front: tuple[str, ...]) -> CandidatesOnChip:
    several = tuple(
        Candidate(
            key, (), (), 0, "ok", {"area_mm2": factor * area, "energy_uj": 1.0, "latency_ms": area}
        )
        for key, area in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))
    )
    return CandidatesOnChip(label, None, several, front)


@pytest.fixture
def figure():
    chips = (on("own", 1.0, ("a", "b")), on("half", 0.5, ("b", "c")), on("$odd$", 2.0, ()))
    figure = figure_of_recosting(Recosting(OBJECTIVES, chips, (), 0, False))
    figure.savefig("/dev/null", format="png")
    return figure


def test_a_row_a_chip_and_a_column_a_cost(figure) -> None:
    assert len(figure.axes) == 2 * 3
    assert figure.axes[0].get_ylabel() == "on half"
    assert figure.axes[3].get_ylabel() == "on $odd$"
    assert figure.axes[3].get_xlabel() == "Area (mm²)\non own"


def test_dots_are_candidates_in_the_colour_of_their_fronts(figure) -> None:
    ax = figure.axes[0]
    groups = {dots.get_label(): np.asarray(dots.get_offsets()).tolist() for dots in ax.collections}
    assert groups == {
        "on neither front": [[4.0, 2.0]],
        "on the run's front alone": [[1.0, 0.5]],
        "on the other chip's alone": [[3.0, 1.5]],
        "on both fronts": [[2.0, 1.0]],
    }
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_agreement_is_written_where_there_is_an_order(figure) -> None:
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["τ = 1.00", "", "τ = 1.00"] * 2
