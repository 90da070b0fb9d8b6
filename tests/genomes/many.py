"""What holds for many random genomes of any space."""

import json

import numpy as np

from genomes.architecture import Architecture
from hardware import totals
from tests.counts import count


def check_many_genomes(space):
    """Keys and networks are one to one, canonical forms their own, and costs finite."""
    rows = np.random.default_rng(0).integers(0, space.choices, (count(100, 2000), len(space.genes)))
    networks, found = {}, []
    for genome in rows:
        canonical = space.canonical(genome)
        network = space.decode(genome)
        found.append(network.workload)
        assert np.array_equal(space.canonical(canonical), canonical)
        assert not canonical[~space.active(canonical)].any()
        text = json.dumps(network.describe())
        assert networks.setdefault(text, space.key(genome)) == space.key(genome)
        assert Architecture.from_description(json.loads(text)) == network
    assert len(set(networks.values())) == len(networks)
    assert all(np.isfinite(values).all() for values in totals(found).values())
