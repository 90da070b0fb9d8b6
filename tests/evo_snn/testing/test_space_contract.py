"""The contract of a space holds ``plain`` harmless and catches each kind of bad one."""

import itertools
import os
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from evo_snn.testing import check_space
from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.plain import PlainOptions, PlainSpace
from genomes.space import SearchSpace
from genomes.spaces import space_class
from tests.counts import count

_calls = itertools.count()


class TinyOptions(PlainOptions):
    """Of a space that is quick to try."""

    max_stages: int = Field(1, description="stages")
    time_steps: tuple[int, ...] = Field((2, 3), description="time steps")


class Tiny(PlainSpace):
    """One stage of the plain space."""

    name = "tiny"
    Options = TinyOptions


@pytest.mark.parametrize(
    ("shape", "classes", "options"),
    [
        ((1, 8, 8), 10, {}),
        ((2, 30), 3, {"max_stages": 1}),
        ((1, 4, 4, 4), 2, {"max_stages": 1, "max_blocks": 1, "kernels": [1, 3]}),
    ],
)
def test_plain_keeps_the_contract(shape, classes, options) -> None:
    check_space(PlainSpace, options=options, input_shape=shape, classes=classes, samples=60)


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("hyperspectral", (1, 30, 7, 7), {}),
        ("hyperspectral", (1, 5, 1, 1), {"max_planes": 0}),
        ("hyperspectral", (2, 40, 6, 4), {"bands": [], "patches": [3], "max_cubes": 2}),
        ("spectrum", (1, 40), {"bands": [8, 16]}),
        ("spectrum", (1, 3), {}),
        ("signal", (2, 64), {}),
        ("signal", (1, 1), {"max_stages": 2}),
        ("cell", (1, 6, 6), {"stages": [1, 2], "repeats": [1, 2]}),
        ("spikenas_bench", (1, 6, 6), {"time_steps": [1, 3], "weight_bits": [1, 5]}),
        ("blocks", (1, 6, 6), {"reductions": ["max", "stride"], "growths": [1, 2]}),
        ("cell", (2, 1, 5), {"cells": "alike", "backward_operations": "none"}),
    ],
)
def test_the_other_spaces_keep_the_contract(name, shape, options) -> None:
    """Decoding, canonical forms, keys, finite costs, networks that run."""
    narrow = {"widths": [2, 3, 5], **options}
    samples = count(60, 2000)
    check_space(space_class(name), options=narrow, input_shape=shape, classes=3, samples=samples)


def test_a_good_one_passes() -> None:
    check_space(Tiny, samples=40)


class Unfelt(Tiny):
    """Has a gene that no network feels."""

    @cached_property
    def genes(self):
        return (*super().genes, Gene("unfelt", (1, 2, 3)))

    def tiny(self):
        return Tiny(self.input_shape, self.classes, self.options)

    def active(self, genome):
        return np.append(self.tiny().active(np.asarray(genome)[:-1]), True)

    def canonical(self, genome):
        *felt, last = self.checked(genome)
        return np.append(self.tiny().canonical(felt), last)

    def decode(self, genome):
        return self.tiny().decode(self.checked(genome)[:-1])


class Noisy(Tiny):
    """Decodes to something else each time."""

    def decode(self, genome):
        return replace(super().decode(genome), time_steps=2 + next(_calls) % 3)


class OfTheProcess(Tiny):
    """Decodes to what depends on the process."""

    def decode(self, genome):
        found = super().decode(genome)
        here = str(os.getpid())  # a process that this one starts has its number by then
        first = os.environ.setdefault("EVO_SNN_FIRST_TO_DECODE", here) == here
        return replace(found, input_bits=5 + first)


class Leaky(Tiny):
    """Has inactive genes in its key."""

    def canonical(self, genome):
        return self.checked(genome)


class Careless(Tiny):
    """Takes any integers."""

    def checked(self, genome):
        return np.clip(
            np.resize(np.asarray(genome), self.choices.shape), 0, self.choices - 1
        ).astype(np.int64)


class Repeating(Tiny):
    """Samples with repetition."""

    def sample(self, n, rng):
        return np.repeat(super().sample(max(1, n // 2), rng), 2, axis=0)


class Fixed(Tiny):
    """Samples the same, whatever the generator."""

    def sample(self, n, rng):
        return super().sample(n, np.random.default_rng(0))


class Standing(Tiny):
    """Has each genome as its own neighbour."""

    def neighbours(self, genome):
        return np.vstack([self.canonical(genome)[None], super().neighbours(genome)])


class OtherClasses(Tiny):
    """Decodes for one class more."""

    def decode(self, genome):
        return Tiny(self.input_shape, self.classes + 1, self.options).decode(genome)


class Nameless(Tiny):
    """Has a key that does not know the classes."""

    @cached_property
    def _identity(self):
        return "tiny"


class Open(Tiny):
    """Takes unknown options."""

    class Options(TinyOptions):
        """Open."""

        model_config = ConfigDict(extra="ignore")


class Demanding(Tiny):
    """Has an option without a default."""

    class Options(BaseModel):
        """Demanding."""

        size: int = Field(description="size")


class Undocumented(Tiny):
    pass


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (Unfelt, "not felt"),
        (Noisy, "architecture|another"),
        (OfTheProcess, "another process|not read back"),
        (Leaky, "inactive gene|not felt|own canonical form"),
        (Careless, "takes a genome that is too short"),
        (Repeating, "a genome twice"),
        (Fixed, "does not use its generator"),
        (Standing, "same network|its own neighbour"),
        (OtherClasses, "other samples or classes"),
        (Nameless, "does not depend on the classes"),
        (Open, "unknown options"),
        (Demanding, "has no default"),
        (Undocumented, "docstring"),
    ],
)
def test_a_bad_space_is_told_what_is_wrong(space: type[SearchSpace], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_space(space, samples=30)


def test_refusals_are_request_errors() -> None:
    space = Tiny((1, 8, 8), 10, TinyOptions())
    with pytest.raises(RequestError):
        space.decode([0])
