"""Random networks of every space, trained a little, and what really runs when they run."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode

from evo_snn.snn import DeployedNetwork, TrainableNetwork, build, deploy
from evo_snn.snn.kernels import ALPHAS
from genomes.spaces import make_space
from tests.counts import count

SHAPES = [(2, 7, 5), (1, 9), (1, 4, 3, 4), (1, 1, 1), (3, 6, 6)]
NEURONS = ["lif_box", "lif", "iaf"]
CASES = 36
"""Networks of the plain space."""

SMALL = {"weight_bits": [2, 5, 8], "time_steps": [1, 2, 3], "state_bits": 12, "input_bits": 5}
OTHERS = {
    "hyperspectral": (
        [(1, 9, 5, 5), (1, 12, 6, 4), (2, 5, 3, 3), (1, 1, 7, 7)],
        {"bands": [3, 6], "max_cubes": 3, "max_planes": 2, "widths": [1, 2, 3, 5], **SMALL},
    ),
    "spectrum": ([(1, 21), (2, 9)], {"bands": [3, 8], "widths": [1, 2, 3, 5], **SMALL}),
    "signal": ([(1, 40), (3, 17)], {"widths": [1, 2, 3, 5], "kernels": [3, 9], **SMALL}),
}
"""Shapes and options of the other spaces."""

WEIGHT_CASES = [("weights", number) for number in range(count(16, 60))]

WEIGHTS = {
    "weight_bits": [1, 2, 3, 4, 8],
    "quantizers": ["uniform", "power_of_two"],
    "bit_groups": 3,
    "removed_columns": [0.0, 0.25, 0.5, 0.75],
    "column_rows": 4,
    "widths": [1, 2, 5, 8],
}
"""Options of weights; of them alone are the cases ``weights``, of the plain space."""

OTHER_CASES = [(name, number) for name in OTHERS for number in range(count(4, 50))]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Case:
    """A network that was trained a little, in float64, and its deployed form."""

    trained: TrainableNetwork
    deployed: DeployedNetwork
    x: torch.Tensor

    @property
    def architecture(self):
        return self.trained.architecture


@dataclass
class Seen:
    """An observer that keeps what each layer read and fired."""

    sources: dict = field(default_factory=dict)
    spikes: dict = field(default_factory=dict)

    def __call__(self, layer, source, spikes):
        self.sources[layer.name] = source.detach()
        if spikes is not None:
            self.spikes[layer.name] = spikes.detach()


class Products(TorchDispatchMode):
    """Every convolution and matrix product that torch runs: (input, weight, output)."""

    def __init__(self):
        super().__init__()
        self.ran = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name == "convolution":
            self.ran.append((args[0].detach(), args[1].detach(), result.detach()))
        elif name in ("mm", "addmm", "bmm", "matmul"):
            a, b = args[-2:]
            self.ran.append((a.detach(), b.detach().T, result.detach()))
        return result


def switched(number):
    """Switchable decisions: every neuron with and without each of them."""
    return {
        "resets": [("hard", "subtract")[number % 2]],
        "surrogates": [list(ALPHAS)[number % 5]],
        "hidden_codes": ["once" if number % 4 == 3 else "any"],
    }


def random_architecture(number, options=None):
    """Small and odd: every neuron in turn, 1 to 3 dimensions, deep stages with links."""
    rng = np.random.default_rng(number)
    space = make_space(
        "plain",
        SHAPES[number % len(SHAPES)],
        int(rng.integers(2, 5)),
        {
            "max_stages": 2,
            "max_blocks": 4,
            "widths": [1, 2, 3, 5],
            "kernels": [1, 3],
            "neurons": [NEURONS[number % 3]],
            "thresholds": [0.25, 0.5],
            "time_steps": [1, 2, 3, 5],
            "input_bits": int(rng.choice([1, 3, 8])),
            "state_bits": int(rng.choice([6, 12, 32])),
            **switched(number),
            **(options or {}),
        },
    )
    return space.decode(space.sample(1, rng)[0])


def architecture_of(name, number):
    """A small network of one of the other spaces: every neuron and shape in turn."""
    shapes, options = OTHERS[name]
    space = make_space(
        name,
        shapes[number % len(shapes)],
        2 + number % 3,
        {
            **options,
            "neurons": [NEURONS[number % 3]],
            "thresholds": [0.25, 0.5],
            **switched(number),
        },
    )
    return space.decode(space.sample(1, np.random.default_rng(number))[0])


def train_a_little(network, x, generator, steps=3):
    """Some steps of Adam, then statistics, gains of both signs, leaks, thresholds at random."""
    y = torch.randint(network.architecture.classes, (len(x),), generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()
        network.project()

    def noise(tensor, size):
        return size * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)

    with torch.no_grad():
        for layer in network.trainable_layers():
            layer.shift += 0.5 + noise(layer.shift, 0.5)
            if layer.layer.neuron:
                layer.scale *= torch.where(noise(layer.scale, 1) < 0, -1.0, 1.0)
                layer.mean += noise(layer.mean, 0.3)
                layer.variance *= noise(layer.variance, 0.3).exp()
        for neuron in network.neurons.values():
            neuron.threshold += noise(neuron.threshold, 0.05)
            if neuron.leak is not None:
                neuron.leak += noise(neuron.leak, 0.2)
    network.project()


@lru_cache(maxsize=CASES + len(OTHER_CASES) + len(WEIGHT_CASES))
def make_case(number, name="plain"):
    if name in ("plain", "weights"):
        architecture = random_architecture(number, WEIGHTS if name == "weights" else None)
    else:
        architecture = architecture_of(name, number)
    generator = torch.Generator().manual_seed(number)
    x = torch.rand(6, *architecture.input_shape, generator=generator, dtype=torch.float64)
    trained = build(architecture, number).double()
    train_a_little(trained, x, generator)
    trained.eval()
    return Case(trained, deploy(trained), x)


@pytest.fixture(
    scope="session",
    params=[*(("plain", number) for number in range(CASES)), *OTHER_CASES, *WEIGHT_CASES],
    ids=lambda one: f"{one[0]}-{one[1]}",
)
def case(request):
    """One of many random networks with its deployed form, in evaluation, float64."""
    name, number = request.param
    return make_case(number, name)


@pytest.fixture(scope="session")
def cases():
    """Those of the plain space."""
    return [make_case(number) for number in range(CASES)]


@pytest.fixture(scope="session")
def other_cases():
    """Those of the other spaces, by its name."""
    return {
        name: [make_case(number, name) for one, number in OTHER_CASES if one == name]
        for name in OTHERS
    }


@pytest.fixture(scope="session")
def weight_cases():
    """Those of every option of weights."""
    return [make_case(number, name) for name, number in WEIGHT_CASES]


@pytest.fixture
def seen():
    """A fresh observer."""
    return Seen()


@pytest.fixture
def make_seen():
    """Makes observers, where one is not enough."""
    return Seen


@pytest.fixture
def products(monkeypatch):
    """Spies on products, of which every convolution is run as one (see test_products.py)."""
    monkeypatch.setattr("evo_snn.snn.products.MATRIX_UP_TO", 0)
    return Products()


def chain(
    *,
    input_shape=(1, 4, 4),
    classes=3,
    blocks=4,
    skip="add",
    neuron="lif_box",
    options=None,
    **values,
):
    """One stage of blocks, each linked to the one before; ``values`` are choices by gene name."""
    space = make_space(
        "plain",
        input_shape,
        classes,
        {"max_stages": 1, "max_blocks": max(blocks, 1), **(options or {})},
    )
    wanted = {"neuron": neuron, "stage1.blocks": blocks, **values}
    wanted |= {f"stage1.block{k}.skip": skip for k in range(2, blocks + 1)}
    genome = [
        gene.choices.index(wanted[gene.name]) if gene.name in wanted else 0 for gene in space.genes
    ]
    return space.decode(genome)


@pytest.fixture(name="chain", scope="session")
def chain_fixture():
    """Makes an architecture of one stage from choices by gene name."""
    return chain
