"""Seeds: every random draw of a run comes from a generator seeded here."""

from __future__ import annotations

import numpy as np


def derived_seed(run_seed: int, key: str) -> int:
    """The seed of one candidate's evaluation, from the run's seed and the candidate's key.

    Args:
        run_seed: 0 or more.
        key: hexadecimal digits.
    """
    sequence = np.random.SeedSequence([run_seed, int(key, 16)])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
