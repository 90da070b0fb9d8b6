"""Genes: what they refuse, and what lies one move away."""

import pytest

from genomes.genes import Gene, role_of


def test_an_ordered_gene_moves_one_step():
    gene = Gene("width", (4, 8, 16, 32))

    assert gene.kind == "ordered"
    assert len(gene) == 4
    assert [gene.alternatives(k) for k in range(4)] == [(1,), (0, 2), (1, 3), (2,)]


def test_a_categorical_gene_moves_to_every_other_choice():
    gene = Gene("neuron", ("lif", "iaf", "lif_box"), "categorical")

    assert [gene.alternatives(k) for k in range(3)] == [(1, 2), (0, 2), (0, 1)]


@pytest.mark.parametrize("kind", ["ordered", "categorical"])
def test_a_gene_of_one_choice_has_nowhere_to_go(kind):
    assert Gene("pool", ("none",), kind).alternatives(0) == ()


def test_a_gene_needs_a_choice():
    with pytest.raises(ValueError, match="'width' needs at least one choice"):
        Gene("width", ())


def test_a_choice_may_stand_there_once():
    with pytest.raises(ValueError, match=r"'width' has a choice twice: \(4, 8, 4\)"):
        Gene("width", (4, 8, 4))


def test_a_gene_is_immutable_and_comparable():
    gene = Gene("width", (4, 8))

    with pytest.raises(AttributeError):
        gene.choices = (1,)
    assert gene == Gene("width", (4, 8))
    assert gene != Gene("width", (4, 8), "categorical")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("stage2.block1.weight_bits", "stage.block.weight_bits"),
        ("cell1.edge12", "cell.edge"),
        ("cell2.edge_0_3", "cell.edge"),
        ("readout.weight_bits", "readout.weight_bits"),
        ("time_steps", "time_steps"),
        ("2.kernel", "2.kernel"),
        ("conv3x3.width", "conv3x.width"),
    ],
)
def test_a_role_is_a_name_without_the_numbers_of_its_slot(name, role):
    assert role_of(name) == role
