"""The resistive mesh by hand, and the fixed attenuation against it."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.nonideal import attenuation
from hardware.wires import column_currents

#: Rows and columns, on resistance, wire resistance: mean error of the plain sum, of attenuation.
#: An independent solution of the same meshes: cells of 16 levels from 1/10 of the conductance up,
#: 15 % of rows active, four draws each, all from one generator in this order.
REFERENCE = {
    (64, 2e4, 1.0): (0.04456138991807906, 0.0016571734394124089),
    (64, 2e4, 2.5): (0.11195092017304867, 0.0033087204083715226),
    (64, 1e5, 1.0): (0.008748717011161762, 0.00041680214633064576),
    (64, 1e5, 2.5): (0.021502940230633448, 0.000948643540783618),
    (128, 2e4, 1.0): (0.1753838591440972, 0.005058292210418564),
    (128, 2e4, 2.5): (0.4449069848242346, 0.007683887092314721),
    (128, 1e5, 1.0): (0.03502860224865889, 0.0004412445437664385),
    (128, 1e5, 2.5): (0.09074304818907843, 0.003322642483690027),
}


@lru_cache(maxsize=1)
def measured():
    """The same figures of our mesh."""
    rng = np.random.default_rng(0)
    return {case: errors(*case, rng) for case in REFERENCE}


def errors(size, on_ohm, wire_ohm, rng):
    conductance = (0.1 + 0.9 * rng.integers(0, 16, (size, size)) / 15) / on_ohm
    share = attenuation(torch.from_numpy(conductance), wire_ohm, 0.15, tolerance=1e-10).numpy()
    plain, attenuated = [], []
    for _ in range(4):
        active = rng.random(size) < 0.15
        exact = column_currents(conductance, active, wire_ohm)
        plain.append(np.abs(active @ conductance / exact - 1))
        attenuated.append(np.abs(active @ (conductance * share) / exact - 1))
    return np.mean(plain), np.mean(attenuated)


def test_one_cell_by_hand():
    # 1 V over 10 ohm of wire, 100 ohm of cell, 10 ohm of wire
    assert column_currents(np.array([[0.01]]), np.array([True]), 10.0) == pytest.approx([1 / 120])
    assert column_currents(np.array([[0.01]]), np.array([False]), 10.0) == pytest.approx([0])


def test_two_cells_of_a_row_by_hand():
    # the second cell: 1 + (1 wire + 2) in a row; the first: 1 + 2. With both: 1 ohm, then 3 ohm
    # (2 of the cell, 1 of the column) beside 4 ohm: 12 / 7 ohm
    current = 1 / (1 + 12 / 7)
    expected = [current * 4 / 7, current * 3 / 7]
    found = column_currents(np.array([[0.5, 0.5]]), np.array([True]), 1.0)
    assert found == pytest.approx(expected)


def test_rows_that_are_not_active_carry_nothing():
    # the upper row alone: 1 of the row, 2 of the cell, 2 wires of the column
    conductance = np.array([[0.5], [0.5]])
    found = column_currents(conductance, np.array([True, False]), 1.0)
    assert found == pytest.approx([1 / 5])
    # the lower row alone: one wire of the column less
    found = column_currents(conductance, np.array([False, True]), 1.0)
    assert found == pytest.approx([1 / 4])


@pytest.mark.parametrize("case", REFERENCE)
def test_the_mesh_and_the_attenuation_reproduce_the_reference(case):
    plain, attenuated = measured()[case]
    assert plain == pytest.approx(REFERENCE[case][0], rel=1e-9)
    assert attenuated == pytest.approx(REFERENCE[case][1], rel=1e-5)


@pytest.mark.parametrize("case", REFERENCE)
def test_attenuation_is_within_one_percent_of_the_mesh(case):
    assert measured()[case][1] < 0.01


def test_the_reference_is_the_golden_one():
    golden = Path(__file__).parents[3] / "shared" / "golden" / "irdrop.json"
    if not golden.is_file():
        pytest.skip("no reference figures beside this checkout")
    found = {
        (case["N"], case["Ron"], case["r_ohm_per_cell"]): (
            case["mean_rel_err"]["ideal"],
            case["mean_rel_err"]["att_mean"],
        )
        for case in json.loads(golden.read_text())
    }
    assert found == REFERENCE


def test_attenuation_by_hand():
    # one row of one cell: A = 1 - r (1 + rate) g A
    share = attenuation(torch.tensor([[0.5]], dtype=torch.float64), 1.0, 0.5, tolerance=1e-12)
    assert share.item() == pytest.approx(1 / 1.75)


def test_with_one_row_always_active_attenuation_is_exact():
    rng = np.random.default_rng(1)
    conductance = rng.random((1, 9)) / 100
    share = attenuation(torch.from_numpy(conductance), 3.0, 1.0, tolerance=1e-12).numpy()
    exact = column_currents(conductance, np.array([True]), 3.0)
    assert (conductance * share)[0] == pytest.approx(exact)


def test_with_every_row_always_active_attenuation_is_exact():
    rng = np.random.default_rng(2)
    conductance = rng.random((12, 7)) / 100
    share = attenuation(torch.from_numpy(conductance), 3.0, 1.0, tolerance=1e-12).numpy()
    exact = column_currents(conductance, np.ones(12, bool), 3.0)
    assert (conductance * share).sum(0) == pytest.approx(exact)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=60)
def test_attenuation_solves_its_equation(rows, columns, wire_ohm, rate, seed):
    rng = np.random.default_rng(seed)
    conductance = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.8) * 1e-4
    share = attenuation(torch.from_numpy(conductance), wire_ohm, rate, tolerance=1e-9).numpy()
    assert share.min() >= 0
    assert share.max() <= 1
    current = conductance * share
    along_row = np.cumsum(np.cumsum(current[:, ::-1], 1)[:, ::-1], 1)
    along_column = np.cumsum((rate * np.cumsum(current, 0))[::-1], 0)[::-1]
    equation = 1 - wire_ohm * (along_row + along_column)
    carrying = (conductance > 0) & (share > 0)
    if not (share[conductance > 0] == 0).any():  # nowhere cut at zero
        assert share[carrying] == pytest.approx(equation[carrying], abs=1e-5)


def test_crossbars_of_a_batch_are_solved_each_for_itself():
    conductance = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0)) * 1e-3
    together = attenuation(conductance, 5.0, 0.2)
    for i in range(3):
        for j in range(2):
            alone = attenuation(conductance[i, j], 5.0, 0.2)
            assert torch.allclose(alone, together[i, j], atol=1e-4)


def test_cells_that_conduct_nothing_change_nothing():
    assert torch.equal(attenuation(torch.zeros(3, 3), 1e6, 0.5), torch.ones(3, 3))
    conductance = torch.full((4, 4), 1e-5)
    padded = torch.zeros(6, 7)
    padded[2:, :4] = conductance  # next to the drivers and the sense amplifiers
    assert torch.allclose(
        attenuation(padded, 10.0, 0.3)[2:, :4], attenuation(conductance, 10.0, 0.3)
    )
