"""The global random generators, which no plug-in may depend on."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def seed_global_generators(seed: int) -> None:
    """Bring the global generators to a state; torch's only where it is loaded."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global one is meant
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@contextmanager
def kept_global_generators() -> Iterator[None]:
    """Put the states of the global generators back at the end."""
    torch = sys.modules.get("torch")
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    torchs = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(numpys)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torchs)
