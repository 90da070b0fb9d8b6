"""What evo_snn knows of each of its data sets, and the options that a configuration can set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evo_snn.datasets.base import Parts
from genomes.errors import RequestError, request_error

Whole = Annotated[int, Field(strict=True, ge=0)]
"""A whole number, 0 or more."""

Count = Annotated[int, Field(strict=True, ge=1)]
"""A whole number, 1 or more."""

Share = Annotated[float, Field(strict=True, ge=0.05, le=0.9)]
"""A share of the examples."""


class Options(BaseModel):
    """The options of a data set: ``[data.options]``. A loader without any has this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SizeOptions(Options):
    """What any set of many separate examples can be asked for."""

    per_class: Whole = Field(
        0,
        description="training and validation examples of a class at most, always the same; 0: all",
    )


@dataclass(frozen=True)
class OwnLoader:
    """A data set of evo_snn's own.

    Attributes:
        summary: What it is, in one line.
        load: Makes its parts: of the path and the options; of nothing where there is no path.
        files: What ``data.path`` has to be; "" where the set comes with a library.
        shape: Of the inputs.
        source: Whose data it is, and where its public home is.
        licence: What is known of it.
        options: The model of its options.
    """

    summary: str
    load: Callable[..., Parts]
    files: str
    shape: str
    source: str
    licence: str
    options: type[Options] = Options

    def parts(self, path: Any, options: Mapping[str, Any], name: str) -> Parts:
        """The parts, with options checked.

        Raises:
            RequestError: An option is unknown or not allowed, or the data are not as described.
        """
        checked = checked_options(self.options, options, name)
        if not self.files:
            return self.load()
        return self.load(path, checked) if self.options is not Options else self.load(path)


def checked_options(model: type[Options], options: Mapping[str, Any], name: str) -> Options:
    """The options of data set ``name``.

    Raises:
        RequestError: One is unknown, or its value is not allowed.
    """
    if options and not model.model_fields:
        raise RequestError("data.options", ", ".join(options), f"nothing: {name} has no options")
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        raise request_error(error, prefix="data.options", known=model.model_fields) from None
