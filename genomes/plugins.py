"""Plug-ins of installed packages, found by their entry points.

A package offers an objective, a search space, a chip or a data set under a name, in its metadata.
Looking for names imports nothing; only what is asked for is loaded.
"""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from genomes.errors import RequestError, unknown_name

OBJECTIVES = "evo_snn.objectives"
SPACES = "evo_snn.spaces"
CHIPS = "evo_snn.chips"
DATASETS = "evo_snn.datasets"

FIELDS = {
    OBJECTIVES: "objectives.names",
    SPACES: "search.space",
    CHIPS: "hardware.chip",
    DATASETS: "data.name",
}
"""Group of entry points → the key of a configuration that names one."""

_NOUNS = {OBJECTIVES: "objective", SPACES: "space", CHIPS: "chip", DATASETS: "data set"}

LOGGER = logging.getLogger("evo_snn")


def installed(group: str) -> dict[str, EntryPoint]:
    """The plug-ins of a group by name, in the order of names; nothing is imported."""
    return {name: found[0] for name, found in sorted(_offers(group).items())}


def find(group: str, name: str) -> EntryPoint:
    """The one installed plug-in of that name; nothing is imported.

    Raises:
        RequestError: there is none, or more than one package offers it.
    """
    offers = _offers(group)
    if name not in offers:
        raise unknown_name(FIELDS[group], name, offers)
    if len(offers[name]) > 1:
        packages = " and ".join(origin(one) for one in offers[name])
        remedy = f"{packages} both have it: uninstall one."
        raise RequestError(FIELDS[group], name, "a name that one package offers", remedy)
    return offers[name][0]


def load(group: str, name: str) -> object:
    """What an installed plug-in is: its module is imported.

    Raises:
        RequestError: there is no such plug-in, or its package fails.
    """
    found = find(group, name)
    try:
        return found.load()
    except (Exception, SystemExit) as error:
        raise broken(group, name, f"{type(error).__name__}: {error}") from error


def broken(group: str, name: str, reason: str) -> RequestError:
    """The error for an installed plug-in that is not what its group needs."""
    package = origin(installed(group)[name]) if name in installed(group) else "a package"
    return RequestError(FIELDS[group], name, "a plug-in that works", f"{package}: {_line(reason)}")


def origin(plugin: EntryPoint) -> str:
    """The package that a plug-in comes from: name and version."""
    if plugin.dist is None:
        return plugin.module
    return f"{plugin.dist.name} {plugin.dist.version}"


def left_out(group: str, name: str, error: RequestError) -> None:
    """Say in one line that a listing goes on without a plug-in."""
    reason = error.remedy if error.value == name and error.remedy else str(error)
    LOGGER.warning("warning: %s %r is left out: %s", _NOUNS[group], name, reason)


def shadowed(group: str, name: str) -> None:
    """Say in one line that the name of a plug-in means something of evo_snn's own."""
    package = origin(installed(group)[name])
    LOGGER.warning(
        "warning: %s %r of %s is left out: evo_snn has its own", _NOUNS[group], name, package
    )


def places(module: str) -> list[Path]:
    """Where a module lies: its file, or the folders of a package; empty where it is not found.

    Nothing is imported: only the top-level package is looked for, the rest are paths below it.
    """
    top, *inner = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [] if inner or spec.origin is None else [Path(spec.origin)]
    folders = [Path(folder).joinpath(*inner) for folder in spec.submodule_search_locations]
    files = [folder.with_suffix(".py") for folder in folders] if inner else []
    return [place for place in (*folders, *files) if place.exists()]


def _offers(group: str) -> dict[str, list[EntryPoint]]:
    """Name → what different packages offer under it, in the order of packages."""
    found: dict[str, list[EntryPoint]] = {}
    for one in sorted(entry_points(group=group), key=origin):
        found.setdefault(one.name, []).append(one)
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
