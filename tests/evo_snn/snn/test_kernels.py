"""Kernels of neurons: spikes and gradients are those of Norse's functional step and autograd."""

import itertools

import pytest
import torch
from torch import nn

from evo_snn.snn.kernels import KERNELS as NAMES
from tests.evo_snn.snn.kernel_checks import (
    TIGHT,
    assert_as_norse,
    by_kernel,
    difference,
    random_current,
    random_step,
    random_weight,
)
from tests.evo_snn.snn.norse_reference import (
    ALPHAS,
    KERNELS,
    KINDS,
    OTHERS,
    Neurons,
    by_hand,
    norse_spikes,
)

LEAKS = [1 / 16, 0.25, 0.5, 1.0]
SHAPES = [(), (1,), (7,), (5, 3), (1, 1), (3, 2, 5), (4, 4)]
DTYPES = [torch.float32, torch.float64]

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


def cases_of_leaks():
    """Kinds with the leaks that they can have: an IAF neuron has none."""
    return [(kind, leak) for kind in KINDS for leak in (LEAKS if kind != "iaf" else LEAKS[:1])]


def test_all_of_them_are_tested():
    assert set(NAMES) == {*KERNELS, "norse"}


# Spikes and gradients


@every_kernel
@pytest.mark.parametrize("surrogate", ALPHAS)
@pytest.mark.parametrize(("kind", "leak"), cases_of_leaks())
def test_any_number_of_steps_is_norses(kernel, surrogate, kind, leak):
    rates = []
    for time_steps, dtype, quantized, static in itertools.product(
        range(1, 17), DTYPES, (False, True), (False, True)
    ):
        current = random_current(1 if static else time_steps, 3, 5, 7, dtype=dtype, seed=time_steps)
        step = random_step(5, dtype=dtype) if quantized else None
        neurons = Neurons(kind, 0.3, leak, step, 6, surrogate, ALPHAS[surrogate])
        fired = assert_as_norse(kernel, neurons, current, time_steps)
        rates.append(fired.spikes.mean().item())
        assert fired.current.abs().max() > 0
    assert 0.02 < sum(rates) / len(rates) < 0.98


every_other = pytest.mark.parametrize(
    "other", OTHERS, ids=lambda one: "-".join(map(str, one.values()))
)


@every_kernel
@every_other
@pytest.mark.parametrize("surrogate", ALPHAS)
def test_any_number_of_steps_of_other_neurons_is_norses(kernel, surrogate, other):
    rates = []
    for time_steps, leak, dtype, quantized, static in itertools.product(
        (1, 2, 3, 8, 16), LEAKS, DTYPES, (False, True), (False, True)
    ):
        current = random_current(1 if static else time_steps, 3, 5, 7, dtype=dtype, seed=time_steps)
        step = random_step(5, dtype=dtype) if quantized else None
        settings = {"surrogate": surrogate, "alpha": ALPHAS[surrogate], **other}
        neurons = Neurons(threshold=0.3, leak=leak, step=step, **settings)
        fired = assert_as_norse(kernel, neurons, current, time_steps)
        rates.append(fired.spikes.mean().item())
        if other.get("once"):
            assert fired.spikes.sum(0).max() <= 1
    assert 0.02 < sum(rates) / len(rates) < 0.98


@every_kernel
@every_other
def test_other_neurons_do_something_else(kernel, other):
    current = random_current(8, 3, 5, 7)
    usual, unusual = (
        by_kernel(kernel, neurons, current, 8, random_weight(current, 8))
        for neurons in (Neurons(other["kind"]), Neurons(**other))
    )

    assert not torch.equal(usual.spikes, unusual.spikes)


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize("channels", [1, 3, 5, 17])
def test_any_size_is_norses(kernel, kind, dtype, channels):
    for spatial, batch, steps in itertools.product(SHAPES, (1, 2, 5), ((1, 4), (3, 3))):
        current = random_current(steps[0], batch, channels, *spatial, dtype=dtype, seed=batch)
        for step in (None, random_step(channels, dtype=dtype)):
            assert_as_norse(kernel, Neurons(kind, step=step), current, steps[1])


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize(
    "shape", [(3, 17, 13, 11), (5, 3, 131, 67), (5, 2, 2051), (2, 4, 9, 8, 17), (3, 5003)]
)
def test_more_than_fits_at_a_time_is_norses(kernel, kind, dtype, shape):
    step = random_step(shape[1], dtype=dtype)
    for given_steps, innermost in itertools.product((1, 3), (False, True)):
        current = random_current(given_steps, *shape, dtype=dtype)
        if innermost:
            current = current.movedim(2, -1).contiguous().movedim(-1, 2)
        assert_as_norse(kernel, Neurons(kind, step=step), current, 3)


def layouts(current, spatial):
    """The same numbers in other places of the memory, by what is done to them."""
    folded = current.flatten(0, 1)
    wide = torch.zeros(*current.shape[:-1], 2 * current.shape[-1], dtype=current.dtype)
    wide[..., ::2] = current
    found = {
        "contiguous": current.contiguous(),
        "time is innermost": current.movedim(0, -1).contiguous().movedim(-1, 0),
        "batch and time are swapped": current.transpose(0, 1).contiguous().transpose(0, 1),
        "channels are innermost": current.movedim(2, -1).contiguous().movedim(-1, 2),
        "every other": wide[..., ::2],
        "not at the start": torch.cat([current[:1], current]).contiguous()[1:],
        "spatial sizes are reversed": current.mT.contiguous().mT,
    }
    if spatial > 1:
        of = {2: torch.channels_last, 3: torch.channels_last_3d}[spatial]
        folded = folded.contiguous(memory_format=of)
        found["channels-last"] = folded.unflatten(0, current.shape[:2])
    for name, other in found.items():
        assert torch.equal(other, current), name
    return found


@every_kernel
@every_kind
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("spatial", [(), (6,), (4, 5), (2, 3, 4)])
def test_layouts_in_memory_change_nothing(kernel, kind, quantized, spatial):
    for given_steps, dtype in itertools.product((1, 5), DTYPES):
        current = random_current(given_steps, 3, 4, *spatial, dtype=dtype)
        weight = random_weight(current, 5)
        neurons = Neurons(kind, step=random_step(4, dtype=dtype) if quantized else None)
        plain = by_kernel(kernel, neurons, current, 5, weight)
        weights = layouts(weight, len(spatial)).values()
        for other, other_weight in zip(
            layouts(current, len(spatial)).values(), weights, strict=True
        ):
            fired = assert_as_norse(kernel, neurons, other, 5, other_weight)
            assert torch.equal(fired.spikes, plain.spikes)
            assert difference(fired.current, plain.current) <= TIGHT[dtype] / 10


@every_kernel
@every_other
@pytest.mark.parametrize("spatial", [(), (4, 5)])
def test_layouts_change_nothing_of_other_neurons(kernel, other, spatial):
    for given_steps in (1, 5):
        current = random_current(given_steps, 3, 4, *spatial)
        neurons = Neurons(**other, step=random_step(4))
        plain = by_kernel(kernel, neurons, current, 5, random_weight(current, 5))
        for laid_out in layouts(current, len(spatial)).values():
            fired = assert_as_norse(kernel, neurons, laid_out, 5)
            assert torch.equal(fired.spikes, plain.spikes)


@every_kernel
@every_kind
def test_expanded_currents_and_gradients_are_read_as_they_are(kernel, kind):
    # numbers that stand once in memory: one row for all samples, one gradient for all spikes
    row = random_current(4, 1, 3, 5)
    current, weight = row.expand(4, 6, 3, 5), torch.tensor(0.7, dtype=row.dtype).expand(4, 6, 3, 5)
    assert_as_norse(kernel, Neurons(kind), current, 4, weight)

    everywhere = random_current(1, 1, 1, 1).expand(1, 2, 3, 4)
    assert_as_norse(kernel, Neurons(kind, step=random_step(3)), everywhere, 4)

    repeated = random_current(1, 2, 3, 4).expand(4, 2, 3, 4)
    assert_as_norse(kernel, Neurons(kind), repeated, 4)


@every_kernel
@every_kind
def test_a_current_given_once_is_one_in_every_step(kernel, kind):
    once = random_current(1, 3, 2, 5)
    neurons, weight = Neurons(kind, step=random_step(2)), random_weight(once, 6)
    static = by_kernel(kernel, neurons, once, 6, weight)
    repeated = by_kernel(kernel, neurons, once.repeat(6, 1, 1, 1), 6, weight)

    assert torch.equal(static.spikes, repeated.spikes)
    assert difference(static.current, repeated.current.sum(0, keepdim=True)) <= 1e-12
    assert difference(static.threshold, repeated.threshold) <= 1e-12


@every_kernel
@every_kind
def test_no_samples_are_no_spikes(kernel, kind):
    for current in (torch.zeros(3, 0, 2, 4), torch.zeros(1, 0, 2)):
        fired = by_kernel(kernel, Neurons(kind), current, 3, torch.zeros(3, *current.shape[1:]))
        assert fired.spikes.shape == (3, *current.shape[1:])
        assert fired.current.shape == current.shape
        assert fired.threshold.item() == 0
        assert fired.leak is None or fired.leak.item() == 0


@every_kernel
@every_kind
def test_only_what_is_asked_for_gets_a_gradient(kernel, kind):
    from evo_snn.snn.kernels import Dynamics, fire

    values = random_current(4, 3, 2, 5)
    whole = by_kernel(kernel, Neurons(kind), values, 4, torch.ones_like(values))
    names = ["current", "threshold"] if kind == "iaf" else ["current", "threshold", "leak"]
    subsets = itertools.chain.from_iterable(
        itertools.combinations(names, count) for count in range(len(names) + 1)
    )
    for wanted in subsets:
        given = {
            "current": values.clone(),
            "threshold": torch.tensor(0.5).double(),
            "leak": None if kind == "iaf" else torch.tensor(0.5).double(),
        }
        for name in wanted:
            given[name].requires_grad_()
        arguments = (given["current"], 4, given["threshold"], given["leak"], None)
        spikes = fire(Dynamics(kind, 6), *arguments, kernel=kernel)
        assert torch.equal(spikes, whole.spikes)
        assert spikes.requires_grad == bool(wanted)
        if wanted:
            spikes.sum().backward()
        for name in names:
            grad = given[name].grad
            assert (grad is not None) == (name in wanted)
            assert grad is None or difference(grad, getattr(whole, name)) <= 1e-12
    with torch.no_grad():
        assert not fire(Dynamics(kind, 6), *arguments, kernel=kernel).requires_grad
    with torch.inference_mode():
        assert torch.equal(fire(Dynamics(kind, 6), *arguments, kernel=kernel), whole.spikes)


@every_kernel
@every_kind
@every_dtype
def test_weights_before_and_after_get_norses_gradients(kernel, kind, dtype):
    torch.manual_seed(0)  # of the layers' own initialisation
    before, after = nn.Conv2d(2, 5, 3, dtype=dtype), nn.Conv2d(5, 3, 3, dtype=dtype)
    x = random_current(4 * 3, 2, 9, 8, dtype=dtype)
    neurons = Neurons(kind, threshold=0.1, step=random_step(5, dtype=dtype))
    found = []
    for name in (kernel, "norse"):
        threshold, leak = (
            torch.tensor(value, dtype=dtype, requires_grad=True) for value in (0.1, 0.5)
        )
        current = before(x).unflatten(0, (4, 3))
        if name == "norse":
            spikes = norse_spikes(neurons, current, 4, threshold, leak)
        else:
            from evo_snn.snn.kernels import Dynamics, fire

            has = leak if neurons.has_leak else None
            arguments = (current, 4, threshold, has, neurons.step)
            spikes = fire(Dynamics(kind, neurons.bits), *arguments, kernel=name)
        loss = after(spikes.flatten(0, 1)).square().sum()
        wanted = [*before.parameters(), *after.parameters(), threshold]
        wanted += [leak] if neurons.has_leak else []
        found.append((spikes.detach(), torch.autograd.grad(loss, wanted)))
    (ours, gradients), (theirs, expected) = found

    assert torch.equal(ours, theirs)
    assert 0.02 < ours.mean() < 0.98
    for one, other in zip(gradients, expected, strict=True):
        assert difference(one, other) <= {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]


# By hand


@every_kernel
def test_lif_box_by_hand(kernel):
    # v = 1/2; then 1/2 + (3 - 1/2) / 2 = 7/4 fires. Slopes 1 / (1 + |v - 1|)^2 are 4/9 and 16/49.
    fired = by_kernel(kernel, Neurons("lif_box", 1.0, 0.5), _column(1, 3), 2, _column(0, 1))

    assert fired.spikes.flatten().tolist() == [0, 1]
    # dL/dv2 = 16/49; dL/dv1 = 16/49 · 1/2 · (1 - v1 · 4/9) = 8/63; currents count half
    assert fired.current.flatten().tolist() == pytest.approx([4 / 63, 8 / 49], rel=1e-14)
    # -16/49 + 4/9 · (16/49 · 1/2 · v1)
    assert fired.threshold.item() == pytest.approx(-128 / 441, rel=1e-14)
    # dv2/dleak = 3 - 1/2, dv1/dleak = 1
    assert fired.leak.item() == pytest.approx(16 / 49 * 2.5 + 8 / 63, rel=1e-14)


@every_kernel
def test_iaf_by_hand(kernel):
    # v = 2 fires and is reset, 1/2 does not: slopes 1/4 and 4/9; the loss is of the second spike
    fired = by_kernel(kernel, Neurons("iaf", 1.0), _column(2, 0.5), 2, _column(0, 1))

    assert fired.spikes.flatten().tolist() == [1, 0]
    # the first reaches the second through the reset alone: 4/9 · (0 - 2 · 1/4)
    assert fired.current.flatten().tolist() == pytest.approx([-2 / 9, 4 / 9], rel=1e-14)
    assert fired.threshold.item() == pytest.approx(-4 / 9 + 2 / 9, rel=1e-14)
    assert fired.leak is None


@every_kernel
def test_lif_by_hand(kernel):
    # i = 1, kept 1/2, then 5/2; v = 1/4, then 1/4 + (5/2 - 1/4) / 4 = 13/16 fires.
    # Slopes with threshold 3/4: 1 / (3/2)^2 = 4/9 and 1 / (17/16)^2 = 256/289.
    fired = by_kernel(kernel, Neurons("lif", 0.75, 0.25), _column(1, 2), 2, _column(0, 1))

    assert fired.spikes.flatten().tolist() == [0, 1]
    slope = 256 / 289
    first = slope * 0.75 * (1 - 0.25 * 4 / 9)  # dL/dv1
    # the second current counts a quarter; the first also through what the synapse keeps of it
    currents = [first / 4 + slope / 8, slope / 4]
    assert fired.current.flatten().tolist() == pytest.approx(currents, rel=1e-14)
    assert fired.threshold.item() == pytest.approx(-slope + 4 / 9 * slope * 0.75 * 0.25, rel=1e-14)
    assert fired.leak.item() == pytest.approx(slope * 2.25 + first, rel=1e-14)


@every_kernel
def test_subtraction_by_hand(kernel):
    # v = 3/2 fires and keeps 1/2; then 1/2 + (2 - 1/2) / 2 = 5/4 fires. Slopes 4/9 and 16/25.
    neurons = Neurons("lif_box", 1.0, 0.5, reset="subtract")
    fired = by_kernel(kernel, neurons, _column(3, 2), 2, _column(0, 1))

    assert fired.spikes.flatten().tolist() == [1, 1]
    # dL/dv2 = 16/25; what stays of v1 is v1 - spike: half of it counts, less the slope
    first = 16 / 25 * 0.5 * (1 - 4 / 9)
    assert fired.current.flatten().tolist() == pytest.approx([first / 2, 8 / 25], rel=1e-14)
    # the second comparison, the subtraction, and through the first spike
    threshold = -16 / 25 - 8 / 25 + 8 / 25 * 4 / 9
    assert fired.threshold.item() == pytest.approx(threshold, rel=1e-14)
    assert fired.leak.item() == pytest.approx(16 / 25 * 1.5 + first * 3, rel=1e-14)


@every_kernel
def test_one_spike_by_hand(kernel):
    # v = 1/2, then 3/2 fires; in the third step it would fire again
    neurons = Neurons("iaf", 1.0, once=True)
    fired = by_kernel(kernel, neurons, _column(0.5, 1, 3), 3, _column(1, 1, 1))

    assert fired.spikes.flatten().tolist() == [0, 1, 0]
    # slopes 4/9 and 4/9; the third step passes nothing, and no reset counts after the second
    second = 4 / 9
    first = 4 / 9 + second * (1 - 0.5 * 4 / 9)
    assert fired.current.flatten().tolist() == pytest.approx([first, second, 0], rel=1e-14)
    assert fired.threshold.item() == pytest.approx(-second - 4 / 9 * (1 - second / 2), rel=1e-14)


# A membrane, what 4 bits of 1/4 keep of it (from -2 to 7/4, ties to even), whether gradients pass.
STORED = [
    (0.375, 0.5, True),
    (0.125, 0.0, True),
    (0.625, 0.5, True),
    (-0.375, -0.5, True),
    (0.4375, 0.5, True),
    (1.625, 1.5, True),
    (1.84375, 1.75, True),
    (1.875, 1.75, False),
    (1.90625, 1.75, False),
    (5.0, 1.75, False),
    (-2.09375, -2.0, True),
    (-2.125, -2.0, True),
    (-2.1875, -2.0, False),
    (-50.0, -2.0, False),
]


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize(("membrane", "kept", "passes"), STORED)
def test_a_stored_state_by_hand(kernel, kind, dtype, membrane, kept, passes):
    neurons = Neurons(kind, 16.0, 0.5, torch.tensor([0.25], dtype=dtype), 4)
    # Of lif_box and lif half of a current arrives, and half of a lif's stays in its synapse.
    first = membrane if kind == "iaf" else 2 * membrane
    # what brings the next membrane from the kept states to just the threshold
    second = {"iaf": 16 - kept, "lif_box": 32 - kept, "lif": 32 - 2 * kept}[kind]
    weight = _column(0, 1).to(dtype)
    for beyond in (0.0, 2.0**-16):
        current = _column(first, second + beyond).to(dtype)
        fired = by_kernel(kernel, neurons, current, 2, weight)
        assert fired.spikes.flatten().tolist() == [0, float(beyond > 0)]
        assert (fired.current[0].item() != 0) == passes


@every_kernel
@pytest.mark.parametrize("surrogate", ALPHAS)
@pytest.mark.parametrize("neuron", [*({"kind": kind} for kind in KINDS), *OTHERS], ids=str)
def test_one_neuron_is_the_plain_recurrence(kernel, surrogate, neuron):
    kind = neuron["kind"]
    for seed in range(20):
        step = random_step(1, seed=seed) if seed % 2 else None
        alpha = ALPHAS[surrogate]
        common = {"threshold": 0.4, "leak": LEAKS[seed % 4], "step": step, "bits": 5}
        neurons = Neurons(**neuron, **common, surrogate=surrogate, alpha=alpha)
        current = random_current(8, 1, 1, seed=seed)
        weight = random_weight(current, 8, seed=seed + 100)
        fired = by_kernel(kernel, neurons, current, 8, weight)
        spikes, to_currents, to_threshold, to_leak = by_hand(
            neurons, current.flatten().tolist(), weight.flatten().tolist()
        )
        # the reference's root of pi is rounded to float32
        tight = (
            {"rel": 1e-7, "abs": 1e-7}
            if surrogate == "heavi_erfc"
            else {"rel": 1e-10, "abs": 1e-12}
        )
        assert fired.spikes.flatten().tolist() == spikes
        assert fired.current.flatten().tolist() == pytest.approx(to_currents, **tight)
        assert fired.threshold.item() == pytest.approx(to_threshold, **tight)
        assert kind == "iaf" or fired.leak.item() == pytest.approx(to_leak, **tight)


def _column(*values):
    """One neuron's numbers, one a time step."""
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)
