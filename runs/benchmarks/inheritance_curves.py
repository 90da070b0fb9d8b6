"""What the searches of ``inheritance_study.py`` say: curves, steps to a goal, bias, a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import NDArray
from scipy import stats
from study_tasks import Judged, hypervolume

from analysis import style

GOALS = (0.90, 0.95, 0.99)
BASELINE = "none"
RESAMPLES = 10_000

Rows = Sequence[Mapping[str, Any]]


def curves(task: str, rows: Rows, trainings: Judged, judges: Sequence[int]) -> pd.DataFrame:
    """One row an arm, seed and checkpoint: steps, and the hypervolume after full training."""
    points = []
    for row in rows:
        for front in row["fronts"]:
            keys = [k for k in front["keys"] if all((k, s) in trainings for s in judges)]
            volume = hypervolume(task, keys, trainings, judges) if keys else 0.0
            points.append(
                {
                    "arm": row["arm"],
                    "seed": row["seed"],
                    "steps": front["steps"],
                    "designs": len(front["keys"]),
                    "missing": len(front["keys"]) - len(keys),
                    "hypervolume": volume,
                }
            )
    return pd.DataFrame(points)


def reached(steps: NDArray[np.float64], volumes: NDArray[np.float64], goal: float) -> float:
    """Steps at which a curve first reaches a goal: linear in the logarithm of steps; inf if never.

    What the first checkpoint has reached counts as reached there.
    """
    above = np.flatnonzero(volumes >= goal)
    if not above.size:
        return np.inf
    k = int(above[0])
    if k == 0:
        return float(steps[0])
    share = (goal - volumes[k - 1]) / (volumes[k] - volumes[k - 1])
    return float(steps[k - 1] * (steps[k] / steps[k - 1]) ** share)


def best_baseline(table: pd.DataFrame) -> str:
    """The arm without inheritance whose fronts are best in the end, in the mean over seeds."""
    last = table[table["steps"] == table["steps"].max()]
    means = last.groupby("arm")["hypervolume"].mean()
    return str(means[[arm for arm in means.index if arm.startswith(BASELINE)]].idxmax())


def wide(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The curves of an arm: a row a seed, a column a number of steps."""
    return table[table["arm"] == arm].pivot_table("hypervolume", "seed", "steps")


def speed_ups(table: pd.DataFrame) -> pd.DataFrame:
    """How many times fewer steps than the best baseline each arm needs, one row an arm and goal.

    ``ratio``: of the seeds' own steps, geometric mean over seeds, each to the goal that the
    baseline's end sets in that seed; an arm that misses it counts with all its steps, which makes
    the ratio too small. ``ratio_of_curves``: of the curves' means over seeds. Both with a 95 %
    bootstrap interval over seeds.
    """
    base = wide(table, best_baseline(table))
    rows = []
    for arm in dict.fromkeys(table["arm"]):
        own = wide(table, arm)
        seeds = own.index.intersection(base.index)
        rows += [
            {"arm": arm, "goal": goal, **_compared(own.loc[seeds], base.loc[seeds], goal)}
            for goal in GOALS
        ]
    return pd.DataFrame(rows)


def _compared(own: pd.DataFrame, base: pd.DataFrame, goal: float) -> dict[str, float]:
    steps = own.columns.to_numpy(dtype=float)
    mine, theirs = own.to_numpy(), base.to_numpy()
    goals = goal * theirs[:, -1]
    needed = np.array([reached(steps, *each) for each in zip(mine, goals, strict=True)])
    baseline = np.array([reached(steps, *each) for each in zip(theirs, goals, strict=True)])
    missed = int(np.isinf(needed).sum())
    logs = np.log(baseline / np.minimum(needed, steps[-1]))

    def of_means(chosen: NDArray[np.int64]) -> float:
        a, b = mine[chosen].mean(0), theirs[chosen].mean(0)
        wanted = goal * b[-1]
        return reached(steps, b, wanted) / min(reached(steps, a, wanted), steps[-1])

    rng = np.random.default_rng(0)
    draws = rng.integers(len(mine), size=(RESAMPLES, len(mine)))
    ratios = np.exp(logs[draws].mean(1))
    means = np.array([of_means(chosen) for chosen in draws])
    return {
        "seeds": len(mine),
        "missed": missed,
        "steps": float(np.exp(np.log(np.minimum(needed, steps[-1])).mean())),
        "baseline_steps": float(np.exp(np.log(baseline).mean())),
        "ratio": float(np.exp(logs.mean())),
        "low": float(np.quantile(ratios, 0.025)),
        "high": float(np.quantile(ratios, 0.975)),
        "ratio_of_curves": of_means(np.arange(len(mine))),
        "curves_low": float(np.quantile(means, 0.025)),
        "curves_high": float(np.quantile(means, 0.975)),
    }


def bias(rows: Rows, trainings: Judged, judges: Sequence[int]) -> pd.DataFrame:
    """What brief training overstates: one row an arm, over the designs of its last fronts.

    ``excess`` is validation accuracy after brief training less that of full training, mean;
    ``tau_age`` is Kendall's tau of the excess with the steps of a design's longest line of
    ancestors: above 0 old lineages are flattered. ``tau_energy`` likewise for its energy.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        for key in row["fronts"][-1]["keys"]:
            if all((key, seed) in trainings for seed in judges):
                design = row["designs"][key]
                full = np.mean([trainings[key, seed]["validation"] for seed in judges])
                excess = design["metrics"]["accuracy"] - full
                entry = (float(excess), design["age"], design["metrics"]["energy_uj"])
                found.setdefault(row["arm"], []).append(entry)
    tables = {arm: np.array(values).T for arm, values in found.items()}
    return pd.DataFrame(
        {
            "arm": arm,
            "designs": len(excess),
            "excess": excess.mean(),
            "sd": excess.std(),
            "age": ages.mean(),
            "tau_age": stats.kendalltau(excess, ages).statistic,
            "tau_energy": stats.kendalltau(excess, energy).statistic,
        }
        for arm, (excess, ages, energy) in tables.items()
    )


def draw(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Hypervolume against steps, a panel a task: means over seeds with their standard errors."""
    with style.context():
        figure = style.figure(style.PAGE, 3.0)
        panels = np.atleast_1d(figure.subplots(1, len(tables)))
        for ax, (task, table) in zip(panels, tables.items(), strict=True):
            arms = list(dict.fromkeys(table["arm"]))
            palette = dict(zip(arms, (*style.CATEGORIES, *style.CATEGORIES), strict=False))
            sns.lineplot(
                table,
                x="steps",
                y="hypervolume",
                hue="arm",
                palette=palette,
                style=table["arm"].str.startswith(BASELINE).map({True: "none", False: "inherits"}),
                dashes={"none": (2, 1.2), "inherits": ""},
                errorbar="se",
                legend=False,
                ax=ax,
            )
            for arm, colour in palette.items():
                ax.plot(
                    [], [], color=colour, ls="--" if arm.startswith(BASELINE) else "-", label=arm
                )
            end = wide(table, best_baseline(table)).iloc[:, -1].mean()
            ax.axhline(0.95 * end, color=style.GREY, lw=0.6, ls=":")
            ax.set(xscale="log", xlabel="Gradient steps of the search", ylabel="")
            ax.set_title(task)
            ax.legend(loc="lower right")
        panels[0].set_ylabel("Hypervolume of the front,\ntrained from scratch")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=style.DPI)


def report(task: str, rows: Rows, trainings: Judged, judges: Sequence[int], out: Path) -> None:
    """Print the tables, and write them and the figure."""
    table = curves(task, rows, trainings, judges)
    ratios, flattered = speed_ups(table), bias(rows, trainings, judges)
    means = table.pivot_table("hypervolume", "arm", "steps", sort=False)
    pd.options.display.width = 200
    pd.options.display.max_columns = 30
    print(means.round(4).to_string(), ratios.round(3).to_string(), sep="\n\n")
    print(flattered.round(4).to_string(), f"missing: {table['missing'].sum()}", sep="\n")
    table.to_csv(out / f"{task}_curves.csv", index=False)
    ratios.to_csv(out / f"{task}_ratios.csv", index=False)
    flattered.to_csv(out / f"{task}_bias.csv", index=False)
    about = {"baseline": best_baseline(table), "ratios": ratios.to_dict("records")}
    (out / f"{task}.json").write_text(json.dumps(about, indent=1))
    draw({task: table}, out / f"{task}.png")
