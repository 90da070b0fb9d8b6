"""Drawn cells: their statistics, their independence of each other's causes, and wires."""

import numpy as np
import pytest
import torch

from hardware import load_chip
from hardware.conditions import Conditions
from hardware.conductance import Encoding, cell_table, row_blocks
from hardware.nonideal import Stored, Wiring, attenuation, draw

#: 10 uS on, 1 uS off: one level of a one-bit cell is 9 uS.
CHIP = {"r_on_ohm": 1e5, "r_off_ohm": 1e6}
CODE = Encoding(4, 1, differential=False)


def streams(seed):
    return lambda cause: torch.Generator().manual_seed(seed + 1000 * sum(cause.encode()))


def drawn(levels, *, code=CODE, chip=None, seed=0, seconds=0.0, wiring=None, **conditions):
    asked = Conditions(**conditions)
    table = cell_table(load_chip("rram_32nm", chip or CHIP), asked, seconds)
    rows = levels.shape[1]
    wiring = wiring or Wiring(0.0, 0.15, (np.arange(rows),), 64)
    return draw(Stored.of(levels, code, table), asked, streams(seed), wiring)


def weights(out=200, rows=100, largest=7):
    return torch.randint(
        -largest, largest + 1, (out, rows), generator=torch.Generator().manual_seed(5)
    )


def stored(levels, code=CODE):
    return torch.from_numpy(code.cells(levels.numpy()))


@pytest.mark.parametrize("differential", [False, True])
@pytest.mark.parametrize("cell_bits", [1, 2, 3])
def test_ideal_cells_hold_exactly_their_levels(differential, cell_bits):
    code = Encoding(4, cell_bits, differential)
    instance = drawn(weights(), code=code, chip=CHIP | {"cell_bits": cell_bits})
    assert torch.equal(instance.cells, stored(weights(), code).float())
    assert torch.equal(instance.levels(code), weights().float())


def test_the_deviation_is_the_relative_one_of_each_conductance():
    cells = drawn(weights(), variation=0.05).cells
    on = stored(weights()) == 1
    # 5 % of 10 uS and of 1 uS, in levels of 9 uS; 40,000 cells each: 0.4 % of a deviation
    for which, deviation in ((on, 0.5 / 9), (~on, 0.05 / 9)):
        change = cells[which] - on[which].float()
        assert change.std().item() == pytest.approx(deviation, rel=0.02)
        assert change.mean().item() == pytest.approx(0, abs=deviation * 0.02)


def test_a_devices_deviation_is_its_polynomials():
    cells = drawn(weights(), device="rram_wan_nature_2022").cells
    change = cells[stored(weights()) == 1] - 1
    # x = 1/4: 0.348 + 4.0075 - 2.7408125 + 0.709265625 - 0.06568359375 uS, in levels of 9 uS
    assert change.std().item() == pytest.approx(2.25826953 / 9, rel=0.02)


def test_no_conductance_is_negative():
    cells = drawn(weights(), variation=1.0).cells
    assert cells.min().item() == pytest.approx(-1 / 9)


def test_faults_come_in_their_shares_and_no_cell_has_both():
    levels = weights()
    cells = drawn(levels, stuck_on=0.03, stuck_off=0.10).cells
    was_on = stored(levels) == 1
    # of cells that are off only those stuck on are seen, and the other way round
    assert cells[~was_on].mean().item() == pytest.approx(0.03, abs=0.004)
    assert 1 - cells[was_on].mean().item() == pytest.approx(0.10, abs=0.006)
    assert set(cells.unique().tolist()) == {0.0, 1.0}
    every = drawn(levels, stuck_on=0.4, stuck_off=0.6).cells
    assert every.mean().item() == pytest.approx(0.4, abs=0.01)


def test_stuck_cells_of_more_bits_are_at_the_ends():
    code = Encoding(4, 2, differential=True)
    cells = drawn(weights(), code=code, chip=CHIP | {"cell_bits": 2}, stuck_on=1.0).cells
    assert (cells == 3).all()


def test_a_cause_does_not_change_what_another_one_draws():
    plain = drawn(weights(), stuck_on=0.1, stuck_off=0.1).cells
    both = drawn(weights(), stuck_on=0.1, stuck_off=0.1, variation=0.1).cells
    varied = drawn(weights(), variation=0.1).cells
    changed = plain != stored(weights()).float()
    assert torch.equal(both[changed], plain[changed])
    untouched = both != plain
    assert torch.equal(both[untouched], varied[untouched])


def test_equal_seeds_give_equal_cells_and_others_do_not():
    first, again = drawn(weights(), variation=0.1), drawn(weights(), variation=0.1)
    other = drawn(weights(), variation=0.1, seed=1)
    assert torch.equal(first.cells, again.cells)
    assert (first.cells != other.cells).float().mean() > 0.99


def test_drift_is_the_power_law_of_the_same_cells():
    pcm = {"device": "pcm_nandakumar_icecs_2019"}
    chip = {"r_on_ohm": 4e4, "r_off_ohm": 4e6}  # 25 uS on: nu = 0.049 +- 0.008
    now, later = (drawn(weights(), chip=chip, seconds=t, **pcm).cells for t in (0.0, 86400.0))
    on = stored(weights()) == 1
    floor = 0.25 / 24.75
    ratio = (later[on] + floor).mean() / (now[on] + floor).mean()
    # the mean of exp(-nu ln 4321) is exp(-0.049 a + (0.008 a)^2 / 2) with a = ln 4321
    assert ratio.item() == pytest.approx(np.exp(-0.049 * 8.3713 + (0.008 * 8.3713) ** 2 / 2), 0.01)


def test_drift_compensation_brings_the_mean_back():
    pcm = {"device": "pcm_nandakumar_icecs_2019", "drift_compensation": True}
    chip = {"r_on_ohm": 4e4, "r_off_ohm": 4e6}
    levels = weights()
    instance = drawn(levels, chip=chip, seconds=86400.0, **pcm)
    assert 1.2 < instance.gain < 2
    mean = (instance.cells.double() * instance.gain).sum() / stored(levels).sum()
    assert mean.item() == pytest.approx(1, abs=1e-6)
    assert drawn(levels, drift_compensation=True).gain == 1
    assert drawn(levels, drift_compensation=True, stuck_off=1.0).gain == 1


def test_relaxation_shifts_every_cell():
    chip = {"r_on_ohm": 2e4, "r_off_ohm": 1e5}  # 50 and 10 uS: a level is 40 uS
    cells = drawn(weights(), chip=chip, seconds=3600.0, device="rram_falcone_arxiv_2025").cells
    change = cells - stored(weights())
    assert change.mean().item() == pytest.approx(-0.08900206 * 8.188689 / 40, abs=5e-4)


def test_wires_attenuate_each_crossbar_of_its_own():
    levels = weights(out=6, rows=20)
    blocks = row_blocks(20, 1, 8, by_kernel=False)
    wiring = Wiring(50.0, 0.3, tuple(blocks), 10)
    cells = drawn(levels, wiring=wiring, wire_ohm=50.0).cells
    # 20 rows in blocks of 8, 8 and 4; 24 columns of cells in blocks of 10, 10 and 4
    ideal = stored(levels).permute(1, 0, 2).reshape(20, 24) + 1 / 9
    felt = cells.permute(1, 0, 2).reshape(20, 24) + 1 / 9
    for top, bottom in ((0, 8), (8, 16), (16, 20)):
        for left, right in ((0, 10), (10, 20), (20, 24)):
            conductance = ideal[top:bottom, left:right].float()
            share = attenuation(conductance * 9e-6, 50.0, 0.3, tolerance=1e-6)
            expected = conductance * share
            assert torch.allclose(felt[top:bottom, left:right], expected, atol=2e-4)


def test_wires_of_kernel_crossbars_follow_their_rows():
    levels = weights(out=3, rows=6)
    blocks = row_blocks(2, 3, 8, by_kernel=True)
    wiring = Wiring(200.0, 0.3, tuple(blocks), 12)
    cells = drawn(levels, wiring=wiring, wire_ohm=200.0).cells
    rows = [1, 4]  # the second kernel position of both channels
    ideal = (stored(levels).permute(1, 0, 2).reshape(6, 12)[rows] + 1 / 9).float()
    expected = ideal * attenuation(ideal * 9e-6, 200.0, 0.3, tolerance=1e-6)
    felt = cells.permute(1, 0, 2).reshape(6, 12)[rows] + 1 / 9
    assert torch.allclose(felt, expected, atol=2e-4)
