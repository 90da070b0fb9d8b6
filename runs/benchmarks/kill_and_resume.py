"""A drill: a search is killed again and again, and has to end as one that nobody touched.

For every algorithm and inheritance strategy, one run is left alone; another has its driver killed
(SIGKILL) at random moments, each time resumed, with another number of workers each time; another
has its worker processes killed while it goes on; one ends after half of its generations and is
extended; others have other workers. All must be equal bit for bit: candidates, front, hypervolumes,
and the SHA-256 of every file of weights that is kept.

    python runs/benchmarks/kill_and_resume.py --driver-kills 10 --worker-kills 5
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from evo_snn.config_file import load_config, to_toml
from evo_snn.run import Run
from evo_snn.search import evolve, resume
from evo_snn.store import Store

ALGORITHMS = ("nsga2", "sms-emoa")
STRATEGIES = ("none", "parents", "shared", "nearest")
COMMAND = (sys.executable, "-m", "evo_snn")
ALONE = {"workers.backend": "sequential", "workers.jobs": 1}
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SMALL = {
    "data": {"name": "digits"},
    "search": {"space": "plain", "population": 8, "offspring": 6, "seed": 3},
    "space": {"max_stages": 2, "max_blocks": 2, "widths": [4, 8], "time_steps": [2, 3]},
    "training": {"steps": 20, "batch_size": 32, "evaluations": 2},
    "workers": {"jobs": 2, "backend": "loky"},
}


def contents(folder: Path) -> tuple[object, ...]:
    """Everything of a run that has to be equal, whatever happened to it."""
    run = Run(folder)
    with Store.open(folder) as store:
        generations = [(one.number, one.keys, one.hypervolume) for one in store.generations()]
        candidates = [
            replace(one, seconds={}, circumstances={}, failure=None) for one in store.candidates()
        ]
        weights = store.weights_digests()
        damaged = store.damaged_weights()
    return candidates, run.front()["key"].tolist(), generations, weights, damaged


def killed_drivers(config: Path, folder: Path, kills: int, rng: random.Random) -> list[int]:
    """Kill the driver of a run so often, resuming it in between; evaluations stored at each."""
    stored = []
    evolving = [*COMMAND, "evolve", str(config), "--out", str(folder), "--no-figures"]
    for number in range(kills):
        jobs = ["--jobs", str(1 + number % 3)]
        started = (folder / "run.sqlite").exists()
        going_on = [*COMMAND, "resume", str(folder), "--no-figures"]
        command = [*(going_on if started else evolving), *jobs]
        driver = subprocess.Popen(command, **QUIET)  # noqa: S603 - our own command
        before = evaluated(folder)
        if number % 4:  # three of four die at work, the others while they start
            while driver.poll() is None and evaluated(folder) == before:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 0.7))
        else:
            time.sleep(rng.uniform(0, 5))
        driver.kill()
        driver.wait()
        stored.append(evaluated(folder))
    return stored


def evaluated(folder: Path) -> int:
    """How many candidates a run has stored."""
    return len(Run(folder).candidates()) if (folder / "run.sqlite").exists() else 0


def killed_workers(config: Path, folder: Path, kills: int, rng: random.Random) -> int:
    """Kill worker processes of a run that goes on; how many were killed."""
    evolving = [*COMMAND, "evolve", str(config), "--out", str(folder), "--no-figures"]
    driver = subprocess.Popen(evolving, **QUIET)  # noqa: S603 - our own command
    killed = before = 0
    while driver.poll() is None:
        # a candidate that is killed whenever it is tried has to fail: let something come of it;
        # two, since one may have been on its way to the disk when the last worker was killed
        if killed < kills and evaluated(folder) > before + 1:
            time.sleep(rng.uniform(0, 1))
            workers = children(driver.pid)
            if workers:
                killed += kill(rng.choice(workers))
                before = evaluated(folder)  # not earlier: what is stored meanwhile is no sign
        time.sleep(0.1)
    return killed


def children(process: int) -> list[int]:
    """Worker processes of a driver (Linux); loky's own helper processes are no workers."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
        found = [int(each) for each in text.split()]
        return [one for one in found if b"loky" in Path(f"/proc/{one}/cmdline").read_bytes()
                and b"tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()]  # fmt: skip
    except OSError:
        return []


def kill(process: int) -> bool:
    """Kill a process; whether it was there."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def failures(folder: Path) -> list[str]:
    """What became of the candidates of a run that failed: killed too often, or for good."""
    if not (folder / "run.sqlite").exists():
        return []
    with Store.open(folder) as store:
        failed = [one for one in store.candidates() if one.state == "failed"]
    return [f"  {one.key} failed: {one.circumstances}\n" for one in failed]


def compared(config: Path, place: Path, arguments: argparse.Namespace) -> dict[str, bool]:
    """What was done to a run → whether it ended as the one that was left alone."""
    rng = random.Random(arguments.seed)  # noqa: S311 - moments, not secrets
    evolve(config, place / "alone", overrides=ALONE)
    expected = contents(place / "alone")
    equal = {}
    if arguments.driver_kills:
        stored = killed_drivers(config, place / "driver", arguments.driver_kills, rng)
        if not stored[-1]:  # it never came so far as to make its folder
            evolve(config, place / "driver")
        resume(place / "driver", jobs=2)
        equal[f"driver killed with {stored} evaluated"] = contents(place / "driver") == expected
    if arguments.worker_kills:
        killed = killed_workers(config, place / "workers", arguments.worker_kills, rng)
        equal[f"{killed} workers killed"] = contents(place / "workers") == expected
    half = arguments.generations // 2
    evolve(config, place / "longer", generations=half, overrides=ALONE)
    resume(place / "longer", generations=arguments.generations)
    equal[f"{half} generations, then {arguments.generations}"] = (
        contents(place / "longer") == expected
    )
    for backend, jobs in arguments.workers:
        folder = place / f"{backend}-{jobs}"
        evolve(config, folder, jobs=int(jobs), overrides={"workers.backend": backend})
        equal[f"{backend} {jobs}"] = contents(folder) == expected
    return equal


def drill(folder: Path, arguments: argparse.Namespace) -> bool:
    """Lines for each combination; whether all were equal."""
    all_equal = True
    for algorithm in arguments.algorithms:
        for strategy in arguments.strategies:
            place = folder / f"{algorithm}-{strategy}"
            place.mkdir()
            settings = {
                "search.generations": arguments.generations,
                "search.algorithm": algorithm,
                "inheritance.strategy": strategy,
                "ladder.rungs": arguments.rungs,
            }
            config = place / "config.toml"
            config.write_text(to_toml(load_config(SMALL, settings)), encoding="utf-8")
            for what, equal in compared(config, place, arguments).items():
                result = "equal" if equal else "DIFFERENT"
                print(f"{algorithm:9} {strategy:8} {what}: {result}", flush=True)
                all_equal = all_equal and equal
            print(*failures(place / "workers"), sep="\n", end="", flush=True)
    return all_equal


def main() -> None:
    """Run the drill; exit status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--driver-kills", type=int, default=10)
    parser.add_argument("--worker-kills", type=int, default=5)
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--rungs", type=int, default=1, help="of the ladder in each generation")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument(
        "--workers",
        nargs="*",
        type=lambda text: text.split(":"),
        default=[["loky", "1"], ["loky", "2"], ["loky", "3"], ["threading", "2"]],
        metavar="BACKEND:JOBS",
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        equal = drill(Path(folder), arguments)
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
