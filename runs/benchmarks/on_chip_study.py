"""Does a search for accuracy on chips find designs that hold on chips? Searches on digits.

Each arm searches networks and chips together, at equal training steps: for accuracy on the chip
with 10 % conductance variation and 1 % or 10 % stuck-at faults, and for plain accuracy, where only
chip genes are allowed that lower no fidelity. Then the designs of all fronts are measured on fresh
chip instances that no search has met, on the test part, through the ADCs (the exact path), with
both shares of faults: mean and worst, beside the energy that they take.

    python runs/benchmarks/on_chip_study.py --seeds 3 --out runs/out/on_chip_study

It writes ``designs.csv`` (one row a design and share of faults), ``choices.csv`` (what evolution
chose), ``summary.csv`` and ``on_chip_study.png``. A search that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import seaborn as sns

import evo_snn
from analysis import style
from evo_snn.candidate import ObjectiveRecord
from evo_snn.config_file import parse_set

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIG = Path(__file__).resolve().parent.parent / "on_chip_digits.toml"
VARIATION = 0.1
FAULTS = {"1 % faults": 0.01, "10 % faults": 0.1}
COSTS = ("energy_uj", "area_mm2")
ENERGY = ObjectiveRecord("energy_uj", maximise=False, unit="µJ", log=True)
CHOSEN = "chip."

Settings = dict[str, Any]


def conditions(faults: float) -> dict[str, float]:
    """10 % variation, and a share of stuck cells, half of them on and half of them off."""
    return {"variation": VARIATION, "stuck_on": faults / 2, "stuck_off": faults / 2}


def searched_for(faults: float) -> Settings:
    """The overrides of a search for accuracy on chips with a share of faults."""
    return {f"on_chip.{name}": value for name, value in conditions(faults).items()}


ARMS: Mapping[str, Settings] = {
    **{f"on chip, {name}": searched_for(faults) for name, faults in FAULTS.items()},
    "plain accuracy": {"objectives.names": ["accuracy", *COSTS]},
    **{
        f"on chip, {name}, noise": {**searched_for(faults), "on_chip.train_with_noise": True}
        for name, faults in FAULTS.items()
    },
}
"""Name → overrides. The first three are the study; those with noise also train with it."""

STUDY = tuple(ARMS)[:3]


def search(arm: str, seed: int, folder: Path, common: Settings) -> evo_snn.Run:
    """One search in a folder of its own, or what is left of it to do."""
    if (folder / "run.sqlite").exists():
        return evo_snn.resume(folder)
    config = evo_snn.load_config(CONFIG).model_dump(exclude_none=True)
    config["hardware"]["genes"] = genes_of(arm, config["hardware"]["genes"])
    if arm == "plain accuracy":
        del config["on_chip"]
    return evo_snn.evolve(config, folder, seed=seed, overrides={**common, **ARMS[arm]})


def genes_of(arm: str, genes: Mapping[str, Any]) -> dict[str, Any]:
    """The chip genes of an arm: plain accuracy may have none that it would not feel."""
    felt = ("crossbar_size", "columns_per_adc")
    return {key: genes[key] for key in genes if arm != "plain accuracy" or key in felt}


def designs(arm: str, seed: int, run: evo_snn.Run, instances: int) -> pd.DataFrame:
    """The designs of a front on fresh chips: one row a design and share of faults."""
    front = run.front()
    chosen = [str(name) for name in front.columns if str(name).startswith(CHOSEN)]
    rows = []
    for name, faults in FAULTS.items():
        table = evo_snn.accuracy_on_chip(
            run, list(front["key"]), instances, conditions=conditions(faults), path="exact"
        )
        measured = table.groupby("key", sort=False)["accuracy_on_chip"].agg(["mean", "min"])
        plain = table.groupby("key", sort=False)["accuracy"].first()
        for row in front.to_dict("records"):
            key = row["key"]
            rows.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "key": key,
                    "chips": name,
                    "validation": row[run.objectives[0].name],
                    "accuracy": plain[key],
                    "mean": measured["mean"][key],
                    "worst": measured["min"][key],
                    **{cost: row[cost] for cost in COSTS},
                    **{gene: row[gene] for gene in chosen},
                }
            )
    return pd.DataFrame(rows)


def choices(table: pd.DataFrame) -> pd.DataFrame:
    """What evolution chose: the share of an arm's designs with each value of each chip gene."""
    once = table[table["chips"] == table["chips"].iloc[0]]
    genes = [name for name in table.columns if name.startswith(CHOSEN)]
    parts = [
        once.groupby("arm", sort=False)[gene]
        .value_counts(normalize=True, sort=False)
        .rename("share")
        .rename_axis(["arm", "value"])
        .reset_index()
        .assign(gene=gene.removeprefix(CHOSEN))
        for gene in genes
    ]
    return pd.concat(parts, ignore_index=True)[["arm", "gene", "value", "share"]]


def summary(table: pd.DataFrame, budgets: Sequence[float]) -> pd.DataFrame:
    """The design that a designer would take within budgets of energy, by arm, chips and seed.

    It is chosen by what its search maximised on the validation part, and told by test accuracy.

    Args:
        table: of ``designs``.
        budgets: quantiles of the energy of all designs.
    """
    rows = []
    for quantile in budgets:
        budget = table["energy_uj"].quantile(quantile)
        within = table[table["energy_uj"] <= budget]
        for names, group in within.groupby(["arm", "chips", "seed"], sort=False):
            best = group.loc[group["validation"].idxmax()]
            row = dict(zip(("arm", "chips", "seed"), names, strict=True))
            kept = best[["accuracy", "mean", "worst", *COSTS]]
            rows.append({**row, "budget_uj": budget, **kept})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Accuracy on fresh chips against energy, a panel a share of faults, a colour an arm."""
    arms = list(dict.fromkeys(table["arm"]))
    palette = dict(zip(arms, style.CATEGORIES, strict=False))
    with style.context():
        figure = style.figure(style.PAGE, 2.9)
        panels = figure.subplots(1, len(FAULTS), sharey=True)
        for ax, name in zip(panels, FAULTS, strict=True):
            _panel(ax, table[table["chips"] == name], palette, name)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(arms))
        panels[0].set_ylabel("Test accuracy on fresh chips\n(mean; line to the worst)")
        figure.savefig(path, dpi=style.DPI)


def _panel(ax: Axes, table: pd.DataFrame, palette: Mapping[str, str], name: str) -> None:
    colours = table["arm"].map(palette)
    ax.vlines(table["energy_uj"], table["worst"], table["mean"], colors=colours, lw=0.6, alpha=0.5)
    sns.scatterplot(
        table, x="energy_uj", y="mean", hue="arm", palette=palette, s=14, ax=ax, linewidth=0
    )
    ax.get_legend().remove()
    style.scale(ax, "x", ENERGY, table["energy_uj"])
    ax.set(xlabel=style.label(ENERGY), ylabel="")
    ax.set_title(f"chips with {name}")


def main() -> None:
    """Search, measure, and write tables and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=list(STUDY), choices=list(ARMS), metavar="ARM")
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/out/on_chip_study"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    arguments = parser.parse_args()
    common = dict(parse_set(text) for text in arguments.settings)
    parts = []
    for seed in range(arguments.seeds):
        for arm in arguments.arms:
            started = time.perf_counter()
            folder = arguments.out / arm.replace(" ", "_").replace(",", "").replace("%", "pc")
            run = search(arm, seed, folder / str(seed), common)
            searched = time.perf_counter()
            parts.append(designs(arm, seed, run, arguments.instances))
            times = f"{searched - started:.0f} s, {time.perf_counter() - searched:.0f} s on chips"
            print(f"{arm}, seed {seed}: {len(run.front())} designs on the front, {times}")
    table = pd.concat(parts, ignore_index=True)
    table.to_csv(arguments.out / "designs.csv", index=False)
    chosen, best = choices(table), summary(table, (0.25, 0.5, 1.0))
    chosen.to_csv(arguments.out / "choices.csv", index=False)
    best.to_csv(arguments.out / "summary.csv", index=False)
    draw(table, arguments.out / "on_chip_study.png")
    figures = best.groupby(["chips", "budget_uj", "arm"], sort=False)[["accuracy", "mean", "worst"]]
    print(figures.mean().round(4).to_string())
    print(chosen.pivot_table("share", ["gene", "value"], "arm").round(2).fillna(0).to_string())


if __name__ == "__main__":
    main()
