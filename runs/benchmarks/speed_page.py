"""Puts the figures of the speed benchmarks into their page, docs/speed.md.

A table of the page stands between ``<!-- NAME -->`` and ``<!-- end -->``; it is made anew from the
JSON file of its benchmark, where there is one.

    python runs/benchmarks/speed_page.py --figures runs/out --page docs/speed.md
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from speed.plans import ORDERS
from speed.programs import OBVIOUS, PACKAGE, REUSING
from speed.report import GIGA, convolution_speeds
from speed.timing import Ratio

Document = Mapping[str, Any]
ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ratio(document: Document) -> str:
    """A ratio as text."""
    return str(Ratio(**document))


def training(document: Document, order: str, what: str = "training") -> str:
    """Milliseconds and ratios of all programs on both networks, of one order of layers."""
    results = {
        one["plan"]["name"]: one for one in document["results"] if one["plan"]["order"] == order
    }
    heading = ["program"]
    for name in results:
        heading += [f"{name}: ms", f"× {OBVIOUS}", f"× {REUSING}"]
    rows = [
        [program, *(cell for one in results.values() for cell in cells(one[what][program]))]
        for program in next(iter(results.values()))[what]
        if all(program in one[what] for one in results.values())
    ]
    return markdown(heading, rows)


def cells(one: Document) -> list[str]:
    """Milliseconds and ratios of a program on a network."""
    faster = one["faster_than"]
    ratios = [ratio(faster[other]) if other in faster else "" for other in (OBVIOUS, REUSING)]
    return [f"{1e3 * median(one['seconds']):.2f}", *ratios]


def shares(document: Document) -> str:
    """Where the speed comes from, by network and order."""
    results = document["results"]
    names = list(dict.fromkeys(name for one in results for name in one["shares"]))
    heading = ["", *(f"{one['plan']['name']}, {one['plan']['order']}" for one in results)]
    rows = [
        [name, *(ratio(one["shares"][name]) if name in one["shares"] else "" for one in results)]
        for name in names
    ]
    return markdown(heading, rows)


def peak(document: Document) -> str:
    """The best convolutions, and what the networks' steps reach of them."""
    passes = [
        [name, f"{one['gflops']:.0f}", shape_of(one)] for name, one in document["peak"].items()
    ]
    best = document["peak"]["training"]["gflops"]
    reached = [
        [
            f"{one['plan']['name']}, {one['plan']['order']}; {what}",
            f"{speed:.0f}",
            f"{speed / best:.0%}",
        ]
        for one in document["results"]
        for what, speed in convolution_speeds(one).items()
    ]
    alone = markdown(["best convolutions, pass", "GFLOP/s", "shape"], passes)
    return alone + "\n" + markdown(["training step", "GFLOP/s", "of the peak"], reached)


def shape_of(one: Document) -> str:
    """The shape of a convolution as text."""
    layout = "channels last" if one["channels_last"] else "channels first"
    return (
        f"{one['channels']} channels, {one['side']}x{one['side']}, {one['images']} images, {layout}"
    )


def growth(document: Document) -> str:
    """How the time of a step grows."""
    rows = [
        [
            f"{row['of']}, {row['what']} {row['value']}",
            f"{1e3 * median(row['seconds'][PACKAGE]):.2f}",
            f"{1e3 * median(row['seconds'][OBVIOUS]):.2f}",
            ratio(row["faster"]),
            f"{row['operations'] / median(row['seconds'][PACKAGE]) / GIGA:.0f}",
        ]
        for row in document["growth"]
    ]
    heading = ["network", f"{PACKAGE}, ms", f"{OBVIOUS}, ms", "faster", f"{PACKAGE}, GFLOP/s"]
    return markdown(heading, rows)


def candidate(document: Document) -> str:
    """What a candidate costs, part by part."""
    from candidate_cost import STEPS, rows

    cells = [[part, f"{time:.2f}", f"{share:.1%}"] for part, time, share in rows(document)]
    return markdown(["part", "ms", f"of the {STEPS}"], cells)


def throughput(document: Document) -> str:
    """Candidates an hour."""
    from throughput import LATER, WHOLE

    rows = [
        [jobs, what, f"{median(one['hourly']):,.0f}", ratio(one["times"])]
        for what in (WHOLE, LATER)
        for jobs, one in document[what].items()
    ]
    return markdown(["workers", "of", "candidates an hour", "× one worker"], rows)


def memory(document: Document) -> str:
    """Peak and growth."""
    after = document["growth"]["mb_after_each_pass"]
    passes = f"after {document['growth']['designs']} candidates, MB"
    rows = [[passes, f"{after[0]:.0f}"]]
    rows.append([f"after {document['growth']['candidates']} candidates, MB", f"{after[-1]:.0f}"])
    if "peak" in document:
        one = document["peak"]
        rows.append(
            [f"peak over {one['candidates']} networks for images, MB", f"{one['peak_mb']:.0f}"]
        )
    return markdown(["memory of a worker", ""], rows)


TABLES: Mapping[str, tuple[str, Callable[[Document], str]]] = {
    **{
        f"training-{order}": ("training_speed", lambda found, order=order: training(found, order))
        for order in ORDERS
    },
    "inference": (
        "training_speed", lambda found: training(found, "average-first", "inference")
    ),
    "shares": ("training_speed", shares),
    "peak": ("training_speed", peak),
    "growth": ("training_speed", growth),
    "candidate": ("candidate_cost", candidate),
    "throughput": ("throughput", throughput),
    "memory": ("memory", memory),
}  # fmt: skip
"""Name of a table in the page → the benchmark whose file it comes from, and how."""


def filled(page: str, figures: Path) -> str:
    """The page with every table whose figures are there.

    Raises:
        KeyError: a block of the page has no table of its name.
    """

    def block(found: re.Match[str]) -> str:
        source, make = TABLES[found["name"]]
        path = figures / f"{source}.json"
        if not path.exists():
            return found[0]
        return found[1] + make(json.loads(path.read_text(encoding="utf-8"))) + found[3]

    return BLOCK.sub(block, page)


def main() -> None:
    """Fill the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--figures", type=Path, default=Path("runs/out"))
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "speed.md")
    arguments = parser.parse_args()
    page = arguments.page.read_text(encoding="utf-8")
    arguments.page.write_text(filled(page, arguments.figures), encoding="utf-8")
    print(arguments.page)


if __name__ == "__main__":
    main()
