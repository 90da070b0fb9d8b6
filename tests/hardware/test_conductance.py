"""Weights as cells and back; what becomes of cells; where rows lie; what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomes.errors import RequestError
from genomes.workload import ConvLayer, LinearLayer, Workload
from hardware import load_chip
from hardware.arrays import pack
from hardware.conditions import Conditions, check_conditions
from hardware.conductance import Encoding, cell_table, encoding, kernel_layers, row_blocks
from hardware.mapping import map_layers

ENCODINGS = st.builds(Encoding, st.integers(1, 8), st.integers(1, 4), st.booleans())


@given(ENCODINGS, st.data())
def test_cells_hold_the_weights(code, data):
    levels = st.integers(-code.largest, code.largest)
    if code.weight_bits == 1:
        levels = st.sampled_from([-1, 1])
    given_levels = np.array(data.draw(st.lists(levels, min_size=1, max_size=20)))
    cells = code.cells(given_levels)
    assert (code.levels(cells) == given_levels).all()
    assert cells.min() >= 0
    assert cells.max() < 2**code.cell_bits
    assert cells.shape == (len(given_levels), len(code.powers))


@given(ENCODINGS)
def test_no_two_levels_have_the_same_cells(code):
    table = code.table()
    if code.weight_bits == 1:
        table = table[::2]  # without a zero
    assert len({tuple(row) for row in table.tolist()}) == len(table)
    assert len(code.table()) == 2 * code.largest + 1


def test_slices_by_hand():
    # 5 + 8 = 13 = 1101 and -6 + 8 = 2 = 0010, least significant bits first
    assert Encoding(4, 1, False).cells(np.array([5, -6])).tolist() == [[1, 0, 1, 1], [0, 1, 0, 0]]
    assert Encoding(4, 2, False).cells(np.array([5, -6])).tolist() == [[1, 3], [2, 0]]
    assert Encoding(4, 2, False).powers.tolist() == [1, 4]
    # magnitudes of three bits: 5 = 101, 6 = 110
    assert Encoding(4, 1, True).cells(np.array([5, -6])).tolist() == [
        [1, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 1],
    ]
    assert Encoding(4, 1, True).powers.tolist() == [1, 2, 4, -1, -2, -4]


def test_one_bit_by_hand():
    # one cell that counts 2, less a count of the rows; or a cell for each sign
    assert Encoding(1, 1, False).cells(np.array([1, -1])).tolist() == [[1], [0]]
    assert Encoding(1, 3, False).powers.tolist() == [2]
    assert Encoding(1, 1, False).offset == 1
    assert Encoding(1, 1, True).cells(np.array([1, -1])).tolist() == [[1, 0], [0, 1]]
    assert Encoding(1, 2, True).powers.tolist() == [1, -1]
    assert Encoding(1, 1, True).offset == 0


@pytest.mark.parametrize("encode", ["offset", "differential"])
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
def test_the_cells_are_those_that_are_costed(encode, cell_bits):
    chip = load_chip("rram_32nm", {"weight_encoding": encode, "cell_bits": cell_bits})
    for weight_bits in range(1, 9):
        layer = LinearLayer(
            name="a", kind="linear", in_features=3, out_features=2, weight_bits=weight_bits
        )
        costed = map_layers(pack([Workload(timesteps=1, layers=(layer,))]), chip, 8)
        assert len(encoding(chip, weight_bits).powers) == costed.slices[0, 0]


def test_what_becomes_of_a_cell_by_hand():
    # 10 uS on and 1 uS off: with two bits a level is 3 uS, and an off cell is a third of one
    chip = load_chip("rram_32nm", {"r_on_ohm": 1e5, "r_off_ohm": 1e6, "cell_bits": 2})
    table = cell_table(chip, Conditions(variation=0.1))
    assert table.unit_siemens == pytest.approx(3e-6)
    assert table.floor == pytest.approx(1 / 3)
    assert table.top == 3
    assert table.deviation == pytest.approx(np.array([1, 4, 7, 10]) * 0.1 / 3)
    assert table.shift == table.drift_time == 0
    assert not table.read.any()


def test_deviations_of_device_and_variation_add_in_squares():
    chip = load_chip("rram_32nm", {"r_on_ohm": 5e4, "r_off_ohm": 1e6})
    both = cell_table(chip, Conditions(device="rram_wan_nature_2022", variation=0.1))
    # 20 uS: 2.0229375 uS of the device, 2 uS of the variation; a level is 19 uS
    assert both.deviation[1] == pytest.approx(np.hypot(2.0229375, 2) / 19)


def test_rescaled_figures_are_relative_to_the_largest_conductance():
    chip = load_chip("rram_32nm", {"r_on_ohm": 1e5, "r_off_ohm": 1e6})
    conditions = Conditions(device="rram_milo_irps_2021", rescale=True)
    table = cell_table(chip, conditions)
    # on: 2.733246 of 225; off: 1 uS would be 22.5 of 225, below 50, whose figure it has
    assert table.deviation == pytest.approx(np.array([4.326971, 2.733246]) / 225 * 10 / 9)


def test_relaxation_and_drift_are_in_levels():
    chip = load_chip("rram_32nm", {"r_on_ohm": 2e4, "r_off_ohm": 1e5})
    relaxed = cell_table(chip, Conditions(device="rram_falcone_arxiv_2025"), 3600)
    assert relaxed.shift == pytest.approx(-0.08900206 * 8.188689 / 40)
    chip = load_chip("rram_32nm", {"r_on_ohm": 4e4, "r_off_ohm": 4e5})
    drifted = cell_table(chip, Conditions(device="pcm_nandakumar_icecs_2019"), 86400)
    assert drifted.drift_time == pytest.approx(np.log(4321))
    assert drifted.drift_mean == pytest.approx([0.060090, 0.049], rel=1e-4)


@pytest.mark.parametrize(
    ("chip", "changes", "conditions", "seconds", "said"),
    [
        ("spikesim_65nm", {}, {}, 0, "whose model knows its cells"),
        ("rram_32nm", {"r_off_ohm": 1e5}, {}, 0, "r_off_ohm: .* above r_on_ohm"),
        ("rram_32nm", {}, {"device": "rram_wan"}, 0, "Did you mean 'rram_wan_nature_2022'"),
        ("rram_32nm", {}, {"device": "rram_milo_irps_2021"}, 0, "50 to 225 uS"),
        ("rram_32nm", {}, {"device": "rram_wan_nature_2022"}, 3e5, "seconds: .* 0 to 172800"),
        ("rram_32nm", {}, {}, -1.0, "seconds: got -1.0"),
        ("rram_32nm", {}, {}, float("nan"), "seconds: got nan"),
        ("neurosim_compat", {"memory": "sram"}, {"device": "rram_wan_nature_2022"}, 0, "SRAM"),
        (
            "sram_neurosim_22nm",
            {},
            {"variation": 0.1},
            0,
            "variation: got 0.1; allowed: 0 for .*SRAM",
        ),
        (
            "sram_neurosim_22nm",
            {},
            {"wire_ohm": 1.0},
            0,
            "wire_ohm: got 1.0; allowed: 0 for .*SRAM",
        ),
        (
            "fefet_neurosim_22nm",
            {},
            {"device": "rram_wan_nature_2022", "rescale": True},
            0,
            "FEFET",
        ),
    ],
)
def test_conditions_that_say_nothing_about_a_chip(chip, changes, conditions, seconds, said):
    with pytest.raises(RequestError, match=said):
        check_conditions(load_chip(chip, changes), Conditions(**conditions), seconds=seconds)


def test_sram_cells_can_be_stuck_and_no_more():
    chip = load_chip("sram_neurosim_22nm")
    table = cell_table(chip, Conditions(stuck_on=0.1))
    assert (table.floor, table.shift, table.drift_time) == (0, 0, 0)
    assert not table.deviation.any()


def test_conditions_that_go_together():
    check_conditions(load_chip("fefet_neurosim_22nm"), Conditions(variation=0.1))
    check_conditions(load_chip("rram_32nm"), Conditions(), seconds=1e9)
    device = Conditions(device="rram_wan_nature_2022")
    check_conditions(load_chip("rram_32nm"), device, seconds=172800)
    assert Conditions().ideal_cells
    assert Conditions(adc=False, rescale=True).ideal_cells
    for change in ({"variation": 0.1}, {"stuck_on": 0.1}, {"stuck_off": 0.1}, {"wire_ohm": 1.0}):
        assert not Conditions(**change).ideal_cells
    assert not device.ideal_cells


@pytest.mark.parametrize(
    "wrong",
    [{"stuck_on": 0.6, "stuck_off": 0.5}, {"variation": -0.1}, {"wire_ohm": -1}, {"noise": 1}],
)
def test_wrong_conditions(wrong):
    with pytest.raises(ValueError, match=next(reversed(wrong))):
        Conditions(**wrong)


def test_rows_by_hand():
    # two channels of three kernel positions, crossbars of four rows
    flat = row_blocks(2, 3, 4, by_kernel=False)
    assert [block.tolist() for block in flat] == [[0, 1, 2, 3], [4, 5]]
    by_kernel = row_blocks(2, 3, 4, by_kernel=True)
    assert [block.tolist() for block in by_kernel] == [[0, 3], [1, 4], [2, 5]]
    tall = row_blocks(5, 2, 4, by_kernel=True)
    assert [block.tolist() for block in tall] == [[0, 2, 4, 6], [8], [1, 3, 5, 7], [9]]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 20), st.booleans())
def test_every_row_lies_in_one_block(channels, positions, height, by_kernel):
    blocks = row_blocks(channels, positions, height, by_kernel=by_kernel)
    assert sorted(np.concatenate(blocks)) == list(range(channels * positions))
    assert max(map(len, blocks)) <= height


CONV = {"kind": "conv2d", "padding": (1, 1), "stride": (1, 1), "in_size": (8, 8)}


def conv(name, channels, kernel, **more):
    return ConvLayer(
        name=name,
        in_channels=channels,
        out_channels=4,
        kernel=(kernel, kernel),
        out_size=(8, 8) if kernel == 3 else (10, 10),
        **CONV,
        **more,
    )


def test_blocks_are_as_many_as_are_costed():
    workload = Workload(timesteps=2, layers=(conv("a", 30, 3), conv("b", 7, 3)))
    for mapping in ("flat", "kernel"):
        chip = load_chip("rram_32nm", {"mapping": mapping, "crossbar_rows": 16})
        costed = map_layers(pack([workload]), chip, 16).row_blocks[0]
        blocks = [
            row_blocks(layer.in_channels, 9, 16, by_kernel=by_kernel)
            for layer, by_kernel in zip(workload.layers, kernel_layers(workload, chip), strict=True)
        ]
        assert [len(each) for each in blocks] == costed.tolist()


def test_layers_on_kernel_crossbars_are_those_that_are_costed():
    linear = LinearLayer(name="out", kind="linear", in_features=400, out_features=4)
    layers = (conv("a", 30, 3), conv("b", 30, 1), conv("c", 30, 3), conv("d", 3, 3), linear)
    workload = Workload(timesteps=2, layers=layers)
    assert kernel_layers(workload, load_chip("rram_32nm")) == [False] * 5
    assert kernel_layers(workload, load_chip("rram_32nm", {"mapping": "kernel"})) == [True] * 5
    # of this model, layers of the commonest kernel alone, if they fill a crossbar's 128 rows
    assert (
        kernel_layers(workload, load_chip("neurosim_compat")) == [True, False, True] + [False] * 2
    )
