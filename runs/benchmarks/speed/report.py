"""Tables of what was measured, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median
from typing import Any

from rich.table import Table

from speed.plans import ORDERS
from speed.programs import CONVOLUTIONS, DEPLOYABLE, OBVIOUS, PACKAGE
from speed.timing import Ratio

GIGA = 1e9

Document = Mapping[str, Any]


def tables(found: Document, peak: Document | None) -> list[Table]:
    """Training, inference and shares of one plan, as far as they were measured.

    Args:
        found: of `training_speed.measured`.
        peak: of `speed.peak.convolution_peak`.
    """
    plan = found["plan"]
    title = f"{plan['name']}: {ORDERS[plan['order']]}"
    times = f"{plan['time_steps']} time steps, batches of {plan['batch']}"
    made = [
        _compared(f"{what.capitalize()}, {title}; {times}", found[what], plan["batch"])
        for what in ("training", "inference")
        if what in found
    ]
    return [*made, _shares(title, found, peak)] if "training" in found else made


def _shares(title: str, found: Document, peak: Document | None) -> Table:
    table = Table("", "", title=f"{title}: where the speed comes from", title_justify="left")
    for name, one in found["shares"].items():
        table.add_row(name, str(Ratio(**one)))
    for what, speed in convolution_speeds(found).items():
        share = "" if peak is None else f", {speed / peak['training']['gflops']:.0%} of the peak"
        table.add_row(what, f"{speed:.0f} GFLOP/s{share}")
    return table


def convolution_speeds(found: Document) -> dict[str, float]:
    """GFLOP/s of a plan's convolutions over the time of whole training steps, and alone.

    As they are written, and of the package's networks as they are done: an average behind a
    convolution may have become part of it, and both one matrix.
    """
    speeds = {}
    for name in (PACKAGE, DEPLOYABLE, CONVOLUTIONS):
        if name in found["training"]:
            seconds = median(found["training"][name]["seconds"])
            speeds[f"{name}: convolutions as written"] = found["operations"] / seconds / GIGA
            if name != CONVOLUTIONS:
                done = found["operations_done"]
                speeds[f"{name}: convolutions as done"] = done / seconds / GIGA
    return speeds


def _compared(title: str, results: Document, batch: int) -> Table:
    references = list(next(iter(results.values()))["faster_than"])
    table = Table("program", title=title, title_justify="left")
    table.add_column("ms", justify="right")
    table.add_column("samples/s", justify="right")
    for name in references:
        table.add_column(f"x {name}", justify="right")
    for name, one in results.items():
        time = median(one["seconds"])
        ratios = [str(Ratio(**one["faster_than"][other])) for other in references]
        table.add_row(name, f"{time * 1e3:.2f}", f"{batch / time:,.0f}", *ratios)
    return table


def growth_tables(rows: Sequence[Document]) -> list[Table]:
    """One table a plan and way to grow."""
    made = []
    for (plan, what), group in groupby(rows, key=lambda one: (one["of"], one["what"])):
        title = f"{plan}: growth with {what}"
        table = Table(what, title=title, title_justify="left")
        headings = (f"{PACKAGE}, ms", f"{OBVIOUS}, ms", "faster", f"{PACKAGE}, GFLOP/s")
        for heading in headings:
            table.add_column(heading, justify="right")
        for row in group:
            ours, theirs = (median(row["seconds"][name]) for name in (PACKAGE, OBVIOUS))
            table.add_row(
                row["value"],
                f"{ours * 1e3:.2f}",
                f"{theirs * 1e3:.2f}",
                str(Ratio(**row["faster"])),
                f"{row['operations'] / ours / GIGA:.0f}",
            )
        made.append(table)
    return made


def peak_table(peak: Document) -> Table:
    """The best convolutions of this machine."""
    title = "Peak of 3 x 3 convolutions, one thread"
    table = Table("pass", title=title, title_justify="left")
    for heading in ("GFLOP/s", "channels", "side", "images", "channels last"):
        table.add_column(heading, justify="right")
    for name, one in peak.items():
        shape = (one["channels"], one["side"], one["images"], one["channels_last"])
        table.add_row(name, f"{one['gflops']:.0f}", *(str(value) for value in shape))
    return table
