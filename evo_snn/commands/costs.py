"""Costs, sweeps and sensitivities as tables for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evo_snn.commands.output import cell, print_lines, print_table, print_values, say

if TYPE_CHECKING:
    from hardware import Cost, Merit, Point, Sensitivity
    from hardware.sensitivities import Step

_COSTS = {"area_mm2": "area mm2", "energy_uj": "energy uJ", "latency_ms": "latency ms"}


def print_cost(title: str, cost: "Cost", merit: "Merit") -> None:
    """Totals, tables by layer and by component, figures of merit."""
    totals = (
        f"area {cost.area_mm2:.4g} mm2, energy {cost.energy_uj:.4g} uJ"
        f" (leakage {cost.leakage_energy_uj:.3g} uJ), latency {cost.latency_ms:.4g} ms,"
        f" interval {cost.interval_ms:.4g} ms"
    )
    built = (
        f"{cost.crossbars} crossbars in {cost.tiles} tiles, {cost.utilisation:.1%} of cells used,"
        f" {cost.memory_kb:.4g} KiB of weights and membrane state"
    )
    print_lines(title, totals, built, "")
    _print_layers(cost)
    _print_components(cost)
    _print_merit(merit)


def _print_layers(cost: "Cost") -> None:
    rows: list[tuple[Any, ...]] = [
        (
            each.name,
            each.area_mm2,
            each.energy_uj,
            _share(each.energy_uj, cost.energy_uj),
            each.latency_ms,
            _share(each.latency_ms, cost.latency_ms),
            each.tiles,
            each.speed_up,
        )
        for each in cost.layers
    ]
    rows.append(
        ("total", cost.area_mm2, cost.energy_uj, "100", cost.latency_ms, "100", cost.tiles, None)
    )
    columns = ("layer", "area mm2", "energy uJ", "%", "latency ms", "%", "tiles", "speed-up")
    print_table("by layer", columns, rows)
    if any(each.area_mm2 is None for each in cost.layers):
        print_lines("(no area where a layer shares tiles with others)")
    print_lines("")


def _print_components(cost: "Cost") -> None:
    tables = (cost.area_components_mm2, cost.energy_components_uj, cost.latency_components_ms)
    totals = (cost.area_mm2, cost.energy_uj, cost.latency_ms)
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [
        (
            name,
            *(
                value
                for table, total in zip(tables, totals, strict=True)
                for value in (table.get(name), _share(table.get(name), total))
            ),
        )
        for name in names
    ]
    rows.append(("total", *(value for total in totals for value in (total, "100"))))
    columns = ("component", "area mm2", "%", "energy uJ", "%", "latency ms", "%")
    print_table("by component", columns, rows)
    print_lines("")


def _print_merit(merit: "Merit") -> None:
    pipelined = cell(merit.pipelined_inferences_per_second)
    print_values(
        "figures of merit, one inference after the other",
        {
            "energy-delay product": f"{cell(merit.energy_delay_uj_ms)} uJ ms",
            "energy-delay-area product": f"{cell(merit.energy_delay_area_uj_ms_mm2)} uJ ms mm2",
            "mean power": f"{cell(merit.power_mw)} mW",
            "inferences a second": f"{cell(merit.inferences_per_second)} ({pipelined} pipelined)",
        },
    )
    print_lines("")
    rows = [
        (text, getattr(merit, name.format("dense")), getattr(merit, name.format("performed")))
        for text, name in (
            ("synaptic operations an inference", "{}_synaptic_operations"),
            ("operations (accumulate 1, multiply-accumulate 2)", "{}_operations"),
            ("TOPS/W", "{}_tops_per_w"),
            ("TOPS/mm2", "{}_tops_per_mm2"),
            ("pJ a synaptic operation", "energy_per_{}_synaptic_operation_pj"),
        )
    ]
    print_table("", ("work", "every input active", "at these spike rates"), rows)


def print_sweep(title: str, points: Sequence["Point"], base: "Cost") -> None:
    """A row a point: what was swept, the costs, and each against the design as it is."""
    keys = list(points[0].values)
    given = (
        f"area {base.area_mm2:.4g} mm2, energy {base.energy_uj:.4g} uJ,"
        f" latency {base.latency_ms:.4g} ms"
    )
    print_lines(title, f"as given: {given}", "")
    rows = [(*point.values.values(), *_sweep_costs(point.cost, base)) for point in points]
    columns = [text for cost in _COSTS.values() for text in (cost, "x")]
    print_table("", (*keys, *columns, "energy x delay uJ ms"), rows)
    print_lines("(x: against the design as given)")
    for point in points:
        if point.refused:
            values = ", ".join(f"{key}={value}" for key, value in point.values.items())
            say("note", f"the chip does not take {values}: {point.refused}")


def _sweep_costs(cost: "Cost | None", base: "Cost") -> list[float | None]:
    if cost is None:
        return [None] * (2 * len(_COSTS) + 1)
    pairs = [(getattr(cost, name), getattr(base, name)) for name in _COSTS]
    values = [value for cost, given in pairs for value in (cost, cost / given if given else None)]
    return [*values, cost.energy_uj * cost.latency_ms]


def print_sensitivity(title: str, found: Sequence["Sensitivity"]) -> None:
    """A row a parameter that has an effect, the largest first."""
    from hardware.chip_file import TOGETHER

    felt = [each for each in found if each.effect > 0]
    rows = [
        (each.name, _shown(each.value), each.unit or "-", *_side(each.low), *_side(each.high))
        for each in felt
    ]
    changes = ("area %", "energy %", "latency %")
    print_lines(title, "changes of a cost where one parameter steps down, or up", "")
    columns = ("parameter", "value", "unit", "down to", *changes, "up to", *changes)
    print_table("", columns, rows)
    idle = [each.name for each in found if not each.effect and not each.refused]
    if idle:
        print_lines("", f"without effect: {', '.join(idle)}")
    together = {part for each in found for part in TOGETHER.get(each.name, ())}
    for each in found:
        if each.refused and each.name not in together:
            say("note", f"{each.name} cannot step both ways alone: {each.refused}")


def _side(step: "Step | None") -> tuple[str, ...]:
    if step is None:
        return ("-",) * (1 + len(_COSTS))
    value = _shown(step.value) + ("" if step.lossless else " (loses information)")
    return (value, *(_percent(step.changes[name]) for name in _COSTS))


def _percent(change: float) -> str:
    percent = 100 * change
    digits = 2 if abs(percent) < 10 else 1 if abs(percent) < 100 else 0  # noqa: PLR2004
    return f"{percent:+.{digits}f}" if change else "0"


def _shown(value: Any) -> str:
    """A parameter's value; of a list of numbers its ends."""
    if isinstance(value, tuple):
        return f"{value[0]:.4g} … {value[-1]:.4g}"
    return cell(value)


def _share(part: float | None, total: float) -> str | None:
    """A part in percent of a total."""
    return None if part is None or not total else f"{100 * part / total:.1f}"
