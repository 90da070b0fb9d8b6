"""Training: brief, for a candidate's fitness, and full, for a chosen design.

Both are one loop: AdamW on cross-entropy, quantization in every step, a learning rate that rises
and then falls to zero along half a cosine, and a few looks at the validation part. A look deploys
the network and measures what a chip would run; the best look counts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, pi
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from evo_snn.augmentation import augmented
from evo_snn.config import Augment, BestBy, ClassWeights, DataSection, TrainingSection
from evo_snn.datasets import Dataset, Lazy, Split, load_dataset
from evo_snn.datasets.lazy import chunks
from evo_snn.lazy_samples import LazyTensor
from evo_snn.measured import Measured
from evo_snn.noise import WeightNoise
from evo_snn.snn import Network, TrainableNetwork, deploy
from evo_snn.snn.activity import Activity
from evo_snn.snn.exits import decided, loss_of_decisions
from evo_snn.snn.kernels import Chosen, choose
from evo_snn.snn.tensors import named_tensors
from evo_snn.trust import require_trusted
from genomes.errors import RequestError

if TYPE_CHECKING:
    from evo_snn.run import Run

MEASURED_AT_ONCE = 256
"""Samples a forward pass without gradients: bounds the memory of wide networks."""

MOMENTUM = 0.7
"""AdamW's beta1: with few steps the usual 0.9 remembers gradients of another network."""


@dataclass(frozen=True)
class Samples:
    """Samples on a device: ``x`` (N, *input_shape) float32 in [0, 1], ``y`` (N,) int64.

    Where a data set has frames ``x`` is (N, frames, *input_shape); where it is large, ``x`` makes
    tensors when it is indexed.
    """

    x: Tensor | LazyTensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Fitted:
    """The best look of a training.

    Attributes:
        measured: the deployed network on the validation part.
        tensors: the trainable network's tensors at that look.
        steps: gradient steps of the whole training.
    """

    measured: Measured
    tensors: Mapping[str, Tensor]
    steps: int

    @property
    def accuracy(self) -> float:
        """On the validation part, of the deployed network."""
        return self.measured.accuracy

    @property
    def rates(self) -> Mapping[str, tuple[float, float]]:
        """Layer name → (input rate, output rate) at that look."""
        return self.measured.rates

    def worth(self, best_by: BestBy) -> float:
        """What looks are compared by."""
        return self.measured.figures[best_by]


class DataChangedError(RuntimeError):
    """A data set is another one than the search began with."""


class TrainingDivergedError(RuntimeError):
    """A loss, or a tensor of the network, that is not finite."""


@lru_cache(maxsize=1)
def device_samples(section: DataSection, digest: str, device: str) -> tuple[Samples, Samples]:
    """Training and validation samples on a device, loaded once a worker and content.

    Raises:
        DataChangedError: the data set is not the one with this digest.
    """
    data = dataset(section)
    if data_digest(data) != digest:
        raise DataChangedError(f"data set {section.name!r} is not what it was at the start")
    return on_device(data.train, device), on_device(data.validation, device)


def dataset(section: DataSection) -> Dataset:
    """The data set of a configuration."""
    return load_dataset(
        section.name,
        path=section.path,
        validation_fraction=section.validation_fraction,
        options=section.options,
    )


def data_digest(data: Dataset) -> str:
    """The SHA-256 over what a search sees of a data set: training, validation, labels."""
    frames = (data.frames,) if data.frames else ()
    digest = hashlib.sha256(repr((data.input_shape, data.labels, *frames)).encode())
    for split in (data.train, data.validation):
        for chunk in chunks(split.x):
            digest.update(np.ascontiguousarray(chunk).data)
        digest.update(np.ascontiguousarray(split.y).data)
    return digest.hexdigest()


def make_reproducible(device: str) -> None:
    """Have torch give the same bits in every worker, and exact integer products.

    One and two threads add up in different orders; cuDNN may choose among algorithms, and TF32
    rounds what folding needs exact.
    """
    torch.set_num_threads(1)
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def plain_torch() -> Iterator[None]:
    """Torch's own default type and gradients for a block, and what was before it after it.

    Neither a user's settings nor what an objective leaves behind may reach an evaluation.
    """
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)


def on_device(split: Split, device: str) -> Samples:
    """A split as tensors on a device."""
    y = torch.from_numpy(split.y).to(device)
    if isinstance(split.x, Lazy):
        return Samples(LazyTensor(split.x, device), y)
    return Samples(torch.from_numpy(split.x).to(device), y)


def checked_device(name: str) -> torch.device:
    """The torch device of that name.

    Raises:
        RequestError: torch does not know the name, or the device is not there.
    """
    try:
        return torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            "training.device", name, "a device that torch has here", reason
        ) from None


def chosen_kernel(section: TrainingSection, before: str | None = None) -> Chosen:
    """What computes the neurons of a run.

    Args:
        section: the run's. A kernel that it names is taken, or refused.
        before: what the run began with. Where the choice is ours the run stays with it as long as
            it works here, for its promise holds for one kernel.

    Raises:
        RequestError: the kernel that is named cannot work here.
    """
    if section.kernel == "auto" and before is not None:
        with suppress(RequestError):
            return choose(before, section.device)
    return choose(section.kernel, section.device)


def fit(
    network: TrainableNetwork,
    train: Samples,
    validation: Samples,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    looks: int,
    seed: int,
    warm_up: float = 0.0,
    goes_on: bool = False,
    noise: WeightNoise | None = None,
    augment: Augment = "none",
    best_by: BestBy = "accuracy",
    class_weights: ClassWeights = "none",
    in_use: Callable[[TrainableNetwork], Network] = deploy,
) -> Fitted:
    """Train a network in place and keep the best of ``looks`` looks at the validation part.

    The learning rate is `scheduled`. A training that goes on where another one ended looks at what
    it begins with too, so that it never ends with less. With noise each step perturbs the weights
    as a chip would; a look is at the network without. Augmentation changes what steps see alone.
    With weights of classes the loss of a batch is the mean that they weight. A look measures the
    network ``in_use``: deployed, but for those that no chip runs.

    Raises:
        TrainingDivergedError: at a look the loss or one of the network's tensors is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = [one for one in network.parameters() if one.ndim > 1]
    others = [one for one in network.parameters() if one.ndim <= 1]  # of neurons, channels
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups,
        lr=learning_rate,
        betas=(MOMENTUM, 0.999),
        weight_decay=weight_decay,
        fused=True,
    )
    look_after = {ceil(steps * k / looks) for k in range(1, looks + 1)}
    best = _looked(network, in_use, validation, steps) if goes_on else None
    batches = random_batches(len(train), batch_size, generator)
    by_class = _class_weights(train.y, network.architecture.classes, class_weights)
    network.train()
    with nullcontext() if noise is None else noise.on(network, seed):
        for step in range(1, steps + 1):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * scheduled(step, steps, warm_up)
            chosen = next(batches).to(train.x.device)
            x = augmented(train.x[chosen], augment, generator)
            scores = network.decisions(x)
            loss = loss_of_decisions(scores, train.y[chosen], by_class)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            network.project()
            if step in look_after:
                _check_finite(network, loss, step)
                look = _looked(network, in_use, validation, steps)
                # of equal looks the latest: its learning rate was lower
                if best is None or look.worth(best_by) >= best.worth(best_by):
                    best = look
    assert best is not None  # noqa: S101 - the last step is always looked after
    return best


def _looked(
    network: TrainableNetwork,
    in_use: Callable[[TrainableNetwork], Network],
    validation: Samples,
    steps: int,
) -> Fitted:
    measured = measure(in_use(network), validation)
    tensors = {k: v.detach().clone() for k, v in named_tensors(network).items()}
    return Fitted(measured, tensors, steps)


def _class_weights(y: Tensor, classes: int, kind: ClassWeights) -> Tensor | None:
    """Weights (classes,) of a loss: samples over classes over the class's samples; 0 for none.

    They are those of King & Zeng (Political Analysis 9, 2001) for classes that count alike: over
    all samples their mean is 1.
    """
    if kind == "none":
        return None
    sizes = torch.bincount(y, minlength=classes).float()
    present = int((sizes > 0).sum())
    return torch.where(sizes > 0, len(y) / (present * sizes.clamp(min=1)), 0.0)


def scheduled(step: int, steps: int, warm_up: float) -> float:
    """The learning rate of a step, from 1 to ``steps``, as a share of its peak.

    It rises in equal parts over the first ``warm_up`` of the steps, and then falls along half a
    cosine (Loshchilov & Hutter, SGDR, ICLR 2017) as if to reach zero after the last one.
    """
    warm = round(warm_up * steps)
    if step <= warm:
        return step / (warm + 1)
    return 0.5 * (1 + cos(pi * (step - 1 - warm) / (steps - warm)))


def _check_finite(network: Network, loss: Tensor, step: int) -> None:
    """Neurons turn NaN into silence, so the loss alone does not show it."""
    if not torch.isfinite(loss):
        raise TrainingDivergedError(f"the loss is {loss.item()} after {step} steps")
    for name, tensor in named_tensors(network).items():
        if not torch.isfinite(tensor).all():
            raise TrainingDivergedError(f"{name} is not finite after {step} steps")


def random_batches(n: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of indices: each pass goes through the samples in a new order, once.

    What is left over at the end of a pass, less than a batch, waits for the next pass's order.
    """
    size = min(batch_size, n)
    while True:
        order = torch.randperm(n, generator=generator)
        yield from order[: n - n % size].split(size)


@torch.no_grad()
def measure(network: Network, samples: Samples) -> Measured:
    """Confusion counts and spike rates by layer of a network over samples."""
    architecture = network.architecture
    activity = Activity(architecture.carriers)
    places, classes = architecture.decisions, architecture.classes
    counts, ends = torch.zeros((), dtype=torch.int64), torch.zeros(())
    for x, y in zip(
        samples.x.split(MEASURED_AT_ONCE), samples.y.split(MEASURED_AT_ONCE), strict=True
    ):
        found = decided(network, x, activity)
        ends = ends.to(y.device) + torch.bincount(found.places, minlength=places)
        pairs = y * classes + found.classes  # one number a pair of classes
        counts = counts.to(y.device) + torch.bincount(pairs, minlength=classes**2)
    shares = tuple((ends / ends.sum()).tolist()) if architecture.exit else ()
    return Measured(counts.view(classes, classes).cpu().numpy(), activity.rates(), shares)


def data_of(run: Run, accept: Sequence[str] = ()) -> Dataset:
    """The data set of a run.

    Args:
        run: the run.
        accept: SHA-256 hashes, or their beginnings, of installed data sets that may be used though
            they are not what the run was made with.

    Raises:
        RequestError: it is not the one that the run began with, or is not accepted.
    """
    require_trusted([one for one in run.plugins if one.kind == "datasets"], accept)
    data = dataset(run.config.data)
    if run.data_digest not in (None, data_digest(data)):
        remedy = "Put the file back, or correct data.path in the run's config.toml."
        raise RequestError(
            "data", run.config.data.path or run.config.data.name, "the run's own data set", remedy
        )
    return data
