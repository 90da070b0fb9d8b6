"""Energies of a spiking network and its CNNs, by hand from Horowitz's figures at 45 nm."""

from dataclasses import replace

import pytest

from evo_snn.cnn_energy import cnn_energy
from genomes.architecture import Exit
from genomes.errors import RequestError
from genomes.workload import Workload
from hardware import details, load_chip
from tests.chain import chain

RATES = {"a": (0.4, 0.25), "b": (0.25, 0.5), "out": (0.5, 0.0)}
OPERATIONS = {"a": 18 * 16, "b": 36 * 16, "out": 64}
ADD_8, ADDED_BIT = 0.03, (0.1 - 0.03) / 24
MULTIPLY = 0.2 / 64  # of one pair of bits, up to 8 x 8


@pytest.fixture(scope="module")
def found():
    return cnn_energy(chain(steps=3, bits=(3, 5, 2)), RATES)


def test_full_precision_takes_32_bit_operations(found):
    for name, count in OPERATIONS.items():
        assert found.cnn[name] == pytest.approx(count * (3.1 + 0.1) * 1e-6)


def test_the_quantized_cnn_multiplies_widths_by_widths(found):
    # weights by activations: 3 x 8 into 15 bits (9 inputs), 5 x 3 into 13 (18), 2 x 5 into 12 (32)
    expected = {
        "a": 24 * MULTIPLY + ADD_8 + 7 * ADDED_BIT,
        "b": 15 * MULTIPLY + ADD_8 + 5 * ADDED_BIT,
        "out": 10 * MULTIPLY + ADD_8 + 4 * ADDED_BIT,
    }
    for name, count in OPERATIONS.items():
        assert found.quantized_cnn[name] == pytest.approx(count * expected[name] * 1e-6)


def test_a_spike_is_an_addition_and_the_first_layer_multiplies_once(found):
    assert found.snn["a"] == found.quantized_cnn["a"]
    ten_bits, seven_bits = ADD_8 + 2 * ADDED_BIT, ADD_8 * 7 / 8
    assert found.snn["b"] == pytest.approx(OPERATIONS["b"] * 0.25 * 3 * ten_bits * 1e-6)
    assert found.snn["out"] == pytest.approx(OPERATIONS["out"] * 0.5 * 3 * seven_bits * 1e-6)


def test_the_first_layer_in_memory_is_read_once_and_has_no_neurons_there(found):
    workload = chain().workload.with_rates(RATES)
    once = Workload(timesteps=1, layers=workload.layers[:1])
    (parts,) = details([once], "rram_neurosim_45nm")
    products = sum(sum(v) for k, v in parts.energy_uj.items() if k not in ("neuron", "membrane"))
    assert found.in_memory == {"a": pytest.approx(products)}
    totals = found.totals_uj
    moved = totals["SNN"] - found.snn["a"] + products
    assert totals["SNN, first layer in memory"] == pytest.approx(moved)


def test_ratios_are_of_totals(found):
    full, equal, snn, moved = found.totals_uj.values()
    expected = [full / snn, equal / snn, full / moved, equal / moved]
    assert [*found.ratios.values()] == pytest.approx(expected)
    assert full > equal > snn


def test_a_map_that_adds_up_spikes_is_read_bit_by_bit():
    first, second, out = chain().layers
    added = replace(second, skips=("a",), skip_kind="add", peak=2)
    network = replace(chain(), layers=(first, added, replace(out, input_bits=2)))
    one, two = (cnn_energy(each, RATES) for each in (chain(), network))
    assert two.snn["out"] == pytest.approx(2 * one.snn["out"])


def test_groups_of_channels_are_counted_with_their_own_bits():
    first, *others = chain().layers
    grouped = replace(first, weight_bits=8, group_bits=(2, 8))
    network = replace(chain(), layers=(grouped, *others))
    rates = {part.name: (0.5, 0.5) for part in grouped.parts}
    found = cnn_energy(network, rates)
    narrow, wide = (found.quantized_cnn[part.name] for part in grouped.parts)
    # 9 weights at 16 places; 2 x 8 into 14 bits, 8 x 8 into 20
    assert narrow == pytest.approx(144 * (16 * MULTIPLY + ADD_8 + 6 * ADDED_BIT) * 1e-6)
    assert wide == pytest.approx(144 * (64 * MULTIPLY + ADD_8 + 12 * ADDED_BIT) * 1e-6)


def test_the_technology_is_a_digital_one():
    with pytest.raises(RequestError, match="technology: got 'rram_32nm'"):
        cnn_energy(chain(), RATES, technology="rram_32nm")
    scaled = load_chip("digital_horowitz_isscc_2014", {"technology_nm": 22})
    assert cnn_energy(chain(), RATES, scaled).cnn["a"] == pytest.approx(
        OPERATIONS["a"] * 3.2e-6 * 0.2644
    )


def test_a_network_that_needs_time_is_refused():
    with pytest.raises(RequestError, match="from_cnn: got 'a network with 4 frames"):
        cnn_energy(replace(chain(), frames=4), RATES)


def test_inferences_that_end_early_add_less(found):
    early = replace(chain(steps=3, bits=(3, 5, 2)), exit=Exit("time", 0.9))

    less = cnn_energy(early, RATES, ends=(1.0, 0.0, 0.0))

    assert less.cnn == found.cnn
    assert less.snn["a"] == found.snn["a"]  # of the image, once
    assert less.snn["b"] == pytest.approx(found.snn["b"] / 3)
