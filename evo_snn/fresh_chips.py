"""Designs of a run on fresh chips: instances that no search has met.

A search measures its candidates on instances numbered from 0. What is promised of a design is
measured on others, and on the test part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from pydantic import ValidationError

from evo_snn.chip_accuracy import fixed_part, hits_on_chip, summary
from evo_snn.config import OnChipSection
from evo_snn.fidelity import OnChip, PathName, check_measured, path_of
from evo_snn.folder import TRAINED, require_file_name
from evo_snn.metrics import ON_CHIP, seconds_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import DeployedNetwork, build, deploy
from evo_snn.snn.kernels import choose
from evo_snn.snn.tensors import read_tensors, restore
from evo_snn.training import (
    Samples,
    checked_device,
    data_of,
    make_reproducible,
    measure,
    on_device,
)
from genomes.architecture import Architecture
from genomes.errors import RequestError, request_error, unknown_name
from hardware import Chip
from hardware.conditions import Conditions
from hardware.devices import IDEAL

if TYPE_CHECKING:
    import pandas as pd

    from evo_snn.run import Run

FIRST = 1_000_000
"""Number of the first fresh instance; a search has at most 10,000."""

INSTANCES = 20

_PARTS = ("test", "validation")


def accuracy_on_chip(
    run: Run,
    keys: str | Sequence[str],
    instances: int = INSTANCES,
    *,
    seed: int | None = None,
    conditions: Conditions | Mapping[str, Any] | None = None,
    path: Literal["auto", "fast", "exact"] | None = None,
    seconds: float = 0.0,
    part: Literal["test", "validation"] = "test",
    trained: bool = False,
    accept: Sequence[str] = (),
) -> pd.DataFrame:
    """Accuracies of stored designs on fresh instances of each its own chip.

    Args:
        run: the run.
        keys: keys of its candidates, or prefixes of them; one may stand alone.
        instances: how many chips.
        seed: that they are drawn from, with the design's key; the run's by default.
        conditions: what is not ideal; the run's ``[on_chip]`` by default.
        path: as in ``[on_chip]``; by default the one that the search took.
        seconds: after programming.
        part: of the data set.
        trained: take the fully trained weights (``evo-snn train``) in place of the search's.
        accept: as for `evo_snn.train`.

    Returns:
        One row a design and instance: key, instance (from 0), accuracy (of the network itself, on
        the same samples) and accuracy_on_chip.

    Raises:
        RequestError: an unknown key, weights that are not kept, conditions that the chip does not
            go with, or an argument that is none of those allowed.
    """
    import pandas as pd

    if type(instances) is not int or instances < 1:
        raise RequestError("instances", instances, "a whole number, 1 or more")
    if part not in _PARTS:
        raise unknown_name("part", part, _PARTS)
    keys = [run.candidate(key).key for key in ([keys] if isinstance(keys, str) else keys)]
    how = _how(run, conditions, path, instances)
    _check(run, keys, how, seconds)
    data = data_of(run, accept)
    device = str(checked_device(run.config.training.device))
    seed = run.config.search.seed if seed is None else seed
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        make_reproducible(device)
        samples = on_device(getattr(data, part), device)
        train, validation = on_device(data.train, device), on_device(data.validation, device)
        for key in keys:
            network = _network(run, key, device, trained=trained)
            plain = measure(network, samples).accuracy
            hits = fresh_hits(
                network,
                run.chip_of(key),
                how,
                samples,
                train=train,
                validation=validation,
                seed=derived_seed(seed, key),
                seconds=seconds,
            )
            rows += [
                {"key": key, "instance": k, "accuracy": plain, "accuracy_on_chip": share}
                for k, share in enumerate(hits.double().mean(1).tolist())
            ]
    return pd.DataFrame(rows, columns=["key", "instance", "accuracy", "accuracy_on_chip"])


def fresh_summary(
    network: DeployedNetwork,
    chip: Chip,
    run: Run,
    *,
    train: Samples,
    validation: Samples,
    test: Samples,
    seed: int,
) -> dict[str, float]:
    """Mean, worst and deviation of test accuracy on fresh instances; empty where nobody asked.

    Asked for it is by an ``[on_chip]`` section, or by a metric on chips.
    """
    named = {*run.config.objectives.names, *run.config.constraints}
    asked = run.config.on_chip is not None or any(
        name in ON_CHIP or seconds_of(name) is not None for name in named
    )
    if not asked:
        return {}
    how = _how(run, None, None, INSTANCES)
    hits = fresh_hits(network, chip, how, test, train=train, validation=validation, seed=seed)
    found = summary(hits, len(test))
    return {f"test_{name}": value for name, value in found.items() if "stderr" not in name}


def fresh_hits(
    network: DeployedNetwork,
    chip: Chip,
    how: OnChip,
    samples: Samples,
    *,
    train: Samples,
    validation: Samples,
    seed: int,
    seconds: float = 0.0,
) -> torch.Tensor:
    """(instances, samples) bool: what fresh instances classify correctly."""
    rates = measure(network, validation).rates
    return hits_on_chip(
        network,
        chip,
        how,
        samples,
        instances=range(FIRST, FIRST + how.instances),
        seed=seed,
        seconds=seconds,
        calibration=fixed_part(train, how.calibration).x[:],
        rates=rates,
    )


def path_taken(run: Run) -> PathName | None:
    """The path by which a run's accuracies on chips are measured; None where nobody asks for any.

    It is the one that the search stored, or that its ``[on_chip]`` leads to.
    """
    section = run.config.on_chip
    if run.on_chip_path is not None or section is None:
        return run.on_chip_path
    return path_of(section, run.chip_genes)


def _check(run: Run, keys: Sequence[str], how: OnChip, seconds: float) -> None:
    """Refuse what cannot be measured on the chips of these designs."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise RequestError("seconds", seconds, "a number of 0 or more")
    if seconds > 0 and how.conditions.device == IDEAL:
        allowed = "0 with ideal cells, as they do not change with time"
        raise RequestError("seconds", seconds, allowed, "Give conditions a device.")
    chips = [(run.chip_values(key), run.chip_of(key)) for key in keys]
    check_measured(how.conditions, how.path, chips, [seconds])


def _how(
    run: Run,
    conditions: Conditions | Mapping[str, Any] | None,
    path: Literal["auto", "fast", "exact"] | None,
    instances: int,
) -> OnChip:
    section = run.config.on_chip or OnChipSection()
    if path not in (None, "auto", *get_args(PathName)):
        raise unknown_name("path", path, ["auto", *get_args(PathName)])
    section = section.model_copy(update={} if path is None else {"path": path})
    taken = path_of(section, run.chip_genes)
    how = OnChip(
        conditions=section.conditions,
        path=taken if path is not None else path_taken(run) or taken,
        instances=instances,
        samples=0,
        calibration=section.calibration,
        fresh=True,
        after={},
    )
    if conditions is None:
        return how
    try:
        given = Conditions.model_validate(conditions)
    except ValidationError as error:
        raise request_error(error, prefix="conditions", known=Conditions.model_fields) from None
    return replace(how, conditions=given)


def _network(run: Run, key: str, device: str, *, trained: bool) -> DeployedNetwork:
    """A design's network with its stored weights, deployed."""
    require_file_name(key)
    path = run.folder / TRAINED / f"{key}.safetensors"
    weights = path if trained else run.weights_path(key)
    if weights is None or not weights.is_file():
        remedy = "evo-snn train makes them." if trained else "weights.keep = 'all' keeps them."
        raise RequestError("key", key, "a design whose weights are kept", remedy)
    architecture = Architecture.from_description(run.candidate(key).architecture)
    network = build(architecture, 0, choose("auto", device).name)
    restore(network, read_tensors(weights))
    return deploy(network.to(device))
