"""The contract of an objective: a pure function of a candidate, wherever it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evo_snn.costing import measured_metrics, training_metrics
from evo_snn.metrics import CandidateView, Function, Metric, package_metric
from evo_snn.objectives import is_reserved, value_of
from evo_snn.seeds import derived_seed
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import named_tensors
from evo_snn.testing.elsewhere import address_of, elsewhere, expect
from evo_snn.testing.generators import kept_global_generators, seed_global_generators
from evo_snn.training import Samples
from genomes.spaces import make_space
from hardware import DEFAULT_CHIP, estimate, load_chip
from hardware.machines import load_machine

_THREADS = 4
_SAMPLES = 32


def check_objective(
    function: Function,
    *,
    chip: str = DEFAULT_CHIP,
    input_shape: Sequence[int] = (1, 8, 8),
    classes: int = 10,
    candidates: int = 8,
) -> None:
    """Check a function under ``@evo_snn.objective(…)`` on invented candidates.

    Its name and description are fit for tables; it gives one finite number; the same number for the
    same candidate twice, in threads, in another process and folder, and whatever the state of the
    global random generators; and it changes neither the candidate nor the process.

    Args:
        function: the decorated function, at the top level of a module.
        chip: the chip that candidates are costed on.
        input_shape: (channels, *spatial) of the data that it is for.
        classes: number of classes of that data.
        candidates: how many to try.

    Raises:
        AssertionError: what is wrong.
    """
    metric = getattr(function, "metric", None)
    expect(isinstance(metric, Metric), f"{function!r} is not under @evo_snn.objective(…)")
    assert isinstance(metric, Metric)  # noqa: S101 - for the type checker
    _check_metric(metric)
    settings: dict[str, Any] = {
        "chip": chip,
        "input_shape": list(input_shape),
        "classes": classes,
        "candidates": candidates,
    }
    name = f"objective {metric.name!r}"
    with _one_torch_thread(), kept_global_generators():
        views = _views(metric, **settings)
        state = _process_state()
        first = _values(metric, views)
        for seed, said in ((1, "twice"), (2, "after other random draws, in another order")):
            seed_global_generators(seed)
            again = _values(metric, views[::-1])[::-1]
            _expect_equal(name, said, first, again)
        expect(_process_state() == state, f"{name} changes the settings of its process: {state}")
        with ThreadPoolExecutor(_THREADS) as pool:
            threaded = list(pool.map(lambda view: _values(metric, [view])[0], views * 2))
        _expect_equal(name, "in threads", first * 2, threaded)
        untouched = _views(metric, **settings)
        for before, after in zip(untouched, views, strict=True):
            _expect_untouched(name, before, after)
    there = elsewhere(objective_values, address_of(function), **settings)
    _expect_equal(name, "in another process", [value.hex() for value in first], there)


def example_candidates(
    count: int = 8,
    *,
    network: bool = False,
    chip: str = DEFAULT_CHIP,
    input_shape: Sequence[int] = (1, 8, 8),
    classes: int = 10,
) -> list[CandidateView]:
    """Invented candidates: designs of the ``plain`` space with invented accuracy and spike rates.

    Args:
        count: how many.
        network: with a network, of random weights, and validation data of noise.
        chip: that they are costed on.
        input_shape: (channels, *spatial) of a sample.
        classes: number of classes.
    """
    rng = np.random.default_rng(0)
    space = make_space("plain", input_shape, classes)
    loaded = load_chip(chip)
    found = []
    for genome in space.sample(count, rng):
        architecture = space.decode(genome)
        rates = {
            layer.name: (float(rng.uniform(0.02, 0.6)), float(rng.uniform(0.02, 0.6)))
            for layer in architecture.layers
        }
        workload = architecture.workload.with_rates(rates)
        cost = estimate(workload, loaded)
        metrics = {
            **measured_metrics(architecture, workload, cost),
            **training_metrics(architecture, workload, 60 * 64, load_machine()),
        }
        key = space.key(genome)
        view = CandidateView(
            key,
            tuple(int(gene) for gene in genome),
            architecture,
            workload,
            cost,
            {**_invented_figures(float(rng.uniform(1 / classes, 1)), classes), **metrics},
            seed=derived_seed(0, key),
            chip=loaded,
        )
        found.append(_with_network(view) if network else view)
    return found


def _invented_figures(accuracy: float, classes: int) -> dict[str, float]:
    """Figures of a network with this accuracy on classes that are equally frequent."""
    kappa = (accuracy - 1 / classes) / (1 - 1 / classes) if classes > 1 else 0.0
    return {"accuracy": accuracy, "balanced_accuracy": accuracy, "kappa": kappa}


def objective_values(function: Function, **settings: Any) -> list[str]:
    """The exact values of an objective on the invented candidates, as text."""
    metric: Metric = function.metric  # type: ignore[attr-defined]
    with _one_torch_thread():
        # The last first: a function that remembers what it saw before gives itself away.
        values = _values(metric, _views(metric, **settings)[::-1])
        return [value.hex() for value in reversed(values)]


def _check_metric(metric: Metric) -> None:
    name = f"objective {metric.name!r}"
    expect(re.fullmatch(r"\w+", metric.name), f"{name}: a name is letters, digits and _")
    expect(package_metric(metric.name) is None, f"{name}: evo_snn has a metric of that name")
    expect(not is_reserved(metric.name), f"{name}: a run's tables have such a column")
    expect(metric.description, f"{name}: the first line of the docstring is shown; there is none")
    expect(isinstance(metric.unit, str), f"{name}: unit is {metric.unit!r}; allowed: text")
    expect(isinstance(metric.maximise, bool), f"{name}: maximise is {metric.maximise!r}")


def _views(
    metric: Metric, *, chip: str, input_shape: Sequence[int], classes: int, candidates: int
) -> list[CandidateView]:
    return example_candidates(
        candidates,
        network=metric.needs == "network",
        chip=chip,
        input_shape=input_shape,
        classes=classes,
    )


def _with_network(view: CandidateView) -> CandidateView:
    generator = torch.Generator().manual_seed(view.seed)
    shape = (_SAMPLES, *view.architecture.input_shape)
    x = torch.rand(shape, generator=generator)
    y = torch.randint(view.architecture.classes, (_SAMPLES,), generator=generator)
    network = deploy(build(view.architecture, view.seed))
    return replace(view, network=network, validation=Samples(x, y))


def _values(metric: Metric, views: Sequence[CandidateView]) -> list[float]:
    found = []
    for view in views:
        try:
            found.append(value_of(metric, view))
        except Exception as error:
            raise AssertionError(
                f"objective {metric.name!r} fails on genome {list(view.genome)}:"
                f" {type(error).__name__}: {error}"
            ) from error
    return found


def _expect_equal(name: str, said: str, first: Sequence[Any], again: Sequence[Any]) -> None:
    different = [(one, two) for one, two in zip(first, again, strict=True) if one != two]
    if different:
        one, two = different[0]
        raise AssertionError(
            f"{name} gives {one} and, {said}, {two}: it must depend on the candidate alone;"
            " random draws come from a generator made of candidate.seed"
        )


def _expect_untouched(name: str, before: CandidateView, after: CandidateView) -> None:
    for part in ("genome", "architecture", "workload", "cost"):
        same = _text(getattr(before, part)) == _text(getattr(after, part))
        expect(same, f"{name} changes the candidate's {part}")
    if before.network is None or after.network is None:
        return
    expect(before.network.training == after.network.training, f"{name} changes the network's mode")
    theirs = named_tensors(after.network)
    for key, tensor in named_tensors(before.network).items():
        same = key in theirs and torch.equal(tensor, theirs[key])
        expect(same, f"{name} changes the network: {key}; work on a copy (copy.deepcopy)")
    assert before.validation is not None  # noqa: S101 - it comes with the network
    assert after.validation is not None  # noqa: S101
    for part in ("x", "y"):
        same = torch.equal(getattr(before.validation, part), getattr(after.validation, part))
        expect(same, f"{name} changes the validation data")


def _text(part: Any) -> str:
    return json.dumps(part, sort_keys=True, default=repr)


def _process_state() -> tuple[Any, ...]:
    return (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        Path.cwd(),
    )


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """As in a worker: one and two threads give different bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
