"""The figures of a run as the store keeps it, with the costs of a real chip."""

from __future__ import annotations

import numpy as np

import analysis
from analysis.costs import chosen
from analysis.view import look
from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.config_file import load_config, to_toml
from evo_snn.run import HYPERVOLUME_BOX, open_run
from evo_snn.store import Store
from genomes.workload import Workload
from hardware import estimate

OBJECTIVES = [
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
    ObjectiveRecord("energy_uj", maximise=False, unit="µJ", log=True),
    ObjectiveRecord("latency_ms", maximise=False, unit="ms", log=True),
]


def workload(width: int) -> Workload:
    layers = [
        {"name": "hidden", "kind": "linear", "in_features": 64, "out_features": width},
        {"name": "readout", "kind": "linear", "in_features": width, "out_features": 10},
    ]
    return Workload.model_validate(
        {"schema": "evo-snn workload 1", "timesteps": 4, "layers": layers}
    )


def candidate(number: int, width: int, accuracy: float, state: str = "ok") -> Candidate:
    cost = estimate(workload(width))
    metrics = {name: getattr(cost, name) for name in ("area_mm2", "energy_uj", "latency_ms")}
    return Candidate(
        key=f"{number:016x}",
        genome=(number,),
        parents=(),
        generation=number // 3,
        state=state,
        metrics=metrics if state == "failed" else {"accuracy": accuracy, **metrics},
        workload=workload(width).model_dump(mode="json", by_alias=True),
        failure="Traceback" if state == "failed" else None,
    )


def store_run(folder) -> None:
    config = load_config({"data": {"name": "digits"}, "search": {"space": "plain"}})
    with Store.create(
        folder,
        config_toml=to_toml(config),
        environment={},
        space={},
        objectives=OBJECTIVES,
        constraints={},
    ) as store:
        store.set_meta(
            HYPERVOLUME_BOX,
            {
                "accuracy": (1, 0),
                "area_mm2": (0.01, 10),
                "energy_uj": (1e-4, 1),
                "latency_ms": (1e-3, 1),
            },
        )
        for number, (width, accuracy, state) in enumerate([
            (16, 0.7, "ok"), (400, 0.6, "ok"), (200, 0.8, "failed"),
            (900, 0.95, "ok"), (100, 0.85, "infeasible"), (200, 0.9, "ok"),
        ]):  # fmt: skip
            store.record(candidate(number, width, accuracy, state))


def test_a_stored_run_is_drawn_with_the_costs_of_its_chip(tmp_path, ax) -> None:
    store_run(tmp_path / "run")
    run = open_run(tmp_path / "run")
    paths = analysis.save_figures(run)
    assert [path.parent for path in paths] == [run.folder / "figures"] * 5
    assert all(path.stat().st_size > 10_000 for path in paths)

    view = look(run)
    assert view.table["key"][view.front].tolist() == sorted(run.front()["key"])
    assert len(run.front()) == 3

    best = run.front()["key"].iloc[0]
    assert "best accuracy" in chosen(view)[best]
    analysis.plot_components(run, "energy_uj", [best], ax, share=False)
    drawn = sum(bars[0].get_width() for bars in ax.containers)
    np.testing.assert_allclose(drawn, run.cost(best).energy_uj)
