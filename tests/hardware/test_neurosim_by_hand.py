"""The NeuroSim-structured model against arithmetic done by hand, part by part."""

from importlib import resources
from math import comb, sqrt
from typing import Any

import numpy as np
import pytest

from genomes.workload import Workload
from hardware import Cost, estimate, load_chip
from hardware.arrays import pack
from hardware.neurosim.buffers import register_file
from hardware.neurosim.crossbars import crossbars
from hardware.neurosim.design import Design, design
from hardware.neurosim.trees import Adders, tree
from hardware.neurosim.wires import h_tree, h_tree_area
from hardware.units import reading

# Unit costs at 22 nm: an adder of b bits takes 1.1346 + (b - 1) 1.0634 fJ and 1.3904 um2 a bit; a
# flip-flop is 0.616 x 2.0064 um, 1.41095 fJ an access.
FLIP_FLOP_UM2 = 0.616 * 2.0064
ADDERS = Adders(1.3904, 1.1346, 1.0634, 0.11098, 0.063985, 0.13422)

# A linear layer of 10 inputs and 4 outputs, 2-bit weights, two steps, on the clean chip at 22 nm:
# 64 x 64 cells of 1 bit, 8 columns an ADC. 64 rows have 65 sums, so 128 levels, 7 bits.
LAYER = {
    "name": "out",
    "kind": "linear",
    "in_features": 10,
    "out_features": 4,
    "weight_bits": 2,
    "input_rate": 0.2,
    "output_rate": 0.1,
}
# Of the grid, for two slices a weight: box, its height and width, ADCs, shift-adders, other, cells.
BOX, HEIGHT, WIDTH = 38261.93359375, 141.09747314453125, 271.17376708984375
ADC, SHIFT_ADD, OTHER, CELLS = (
    1293.6197509765625,
    181.9437255859375,
    2292.90478515625,
    95.15827178955078,
)
CLOCK_NS = 11.310440063476562
# A conversion of all columns takes 0.512 pJ without active rows, else 4.34274 pJ and 0.174436 pJ
# more for each further row.
SILENT_PJ, FIRST_PJ, ROW_PJ = 0.5120000243, 4.3427395821, 0.1744360924
WORD_LINE_PJ = 0.027570640668

# 10 x 8 cells lie on flat tiles: 2 x 2 elements of one crossbar, and 4 copies of the layer.
# A crossbar gives 7 + 1 + 1 + 1 = 10 bits. An element has 64 input and 8 x 10 output registers:
# 64 of 141.1 / 0.616 = 229 places in one column, 80 of 271.2 / 2.0064 = 135 in one row.
REGISTERS = HEIGHT * 2.0064 + WIDTH * 0.616
ELEMENT = BOX + REGISTERS
SIDE = sqrt(ELEMENT)
# Buffers of a tile: 2 x 64 bits in one line; 2 x 8 words of 11 bits in 8 lines, with a decoder.
BUFFERS = 128 * FLIP_FLOP_UM2 + 176 * FLIP_FLOP_UM2 + 5.941
TILE_TREES = 16 * 10 * 1.3904  # 128 / 8 of them, one adder of 10 bits each
H_TREE = 128 / 16 * 0.616 * SIDE  # one level: only the main bus, folded 16-fold
TILE = 4 * ELEMENT + TILE_TREES + BUFFERS + H_TREE
TILE_SIDE = sqrt(TILE)
BUS = 128 * (1 + 1 / 8) / 4 * TILE_SIDE * (0.836 + 0.616)
STORE = 16384 * FLIP_FLOP_UM2 + 147.1
NEURONS = 16 * 12 * (4.482 + 3 * 1.3904)  # 16 units of 12 bits, three adders for the leak
MEMBRANE = (4 * 12 + 2 * 4 * 12) * 0.1591  # states; threshold and bias a channel

ACTIVE_PJ = FIRST_PJ - ROW_PJ
NO_ROW = 0.8**10
CONVERSION_PJ = (1 - NO_ROW) * ACTIVE_PJ + 2 * ROW_PJ + NO_ROW * SILENT_PJ
# Shift-and-add: an adder of 7 bits and 7 + 2 flip-flops, once for two slices.
SHIFT_ADD_FJ = 1.1346 + 6 * 1.0634 + 9 * 0.705475
# Reading and writing a bit: half a flip-flop's energy, and a share of the decoder's.
IN_FJ = 2 * 0.705475 + 1.05 * (1 / 20 + 1) / 128
OUT_FJ = 2 * 0.705475 + 60 * (1 / 20 + 1) / 176
READ_FJ, WRITE_FJ = 0.705475 + 11097 / 20 / 16384, 0.705475 + 11097 / 16384
# H-tree: twice a side and the main bus; sums of 11 bits. 2 x 0.2 x 0.8 of the inputs' bits toggle.
TREE_FJ = 3 * SIDE * (10 * 0.32 + 44 * 0.5) * 0.097042


def costed(overrides: dict[str, Any] | None = None, timesteps: int = 2, **changes: Any) -> Cost:
    mean = changes.pop("mean_timesteps", None)
    document = {"timesteps": timesteps, "mean_timesteps": mean, "layers": [LAYER | changes]}
    return estimate(Workload.model_validate(document), "rram_neurosim_22nm", overrides)


def laid_out(preset: str, overrides: dict[str, Any] | None = None) -> Design:
    workload = Workload.model_validate({"timesteps": 1, "layers": [LAYER]})
    return design(pack([workload]), load_chip(preset, overrides))


def fj(cost: Cost, name: str) -> float:
    return cost.energy_components_uj[name] * 1e9


def um2(cost: Cost, name: str) -> float:
    return cost.area_components_mm2[name] * 1e6


def ns(cost: Cost, name: str) -> float:
    return cost.latency_components_ms[name] * 1e6


@pytest.mark.parametrize(
    ("odd_words", "adders", "adder_bits"),
    [
        # 9 words of 5 bits: 4, 2, 1 and no adder of 5, 6, 7 and 8 bits
        ("dropped", 7, 4 * 5 + 2 * 6 + 1 * 7),
        # the odd word goes on: 9, 5, 3, 2, 1 words, so 4, 2, 1 and 1 adders
        ("added", 8, 4 * 5 + 2 * 6 + 1 * 7 + 1 * 8),
    ],
)
def test_a_tree_of_nine_words(odd_words: str, adders: int, adder_bits: int) -> None:
    sums = tree(np.array([[9.0]]), np.array([[5.0]]), odd_words)

    assert (sums.adders.item(), sums.adder_bits.item()) == (adders, adder_bits)
    energy = adders * 1.1346 + (adder_bits - adders) * 1.0634
    assert sums.energy(ADDERS).item() == pytest.approx(energy, rel=1e-12)
    assert sums.area(ADDERS).item() == pytest.approx(adder_bits * 1.3904, rel=1e-12)
    # the first adder of 5 bits, then three stages of carries of two
    delay = 0.11098 + 3 * 0.063985 + 3 * 0.11098
    assert sums.delay(ADDERS).item() == pytest.approx(delay, rel=1e-12)


def test_a_register_file() -> None:
    # 480 bits in 16 lines of 30: the decoder's fifth entry
    plan = laid_out("neurosim_compat")
    file = register_file(plan, *(np.array([[value]]) for value in (2.0, 480.0, 30.0)))

    assert file.area.item() == pytest.approx(2 * (480 * FLIP_FLOP_UM2 + 13.10) * 1e-12, rel=1e-9)
    assert file.read_energy.item() == pytest.approx((0.705475 + 175.3 / 20 / 480) * 1e-15)
    assert file.write_energy.item() == pytest.approx((0.705475 + 175.3 / 480) * 1e-15)
    assert file.leakage.item() == pytest.approx((480 * 0.034698 + 0.802) * 1e-9)
    # 960 bits over a bus of 60: two cores, a line of each in a cycle
    assert file.cycles(960.0, np.array([[60.0]])).item() == 16


@pytest.mark.parametrize(("face", "length"), [("half", 500), ("whole", 800)])
def test_an_h_tree_of_two_levels(face: str, length: float) -> None:
    # units of 100 um: stages of 200 and 100 um, each down and across, and a main bus of 200 um;
    # half of the stages, but all of the main bus, counts in NeuroSim's energy
    plan = laid_out("neurosim_compat", {"h_tree_energy": face})
    levels, side = np.array([[2.0]]), np.array([[100e-6]])
    wires = h_tree(plan, levels, side)

    assert wires.energy_length.item() == pytest.approx(length * 1e-6)
    # all shorter than 1e4 x 22 nm
    assert wires.delay.item() == pytest.approx((400 + 200 + 200) * 0.31780e-12)
    area = h_tree_area(plan, levels, side, np.array([[1024.0]]), 16.0)
    # one stage of 100 um (both repeaters, halved), and the main bus
    assert area.item() == pytest.approx(64 * (1.452 * 100 / 2 + 0.616 * 200) * 1e-12)


def test_area_of_one_layer() -> None:
    cost = costed()

    assert (cost.tiles, cost.crossbars) == (1, 4)
    assert um2(cost, "array") == pytest.approx(4 * CELLS)
    assert um2(cost, "adc") == pytest.approx(4 * ADC)
    assert um2(cost, "accumulation") == pytest.approx(4 * SHIFT_ADD + TILE_TREES)
    assert um2(cost, "interconnect") == pytest.approx(H_TREE + BUS)
    pools = 16 * 9.8875
    other = 4 * (OTHER + REGISTERS) + BUFFERS + STORE + pools
    assert um2(cost, "other") == pytest.approx(other)
    assert um2(cost, "neuron") == pytest.approx(NEURONS)
    assert um2(cost, "membrane") == pytest.approx(MEMBRANE)
    whole = TILE + BUS + STORE + pools + NEURONS + MEMBRANE
    assert cost.area_mm2 * 1e6 == pytest.approx(whole)


def test_energy_of_one_layer() -> None:
    cost = costed()

    # 8 of 64 columns convert, 0.2 x 10 word lines go up, in two steps
    assert fj(cost, "adc") == pytest.approx(2e3 * (CONVERSION_PJ / 8 + 2 * WORD_LINE_PJ), rel=1e-5)
    # 4 pairs of slices; 10 inputs are counted, to take the offset out
    assert fj(cost, "accumulation") == pytest.approx(2 * (4 * SHIFT_ADD_FJ + 10 * 1.1346))
    # half is written and half is read; no register of an element is filled
    buffers = 10 / 2 * IN_FJ + 44 / 2 * OUT_FJ + 10 * READ_FJ + 4 * WRITE_FJ
    assert fj(cost, "buffer") == pytest.approx(2 * buffers)
    # along the chip half of one tile, rounded up; nothing up and down
    bus = TILE_SIDE * 10 * 0.32 * 0.097042
    assert fj(cost, "interconnect") == pytest.approx(2 * (TREE_FJ + bus))
    other = 804.2193055152893 + 2 * 44.02798041701317
    assert fj(cost, "other") == pytest.approx(2 * other)
    assert fj(cost, "neuron") == pytest.approx(2 * 4 * 12 * (2.12 + 3 * 1.0634))
    # a membrane is read and written, threshold and bias are read
    assert fj(cost, "membrane") == pytest.approx(2 * 4 * 12 * (0.1543 + 1.403 + 2 * 0.1543))


def test_time_and_leakage_of_one_layer() -> None:
    cost = costed()

    # one position is read once, whatever the copies: 8 columns an ADC
    assert ns(cost, "adc") == pytest.approx(2 * 8 * CLOCK_NS)
    # lines of 128 and 22 bits; the global buffer has one core of lines of 128 bits
    buffers = 10 / 128 + 44 / 22 + 10 / 128 + 4 / 128
    assert ns(cost, "buffer") == pytest.approx(2 * buffers * CLOCK_NS)
    # a cycle each: the tree's 10 + 44 bits over 128, and one transfer over 144
    assert ns(cost, "interconnect") == pytest.approx(2 * (54 / 128 + 1) * CLOCK_NS)
    assert ns(cost, "neuron") == pytest.approx(2 * CLOCK_NS)
    tile = 4 * (15.169450081884861 + (64 + 80) * 0.034698)
    tile += 128 * 0.034698 + 176 * 0.034698 + 0.42 + 160 * 0.13422
    tile += SIDE * 128 * 1.8386e-3
    chip = 16384 * 0.034698 + 4.513 + 192 * (0.34 + 3 * 0.13422) + 144 * 0.001126
    chip += 2 * TILE_SIDE * 144 * 1.8386e-3  # the bus, 144 bits along one tile both ways
    # nW ns = 1e-3 fJ
    assert fj(cost, "leakage") == pytest.approx((tile + chip) * cost.latency_ms * 1e3)


def test_populations_and_further_currents() -> None:
    """4 driven values of 12-bit states, in 2 steps: 3 populations, 2 additions more."""
    plain, more = costed(), costed(populations=3, current_inputs=2)
    assert um2(more, "membrane") == pytest.approx(3 * um2(plain, "membrane"))
    assert fj(more, "neuron") == pytest.approx(5 * fj(plain, "neuron"))
    assert fj(more, "membrane") == pytest.approx(5 * fj(plain, "membrane"))
    assert um2(more, "neuron") == pytest.approx(um2(plain, "neuron"))
    assert fj(more, "adc") == pytest.approx(fj(plain, "adc"))


@pytest.mark.parametrize("static", [False, True])
def test_inferences_that_end_before_a_layer_do_not_pay_for_it(static: bool) -> None:
    whole, part = (costed(static_input=static, executed=share) for share in (1.0, 0.25))
    assert part.dynamic_energy_uj == pytest.approx(whole.dynamic_energy_uj / 4, rel=1e-9)
    assert part.latency_ms == pytest.approx(whole.latency_ms / 4, rel=1e-9)
    assert part.area_mm2 == whole.area_mm2


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("domain", ["memory", "digital"])
def test_layers_that_no_inference_comes_to_take_no_time(pipelined: bool, domain: str) -> None:
    layers = [LAYER, LAYER | {"name": "two", "executed": 0.0, "domain": domain}]
    workload = Workload.model_validate({"timesteps": 2, "layers": layers})
    with np.errstate(all="raise"):
        found = estimate(workload, "rram_neurosim_22nm", {"pipelined": pipelined})
    (whole, none) = found.layers
    assert whole.latency_ms > 0
    assert none.latency_ms == none.energy_uj == 0
    assert found.latency_ms == whole.latency_ms


def test_a_pipelines_latency_follows_the_share_of_inferences_that_come() -> None:
    second = LAYER | {"name": "two", "in_features": 4}
    for steps in (1, 3):
        whole, none, half = (
            estimate(
                Workload.model_validate(
                    {"timesteps": steps, "layers": [LAYER, second | {"executed": share}]}
                ),
                "rram_neurosim_22nm",
                {"pipelined": True},
            ).latency_ms
            for share in (1.0, 0.0, 0.5)
        )
        assert 0 < none < half < whole
        if steps == 1:
            assert half == pytest.approx((none + whole) / 2)


def test_membranes_of_all_neurons_or_of_the_largest_layer() -> None:
    second = LAYER | {"name": "two", "in_features": 4, "out_features": 6, "neuron_state_bits": 10}
    document = {"timesteps": 2, "layers": [LAYER, second]}
    workload = Workload.model_validate(document)
    steps = estimate(workload, "rram_neurosim_22nm")
    layers = estimate(workload, "rram_neurosim_22nm", {"schedule": "layers"})
    once = estimate(workload.model_copy(update={"timesteps": 1}), "rram_neurosim_22nm")

    constants = 2 * (4 * 12 + 6 * 10)
    for cost, states in ((steps, 4 * 12 + 6 * 10), (layers, 6 * 10), (once, 0)):
        assert um2(cost, "membrane") == pytest.approx((constants + states) * 0.1591)
    # a single step neither reads nor writes a membrane
    assert fj(once, "membrane") == pytest.approx((4 * 12 + 6 * 10) * 2 * 0.1543)


def test_sums_of_a_static_input_are_held() -> None:
    again, held = costed(), costed(static_input=True)

    for name in ("adc", "accumulation"):
        assert fj(held, name) == pytest.approx(fj(again, name) / 2)
    assert ns(held, "adc") == pytest.approx(ns(again, "adc") / 2)
    # 10 products of 2-bit weights: sums of 2 + 4 bits, written once and read twice
    bits = 4 * 6
    assert um2(held, "buffer") == pytest.approx(bits * 0.1591)
    buffers = 10 / 2 * IN_FJ + 44 / 2 * OUT_FJ + 10 * READ_FJ + 2 * 4 * WRITE_FJ
    assert fj(held, "buffer") == pytest.approx(buffers + bits * (1.403 + 2 * 0.1543))
    assert fj(held, "neuron") == pytest.approx(fj(again, "neuron"))


def test_early_exit_takes_the_mean_of_the_steps_and_all_of_the_area() -> None:
    all_, early = costed(timesteps=4), costed(timesteps=4, mean_timesteps=2.5)

    assert early.area_mm2 == all_.area_mm2
    assert early.latency_ms == pytest.approx(all_.latency_ms * 2.5 / 4)
    assert early.dynamic_energy_uj == pytest.approx(all_.dynamic_energy_uj * 2.5 / 4)


def test_events_are_addresses_of_spikes() -> None:
    raster, events = costed(), costed({"spike_format": "events"})

    # 10 inputs: 4 bits an address, 2 spikes; 4 outputs: 2 bits, 0.4 spikes; half of them toggle
    saved = (10 - 8) * READ_FJ + (4 - 0.8) * WRITE_FJ
    assert fj(raster, "buffer") - fj(events, "buffer") == pytest.approx(2 * saved)
    bus = TILE_SIDE * 0.097042 * (10 * 0.32 - 8 * 0.5)
    assert fj(raster, "interconnect") - fj(events, "interconnect") == pytest.approx(2 * bus)


def test_the_shorter_form_is_chosen_map_by_map() -> None:
    # 8 of 10 bits for the inputs' addresses, 0.8 of 4 for the outputs'; at a rate of 0.5, 20 bits
    shorter, events = costed({"spike_format": "shorter"}), costed({"spike_format": "events"})
    assert shorter == events
    many, raster = (
        costed({"spike_format": form}, input_rate=0.5, output_rate=0.6)
        for form in ("shorter", "raster")
    )
    assert many == raster


def test_silent_reads_may_be_skipped() -> None:
    saved = fj(costed(), "adc") - fj(costed({"silent_reads": "skipped"}), "adc")

    assert saved == pytest.approx(2e3 * NO_ROW * SILENT_PJ / 8, rel=1e-3)


def test_pairs_of_columns_are_subtracted() -> None:
    cost = costed({"weight_encoding": "differential"})

    # one slice in two columns, so 7 + 1 + 1 = 9 bits: one subtraction of 9 bits a pair into 9
    # flip-flops, nothing to shift, no inputs to count
    subtraction = 1.1346 + 8 * 1.0634 + 9 * 0.705475
    assert fj(cost, "accumulation") == pytest.approx(2 * 4 * subtraction)


def test_a_digital_layer() -> None:
    cost = costed(domain="digital")

    # 40 weights of 2 bits read in each step; a sum of 6 bits is added for every spike
    addition = 6 * 1.0634 + 6 * 0.705475
    assert fj(cost, "digital") == pytest.approx(2 * 40 * (2 * 0.1543 + 0.2 * addition))
    assert um2(cost, "digital") == pytest.approx(
        64 * 6 * (1.3904 + FLIP_FLOP_UM2) + 40 * 2 * 0.1591
    )
    # 40 products on 64 units; an addition of 6 bits takes 0.37 ns, within one cycle
    assert ns(cost, "digital") == pytest.approx(2 * CLOCK_NS)
    assert (cost.crossbars, fj(cost, "adc"), ns(cost, "adc")) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["sar", "flash"])
@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.05, 0.15, 0.5, 0.93, 1.0])
def test_expected_conversions_are_those_of_the_binomial_distribution(
    kind: str, rate: float
) -> None:
    chip = load_chip("neurosim_compat", {"adc_kind": kind})
    table = crossbars(chip, reading(chip))
    path = resources.files("hardware").joinpath("presets", "neurosim_v1_4_crossbars.npz")
    with path.open("rb") as file, np.load(file) as grid:
        energies = grid["rram_100k_1.7M/adc_energy_pj"][0, 2, 7, 0, int(kind == "sar"), 2, 1]
        knots = grid["active_rows"]
    scale = (lambda n: n) if kind == "sar" else np.log2
    for rows in (1, 5, 64, 128):
        exact = (1 - rate) ** rows * energies[0]
        for n in range(1, rows + 1):
            joined = np.interp(scale(n), scale(knots[1:9]), energies[1:9])
            exact += comb(rows, n) * rate**n * (1 - rate) ** (rows - n) * joined
        found = table.converted(np.array([[float(rows)]]), np.array([[rate]])).item() * 1e12
        assert found == pytest.approx(exact, rel=1e-3)


def test_rows_read_in_groups_convert_once_a_group() -> None:
    # 10 rows, 4 at once: groups of 4, 3 and 3 rows, each with its own conversion
    plain = {"rows_per_read": 4, "adc_levels": 128}
    chip = load_chip("rram_neurosim_22nm", plain)
    table = crossbars(chip, reading(chip))
    found = table.converted(np.array([[10.0]]), np.array([[0.2]])).item() * 1e12
    expected = 0.0
    for rows in (4, 3, 3):
        silent = 0.8**rows
        expected += (1 - silent) * ACTIVE_PJ + 0.2 * rows * ROW_PJ + silent * SILENT_PJ

    assert found == pytest.approx(expected, rel=1e-4)
    assert table.reads[10] == 3
    assert ns(costed(plain), "adc") == pytest.approx(2 * 8 * 3 * CLOCK_NS)
