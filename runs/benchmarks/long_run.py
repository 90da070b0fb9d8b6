"""Does a long search slow down or swell? Thousands of candidates whose objective needs no training.

Prints the median seconds of a generation and the memory in use, at the beginning, in the middle and
at the end, and the bytes that a candidate takes in the run's database. The objectives pull against
each other, so that the front is large.

    python runs/benchmarks/long_run.py --candidates 2000
"""

import argparse
import json
import logging
import resource
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import evo_snn

POPULATION = 40
AT_ONCE = 5  # generations that a figure is the median of
PLUGIN = '''
import evo_snn

@evo_snn.objective(maximise=True, needs="cost")
def neurons_per_crossbar(candidate):
    """Neurons that share a crossbar."""
    return sum(layer.neurons for layer in candidate.workload.layers) / candidate.cost.crossbars
'''


def configuration(folder: Path, candidates: int) -> dict[str, Any]:
    """A search of so many candidates, in this process."""
    plugin = folder / "cheap.py"
    plugin.write_text(PLUGIN, encoding="utf-8")
    names = ["area_mm2", "latency_ms", "operations", "neurons_per_crossbar"]
    return {
        "data": {"name": "digits"},
        "search": {
            "space": "plain",
            "population": POPULATION,
            "generations": max(1, candidates // POPULATION),
        },
        # so that the smallest network of all does not win everything
        "constraints": {"operations": {"min": 1e4}},
        "objectives": {"names": names, "plugins": [str(plugin)]},
        "workers": {"jobs": 1, "backend": "sequential"},
    }


def peak_mb() -> float:
    """The most memory that this process has had, in 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


class _Peaks(logging.Handler):
    """The peak memory at each generation, which a search logs."""

    def __init__(self) -> None:
        super().__init__()
        self.mb: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note it for a finished generation."""
        if record.msg.startswith("generation "):
            self.mb.append(peak_mb())


def measured(candidates: int) -> dict[str, Any]:
    """The figures of one run."""
    peaks = _Peaks()
    logger = logging.getLogger("evo_snn")
    logger.addHandler(peaks)
    logger.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = evo_snn.evolve(configuration(folder, candidates), folder / "run")
        table, front = run.generations(), len(run.front())
        stored = int(table["evaluations"].iloc[-1])
        size = (run.folder / "run.sqlite").stat().st_size
    logger.removeHandler(peaks)
    seconds = table["seconds"].tolist()
    middle = len(seconds) // 2
    return {
        "candidates": stored,
        "front": front,
        "bytes_a_candidate": size / stored,
        "seconds_a_generation": {
            "first": median(seconds[1 : 1 + AT_ONCE]),
            "middle": median(seconds[middle : middle + AT_ONCE]),
            "last": median(seconds[-AT_ONCE:]),
        },
        "peak_mb": {"first": peaks.mb[0], "middle": peaks.mb[middle], "last": peaks.mb[-1]},
    }


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--candidates", type=int, default=2000)
    print(json.dumps(measured(parser.parse_args().candidates), indent=2))


if __name__ == "__main__":
    main()
