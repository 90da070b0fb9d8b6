"""Everything that is tried with faults, in one process: `conftest.py` runs it, tests judge it.

Usage: python -m tests.faults.driver SHIM FOLDER RESULTS ONCE LASTING, with the shim preloaded.
"""

import ctypes
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.faults.children import Driver, run_here, use_journal
from tests.faults.circumstances import LOOKS, clock_jumps, read_only, two_at_once
from tests.faults.writes import all_faults


def everything(driver: Driver, once: int, lasting: int) -> dict[str, Any]:
    """All outcomes, by kind."""
    return {
        **circumstances(driver),
        "writes": [asdict(one) for one in all_faults(driver, once, lasting)],
    }


def circumstances(driver: Driver) -> dict[str, Any]:
    """Outcomes of what is no fault of a disk."""
    use_journal("wal")
    whole = driver.whole("parents")
    for name in LOOKS:  # so that nothing is left to import for who may not read the package
        run_here([name, str(whole), "--json"])
    with tempfile.TemporaryDirectory() as public:  # pytest's folders are not for everybody
        Path(public).chmod(0o755)
        readings = {
            "finished": read_only(driver, driver.whole("parents"), Path(public)),
            "stopped": read_only(driver, driver.stopped("parents"), Path(public)),
        }
    starts = (None, driver.stopped("parents"), driver.stopped("parents"))
    return {
        "read_only": readings,
        "two": [two_at_once(driver, whole, "parents", start) for start in starts],
        "clock": list(clock_jumps(driver, whole, "parents")),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)  # so that there is but one thread where processes are forked
    library, folder, results = sys.argv[1:4]
    outcomes = everything(Driver(ctypes.CDLL(library), Path(folder)), *map(int, sys.argv[4:]))
    Path(results).write_text(json.dumps(outcomes))
