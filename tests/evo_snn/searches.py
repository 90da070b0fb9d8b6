"""Tiny searches on real digits, and what of a run has to be equal bit for bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evo_snn.run import Run
from evo_snn.search import evolve
from evo_snn.store import Store

TINY: Mapping[str, Any] = {
    "data": {"name": "digits"},
    "search": {"space": "plain", "population": 6, "offspring": 4, "generations": 4, "seed": 1},
    "space": {"max_stages": 2, "max_blocks": 2, "widths": [4, 8], "time_steps": [2, 3]},
    "training": {"steps": 4, "batch_size": 32, "evaluations": 2},
    "inheritance": {"strategy": "parents"},
    "workers": {"jobs": 1, "backend": "sequential"},
}


def search(folder: Path, **overrides: Any) -> Run:
    keys = {name.replace("__", "."): value for name, value in overrides.items()}
    return evolve(TINY, folder, overrides=keys)


def assert_equal_runs(one: Run | Path, other: Run | Path) -> None:
    """Equal in everything that was measured, chosen and kept; timings are no part of it."""
    first, second = (Run(each) if isinstance(each, Path) else each for each in (one, other))
    pd.testing.assert_frame_equal(first.candidates(), second.candidates(), check_exact=True)
    pd.testing.assert_frame_equal(first.front(), second.front(), check_exact=True)
    assert first.hypervolume_box == second.hypervolume_box
    with Store.open(first.folder) as a, Store.open(second.folder) as b:
        assert [(g.number, g.keys, g.hypervolume) for g in a.generations()] == [
            (g.number, g.keys, g.hypervolume) for g in b.generations()
        ]
        assert a.weights_digests() == b.weights_digests()
        assert a.shared_bank_generation() == b.shared_bank_generation()
        assert not a.damaged_weights()
        for left, right in zip(a.candidates(), b.candidates(), strict=True):
            assert (left.workload, left.architecture) == (right.workload, right.architecture)
            assert left.violations == right.violations
