"""What the tuned ladder of ``learning_curves.py`` does on other seeds, as JSON and as a figure.

python runs/benchmarks/learning_curves_report.py --figure docs/images/learning_curves.png
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from learning_curves import (
    GRID,
    TABLE,
    TARGET,
    Ladder,
    Table,
    followed,
    halving,
    hypervolumes,
    laddered,
    load_table,
    summary,
)

from analysis import style

BEST = Ladder(population=128, offspring=8, rungs=4, keep=1 / 4)
"""The ladder that was best on the seeds for tuning."""

ONE_OBJECTIVE = {
    "NSGA-II with a ladder": BEST,
    "random search with the same ladder": replace(BEST, algorithm="random"),
    "NSGA-II, every design trained to the end": replace(BEST, population=16, rungs=1),
}
THREE_OBJECTIVES = {
    "NSGA-II with a ladder": Ladder(24, 12, 3, 1 / 2, many=True),
    "random search with the same ladder": Ladder(24, 12, 3, 1 / 2, "random", many=True),
    "NSGA-II, every design trained to the end": Ladder(24, 12, 1, 1 / 2, many=True),
}
SHOWN = (3, 42)
"""GPU-hours that the figure shows."""

HOURS = (15, 30, 45, 60, 90)
"""At which hypervolumes are compared."""


def report(table: Table, seeds: int, out: Path) -> None:
    """All that the page says, on seeds that nothing was tuned on."""
    found: dict[str, Any] = {"halving": [], "one objective": {}, "three objectives": {}}
    for starts, first in ((64, 3), (128, 3), (256, 1), (256, 2)):
        searches = [halving(table, starts, first, seed) for seed in range(1000)]
        accuracy = np.array([search.choices[-1].accuracy for search in searches])
        mean, error = accuracy.mean(), 1.96 * accuracy.std(ddof=1) / len(accuracy) ** 0.5
        hours = np.mean([search.hours for search in searches])
        found["halving"].append({"starts": starts, "first": first, "hours": hours, "mean": mean,
                                 "interval": [mean - error, mean + error]})  # fmt: skip
    for name, ladder in ONE_OBJECTIVE.items():
        searches = [laddered(table, ladder, seed, 45.0) for seed in range(seeds)]
        accuracies = followed(searches, GRID)
        error = 1.96 * accuracies.std(0, ddof=1) / len(accuracies) ** 0.5
        curve = {"hours": GRID.tolist(), "mean": accuracies.mean(0).tolist(), "error": list(error)}
        found["one objective"][name] = {**asdict(ladder), **summary(accuracies), "curve": curve}
        print(name, {k: v for k, v in found["one objective"][name].items() if k != "curve"})
    for name, ladder in THREE_OBJECTIVES.items():
        searches = [laddered(table, ladder, seed, max(HOURS)) for seed in range(min(seeds, 50))]
        values = np.array([hypervolumes(table, search, HOURS) for search in searches])
        error = 1.96 * values.std(0, ddof=1) / len(values) ** 0.5
        about = {"hours": HOURS, "seeds": len(values)}
        judged = {"mean": values.mean(0).tolist(), "error": list(error)}
        found["three objectives"][name] = {**asdict(ladder), **about, **judged}
        print(name, values.mean(0).round(3), error.round(3))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


def draw(found: dict[str, Any], path: Path) -> None:
    """Test accuracy of what would be taken, and hypervolume, against GPU-hours."""
    names = [*found["one objective"]]
    palette = dict(zip(names, style.CATEGORIES, strict=False))
    with style.context():
        figure = style.figure(style.PAGE, 2.8)
        left, right = figure.subplots(1, 2)
        for name in names:
            curve = found["one objective"][name]["curve"]
            hours, mean, error = (np.array(curve[key]) for key in ("hours", "mean", "error"))
            shown = (hours > SHOWN[0]) & (hours < SHOWN[1])
            sns.lineplot(x=hours[shown], y=mean[shown], ax=left, color=palette[name], label=name)
            left.fill_between(hours[shown], (mean - error)[shown], (mean + error)[shown],
                              color=palette[name], alpha=0.2, lw=0)  # fmt: skip
            many = found["three objectives"][name]
            right.errorbar(many["hours"], many["mean"], yerr=many["error"], color=palette[name],
                           marker="o", ms=3, capsize=2)  # fmt: skip
        halved = found["halving"]
        points = [[one[key] for one in halved] for key in ("hours", "mean")]
        left.scatter(*points, s=18, marker="D", color=style.INK, zorder=3,
                     label="random search with successive halving")  # fmt: skip
        left.axhline(TARGET, color=style.GREY, lw=0.6, ls=":")
        left.set(
            xlabel="GPU-hours", ylabel="Test accuracy of the chosen design (%)", ylim=(87.6, 88.75)
        )
        right.set(xlabel="GPU-hours", ylabel="Normalised hypervolume, three objectives")
        left.legend(loc="lower right")
        figure.savefig(path, dpi=style.DPI)


def main() -> None:
    """Measure, write, draw."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/out/learning_curves.json"))
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--drawn", action="store_true", help="only draw what is measured already")
    arguments = parser.parse_args()
    if not arguments.drawn:
        report(load_table(arguments.table), arguments.seeds, arguments.out)
    if arguments.figure:
        draw(json.loads(arguments.out.read_text()), arguments.figure)


if __name__ == "__main__":
    main()
