"""Agreement with the reference simulators: a table of worst errors, and a figure.

Reads figures of NeuroSim V1.4 and of SpikeSim as they lie in tests/data, or files of the same form.

    python runs/benchmarks/neurosim_validation.py --out docs/images/neurosim_validation.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from analysis import style
from genomes.workload import Workload
from hardware import Cost, estimate

DATA = Path(__file__).parents[2] / "tests" / "data"

#: Figure: NeuroSim's key, its factor to the unit here, the attribute, and how an axis calls it.
FIGURES = {
    "area": ("area_um2", 1e-6, "area_mm2", "Area (mm²)"),
    "latency": ("latency_ns", 1e-6, "interval_ms", "Latency (ms)"),
    "energy": ("dynamic_energy_pJ", 1e-6, "dynamic_energy_uj", "Energy (µJ)"),
}
SPIKESIM = {"area": "area_mm2", "latency": "latency_ms", "energy": "energy_uj"}


def cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file that its simulator gives figures for."""
    return [
        case
        for case in json.loads(path.read_text())["cases"]
        if case.get("required", True) and case.get("peer_note") is None
    ]


def cost_of(case: dict[str, Any]) -> Cost:
    """The model's cost of a case on its chip."""
    overrides = dict(case["chip"])
    workload = Workload.from_document(case["workload"])
    return estimate(workload, overrides.pop("preset"), overrides)


def compared(neurosim: Path, spikesim: Path) -> pd.DataFrame:
    """One row a case and figure: simulator, theirs, ours, kind of setting."""
    rows = []
    for case in cases(neurosim):
        cost, expected = cost_of(case), case["expected"]["chip"]
        kind = "pipelined" if case["chip"]["pipelined"] else case["chip"]["memory"].upper()
        for figure, (key, factor, attribute, _) in FIGURES.items():
            ours = getattr(cost, attribute)
            rows.append(("NeuroSim V1.4", figure, expected[key] * factor, ours, kind))
    for case in cases(spikesim):
        cost, kind = cost_of(case), str(case["chip"].get("memory", "rram")).upper()
        for figure, name in SPIKESIM.items():
            theirs = case["expected"][name]
            if theirs is not None:
                rows.append(("SpikeSim", figure, theirs, getattr(cost, name), kind))
    columns = ["simulator", "figure", "theirs", "ours", "kind"]
    # rare kinds are drawn last, on top
    return pd.DataFrame(rows, columns=columns).sort_values("kind", kind="stable")


def summary(found: pd.DataFrame) -> str:
    """Markdown: cases, mean and worst relative error."""
    error = (found["ours"] / found["theirs"] - 1).abs()
    grouped = error.groupby([found["simulator"], found["figure"]], sort=False)
    lines = [
        "| simulator | figure | cases | mean error | worst |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (simulator, figure), values in grouped:
        worst = f"{values.mean():.1e} | {values.max():.1e} |"
        lines.append(f"| {simulator} | {figure} | {len(values)} | {worst}")
    return "\n".join(lines)


def draw(found: pd.DataFrame) -> Figure:
    """Ours against theirs: a row a simulator, a panel a figure; equal ones lie on the line."""
    simulators = sorted(found["simulator"].unique())
    with style.context():
        figure = Figure(figsize=(style.PAGE, 2.3 * len(simulators)), layout="constrained")
        axes = figure.subplots(len(simulators), len(FIGURES), squeeze=False)
        for row, simulator in zip(axes, simulators, strict=True):
            for ax, (name, (*_, label)) in zip(row, FIGURES.items(), strict=True):
                part = found[(found["simulator"] == simulator) & (found["figure"] == name)]
                ends = [part["theirs"].min() / 1.5, part["theirs"].max() * 1.5]
                ax.plot(ends, ends, color=style.PALE, linewidth=0.8, zorder=1)
                sns.scatterplot(
                    part,
                    x="theirs",
                    y="ours",
                    hue="kind",
                    palette={"RRAM": style.BLUE, "SRAM": "#E69F00", "pipelined": "#009E73"},
                    s=16,
                    ax=ax,
                    legend=ax is axes[0, 0],
                )
                worst = (part["ours"] / part["theirs"] - 1).abs().max()
                ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
                ax.set(xlabel=f"{simulator}, {len(part)} cases", ylabel="This model")
                ax.set_title(f"{label}, worst error {worst:.0e}")
        axes[0, 0].legend(title=None)
    return figure


def main() -> None:
    """Print the table and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--neurosim", type=Path, default=DATA / "neurosim.json")
    parser.add_argument("--spikesim", type=Path, default=DATA / "spikesim.json")
    parser.add_argument("--out", type=Path, default=Path("runs/out/neurosim_validation.png"))
    arguments = parser.parse_args()
    found = compared(arguments.neurosim, arguments.spikesim)
    print(summary(found))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with style.context():
        draw(found).savefig(arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
