"""Networks on one chip instance: by hand, one path against the other, and with nothing off."""

import copy

import numpy as np
import pytest
import torch

from evo_snn.snn import build, deploy
from evo_snn.snn.layers import DeployedLayer
from evo_snn.snn.on_chip import PerturbedLayer, chip_instances, noisy_levels, on_chip
from evo_snn.snn.products import product
from evo_snn.snn.reads import Converter, PartedLayer, ReadLayer, unfolded
from genomes.architecture import Layer, Neuron
from genomes.errors import RequestError
from hardware import load_chip
from hardware.conditions import Conditions
from hardware.conductance import Encoding
from hardware.nonideal import Instance

CHIPS = {
    "default": {},
    "differential": {"weight_encoding": "differential", "cell_bits": 2},
    "kernel": {"mapping": "kernel", "crossbar_rows": 8, "cell_bits": 3, "adc_levels": 16},
    "groups": {"weight_encoding": "differential", "rows_per_read": 3, "crossbar_rows": 8},
}
NOISY = Conditions(variation=0.1, stuck_on=0.02, stuck_off=0.05, wire_ohm=4.0)


def chip(name="default", **more):
    return load_chip("rram_32nm", CHIPS[name] | more)


def linear(out=2, inputs=4, bits=2, source="x", input_bits=1):
    neuron = Neuron("iaf", 1.0, 1.0, 12)
    return Layer("a", source, (inputs,), out, (), (), (), bits, input_bits, (), "average", neuron)


def by_hand(converter, *, cells=None, gain=1.0, groups=None, layer=None):
    """Four rows, two weights of two bits each: a crossbar of 4 x 4 one-bit cells.

    Weights 1 -1 0 1 and 0 1 -1 -1, plus 2: 3 1 2 3 and 2 3 1 1. As bits, least significant first:

        row 0: 1 1  0 1      row 1: 1 0  1 1      row 2: 0 1  1 0      row 3: 1 1  1 0
    """
    levels = torch.tensor([[1, -1, 0, 1], [0, 1, -1, -1]])
    code = Encoding(2, 1, differential=False)
    layer = layer or linear()
    deployed = DeployedLayer(layer, levels, torch.ones(2), torch.zeros(2))
    stored = torch.from_numpy(code.cells(levels.numpy())).float()
    instance = Instance(stored if cells is None else cells, gain)
    return ReadLayer(deployed, instance, code, groups or [np.arange(4)], converter)


SPIKES = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
# Column sums of rows 0, 1, 3: 3, 2, 2, 2. Outputs: 3 + 2 * 2 - 2 * 3 = 1, 2 + 2 * 2 - 6 = 0.


def test_a_crossbar_of_four_by_four_by_hand():
    layer = by_hand(Converter(levels=8, full=4, quantile=1.0))
    stored = layer.cells[0, :4].tolist()
    assert stored == [[1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 0]]
    assert layer(SPIKES).tolist() == [[1, 0]]
    assert layer(torch.zeros(1, 4)).tolist() == [[0, 0]]


def test_an_adc_with_too_few_levels_rounds():
    # three levels for 0 to 4: steps of 2; sums 3 2 2 2 become 1.5 1 1 1, and 1.5 rounds to 2
    layer = by_hand(Converter(levels=3, full=4, quantile=1.0))
    assert layer.step.item() == 2
    # 2 * (2 + 2 * 1) - 6 = 2, 2 * (1 + 2 * 1) - 6 = 0
    assert layer(SPIKES).tolist() == [[2, 0]]


def test_an_adc_of_too_small_a_range_clips():
    layer = by_hand(Converter(levels=3, full=2, quantile=1.0))
    assert layer.step.item() == 1
    # 3 is clipped to 2: 2 + 2 * 2 - 6 = 0
    assert layer(SPIKES).tolist() == [[0, 0]]


def test_row_groups_are_converted_one_by_one():
    # rows 0 1 and rows 2 3: sums 2 1 1 2 and 1 1 1 0. With two levels, at most 1 each: 1 1 1 1
    # and 1 1 1 0, so 2 2 2 1: 2 + 2 * 2 - 6 = 0, 2 + 2 * 1 - 6 = -2
    layer = by_hand(Converter(levels=2, full=1, quantile=1.0), groups=[[0, 1], [2, 3]])
    assert layer(SPIKES).tolist() == [[0, -2]]


def test_conductances_by_hand():
    # 10 uS on, 1 uS off. The cell of row 0 in column 0 has 14.5 uS; three active rows: column 0
    # carries 34.5 uS, less 3 x 1 uS of cells that are off: 31.5 uS are 3.5 levels of 9 uS.
    code = Encoding(2, 1, differential=False)
    cells = torch.from_numpy(code.cells(np.array([[1, -1, 0, 1], [0, 1, -1, -1]]))).float()
    cells[0, 0, 0] = 14.5 / 9 - 1 / 9
    exact = by_hand(None, cells=cells)
    assert exact(SPIKES).tolist() == [[1.5, 0]]
    # the ADC rounds 3.5 to 4
    assert by_hand(Converter(8, 4, 1.0), cells=cells)(SPIKES).tolist() == [[2, 0]]
    assert Instance(cells, 1.0).levels(code).tolist() == [[1.5, -1, 0, 1], [0, 1, -1, -1]]


def test_drift_is_compensated_after_conversion():
    # each cell at 3/4: sums 2.25 1.5 1.5 1.5, converted to 2 2 2 2; times 4/3: 8/3 each
    code = Encoding(2, 1, differential=False)
    cells = torch.from_numpy(code.cells(np.array([[1, -1, 0, 1], [0, 1, -1, -1]]))) * 0.75
    layer = by_hand(Converter(8, 4, 1.0), cells=cells.float(), gain=4 / 3)
    assert layer(SPIKES).tolist() == [pytest.approx([2.0, 2.0])]


def test_inputs_of_more_bits_are_read_bit_by_bit():
    # inputs 3 1 0 2. Bit 0 reads rows 0 1: 2 1 1 2, clipped at 1: 1 1 1 1; bit 1 reads rows 0 3:
    # 2 2 1 1, clipped to 1 1 1 1. In all 3 3 3 3: 3 + 2 * 3 - 2 * 6 = -3 each
    layer = by_hand(Converter(2, 1, 1.0), layer=linear(input_bits=2))
    assert layer(torch.tensor([[3.0, 1.0, 0.0, 2.0]])).tolist() == [[-3, -3]]
    lossless = by_hand(Converter(8, 4, 1.0), layer=linear(input_bits=2))
    assert lossless(torch.tensor([[3.0, 1.0, 0.0, 2.0]])).tolist() == [[4, -1]]


def test_the_range_is_that_of_the_wanted_share_of_reads():
    layer = by_hand(Converter(levels=2, full=4, quantile=0.5))
    assert layer.step.item() == 4  # without samples, every sum
    layer.calibrating = True
    layer(SPIKES)  # sums 3 2 2 2: half of them are 2 or less
    assert layer.step.item() == pytest.approx(2, abs=0.01)
    layer.converter = Converter(levels=2, full=4, quantile=1.0)
    layer(SPIKES)
    assert layer.step.item() == pytest.approx(3, abs=0.01)


def test_a_step_is_never_finer_than_a_level():
    assert Converter(levels=128, full=64, quantile=1.0).step(64) == 1
    assert Converter(levels=9, full=64, quantile=1.0).step(64) == 8


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("path", ["fast", "exact"])
def test_with_nothing_off_the_chip_gives_the_same_bits(case, seen, name, path):
    network = on_chip(case.deployed, chip(name), Conditions(), seed=0, path=path)
    expected = case.deployed(case.x, observe=seen)
    there = type(seen)()
    assert torch.equal(network(case.x, observe=there), expected)
    for layer, spikes in seen.spikes.items():
        assert torch.equal(there.spikes[layer], spikes), layer


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_the_same_bits_in_single_precision(cases, path):
    for case in cases[::3]:
        deployed = deploy(copy.deepcopy(case.trained).float())
        network = on_chip(deployed, chip(), Conditions(), seed=0, path=path)
        assert torch.equal(network(case.x.float()), deployed(case.x.float()))
        assert network(case.x.float()).dtype == torch.float32


@pytest.mark.parametrize("name", CHIPS)
def test_both_paths_are_one_chip_where_adcs_round_nothing(case, name):
    conditions = NOISY.model_copy(update={"adc": False})
    fast, exact = (
        on_chip(case.deployed, chip(name), conditions, seed=3, path=path)
        for path in ("fast", "exact")
    )
    source = None
    for first, second in zip(fast.layers.values(), exact.layers.values(), strict=True):
        shape = (3, *first.layer.in_shape)
        top = 2**first.layer.input_bits
        source = torch.randint(top, shape, generator=torch.Generator().manual_seed(1)).double()
        if first.layer.source == "input":
            source = source / (top - 1)
        assert isinstance(first, PerturbedLayer)
        assert isinstance(second, PartedLayer if len(first.layer.parts) > 1 else ReadLayer)
        assert torch.allclose(first(source), second(source), rtol=1e-5, atol=1e-5)


def test_lossless_adcs_take_small_deviations_away(cases):
    # 0.1 % of 64 cells is far below half a level
    for case in cases[:6]:
        expected = case.deployed(case.x)
        small = Conditions(variation=1e-3)
        exact = on_chip(case.deployed, chip(), small, seed=0, path="exact")
        assert torch.equal(exact(case.x), expected)
        fast = on_chip(case.deployed, chip(), small, seed=0)
        assert any(not torch.equal(one.weight, one.levels.double()) for one in fast.layers.values())


def test_instances_differ_and_equal_seeds_give_equal_ones(cases):
    deployed = cases[0].deployed

    def weights(**keys):
        network = on_chip(deployed, chip(), NOISY, **keys)
        return torch.cat([layer.weight.flatten() for layer in network.layers.values()])

    first = weights(seed=1)
    assert torch.equal(first, weights(seed=1, instance=0))
    for other in (weights(seed=1, instance=1), weights(seed=2)):
        assert (first != other).double().mean() > 0.9


def test_no_global_random_numbers_are_drawn(cases):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    on_chip(cases[1].deployed, chip(), NOISY, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_of_a_chip_is_trained_and_the_deployed_network_is_left_alone(cases):
    deployed = cases[2].deployed
    before = {name: value.clone() for name, value in deployed.state_dict().items()}
    for path in ("fast", "exact"):
        network = on_chip(deployed, chip(), NOISY, seed=1, path=path, calibration=cases[2].x)
        assert not network.training
        assert not network(cases[2].x).requires_grad
    for name, value in deployed.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_many_instances_are_those_drawn_one_by_one(cases, path):
    case = cases[3]
    keys = {"seed": 4, "path": path, "seconds": 100.0}
    aged = Conditions(device="pcm_nandakumar_icecs_2019", stuck_on=0.1, wire_ohm=2.0)
    together = chip_instances(case.deployed, chip(), aged, instances=[2, 0], **keys)
    for number, network in zip([2, 0], together, strict=True):
        alone = on_chip(case.deployed, chip(), aged, instance=number, **keys)
        expected = alone.state_dict()
        found = network.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_time_changes_the_same_chip(cases):
    device = Conditions(device="pcm_nandakumar_icecs_2019")
    deployed = cases[0].deployed

    def weights(seconds):
        network = on_chip(deployed, chip(), device, seed=1, seconds=seconds)
        return torch.cat([layer.weight.flatten() for layer in network.layers.values()])

    now, soon, late = weights(0.0), weights(1.0), weights(1e6)
    assert (now - soon).abs().mean() < (now - late).abs().mean() / 5


def test_adcs_with_few_levels_lose_what_calibration_partly_regains(cases):
    few = chip(adc_levels=8, rows_per_read=64)
    lost, regained = 0.0, 0.0
    for case in cases[:12]:
        expected = case.deployed(case.x)
        plain = on_chip(case.deployed, few, Conditions(adc=False), seed=0, path="exact")
        assert torch.equal(plain(case.x), expected)
        wide, fitted = (
            on_chip(case.deployed, few, Conditions(), seed=0, path="exact", calibration=samples)
            for samples in (None, case.x)
        )
        for first, second in zip(wide.layers.values(), fitted.layers.values(), strict=True):
            assert 1 <= second.step <= first.step
            assert not second.calibrating
        lost += (wide(case.x) - expected).abs().sum().item()
        regained += (fitted(case.x) - expected).abs().sum().item()
    assert 0 < regained < lost


def test_wires_take_measured_rates(cases):
    case = cases[0]
    names = [layer.name for layer in case.architecture.layers]
    wired = Conditions(wire_ohm=20.0, wire_rate=0.5)

    def weights(rate):
        rates = None if rate is None else dict.fromkeys(names, (rate, 0.0))
        network = on_chip(case.deployed, chip(), wired, seed=0, rates=rates)
        return torch.cat([layer.weight.flatten() for layer in network.layers.values()])

    assert torch.equal(weights(None), weights(0.5))
    assert not torch.equal(weights(None), weights(0.1))


def test_digital_layers_stay_as_they_are(cases, monkeypatch):
    deployed = cases[0].deployed
    workload = deployed.architecture.workload
    digital = workload.layers[0].model_copy(update={"domain": "digital"})
    changed = workload.model_copy(update={"layers": (digital, *workload.layers[1:])})
    monkeypatch.setitem(deployed.architecture.__dict__, "workload", changed)
    for path in ("fast", "exact"):
        network = on_chip(deployed, chip(), NOISY, seed=0, path=path)
        first, *others = network.layers.values()
        assert first is next(iter(deployed.layers.values()))
        assert not any(type(layer) is DeployedLayer for layer in others)


def test_a_chip_that_knows_no_cells_is_refused(cases):
    with pytest.raises(RequestError, match="spikesim_65nm"):
        on_chip(cases[0].deployed, load_chip("spikesim_65nm"), Conditions(), seed=0)


@pytest.mark.parametrize("name", ["neurosim_compat", "rram_neurosim_32nm"])
def test_chips_of_the_other_model_run_networks_too(cases, name):
    for case in cases[:4]:
        ideal = on_chip(case.deployed, load_chip(name), Conditions(adc=False), seed=0, path="exact")
        assert torch.equal(ideal(case.x), case.deployed(case.x))


def test_unfolding_is_the_convolutions(case):
    for module in case.deployed.layers.values():
        layer = module.layer
        source = torch.rand(
            2, *layer.in_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        weight = module.levels.double()
        rows = unfolded(layer, source)
        values = (rows @ weight.flatten(1).T).transpose(1, 2).reshape(2, *layer.out_shape)
        assert torch.allclose(values, product(layer, source, weight))


def test_unfolding_with_strides_and_sides_of_different_length():
    layer = Layer("a", "x", (3, 7, 6), 4, (3, 2), (2, 1), (1, 0), 4, 1, (1, 1), "max", None)
    generator = torch.Generator().manual_seed(0)
    source = torch.rand(2, 3, 7, 6, generator=generator, dtype=torch.float64)
    weight = torch.rand(4, 3, 3, 2, generator=generator, dtype=torch.float64)
    rows = unfolded(layer, source)
    values = (rows @ weight.flatten(1).T).transpose(1, 2).reshape(2, *layer.out_shape)
    assert torch.allclose(values, product(layer, source, weight))


def test_noisy_levels_pass_the_gradient_and_go_on_drawing():
    layer = linear(out=50, inputs=60, bits=4)
    levels = torch.randint(-7, 8, (50, 60), generator=torch.Generator().manual_seed(0)).float()
    levels.requires_grad_()
    generator = torch.Generator().manual_seed(1)
    noisy = noisy_levels(levels, layer, chip(), NOISY, generator, by_kernel=[False])
    (3 * noisy).sum().backward()
    assert torch.equal(levels.grad, torch.full_like(levels, 3.0))
    assert not torch.equal(
        noisy, noisy_levels(levels, layer, chip(), NOISY, generator, by_kernel=[False])
    )
    again = noisy_levels(
        levels, layer, chip(), NOISY, torch.Generator().manual_seed(1), by_kernel=[False]
    )
    assert torch.equal(noisy, again)
    ideal = noisy_levels(levels, layer, chip(), Conditions(), generator, by_kernel=[False])
    assert torch.equal(ideal, levels)


@pytest.mark.parametrize("name", CHIPS)
def test_noisy_levels_are_distributed_as_the_fast_path(chain, name):
    network = deploy(build(chain(blocks=1, skip="none", input_shape=(60, 3, 3)), 0))
    readout = network.layers["readout"]
    first = next(iter(network.layers.values()))
    for deployed in (first, readout):
        levels = deployed.levels.float()
        trained = torch.stack(
            [
                noisy_levels(
                    levels,
                    deployed.layer,
                    chip(name),
                    NOISY,
                    torch.Generator().manual_seed(k),
                    by_kernel=[name == "kernel"],
                )
                for k in range(60)
            ]
        )
        slot = deployed.layer.name.replace(".", "_")
        fast = torch.stack(
            [
                on_chip(network, chip(name), NOISY, seed=0, instance=k).layers[slot].weight
                for k in range(60)
            ]
        )
        change, other = trained - levels, fast - levels
        assert change.std().item() == pytest.approx(other.std().item(), rel=0.1)
        error = other.std().item() * (2 / other.numel()) ** 0.5
        assert change.mean().item() == pytest.approx(other.mean().item(), abs=4 * error)


@pytest.mark.parametrize(
    ("name", "of_a_block", "of_the_last"),
    [("rram_32nm", [24, 24, 16], [24, 2]), ("rram_neurosim_32nm", [22, 21, 21], [13, 13])],
)
def test_rows_are_grouped_as_they_are_costed(chain, name, of_a_block, of_the_last):
    """90 rows are blocks of 64 and 26; 24 rows at once: full groups, or equal."""
    keys = {"crossbar_rows": 64, "crossbar_columns": 64, "rows_per_read": 24, "mapping": "flat"}
    network = deploy(build(chain(blocks=1, skip="none", input_shape=(90, 3, 3)), 0))
    drawn = on_chip(network, load_chip(name, keys), Conditions(), seed=0, path="exact")
    first = next(one for one in drawn.layers.values() if one.layer.in_shape[0] == 90)
    found = [int((row < 90).sum()) for row in first.places.view(first.cells.shape[:2])]
    assert found == of_a_block + of_the_last


def test_there_are_two_paths(cases):
    with pytest.raises(RequestError, match=r"path: got 'exakt'.*Did you mean 'exact'"):
        on_chip(cases[0].deployed, chip(), Conditions(), seed=0, path="exakt")
