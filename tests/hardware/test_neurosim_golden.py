"""NeuroSim's figures within limits, and that they would show the mistakes one can make."""

from dataclasses import replace

import numpy as np
import pytest

from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import estimate, load_chip
from hardware.arrays import pack
from hardware.neurosim import area, floorplan, transport
from hardware.neurosim.design import design
from hardware.neurosim.floorplan import FloorPlan
from tests.hardware.neurosim_golden import ALL, OWN, beyond, cases, costs, errors

OURS = {case["name"]: case for case in cases(OWN)}
SHARED = {case["name"]: case for case in cases(ALL)}
REQUIRED = [name for name, case in SHARED.items() if case["required"]]
BONUS = [name for name, case in SHARED.items() if not case["required"]]

#: Parameters that part the clean face from the compatible one.
SWITCHES = {
    "global_buffer": "maps",
    "h_tree_share": "all",
    "toggling": "spikes",
    "tile_ports": "pes",
    "pe_sum_growth": "log",
    "pipelined_sums": "own",
    "h_tree_energy": "whole",
    "odd_words": "added",
    "adder_columns": "mapped",
    "empty_positions": "skipped",
    "leakage": "whole",
    "mux_decoder": "sized",
    "copies": "whole",
    "bus_limit": "capped",
    "smallest_tiles": "crossbars",
    "activation": "neurons",
}

needs_shared = pytest.mark.skipif(not SHARED, reason="the figures beside the checkout are absent")


@pytest.mark.parametrize("name", OURS)
def test_figures_of_neurosim(name):
    case = OURS[name]

    assert beyond(errors(case, costs(case))) == {}


@needs_shared
@pytest.mark.parametrize("name", REQUIRED)
def test_all_required_figures_of_neurosim(name):
    case = SHARED[name]

    assert beyond(errors(case, costs(case))) == {}


@needs_shared
def test_our_copy_is_what_lies_beside_the_checkout():
    for name, case in OURS.items():
        assert {key: SHARED[name][key] for key in case} == case


@needs_shared
@pytest.mark.parametrize("name", [name for name in BONUS if "ron240k" in name])
def test_cells_like_fefets_agree_as_well(name):
    case = SHARED[name]

    assert beyond(errors(case, costs(case))) == {}


@needs_shared
@pytest.mark.parametrize("name", [name for name in BONUS if "roff1M" in name])
def test_scaled_resistances_miss_the_clock_by_half_a_thousandth(name):
    case = SHARED[name]

    with pytest.raises(RequestError, match="r_on_ohm, r_off_ohm: got"):
        costs(case)
    found = errors(case, costs(case, {"other_resistances": "scaled"}))
    assert all(figure.startswith("latency") for figure in beyond(found))
    assert max(found[figure] for figure in beyond(found)) < 5e-4


@needs_shared
@pytest.mark.parametrize("name", [n for n in BONUS if "ron" not in n and "vsa" not in n])
def test_settings_outside_the_specification_are_refused(name):
    with pytest.raises(RequestError, match="technology_nm|roadmap|validated_factors|synchronous"):
        costs(SHARED[name])


def test_floor_plan_of_one_network():
    case = OURS["snn5__base"]
    chip = load_chip("neurosim_compat")
    plan = design(pack([Workload.from_document(case["workload"])]), chip).plan

    # worked out by hand: tiles of 1024, PEs of 512 on both kinds, nine kernel positions
    assert (plan.flat_tile, plan.flat_pe, plan.kernel_pe, plan.kernel) == (1024, 512, 512, 9)
    assert plan.on_kernel[0].tolist() == [False, True, True, True, False, False]
    assert plan.tiles[0].tolist() == [1, 1, 1, 2, 2, 1]
    assert plan.copies[0].tolist() == [32, 4, 4, 4, 1, 64]
    assert (plan.kernel_tiles, plan.flat_tiles) == (4, 4)
    assert (plan.grid_rows, plan.grid_columns) == (3, 3)


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_figures_tell_each_quirk_from_what_mends_it(switch):
    change = {switch: SWITCHES[switch]}

    assert any(beyond(errors(case, costs(case, change))) for case in OURS.values())


def test_rounds_of_adders_need_a_weight_wider_than_an_adcs_columns():
    # no golden case has columns_per_adc that slices do not divide, so this quirk is by hand
    case = OURS["snn5__base"]
    mended = costs(case, {"adder_rounds": "up"})
    assert beyond(errors(case, mended)) == {}
    four = {"columns_per_adc": 4}
    down, up = costs(case, four), costs(case, four | {"adder_rounds": "up"})
    assert (down.latency["accumulation"] < up.latency["accumulation"]).any()


def test_a_bus_of_less_than_no_length_is_on_a_chip_of_one_tile():
    # rows of tiles 1: 1 - ceil(1 / 2) - 1 = -1 side of a tile; no golden case has a single tile
    layer = {"name": "out", "kind": "linear", "in_features": 64, "out_features": 8}
    workload = Workload.model_validate({"timesteps": 1, "layers": [layer]})
    negative = estimate(workload, "neurosim_compat")
    clamped = estimate(workload, "neurosim_compat", {"short_buses": "clamped"})
    # 8 weights of 8 slices: 8 sums a position, half of their bits toggle; 0.2 fF/um, 0.85 V
    side_um = (negative.layers[0].area_mm2 * 1e6) ** 0.5
    bare_uj = 0.5 * 8 * side_um * 0.5 * 0.2e-15 * 0.85**2 * 1e6
    difference = clamped.energy_uj - negative.energy_uj

    assert negative.tiles == 1
    assert difference == pytest.approx(bare_uj, rel=1e-9)


def mistakes():
    """What one easily gets wrong: a name, the part that is wrong, and the figure that shows it."""
    tried = floorplan._best_size
    wires = {module: module.h_tree for module in (area, transport)}

    def smallest_tried(patch, kind):
        def wrong(**arguments):
            factor = {"kernel": 2, "flat": 4}[kind]
            last = arguments["smallest"] == factor * 128 or arguments["tried_last"]
            return tried(**arguments | {"tried_last": last})

        patch.setattr(floorplan, "_best_size", wrong)

    def length(patch, keep):
        for module, right in wires.items():

            def wrong(design, levels, side, right=right):
                found = right(design, levels, side)
                main = np.where(levels > 0, np.exp2(levels - 1), 0.0) * side
                return replace(found, energy_length=keep(found.energy_length, main))

            patch.setattr(module, "h_tree", wrong)

    def no_copies(patch):
        patch.setattr(FloorPlan, "copies", property(lambda self: np.ones_like(self.row_copies)))

    return {
        "a size of two crossbars is tried": (
            lambda patch: smallest_tried(patch, "kernel"),
            "tiles",
        ),
        "a tile of four crossbars is tried": (lambda patch: smallest_tried(patch, "flat"), "area"),
        "no stages": (lambda patch: length(patch, lambda _, main: main), "energy interconnect"),
        "no main bus": (lambda patch: length(patch, lambda all_, main: all_ - main), "energy int"),
        "no copies": (no_copies, "latency"),
    }


@pytest.mark.parametrize("mistake", mistakes())
def test_the_figures_show_a_mistake(mistake, monkeypatch):
    make, shown = mistakes()[mistake]
    make(monkeypatch)

    found = [name for case in OURS.values() for name in beyond(errors(case, costs(case)))]
    assert any(name.startswith(shown) for name in found)


def test_workload_padding_is_not_looked_at():
    case = OURS["snn5__base"]
    workload = Workload.from_document(case["workload"])
    first = workload.layers[0]
    padded = first.model_copy(update={"padding": (1, 1), "out_size": (16, 16)})
    other = workload.model_copy(update={"layers": (padded, *workload.layers[1:])})

    assert estimate(other, "neurosim_compat") == estimate(workload, "neurosim_compat")


def test_neurosim_knows_no_padding():
    layer = {
        "name": "conv",
        "kind": "conv2d",
        "in_channels": 4,
        "out_channels": 8,
        "kernel": [3, 3],
        "padding": [1, 1],
        "in_size": [10, 10],
        "out_size": [10, 10],
    }
    workload = Workload.model_validate({"timesteps": 1, "layers": [layer]})
    its, real = (
        estimate(workload, "neurosim_compat", {"output_size": size}).latency_components_ms["adc"]
        for size in ("unpadded", "real")
    )

    assert real / its == pytest.approx(100 / 64)  # 10 x 10 positions, and 8 x 8 without padding
