"""Designed samples: blocks that differ by one choice, random bases, patterns, keys to write."""

from itertools import pairwise

import numpy as np
import pytest

from evo_snn.ablation_design import Design, DesignedSample, Record, make_design
from evo_snn.chip_genes import ChipGenes, chip_genes
from evo_snn.config import HardwareSection
from evo_snn.design_space import DesignSpace
from genomes.errors import RequestError
from genomes.genes import role_of
from genomes.spaces import OWN_SPACES, make_space
from hardware import load_chip


def everything(genomes):
    return np.ones(len(genomes), dtype=bool)


def designs(options, **chips):
    network = make_space("plain", (1, 8, 8), 10, options)
    if chips:
        return DesignSpace(network, chip_genes(HardwareSection(chip="rram_32nm", genes=chips)))
    return DesignSpace(network, ChipGenes(load_chip("rram_32nm")))


SPACE = designs({"max_stages": 3, "widths": [4, 8]})
SINGLE = {
    "max_stages": 1, "max_blocks": 1, "widths": [4, 8], "kernels": [1], "neurons": ["iaf"],
    "pools": ["none"], "skips": ["none"], "thresholds": [0.5], "weight_bits": [2],
    "time_steps": [2],
}  # fmt: skip


def design(space=SPACE, patterns=("*",), bases=12, seed=3) -> Design:
    return make_design(space, patterns, bases, seed, everything)


def genomes_by_key(found, space=SPACE):
    return {space.key(one): np.array(one) for sample in found.samples for one in sample}


def test_members_of_a_block_differ_by_its_gene_alone():
    found = design()
    genomes = genomes_by_key(found)
    for block in found.record.blocks:
        role = found.record.roles[block.role]
        assert len(block.keys) == len(role.choices)
        assert SPACE.key(found.bases[block.base]) in block.keys
        members = [SPACE.describe(genomes[key]) for key in block.keys]
        assert [member[block.gene] for member in members] == list(role.choices)
        for one, other in pairwise(members):
            common = (set(one) & set(other)) - {block.gene}
            assert {name: one[name] for name in common} == {name: other[name] for name in common}


def test_a_base_has_one_block_of_each_role_that_it_feels():
    found = design(bases=20)
    names = [role.name for role in found.record.roles]
    assert "stage.block.weight_bits" in names
    assert "time_steps" in names
    for number, base in enumerate(found.bases):
        mine = [block for block in found.record.blocks if block.base == number]
        felt = list(SPACE.describe(base))
        many = [role for role in found.record.roles if set(role.genes) & set(felt)]
        assert [found.record.roles[block.role].name for block in mine] == [one.name for one in many]
        for block, role in zip(mine, many, strict=True):
            assert block.among == len(set(role.genes) & set(felt))
            assert block.gene in felt


def test_genes_of_a_role_are_drawn_alike():
    found = design(patterns=["stage.width"], bases=150)
    three = [block for block in found.record.blocks if block.among == 3]
    counts = [sum(block.gene == f"stage{k}.width" for block in three) for k in (1, 2, 3)]
    assert sum(counts) == len(three) > 30
    assert min(counts) > len(three) / 6


def test_what_a_choice_wakes_is_random_and_the_same_in_all_members():
    found = design(patterns=["stages"], bases=30)
    genomes = genomes_by_key(found)
    woken = []
    for block in found.record.blocks:
        if SPACE.describe(found.bases[block.base])["stages"] == 1:
            two, three = (SPACE.describe(genomes[key]) for key in block.keys[1:])
            assert two["stage2.block1.kernel"] == three["stage2.block1.kernel"]
            woken.append(two["stage2.block1.kernel"])
    assert set(woken) == {1, 3, 5}


def test_a_larger_design_begins_with_the_smaller_one_and_seeds_differ():
    small, large = design(bases=4), design(bases=7)
    assert large.bases[:4] == small.bases
    assert large.samples[:4] == small.samples
    assert large.record.blocks[: len(small.record.blocks)] == small.record.blocks
    assert not set(design(seed=4).bases) & set(large.bases)


def test_the_sample_is_asked_base_by_base_with_the_bases_seed():
    found = design(bases=3)
    algorithm = DesignedSample(found)
    for base, sample in zip(found.bases, found.samples, strict=True):
        asked = algorithm.ask()
        assert [one.genome for one in asked] == list(sample)
        assert sample[0] == base
        assert {one.twin for one in asked} == {base}
        assert {one.parents for one in asked} == {()}
    assert algorithm.ask() == []


def test_bases_are_different_and_end_with_the_space():
    space = designs(SINGLE | {"widths": [4, 8, 12]})
    found = design(space, bases=10)
    assert len(found.bases) == 3
    assert found.candidates == 3


def test_bases_are_within_the_budgets_where_they_can_be():
    def small(genomes):
        return np.array([SPACE.describe(one)["stages"] == 1 for one in genomes], dtype=bool)

    found = make_design(SPACE, ["time_steps"], 10, 0, small)
    assert {SPACE.describe(base)["stages"] for base in found.bases} == {1}


@pytest.mark.parametrize(
    ("pattern", "genes"),
    [
        ("stage2.pool", {"stage2.pool"}),
        ("*.pool", {"stage1.pool", "stage2.pool", "stage3.pool"}),
        ("stage.pool", {"stage1.pool", "stage2.pool", "stage3.pool"}),
        ("leak", {"leak"}),
    ],
)
def test_patterns_name_genes_or_roles(pattern, genes):
    (role,) = design(patterns=[pattern], bases=2).record.roles
    assert set(role.genes) == genes
    assert role.name == role_of(pattern).replace("*", "stage")


def test_a_pattern_that_nothing_has_names_the_nearest():
    with pytest.raises(RequestError, match=r"--genes.*stage1\.pol.*stage1\.pool"):
        design(patterns=["stage1.pol"])


def test_genes_of_one_choice_cannot_be_measured():
    with pytest.raises(RequestError, match="two choices"):
        design(designs(SINGLE), patterns=["neuron"])


def test_unmeasured_genes_of_a_key_are_recorded():
    record = design(patterns=["stage1.*"], bases=2).record
    assert record.unmeasured["readout.weight_bits"] == "space.weight_bits"
    assert record.unmeasured["stage.block.weight_bits"] == "space.weight_bits"
    assert record.unmeasured["stages"] == "space.max_stages"
    assert "stage.pool" in record.unmeasured  # of the other stages


def test_chips_that_cannot_be_made_have_no_member():
    # 100 rows at once are too many for 64: one of the two genes would have to move
    genes = {"crossbar_rows": (64, 128), "rows_per_read": (16, 100), "adc_kind": ("sar", "flash")}
    space = designs({}, **genes)
    found = design(space, ["chip.*"], bases=30)
    names = [role.name for role in found.record.roles]
    missing = {names[one.role] for one in found.record.blocks if None in one.keys}
    assert missing == {"chip.crossbar_rows", "chip.rows_per_read"}
    assert [role.key for role in found.record.roles] == [f"hardware.genes.{key}" for key in genes]
    for block in found.record.blocks:
        assert space.key(found.bases[block.base]) in block.keys


def test_cells_that_are_written_otherwise_are_the_same_cells():
    """In ``cell`` equal networks have many genomes; each member has a key all the same."""
    network = make_space("cell", (1, 8, 8), 10, {})
    space = DesignSpace(network, ChipGenes(load_chip("rram_32nm")))
    found = design(space, ["cell.edge"], bases=25)
    (role,) = found.record.roles
    assert role.key == "space.operations"
    assert role.choices == ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")
    assert len(found.record.blocks) == 25
    for block in found.record.blocks:
        assert None not in block.keys
        assert space.key(found.bases[block.base]) in block.keys
    # most choices make a difference; on a path that leads nowhere some make none
    assert sum(len(set(block.keys)) >= 4 for block in found.record.blocks) > 12


def test_a_record_is_kept_as_json_and_read_back():
    record = design(bases=3).record
    assert Record.of_run(record.model_dump(mode="json")) == record
    with pytest.raises(RequestError, match="evo-snn ablate"):
        Record.of_run({"roles": "none"})
    with pytest.raises(RequestError, match="evo-snn ablate"):
        Record.of_run(None)


@pytest.mark.parametrize("name", sorted(OWN_SPACES))
def test_every_gene_of_our_spaces_has_its_key(name):
    space = DesignSpace(
        make_space(name, OWN_SPACES[name].example_shape, 3), ChipGenes(load_chip("rram_32nm"))
    )
    fixed = {"spikenas_bench": {"cell.edge"}}  # the operations of its tables
    for gene in space.genes:
        if role_of(gene.name) in fixed.get(name, ()):
            assert not space.configured_by(gene)
            continue
        section, _, option = space.configured_by(gene).partition(".")
        value = getattr(space.options, option)
        assert section == "space"
        if isinstance(value, int):
            assert max(gene.choices) == value
        else:
            assert set(gene.choices) <= {*value, *space.input_shape}
