"""Genomes from choices by gene name."""


def genome_of(space, **values):
    """The genome with these choices by gene name; the first choice of every other gene."""
    unknown = values.keys() - {gene.name for gene in space.genes}
    assert not unknown, unknown
    return [
        gene.choices.index(values[gene.name]) if gene.name in values else 0 for gene in space.genes
    ]
