"""The search spaces by name: evo_snn's own, and those of installed packages.

A package offers a space through the entry point ``evo_snn.spaces``: a subclass of ``SearchSpace``
whose ``name`` is the entry point's and whose ``Options`` is the model of its options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from genomes.blocks import BlocksSpace
from genomes.cell import CellSpace
from genomes.errors import RequestError, request_error, unknown_name
from genomes.hyperspectral import HyperspectralSpace
from genomes.plain import PlainSpace
from genomes.plugins import SPACES, broken, find, installed, left_out, load, origin, shadowed
from genomes.signal import SignalSpace
from genomes.space import SearchSpace
from genomes.spectrum import SpectrumSpace
from genomes.spikenas_bench import SpikenasBenchSpace

OWN_SPACES: Mapping[str, type[SearchSpace]] = {
    space.name: space
    for space in (
        PlainSpace,
        CellSpace,
        SpikenasBenchSpace,
        BlocksSpace,
        HyperspectralSpace,
        SpectrumSpace,
        SignalSpace,
    )
}


def space_names() -> list[str]:
    """The names that a configuration can give as ``search.space``; no package is imported."""
    return sorted({*OWN_SPACES, *installed(SPACES)})


def space_classes() -> dict[str, type[SearchSpace]]:
    """Name → class of every space; what does not work is left out, with a warning."""
    found = dict(OWN_SPACES)
    for name in installed(SPACES):
        if name in OWN_SPACES:
            shadowed(SPACES, name)
            continue
        try:
            found[name] = space_class(name)
        except RequestError as error:
            left_out(SPACES, name, error)
    return found


def space_class(name: str) -> type[SearchSpace]:
    """The space of that name.

    Raises:
        RequestError: there is none, or its package does not work.
    """
    if name in OWN_SPACES:
        return OWN_SPACES[name]
    if name not in installed(SPACES):
        raise unknown_name("search.space", name, space_names())
    found = load(SPACES, name)
    wrong = _fault(found, name)
    if wrong:
        raise broken(SPACES, name, wrong)
    return found  # type: ignore[return-value]  # as `_fault` has checked


def _fault(found: object, name: str) -> str:
    """What keeps an object from being the space of that name; "" for nothing."""
    if not isinstance(found, type) or not issubclass(found, SearchSpace):
        return "it is no subclass of genomes.space.SearchSpace"
    # A cached property does not say that it is abstract.
    lacks = set(found.__abstractmethods__) | (
        {"genes"} if found.genes is SearchSpace.genes else set()
    )
    if lacks:
        return f"{found.__name__} lacks {', '.join(sorted(lacks))}"
    if getattr(found, "name", None) != name:
        return f"{found.__name__}.name is {getattr(found, 'name', None)!r}"
    if not isinstance(getattr(found, "version", None), int):
        return f"{found.__name__}.version is no whole number"
    options = getattr(found, "Options", None)
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        return f"{found.__name__}.Options is no pydantic model"
    try:
        options()
    except ValidationError as error:
        return f"options without a valid default: {request_error(error)}"
    return ""


def space_origin(name: str) -> str:
    """The package that a space comes from, with its version; "" for evo_snn's own."""
    return "" if name in OWN_SPACES else origin(find(SPACES, name))


def make_space(
    name: str,
    input_shape: Sequence[int],
    classes: int,
    options: Mapping[str, Any] | None = None,
    frames: int = 0,
) -> SearchSpace:
    """The search space of that name, for samples of one shape.

    Args:
        name: one of ``space_names()``.
        input_shape: (channels, *spatial) of one sample.
        classes: number of classes.
        options: the ``[space]`` section of a configuration.
        frames: how many there are of an event stream, each of ``input_shape``; 0 for still samples.

    Raises:
        RequestError: an unknown name or option, or a value that is not allowed.
    """
    chosen = space_class(name)
    try:
        checked = chosen.Options.model_validate(dict(options or {}))
    except ValidationError as error:
        known = chosen.Options.model_fields
        raise request_error(error, prefix="space", known=known) from None
    try:
        space = chosen(input_shape, classes, checked)
    except RequestError:
        raise
    except Exception as error:
        if name in OWN_SPACES:
            raise
        raise broken(SPACES, name, f"{type(error).__name__}: {error}") from error
    if frames and not space.reads_frames:
        allowed = f"still samples, as space {name!r} has it with these options"
        remedy = "Event streams are read directly: leave space.codings out, or take another space."
        raise RequestError("data", f"samples of {frames} frames", allowed, remedy)
    space.frames = frames
    return space
