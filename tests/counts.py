"""How many random examples a test tries."""

import os


def count(usual, long):
    """``long`` with ``make test-long``, which sets EVO_SNN_LONG."""
    return long if os.environ.get("EVO_SNN_LONG") else usual
