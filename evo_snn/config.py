"""The configuration of a run: one TOML file, every key with a default but two.

`evo_snn.config_file` reads and writes it. Nothing in it is looked up here: the names of spaces,
data sets, chips, objectives and the options of a space are checked by the parts that own them.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from evo_snn.limits import LEAST_MEMORY_GB, memory_share_gb
from genomes.errors import RequestError, request_error, unknown_name
from hardware.conditions import Conditions

Algorithm = Literal[
    "nsga2", "nsga3", "sms-emoa", "age-moea", "spea2", "random", "snasnet", "neuronas"
]
Strategy = Literal["none", "parents", "shared", "nearest"]
Kernel = Literal["auto", "numba", "torch", "norse"]
Augment = Literal["none", "flip_crop"]
BestBy = Literal["accuracy", "balanced_accuracy"]
ClassWeights = Literal["none", "balanced"]

Count = Annotated[int, Field(strict=True, ge=1)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_MOST_JOBS = 1024


def usable_cores() -> int:
    """Number of processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _default_chip() -> str:
    from hardware import DEFAULT_CHIP

    return DEFAULT_CHIP


def _default_machine() -> str:
    from hardware.machines import DEFAULT_MACHINE

    return DEFAULT_MACHINE


def _listed(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError("a list in brackets")  # noqa: TRY004 - pydantic takes a ValueError for a message
    return value


def _scalars(value: Any) -> Any:
    listed = _listed(value)
    if not listed or not all(isinstance(one, bool | int | float | str) for one in listed):
        raise ValueError("a list of one or more numbers or words")
    return listed


def _path(value: Any) -> Any:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("a path")
    return value


def _device(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"cpu|cuda(:[0-9]+)?|mps", value):
        raise ValueError("cpu, cuda, cuda:N (the Nth of several) or mps")
    return value


FilePath = Annotated[Path, BeforeValidator(_path)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _tabular(cls, value: Any) -> Any:
        if not isinstance(value, Mapping | cls):
            raise ValueError("a table of keys and values")  # noqa: TRY004 - as above
        return value


class DataSection(_Section):
    """``[data]``: what to learn. ``options`` are the data set's own: `evo-snn datasets NAME`."""

    name: str = Field(min_length=1)
    path: FilePath | None = None
    validation_fraction: Annotated[Real, Field(ge=0.05, le=0.5)] = 0.2
    options: dict[str, Any] = Field(default_factory=dict)

    def __hash__(self) -> int:
        """Of the text: a table of options has no hash, and this one changes no more."""
        return hash(repr(self))


class SearchSection(_Section):
    """``[search]``: where and how to search.

    ``offspring`` is how many candidates each generation after the first has: as many as the
    population where it is not said, and never more.

    ``trained`` is for algorithms that score all candidates untrained, ``snasnet`` and ``neuronas``:
    how many of the best are trained, 1 where it is not said.
    """

    space: str = Field(min_length=1)
    algorithm: Algorithm = "nsga2"
    population: Annotated[int, Field(strict=True, ge=2, le=100_000)] = 24
    offspring: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    generations: Annotated[Count, Field(le=1_000_000)] = 10
    trained: Annotated[Count, Field(le=100_000)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0

    @property
    def children(self) -> int:
        """Candidates of each generation after the first."""
        return min(self.offspring or self.population, self.population)


class TrainingSection(_Section):
    """``[training]``: the brief training of one candidate.

    ``evaluations`` is how many times validation is looked at within the steps; the best so far is
    the fitness. ``warm_up`` is the share of the steps in which the learning rate rises to
    ``learning_rate``; in the rest it falls to zero along half a cosine.

    ``kernel`` is what computes neurons: ``auto`` the fastest that works where the search is,
    ``numba`` compiled loops on the CPU, ``torch`` tensor operations on any device, ``norse`` the
    reference, Norse's own step in a Python loop. They differ by rounding alone.

    ``augment`` is what training steps do to images: ``none``, or ``flip_crop``, which mirrors and
    moves them at random (`evo_snn.augmentation`). Validation and test are never changed.

    ``best_by`` is the metric that decides which look is the best. ``class_weights`` are those of
    the loss: ``none``, or ``balanced``, where a sample weighs as the inverse of how many its class
    has for training.
    """

    steps: Count = 60
    batch_size: Count = 64
    learning_rate: Annotated[Real, Field(gt=0)] = 4e-2
    warm_up: Annotated[Real, Field(ge=0, lt=1)] = 0.2
    weight_decay: Annotated[Real, Field(ge=0)] = 0.0
    evaluations: Count = 2
    device: Annotated[str, BeforeValidator(_device)] = "cpu"
    kernel: Kernel = "auto"
    augment: Augment = "none"
    best_by: BestBy = "accuracy"
    class_weights: ClassWeights = "none"


class TrainingMachineSection(_Section):
    """``[training_machine]``: what ``training_energy_j`` is counted for.

    ``name`` is a machine (docs/training_cost.md); other keys override its parameters.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(default_factory=_default_machine, min_length=1)

    @property
    def overrides(self) -> dict[str, Any]:
        """The parameters that the configuration changes."""
        return dict(self.model_extra or {})


class ScoringSection(_Section):
    """``[scoring]``: how ``sahd_score`` is measured, on the untrained network (docs/baselines.md).

    ``samples`` of the training part are a batch; scores of ``batches`` of them are averaged.
    """

    samples: Annotated[int, Field(strict=True, ge=2, le=100_000)] = 256
    batches: Count = 2


class LadderSection(_Section):
    """``[ladder]``: an early stop of training within a generation, see `evo_snn.ladder`.

    ``rungs`` is how many times it is decided who goes on, and once more: 1 is no ladder, and every
    candidate gets ``training.steps``. ``keep`` is the share of the candidates that climbs from
    a rung to the next, at most: they also have to be among that share of all that the search holds,
    as it was on the rung. Each rung has that share of the steps of the next, and the top one
    ``training.steps``.
    """

    rungs: Annotated[Count, Field(le=20)] = 1
    keep: Annotated[Real, Field(gt=0, lt=1)] = 0.5


class InheritanceSection(_Section):
    """``[inheritance]``: where a candidate's first weights come from (docs/inheritance.md)."""

    strategy: Strategy = "none"


class HardwareSection(_Section):
    """``[hardware]``: the chip, by name or file; other keys override its parameters.

    ``genes`` are parameters that the search chooses, each from a list: `evo_snn.chip_genes`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    chip: str = Field(default_factory=_default_chip, min_length=1)
    genes: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_scalars)]] = Field(
        default_factory=dict
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """The chip parameters that the configuration changes."""
        return dict(self.model_extra or {})


class OnChipSection(_Section, Conditions):
    """``[on_chip]``: what makes chips differ from the ideal, and how accuracy is measured on them.

    The keys of `hardware.conditions.Conditions`, and:

    Attributes:
        instances: chips that a candidate is measured on, drawn anew for each candidate.
        samples: how many of the validation samples it is measured with, always the same ones; 0
            for all.
        path: ``fast`` folds what cells and wires do into one weight a layer; ``exact`` reads
            through the ADCs; ``auto`` is exact where ADCs of some chip cannot tell all sums apart,
            and where genes change how columns are read.
        calibration: training samples that set the range of the ADCs in the exact path.
        train_with_noise: whether every training step meets a freshly drawn chip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    instances: Annotated[int, Field(ge=1, le=10_000)] = 8
    samples: Annotated[int, Field(ge=0)] = 0
    path: Literal["auto", "fast", "exact"] = "auto"
    calibration: Annotated[int, Field(ge=1)] = 64
    train_with_noise: bool = False

    @property
    def conditions(self) -> Conditions:
        """What is not ideal."""
        return Conditions(**{name: getattr(self, name) for name in Conditions.model_fields})


class ObjectivesSection(_Section):
    """``[objectives]``: the metrics to optimise, and Python files that define further ones."""

    names: Annotated[tuple[str, ...], BeforeValidator(_listed)] = (
        "accuracy",
        "area_mm2",
        "energy_uj",
        "latency_ms",
    )
    plugins: Annotated[tuple[FilePath, ...], BeforeValidator(_listed)] = ()

    @field_validator("names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or len(set(names)) < len(names):
            raise ValueError("one or more names, each once")
        return names


class Bounds(_Section):
    """A constraint with both its ends said: ``{min = 0.9}``, ``{max = 20}``, or both."""

    min: Real | None = None
    max: Real | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Bounds":
        if self.min is None and self.max is None:
            raise RequestError("", {}, "a table with min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise RequestError("", {"min": self.min, "max": self.max}, "min <= max")
        return self


def _constraint(value: Any) -> float | Bounds:
    if isinstance(value, Mapping):
        try:
            return Bounds.model_validate(value)
        except ValidationError as error:
            raise config_error(error, Bounds, field="") from None
    if isinstance(value, bool) or not isinstance(value, int | float | Bounds):
        raise ValueError("a number, or a table with min, max or both")  # noqa: TRY004 - as above
    try:
        return value if isinstance(value, Bounds) else float(value)
    except OverflowError:
        raise ValueError(f"a number of at most {sys.float_info.max:g}") from None


def _interval(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != len(("best", "worst")):
        raise ValueError("two numbers, [best, worst]")
    return value


class AblationSection(_Section):
    """``[ablation]``: the run measures what choices contribute (docs/ablation.md).

    In place of a search it evaluates a designed sample, of which each generation is one random
    base with its changes. ``genes`` are patterns of the genes, or of the roles, to change.
    """

    genes: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("*",)


class WorkersSection(_Section):
    """``[workers]``: how many candidates are evaluated at a time, where, and within what limits.

    ``loky`` evaluates in processes, which may die or hang without harm to the search, even where
    there is one; ``threading`` and ``sequential`` evaluate in the search's own process, which has
    to bear what they do, and without limits.

    ``timeout_seconds`` is how long an evaluation may take before its process is ended.
    ``memory_gb`` is what a process may take, in 10^9 bytes, when it trains on the CPU; half of all
    memory where it is not said, however many work and whatever is free.
    """

    jobs: Annotated[Count, Field(le=_MOST_JOBS)] = Field(
        default_factory=lambda: min(usable_cores(), _MOST_JOBS)
    )
    backend: Literal["loky", "threading", "sequential"] = "loky"
    timeout_seconds: Annotated[Real, Field(gt=0, le=1e8)] = 3600.0
    memory_gb: Annotated[Real, Field(ge=LEAST_MEMORY_GB, le=1e8)] | None = Field(
        default_factory=memory_share_gb
    )


class HypervolumeSection(_Section):
    """``[hypervolume]``: the box that hypervolume is measured in, metric → [best, worst].

    What is missing is fixed once by the run, and stored.
    """

    box: dict[str, Annotated[tuple[Real, Real], BeforeValidator(_interval)]] = Field(
        default_factory=dict
    )


class WeightsSection(_Section):
    """``[weights]``: which trained weights stay in the run folder.

    ``needed``: of those that can still be parents, and of the front; ``front``: the front's, once
    the search has ended; ``all``: every one.
    """

    keep: Literal["needed", "all", "front"] = "needed"


class Config(_Section):
    """The whole configuration of a run, immutable."""

    data: DataSection
    search: SearchSection
    space: dict[str, Any] = Field(default_factory=dict)
    training: TrainingSection = Field(default_factory=TrainingSection)
    training_machine: TrainingMachineSection = Field(default_factory=TrainingMachineSection)
    scoring: ScoringSection = Field(default_factory=ScoringSection)
    ladder: LadderSection = Field(default_factory=LadderSection)
    inheritance: InheritanceSection = Field(default_factory=InheritanceSection)
    hardware: HardwareSection = Field(default_factory=HardwareSection)
    on_chip: OnChipSection | None = None
    ablation: AblationSection | None = None
    objectives: ObjectivesSection = Field(default_factory=ObjectivesSection)
    constraints: dict[str, Annotated[Real | Bounds, BeforeValidator(_constraint)]] = Field(
        default_factory=dict
    )
    workers: WorkersSection = Field(default_factory=WorkersSection)
    hypervolume: HypervolumeSection = Field(default_factory=HypervolumeSection)
    weights: WeightsSection = Field(default_factory=WeightsSection)

    def fixed(self) -> dict[str, Any]:
        """Dotted key → value of everything that a run keeps from its beginning to its end.

        What may change between sessions is left out: how far it goes, who works on it, and where
        its data and their cache, its device and its kernel are.
        """
        document = self.model_dump(exclude_none=True)
        document["data"]["options"].pop("cache_folder", None)
        flat = {
            f"{section}.{key}": value
            for section, table in document.items()
            for key, value in table.items()
        }
        free = ("search.generations", "data.path", "training.device", "training.kernel")
        return {
            key: value
            for key, value in flat.items()
            if key not in free and not key.startswith("workers.")
        }

    def first_difference(self, other: "Config") -> tuple[str, Any, Any] | None:
        """The first fixed key in which another configuration differs: (key, here, there)."""
        here, there = self.fixed(), other.fixed()
        for key in sorted({*here, *there}):
            if here.get(key) != there.get(key):
                return key, here.get(key), there.get(key)
        return None


def config_error(error: ValidationError, model: type[BaseModel], *, field: str) -> RequestError:
    """One line for one error, an unknown section or key first: what is missing may be it, misspelt.

    It is named with its table, and the nearest key.
    """
    unknown = [each for each in error.errors() if each["type"] == "extra_forbidden"]
    if not unknown:
        return request_error(error)
    first = min(unknown, key=lambda each: len(each["loc"]))
    for part in first["loc"][:-1]:
        field = str(part)
        inner = _model_in(model.model_fields[str(part)].annotation)
        if inner is None:
            break
        model = inner
    # the key itself in another section is likelier meant than a key that only looks like it
    return _of_another_section(unknown_name(field, first["loc"][-1], model.model_fields))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, where it may also be left out."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _of_another_section(error: RequestError) -> RequestError:
    """The same error with a remedy where the key is one of a section that was not named."""
    for section, info in Config.model_fields.items():
        model = _model_in(info.annotation)
        if model is not None and str(error.value) in model.model_fields:
            remedy = f"Did you mean '{section}.{error.value}'?"
            return RequestError(error.field, error.value, error.allowed, remedy)
    return error
