"""The search spaces by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from genomes.errors import request_error, unknown_name
from genomes.plain import PlainOptions, PlainSpace
from genomes.space import SearchSpace

_SPACES: Mapping[str, tuple[type[SearchSpace], type[BaseModel]]] = {
    "plain": (PlainSpace, PlainOptions),
}


def space_names() -> list[str]:
    """The names that a configuration can give as ``search.space``."""
    return sorted(_SPACES)


def space_options(name: str) -> type[BaseModel]:
    """The options model of a space.

    Raises:
        RequestError: there is no space of that name.
    """
    if name not in _SPACES:
        raise unknown_name("search.space", name, space_names())
    return _SPACES[name][1]


def make_space(
    name: str, input_shape: Sequence[int], classes: int, options: Mapping[str, Any] | None = None
) -> SearchSpace:
    """The search space of that name, for samples of one shape.

    Args:
        name: one of ``space_names()``.
        input_shape: (channels, *spatial) of one sample.
        classes: number of classes.
        options: the ``[space]`` section of a configuration.

    Raises:
        RequestError: an unknown name or option, or a value that is not allowed.
    """
    model = space_options(name)
    try:
        checked = model.model_validate(dict(options or {}))
    except ValidationError as error:
        raise request_error(error, prefix="space", known=model.model_fields) from None
    return _SPACES[name][0](input_shape, classes, checked)
