"""Searches: begin one, or go on with one, and leave everything in a run folder."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from evo_snn.ablation_design import DESIGN
from evo_snn.chip_genes import CHIP, stored_chip
from evo_snn.config import Config
from evo_snn.config_file import load_config, to_toml
from evo_snn.environment import current_environment, differences
from evo_snn.fidelity import device_digest
from evo_snn.generation import DamagedRunError
from evo_snn.interrupts import Interrupts
from evo_snn.loop import Loop, ReplayError, SearchFailedError
from evo_snn.plan import Plan, make_plan
from evo_snn.plugins import PluginRecord
from evo_snn.progress import LOGGER, make_reporter
from evo_snn.run import (
    CONFIGURATION,
    DATA_DIGEST,
    DEVICE_DIGEST,
    FIRST_BOX,
    HYPERVOLUME_BOX,
    LEAKY,
    ON_CHIP_PATH,
    PLUGINS,
    Run,
    open_run,
)
from evo_snn.store import CONFIG, Store, StoreWriteError
from evo_snn.trust import require_trusted, trust
from evo_snn.workers import Workers
from genomes.documents import parse_toml
from genomes.errors import RequestError

__all__ = [
    "DamagedRunError",
    "NothingFeasible",
    "ReplayError",
    "SearchFailedError",
    "StoreWriteError",
    "evolve",
    "resume",
]

_CHANGEABLE = ("data.path", "training.device", "training.kernel")
"""What a resumed run may have otherwise than before, beside ``workers``: where things are."""


class NothingFeasible(RuntimeError):  # noqa: N818 - it is an outcome of a search, not a fault
    """A search ended without a design that meets all constraints. The run is intact.

    Attributes:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"no design met all constraints; everything evaluated is in {run.folder}")


def evolve(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    generations: int | None = None,
    population: int | None = None,
    jobs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Run:
    """Search, and leave everything in a run folder.

    Args:
        config: a TOML file, the same as a mapping, or a configuration.
        out: the run folder, new or empty; ``runs/out/SPACE-TIME`` by default.
        seed: in place of ``search.seed``.
        generations: in place of ``search.generations``.
        population: in place of ``search.population``.
        jobs: in place of ``workers.jobs``.
        overrides: dotted key → value, over everything else.
        progress: draw a bar on a terminal. Log lines go to the logger ``evo_snn``.

    Returns:
        The run.

    Raises:
        RequestError: the request is wrong; nothing was written.
        NothingFeasible: no design met all constraints; the run is intact.
        SearchFailedError: every candidate of a generation failed.
        StoreWriteError: the disk takes no more; what was stored is intact.
        KeyboardInterrupt: as the user wanted; the run can go on.
    """
    chosen = _said({
        "search.seed": seed,
        "search.generations": generations,
        "search.population": population,
        "workers.jobs": jobs,
    })  # fmt: skip
    plan = make_plan(load_config(config, {**chosen, **(overrides or {})}))
    folder = _default_folder(plan.config) if out is None else out
    environment = current_environment(plan.settings.training.kernel)
    device, on_chip = device_digest(plan.config.on_chip), plan.settings.on_chip
    with Store.create(
        folder,
        config_toml=to_toml(plan.config),
        environment=environment,
        space=plan.space.description(),
        objectives=[metric.record for metric in plan.objectives],
        constraints=plan.config.model_dump(mode="json")["constraints"],
        meta={
            PLUGINS: [record.to_document() for record in plan.plugins],
            DATA_DIGEST: plan.settings.data_digest,
            CHIP: plan.space.chips.base.to_document(),
            **({DEVICE_DIGEST: device} if device else {}),
            **({ON_CHIP_PATH: on_chip.path} if on_chip else {}),
            **({LEAKY: plan.leaky} if plan.leaky else {}),
            FIRST_BOX: plan.box,
            HYPERVOLUME_BOX: plan.box,
        },
    ) as store:
        trust(plan.plugins)
        _conduct(Loop(plan, store), store, environment, progress=progress)
    return _concluded(folder)


def resume(
    folder: str | Path,
    *,
    generations: int | None = None,
    jobs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    accept: Sequence[str] = (),
    progress: bool = False,
) -> Run:
    """Go on with a search where it stopped, or further.

    What was evaluated is not evaluated again, but for failed candidates of the generation that was
    not finished. The result is that of a search that was never interrupted, bit for bit, as long as
    the environment is the one of the folder's ``config.toml``; a difference is logged and kept.

    Args:
        folder: the run's folder.
        generations: how many the run is to have; not fewer than it has.
        jobs: in place of ``workers.jobs``.
        overrides: dotted key → value, of ``workers``, ``data.path``, ``training.device`` and
            ``training.kernel`` alone.
        accept: SHA-256 hashes, or their beginnings, of plug-ins that may run though this user did
            not start the run with them.
        progress: draw a bar on a terminal.

    Returns:
        The run.

    Raises:
        RequestError: there is no such run, another process is writing it, a plug-in is not
            accepted, or something else is not as the run needs it; nothing was written.
        NothingFeasible: no design met all constraints; the run is intact.
        SearchFailedError: every candidate of a generation failed.
        ReplayError: the installed versions ask for other designs than the stored ones.
        DamagedRunError: a file of weights is not whole.
    """
    with Store.open(folder, read_only=False) as store:
        records = [PluginRecord.from_document(one) for one in store.meta(PLUGINS, [])]
        config = _continued(store, generations, jobs, overrides or {})
        _check_weights(store, config)
        require_trusted(records, accept)
        plan = _stored_plan(store, config, records)
        loop = Loop(plan, store)
        loop.replay()  # nothing is written before it is known that the run can go on
        store.replace_config(to_toml(config))
        environment = current_environment(plan.settings.training.kernel)
        for line in differences(store.meta("environment", {}), environment):
            LOGGER.warning("this environment is not the run's, bits may differ: %s", line)
            store.record_event("environment", line)
        _conduct(loop, store, environment, progress=progress)
    return _concluded(folder)


def _conduct(loop: Loop, store: Store, environment: Mapping[str, str], *, progress: bool) -> None:
    """Run the loop as a session of the store, and say in it how it ended."""
    plan = loop.plan
    search = plan.config.search
    reporter = make_reporter(progress=progress, generations=search.generations, **_sizes(plan))
    if plan.design is not None:
        store.set_meta(DESIGN, plan.design.record.model_dump(mode="json"))
    store.start_session(
        search.generations, plan.config.workers.model_dump(mode="json"), environment
    )
    outcome = "failed"
    try:
        with (
            Interrupts() as interrupts,
            reporter,
            Workers(plan.config.workers, plan.settings, interrupts) as workers,
        ):
            loop.run(workers, reporter, interrupts)
        outcome = "finished"
    except KeyboardInterrupt as interrupt:
        outcome = "interrupted"
        interrupt.add_note(
            f"everything that was evaluated is stored; evo-snn resume {store.folder} goes on"
        )
        raise
    except Exception as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        raise
    finally:
        with suppress(StoreWriteError):  # where nothing can be written, not even this
            store.end_session(outcome)


def _sizes(plan: Plan) -> dict[str, int]:
    """How many candidates the first generation has, and about how many each later one."""
    search = plan.config.search
    if plan.design is None:
        return {"population": search.population, "offspring": search.children}
    later = plan.design.candidates // search.generations
    first = plan.design.candidates - later * (search.generations - 1)
    return {"population": first, "offspring": later}


def _concluded(folder: str | Path) -> Run:
    try:
        run = open_run(folder)
        nothing = run.config.ablation is None and run.front().empty
    except RequestError as error:  # a run that could not be closed, where nobody can write
        raise StoreWriteError(Path(folder), error.__cause__ or error.remedy) from error
    if nothing:
        raise NothingFeasible(run)
    return run


# What a stored run goes on with


def _continued(
    store: Store, generations: int | None, jobs: int | None, overrides: Mapping[str, Any]
) -> Config:
    """The run's configuration with what may be changed in it."""
    for key in overrides:
        if not key.startswith("workers.") and key not in _CHANGEABLE:
            allowed = f"keys of workers, {', '.join(_CHANGEABLE)}"
            raise RequestError("--set", key, allowed, "The rest of a run is fixed.")
    chosen = _said({"search.generations": generations, "workers.jobs": jobs})
    config = load_config(store.folder / CONFIG, {**chosen, **overrides})
    began = load_config(parse_toml(store.meta(CONFIGURATION, "")))
    difference = began.first_difference(config)
    if difference is not None:
        key, began_with, found = difference
        remedy = f"It is fixed: put it back in {CONFIG}, or begin another run."
        raise RequestError(f"{CONFIG}: {key}", found, f"{began_with!r}, as the run began", remedy)
    finished = len(store.generations())
    if config.search.generations < finished:
        allowed = f"{finished} or more; so many are finished"
        raise RequestError("--generations", config.search.generations, allowed)
    return config


def _check_weights(store: Store, config: Config) -> None:
    damaged = store.damaged_weights()
    if damaged and config.inheritance.strategy != "none":
        key, reason = next(iter(damaged.items()))
        more = f" ({len(damaged)} such files)" if len(damaged) > 1 else ""
        raise RequestError(
            "run folder",
            f"weights of {key}: {reason}",
            "the files that the run has stored" + more,
            f"Put them back, or evo-snn check {store.folder} --repair forgets them.",
        )


def _stored_plan(store: Store, config: Config, records: Sequence[PluginRecord]) -> Plan:
    """The plan that the run was made with."""
    files = [record.file for record in records if record.file is not None]
    kernel = store.meta("environment", {}).get("kernel")
    plan = make_plan(config, files=files, chip=stored_chip(store.meta), kernel=kernel)
    for field, stored, present in (
        ("data", store.meta(DATA_DIGEST), plan.settings.data_digest),
        ("on_chip.device", store.meta(DEVICE_DIGEST), device_digest(config.on_chip)),
        ("space", *_described(store.meta("space"), plan.space.description())),
        ("objectives", store.objectives(), [metric.record for metric in plan.objectives]),
        ("plugins", _names(records), _names(plan.plugins)),
    ):
        if stored != present:
            raise RequestError(
                field,
                "another one than the run began with",
                "what the run has stored",
                "Go on with the file and the versions that config.toml names.",
            )
    return plan


def _described(stored: dict[str, Any], present: dict[str, Any]) -> tuple[object, object]:
    """Descriptions of a space to compare: options that came later are at their defaults."""
    return {**stored, "options": {**present["options"], **stored["options"]}}, present


def _names(records: Sequence[PluginRecord]) -> list[tuple[str, str]]:
    return sorted((record.kind, record.name) for record in records)


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a call's arguments that were given."""
    return {key: value for key, value in given.items() if value is not None}


def _default_folder(config: Config) -> Path:
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    name = f"{config.data.name}-{config.search.space}-{now}"
    names = itertools.chain([name], (f"{name}-{k}" for k in itertools.count(2)))
    return next(path for path in (Path("runs", "out", one) for one in names) if not path.exists())
