"""A run that no search made: real designs of the plain space with invented accuracies."""

import shutil

import numpy as np
import pytest

from evo_snn.candidate import Candidate, ObjectiveRecord
from evo_snn.commands import main
from evo_snn.config_file import load_config, to_toml
from evo_snn.run import HYPERVOLUME_BOX, Run
from evo_snn.store import Store
from genomes.spaces import make_space
from hardware import totals

OBJECTIVES = [
    ObjectiveRecord("accuracy", maximise=True),
    ObjectiveRecord("area_mm2", maximise=False, unit="mm²", log=True),
    ObjectiveRecord("energy_uj", maximise=False, unit="µJ", log=True),
]


def design(space, genome, number):
    """A candidate with real costs and an invented accuracy: large designs are better, mostly."""
    workload = space.decode(genome).workload
    costs = totals([workload], "rram_32nm")
    metrics = {name: float(costs[name][0]) for name in ("area_mm2", "energy_uj", "tiles")}
    accuracy = metrics["area_mm2"] / (metrics["area_mm2"] + 1) * (1 if number % 3 else 0.5)
    return Candidate(
        key=space.key(genome),
        genome=tuple(int(gene) for gene in genome),
        parents=(),
        generation=number // 4,
        state="ok",
        metrics={"accuracy": accuracy, **metrics},
        architecture=space.decode(genome).describe(),
        workload=workload.model_dump(mode="json", by_alias=True),
        training_steps=5,
        trained=True,
        seconds={"training": 0.5},
    )


@pytest.fixture
def finished_run(tmp_path, pristine_run):
    """Eleven candidates in three generations: nine designs, one infeasible, one failed."""
    shutil.copytree(pristine_run, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture(scope="session")
def pristine_run(tmp_path_factory):
    """The folder that each test gets its own copy of; writing it anew would take longer."""
    space = make_space("plain", (1, 8, 8), 10, {})
    genomes = space.sample(11, np.random.default_rng(0))
    found = [design(space, genome, number) for number, genome in enumerate(genomes)]
    spoilt = {
        4: {"state": "infeasible", "metrics": {"area_mm2": 9.0}, "violations": {"area_mm2": 2.0}},
        7: {"state": "failed", "metrics": {}, "workload": None, "failure": "Traceback\nOops: no"},
        9: {"parents": (found[0].key, found[5].key)},
        5: {"parents": (found[1].key, found[0].key)},
    }
    found = [
        Candidate(**{**each.__dict__, **spoilt.get(number, {})})
        for number, each in enumerate(found)
    ]
    config = load_config(
        {
            "data": {"name": "digits"},
            "search": {"space": "plain"},
            "hardware": {"chip": "rram_32nm"},
            "objectives": {"names": [each.name for each in OBJECTIVES]},
        }
    )
    folder = tmp_path_factory.mktemp("pristine") / "run"
    with Store.create(
        folder,
        config_toml=to_toml(config),
        environment={"torch": "2.0"},
        space=space.description(),
        objectives=OBJECTIVES,
        constraints={},
    ) as store:
        for number, each in enumerate(found):
            store.record(each, b"weights" if number == 0 else None)
        for number in range(3):
            keys = [each.key for each in found if each.generation == number]
            store.record_generation(number, [found[0].key, *keys], 0.1 * number, 1.0 + number)
        store.set_meta(HYPERVOLUME_BOX, {"accuracy": [1.0, 0.0], "area_mm2": [0.1, 10.0]})
    return folder


@pytest.fixture
def command(capsys):
    """Run a command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run
