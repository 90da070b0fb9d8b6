"""The space of SpikeNAS-Bench, against its tables where they are there."""

from pathlib import Path

import numpy as np
import pytest

from genomes.architecture import Link
from genomes.spaces import make_space
from genomes.wiring import FORWARD, living
from tests.genomes.by_name import genome_of
from tests.genomes.many import check_many_genomes

TABLES = Path(__file__).parents[3] / "shared" / "tables"


@pytest.fixture(scope="module")
def table():
    """Genes and millions of parameters of every row."""
    path = TABLES / "spikenas_cost.npz"
    if not path.is_file():
        pytest.skip(f"the benchmark's tables are not in {TABLES}")
    with np.load(path) as arrays:
        column = arrays["objective_names"].tolist().index("parameters_million")
        return arrays["genes"], arrays["objectives"][:, column]


def space_of(**options):
    return make_space("spikenas_bench", (3, 32, 32), 10, options)


def test_six_genes_and_nothing_else():
    genes = space_of().genes

    assert [gene.name for gene in genes] == [
        f"cell.edge{pair}" for pair in ("01", "02", "03", "12", "13", "23")
    ]
    assert {gene.choices for gene in genes} == {("none", "skip", "conv0.5", "conv1.0", "conv1.5")}
    assert {gene.kind for gene in genes} == {"categorical"}


def test_rows_are_those_of_the_table(table):
    space = space_of()
    genes, _ = table

    assert len(genes) == np.prod(space.choices) == 15625
    assert [space.row(genome) for genome in genes] == list(range(15625))


def test_parameters_grow_as_in_the_table(table):
    """All but a constant, which is the benchmark's larger read-out."""
    space = space_of()
    genes, millions = table
    rows = [k for k, genome in enumerate(genes) if _all_have_a_path(genome)]
    rng = np.random.default_rng(0)
    ours = {k: space.decode(genes[k]).parameters for k in rng.choice(rows, 100, replace=False)}
    offsets = {round(millions[k] * 1e6 - parameters, -1) for k, parameters in ours.items()}

    assert len({space.canonical(genes[k]).tobytes() for k in ours}) > 50
    assert max(offsets) - min(offsets) <= 10  # the table has single precision


def _all_have_a_path(genome):
    links = {pair for pair, value in zip(FORWARD, genome, strict=True) if value}
    return bool(links) and all(living(links) >= set(pair) for pair in links)


def test_thresholds_are_those_of_the_neurons_that_a_link_reads():
    space = make_space("spikenas_bench", (1, 8, 8), 10, {"widths": 4, "stages": 1})
    values = {"cell.edge01": "conv1.5", "cell.edge02": "conv0.5", "cell.edge03": "conv1.0"}
    values |= {"cell.edge23": "skip", "cell.edge13": "conv0.5"}
    network = space.decode(genome_of(space, **values))
    thresholds = {node.name: node.neuron and node.neuron.threshold for node in network.nodes}

    # node 2 only passes its current on, but node 3 has a link from node 0 already
    assert thresholds == {
        "cell1.node0": 1.0,
        "cell1.node0.at0.5": 0.5,
        "cell1.node0.at1.5": 1.5,
        "cell1.node1": None,
        "cell1.node1.at0.5": 0.5,
        "cell1.node2": None,
        "cell1.node3": 1.0,
    }
    assert {layer.name: layer.source for layer in network.layers} == {
        "stem": "input",
        "cell1.edge01": "cell1.node0.at1.5",
        "cell1.edge02": "cell1.node0.at0.5",
        "cell1.edge03": "cell1.node0",
        "cell1.edge13": "cell1.node1.at0.5",
        "readout": "cell1.node3",
    }
    nodes = {node.name: node.links for node in network.nodes}
    assert nodes["cell1.node0.at0.5"] == (Link("cell1.node0"),)
    # three populations behind the stem's current, one behind edge 0-1; the other edges' currents
    # meet in node 3: node 2 is edge 0-2's, node 3 adds two more to edge 0-3's
    loads = {layer.name: (layer.populations, layer.current_inputs, layer.neuron_state_bits)
             for layer in network.workload.layers}  # fmt: skip
    assert loads["stem"] == (3, 0, 12)
    assert loads["cell1.edge01"] == (1, 0, 12)
    assert loads["cell1.edge02"] == (1, 0, 0)
    assert loads["cell1.edge03"] == (1, 2, 12)
    assert network.workload.layers[0].neurons == 3 * 4 * 64


def test_what_is_given_several_values_is_a_gene_behind_the_six():
    space = space_of(widths=[4, 8], weight_bits=[4, 8], time_steps=[3, 5], leaks=[0.5, 0.75])
    names = [gene.name for gene in space.genes]

    assert names[:6] == [gene.name for gene in space_of().genes]
    assert set(names[6:]) == {
        "width",
        "time_steps",
        "leak",
        *(f"{one}.weight_bits" for one in ("stem", "reduction1", "readout")),
        *(f"cell{k}.edge{i}{j}.weight_bits" for k in (1, 2) for i, j in FORWARD),
    }
    network = space.decode(genome_of(space, **{"cell.edge03": "conv0.5", "width": 8}))
    assert network.layers[0].out_channels == 8
    assert network.time_steps == 3


EVERYTHING = {
    "widths": [2, 3],
    "growths": [1, 2],
    "stages": [1, 2],
    "repeats": [1, 2],
    "stem_pools": ["none", "average"],
    "neurons": ["lif_box", "lif", "iaf"],
    "leaks": [0.5, 0.75],
    "thresholds": [0.5, 1.0],
    "weight_bits": [1, 4, 8],
    "quantizers": ["uniform", "power_of_two"],
    "time_steps": [1, 5],
    "resets": ["hard", "subtract"],
    "state_bits": [6, 12],
}

ALL_GENES = EVERYTHING | {
    "codings": ["direct", "rate", "phase", "radix"],
    "first_layers": ["memory", "digital"],
    "time_exits": ["off", "on"],
    "depth_exits": ["off", "on"],
    "exit_confidences": [0.8, 0.9],
    "removed_columns": [0.0, 0.5],
}


@pytest.mark.parametrize("options", [{}, ALL_GENES])
def test_many_genomes(options):
    check_many_genomes(make_space("spikenas_bench", (3, 8, 8), 4, options))
