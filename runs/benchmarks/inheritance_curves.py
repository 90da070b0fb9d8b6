"""What the searches of ``inheritance_study.py`` say: curves, steps to a goal, bias, a figure."""

from __future__ import annotations

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
CHOSEN_BY = 0.95
BEST_END = "none, best in the end"
FEWEST = 2  # seeds that an interval needs

Rows = Sequence[Mapping[str, Any]]


def curves(task: str, rows: Rows, trainings: Judged, judges: Sequence[int]) -> pd.DataFrame:
    """One row an arm, seed and checkpoint: steps, and the hypervolume after full training."""
    return pd.DataFrame(
        {
            "arm": row["arm"],
            "seed": row["seed"],
            "steps": front["steps"],
            "designs": len(front["keys"]),
            "hypervolume": hypervolume(task, front["keys"], trainings, judges)
            if front["keys"]
            else 0.0,
        }
        for row in rows
        for front in row["fronts"]
    )


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


def wide(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The curves of an arm: a row a seed, a column a number of steps."""
    return table[table["arm"] == arm].pivot_table("hypervolume", "seed", "steps")


def chosen_arms(table: pd.DataFrame) -> dict[str, str]:
    """What tuning chooses: role → arm, by curves that are means over seeds.

    The baseline is the arm without inheritance that is best in the end. Of every strategy, none
    included, the arm is taken that reaches 95 % of the baseline's end soonest (and, where none
    does, the one that is best in its own end).
    """
    means = {arm: wide(table, arm).mean() for arm in dict.fromkeys(table["arm"])}
    strategies = {arm: arm.partition(",")[0] for arm in means}
    without = [arm for arm in means if strategies[arm] == BASELINE]
    baseline = max(without, key=lambda arm: means[arm].iloc[-1])
    goal = CHOSEN_BY * means[baseline].iloc[-1]

    def lateness(arm: str) -> tuple[float, float]:
        steps = means[arm].index.to_numpy(dtype=float)
        return reached(steps, means[arm].to_numpy(), goal), -means[arm].iloc[-1]

    soonest = {
        f"{strategy}, soonest": min(
            (arm for arm in means if strategies[arm] == strategy), key=lateness
        )
        for strategy in dict.fromkeys(strategies.values())
    }
    return {BEST_END: baseline, **soonest}


def speed_ups(table: pd.DataFrame, chosen: Mapping[str, str]) -> pd.DataFrame:
    """How many times fewer steps than without inheritance each arm needs: a row an arm and goal.

    The goals are shares of what the arm without inheritance that was chosen for its end reaches in
    the end, in each seed. ``against`` is that arm, or the one that was chosen for being soonest.
    An arm that does not reach a goal in a seed needs infinitely many steps there: its ratio is 0.

    ``ratio``: median over seeds of the paired ratios. ``low``, ``high``: 95 % interval of their
    geometric mean (``mean``), Student's t of their logarithms; none where a goal was missed.
    ``ratio_of_curves``: the same of the means over seeds of the curves.
    """
    end = wide(table, chosen[BEST_END])
    rows = []
    for against in dict.fromkeys([chosen[BEST_END], chosen[f"{BASELINE}, soonest"]]):
        for arm in dict.fromkeys(table["arm"]):
            rows += [
                {"arm": arm, "against": against, "goal": goal}
                | _compared(wide(table, arm), wide(table, against), end, goal)
                for goal in GOALS
            ]
    return pd.DataFrame(rows)


def _compared(
    own: pd.DataFrame, base: pd.DataFrame, end: pd.DataFrame, goal: float
) -> dict[str, float]:
    seeds = own.index.intersection(base.index).intersection(end.index)
    wanted = goal * end.loc[seeds].iloc[:, -1].to_numpy()

    def needed(curve: pd.DataFrame) -> NDArray[np.float64]:
        steps = curve.columns.to_numpy(dtype=float)
        each = zip(curve.loc[seeds].to_numpy(), wanted, strict=True)
        return np.array([reached(steps, volumes, one) for volumes, one in each])

    mine, theirs = needed(own), needed(base)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isinf(mine), 0.0, theirs / mine)
    means = [
        reached(one.columns.to_numpy(dtype=float), one.loc[seeds].mean().to_numpy(), wanted.mean())
        for one in (own, base)
    ]
    return {
        "seeds": len(seeds),
        "missed": int(np.isinf(mine).sum()),
        "steps": float(np.median(mine)),
        "baseline_steps": float(np.median(theirs)),
        "ratio": float(np.median(ratios)),
        **_interval(ratios),
        "ratio_of_curves": 0.0 if np.isinf(means[0]) else means[1] / means[0],
    }


def _interval(ratios: NDArray[np.float64]) -> dict[str, float]:
    """Geometric mean with its 95 % interval; NaN where a ratio is 0 or infinite, or single."""
    if len(ratios) < FEWEST or not (np.isfinite(ratios) & (ratios > 0)).all():
        return {"mean": np.nan, "low": np.nan, "high": np.nan}
    logs = np.log(ratios)
    half = stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
    low, middle, high = np.exp(logs.mean() + half * np.array([-1.0, 0.0, 1.0]))
    return {"mean": float(middle), "low": float(low), "high": float(high)}


def bias(rows: Rows, trainings: Judged, judges: Sequence[int]) -> pd.DataFrame:
    """What brief training overstates: one row an arm, over the designs of its last fronts.

    ``excess`` is validation accuracy after brief training less that of full training, mean;
    ``tau_age`` is Kendall's tau of the excess with the steps of a design's longest line of
    ancestors: above 0 old lineages are flattered. ``tau_energy`` likewise for its energy.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        for key in row["fronts"][-1]["keys"]:
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


def draw(tables: Mapping[str, pd.DataFrame], goals: Mapping[str, float], path: Path) -> None:
    """Hypervolume against steps, a panel a task: means over seeds with their standard errors.

    Args:
        tables: task → curves.
        goals: task → hypervolume that the baseline reaches in the end; 95 % of it is dotted.
        path: of the figure.
    """
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
            ax.axhline(CHOSEN_BY * goals[task], color=style.GREY, lw=0.6, ls=":")
            ax.set(xscale="log", xlabel="Gradient steps of the search", ylabel="")
            ax.set_title(task)
            ax.legend(loc="lower right")
        panels[0].set_ylabel("Hypervolume of the front,\ntrained from scratch")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=style.DPI)


def report(
    task: str,
    table: pd.DataFrame,
    rows: Rows,
    trainings: Judged,
    judges: Sequence[int],
    chosen: Mapping[str, str],
    out: Path,
) -> None:
    """Print the tables, and write them and the figure."""
    ratios, flattered = speed_ups(table, chosen), bias(rows, trainings, judges)
    means = table.pivot_table("hypervolume", "arm", "steps", sort=False)
    pd.options.display.width = 220
    pd.options.display.max_columns = 30
    print(means.round(4).to_string(), ratios.round(3).to_string(index=False), sep="\n\n")
    print(flattered.round(4).to_string(index=False))
    table.to_csv(out / f"{task}_curves.csv", index=False)
    ratios.to_csv(out / f"{task}_ratios.csv", index=False)
    flattered.to_csv(out / f"{task}_bias.csv", index=False)
    goal = float(wide(table, chosen[BEST_END]).iloc[:, -1].mean())
    draw({task: table}, {task: goal}, out / f"{task}.png")
