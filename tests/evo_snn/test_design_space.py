"""The space of a search: networks and chips as one genome."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.chip_genes import ChipGenes, chip_genes
from evo_snn.config import HardwareSection
from evo_snn.design_space import DesignSpace
from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.spaces import make_space
from hardware import load_chip

NETWORKS = make_space("plain", (1, 8, 8), 10, {"max_stages": 2, "widths": [4, 8]})
TINY = make_space(
    "plain",
    (1, 8, 8),
    10,
    {"max_stages": 1, "max_blocks": 1, "widths": [4, 8], "kernels": [1], "neurons": ["iaf"],
     "pools": ["none"], "skips": ["none"], "thresholds": [0.5], "weight_bits": [2],
     "time_steps": [2]},
)  # fmt: skip


def chips(**genes):
    return chip_genes(HardwareSection(chip="rram_32nm", genes=genes))


# 100 rows at once are too many for 64.
CHIPS = chips(crossbar_rows=(64, 128), rows_per_read=(16, 100), adc_kind=("sar", "flash"))
SPACE = DesignSpace(NETWORKS, CHIPS)
PLAIN = DesignSpace(NETWORKS, ChipGenes(load_chip("rram_32nm")))


@st.composite
def genomes(draw, space=SPACE):
    return np.array([draw(st.integers(0, int(n) - 1)) for n in space.choices])


@given(genomes(PLAIN))
def test_without_chip_genes_it_is_the_networks_space(genome):
    assert PLAIN.key(genome) == NETWORKS.key(genome)
    assert PLAIN.canonical(genome).tolist() == NETWORKS.canonical(genome).tolist()
    assert PLAIN.describe(genome) == NETWORKS.describe(genome)
    assert PLAIN.neighbours(genome).tolist() == NETWORKS.neighbours(genome).tolist()
    assert PLAIN.decode(genome) == NETWORKS.decode(genome)
    assert PLAIN.chip(genome) is PLAIN.chips.base


def test_without_chip_genes_samples_are_the_networks():
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    assert PLAIN.sample(30, one).tolist() == NETWORKS.sample(30, other).tolist()
    assert one.bit_generator.state == other.bit_generator.state
    assert PLAIN.description() == NETWORKS.description()


@given(genomes())
def test_canonical_forms_and_keys_are_of_network_and_chip(genome):
    canonical = SPACE.canonical(genome)
    assert SPACE.canonical(canonical).tolist() == canonical.tolist()
    assert SPACE.key(genome) == SPACE.key(canonical)
    assert SPACE.chip(genome) is SPACE.chip(canonical)
    assert SPACE.decode(genome) == NETWORKS.decode(SPACE.network_part(genome))
    assert SPACE.active(genome)[-3:].all()
    described = SPACE.describe(genome)
    assert described["chip.crossbar_rows"] == SPACE.chip(genome).number("crossbar_rows")
    assert described["chip.rows_per_read"] <= described["chip.crossbar_rows"]
    assert set(NETWORKS.describe(SPACE.network_part(genome))) < set(described)


@given(genomes(), genomes())
def test_equal_networks_on_equal_chips_are_one_design(one, other):
    mixed = np.concatenate([SPACE.network_part(one), other[-3:]])
    same = SPACE.describe(mixed) == SPACE.describe(one)
    assert (SPACE.key(mixed) == SPACE.key(one)) == same
    assert (SPACE.canonical(mixed).tolist() == SPACE.canonical(one).tolist()) == same


def test_a_key_holds_values_and_not_their_places():
    fewer = DesignSpace(NETWORKS, chips(cell_bits=(1, 2)))
    more = DesignSpace(NETWORKS, chips(cell_bits=(1, 2, 3)))
    other = DesignSpace(NETWORKS, chips(columns_per_adc=(1, 2)))
    genome = [0] * len(fewer.genes)
    assert fewer.key(genome) == more.key(genome)
    assert len({fewer.key(genome), other.key(genome), NETWORKS.key(genome[:-1])}) == 3


@pytest.mark.parametrize("count", [1, 7, 200])
def test_samples_are_different_designs_with_every_choice_of_the_chip(count):
    drawn = SPACE.sample(count, np.random.default_rng(0))
    assert drawn.shape == (count, len(SPACE.genes))
    assert len({row.tobytes() for row in drawn}) == count
    for row in drawn:
        assert SPACE.canonical(row).tolist() == row.tolist()
    if count == 200:
        made = {tuple(row[-3:].tolist()) for row in drawn}
        assert made == set(map(tuple, CHIPS.allowed.tolist()))
    again = SPACE.sample(count, np.random.default_rng(0))
    assert drawn.tolist() == again.tolist()


def test_a_space_of_few_networks_is_drawn_whole():
    space = DesignSpace(TINY, chips(cell_bits=(1, 2), columns_per_adc=(4, 8)))
    assert len(TINY.sample(99, np.random.default_rng(0))) == 2
    assert len(space.sample(99, np.random.default_rng(0))) == 2 * 4
    assert len(space.sample(5, np.random.default_rng(0))) == 5


@given(genomes())
def test_neighbours_are_one_move_away(genome):
    start = SPACE.canonical(genome)
    found = SPACE.neighbours(genome)
    keys = {SPACE.key(one) for one in found}
    assert len(keys) == len(found)
    assert SPACE.key(start) not in keys
    for one in found:
        assert SPACE.canonical(one).tolist() == one.tolist()
        moved = one[:-3].tolist() != start[:-3].tolist()
        assert moved != (one[-3:].tolist() != start[-3:].tolist())  # of the network or of the chip
    networks = NETWORKS.neighbours(SPACE.network_part(start))
    assert len(found) > len(networks)


def test_the_chips_genes_stand_in_the_description():
    described = SPACE.description()
    assert described["name"] == "plain"
    assert described["genes"][-1] == {
        "name": "chip.adc_kind", "kind": "categorical", "choices": ["sar", "flash"]
    }  # fmt: skip
    assert described["genes"][:-3] == NETWORKS.description()["genes"]


def test_a_gene_of_the_network_keeps_its_name():
    class Odd(type(NETWORKS)):
        genes = (Gene("chip.cell_bits", (1, 2)),)

    odd = Odd((1, 8, 8), 10, NETWORKS.options)
    with pytest.raises(RequestError, match=r"hardware\.genes: got 'chip\.cell_bits'"):
        DesignSpace(odd, chips(cell_bits=(1, 2)))


def test_wrong_genomes_are_refused():
    genome = np.zeros(len(SPACE.genes), dtype=int)
    for wrong in (genome[:-1], [*genome, 0], np.full_like(genome, 99)):
        for method in (SPACE.key, SPACE.decode, SPACE.canonical, SPACE.chip):
            with pytest.raises(RequestError, match="genome"):
                method(wrong)
