"""How the time of a training step grows with width, depth, time steps and batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from speed.elsewhere import Elsewhere
from speed.ours import Variant, package_network, training_call
from speed.plans import Plan
from speed.programs import OBVIOUS, PACKAGE
from speed.timing import here, interleaved, ratio

FACTORS = (1, 2, 4)


def grown(plan: Plan) -> dict[str, list[tuple[str, Plan]]]:
    """Ways to grow a plan, each with what it is called there.

    What deepens the network are convolutions as wide as the last one, behind the last pooling.
    """
    pooled = len(plan.widths)
    return {
        "width": [
            (f"x {k}", replace(plan, widths=tuple(k * one for one in plan.widths))) for k in FACTORS
        ],
        "depth": [
            (
                f"{pooled + k} convolutions",
                replace(plan, widths=(*plan.widths, *[plan.widths[-1]] * k), pooled=pooled),
            )
            for k in (0, 2, 4)
        ],
        "time steps": [(str(t), replace(plan, time_steps=t)) for t in (1, 2, 4, 8, 16)],
        "batch": [(str(n), replace(plan, batch=n)) for n in (16, 64, 256)],
    }


def growth(
    plans: Sequence[Plan], elsewhere: Elsewhere, *, rounds: int, block: float
) -> list[dict[str, Any]]:
    """Times of this package's and of the obvious Norse program's step, and their ratio."""
    rows = []
    for plan in plans:
        for what, grown_plans in grown(plan).items():
            for label, one in grown_plans:
                network = package_network(one, Variant())
                subjects = {
                    PACKAGE: here(training_call(network, one, adam="package")),
                    OBVIOUS: elsewhere.timed("training", one, OBVIOUS),
                }
                times = interleaved(subjects, rounds=rounds, block=block)
                rows.append(
                    {
                        "of": plan.name,
                        "what": what,
                        "value": label,
                        "operations": one.operations,
                        "seconds": times,
                        "faster": asdict(ratio(times[OBVIOUS], times[PACKAGE])),
                    }
                )
    return rows
